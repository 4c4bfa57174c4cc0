//! One step of LSTM cells, whose gates have been multiplied out: the memory, then the state from it.

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{Kernel, array};
use super::recurrent::steps::{sigmoid, tanh};

/// Units of a cube.
const UNITS: u32 = 64;

/// Rows, and features of the state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) rows: usize,
    pub(crate) d_hidden: usize,
}

impl Sizes {
    fn values(&self) -> usize {
        self.rows * self.d_hidden
    }

    fn cubes(&self) -> CubeCount {
        CubeCount::Static(self.values().div_ceil(UNITS as usize).max(1) as u32, 1, 1)
    }
}

/// What is found: the memory of two shares of the gates and the memory before, or the state of both shares and the
/// memory.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    Memory,
    Hidden,
}

/// Two shares of the gates `[rows, 4·d_hidden]` and a memory to the part, `[rows, d_hidden]`.
#[derive(Debug, Clone)]
pub(crate) struct Forward(pub(crate) Part, pub(crate) Sizes);

/// The gradient of the part and the same inputs to the gradients of the gates and of the memory.
#[derive(Debug, Clone)]
pub(crate) struct Backward(pub(crate) Part, pub(crate) Sizes);

impl Kernel for Forward {
    const NAME: &'static str = "sori_lstm_step";

    fn launch<R: CubeRuntime>(&self, inputs: Vec<CubeTensor<R>>, outputs: Vec<CubeTensor<R>>) {
        let launch = match self.0 {
            Part::Memory => memory::launch::<R>,
            Part::Hidden => hidden::launch::<R>,
        };
        launch(
            &inputs[0].client,
            self.1.cubes(),
            CubeDim::new_1d(UNITS),
            array(&inputs[0]),
            array(&inputs[1]),
            array(&inputs[2]),
            array(&outputs[0]),
            self.1.values(),
            self.1.d_hidden,
        );
    }
}

impl Kernel for Backward {
    const NAME: &'static str = "sori_lstm_step_slopes";

    fn launch<R: CubeRuntime>(&self, inputs: Vec<CubeTensor<R>>, outputs: Vec<CubeTensor<R>>) {
        let launch = match self.0 {
            Part::Memory => memory_slopes::launch::<R>,
            Part::Hidden => hidden_slopes::launch::<R>,
        };
        launch(
            &inputs[0].client,
            self.1.cubes(),
            CubeDim::new_1d(UNITS),
            array(&inputs[0]),
            array(&inputs[1]),
            array(&inputs[2]),
            array(&inputs[3]),
            array(&outputs[0]),
            array(&outputs[1]),
            self.1.values(),
            self.1.d_hidden,
        );
    }
}

/// The sum of both shares of a gate.
#[cube]
fn gate(
    input: &Array<f32>,
    recurred: &Array<f32>,
    at: usize,
    index: usize,
    d_hidden: usize,
) -> f32 {
    let place = (at / d_hidden * 4 + index) * d_hidden + at % d_hidden;
    input[place] + recurred[place]
}

#[cube(launch)]
fn memory(
    input: &Array<f32>,
    recurred: &Array<f32>,
    before: &Array<f32>,
    output: &mut Array<f32>,
    values: usize,
    d_hidden: usize,
) {
    let at = ABSOLUTE_POS_X as usize;
    if at < values {
        let i = sigmoid(gate(input, recurred, at, 0, d_hidden));
        let f = sigmoid(gate(input, recurred, at, 1, d_hidden));
        let g = tanh(gate(input, recurred, at, 2, d_hidden));
        output[at] = f * before[at] + i * g;
    }
}

#[cube(launch)]
fn memory_slopes(
    slopes: &Array<f32>,
    input: &Array<f32>,
    recurred: &Array<f32>,
    before: &Array<f32>,
    of_gates: &mut Array<f32>,
    of_before: &mut Array<f32>,
    values: usize,
    d_hidden: usize,
) {
    let at = ABSOLUTE_POS_X as usize;
    if at < values {
        let i = sigmoid(gate(input, recurred, at, 0, d_hidden));
        let f = sigmoid(gate(input, recurred, at, 1, d_hidden));
        let g = tanh(gate(input, recurred, at, 2, d_hidden));
        let slope = slopes[at];
        let place = at / d_hidden * 4 * d_hidden + at % d_hidden;
        of_gates[place] = slope * g * i * (1.0 - i);
        of_gates[place + d_hidden] = slope * before[at] * f * (1.0 - f);
        of_gates[place + 2 * d_hidden] = slope * i * (1.0 - g * g);
        of_gates[place + 3 * d_hidden] = f32::new(0.0);
        of_before[at] = slope * f;
    }
}

#[cube(launch)]
fn hidden(
    input: &Array<f32>,
    recurred: &Array<f32>,
    kept: &Array<f32>,
    output: &mut Array<f32>,
    values: usize,
    d_hidden: usize,
) {
    let at = ABSOLUTE_POS_X as usize;
    if at < values {
        output[at] = sigmoid(gate(input, recurred, at, 3, d_hidden)) * tanh(kept[at]);
    }
}

#[cube(launch)]
fn hidden_slopes(
    slopes: &Array<f32>,
    input: &Array<f32>,
    recurred: &Array<f32>,
    kept: &Array<f32>,
    of_gates: &mut Array<f32>,
    of_kept: &mut Array<f32>,
    values: usize,
    d_hidden: usize,
) {
    let at = ABSOLUTE_POS_X as usize;
    if at < values {
        let o = sigmoid(gate(input, recurred, at, 3, d_hidden));
        let bent = tanh(kept[at]);
        let slope = slopes[at];
        let place = at / d_hidden * 4 * d_hidden + at % d_hidden;
        of_gates[place] = f32::new(0.0);
        of_gates[place + d_hidden] = f32::new(0.0);
        of_gates[place + 2 * d_hidden] = f32::new(0.0);
        of_gates[place + 3 * d_hidden] = slope * bent * o * (1.0 - o);
        of_kept[at] = slope * o * (1.0 - bent * bent);
    }
}
