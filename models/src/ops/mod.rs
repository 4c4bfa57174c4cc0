//! Operators: the computations the layers are made of, one call for each.
//!
//! Every function here is generic over the backend and written in portable Burn expressions. Layers
//! call nothing else for their heavy work, so a faster kernel for one backend belongs inside the
//! operator and no model has to know.
//!
//! Channels come last, as bins do in features (`[batch, frames, channels]`,
//! `[batch, frames, bins, channels]`), and the output axis comes last in every weight. A
//! convolution is then one matrix product over shifted copies of its input, and no tensor is
//! transposed on the way.

mod batch_norm;
mod conv;
mod linear;
mod max_pool;
mod padding;
mod recurrent;
#[cfg(feature = "ndarray")]
mod seam;

pub use batch_norm::{BatchStatistics, batch_norm_inference, batch_norm_training};
pub use conv::{ConvOptions, conv1d, conv2d};
pub use linear::linear;
pub use max_pool::{max_pool1d, max_pool2d};
pub use padding::zero_padding;
pub use recurrent::{Cell, DirectionWeights, Sequence, recurrent};
#[cfg(feature = "ndarray")]
pub use seam::{PathCounts, path_counts};
