//! The probability and strength of each augmentation.

use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use super::augmentation::Augmentation;
use crate::named::named;

named! {
    /// Noise that is made rather than recorded.
    NoiseKind, "augment.noise.kind" {
        /// The same power at all frequencies.
        White = "white",
        /// 3 dB less with each octave.
        Pink = "pink",
    }
}

named! {
    /// The way two recordings are mixed.
    MixKind, "augment.mix.kind" {
        /// Features are averaged by the ratio, [Zhang et al. 2018](https://arxiv.org/abs/1710.09412).
        Mixup = "mixup",
        /// Waveforms are mixed so that they are heard in the ratio, [Tokozume et al. 2018](https://arxiv.org/abs/1711.10282).
        BetweenClass = "between-class",
    }
}

/// Augmentation of recordings during training. By default there is none: every `probability` is 0.
///
/// In a file a field may be missing, which gives its default; an unknown one is an error.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentConfig {
    /// Faster or slower, with the pitch.
    pub speed: SpeedConfig,
    /// Faster or slower, without the pitch.
    pub stretch: StretchConfig,
    /// A part of the recording.
    pub crop: CropConfig,
    /// Higher or lower, without the speed.
    pub pitch: PitchConfig,
    /// Earlier or later.
    pub shift: ShiftConfig,
    /// In a room.
    pub reverb: ReverbConfig,
    /// With noise.
    pub noise: NoiseConfig,
    /// Louder or softer.
    pub gain: GainConfig,
    /// Through another microphone.
    pub equalizer: EqualizerConfig,
    /// Bands and stretches of the features masked.
    pub spec_augment: SpecAugmentConfig,
    /// Two recordings in one.
    pub mix: MixConfig,
    /// Some of the words of a transcript.
    pub words: WordsConfig,
}

/// Speed perturbation by resampling, [Ko et al. 2015](https://www.isca-archive.org/interspeech_2015/ko15_interspeech.html):
/// pitch and length change with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct SpeedConfig {
    /// Probability for each recording.
    pub probability: f64,
    /// The lowest speed, as a factor. Default 0.9.
    pub min_factor: f64,
    /// The highest speed, as a factor. Default 1.1.
    pub max_factor: f64,
}

impl Default for SpeedConfig {
    fn default() -> Self {
        Self {
            probability: 0.0,
            min_factor: 0.9,
            max_factor: 1.1,
        }
    }
}

/// Another tempo at the same pitch, by a phase vocoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct StretchConfig {
    /// Probability for each recording.
    pub probability: f64,
    /// The lowest tempo, as a factor: a smaller one is longer. Default 0.8.
    pub min_factor: f64,
    /// The highest tempo, as a factor. Default 1.25.
    pub max_factor: f64,
}

impl Default for StretchConfig {
    fn default() -> Self {
        Self {
            probability: 0.0,
            min_factor: 0.8,
            max_factor: 1.25,
        }
    }
}

/// A part of the recording, from anywhere in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct CropConfig {
    /// Probability for each recording.
    pub probability: f64,
    /// Length of the part in seconds; a recording that is no longer stays whole. 0, the default:
    /// the length is drawn as a fraction of the recording's.
    pub seconds: f64,
    /// The smallest fraction, where `seconds` is 0. Default 0.7.
    pub min_fraction: f64,
    /// The largest fraction, where `seconds` is 0. Default 1.
    pub max_fraction: f64,
}

impl Default for CropConfig {
    fn default() -> Self {
        Self {
            probability: 0.0,
            seconds: 0.0,
            min_fraction: 0.7,
            max_fraction: 1.0,
        }
    }
}

/// Another pitch at the same length: a phase vocoder, then resampling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct PitchConfig {
    /// Probability for each recording.
    pub probability: f64,
    /// The furthest down, in semitones. Default -2.
    pub min_semitones: f64,
    /// The furthest up, in semitones. Default 2.
    pub max_semitones: f64,
}

impl Default for PitchConfig {
    fn default() -> Self {
        Self {
            probability: 0.0,
            min_semitones: -2.0,
            max_semitones: 2.0,
        }
    }
}

/// The recording earlier or later within its own length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct ShiftConfig {
    /// Probability for each recording.
    pub probability: f64,
    /// The largest shift either way, as a fraction of the recording's length. Default 0.1: 100 ms
    /// of one second.
    pub max_fraction: f64,
    /// Whether what leaves at one end comes in at the other (a roll), rather than silence. Default
    /// true.
    pub wrap: bool,
}

impl Default for ShiftConfig {
    fn default() -> Self {
        Self {
            probability: 0.0,
            max_fraction: 0.1,
            wrap: true,
        }
    }
}

/// Convolution with the impulse response of a room. The length and the mean power stay, and so
/// does the time of the direct sound, taken to be the loudest sample of the response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct ReverbConfig {
    /// Probability for each recording.
    pub probability: f64,
    /// Folder of recorded impulse responses, with its sub-folders; their channels are averaged.
    /// Empty, the default: they are made, and the fields below say how.
    pub folder: String,
    /// The shortest reverberation time: milliseconds in which the sound of the room falls by 60
    /// dB. Default 100.
    pub min_rt60_ms: f64,
    /// The longest reverberation time in milliseconds. Default 600.
    pub max_rt60_ms: f64,
    /// The least that the direct sound is above all of the room's, in dB. Default 0.
    pub min_direct_db: f64,
    /// The most that the direct sound is above all of the room's, in dB. Default 12.
    pub max_direct_db: f64,
}

impl Default for ReverbConfig {
    fn default() -> Self {
        Self {
            probability: 0.0,
            folder: String::new(),
            min_rt60_ms: 100.0,
            max_rt60_ms: 600.0,
            min_direct_db: 0.0,
            max_direct_db: 12.0,
        }
    }
}

/// Noise at a signal-to-noise ratio: the mean power of the whole recording against that of the
/// noise added to it. To silence nothing is added, as no ratio can be kept there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct NoiseConfig {
    /// Probability for each recording.
    pub probability: f64,
    /// The noise, if `folder` is empty. Default `white`.
    pub kind: NoiseKind,
    /// Folder of recorded noise, with its sub-folders: any part of any clip; a short clip is
    /// repeated. Empty, the default: noise of `kind`.
    pub folder: String,
    /// The lowest ratio in dB: the loudest noise. Default 5.
    pub min_snr_db: f64,
    /// The highest ratio in dB. Default 25.
    pub max_snr_db: f64,
}

impl Default for NoiseConfig {
    fn default() -> Self {
        Self {
            probability: 0.0,
            kind: NoiseKind::White,
            folder: String::new(),
            min_snr_db: 5.0,
            max_snr_db: 25.0,
        }
    }
}

/// Louder or softer. The result may exceed ±1, which nothing clips.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct GainConfig {
    /// Probability for each recording.
    pub probability: f64,
    /// The least gain in dB. Default -6.
    pub min_db: f64,
    /// The most gain in dB. Default 6.
    pub max_db: f64,
}

impl Default for GainConfig {
    fn default() -> Self {
        Self {
            probability: 0.0,
            min_db: -6.0,
            max_db: 6.0,
        }
    }
}

/// Another frequency response, as of another microphone, telephone or place in a room: a gain for
/// each octave from 125 Hz to half the sample rate, drawn by itself, and linear in between, as
/// [Nam et al. 2022](https://arxiv.org/abs/2110.03282) filter features in bands. The length, the
/// mean power and all times stay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct EqualizerConfig {
    /// Probability for each recording.
    pub probability: f64,
    /// The least gain of an octave in dB. Default -6.
    pub min_db: f64,
    /// The most gain of an octave in dB. Default 6.
    pub max_db: f64,
}

impl Default for EqualizerConfig {
    fn default() -> Self {
        Self {
            probability: 0.0,
            min_db: -6.0,
            max_db: 6.0,
        }
    }
}

/// Bands of bins and stretches of frames set to 0, the mean of normalised features,
/// [Park et al. 2019](https://arxiv.org/abs/1904.08779). Its time warp is left out: by the paper's
/// own comparison it helps least and costs most.
///
/// The names in brackets are the paper's. Its numbers are for 80 bins and whole sentences; the
/// defaults here are for 40 bins and a second or more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct SpecAugmentConfig {
    /// Probability for each recording.
    pub probability: f64,
    /// Bands masked (mF); none where frames have a single bin. Default 2.
    pub num_bands: usize,
    /// The widest band in bins (F). Default 8.
    pub max_bins: usize,
    /// Stretches masked (mT). Default 2.
    pub num_stretches: usize,
    /// The longest stretch in frames (T). Default 25.
    pub max_frames: usize,
    /// The longest stretch as a fraction of the recording's frames (p). Default 0.2.
    pub max_fraction: f64,
}

impl Default for SpecAugmentConfig {
    fn default() -> Self {
        Self {
            probability: 0.0,
            num_bands: 2,
            max_bins: 8,
            num_stretches: 2,
            max_frames: 25,
            max_fraction: 0.2,
        }
    }
}

/// Two recordings in one, whose targets are mixed as well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct MixConfig {
    /// Probability for each recording.
    pub probability: f64,
    /// The way they are mixed. Default `mixup`.
    pub kind: MixKind,
    /// `mixup` draws the ratio from Beta(alpha, alpha): near 0 hardly mixed, at 1 uniform. Default
    /// 0.2. `between-class` draws it uniformly.
    pub alpha: f64,
}

impl Default for MixConfig {
    fn default() -> Self {
        Self {
            probability: 0.0,
            kind: MixKind::Mixup,
            alpha: 0.2,
        }
    }
}

/// A run of two or more successive words, but not all, cut out where pauses tell as many words apart as the
/// transcript has: its longest pauses are clearly longer than all others. Other recordings stay whole. A network then
/// cannot learn which words begin a recording.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct WordsConfig {
    /// Probability for each recording.
    pub probability: f64,
}

impl AugmentConfig {
    /// The meaning of an augmentation, such as `noise`, or of a field of it, such as
    /// `noise.min_snr_db`: its doc comment.
    ///
    /// ```
    /// use sori_datasets::AugmentConfig;
    ///
    /// assert_eq!(AugmentConfig::meaning("noise"), Some("With noise."));
    /// assert!(AugmentConfig::meaning("noise.min_snr_db").is_some());
    /// assert_eq!(AugmentConfig::meaning("noise.loudness"), None);
    /// ```
    #[must_use]
    pub fn meaning(path: &str) -> Option<&'static str> {
        let Some((name, field)) = path.split_once('.') else {
            return Self::get_field_docs(path).ok();
        };
        let docs = match name {
            "speed" => SpeedConfig::get_field_docs(field),
            "stretch" => StretchConfig::get_field_docs(field),
            "crop" => CropConfig::get_field_docs(field),
            "pitch" => PitchConfig::get_field_docs(field),
            "shift" => ShiftConfig::get_field_docs(field),
            "reverb" => ReverbConfig::get_field_docs(field),
            "noise" => NoiseConfig::get_field_docs(field),
            "gain" => GainConfig::get_field_docs(field),
            "equalizer" => EqualizerConfig::get_field_docs(field),
            "spec_augment" => SpecAugmentConfig::get_field_docs(field),
            "mix" => MixConfig::get_field_docs(field),
            "words" => WordsConfig::get_field_docs(field),
            _ => return None,
        };
        docs.ok()
    }

    /// Exactly one augmentation, always, at its default strength.
    #[must_use]
    pub fn only(augmentation: Augmentation) -> Self {
        let mut config = Self::default();
        *config.probability_mut(augmentation) = 1.0;
        config
    }

    /// Probability of an augmentation.
    #[must_use]
    pub fn probability(&self, augmentation: Augmentation) -> f64 {
        match augmentation {
            Augmentation::Speed => self.speed.probability,
            Augmentation::Stretch => self.stretch.probability,
            Augmentation::Crop => self.crop.probability,
            Augmentation::Pitch => self.pitch.probability,
            Augmentation::Shift => self.shift.probability,
            Augmentation::Reverb => self.reverb.probability,
            Augmentation::Noise => self.noise.probability,
            Augmentation::Gain => self.gain.probability,
            Augmentation::SpecAugment => self.spec_augment.probability,
            Augmentation::Equalizer => self.equalizer.probability,
        }
    }

    fn probability_mut(&mut self, augmentation: Augmentation) -> &mut f64 {
        match augmentation {
            Augmentation::Speed => &mut self.speed.probability,
            Augmentation::Stretch => &mut self.stretch.probability,
            Augmentation::Crop => &mut self.crop.probability,
            Augmentation::Pitch => &mut self.pitch.probability,
            Augmentation::Shift => &mut self.shift.probability,
            Augmentation::Reverb => &mut self.reverb.probability,
            Augmentation::Noise => &mut self.noise.probability,
            Augmentation::Gain => &mut self.gain.probability,
            Augmentation::SpecAugment => &mut self.spec_augment.probability,
            Augmentation::Equalizer => &mut self.equalizer.probability,
        }
    }

    /// Whether waveforms may be changed, so that features made earlier are of no use. Mixing two
    /// recordings is not counted.
    #[must_use]
    pub fn acts_on_waveforms(&self) -> bool {
        let acts = |&each: &Augmentation| !each.acts_on_features() && self.probability(each) > 0.0;
        self.words.probability > 0.0 || Augmentation::VALUES.iter().any(acts)
    }

    /// Whether features may be changed.
    #[must_use]
    pub fn acts_on_features(&self) -> bool {
        Augmentation::VALUES
            .iter()
            .any(|&each| each.acts_on_features() && self.probability(each) > 0.0)
    }

    /// Whether features are made anew of sound each time, rather than mixed or masked afterwards.
    #[must_use]
    pub fn needs_waveforms(&self) -> bool {
        self.acts_on_waveforms() || (self.mixes() && self.mix.kind == MixKind::BetweenClass)
    }

    /// Whether recordings may be mixed.
    #[must_use]
    pub fn mixes(&self) -> bool {
        self.mix.probability > 0.0
    }
}
