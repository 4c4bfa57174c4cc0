//! The registry of architectures: one line for each, from which everything that lists them follows.
#![allow(
    clippy::large_enum_variant,
    reason = "a program holds a model or two, and a kilobyte is little beside their parameters"
)]

pub mod attention;
pub mod cnn1d;
pub mod cnn2d;
pub mod crepe;
pub mod crnn;
pub mod deep_speech2;
pub mod dilated_cnn;
pub mod fcn;
pub mod gan;
pub mod gru;
pub mod las;
pub mod lstm;
pub mod matchboxnet;
pub mod mlp;
pub mod musicnn;
pub mod random_wired;
pub mod recurrent_classifier;
pub mod res_cnn;
pub mod rnn;
pub mod sample_cnn;
pub mod speaker_encoder;
pub mod vad;
pub mod vae;

use burn::module::Module;
use burn::tensor::backend::Backend;
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use crate::{Architecture, Card, ConfigError, Contract, Network, Role};

/// Makes the cards, [`ModelConfig`] and [`Model`] from lines `module::{Config, Network}`.
macro_rules! zoo {
    ($($module:ident::{$config:ident, $network:ident}),+ $(,)?) => {
        $(pub use self::$module::{$config, $network};)+

        /// The configuration of any architecture. As data, a table with the architecture's `name`
        /// beside its fields; fields left out have their defaults and unknown ones are refused.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "name", rename_all = "snake_case")]
        pub enum ModelConfig {
            $(
                #[doc = concat!("See [`crate::", stringify!($module), "`].")]
                $network($module::$config),
            )+
        }

        /// A network of any architecture.
        #[derive(Module, Debug)]
        pub enum Model<B: Backend> {
            $(
                #[doc = concat!("See [`crate::", stringify!($module), "`].")]
                $network($module::$network<B>),
            )+
        }

        const CARDS: &[Card] = &[$($module::CARD),+];

        /// The default configuration of the architecture of this name.
        fn default_of(name: &str) -> Option<ModelConfig> {
            $(
                if name == $module::CARD.name {
                    return Some(ModelConfig::$network(Default::default()));
                }
            )+
            None
        }

        /// The doc comment of a field of this architecture's configuration.
        fn docs_of(config: &ModelConfig, field: &str) -> Option<&'static str> {
            fn docs<C: DocumentedFields>(_: &C, field: &str) -> Option<&'static str> {
                C::get_field_docs(field).ok()
            }
            match config {
                $(ModelConfig::$network(config) => docs(config, field),)+
            }
        }

        impl Architecture for ModelConfig {
            type Network<B: Backend> = Model<B>;

            fn without_autodiff<B: burn::tensor::backend::AutodiffBackend>(
                network: &Self::Network<B>,
            ) -> Self::Network<B::InnerBackend> {
                burn::module::AutodiffModule::valid(network)
            }

            fn card(&self) -> &'static Card {
                match self {
                    $(Self::$network(config) => config.card(),)+
                }
            }

            fn role(&self) -> Role {
                match self {
                    $(Self::$network(config) => config.role(),)+
                }
            }

            fn with_input(self, num_frames: usize, num_bins: usize, num_outputs: usize) -> Self {
                match self {
                    $(Self::$network(config) => {
                        Self::$network(config.with_input(num_frames, num_bins, num_outputs))
                    })+
                }
            }

            fn num_outputs(&self) -> usize {
                match self {
                    $(Self::$network(config) => config.num_outputs(),)+
                }
            }

            fn check(&self) -> Result<(), ConfigError> {
                match self {
                    $(Self::$network(config) => config.check(),)+
                }
            }

            fn init<B: Backend>(&self, device: &B::Device) -> Result<Model<B>, ConfigError> {
                Ok(match self {
                    $(Self::$network(config) => Model::$network(config.init(device)?),)+
                })
            }

            fn min_frames(&self) -> usize {
                match self {
                    $(Self::$network(config) => config.min_frames(),)+
                }
            }

            fn fixed_frames(&self) -> Option<usize> {
                match self {
                    $(Self::$network(config) => config.fixed_frames(),)+
                }
            }

            fn num_steps(&self, frames: usize) -> usize {
                match self {
                    $(Self::$network(config) => config.num_steps(frames),)+
                }
            }

            fn frames_per_step(&self) -> usize {
                match self {
                    $(Self::$network(config) => config.frames_per_step(),)+
                }
            }

            fn learns_by_ctc(&self) -> bool {
                match self {
                    $(Self::$network(config) => config.learns_by_ctc(),)+
                }
            }
        }

        impl<B: Backend> Network<B> for Model<B> {
            fn contract(&self) -> Contract<'_, B> {
                match self {
                    $(Self::$network(network) => network.contract(),)+
                }
            }
        }
    };
}

// In the order of the lectures; what they do not have stands behind their classifiers.
zoo! {
    mlp::{MlpConfig, Mlp},
    cnn1d::{Cnn1dConfig, Cnn1d},
    cnn2d::{Cnn2dConfig, Cnn2d},
    rnn::{RnnConfig, Rnn},
    lstm::{LstmConfig, Lstm},
    gru::{GruConfig, Gru},
    attention::{AttentionConfig, Attention},
    sample_cnn::{SampleCnnConfig, SampleCnn},
    res_cnn::{ResCnnConfig, ResCnn},
    fcn::{FcnConfig, Fcn},
    crnn::{CrnnConfig, Crnn},
    musicnn::{MusicnnConfig, Musicnn},
    matchboxnet::{MatchboxnetConfig, Matchboxnet},
    dilated_cnn::{DilatedCnnConfig, DilatedCnn},
    random_wired::{RandomWiredConfig, RandomWired},
    speaker_encoder::{SpeakerEncoderConfig, SpeakerEncoder},
    crepe::{CrepeConfig, Crepe},
    vad::{VadConfig, Vad},
    deep_speech2::{DeepSpeech2Config, DeepSpeech2},
    las::{LasConfig, Las},
    vae::{VaeConfig, Vae},
    gan::{GanConfig, Gan},
}

impl ModelConfig {
    /// The default configuration of the architecture of this name.
    ///
    /// ```
    /// use sori_models::ModelConfig;
    ///
    /// let config = ModelConfig::from_name("las")?;
    /// assert_eq!(config.name(), "las");
    /// assert!(ModelConfig::from_name("lass").is_err());
    /// # Ok::<(), sori_models::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// If there is none; the error lists the names of the zoo.
    pub fn from_name(name: &str) -> Result<Self, ConfigError> {
        default_of(name).ok_or_else(|| {
            let known: Vec<&str> = catalogue().iter().map(|card| card.name).collect();
            ConfigError::UnknownModel {
                name: name.to_owned(),
                known: known.join(", "),
            }
        })
    }

    /// The meaning of a field of the configuration, which is its doc comment.
    ///
    /// ```
    /// use sori_models::ModelConfig;
    ///
    /// let config = ModelConfig::from_name("cnn1d")?;
    /// assert_eq!(config.meaning("kernel_size"), Some("Frames a kernel spans; odd."));
    /// assert_eq!(config.meaning("kernel"), None);
    /// # Ok::<(), sori_models::ConfigError>(())
    /// ```
    pub fn meaning(&self, field: &str) -> Option<&'static str> {
        docs_of(self, field)
    }

    /// The name of the architecture, [`Card::name`].
    pub fn name(&self) -> &'static str {
        self.card().name
    }
}

/// The card of every architecture, in the order of the lectures.
///
/// ```
/// let tagger = |card: &&sori_models::Card| card.purpose == sori_models::Purpose::Tag;
/// let names: Vec<&str> = sori_models::catalogue().iter().filter(tagger).map(|it| it.name).collect();
/// assert_eq!(names, ["sample_cnn", "res_cnn", "fcn", "crnn", "musicnn", "vad"]);
/// ```
pub fn catalogue() -> &'static [Card] {
    CARDS
}
