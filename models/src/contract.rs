//! The contracts of a configuration and of its network, by which data is prepared for them and one
//! loop trains them all. Every architecture of the zoo keeps them. A module from outside that keeps
//! them is trained, resumed and used in the same way.

use std::fmt::Debug;

use burn::module::{Module, ModuleDisplay};
use burn::tensor::backend::{AutodiffBackend, Backend};
use serde::{Serialize, de::DeserializeOwned};

use crate::roles::{Adversarial, Autoencoder, Classifier, Emitter, Generator, Speller};
use crate::{Card, ConfigError};

/// A configuration of a network.
///
/// ```
/// use burn_ndarray::NdArray;
/// use sori_models::{Architecture, ConfigError, GruConfig, Role};
///
/// let config = GruConfig::default().with_input(0, 40, 10); // 40 bins, 10 classes
/// assert_eq!(config.card().title, "Gated recurrent unit");
/// assert_eq!(config.role(), Role::Classifier);
/// let network = config.init::<NdArray>(&Default::default())?;
/// # drop(network);
///
/// let wrong = GruConfig { num_layers: 0, ..config };
/// let message = wrong.check().unwrap_err().to_string();
/// assert_eq!(message, "`num_layers` is 0, but must be from 1 to 1048576");
/// # Ok::<(), ConfigError>(())
/// ```
pub trait Architecture:
    Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The network it configures.
    type Network<B: Backend>: Network<B>;

    /// Name, paper and recipes of the architecture.
    fn card(&self) -> &'static Card;

    /// The role of its networks; a classifier unless said otherwise.
    fn role(&self) -> Role {
        Role::Classifier
    }

    /// The same configuration for data of `num_bins` bins and `num_outputs` outputs: classes, tags,
    /// or symbols with the blank (or the end of a sentence). What generates ignores the outputs.
    /// `num_frames` is for architectures of fixed length; the others ignore it.
    #[must_use]
    fn with_input(self, num_frames: usize, num_bins: usize, num_outputs: usize) -> Self;

    /// Classes, tags, or symbols with the blank; 0 if it generates.
    fn num_outputs(&self) -> usize;

    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field that is wrong, its value and what would be right.
    fn check(&self) -> Result<(), ConfigError> {
        Ok(())
    }

    /// A network with random weights.
    ///
    /// # Errors
    /// As [`Self::check`].
    fn init<B: Backend>(&self, device: &B::Device) -> Result<Self::Network<B>, ConfigError>;

    /// The same network without autodiff, which is `network.valid()` of Burn's `AutodiffModule`.
    fn without_autodiff<B: AutodiffBackend>(
        network: &Self::Network<B>,
    ) -> Self::Network<B::InnerBackend>;

    /// The fewest valid frames a row may have.
    fn min_frames(&self) -> usize {
        1
    }

    /// Frames of each recording that an architecture of fixed length reads; it crops and pads by
    /// itself. None for the others.
    fn fixed_frames(&self) -> Option<usize> {
        None
    }

    /// Steps of a recogniser over `frames` valid frames; a classifier has one.
    fn num_steps(&self, frames: usize) -> usize {
        let _ = frames;
        1
    }

    /// Frames from the start of one step to the next, of a recogniser or of a classifier with steps.
    fn frames_per_step(&self) -> usize {
        1
    }

    /// Whether CTC is its loss or a part of it. If so, a transcript needs a step for each of its
    /// symbols.
    fn learns_by_ctc(&self) -> bool {
        self.role() == Role::Emitter
    }
}

/// The contract that a network keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// See [`Classifier`].
    Classifier,
    /// See [`Emitter`].
    Emitter,
    /// See [`Speller`].
    Speller,
    /// See [`Autoencoder`].
    Autoencoder,
    /// See [`Adversarial`].
    Adversarial,
}

impl Role {
    /// Whether its networks write transcripts.
    pub fn transcribes(self) -> bool {
        matches!(self, Self::Emitter | Self::Speller)
    }

    /// Whether its networks generate patches of features; see [`Generator`].
    pub fn generates(self) -> bool {
        matches!(self, Self::Autoencoder | Self::Adversarial)
    }
}

/// A module that keeps one of the contracts.
///
/// ```
/// use burn::tensor::Tensor;
/// use burn_ndarray::NdArray;
/// use sori_models::{Architecture, Contract, Model, ModelConfig, Network};
///
/// let device = Default::default();
/// let config = ModelConfig::from_name("deep_speech2")?.with_input(0, 80, 29);
/// let model: Model<NdArray> = config.init(&device)?;
/// let Contract::Emitter(recogniser) = model.contract() else {
///     panic!("another role than that of the configuration");
/// };
/// let emissions = recogniser.emit(Tensor::zeros([1, 50, 80], &device), &[50]);
/// assert_eq!(emissions.logits.dims(), [1, config.num_steps(50), 29]);
/// # Ok::<(), sori_models::ConfigError>(())
/// ```
pub trait Network<B: Backend>: Module<B> + ModuleDisplay + Debug + Sync {
    /// The contract it keeps.
    fn contract(&self) -> Contract<'_, B>;
}

/// A network by its role.
pub enum Contract<'a, B: Backend> {
    /// One vector of outputs for each recording.
    Classifier(&'a dyn Classifier<B>),
    /// Scores of the symbols and of the blank at each step.
    Emitter(&'a dyn Emitter<B>),
    /// A transcript, symbol by symbol.
    Speller(&'a dyn Speller<B>),
    /// Patches, encoded and decoded again.
    Autoencoder(&'a dyn Autoencoder<B>),
    /// Patches, generated against a discriminator.
    Adversarial(&'a dyn Adversarial<B>),
}

impl<'a, B: Backend> Contract<'a, B> {
    /// The network if it classifies.
    pub fn classifier(self) -> Option<&'a dyn Classifier<B>> {
        match self {
            Self::Classifier(network) => Some(network),
            _ => None,
        }
    }

    /// The network if it emits symbols.
    pub fn emitter(self) -> Option<&'a dyn Emitter<B>> {
        match self {
            Self::Emitter(network) => Some(network),
            _ => None,
        }
    }

    /// The network if it spells.
    pub fn speller(self) -> Option<&'a dyn Speller<B>> {
        match self {
            Self::Speller(network) => Some(network),
            _ => None,
        }
    }

    /// The network if it generates.
    pub fn generator(self) -> Option<&'a dyn Generator<B>> {
        match self {
            Self::Autoencoder(network) => Some(network),
            Self::Adversarial(network) => Some(network),
            _ => None,
        }
    }

    /// The role of the network.
    pub fn role(&self) -> Role {
        match self {
            Self::Classifier(_) => Role::Classifier,
            Self::Emitter(_) => Role::Emitter,
            Self::Speller(_) => Role::Speller,
            Self::Autoencoder(_) => Role::Autoencoder,
            Self::Adversarial(_) => Role::Adversarial,
        }
    }
}
