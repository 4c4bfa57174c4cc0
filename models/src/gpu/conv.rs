//! The windows of a convolution side by side, so that it is one matrix product, and back.

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{Kernel, array};

/// Units of a cube.
const UNITS: u32 = 256;

/// Sizes of a convolution over two axes, without groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Sizes {
    pub(crate) batch: usize,
    /// Frames and bins.
    pub(crate) size: [usize; 2],
    /// Those of the output.
    pub(crate) size_out: [usize; 2],
    pub(crate) channels: usize,
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) padding: [usize; 2],
    pub(crate) dilation: [usize; 2],
}

impl Sizes {
    /// Positions of the output.
    pub(crate) fn positions(&self) -> usize {
        self.batch * self.size_out[0] * self.size_out[1]
    }

    /// Values of a window.
    pub(crate) fn window(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.channels
    }

    /// Whether the windows are the input as it is.
    pub(crate) fn is_plain(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && self.padding == [0, 0]
    }

    /// Whether each value has an index of 32 bits.
    pub(crate) fn fits(&self) -> bool {
        self.positions() * self.window() <= i32::MAX as usize
    }
}

/// `[batch, frames, bins, channels]` to the windows `[positions, window]`, zero beyond the ends.
#[derive(Debug, Clone)]
pub(crate) struct Windows(pub(crate) Sizes);

/// The gradient of the windows to that of the input.
#[derive(Debug, Clone)]
pub(crate) struct Spread(pub(crate) Sizes);

fn cubes(values: usize) -> CubeCount {
    // Some devices count up to 65535 in each direction.
    CubeCount::Static(values.div_ceil(UNITS as usize).clamp(1, 65535) as u32, 1, 1)
}

impl Kernel for Windows {
    const NAME: &'static str = "sori_windows";

    fn launch<R: CubeRuntime>(&self, inputs: Vec<CubeTensor<R>>, outputs: Vec<CubeTensor<R>>) {
        let Sizes {
            size,
            size_out,
            channels,
            kernel,
            stride,
            padding,
            dilation,
            ..
        } = self.0;
        let values = self.0.positions() * self.0.window();
        windows::launch::<R>(
            &inputs[0].client,
            cubes(values),
            CubeDim::new_1d(UNITS),
            array(&inputs[0]),
            array(&outputs[0]),
            values,
            size[0],
            size[1],
            size_out[0],
            size_out[1],
            channels,
            kernel[0],
            kernel[1],
            stride[0],
            stride[1],
            padding[0],
            padding[1],
            dilation[0],
            dilation[1],
        );
    }
}

impl Kernel for Spread {
    const NAME: &'static str = "sori_windows_spread";

    fn launch<R: CubeRuntime>(&self, inputs: Vec<CubeTensor<R>>, outputs: Vec<CubeTensor<R>>) {
        let Sizes {
            batch,
            size,
            size_out,
            channels,
            kernel,
            stride,
            padding,
            dilation,
        } = self.0;
        let values = batch * size[0] * size[1] * channels;
        spread::launch::<R>(
            &inputs[0].client,
            cubes(values),
            CubeDim::new_1d(UNITS),
            array(&inputs[0]),
            array(&outputs[0]),
            values,
            size[0],
            size[1],
            size_out[0],
            size_out[1],
            channels,
            kernel[0],
            kernel[1],
            stride[0],
            stride[1],
            padding[0],
            padding[1],
            dilation[0],
            dilation[1],
        );
    }
}

#[cube(launch)]
fn windows(
    input: &Array<f32>,
    output: &mut Array<f32>,
    values: usize,
    frames: usize,
    bins: usize,
    steps: usize,
    bands: usize,
    channels: usize,
    kernel_frames: usize,
    kernel_bins: usize,
    stride_frames: usize,
    stride_bins: usize,
    padding_frames: usize,
    padding_bins: usize,
    dilation_frames: usize,
    dilation_bins: usize,
) {
    let window = kernel_frames * kernel_bins * channels;
    let mut at = ABSOLUTE_POS_X as usize;
    while at < values {
        let position = at / window;
        let place = at % window;
        let channel = place % channels;
        let tap = place / channels;
        let band = position % bands;
        let step = position / bands % steps;
        let row = position / bands / steps;
        // Beside the padding: never below zero.
        let frame = step * stride_frames + tap / kernel_bins * dilation_frames;
        let bin = band * stride_bins + tap % kernel_bins * dilation_bins;
        let mut value = f32::new(0.0);
        if frame >= padding_frames && frame < frames + padding_frames {
            if bin >= padding_bins && bin < bins + padding_bins {
                let line = row * frames + frame - padding_frames;
                value = input[(line * bins + bin - padding_bins) * channels + channel];
            }
        }
        output[at] = value;
        at += CUBE_COUNT_X as usize * CUBE_DIM_X as usize;
    }
}

#[cube(launch)]
fn spread(
    slopes: &Array<f32>,
    output: &mut Array<f32>,
    values: usize,
    frames: usize,
    bins: usize,
    steps: usize,
    bands: usize,
    channels: usize,
    kernel_frames: usize,
    kernel_bins: usize,
    stride_frames: usize,
    stride_bins: usize,
    padding_frames: usize,
    padding_bins: usize,
    dilation_frames: usize,
    dilation_bins: usize,
) {
    let window = kernel_frames * kernel_bins * channels;
    let mut at = ABSOLUTE_POS_X as usize;
    while at < values {
        let channel = at % channels;
        let bin = at / channels % bins + padding_bins;
        let frame = at / channels / bins % frames + padding_frames;
        let row = at / channels / bins / frames;
        let mut sum = f32::new(0.0);
        for k in 0..kernel_frames {
            // The step whose window has this frame at its tap `k`, if there is one.
            let from = k * dilation_frames;
            if frame >= from && (frame - from) % stride_frames == 0 {
                let step = (frame - from) / stride_frames;
                if step < steps {
                    for l in 0..kernel_bins {
                        let from = l * dilation_bins;
                        if bin >= from && (bin - from) % stride_bins == 0 {
                            let band = (bin - from) / stride_bins;
                            if band < bands {
                                let position = (row * steps + step) * bands + band;
                                let tap = k * kernel_bins + l;
                                sum += slopes[position * window + tap * channels + channel];
                            }
                        }
                    }
                }
            }
        }
        output[at] = sum;
        at += CUBE_COUNT_X as usize * CUBE_DIM_X as usize;
    }
}
