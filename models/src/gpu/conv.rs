//! The windows of a convolution side by side, so that it is a matrix product, and back.

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{Kernel, array, cubes};

/// Units of a cube.
const UNITS: u32 = 256;

/// The most values of windows that lie side by side: 64 MiB of them. A device may bind no more than twice that.
const MOST: usize = 1 << 24;

/// Sizes of a convolution over two axes.
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
        self.values().max(self.positions()) <= i32::MAX as usize
    }

    /// Values of the input.
    fn values(&self) -> usize {
        self.batch * self.size[0] * self.size[1] * self.channels
    }

    /// The positions in parts whose windows are held at the same time.
    pub(crate) fn tiles(&self) -> Vec<Tile> {
        let all = self.positions();
        let each = if self.is_plain() {
            all
        } else {
            (MOST / self.window()).clamp(1, all)
        };
        let tiles = (0..all).step_by(each);
        let tiles = tiles.map(|first| Tile {
            first,
            count: each.min(all - first),
        });
        tiles.collect()
    }
}

/// Successive positions of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tile {
    pub(crate) first: usize,
    pub(crate) count: usize,
}

/// `[batch, frames, bins, channels]` to the windows of a tile, `[count, window]`, zero beyond the ends.
#[derive(Debug, Clone)]
pub(crate) struct Windows(pub(crate) Sizes, pub(crate) Tile);

/// The gradient of the windows of a tile to that of the input, which is added to a second input if there is one.
#[derive(Debug, Clone)]
pub(crate) struct Spread(pub(crate) Sizes, pub(crate) Tile);

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
        let Tile { first, count } = self.1;
        let values = count * self.0.window();
        windows::launch::<R>(
            &inputs[0].client,
            cubes(values, UNITS),
            CubeDim::new_1d(UNITS),
            array(&inputs[0]),
            array(&outputs[0]),
            values,
            first,
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
            size,
            size_out,
            channels,
            kernel,
            stride,
            padding,
            dilation,
            ..
        } = self.0;
        let Tile { first, count } = self.1;
        let values = self.0.values();
        let added = inputs.get(1);
        spread::launch::<R>(
            &inputs[0].client,
            cubes(values, UNITS),
            CubeDim::new_1d(UNITS),
            array(&inputs[0]),
            array(added.unwrap_or(&inputs[0])),
            array(&outputs[0]),
            u32::from(added.is_some()),
            values,
            first,
            count,
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
    first: usize,
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
        let position = first + at / window;
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
    added: &Array<f32>,
    output: &mut Array<f32>,
    is_added: u32,
    values: usize,
    first: usize,
    count: usize,
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
        if is_added != 0 {
            sum = added[at];
        }
        // Other rows have no share in this tile.
        let begin = row * steps * bands;
        let mut taps = kernel_frames;
        if begin >= first + count || begin + steps * bands <= first {
            taps = 0usize;
        }
        for k in 0..taps {
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
                                if position >= first && position - first < count {
                                    let tap = k * kernel_bins + l;
                                    let place = (position - first) * window;
                                    sum += slopes[place + tap * channels + channel];
                                }
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
