//! Audio and speech models as [Burn](https://burn.dev) modules: tensors in, tensors out, on any
//! backend.
//!
//! Each architecture is a module with a configuration, a model and the paper it follows.
//! [`catalogue`] lists them, [`ModelConfig`] configures any of them by name, and [`Model`] is any of
//! them. Classifiers and taggers give logits; of the recognisers, [`DeepSpeech2`] gives [`Emissions`],
//! what it hears at each step, and [`Las`] spells; [`Vae`] and [`Gan`] make patches of features.
//!
//! # Axes
//! Batch first, channels last. A classifier takes features `[batch, frames, bins]` with the number
//! of valid frames of each row, and returns logits `[batch, classes]`. Frames past a row's length
//! are padding: in inference a batch gives what its items give alone, whatever the padding holds.
//!
//! | axis | counts |
//! |---|---|
//! | batch | recordings |
//! | frames | frames of the features |
//! | steps | what is left of frames after a model's time stride |
//! | bins | values of a frame, such as mel bands |
//! | bands | what is left of bins after a model's stride |
//! | channels | features of a convolutional layer |
//! | hidden | features of a fully-connected or recurrent layer |
//! | classes | labels to choose from |
//! | symbols | what a transcript is written in; 0 is the blank, or the end of a sentence |
//!
//! ```
//! use burn::tensor::Tensor;
//! use burn_ndarray::NdArray;
//! use sori_models::ModelConfig;
//!
//! let device = Default::default();
//! let config = ModelConfig::from_name("gru")?.with_input(100, 40, 10);
//! let model = config.init::<NdArray>(&device)?;
//! let features = Tensor::zeros([2, 30, 40], &device);
//! assert_eq!(model.forward(features, &[30, 21]).dims(), [2, 10]);
//! # Ok::<(), sori_models::ConfigError>(())
//! ```

mod catalogue;
mod config;
mod emissions;

pub mod attention;
pub mod cnn1d;
pub mod cnn2d;
pub mod crnn;
pub mod deep_speech2;
pub mod dilated_cnn;
pub mod fcn;
pub mod gan;
pub mod gru;
#[cfg(feature = "ndarray")]
mod kernels;
pub mod las;
pub mod layers;
pub mod loss;
pub mod lstm;
pub mod matchboxnet;
pub mod mlp;
pub mod musicnn;
pub mod ops;
pub mod random_wired;
pub mod res_cnn;
pub mod rnn;
pub mod sample_cnn;
pub mod vae;

pub use attention::{Attention, AttentionConfig};
pub use catalogue::{Entry, Model, ModelConfig, catalogue, num_params};
pub use cnn1d::{Cnn1d, Cnn1dConfig};
pub use cnn2d::{Cnn2d, Cnn2dConfig};
pub use config::ConfigError;
pub use crnn::{Crnn, CrnnConfig};
pub use deep_speech2::{DeepSpeech2, DeepSpeech2Config, DeepSpeech2Stream};
pub use dilated_cnn::{DilatedCnn, DilatedCnnConfig};
pub use emissions::Emissions;
pub use fcn::{Fcn, FcnConfig};
pub use gan::{Gan, GanConfig, GanLosses};
pub use gru::{Gru, GruConfig};
pub use las::{Las, LasConfig};
pub use lstm::{Lstm, LstmConfig};
pub use matchboxnet::{Matchboxnet, MatchboxnetConfig};
pub use mlp::{Mlp, MlpConfig};
pub use musicnn::{Musicnn, MusicnnConfig};
pub use random_wired::{RandomWired, RandomWiredConfig};
pub use res_cnn::{ResCnn, ResCnnConfig};
pub use rnn::{Rnn, RnnConfig};
pub use sample_cnn::{SampleCnn, SampleCnnConfig};
pub use vae::{Posterior, Vae, VaeConfig, VaeOutput};
