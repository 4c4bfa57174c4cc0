//! The listener: from features to states.

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend};

use super::config::LasConfig;
use crate::layers::{ConvLayer, Dropout, RecurrentLayer, assert_input, convolve, onnx_convolve};
use crate::onnx::{OnnxGraph, Padded};
use crate::ops;

/// Bidirectional recurrent layers, the upper ones a pyramid that halves the steps at each.
#[derive(Module, Debug)]
pub struct Listener<B: Backend> {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// Convolutions over time and frequency below all layers, from the input upwards, if any.
    pub convs: Vec<ConvLayer<B>>,
    /// Layers that keep the number of steps, from the input upwards.
    pub plain: Vec<RecurrentLayer<B>>,
    /// Layers that read two steps at a time, above them.
    pub pyramid: Vec<RecurrentLayer<B>>,
    /// Acts on the outputs of every layer.
    pub dropout: Dropout,
}

/// The states of the listener.
#[derive(Debug, Clone)]
pub struct Listened<B: Backend> {
    /// `[batch, steps, 2·d_listener]`, zero past a row's steps. Each convolution leaves a `stride`-th
    /// of the steps and each layer of the pyramid half of them, rounded up.
    pub states: Tensor<B, 3>,
    /// Valid steps of each row.
    pub lengths: Vec<usize>,
}

impl<B: Backend> Listener<B> {
    pub(super) fn new(config: &LasConfig, device: &B::Device) -> Self {
        let d_output = 2 * config.d_listener;
        let (convs, mut below) = config.convolutions().init(config.num_bins, device);
        let mut layer = |steps: usize| {
            let d_input = steps * below;
            below = d_output;
            RecurrentLayer::new(config.cell, d_input, config.d_listener, true, device)
        };
        Self {
            num_bins: config.num_bins,
            convs,
            plain: (0..config.num_plain_layers).map(|_| layer(1)).collect(),
            pyramid: (0..config.num_pyramid_layers).map(|_| layer(2)).collect(),
            dropout: Dropout::new(config.dropout),
        }
    }

    /// Features `[batch, frames, bins]` and the valid frames of each row to states.
    ///
    /// # Panics
    /// If there is not one length for each row, a length is not in `1..=frames`, or the bins are not
    /// the configuration's.
    pub fn forward(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Listened<B> {
        assert_input(&features, lengths, 1, self.num_bins);
        let x = ops::zero_padding(features, lengths); // [batch, frames, bins]
        let (mut x, mut lengths) = convolve(&self.convs, x, lengths, f64::INFINITY); // [batch, steps, bands·channels]
        for layer in &self.plain {
            x = self.dropout.forward(layer.forward(x, &lengths).outputs); // [batch, steps, 2·d_listener]
        }
        for layer in &self.pyramid {
            // What an odd last step stands beside is zero, in the padding too.
            x = ops::pair_frames(x); // [batch, ⌈steps / 2⌉, 4·d_listener]
            lengths = lengths.iter().map(|length| length.div_ceil(2)).collect();
            x = self.dropout.forward(layer.forward(x, &lengths).outputs); // [batch, ⌈steps / 2⌉, 2·d_listener]
        }
        Listened { states: x, lengths }
    }

    /// [`Self::forward`] in ONNX: the states.
    pub(super) fn onnx(&self, graph: &mut OnnxGraph, features: Padded) -> Padded {
        let x = features.zeroed(graph);
        let mut x = onnx_convolve(&self.convs, graph, x, self.num_bins, f64::INFINITY); // [batch, steps, bands·channels]
        for layer in &self.plain {
            (x, _) = layer.onnx(graph, x); // [batch, steps, 2·d_listener]
        }
        for layer in &self.pyramid {
            let [d_pair, _] = layer.forward.weight_input.dims();
            let time = x.time.divided_up(graph, 2);
            let values = graph.pair_frames(x.values, time.frames, d_pair); // [batch, ⌈steps / 2⌉, 4·d_listener]
            (x, _) = layer.onnx(graph, Padded { values, time, ..x }); // [batch, ⌈steps / 2⌉, 2·d_listener]
        }
        x
    }
}
