//! Audio and speech models as [Burn](https://burn.dev) modules: tensors in, tensors out, on any
//! backend.
//!
//! # The way through
//! [`ModelConfig`] is the configuration of any architecture and [`Model`] its network; [`catalogue`]
//! lists the architectures by their [`Card`]s. Each architecture has a module named after it, such as
//! [`gru`], which follows its paper from top to bottom: configuration, initialisation, forward pass.
//!
//! A configuration is an [`Architecture`]: it takes the sizes of the data, checks itself and becomes
//! a [`Network`]. A network keeps the [`Contract`] of its [`Role`]: a [`Classifier`] or tagger returns
//! logits, an [`Emitter`] the scores of the symbols at each step, a [`Speller`] writes symbol by
//! symbol, and a [`Generator`] generates patches of features. A module of your own that implements
//! these traits is trained like those of the zoo.
//! [`onnx`] has networks as graphs, for inference elsewhere.
//!
//! Networks are built from [`layers`], layers from [`ops`], and training minimises a [`loss`]. On the
//! CPU and on GPUs the operators run kernels of this crate, elsewhere portable Burn expressions.
//!
//! # Axes
//! Batch first, channels last. A classifier takes features `[batch, frames, bins]` with the number
//! of valid frames of each row, and returns logits `[batch, classes]`. Frames past a row's length
//! are padding. In inference a row's result does not depend on its padding or on the other rows.
//!
//! | axis | counts |
//! |---|---|
//! | batch | recordings |
//! | frames | frames of the features |
//! | steps | frames divided by the time stride of a model |
//! | bins | values of a frame, such as mel bands |
//! | bands | bins divided by the stride of a model |
//! | channels | features of a convolutional layer |
//! | hidden | features of a fully-connected or recurrent layer |
//! | classes | labels to choose from |
//! | symbols | symbols of a transcript; 0 is the blank, or the end of a sentence |
//!
//! ```
//! use burn::tensor::Tensor;
//! use burn_ndarray::NdArray;
//! use sori_models::{Architecture, Model, ModelConfig, Network};
//!
//! let device = Default::default();
//! let config = ModelConfig::from_name("gru")?.with_input(100, 40, 10);
//! let model: Model<NdArray> = config.init(&device)?;
//! let classifier = model.contract().classifier().expect("a GRU classifies");
//! let features = Tensor::zeros([2, 30, 40], &device);
//! assert_eq!(classifier.forward(features, &[30, 21]).dims(), [2, 10]);
//! # Ok::<(), sori_models::ConfigError>(())
//! ```

mod card;
mod config;
mod contract;
mod emissions;
#[cfg(feature = "gpu")]
mod gpu;
mod layer_params;
mod num_params;
mod purpose;
mod roles;

#[cfg(feature = "ndarray")]
mod kernels;
pub mod layers;
pub mod loss;
pub mod onnx;
pub mod ops;
pub mod recipe;
mod zoo;

pub use card::{BenchShape, Card};
pub use config::ConfigError;
pub use contract::{Architecture, Contract, Network, Role};
pub use emissions::Emissions;
pub use layer_params::{LayerParams, layer_params};
pub use loss::GanLosses;
pub use num_params::num_params;
pub use purpose::Purpose;
pub use roles::{
    Adversarial, Autoencoder, Classifier, EmissionStream, Emitter, Generator, LinearHead, Speller,
};
pub use zoo::deep_speech2::DeepSpeech2Stream;
pub use zoo::recurrent_classifier::RecurrentClassifier;
pub use zoo::vae::{Posterior, VaeOutput};
pub use zoo::*;
