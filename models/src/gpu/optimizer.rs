//! A step of an optimizer over one parameter as one launch, and the norm of all gradients in a few.

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{Kernel, array};
use super::sum::{UNITS, sum_of_units};

/// Cubes that share one gradient, each of which leaves a sum.
const SHARES: usize = 32;
/// Gradients of one launch: each is a binding, of which the least that WebGPU has are eight.
pub(crate) const GRADIENTS: usize = 6;

/// What a step computes of the gradient and of what it remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Rule {
    /// Two moments.
    Adam,
    /// A momentum; `ahead` is Nesterov's.
    Sgd { ahead: bool },
    /// Squares.
    Rms,
}

impl Rule {
    fn remembers(self) -> usize {
        match self {
            Rule::Adam => 2,
            Rule::Sgd { .. } | Rule::Rms => 1,
        }
    }
}

/// A step. It takes the parameter, the gradient, the factor of the gradient `[1]` if there is one, and
/// what is remembered unless it is the first, and gives the parameter and what is remembered.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) rule: Rule,
    pub(crate) rate: f64,
    /// The shares of what is remembered that are kept, and those of the new values.
    pub(crate) kept: [f64; 2],
    pub(crate) added: [f64; 2],
    /// The second moment's bias correction.
    pub(crate) correction: f64,
    pub(crate) epsilon: f64,
    /// What is added of the parameter to the gradient.
    pub(crate) decay: f64,
    /// What the parameter is multiplied by.
    pub(crate) keep: f64,
    pub(crate) is_scaled: bool,
    pub(crate) is_first: bool,
}

impl Step {
    /// Tensors that come out: the parameter and what is remembered.
    pub(crate) fn outputs(&self) -> usize {
        1 + self.rule.remembers()
    }
}

impl Kernel for Step {
    const NAME: &'static str = "sori_optimizer_step";

    fn launch<R: CubeRuntime>(&self, inputs: Vec<CubeTensor<R>>, outputs: Vec<CubeTensor<R>>) {
        let client = inputs[0].client.clone();
        let values: usize = inputs[0].meta.shape().iter().product();
        let mut rest = inputs.iter().skip(2);
        // What is not there is not read.
        let scale = if self.is_scaled { rest.next() } else { None };
        let mut next = || array(rest.next().unwrap_or(&inputs[1]));
        let (first, second) = (next(), next());
        // Some devices count up to 65535 in each direction.
        let cubes = values.div_ceil(UNITS as usize).min(65535) as u32;
        step::launch::<R>(
            &client,
            CubeCount::Static(cubes, 1, 1),
            CubeDim::new_1d(UNITS),
            array(&inputs[0]),
            array(&inputs[1]),
            array(scale.unwrap_or(&inputs[1])),
            first,
            second,
            array(&outputs[0]),
            array(&outputs[1]),
            outputs
                .get(2)
                .map(array)
                .unwrap_or_else(|| array(&outputs[1])),
            values,
            self.rate as f32,
            self.kept[0] as f32,
            self.kept[1] as f32,
            self.added[0] as f32,
            self.added[1] as f32,
            self.correction as f32,
            self.epsilon as f32,
            self.decay as f32,
            self.keep as f32,
            self.rule,
            self.is_scaled,
            self.is_first,
        );
    }
}

/// The sums of the squares of up to [`GRADIENTS`] tensors, `[tensors·SHARES]`.
#[derive(Debug, Clone)]
pub(crate) struct Squares;

impl Squares {
    /// The sums that come out of so many tensors.
    pub(crate) fn sums(tensors: usize) -> usize {
        tensors * SHARES
    }
}

impl Kernel for Squares {
    const NAME: &'static str = "sori_squares";

    fn launch<R: CubeRuntime>(&self, inputs: Vec<CubeTensor<R>>, outputs: Vec<CubeTensor<R>>) {
        let client = inputs[0].client.clone();
        let tensors = inputs.len() as u32;
        let mut arrays = SequenceArg::new();
        for input in &inputs {
            arrays.push(array(input));
        }
        let cubes = CubeCount::Static(SHARES as u32, tensors, 1);
        squares::launch::<R>(
            &client,
            cubes,
            CubeDim::new_1d(UNITS),
            arrays,
            array(&outputs[0]),
        );
    }
}

/// The factor `[1]` for a joint norm of at most `most`, from sums of squares; without `most` the norm itself.
#[derive(Debug, Clone)]
pub(crate) struct Norm {
    pub(crate) most: Option<f64>,
}

impl Kernel for Norm {
    const NAME: &'static str = "sori_norm";

    fn launch<R: CubeRuntime>(&self, inputs: Vec<CubeTensor<R>>, outputs: Vec<CubeTensor<R>>) {
        let values: usize = inputs[0].meta.shape().iter().product();
        norm::launch::<R>(
            &inputs[0].client,
            CubeCount::Static(1, 1, 1),
            CubeDim::new_1d(UNITS),
            array(&inputs[0]),
            array(&outputs[0]),
            values,
            self.most.unwrap_or_default() as f32,
            self.most.is_some(),
        );
    }
}

#[cube(launch)]
fn step(
    parameter: &Array<f32>,
    gradient: &Array<f32>,
    scale: &Array<f32>,
    first: &Array<f32>,
    second: &Array<f32>,
    new_parameter: &mut Array<f32>,
    new_first: &mut Array<f32>,
    new_second: &mut Array<f32>,
    values: usize,
    rate: f32,
    kept_1: f32,
    kept_2: f32,
    added_1: f32,
    added_2: f32,
    correction: f32,
    epsilon: f32,
    decay: f32,
    keep: f32,
    #[comptime] rule: Rule,
    #[comptime] is_scaled: bool,
    #[comptime] is_first: bool,
) {
    let mut at = ABSOLUTE_POS_X as usize;
    while at < values {
        let old = parameter[at];
        let mut slope = gradient[at];
        if is_scaled {
            slope *= scale[0];
        }
        slope += old * decay;
        let mut one = f32::new(0.0);
        let mut two = f32::new(0.0);
        match rule {
            Rule::Adam => {
                one = slope * added_1;
                two = slope * slope * added_2;
                if comptime!(!is_first) {
                    one += first[at] * kept_1;
                    two += second[at] * kept_2;
                }
                let root = (two / correction).sqrt() + epsilon;
                new_parameter[at] = old * keep - one / root * rate;
                new_second[at] = two;
            }
            Rule::Sgd { ahead } => {
                one = slope;
                if comptime!(!is_first) {
                    one += first[at] * kept_1;
                }
                let change = if ahead { one * kept_1 + slope } else { one };
                new_parameter[at] = old - change * rate;
            }
            Rule::Rms => {
                one = slope * slope * added_1;
                if comptime!(!is_first) {
                    one += first[at] * kept_1;
                }
                new_parameter[at] = old - slope / (one.sqrt() + epsilon) * rate;
            }
        }
        new_first[at] = one;
        at += CUBE_COUNT_X as usize * CUBE_DIM_X as usize;
    }
}

#[cube(launch)]
fn squares(inputs: &Sequence<Array<f32>>, sums: &mut Array<f32>) {
    let step = CUBE_COUNT_X as usize * CUBE_DIM_X as usize;
    let mut sum = f32::new(0.0);
    #[unroll]
    for index in 0..inputs.len() {
        if CUBE_POS_Y as usize == index {
            let input = inputs.index(index);
            let mut at = ABSOLUTE_POS_X as usize;
            while at < input.len() {
                sum += input[at] * input[at];
                at += step;
            }
        }
    }
    let sum = sum_of_units(sum);
    if UNIT_POS_X == 0 {
        sums[(CUBE_POS_Y * CUBE_COUNT_X + CUBE_POS_X) as usize] = sum;
    }
}

#[cube(launch)]
fn norm(
    sums: &Array<f32>,
    output: &mut Array<f32>,
    values: usize,
    most: f32,
    #[comptime] is_factor: bool,
) {
    let mut sum = f32::new(0.0);
    let mut at = UNIT_POS_X as usize;
    while at < values {
        sum += sums[at];
        at += UNITS as usize;
    }
    let sum = sum_of_units(sum);
    if UNIT_POS_X == 0 {
        if is_factor {
            output[0] = min(most / (sum.sqrt() + 1e-6), 1.0);
        } else {
            output[0] = sum.sqrt();
        }
    }
}
