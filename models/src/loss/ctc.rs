//! Connectionist temporal classification ([Graves et al.
//! 2006](https://www.cs.toronto.edu/~graves/icml_2006.pdf)): the loss of transcripts whose symbols
//! nobody has aligned with the steps.
//!
//! A path has one symbol for each step; without its repetitions and then without its blanks it
//! reads as a transcript. The loss is `−log Σ P(path)` over all paths that read as the right one.
//! The blank is symbol [`BLANK`], and transcripts hold the others.

use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Bool, Int, Tensor, TensorData, backend::Backend};

use crate::ops;

#[cfg(feature = "gpu")]
mod gpu;

/// The symbol that stands for none.
pub const BLANK: usize = 0;

/// Reduction of the losses of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reduction {
    /// They stay as they are.
    None,
    /// They are added.
    Sum,
    /// Each is divided by the length of its transcript, or by one where that is empty, and the
    /// mean is taken; as in PyTorch.
    #[default]
    Mean,
}

/// Options of [`ctc`](fn@ctc).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CtcOptions {
    /// Reduction of the losses of the rows.
    pub reduction: Reduction,
    /// Whether a row without a path has the loss and the gradient zero, instead of an infinite loss
    /// and a gradient that is not a number.
    pub zero_infinity: bool,
}

/// The fewest steps in which `labels` can be read: one for each, and a blank between two that are
/// the same.
pub fn steps_needed(labels: &[usize]) -> usize {
    let repeats = labels.windows(2).filter(|pair| pair[0] == pair[1]);
    labels.len() + repeats.count()
}

/// The negative log-likelihood of each row's transcript, in nats, reduced as the options say.
///
/// The scores may be logits or log-probabilities, which are their own log-softmax: the loss is the
/// same, and so is its gradient, that of the logits, `P(symbol at step) − P(symbol at step |
/// transcript)`. (PyTorch's gradient of log-probabilities is this one too.) Where a row's steps are
/// fewer than [`steps_needed`], no path is there and the loss is infinite. Steps past a row's length
/// change nothing.
///
/// # Shapes
/// - `logits`: `[batch, steps, symbols]`, finite or −∞
/// - `lengths`: valid steps of each row
/// - `targets`: the transcript of each row, of symbols in `1..symbols`; may be empty
/// - output: `[batch]` without a reduction, otherwise `[1]`
///
/// # Panics
/// If there is not one length and one transcript for each row, a length is beyond `steps`, or a
/// transcript holds what is none of the symbols.
pub fn ctc<B: Backend>(
    logits: Tensor<B, 3>,
    lengths: &[usize],
    targets: &[Vec<usize>],
    options: CtcOptions,
) -> Tensor<B, 1> {
    let [batch, steps, symbols] = logits.dims();
    assert_eq!(lengths.len(), batch, "one length for each row of the batch");
    assert_eq!(
        targets.len(),
        batch,
        "one transcript for each row of the batch"
    );
    for (row, (&length, labels)) in lengths.iter().zip(targets).enumerate() {
        assert!(
            length <= steps,
            "row {row} has length {length}, but there are {steps} steps"
        );
        assert!(
            labels
                .iter()
                .all(|label| (BLANK + 1..symbols).contains(label)),
            "the transcript of row {row}, {labels:?}, has symbols beyond 1 to {}",
            symbols.saturating_sub(1)
        );
    }
    #[cfg(feature = "ndarray")]
    if let Some(loss) = cpu::ctc(&logits, lengths, targets, options) {
        return loss;
    }
    #[cfg(feature = "gpu")]
    if let Some(losses) = gpu::ctc(&logits, lengths, targets, options.zero_infinity) {
        return reduced(losses, targets, options.reduction);
    }
    let losses = portable(logits, lengths, targets, options.zero_infinity); // [batch]
    reduced(losses, targets, options.reduction)
}

/// The losses of the rows `[batch]`, reduced.
fn reduced<B: Backend>(
    losses: Tensor<B, 1>,
    targets: &[Vec<usize>],
    reduction: Reduction,
) -> Tensor<B, 1> {
    match reduction {
        Reduction::None => losses,
        Reduction::Sum => losses.sum(),
        Reduction::Mean => {
            let weights = TensorData::new(mean_weights(targets), [targets.len()]);
            (losses.clone() * Tensor::from_data(weights, &losses.device())).sum()
        }
    }
}

/// Weight of each row's loss in [`Reduction::Mean`].
fn mean_weights(targets: &[Vec<usize>]) -> Vec<f32> {
    let rows = targets.iter();
    rows.map(|labels| 1.0 / (labels.len().max(1) * targets.len()) as f32)
        .collect()
}

/// The logarithm of the probability of what cannot be: finite, so that a difference of two is a
/// number.
const IMPOSSIBLE: f64 = -1e30;
/// Below this a logarithm is that of something impossible.
const LEAST: f64 = -1e29;

/// The loss of each row, by the forward and the backward recursion over whole batches.
///
/// Both run beside the graph, and the gradient they give is attached to the loss: a tape of all
/// steps would be longer, and log-sums of what is impossible have no derivative.
fn portable<B: Backend>(
    logits: Tensor<B, 3>,
    lengths: &[usize],
    targets: &[Vec<usize>],
    zero_infinity: bool,
) -> Tensor<B, 1> {
    let [batch, steps, symbols] = logits.dims();
    let device = logits.device();
    // A path passes blanks and labels in turn: state 2i + 1 is label i.
    let states = 2 * targets.iter().map(Vec::len).max().unwrap_or(0) + 1;
    let label = |row: usize, state: usize| -> Option<usize> {
        let odd = state % 2 == 1;
        targets[row].get(state / 2).copied().filter(|_| odd)
    };
    let of_states = |value: &dyn Fn(usize, usize) -> bool| {
        let costs: Vec<f32> = (0..batch * states)
            .map(|at| {
                if value(at / states, at % states) {
                    0.0
                } else {
                    IMPOSSIBLE as f32
                }
            })
            .collect();
        Tensor::<B, 2>::from_data(TensorData::new(costs, [batch, states]), &device)
    };
    let is_end = |row: usize, state: usize| {
        let last = 2 * targets[row].len();
        state == last || state + 1 == last
    };
    let skips = |row: usize, state: usize| {
        let before = state.checked_sub(2).and_then(|state| label(row, state));
        before.is_some() && label(row, state).is_some_and(|label| Some(label) != before)
    };
    let start = of_states(&|row, state| state < 2 && state <= 2 * targets[row].len());
    let unmoved = of_states(&|row, state| state == 0 && targets[row].is_empty());
    let end = of_states(&is_end);
    let skip = of_states(&skips);
    let skip_on = of_states(&|row, state| skips(row, state + 2));
    let length: Vec<i64> = lengths.iter().map(|&length| length as i64).collect();
    let length = Tensor::<B, 2, Int>::from_data(TensorData::new(length, [batch, 1]), &device);
    let ended = |step: usize| -> Tensor<B, 2, Bool> {
        let ended = length.clone().lower_equal_elem(step as i64);
        ended.expand([batch, states])
    };

    let logits = ops::zero_padding(logits, lengths); // [batch, steps, symbols]
    let log_probs = log_softmax(logits.clone().detach(), 2);
    let symbol_of_state: Vec<i64> = (0..batch * states)
        .map(|at| label(at / states, at % states).unwrap_or(BLANK) as i64)
        .collect();
    let symbol_of_state = TensorData::new(symbol_of_state, [batch, 1, states]);
    let symbol_of_state = Tensor::<B, 3, Int>::from_data(symbol_of_state, &device);
    let emissions = log_probs
        .clone()
        .gather(2, symbol_of_state.expand([batch, steps, states]))
        .clamp_min(IMPOSSIBLE); // [batch, steps, states]
    let emission = |step: usize| emissions.clone().narrow(1, step, 1).squeeze_dim::<2>(1);

    let beyond = Tensor::<B, 2>::full([batch, 2], IMPOSSIBLE, &device);
    let mut alphas: Vec<Tensor<B, 2>> = Vec::with_capacity(steps);
    for step in 0..steps {
        let moved = match alphas.last() {
            None => start.clone(),
            Some(before) => {
                let padded = Tensor::cat(vec![beyond.clone(), before.clone()], 1);
                let [two, one] = [0, 1].map(|from| padded.clone().narrow(1, from, states));
                log_sum([before.clone(), one, two + skip.clone()])
            }
        };
        let stays = alphas.last().unwrap_or(&unmoved).clone();
        alphas.push((moved + emission(step)).mask_where(ended(step), stays));
    }
    let mut betas = vec![end.clone()];
    for step in (1..steps).rev() {
        let following = betas[betas.len() - 1].clone() + emission(step);
        let padded = Tensor::cat(vec![following.clone(), beyond.clone()], 1);
        let [one, two] = [1, 2].map(|from| padded.clone().narrow(1, from, states));
        let moved = log_sum([following, one, two + skip_on.clone()]);
        betas.push(moved.mask_where(ended(step), end.clone()));
    }
    betas.reverse();

    let ends = alphas.last().unwrap_or(&unmoved).clone() + end; // [batch, states]
    let largest = ends.clone().max_dim(1); // [batch, 1]
    let log_likelihood = (ends - largest.clone()).exp().sum_dim(1).log() + largest;
    let no_path = log_likelihood.clone().lower_elem(LEAST); // [batch, 1]
    if steps == 0 {
        let infinite = if zero_infinity { 0.0 } else { f64::INFINITY };
        return log_likelihood
            .neg()
            .mask_fill(no_path, infinite)
            .squeeze_dim(1);
    }

    // What the path is at, of all paths that read as the transcript.
    let occupied = softmax(Tensor::stack::<3>(alphas, 1) + Tensor::stack(betas, 1), 2);
    let is_symbol: Vec<f32> = (0..batch * states * symbols)
        .map(|at| (at / symbols, at % symbols))
        .map(|(at, symbol)| (at / states, at % states, symbol))
        .map(|(row, state, symbol)| {
            let here = label(row, state).unwrap_or(BLANK);
            if here == symbol && state <= 2 * targets[row].len() {
                1.0
            } else {
                0.0
            }
        })
        .collect();
    let is_symbol = TensorData::new(is_symbol, [batch, states, symbols]);
    let occupied = occupied.matmul(Tensor::from_data(is_symbol, &device)); // [batch, steps, symbols]
    let gradient = ops::zero_padding(log_probs.exp() - occupied, lengths);
    let gradient = gradient.mask_fill(
        no_path
            .clone()
            .unsqueeze_dim::<3>(2)
            .expand([batch, steps, symbols]),
        0.0,
    );

    // What is ruled out by −∞ has no gradient, and times zero it would be no number.
    let line = (logits.clamp_min(IMPOSSIBLE) * gradient)
        .reshape([batch, steps * symbols])
        .sum_dim(1); // [batch, 1]
    let value = if zero_infinity { 0.0 } else { 1.0 };
    let loss = log_likelihood.neg().mask_fill(no_path.clone(), value);
    let loss = loss + (line.clone() - line.detach());
    // Infinite times one is the loss, and times a gradient of zero not a number.
    let factor = Tensor::<B, 2>::ones([batch, 1], &device);
    let loss = if zero_infinity {
        loss
    } else {
        loss * factor.mask_fill(no_path, f64::INFINITY)
    };
    loss.squeeze_dim(1)
}

/// The logarithm of the sum of the exponentials.
fn log_sum<B: Backend>([a, b, c]: [Tensor<B, 2>; 3]) -> Tensor<B, 2> {
    let largest = a.clone().max_pair(b.clone()).max_pair(c.clone());
    let part = |x: Tensor<B, 2>| (x - largest.clone()).exp();
    (part(a) + part(b) + part(c)).log() + largest
}

#[cfg(feature = "ndarray")]
mod cpu {
    use super::*;
    use crate::kernels::{buffer, ctc as kernel};
    use crate::ops::seam::{Array, Inputs, Operator, primitive};

    pub(super) fn ctc<B: Backend>(
        logits: &Tensor<B, 3>,
        lengths: &[usize],
        targets: &[Vec<usize>],
        options: CtcOptions,
    ) -> Option<Tensor<B, 1>> {
        let [batch, steps, symbols] = logits.dims();
        let inputs = Inputs::<B, 1>::recognise([primitive(logits)])?;
        let [logits] = inputs.values();
        let (sizes, want) = ([steps, symbols], inputs.is_tracked());
        let CtcOptions {
            reduction,
            zero_infinity,
        } = options;
        let (losses, gradient) = kernel::ctc(logits, sizes, lengths, targets, zero_infinity, want);
        let weights = match reduction {
            Reduction::Mean => mean_weights(targets),
            Reduction::None | Reduction::Sum => vec![1.0; batch],
        };
        let weighed = losses.iter().zip(&weights);
        let weighed = weighed.map(|(loss, &weight)| loss * f64::from(weight));
        let output: Vec<f32> = match reduction {
            Reduction::None => weighed.map(|loss| loss as f32).collect(),
            Reduction::Sum | Reduction::Mean => vec![weighed.sum::<f64>() as f32],
        };
        let dims = [output.len()];
        Some(inputs.finish(Ctc(weights), output, dims, |_| gradient))
    }

    /// Weight of each row's loss.
    #[derive(Debug)]
    struct Ctc(Vec<f32>);

    impl Operator<1> for Ctc {
        /// Gradient of each row's loss by its logits.
        type Saved = Vec<f32>;

        fn backward(
            self,
            mut found: Vec<f32>,
            gradient: Array,
            _: [bool; 1],
        ) -> [Option<Vec<f32>>; 1] {
            let row_len = found.len() / self.0.len().max(1);
            // One for each row, or the same for all.
            let factors = gradient.values().iter().cycle();
            let rows = found.chunks_exact_mut(row_len.max(1));
            for ((row, factor), weight) in rows.zip(factors).zip(&self.0) {
                for value in row {
                    *value *= factor * weight;
                }
            }
            buffer::give(gradient.into_vec());
            [Some(found)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_labels_need_a_blank_between_them() {
        assert_eq!(steps_needed(&[]), 0);
        assert_eq!(steps_needed(&[4, 2, 4]), 3);
        assert_eq!(steps_needed(&[4, 4, 4, 2]), 6);
    }
}
