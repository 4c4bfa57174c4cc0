//! The contracts of a configuration and of its network, by which data is prepared for them and one
//! loop trains them all. Every architecture of the zoo keeps them. A module from outside that keeps
//! them is trained, resumed and used in the same way.

use std::fmt::Debug;

use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use serde::{Serialize, de::DeserializeOwned};

use crate::las::{Listened, Sampling, Spelled, Spelling};
use crate::layers::Linear;
use crate::loss::Bound;
use crate::{Card, ConfigError, Emissions, GanLosses};

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

/// A network for classes, tags or a quantity: one vector of outputs for each recording.
///
/// ```
/// use burn::tensor::Tensor;
/// use burn_ndarray::NdArray;
/// use sori_models::{Architecture, Classifier, Cnn1dConfig};
///
/// let device = Default::default();
/// let config = Cnn1dConfig::default().with_input(0, 40, 10);
/// let model = config.init::<NdArray>(&device)?;
/// let features = Tensor::zeros([2, 30, 40], &device);
/// let logits = model.forward(features, &[30, 21]);
/// assert_eq!(logits.dims(), [2, 10]);
/// # Ok::<(), sori_models::ConfigError>(())
/// ```
pub trait Classifier<B: Backend>: Send + Sync {
    /// The input of the last layer: features `[batch, frames, bins]` and the valid frames of each row
    /// to `[batch, d_embedding]`.
    ///
    /// # Panics
    /// If there is not one length for each row, a length is not in
    /// [`Architecture::min_frames`]`..=frames`, or the bins are not the configuration's.
    fn embed(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2>;

    /// The last layer: `[batch, d_embedding]` to logits `[batch, outputs]`.
    fn classify(&self, embedding: Tensor<B, 2>) -> Tensor<B, 2>;

    /// Size of the last layer's input.
    fn d_embedding(&self) -> usize;

    /// Features `[batch, frames, bins]` and the valid frames of each row to logits `[batch, outputs]`.
    ///
    /// # Panics
    /// As [`Self::embed`].
    fn forward(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        self.classify(self.embed(features, lengths))
    }

    /// The logits of each step of one recording that is still arriving, where the network has steps that
    /// depend on nothing behind them; [`vad`](crate::vad) has.
    fn stream(&self) -> Option<Box<dyn EmissionStream<B>>> {
        None
    }
}

/// A classifier whose last layer is a [`Linear`]; it is a [`Classifier`] without more code.
///
/// ```
/// use burn::module::Module;
/// use burn::tensor::{Tensor, backend::Backend};
/// use burn_ndarray::NdArray;
/// use sori_models::layers::{Linear, masked_mean};
/// use sori_models::{Classifier, LinearHead};
///
/// /// A linear map of the mean over time.
/// #[derive(Module, Debug)]
/// struct MeanClassifier<B: Backend> {
///     classifier: Linear<B>,
/// }
///
/// impl<B: Backend> LinearHead<B> for MeanClassifier<B> {
///     fn embed(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
///         masked_mean(features, lengths)
///     }
///
///     fn head(&self) -> &Linear<B> {
///         &self.classifier
///     }
/// }
///
/// let device = Default::default();
/// let model = MeanClassifier::<NdArray> {
///     classifier: Linear::new(40, 10, &device),
/// };
/// let logits = model.forward(Tensor::zeros([2, 30, 40], &device), &[30, 21]);
/// assert_eq!(logits.dims(), [2, 10]);
/// ```
pub trait LinearHead<B: Backend>: Send + Sync {
    /// As [`Classifier::embed`].
    fn embed(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2>;

    /// The last layer.
    fn head(&self) -> &Linear<B>;

    /// As [`Classifier::classify`]; the last layer unless said otherwise.
    fn classify(&self, embedding: Tensor<B, 2>) -> Tensor<B, 2> {
        self.head().forward(embedding)
    }

    /// As [`Classifier::d_embedding`]; of the last layer unless said otherwise.
    fn d_embedding(&self) -> usize {
        self.head().weight.dims()[0]
    }

    /// As [`Classifier::stream`].
    fn stream(&self) -> Option<Box<dyn EmissionStream<B>>> {
        None
    }
}

impl<B: Backend, N: LinearHead<B>> Classifier<B> for N {
    fn embed(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        LinearHead::embed(self, features, lengths)
    }

    fn classify(&self, embedding: Tensor<B, 2>) -> Tensor<B, 2> {
        LinearHead::classify(self, embedding)
    }

    fn d_embedding(&self) -> usize {
        LinearHead::d_embedding(self)
    }

    fn stream(&self) -> Option<Box<dyn EmissionStream<B>>> {
        LinearHead::stream(self)
    }
}

/// A recogniser trained by CTC.
pub trait Emitter<B: Backend>: Send + Sync {
    /// Scores of each symbol at each step: features `[batch, frames, bins]` and the valid frames of
    /// each row to logits `[batch, steps, symbols]`, blank first.
    ///
    /// # Panics
    /// If there is not one length for each row, a length is not in
    /// [`Architecture::min_frames`]`..=frames`, or the bins are not the configuration's.
    fn emit(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Emissions<B>;

    /// The same network over one recording that is still arriving.
    ///
    /// # Errors
    /// If it needs whole recordings; the error names the field that makes it so.
    fn stream(&self) -> Result<Box<dyn EmissionStream<B>>, ConfigError>;
}

/// An [`Emitter`], or a [`Classifier`] with steps, over one recording that arrives in pieces.
pub trait EmissionStream<B: Backend>: Send {
    /// Takes the next frames `[1, frames, bins]` and returns the logits `[1, steps, outputs]` of the
    /// steps that they complete, if they complete any.
    ///
    /// # Panics
    /// If there is another number of rows than one, no frame, or the bins are not the
    /// configuration's.
    fn push(&mut self, features: Tensor<B, 3>) -> Option<Tensor<B, 3>>;

    /// Ends the recording and returns the logits of its last steps, if any are left.
    fn finish(self: Box<Self>) -> Option<Tensor<B, 3>>;

    /// Frames past the first frame of a step that must arrive before it is complete.
    fn look_ahead_frames(&self) -> usize;
}

/// A recogniser that listens to a whole recording and then writes symbol by symbol, with the attention
/// and the speller of [`las`](crate::las) above a listener of its own.
pub trait Speller<B: Backend>: Send + Sync {
    /// Features `[batch, frames, bins]` and the valid frames of each row to the listener's states.
    ///
    /// # Panics
    /// As [`Emitter::emit`].
    fn listen(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Listened<B>;

    /// The scores of the CTC head, where there is one: `[batch, steps, symbols]`, blank first.
    fn ctc_logits(&self, listened: &Listened<B>) -> Option<Tensor<B, 3>>;

    /// Scores of each symbol of `transcripts`, given the symbols before it (teacher forcing). At the
    /// rate of `sampling`, some of those are its own guesses.
    ///
    /// # Panics
    /// As [`Self::listen`]; and if there is not one transcript for each row, or one has a symbol that
    /// is not in `1..num_symbols`.
    fn spell(
        &self,
        features: Tensor<B, 3>,
        lengths: &[usize],
        transcripts: &[Vec<usize>],
        sampling: Sampling,
    ) -> Spelled<B>;

    /// The speller over the listener's states, to be advanced one symbol at a time.
    fn spelling(&self, listened: &Listened<B>) -> Spelling<B>;

    /// Share of each target's probability that the loss spreads over all symbols.
    fn label_smoothing(&self) -> f64;

    /// Share of CTC in the loss.
    fn ctc_weight(&self) -> f64;
}

/// A network that generates patches of features from random vectors.
pub trait Generator<B: Backend>: Send + Sync {
    /// Size of the vector a patch is generated from.
    fn d_latent(&self) -> usize;

    /// Patches `[rows, frames, bins]` from latent vectors `[rows, d_latent]`, standard normal ones.
    ///
    /// # Panics
    /// If the vectors are not of that size.
    fn generate(&self, latents: Tensor<B, 2>) -> Tensor<B, 3>;
}

/// A generator trained by the evidence lower bound, see [`vae`](crate::vae).
pub trait Autoencoder<B: Backend>: Generator<B> {
    /// The evidence lower bound of each row over its valid frames, from one sample of its posterior:
    /// features `[batch, frames, bins]` and standard normal `noise` `[batch, d_latent]`.
    ///
    /// # Panics
    /// If there is not one length for each row, a length is not in `1..=frames` or above the
    /// configuration's frames, the bins are not the configuration's, or the noise has another shape.
    fn bound(&self, features: Tensor<B, 3>, lengths: &[usize], noise: Tensor<B, 2>) -> Bound<B>;

    /// A tighter bound of each row's log-likelihood, from one sample for each of `noises`: `[batch]`,
    /// in nats.
    ///
    /// # Panics
    /// As [`Self::bound`], and if there is no noise.
    fn log_likelihood_bound(
        &self,
        features: Tensor<B, 3>,
        lengths: &[usize],
        noises: &[Tensor<B, 2>],
    ) -> Tensor<B, 1>;

    /// The patches decoded from the means of the posteriors, `[batch, frames, bins]`.
    fn reconstruct(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 3>;

    /// Weight of the divergence in the loss after `epoch` epochs of training, which need not be whole.
    fn kl_weight_at(&self, epoch: f64) -> f64;
}

/// A generator trained against a discriminator, see [`gan`](crate::gan).
pub trait Adversarial<B: Backend>: Generator<B> {
    /// The losses of both networks on real patches `[batch, frames, bins]` and as many generated from
    /// standard normal `noise` `[batch, d_latent]`.
    ///
    /// # Panics
    /// As [`Autoencoder::bound`].
    fn losses(
        &self,
        features: Tensor<B, 3>,
        lengths: &[usize],
        noise: Tensor<B, 2>,
    ) -> GanLosses<B>;

    /// Logits `[batch]` of the patches, above zero where a patch looks real.
    fn discriminate(&self, patches: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 1>;
}
