//! Connectionist temporal classification: three launches for all rows of a batch, whatever its length.
//!
//! 1. [`LogSums`]: the logarithm of the sum of the exponentials of each step's scores.
//! 2. [`Recursions`]: one cube for each row and direction goes through the steps. The backward
//!    recursion is the forward one over the reversed steps of the reversed transcript.
//! 3. [`Gradient`]: one cube for each step of each row. Only what each step's states have of it
//!    relative to one another counts, so no scale is carried over from the recursions.

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{Kernel, array};

/// The logarithm of the probability of what cannot be. Finite, so that a difference of two is a
/// number.
const IMPOSSIBLE: f32 = -1e30;
/// Below this a logarithm is that of something impossible.
const LEAST: f32 = -1e29;
/// Steps after which the logarithms are brought back to zero, near which they keep their digits.
const RESCALE_EVERY: usize = 16;
/// Units of a cube that works on one step.
const LINE_UNITS: u32 = 32;

/// Sizes of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Rows.
    pub(crate) batch: usize,
    /// Steps of every row, with padding.
    pub(crate) steps: usize,
    /// Symbols, the blank among them.
    pub(crate) symbols: usize,
    /// Labels of the longest transcript.
    pub(crate) labels: usize,
}

impl Sizes {
    /// Blanks and labels in turn, of the longest transcript.
    pub(crate) fn states(&self) -> usize {
        2 * self.labels + 1
    }

    /// Room for them in shared memory: the same for many batches, as each size is compiled anew.
    fn capacity(&self) -> usize {
        self.states().next_multiple_of(128)
    }

    /// Whether two lines of states fit in the shared memory of every device.
    pub(crate) fn fit(&self) -> bool {
        2 * self.capacity() * size_of::<f32>() <= 16384
            && self.batch <= 65535
            && self.steps <= 65535
    }

    fn line_cubes(&self) -> CubeCount {
        CubeCount::Static(self.steps as u32, self.batch as u32, 1)
    }
}

/// `[batch, steps, symbols]` to `[batch, steps]`.
#[derive(Debug, Clone)]
pub(crate) struct LogSums(pub(crate) Sizes);

impl Kernel for LogSums {
    const NAME: &'static str = "sori_ctc_log_sums";

    fn launch<R: CubeRuntime>(&self, inputs: Vec<CubeTensor<R>>, outputs: Vec<CubeTensor<R>>) {
        log_sums::launch::<R>(
            &inputs[0].client,
            self.0.line_cubes(),
            CubeDim::new_1d(LINE_UNITS),
            array(&inputs[0]),
            array(&outputs[0]),
            self.0.steps,
            self.0.symbols,
        );
    }
}

/// The scores, their log-sums, the labels of each row and its length and number of labels, to the
/// log-probabilities `[2, batch, steps, states]` of both directions, the losses `[batch]`, and whether
/// a path is there.
#[derive(Debug, Clone)]
pub(crate) struct Recursions {
    pub(crate) sizes: Sizes,
    /// Whether the loss of a row without a path is zero.
    pub(crate) zero_infinity: bool,
    /// Whether the backward direction is wanted as well.
    pub(crate) both: bool,
}

impl Kernel for Recursions {
    const NAME: &'static str = "sori_ctc_recursions";

    fn launch<R: CubeRuntime>(&self, inputs: Vec<CubeTensor<R>>, outputs: Vec<CubeTensor<R>>) {
        let sizes = self.sizes;
        let client = &inputs[0].client;
        let most = client.properties().hardware.max_cube_dim.0.min(256);
        let units = (sizes.states().next_multiple_of(32) as u32).min(most);
        recursions::launch::<R>(
            client,
            CubeCount::Static(sizes.batch as u32, if self.both { 2 } else { 1 }, 1),
            CubeDim::new_1d(units),
            array(&inputs[0]),
            array(&inputs[1]),
            array(&inputs[2]),
            array(&inputs[3]),
            array(&outputs[0]),
            array(&outputs[1]),
            array(&outputs[2]),
            sizes.batch,
            sizes.steps,
            sizes.symbols,
            sizes.labels,
            if self.zero_infinity {
                0.0
            } else {
                f32::INFINITY
            },
            sizes.capacity(),
        );
    }
}

/// What [`Recursions`] takes and gives to the gradient of each row's loss by its scores.
#[derive(Debug, Clone)]
pub(crate) struct Gradient {
    pub(crate) sizes: Sizes,
    /// Whether the gradient of a row without a path is zero, instead of not a number.
    pub(crate) zero_infinity: bool,
}

impl Kernel for Gradient {
    const NAME: &'static str = "sori_ctc_gradient";

    fn launch<R: CubeRuntime>(&self, inputs: Vec<CubeTensor<R>>, outputs: Vec<CubeTensor<R>>) {
        let sizes = self.sizes;
        gradient::launch::<R>(
            &inputs[0].client,
            sizes.line_cubes(),
            CubeDim::new_1d(LINE_UNITS),
            array(&inputs[0]),
            array(&inputs[1]),
            array(&inputs[2]),
            array(&inputs[3]),
            array(&inputs[4]),
            array(&inputs[5]),
            array(&outputs[0]),
            sizes.batch,
            sizes.steps,
            sizes.symbols,
            sizes.labels,
            if self.zero_infinity { 0.0 } else { f32::NAN },
            sizes.capacity(),
        );
    }
}

#[cube(launch)]
fn log_sums(logits: &Array<f32>, sums: &mut Array<f32>, steps: usize, symbols: usize) {
    let line = CUBE_POS_Y as usize * steps + CUBE_POS_X as usize;
    let unit = UNIT_POS_X as usize;
    let mut of_units = SharedMemory::<f32>::new(2 * LINE_UNITS as usize);
    let mut top = f32::new(-1e38);
    let mut sum = f32::new(0.0);
    let mut symbol = unit;
    while symbol < symbols {
        let x = logits[line * symbols + symbol];
        if x > top {
            sum = sum * (top - x).exp() + 1.0;
            top = x;
        } else {
            sum += (x - top).exp();
        }
        symbol += LINE_UNITS as usize;
    }
    of_units[unit] = top;
    of_units[LINE_UNITS as usize + unit] = sum;
    sync_cube();
    if unit == 0 {
        for other in 1..LINE_UNITS as usize {
            top = max(top, of_units[other]);
        }
        let mut total = f32::new(0.0);
        for other in 0..LINE_UNITS as usize {
            total += of_units[LINE_UNITS as usize + other] * (of_units[other] - top).exp();
        }
        sums[line] = top + total.ln();
    }
}

/// The symbol of a state of a row: the blank, or a label.
#[cube]
fn symbol_of(labels: &Array<i32>, row: usize, width: usize, state: usize) -> usize {
    let mut symbol = 0usize;
    if state % 2 == 1 {
        symbol = labels[row * width + state / 2] as usize;
    }
    symbol
}

/// `log(eᵃ + eᵇ + eᶜ)`
#[cube]
fn log_sum(a: f32, b: f32, c: f32) -> f32 {
    let top = max(max(a, b), c);
    top + ((a - top).exp() + (b - top).exp() + (c - top).exp()).ln()
}

#[cube(launch)]
fn recursions(
    logits: &Array<f32>,
    sums: &Array<f32>,
    labels: &Array<i32>,
    rows: &Array<i32>,
    reached: &mut Array<f32>,
    losses: &mut Array<f32>,
    possible: &mut Array<f32>,
    batch: usize,
    steps: usize,
    symbols: usize,
    width: usize,
    without: f32,
    #[comptime] capacity: usize,
) {
    let row = CUBE_POS_X as usize;
    let backward = CUBE_POS_Y == 1;
    let length = rows[2 * row] as usize;
    let last = 2 * rows[2 * row + 1] as usize;
    let states = 2 * width + 1;
    let impossible = f32::new(IMPOSSIBLE);
    // The states after a step and after the one before, in turns.
    let mut line = SharedMemory::<f32>::new(2 * capacity);
    let mut scale = f32::new(0.0);

    for step in 0..length {
        let now = (step % 2) * capacity;
        let before = capacity - now;
        let time = select(backward, length - 1 - step, step);
        let at = row * steps + time;
        let mut shift = f32::new(0.0);
        if step > 0 && step % RESCALE_EVERY == 0 {
            shift = line[before];
            for state in 1..last + 1 {
                shift = max(shift, line[before + state]);
            }
            scale += shift;
        }
        let mut place = UNIT_POS_X as usize;
        while place <= last {
            let state = select(backward, last - place, place);
            let symbol = symbol_of(labels, row, width, state);
            let mut value = logits[at * symbols + symbol] - sums[at];
            if value < impossible {
                value = impossible;
            }
            if step == 0 {
                if place > 1 {
                    value = impossible;
                }
            } else {
                let stay = line[before + place] - shift;
                let mut one = impossible;
                let mut two = impossible;
                if place >= 1 {
                    one = line[before + place - 1] - shift;
                }
                if place >= 2 && place % 2 == 1 {
                    let other = select(backward, state + 2, state - 2);
                    if symbol_of(labels, row, width, other) != symbol {
                        two = line[before + place - 2] - shift;
                    }
                }
                value += log_sum(stay, one, two);
            }
            line[now + place] = value;
            reached[((CUBE_POS_Y as usize * batch + row) * steps + time) * states + state] = value;
            place += CUBE_DIM_X as usize;
        }
        sync_cube();
    }

    if UNIT_POS_X == 0 && !backward {
        let mut end = impossible;
        if length == 0 {
            if last == 0 {
                end = f32::new(0.0);
            }
        } else {
            let now = ((length - 1) % 2) * capacity;
            let mut label = impossible;
            if last > 0 {
                label = line[now + last - 1];
            }
            end = scale + log_sum(line[now + last], label, impossible);
        }
        if end < LEAST {
            losses[row] = without;
            possible[row] = f32::new(0.0);
        } else {
            losses[row] = -end;
            possible[row] = f32::new(1.0);
        }
    }
}

#[cube(launch)]
fn gradient(
    logits: &Array<f32>,
    sums: &Array<f32>,
    labels: &Array<i32>,
    rows: &Array<i32>,
    reached: &Array<f32>,
    possible: &Array<f32>,
    gradient: &mut Array<f32>,
    batch: usize,
    steps: usize,
    symbols: usize,
    width: usize,
    without: f32,
    #[comptime] capacity: usize,
) {
    let row = CUBE_POS_Y as usize;
    let step = CUBE_POS_X as usize;
    let unit = UNIT_POS_X as usize;
    let units = LINE_UNITS as usize;
    let at = row * steps + step;
    let length = rows[2 * row] as usize;
    let last = 2 * rows[2 * row + 1] as usize;
    let states = 2 * width + 1;
    let mut shares = SharedMemory::<f32>::new(capacity);
    let valid = step < length;
    let is_possible = possible[row] > 0.0;

    // How much of all paths is at each state.
    if valid {
        let mut state = unit;
        while state <= last {
            let symbol = symbol_of(labels, row, width, state);
            let mut score = logits[at * symbols + symbol] - sums[at];
            if score < IMPOSSIBLE {
                score = f32::new(IMPOSSIBLE);
            }
            // Both directions have the step's own symbol.
            let forward = reached[at * states + state];
            let backward = reached[(batch * steps + at) * states + state];
            shares[state] = forward + (backward - score);
            state += units;
        }
    }
    sync_cube();
    let mut top = f32::new(-1e38);
    let mut total = f32::new(0.0);
    if valid {
        for state in 0..last + 1 {
            top = max(top, shares[state]);
        }
        for state in 0..last + 1 {
            total += (shares[state] - top).exp();
        }
    }

    let mut symbol = unit;
    while symbol < symbols {
        let mut slope = f32::new(0.0);
        if valid {
            if is_possible {
                let mut share = f32::new(0.0);
                if symbol == 0 {
                    for blank in 0..last / 2 + 1 {
                        share += (shares[2 * blank] - top).exp();
                    }
                } else {
                    for label in 0..last / 2 {
                        if labels[row * width + label] as usize == symbol {
                            share += (shares[2 * label + 1] - top).exp();
                        }
                    }
                }
                slope = (logits[at * symbols + symbol] - sums[at]).exp() - share / total;
            } else {
                slope = without;
            }
        }
        gradient[at * symbols + symbol] = slope;
        symbol += units;
    }
}
