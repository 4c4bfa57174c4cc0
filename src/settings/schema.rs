//! All settings of a run, as in its `config.toml`.

use documented::DocumentedFields;
use serde::{Deserialize, Serialize};
use sori_datasets::{AlphabetKind, AugmentConfig, FeatureConfig, Normalization};
use sori_models::ModelConfig;
use sori_models::las::DecodeOptions;

use super::training::TrainSettings;
use crate::decode::Decoding;

/// All settings of a run, as in its `config.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(deny_unknown_fields)]
pub struct Settings<A = ModelConfig> {
    /// The recordings.
    pub data: DataSettings,
    /// The model's input.
    pub features: FeatureConfig,
    /// The augmentation of training recordings. Off by default.
    pub augment: AugmentConfig,
    /// The model.
    pub model: A,
    /// The training.
    pub train: TrainSettings,
    /// Symbols of transcripts, for models that write them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextSettings>,
}

/// The conversion of transcripts to symbols.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct TextSettings {
    /// File of the symbols, one per line. Empty: the symbols of the training transcripts.
    pub alphabet: String,
    /// The kind of symbol.
    pub kind: AlphabetKind,
    /// Replace symbols that are not in the alphabet by a symbol of their own, `⁇`, instead of refusing
    /// them.
    pub unk: bool,
    /// A speller ends its transcript where the end is the most probable symbol, and also where the
    /// end's probability exceeds this.
    pub end_threshold: f64,
    /// The most symbols that a speller writes for each step of the listener.
    pub max_symbols_per_step: f64,
    /// The normalisation of transcripts before they are learned and compared.
    pub normalization: Normalization,
}

impl<A> Settings<A> {
    /// The options of decoding without a search.
    pub fn decoding(&self) -> Decoding {
        self.text.clone().unwrap_or_default().decoding()
    }
}

impl TextSettings {
    /// The options of decoding without a search.
    pub fn decoding(&self) -> Decoding {
        Decoding {
            end: DecodeOptions {
                end_threshold: self.end_threshold,
                max_symbols_per_step: self.max_symbols_per_step,
            },
            beam: None,
        }
    }
}

impl Default for TextSettings {
    fn default() -> Self {
        Self {
            alphabet: String::new(),
            kind: AlphabetKind::Characters,
            unk: false,
            end_threshold: DecodeOptions::default().end_threshold,
            max_symbols_per_step: DecodeOptions::default().max_symbols_per_step,
            normalization: Normalization::default(),
        }
    }
}

/// The recordings to train, validate and test on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct DataSettings {
    /// The corpus to train on, as a SPEC such as `fsdd:DIR`.
    pub train: String,
    /// The corpus to choose the best checkpoint on. Empty: the training corpus's own validation
    /// part, or `valid_fraction` of its training part.
    pub valid: String,
    /// The corpus to test on. Empty: the training corpus's own test part.
    pub test: String,
    /// The share of the training part set aside for validation if the corpus has no validation part.
    pub valid_fraction: f64,
    /// Leave out recordings that cannot be used, and list them in the run folder.
    pub skip_bad: bool,
    /// Folder for computed features. Empty: they are computed each time.
    pub cache: String,
    /// The most memory, in MiB, for recordings during training: features, or sound where it is augmented,
    /// so that each is made once and not in each epoch. 0: none.
    pub memory_mib: usize,
    /// A run whose best weights this one starts from, where names and shapes match. Empty: none.
    pub from: String,
}

impl Default for DataSettings {
    fn default() -> Self {
        Self {
            train: "synth:dtmf".to_string(),
            valid: String::new(),
            test: String::new(),
            valid_fraction: 0.1,
            skip_bad: false,
            cache: String::new(),
            memory_mib: 512,
            from: String::new(),
        }
    }
}
