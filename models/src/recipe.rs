//! Recipes: the settings that an architecture is trained with, which follow from facts about the data.

use crate::purpose::Purpose;

/// The facts about a corpus that a recipe follows from. The name of a corpus is none of them, except that
/// of a synthesised one, which has settings of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The task that the recordings are for; none where they have numbers for answers.
    pub task: Option<Purpose>,
    /// What is synthesised, such as `dtmf`, if the corpus is not made of recordings.
    pub synthesised: Option<String>,
    /// Sample rate of the recordings.
    pub sample_rate_hz: u32,
    /// Median length of the recordings in seconds.
    pub length_s: f64,
    /// Recordings to learn from.
    pub num_recordings: usize,
}

impl Facts {
    /// Whether the recordings are long, as those of sounds that change slowly are.
    pub(crate) fn is_long(&self) -> bool {
        self.length_s >= LONG_S
    }

    /// The sample rate that a classifier reads.
    fn rate(&self) -> u32 {
        self.sample_rate_hz.min(MAX_RATE_HZ)
    }

    /// The mel bands that a classifier reads.
    pub(crate) fn num_mels(&self) -> usize {
        match self.rate() {
            ..=8_000 => 26,
            8_001..=16_000 => 40,
            _ => 64,
        }
    }
}

/// Settings as TOML text in the form of a run's `config.toml`, by the facts about the data; what it
/// leaves out keeps the general default.
pub type Recipe = fn(&Facts) -> String;

/// No settings beside those of the paper.
#[must_use]
pub fn plain(_: &Facts) -> String {
    String::new()
}

/// The highest sample rate that a classifier's recipe reads: little that tells sounds apart lies above
/// half of it.
const MAX_RATE_HZ: u32 = 22_050;
/// Recordings of at least this length are read in long frames.
const LONG_S: f64 = 2.5;
/// So few transcripts that a recogniser must be small.
pub const FEW: usize = 100;
/// The most values of features to learn from, unless the fewest epochs have more. On ESC-10 `cnn2d` learned
/// from 6e8 in 14 minutes on one core.
const WORK: f64 = 7e8;
/// Strong poolings leave nothing of recordings that are shorter than this.
const SHORT_S: f64 = 10.0;
/// The share of the epochs after which the validation part is learned from too.
const JOIN: f64 = 0.4;

/// The settings of a classifier or tagger for recordings: log-mel features that suit rate and length,
/// and augmentation, so that recordings are never twice the same. Empty for synthesised ones, which
/// are varied already.
///
/// ```
/// use sori_models::recipe::{Facts, classifier};
/// use sori_models::Purpose;
///
/// let facts = Facts {
///     task: Some(Purpose::Classify),
///     synthesised: None,
///     sample_rate_hz: 16_000,
///     length_s: 1.0,
///     num_recordings: 2_500,
/// };
/// assert!(classifier(&facts).contains("train.epochs = 48\n"));
/// ```
#[must_use]
pub fn classifier(facts: &Facts) -> String {
    if facts.synthesised.is_some() {
        return String::new();
    }
    let (features, values) = log_mel(facts);
    features + &course(facts, values) + &variety(facts)
}

/// The settings of a classifier or tagger whose every value of the input has weights of its own, to which a
/// sound that is moved or stretched is another sound: as [`classifier`], with noise alone.
#[must_use]
pub fn classifier_of_positions(facts: &Facts) -> String {
    if facts.synthesised.is_some() {
        return String::new();
    }
    let (features, values) = log_mel(facts);
    features + &course(facts, values) + NOISE
}

/// Log-mel features that suit rate and length, and their values in a second of sound.
fn log_mel(facts: &Facts) -> (String, f64) {
    let (rate, num_mels) = (facts.rate(), facts.num_mels());
    let (window_ms, hop_ms) = match facts.is_long() {
        true => (40.0, 20.0),
        false => (25.0, 10.0),
    };
    let values = num_mels as f64 * 1000.0 / hop_ms;
    let features = format!(
        "features.sample_rate_hz = {rate}
features.num_mels = {num_mels}
features.window_ms = {window_ms:?}
features.hop_ms = {hop_ms:?}
"
    );
    (features, values)
}

/// The settings of a classifier or tagger that pools strongly, as papers do for half a minute of music: 96
/// mel bands, and for short recordings 40 and the settings `small` of a network that needs fewer frames.
/// Otherwise as [`classifier`].
#[must_use]
pub(crate) fn classifier_of_music(facts: &Facts, small: &str) -> String {
    let (num_mels, network) = match facts.length_s >= SHORT_S {
        true => (96, ""),
        false => (40, small),
    };
    let bands = format!("features.num_mels = {num_mels}\n{network}");
    match facts.synthesised {
        Some(_) => bands,
        None => bands + &course(facts, f64::from(num_mels) * 100.0) + &variety(facts),
    }
}

/// The settings of a classifier or tagger that reads the waveform, otherwise as [`classifier`].
#[must_use]
pub fn classifier_of_waveforms(facts: &Facts) -> String {
    if facts.synthesised.is_some() {
        return String::new();
    }
    let rate = facts.rate();
    let features = format!("features.sample_rate_hz = {rate}\n");
    features + &course(facts, f64::from(rate)) + &variety(facts)
}

/// Poolings by three that leave a value of recordings of this length, of four to nine.
#[must_use]
pub(crate) fn poolings_by_three(facts: &Facts) -> usize {
    let samples = facts.length_s * f64::from(facts.rate());
    (samples.max(1.0).log(3.0) - 1.0).clamp(4.0, 9.0) as usize
}

/// The course and the augmentation of a recogniser: few recordings need many epochs, in small batches.
#[must_use]
pub fn recogniser(facts: &Facts) -> String {
    recogniser_within(facts, 250.0)
}

/// The same of at most so many epochs.
pub(crate) fn recogniser_within(facts: &Facts, most_epochs: f64) -> String {
    let count = facts.num_recordings.max(1) as f64;
    let epochs = (1200.0 / count.sqrt()).round().clamp(12.0, most_epochs);
    let batch_size = match facts.num_recordings {
        ..FEW => 4.0,
        FEW..1_000 => 8.0,
        _ => 16.0,
    };
    let length = length(facts, epochs, batch_size);
    // What is masked has to be guessed from the words around it, and few transcripts are memorised, their opening
    // words first.
    let stretches = match facts.num_recordings {
        ..FEW => "augment.spec_augment.num_stretches = 0\naugment.words.probability = 0.5\n",
        _ => "",
    };
    format!(
        "{length}{stretches}train.sort_first_epoch = true
augment.speed.probability = 1.0
augment.speed.min_factor = 0.85
augment.speed.max_factor = 1.18
augment.pitch.probability = 0.3
augment.pitch.min_semitones = -3.0
augment.pitch.max_semitones = 3.0
augment.gain.probability = 1.0
augment.gain.min_db = -15.0
augment.gain.max_db = 10.0
augment.noise.probability = 0.5
augment.equalizer.probability = 0.5
augment.equalizer.min_db = -10.0
augment.equalizer.max_db = 10.0
augment.spec_augment.probability = 0.5
"
    )
}

/// Epochs, batches and averages. Epochs fall with the square root of the number of recordings: a small
/// corpus needs more of them, and a large one more steps. `values` in a second of sound say how much work
/// an epoch is.
fn course(facts: &Facts, values: f64) -> String {
    let count = facts.num_recordings.max(1) as f64;
    let affordable = WORK / (count * facts.length_s.max(0.1) * values);
    let epochs = (2400.0 / count.sqrt()).min(affordable);
    let epochs = epochs.round().clamp(15.0, 150.0);
    let batch_size = if count < 1000.0 { 16.0 } else { 32.0 };
    let length = length(facts, epochs, batch_size);
    let smoothing = match facts.task {
        None => "",
        Some(_) => "train.label_smoothing = 0.1\n",
    };
    format!(
        "{length}train.learning_rate = 0.002
{smoothing}"
    )
}

/// Epochs and batches, with an average of the parameters over the last tenth of the steps. The last epoch is
/// kept, and the validation part joins in.
fn length(facts: &Facts, epochs: f64, batch_size: f64) -> String {
    let steps = epochs * (facts.num_recordings.max(1) as f64 / batch_size).ceil();
    let decay = (1.0 - 10.0 / steps).clamp(0.9, 0.999);
    let decay = (decay * 1e4).round() / 1e4;
    format!(
        "train.epochs = {epochs}
train.batch_size = {batch_size}
train.ema_decay = {decay}
train.best_by = \"last\"
train.join_valid = {JOIN}
"
    )
}

/// The augmentation that leaves everything but the noise as it is.
const NOISE: &str = "augment.noise.probability = 0.5\n";

/// Augmentation. A quantity is to stay what it is, so only noise is added where numbers are learned. Long
/// recordings are told apart by their spectrum, which speed and equalizer change.
fn variety(facts: &Facts) -> String {
    if facts.task.is_none() {
        return NOISE.to_string();
    }
    let of_length = match facts.is_long() {
        true => {
            "augment.shift.probability = 1.0
augment.shift.max_fraction = 0.5
augment.speed.probability = 0.5
augment.mix.probability = 0.7
"
        }
        false => {
            "augment.speed.probability = 1.0
augment.equalizer.probability = 0.8
augment.equalizer.min_db = -10.0
augment.equalizer.max_db = 10.0
augment.mix.probability = 0.5
"
        }
    };
    format!(
        "{NOISE}{of_length}augment.gain.probability = 1.0
augment.gain.min_db = -15.0
augment.gain.max_db = 10.0
augment.speed.min_factor = 0.85
augment.speed.max_factor = 1.15
augment.spec_augment.probability = 0.8
augment.spec_augment.max_bins = 4
augment.spec_augment.max_frames = 8
augment.mix.kind = \"between-class\"
"
    )
}
