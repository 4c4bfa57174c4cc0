//! Strided convolutions below a recogniser's recurrent layers.

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend};

use super::{Conv2d, Init, MaskedBatchNorm};
use crate::config::{ConfigError, check_odd, check_size, check_sizes};
use crate::onnx::{OnnxGraph, Padded};

/// Convolution over time and frequency, batch norm and clipped ReLU.
#[derive(Module, Debug)]
pub struct ConvLayer<B: Backend> {
    /// The convolution.
    pub conv: Conv2d<B>,
    /// The normalisation, one scale and shift per channel.
    pub norm: MaskedBatchNorm<B>,
}

/// The sizes of a stack of [`ConvLayer`]s below a recogniser's recurrent layers.
pub(crate) struct ConvStack<'a> {
    /// Channels of each layer, from the input upwards.
    pub channels: &'a [usize],
    /// Frames and bins that each kernel spans.
    pub kernels: &'a [[usize; 2]],
    /// Frames and bins from one window to the next.
    pub strides: &'a [[usize; 2]],
}

impl ConvStack<'_> {
    /// Checks the fields `channels`, which may be empty, `kernels` and `strides`.
    pub fn check(&self) -> Result<(), ConfigError> {
        check_sizes("channels", self.channels)?;
        for (field, pairs) in [("kernels", self.kernels), ("strides", self.strides)] {
            if pairs.len() != self.channels.len() {
                let expected = format!("one for each of the {} convolutions", self.channels.len());
                return Err(ConfigError::field(field, pairs.len(), expected));
            }
        }
        for &side in self.kernels.iter().flatten() {
            check_odd("kernels", side)?;
        }
        for &side in self.strides.iter().flatten() {
            check_size("strides", side)?;
        }
        Ok(())
    }

    /// Steps of `frames` valid frames.
    pub fn num_steps(&self, frames: usize) -> usize {
        let strides = self.strides.iter();
        strides.fold(frames, |steps, [stride, _]| steps.div_ceil(*stride))
    }

    /// Frames from the start of one step to the next.
    pub fn frames_per_step(&self) -> usize {
        self.strides.iter().map(|[frames, _]| frames).product()
    }

    /// Frames past a step's first one that the step depends on, where steps look `ahead` steps past
    /// themselves: a kernel spans as many future frames as past ones.
    pub fn look_ahead_frames(&self, ahead: usize) -> usize {
        let layers = self.kernels.iter().zip(self.strides).rev();
        layers.fold(ahead, |ahead, ([kernel, _], [stride, _])| {
            ahead * stride + kernel / 2
        })
    }

    /// Layers with random weights, and the features of a step that they make of `num_bins`.
    pub fn init<B: Backend>(
        &self,
        num_bins: usize,
        device: &B::Device,
    ) -> (Vec<ConvLayer<B>>, usize) {
        let (mut bands, mut channels) = (num_bins, 1);
        let mut layers = Vec::with_capacity(self.channels.len());
        let sizes = self.channels.iter().zip(self.kernels).zip(self.strides);
        for ((&channels_out, &kernel), &stride) in sizes {
            let ends = [channels, channels_out];
            layers.push(ConvLayer {
                conv: Conv2d::with_stride(ends, kernel, stride, Init::Default, device),
                norm: MaskedBatchNorm::new(channels_out, device),
            });
            bands = bands.div_ceil(stride[1]);
            channels = channels_out;
        }
        (layers, bands * channels)
    }
}

/// `[batch, frames, bins]`, zero past each row's length, through convolutions to `[batch, steps,
/// bands·channels]` and the valid steps of each row; without any it stays as it is. Activations are
/// clipped to 0 and `clip`.
pub(crate) fn convolve<B: Backend>(
    layers: &[ConvLayer<B>],
    x: Tensor<B, 3>,
    lengths: &[usize],
    clip: f64,
) -> (Tensor<B, 3>, Vec<usize>) {
    let mut lengths = lengths.to_vec();
    if layers.is_empty() {
        return (x, lengths);
    }
    let mut x = x.unsqueeze_dim::<4>(3); // [batch, frames, bins, 1]
    for ConvLayer { conv, norm } in layers {
        x = conv.forward(x); // [batch, steps, bands, channels]
        for length in &mut lengths {
            *length = length.div_ceil(conv.stride[0]);
        }
        x = norm.forward_clamp(x, &lengths, [0.0, clip]);
    }
    (x.flatten(2, 3), lengths)
}

/// [`convolve`] in ONNX, of `num_bins`.
pub(crate) fn onnx_convolve<B: Backend>(
    layers: &[ConvLayer<B>],
    graph: &mut OnnxGraph,
    x: Padded,
    num_bins: usize,
    clip: f64,
) -> Padded {
    let Some(last) = layers.last() else {
        return x;
    };
    let (mut x, mut bands) = (x.as_image(graph), num_bins);
    for ConvLayer { conv, norm } in layers {
        x = Padded {
            values: conv.onnx(graph, x.values),
            time: x.time.divided_up(graph, conv.stride[0]),
            ..x
        };
        x = norm.onnx_clamp(graph, x, [0.0, clip]); // [batch, steps, bands, channels]
        bands = bands.div_ceil(conv.stride[1]);
    }
    let [_, _, _, channels] = last.conv.weight.dims();
    x.as_sequence(graph, bands * channels)
}
