//! The configuration of features.

use std::fmt;

use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use crate::named::named;
use crate::{Error, Result};

named! {
    /// The contents of a frame. `X` is the short-time Fourier transform of samples in [-1, 1], taken as
    /// they are: nothing is divided by the window's sum or the transform's size.
    FeatureKind, "kind" {
        /// The samples themselves: one bin, one frame per sample.
        Waveform = "waveform",
        /// Magnitude `|X|`.
        Spectrogram = "spectrogram",
        /// Power `|X|²`.
        PowerSpectrogram = "power-spectrogram",
        /// `ln(1 + |X|)`. Like the published Deep Speech 2 code, of the magnitude of samples in
        /// [-1, 1] without a further scale, so quiet sound stays in the linear part.
        Log1pSpectrogram = "log1p-spectrogram",
        /// Mel filters over the power.
        Mel = "mel",
        /// `ln(max(mel, log_floor))`.
        LogMel = "log-mel",
        /// `log10(1 + 10000 mel)`: loud sound by its logarithm, quiet sound as it is. The input of
        /// musicnn's published weights.
        Log1pMel = "log1p-mel",
        /// `10 log10(max(mel, log_floor))`, nothing more than `top_db` below the loudest.
        MelDb = "mel-db",
        /// Mel-frequency cepstra: orthonormal DCT-II of `MelDb`, the first `num_mfccs`.
        Mfcc = "mfcc",
    }
}

named! {
    /// The window laid over each frame, periodic: `a - (1 - a) cos(2πn/N)`.
    WindowKind, "window" {
        /// `a = 0.5`.
        Hann = "hann",
        /// `a = 0.54`.
        Hamming = "hamming",
    }
}

named! {
    /// The padding of a recording, for frames centred near its ends.
    PadMode, "pad_mode" {
        /// Silence.
        Constant = "constant",
        /// The sound mirrored, the end sample not repeated.
        Reflect = "reflect",
    }
}

named! {
    /// The mel scale.
    MelScale, "mel_scale" {
        /// Linear up to 1 kHz, logarithmic above (Slaney's Auditory Toolbox, 1998).
        Slaney = "slaney",
        /// `2595 log10(1 + f/700)`.
        Htk = "htk",
    }
}

named! {
    /// The height of the triangle of a mel filter.
    MelNorm, "mel_norm" {
        /// Peak 1.
        None = "none",
        /// Area 1, in Hz.
        Slaney = "slaney",
    }
}

named! {
    /// Whether features are brought to mean 0 and variance 1, bin by bin.
    Normalize, "normalize" {
        /// Not normalised.
        None = "none",
        /// By the mean and deviation of the recording itself.
        Utterance = "utterance",
        /// By the mean and deviation of the training part.
        Corpus = "corpus",
    }
}

/// Configuration of the features of a recording.
///
/// In a file a field may be missing, which gives its default; an unknown one is an error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct FeatureConfig {
    /// The contents of a frame. Default `log-mel`.
    pub kind: FeatureKind,
    /// Sample rate that recordings are resampled to. Default 16000; a run begins with its corpus's.
    pub sample_rate_hz: u32,
    /// Length of the window in milliseconds. Default 25.
    pub window_ms: f64,
    /// Distance of two frames in milliseconds. Default 10.
    pub hop_ms: f64,
    /// Length of the Fourier transform in samples: any that holds the window, transformed as it
    /// is. 0, the default, is the smallest power of two that does. The window stands in its
    /// middle, and as in librosa it is this length that a frame takes of the recording.
    pub fft_size: usize,
    /// The window. Default `hann`.
    pub window: WindowKind,
    /// Whether frame `t` is centred at sample `t * hop` (the recording is padded), rather than
    /// beginning there (it is not). Default true.
    pub centered: bool,
    /// The padding that centred frames see beyond the ends. Default `constant`.
    pub pad_mode: PadMode,
    /// Number of mel filters. Default 40. As in librosa, with many filters and a short transform
    /// the lowest may fall between two frequencies and stay constant; see
    /// [`num_empty_mels`](Self::num_empty_mels).
    pub num_mels: usize,
    /// The mel scale. Default `slaney`.
    pub mel_scale: MelScale,
    /// Height of the filters. Default `slaney`.
    pub mel_norm: MelNorm,
    /// Lower edge of the first mel filter in Hz. Default 0.
    pub min_hz: f64,
    /// Upper edge of the last mel filter in Hz; 0, the default, is half the sample rate.
    pub max_hz: f64,
    /// Power below which logarithms do not look. Default 1e-10, librosa's `amin`: 100 times below
    /// the rounding noise of 16-bit sound in a 25 ms window at 16 kHz.
    pub log_floor: f64,
    /// Range of `mel-db` and `mfcc`: what is further below the loudest value of the recording is
    /// raised to it. 0 is no limit. Default 80.
    pub top_db: f64,
    /// Number of cepstra of `mfcc`. Default 13.
    pub num_mfccs: usize,
    /// Derivatives in time appended to each frame: 0, the default, none; 1 the first; 2 the first
    /// and the second. Savitzky-Golay over nine frames, as `librosa.feature.delta`.
    pub deltas: usize,
    /// Mean and variance normalisation, after everything else. Default `none`; a run begins with `corpus`.
    pub normalize: Normalize,
}

impl Default for FeatureConfig {
    fn default() -> Self {
        Self {
            kind: FeatureKind::LogMel,
            sample_rate_hz: 16_000,
            window_ms: 25.0,
            hop_ms: 10.0,
            fft_size: 0,
            window: WindowKind::Hann,
            centered: true,
            pad_mode: PadMode::Constant,
            num_mels: 40,
            mel_scale: MelScale::Slaney,
            mel_norm: MelNorm::Slaney,
            min_hz: 0.0,
            max_hz: 0.0,
            log_floor: 1e-10,
            top_db: 80.0,
            num_mfccs: 13,
            deltas: 0,
            normalize: Normalize::None,
        }
    }
}

/// The longest window, hop and transform, in samples: over 20 s at 48 kHz.
const MAX_WINDOW: usize = 1 << 20;
/// More filters than any published front end by an order of magnitude.
const MAX_MELS: usize = 4096;
/// Frames under the derivative filter.
pub(super) const DELTA_WIDTH: usize = 9;

impl FeatureConfig {
    /// Checks that features can be made by this configuration.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with the first field that is wrong, its value and what is right.
    pub fn check(&self) -> Result<()> {
        let refuse = |field: &'static str, value: &dyn fmt::Display, expected: String| {
            Err(Error::Config {
                field,
                value: value.to_string(),
                expected,
            })
        };
        if !(1..=1_000_000).contains(&self.sample_rate_hz) {
            let expected = "between 1 and 1000000 Hz".into();
            return refuse("sample_rate_hz", &self.sample_rate_hz, expected);
        }
        let longest_ms = MAX_WINDOW as f64 * 1000.0 / f64::from(self.sample_rate_hz);
        for (field, value, least) in [("window_ms", self.window_ms, 2), ("hop_ms", self.hop_ms, 1)]
        {
            let samples = value * f64::from(self.sample_rate_hz) / 1000.0;
            // Written so that NaN is refused.
            if !(samples.round() >= least as f64 && value <= longest_ms) {
                let expected = format!(
                    "at least {least} samples and at most {longest_ms} ms at {} Hz",
                    self.sample_rate_hz
                );
                return refuse(field, &value, expected);
            }
        }
        let window = self.window_samples();
        if self.fft_size != 0 && !(window..=MAX_WINDOW).contains(&self.fft_size) {
            let expected = format!(
                "0 (the next power of two) or between the window's {window} samples and {MAX_WINDOW}"
            );
            return refuse("fft_size", &self.fft_size, expected);
        }
        if !(1..=MAX_MELS).contains(&self.num_mels) {
            return refuse(
                "num_mels",
                &self.num_mels,
                format!("between 1 and {MAX_MELS}"),
            );
        }
        let nyquist = f64::from(self.sample_rate_hz) / 2.0;
        if !(0.0..=nyquist).contains(&self.max_hz) {
            let expected = format!("0 (half the sample rate) or up to {nyquist} Hz, which is that");
            return refuse("max_hz", &self.max_hz, expected);
        }
        let max_hz = self.max_mel_hz();
        if !(0.0..max_hz).contains(&self.min_hz) {
            let expected = format!("at least 0 and below max_hz, {max_hz} Hz");
            return refuse("min_hz", &self.min_hz, expected);
        }
        // The floor must survive as a 32-bit number.
        if !(self.log_floor >= 1e-30 && self.log_floor.is_finite()) {
            let expected = "a power of at least 1e-30, such as 1e-10".into();
            return refuse("log_floor", &self.log_floor, expected);
        }
        if !(self.top_db >= 0.0 && self.top_db.is_finite()) {
            let expected = "0 (no limit) or a range in dB, such as 80".into();
            return refuse("top_db", &self.top_db, expected);
        }
        if !(1..=self.num_mels).contains(&self.num_mfccs) && self.kind == FeatureKind::Mfcc {
            let expected = format!("between 1 and num_mels, {}", self.num_mels);
            return refuse("num_mfccs", &self.num_mfccs, expected);
        }
        if self.deltas > 2 {
            return refuse("deltas", &self.deltas, "0, 1 or 2".into());
        }
        if self.deltas > 0 && self.kind == FeatureKind::Waveform {
            return refuse("deltas", &self.deltas, "0 where kind = waveform".into());
        }
        Ok(())
    }

    /// The window's length in samples.
    #[must_use]
    pub fn window_samples(&self) -> usize {
        (self.window_ms * f64::from(self.sample_rate_hz) / 1000.0).round() as usize
    }

    /// The distance of two frames in samples.
    #[must_use]
    pub fn hop_samples(&self) -> usize {
        (self.hop_ms * f64::from(self.sample_rate_hz) / 1000.0).round() as usize
    }

    /// The length of the Fourier transform in samples.
    #[must_use]
    pub fn fft_samples(&self) -> usize {
        match self.fft_size {
            0 => self.window_samples().next_power_of_two(),
            size => size,
        }
    }

    /// Upper edge of the last mel filter in Hz.
    #[must_use]
    pub fn max_mel_hz(&self) -> f64 {
        if self.max_hz == 0.0 {
            f64::from(self.sample_rate_hz) / 2.0
        } else {
            self.max_hz
        }
    }

    /// Numbers per frame.
    #[must_use]
    pub fn num_bins(&self) -> usize {
        self.num_static_bins() * (1 + self.deltas)
    }

    /// Numbers per frame before derivatives are appended.
    pub(super) fn num_static_bins(&self) -> usize {
        match self.kind {
            FeatureKind::Waveform => 1,
            FeatureKind::Spectrogram
            | FeatureKind::PowerSpectrogram
            | FeatureKind::Log1pSpectrogram => self.fft_samples() / 2 + 1,
            FeatureKind::Mel | FeatureKind::LogMel | FeatureKind::Log1pMel | FeatureKind::MelDb => {
                self.num_mels
            }
            FeatureKind::Mfcc => self.num_mfccs,
        }
    }

    /// Frames of a recording of so many samples; 0 if it is shorter than
    /// [`min_samples`](Self::min_samples).
    #[must_use]
    pub fn num_frames(&self, samples: usize) -> usize {
        if samples < self.min_samples() {
            return 0;
        }
        if self.kind == FeatureKind::Waveform {
            return samples;
        }
        let padding = if self.centered {
            2 * (self.fft_samples() / 2)
        } else {
            0
        };
        1 + (samples + padding - self.fft_samples()) / self.hop_samples().max(1)
    }

    /// The fewest samples of which features can be made: one frame; nine frames where derivatives
    /// are taken; more than half a transform where the ends are mirrored.
    #[must_use]
    pub fn min_samples(&self) -> usize {
        if self.kind == FeatureKind::Waveform {
            return 1;
        }
        let fft = self.fft_samples();
        let frames = if self.deltas > 0 { DELTA_WIDTH } else { 1 };
        let padding = if self.centered { 2 * (fft / 2) } else { 0 };
        let for_frames = ((frames - 1) * self.hop_samples() + fft).saturating_sub(padding);
        let for_mirror = if self.centered && self.pad_mode == PadMode::Reflect {
            fft / 2 + 1
        } else {
            1
        };
        for_frames.max(for_mirror).max(1)
    }

    /// Distance of two frames in seconds, as the whole number of samples it is.
    #[must_use]
    pub fn frame_period_s(&self) -> f64 {
        let samples = if self.kind == FeatureKind::Waveform {
            1
        } else {
            self.hop_samples()
        };
        samples as f64 / f64::from(self.sample_rate_hz.max(1))
    }
}
