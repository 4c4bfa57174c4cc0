//! What a network of each [`Role`](crate::Role) does: the traits behind a [`Contract`](crate::Contract).

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::las::{Listened, Sampling, Spelled, Spelling};
use crate::layers::Linear;
use crate::loss::Bound;
use crate::onnx::{NotInOnnx, OnnxGraph, OnnxValue, Padded};
use crate::{ConfigError, Emissions, GanLosses};

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
    /// [`Architecture::min_frames`](crate::Architecture::min_frames)`..=frames`, or the bins are not the
    /// configuration's.
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

    /// [`Self::forward`] in ONNX: features `[batch, frames, bins]` to logits `[batch, outputs]`.
    ///
    /// # Errors
    /// If the network does not describe itself.
    fn onnx(&self, graph: &mut OnnxGraph, features: Padded) -> Result<OnnxValue, NotInOnnx> {
        let _ = (graph, features);
        Err(NotInOnnx {
            method: "Classifier::onnx",
        })
    }

    /// The logits of each step of [`Self::stream`] in ONNX, `[batch, steps, outputs]`; none where there are no
    /// steps.
    fn onnx_steps(&self, graph: &mut OnnxGraph, features: Padded) -> Option<Padded> {
        let _ = (graph, features);
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

    /// [`Self::embed`] in ONNX: features `[batch, frames, bins]` to `[batch, d_embedding]`.
    ///
    /// # Errors
    /// If the network does not describe itself.
    fn onnx_embed(&self, graph: &mut OnnxGraph, features: Padded) -> Result<OnnxValue, NotInOnnx> {
        let _ = (graph, features);
        Err(NotInOnnx {
            method: "LinearHead::onnx_embed",
        })
    }

    /// [`Self::classify`] in ONNX.
    fn onnx_classify(&self, graph: &mut OnnxGraph, embedding: OnnxValue) -> OnnxValue {
        self.head().onnx(graph, embedding)
    }

    /// See [`Classifier::onnx_steps`].
    fn onnx_steps(&self, graph: &mut OnnxGraph, features: Padded) -> Option<Padded> {
        let _ = (graph, features);
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

    fn onnx(&self, graph: &mut OnnxGraph, features: Padded) -> Result<OnnxValue, NotInOnnx> {
        let embedding = self.onnx_embed(graph, features)?;
        Ok(self.onnx_classify(graph, embedding))
    }

    fn onnx_steps(&self, graph: &mut OnnxGraph, features: Padded) -> Option<Padded> {
        LinearHead::onnx_steps(self, graph, features)
    }
}

/// A recogniser trained by CTC.
pub trait Emitter<B: Backend>: Send + Sync {
    /// Scores of each symbol at each step: features `[batch, frames, bins]` and the valid frames of
    /// each row to logits `[batch, steps, symbols]`, blank first.
    ///
    /// # Panics
    /// If there is not one length for each row, a length is not in
    /// [`Architecture::min_frames`](crate::Architecture::min_frames)`..=frames`, or the bins are not the
    /// configuration's.
    fn emit(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Emissions<B>;

    /// The same network over one recording that is still arriving.
    ///
    /// # Errors
    /// If it needs whole recordings; the error names the field that makes it so.
    fn stream(&self) -> Result<Box<dyn EmissionStream<B>>, ConfigError>;

    /// [`Self::emit`] in ONNX: features `[batch, frames, bins]` to logits `[batch, steps, symbols]`.
    ///
    /// # Errors
    /// If the network does not describe itself.
    fn onnx(&self, graph: &mut OnnxGraph, features: Padded) -> Result<Padded, NotInOnnx> {
        let _ = (graph, features);
        Err(NotInOnnx {
            method: "Emitter::onnx",
        })
    }
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

    /// [`Self::listen`] in ONNX, from features `[batch, frames, bins]`. Its outputs are inputs of
    /// [`Self::onnx_step`]; the scores of the CTC head are another, where there is one.
    ///
    /// # Errors
    /// If the network does not describe itself.
    fn onnx_listen(&self, graph: &mut OnnxGraph, features: Padded) -> Result<(), NotInOnnx> {
        let _ = (graph, features);
        Err(NotInOnnx {
            method: "Speller::onnx_listen",
        })
    }

    /// One step of [`Self::spelling`] in ONNX, with its inputs and outputs: what was listened to, the symbol
    /// that each row reads, and the state before to the scores of the next symbol and the state after.
    ///
    /// # Errors
    /// If the network does not describe itself.
    fn onnx_step(&self, graph: &mut OnnxGraph) -> Result<(), NotInOnnx> {
        let _ = graph;
        Err(NotInOnnx {
            method: "Speller::onnx_step",
        })
    }
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

    /// [`Self::generate`] in ONNX: `[rows, d_latent]` to patches `[rows, frames, bins]`.
    ///
    /// # Errors
    /// If the network does not describe itself.
    fn onnx_generate(
        &self,
        graph: &mut OnnxGraph,
        latents: OnnxValue,
    ) -> Result<OnnxValue, NotInOnnx> {
        let _ = (graph, latents);
        Err(NotInOnnx {
            method: "Generator::onnx_generate",
        })
    }
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

    /// The encoder in ONNX: features `[batch, frames, bins]` to the mean of each row's posterior and the
    /// logarithm of its variance, `[batch, d_latent]`.
    ///
    /// # Errors
    /// If the network does not describe itself.
    fn onnx_encode(
        &self,
        graph: &mut OnnxGraph,
        features: Padded,
    ) -> Result<[OnnxValue; 2], NotInOnnx> {
        let _ = (graph, features);
        Err(NotInOnnx {
            method: "Autoencoder::onnx_encode",
        })
    }
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
