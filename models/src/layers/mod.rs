//! Layers that several architectures share.
//!
//! Tensors are batch first and channels last. Lengths travel beside every padded tensor as valid
//! frames of each row; a layer that shortens time returns the new lengths. Dropout
//! acts only while a gradient is recorded.

mod attention;
mod batch_norm;
mod conv;
mod conv_block;
mod conv_stack;
mod cross_attention;
mod domain_classifier;
mod dropout;
mod init;
mod input;
mod linear;
mod lookahead;
mod patches;
mod pooling;
mod recurrent;
mod separable;
mod stretch;

pub use crate::ops::{Activation, Cell, Sequence};
pub use attention::AdditivePooling;
pub use batch_norm::{BATCH_NORM_EPSILON, MaskedBatchNorm};
pub use conv::{Conv1d, Conv2d};
pub use conv_block::{ConvBlock1d, ConvBlock2d};
pub use conv_stack::ConvLayer;
pub(crate) use conv_stack::{ConvStack, convolve, onnx_convolve};
pub use cross_attention::{AttentionKind, CrossAttention, CrossAttentionConfig};
pub use domain_classifier::DomainClassifier;
pub use dropout::Dropout;
pub use init::Init;
pub(crate) use input::{assert_bins, assert_input, assert_lengths};
pub use linear::Linear;
pub use lookahead::Lookahead;
pub(crate) use patches::{onnx_patches, to_patches};
pub use pooling::{
    GlobalPooling, Pooling, masked_deviation, masked_max, masked_mean, masked_mean2d,
    pooled_lengths,
};
pub use recurrent::{Direction, Recurrent, RecurrentConfig, RecurrentLayer};
pub use separable::{PointwiseConv1d, SeparableConv1d};
pub(crate) use stretch::Stretches;
