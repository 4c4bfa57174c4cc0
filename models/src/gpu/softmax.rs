//! The softmax of rows over their valid frames. One cube for each row.

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{Kernel, array};

/// Units of a cube.
const UNITS: u32 = 32;

/// Rows and frames.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) rows: usize,
    pub(crate) frames: usize,
}

/// Scores `[rows, frames]` and lengths to weights, which are zero past a row's length.
#[derive(Debug, Clone)]
pub(crate) struct Softmax(pub(crate) Sizes);

/// The gradient of the weights and the weights to the gradient of the scores.
#[derive(Debug, Clone)]
pub(crate) struct SoftmaxSlopes(pub(crate) Sizes);

impl Kernel for Softmax {
    const NAME: &'static str = "sori_masked_softmax";

    fn launch<R: CubeRuntime>(&self, inputs: Vec<CubeTensor<R>>, outputs: Vec<CubeTensor<R>>) {
        softmax::launch::<R>(
            &inputs[0].client,
            CubeCount::Static(self.0.rows as u32, 1, 1),
            CubeDim::new_1d(UNITS),
            array(&inputs[0]),
            array(&inputs[1]),
            array(&outputs[0]),
            self.0.frames,
        );
    }
}

impl Kernel for SoftmaxSlopes {
    const NAME: &'static str = "sori_masked_softmax_slopes";

    fn launch<R: CubeRuntime>(&self, inputs: Vec<CubeTensor<R>>, outputs: Vec<CubeTensor<R>>) {
        softmax_slopes::launch::<R>(
            &inputs[0].client,
            CubeCount::Static(self.0.rows as u32, 1, 1),
            CubeDim::new_1d(UNITS),
            array(&inputs[0]),
            array(&inputs[1]),
            array(&outputs[0]),
            self.0.frames,
        );
    }
}

#[cube(launch)]
fn softmax(scores: &Array<f32>, lengths: &Array<i32>, weights: &mut Array<f32>, frames: usize) {
    let row = CUBE_POS_X as usize;
    let unit = UNIT_POS_X as usize;
    let length = lengths[row] as usize;
    let mut of_units = SharedMemory::<f32>::new(UNITS as usize);
    let mut top = f32::new(-1e38);
    let mut frame = unit;
    while frame < length {
        top = max(top, scores[row * frames + frame]);
        frame += UNITS as usize;
    }
    of_units[unit] = top;
    sync_cube();
    for other in 0..UNITS as usize {
        top = max(top, of_units[other]);
    }
    sync_cube();
    let mut sum = f32::new(0.0);
    let mut frame = unit;
    while frame < length {
        sum += (scores[row * frames + frame] - top).exp();
        frame += UNITS as usize;
    }
    of_units[unit] = sum;
    sync_cube();
    let mut total = f32::new(0.0);
    for other in 0..UNITS as usize {
        total += of_units[other];
    }
    let mut frame = unit;
    while frame < frames {
        let mut weight = f32::new(0.0);
        if frame < length {
            weight = (scores[row * frames + frame] - top).exp() / total;
        }
        weights[row * frames + frame] = weight;
        frame += UNITS as usize;
    }
}

#[cube(launch)]
fn softmax_slopes(
    slopes: &Array<f32>,
    weights: &Array<f32>,
    of_scores: &mut Array<f32>,
    frames: usize,
) {
    let row = CUBE_POS_X as usize;
    let unit = UNIT_POS_X as usize;
    let mut of_units = SharedMemory::<f32>::new(UNITS as usize);
    let mut sum = f32::new(0.0);
    let mut frame = unit;
    while frame < frames {
        let at = row * frames + frame;
        // What is past a row's length may have any slope.
        if weights[at] > 0.0 {
            sum += slopes[at] * weights[at];
        }
        frame += UNITS as usize;
    }
    of_units[unit] = sum;
    sync_cube();
    let mut total = f32::new(0.0);
    for other in 0..UNITS as usize {
        total += of_units[other];
    }
    let mut frame = unit;
    while frame < frames {
        let at = row * frames + frame;
        let mut slope = f32::new(0.0);
        if weights[at] > 0.0 {
            slope = weights[at] * (slopes[at] - total);
        }
        of_scores[at] = slope;
        frame += UNITS as usize;
    }
}
