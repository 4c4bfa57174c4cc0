//! The sizes of the listener and of the speller.

use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use crate::layers::{AttentionKind, Cell, ConvStack, CrossAttentionConfig};

/// The symbol that starts and ends every sentence.
pub const SENTENCE_END: usize = 0;

/// Configuration of [`Las`](crate::Las).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct LasConfig {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// Symbols that may be written, with the end of a sentence as the first; at least 2.
    pub num_symbols: usize,
    /// Channels of each convolution over time and frequency below the listener's layers, from the
    /// input upwards; by default there is none.
    pub channels: Vec<usize>,
    /// Frames and bins that the kernel of each convolution spans; odd.
    pub kernels: Vec<[usize; 2]>,
    /// Frames and bins from one window of each convolution to the next.
    pub strides: Vec<[usize; 2]>,
    /// The cell of the listener's layers.
    pub cell: Cell,
    /// Features of the listener's state in one direction.
    pub d_listener: usize,
    /// Bidirectional layers below the pyramid, which may be none.
    pub num_plain_layers: usize,
    /// Layers of the pyramid, which may be none; each halves the number of steps.
    pub num_pyramid_layers: usize,
    /// Features of a symbol that the speller reads.
    pub d_embedding: usize,
    /// Features of the state of each of the speller's layers.
    pub d_speller: usize,
    /// The speller's layers; more than four are computed without the CPU's kernels.
    pub num_speller_layers: usize,
    /// The score of a state of the listener, given the speller's state.
    pub attention: AttentionKind,
    /// Heads of the attention, each with weights of its own.
    pub num_heads: usize,
    /// Features of queries and keys. With 0 the states themselves are compared, which requires
    /// dot-product attention with one head and a speller of twice the listener's features.
    pub d_attention: usize,
    /// Steps that the convolution of location-aware attention spans over the previous weights; odd.
    pub location_kernel: usize,
    /// Channels of that convolution.
    pub location_filters: usize,
    /// Probability with which a value is dropped in training: of the outputs of each of the
    /// listener's layers, and of the state and the context on their way to the symbols.
    pub dropout: f64,
    /// Share of each target's probability that the loss spreads over all symbols.
    pub label_smoothing: f64,
    /// Share λ of the CTC loss in `(1 − λ) · cross entropy + λ · CTC`; with zero there is no head.
    pub ctc_weight: f64,
}

impl Default for LasConfig {
    fn default() -> Self {
        Self {
            num_bins: 40,
            num_symbols: 30,
            channels: Vec::new(),
            kernels: Vec::new(),
            strides: Vec::new(),
            cell: Cell::Lstm,
            d_listener: 256,
            num_plain_layers: 1,
            num_pyramid_layers: 3,
            d_embedding: 256,
            d_speller: 512,
            num_speller_layers: 2,
            attention: AttentionKind::Dot,
            num_heads: 1,
            d_attention: 0,
            location_kernel: 31,
            location_filters: 10,
            dropout: 0.2,
            label_smoothing: 0.1,
            ctc_weight: 0.0,
        }
    }
}

impl LasConfig {
    pub(super) fn cross_attention(&self) -> CrossAttentionConfig {
        CrossAttentionConfig {
            d_query: self.d_speller,
            d_states: 2 * self.d_listener,
            kind: self.attention,
            num_heads: self.num_heads,
            d_attention: self.d_attention,
            location_kernel: self.location_kernel,
            location_filters: self.location_filters,
        }
    }

    pub(super) fn convolutions(&self) -> ConvStack<'_> {
        ConvStack {
            channels: &self.channels,
            kernels: &self.kernels,
            strides: &self.strides,
        }
    }
}
