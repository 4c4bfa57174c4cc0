//! Operators: the computations the layers are made of, one call for each.
//!
//! Every function here is generic over the backend and written in portable Burn expressions. Layers
//! call nothing else for their heavy work, so a faster kernel for one backend belongs inside the
//! operator and changes no model.
//!
//! Channels come last, as bins do in features (`[batch, frames, channels]`,
//! `[batch, frames, bins, channels]`), and the output axis comes last in every weight. A
//! convolution is then one matrix product over shifted copies of its input, and no tensor is
//! transposed on the way.

mod activation;
mod attention;
mod conv;
mod directions;
mod dropout;
mod gated_sum;
mod gated_unit;
#[cfg(feature = "gpu")]
mod gpu_pool;
#[cfg(feature = "gpu")]
pub(crate) mod gpu_seam;
mod linear;
mod max;
mod mean;
mod norm_pool;
mod optimizer;
mod padding;
mod pairs;
mod pool;
mod precision;
mod recurrent;
mod residual;
mod reversal;
mod scale;
#[cfg(feature = "ndarray")]
pub(crate) mod seam;
mod speller;
mod threads;
mod values;

pub use activation::{Activation, activate};
pub use attention::{masked_softmax, weighted_sum};
pub use conv::{ConvOptions, conv1d, conv2d};
pub use directions::sum_directions;
pub use dropout::dropout;
pub use gated_sum::gated_sum;
pub use gated_unit::gated_unit;
pub use linear::linear;
pub use max::masked_max;
pub use mean::masked_mean;
pub use norm_pool::{BatchStatistics, NormPool, norm_pool_inference, norm_pool_training};
pub use optimizer::{
    AdamStep, RmsStep, SgdStep, adam_step, clip_factor, joint_norm, moving_average, rms_step,
    sgd_step, sum_of_squares,
};
pub use padding::zero_padding;
pub use pairs::pair_frames;
pub use pool::{average_pool1d, average_pool2d, max_pool1d, max_pool2d};
pub(crate) use precision::product;
pub use precision::{HalfPrecision, products_in};
pub use recurrent::{Cell, DirectionWeights, Sequence, State, recurrent, recurrent_stretch};
pub use residual::add_relu_max_pool1d;
pub use reversal::reverse_gradient;
pub use scale::scale_channels;
#[cfg(feature = "ndarray")]
pub use seam::{PathCounts, path_counts};
pub use speller::{Attended, Score, SpellerState, SpellerSteps, SpellerWeights, spell};
pub use threads::in_pool;
pub use values::to_data;
