//! Mean and max pooling over the valid frames of a row.

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{Kernel, array, cubes};

/// Units of a cube.
const UNITS: u32 = 64;

/// What is made of a row's frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Statistic {
    Mean,
    Largest,
}

/// Sizes of what is pooled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) batch: usize,
    pub(crate) frames: usize,
    pub(crate) channels: usize,
}

/// `[batch, frames, channels]` and the lengths to `[batch, channels]`, and for the largest to the frame of the maximum,
/// of the same shape.
#[derive(Debug, Clone)]
pub(crate) struct Pool(pub(crate) Sizes, pub(crate) Statistic);

/// The gradient `[batch, channels]`, the frames and the lengths to the gradient of `[batch, frames, channels]`.
#[derive(Debug, Clone)]
pub(crate) struct PoolSlopes(pub(crate) Sizes, pub(crate) Statistic);

impl Kernel for Pool {
    const NAME: &'static str = "sori_pool";

    fn launch<R: CubeRuntime>(&self, inputs: Vec<CubeTensor<R>>, outputs: Vec<CubeTensor<R>>) {
        let values = self.0.batch * self.0.channels;
        pool::launch::<R>(
            &inputs[0].client,
            cubes(values, UNITS),
            CubeDim::new_1d(UNITS),
            array(&inputs[0]),
            array(&inputs[1]),
            array(&outputs[0]),
            array(&outputs[1]),
            values,
            self.0.frames,
            self.0.channels,
            self.1,
        );
    }
}

impl Kernel for PoolSlopes {
    const NAME: &'static str = "sori_pool_slopes";

    fn launch<R: CubeRuntime>(&self, inputs: Vec<CubeTensor<R>>, outputs: Vec<CubeTensor<R>>) {
        let values = self.0.batch * self.0.frames * self.0.channels;
        pool_slopes::launch::<R>(
            &inputs[0].client,
            cubes(values, UNITS),
            CubeDim::new_1d(UNITS),
            array(&inputs[0]),
            array(&inputs[1]),
            array(&inputs[2]),
            array(&outputs[0]),
            values,
            self.0.frames,
            self.0.channels,
            self.1,
        );
    }
}

#[cube(launch)]
fn pool(
    input: &Array<f32>,
    lengths: &Array<i32>,
    output: &mut Array<f32>,
    which: &mut Array<f32>,
    values: usize,
    frames: usize,
    channels: usize,
    #[comptime] statistic: Statistic,
) {
    let mut at = ABSOLUTE_POS_X as usize;
    while at < values {
        let row = at / channels;
        let start = row * frames * channels + at % channels;
        let length = lengths[row] as usize;
        match statistic {
            Statistic::Mean => {
                let mut sum = f32::new(0.0);
                for frame in 0..length {
                    sum += input[start + frame * channels];
                }
                output[at] = sum / f32::cast_from(length as u32);
            }
            Statistic::Largest => {
                let mut largest = input[start];
                let mut first = f32::new(0.0);
                for frame in 1..length {
                    let value = input[start + frame * channels];
                    if value > largest {
                        largest = value;
                        first = f32::cast_from(frame as u32);
                    }
                }
                output[at] = largest;
                which[at] = first;
            }
        }
        at += CUBE_COUNT_X as usize * CUBE_DIM_X as usize;
    }
}

#[cube(launch)]
fn pool_slopes(
    slopes: &Array<f32>,
    which: &Array<f32>,
    lengths: &Array<i32>,
    output: &mut Array<f32>,
    values: usize,
    frames: usize,
    channels: usize,
    #[comptime] statistic: Statistic,
) {
    let mut at = ABSOLUTE_POS_X as usize;
    while at < values {
        let frame = at / channels % frames;
        let row = at / channels / frames;
        let from = row * channels + at % channels;
        let mut slope = f32::new(0.0);
        match statistic {
            Statistic::Mean => {
                if frame < lengths[row] as usize {
                    slope = slopes[from] / f32::cast_from(lengths[row]);
                }
            }
            Statistic::Largest => {
                if f32::cast_from(frame as u32) == which[from] {
                    slope = slopes[from];
                }
            }
        }
        output[at] = slope;
        at += CUBE_COUNT_X as usize * CUBE_DIM_X as usize;
    }
}
