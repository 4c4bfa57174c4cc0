//! Cross entropies of logits: the mean and its gradient in one launch, by one cube. They are small next to what
//! comes before them.

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{Kernel, array};
use super::sum::{UNITS, sum_of_units};

/// The cross entropy of distributions: logits and weights `[rows, classes]`, or the class of each row, to the mean
/// `[1]` and the gradient.
#[derive(Debug, Clone)]
pub(crate) struct OfClasses {
    pub(crate) rows: usize,
    pub(crate) classes: usize,
    /// Whether the second input has the class of each row.
    pub(crate) is_class: bool,
}

/// The cross entropy of tags: logits, targets and, if it is there, the weight of each tag's presence to the mean `[1]`
/// and the gradient.
#[derive(Debug, Clone)]
pub(crate) struct OfTags {
    pub(crate) values: usize,
    pub(crate) tags: usize,
}

impl Kernel for OfClasses {
    const NAME: &'static str = "sori_cross_entropy";

    fn launch<R: CubeRuntime>(&self, inputs: Vec<CubeTensor<R>>, outputs: Vec<CubeTensor<R>>) {
        of_classes::launch::<R>(
            &inputs[0].client,
            CubeCount::Static(1, 1, 1),
            CubeDim::new_1d(UNITS),
            array(&inputs[0]),
            array(&inputs[1]),
            array(&outputs[0]),
            array(&outputs[1]),
            self.rows,
            self.classes,
            self.is_class,
        );
    }
}

impl Kernel for OfTags {
    const NAME: &'static str = "sori_binary_cross_entropy";

    fn launch<R: CubeRuntime>(&self, inputs: Vec<CubeTensor<R>>, outputs: Vec<CubeTensor<R>>) {
        of_tags::launch::<R>(
            &inputs[0].client,
            CubeCount::Static(1, 1, 1),
            CubeDim::new_1d(UNITS),
            array(&inputs[0]),
            array(&inputs[1]),
            // What is not there is not read.
            array(inputs.get(2).unwrap_or(&inputs[1])),
            array(&outputs[0]),
            array(&outputs[1]),
            self.values,
            self.tags,
            inputs.len() > 2,
        );
    }
}

/// The largest of a row's logits.
#[cube]
fn top_of(logits: &Array<f32>, start: usize, classes: usize) -> f32 {
    let mut top = logits[start];
    for class in 1..classes {
        top = max(top, logits[start + class]);
    }
    top
}

/// The sum of the exponentials of a row's logits, less the largest.
#[cube]
fn sum_of(logits: &Array<f32>, start: usize, classes: usize, top: f32) -> f32 {
    let mut sum = f32::new(0.0);
    for class in 0..classes {
        sum += (logits[start + class] - top).exp();
    }
    sum
}

#[cube(launch)]
fn of_classes(
    logits: &Array<f32>,
    targets: &Array<f32>,
    mean: &mut Array<f32>,
    slopes: &mut Array<f32>,
    rows: usize,
    classes: usize,
    #[comptime] is_class: bool,
) {
    let mut cost = f32::new(0.0);
    let mut row = UNIT_POS_X as usize;
    while row < rows {
        let start = row * classes;
        let top = top_of(logits, start, classes);
        let sum = sum_of(logits, start, classes, top);
        let mut weight = f32::new(1.0);
        let mut target = classes;
        if is_class {
            target = u32::cast_from(targets[row]) as usize;
            cost += sum.ln() - (logits[start + target] - top);
        } else {
            weight = f32::new(0.0);
            for class in 0..classes {
                let at = start + class;
                weight += targets[at];
                cost += targets[at] * (sum.ln() - (logits[at] - top));
            }
        }
        for class in 0..classes {
            let at = start + class;
            let mut slope = (logits[at] - top).exp() / sum * weight;
            if is_class {
                if class == target {
                    slope -= f32::new(1.0);
                }
            } else {
                slope -= targets[at];
            }
            slopes[at] = slope / f32::cast_from(rows as u32);
        }
        row += UNITS as usize;
    }
    let cost = sum_of_units(cost);
    if UNIT_POS_X == 0 {
        mean[0] = cost / f32::cast_from(rows as u32);
    }
}

#[cube(launch)]
fn of_tags(
    logits: &Array<f32>,
    targets: &Array<f32>,
    positive: &Array<f32>,
    mean: &mut Array<f32>,
    slopes: &mut Array<f32>,
    values: usize,
    tags: usize,
    #[comptime] is_weighed: bool,
) {
    let one = f32::new(1.0);
    let zero = f32::new(0.0);
    let mut cost = f32::new(0.0);
    let mut at = UNIT_POS_X as usize;
    while at < values {
        let x = logits[at];
        let mut present = targets[at];
        if is_weighed {
            present *= positive[at % tags];
        }
        let absent = one - targets[at];
        // −log σ(x) = max(−x, 0) + log(1 + e^−|x|), and −log(1 − σ(x)) is that of −x.
        let e = (-x.abs()).exp();
        cost +=
            present * max(-x, zero) + absent * max(x, zero) + (present + absent) * (one + e).ln();
        let mut sigmoid = one / (one + e);
        if x < zero {
            sigmoid = e / (one + e);
        }
        slopes[at] = (sigmoid * (present + absent) - present) / f32::cast_from(values as u32);
        at += UNITS as usize;
    }
    let cost = sum_of_units(cost);
    if UNIT_POS_X == 0 {
        mean[0] = cost / f32::cast_from(values as u32);
    }
}
