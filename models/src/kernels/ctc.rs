//! Connectionist temporal classification: log-softmax, the forward and the backward recursion in
//! log space, and the gradient of the logits, row by row.

use rayon::prelude::*;

use super::buffer::{self, Scratch};
use super::product::Shared;
use super::tasks::Tasks;
use super::tile::Real;

/// The logarithm of the probability of what cannot be. Finite, so that a difference of two is a
/// number.
const IMPOSSIBLE: f64 = -1e30;
/// Below this a logarithm is that of something impossible.
const LEAST: f64 = -1e29;
/// Steps after which the logarithms are brought back to zero, near which they keep their digits.
const RESCALE_EVERY: usize = 16;

/// The negative log-likelihood of each row's labels, and the gradient of each by its row's logits;
/// empty unless wanted. The logits are `[batch, steps, symbols]`, symbol 0 is the blank, and a row's
/// gradient is zero past its length. Where no path fits, the loss is infinite and the gradient not a
/// number; with `zero_infinity` both are zero.
pub(crate) fn ctc<T: Real>(
    logits: &[T],
    [steps, symbols]: [usize; 2],
    lengths: &[usize],
    targets: &[Vec<usize>],
    zero_infinity: bool,
    want_gradient: bool,
) -> (Vec<f64>, Vec<T>) {
    let row_len = steps * symbols;
    assert_eq!(logits.len(), lengths.len() * row_len);
    let mut gradient = buffer::take(if want_gradient { logits.len() } else { 0 });
    let shared = Shared::new(&mut gradient);
    let losses = (0..lengths.len()).into_par_iter().map(|index| {
        let valid = lengths[index].min(steps) * symbols;
        let logits = &logits[index * row_len..][..valid];
        if !want_gradient {
            let loss = row(logits, symbols, &targets[index], &mut []);
            return if zero_infinity && loss.is_infinite() {
                0.0
            } else {
                loss
            };
        }
        // SAFETY: this task alone writes this row.
        let (gradient, padding) =
            unsafe { shared.part(index * row_len, row_len) }.split_at_mut(valid);
        padding.fill(T::ZERO);
        let loss = row(logits, symbols, &targets[index], gradient);
        if !loss.is_infinite() {
            return loss;
        }
        let (loss, slope) = if zero_infinity {
            (0.0, 0.0)
        } else {
            (loss, f64::NAN)
        };
        gradient.fill(T::from_f64(slope));
        loss
    });
    (losses.gather(), gradient)
}

/// `log(eᵃ + eᵇ)`
#[inline(always)]
fn add2<T: Real>(a: T, b: T) -> T {
    let largest = if a > b { a } else { b };
    largest + ((a - largest).exp() + (b - largest).exp()).ln()
}

/// `log(eᵃ + eᵇ + eᶜ)`
#[inline(always)]
fn add3<T: Real>(a: T, b: T, c: T) -> T {
    let largest = if a > b { a } else { b };
    let largest = if largest > c { largest } else { c };
    largest + ((a - largest).exp() + (b - largest).exp() + (c - largest).exp()).ln()
}

/// The largest value; not a number if none is.
#[inline(always)]
fn largest<T: Real>(values: &[T]) -> T {
    let pick = |max: T, &x: &T| if x <= max { max } else { x };
    values.iter().fold(values[0], pick)
}

/// Takes the largest value off all of them, and returns it.
#[inline(always)]
fn rescale<T: Real>(values: &mut [T]) -> f64 {
    let shift = largest(values);
    for value in values {
        *value = *value - shift;
    }
    shift.to_f64()
}

vectorised! {
    /// The loss of one row of valid steps, and its gradient unless that is empty or the loss infinite.
    ///
    /// The path passes blanks and labels in turn, starting and ending with either, so there is a
    /// blank before each label and one after the last. Blanks and labels are kept apart, the labels
    /// with an impossible one before the first (forward) or after the last (backward): states that
    /// are neighbours in a path then lie at the same place of their lists, or one apart.
    fn row<T: Real>(logits: &[T], symbols: usize, labels: &[usize], gradient: &mut [T]) -> f64 {
        let steps = logits.len() / symbols;
        let count = labels.len();
        if steps == 0 {
            return if count == 0 { 0.0 } else { f64::INFINITY };
        }
        let impossible = T::from_f64(IMPOSSIBLE);
        let width = count + 1;

        let mut log_probs = Scratch::new(steps * symbols);
        let lines = logits.chunks_exact(symbols);
        for (line, log_probs) in lines.zip(log_probs.chunks_exact_mut(symbols)) {
            let top = largest(line);
            let mut sum = T::ZERO;
            for (y, &x) in log_probs.iter_mut().zip(line) {
                *y = (x - top).exp();
                sum += *y;
            }
            let log_sum = top + sum.ln();
            for (y, &x) in log_probs.iter_mut().zip(line) {
                let log_prob = x - log_sum;
                *y = if log_prob < impossible { impossible } else { log_prob };
            }
        }

        // What it costs to reach a label from the one before without a blank: nothing, unless the
        // two are the same.
        let mut skip = Scratch::new(width);
        for (index, cost) in skip.iter_mut().enumerate() {
            let differs = index > 0 && index < count && labels[index] != labels[index - 1];
            *cost = if differs { T::ZERO } else { impossible };
        }
        let mut of_labels = Scratch::new(width);
        of_labels.fill(T::ZERO);

        // α: the log-probability of all beginnings of paths that are at a state after a step, less
        // `scales[step]`.
        let mut alpha = Scratch::new(steps * 2 * width);
        let mut scales = vec![0.0; steps];
        {
            let (blanks, padded) = alpha[..2 * width].split_at_mut(width);
            blanks.fill(impossible);
            padded.fill(impossible);
            blanks[0] = log_probs[0];
            if let (Some(first), Some(&label)) = (padded.get_mut(1), labels.first()) {
                *first = log_probs[label];
            }
        }
        for step in 1..steps {
            let log_probs = &log_probs[step * symbols..][..symbols];
            let (before, now) = alpha[(step - 1) * 2 * width..].split_at_mut(2 * width);
            scales[step] = scales[step - 1];
            if step % RESCALE_EVERY == 0 {
                let scale = rescale(before);
                if scale < LEAST {
                    return f64::INFINITY;
                }
                scales[step - 1] += scale;
                scales[step] = scales[step - 1];
            }
            for (y, &label) in of_labels.iter_mut().zip(labels) {
                *y = log_probs[label];
            }
            let (blanks, padded) = before.split_at(width);
            let (new_blanks, new_padded) = now[..2 * width].split_at_mut(width);
            let of_blank = log_probs[0];
            for i in 0..width {
                new_blanks[i] = add2(blanks[i], padded[i]) + of_blank;
            }
            new_padded[0] = impossible;
            let (new_labels, now_at) = (&mut new_padded[1..width], &padded[1..width]);
            let (blanks, padded) = (&blanks[..count], &padded[..count]);
            let (skip, of_labels) = (&skip[..count], &of_labels[..count]);
            for i in 0..count {
                new_labels[i] = add3(now_at[i], blanks[i], padded[i] + skip[i]) + of_labels[i];
            }
        }
        let ends = &alpha[(steps - 1) * 2 * width..];
        let end = add2(ends[width - 1], ends[2 * width - 1]).to_f64();
        if end < LEAST {
            return f64::INFINITY;
        }
        let log_likelihood = end + scales[steps - 1];
        if gradient.is_empty() {
            return -log_likelihood;
        }

        // β: the log-probability of all ends of paths after a state, less `scale`; `following` has
        // it with the state's own symbol.
        let mut beta = Scratch::new(2 * width);
        let mut following = Scratch::new(2 * width);
        let mut scale = 0.0;
        beta.fill(impossible);
        beta[width - 1] = T::ZERO;
        if count > 0 {
            beta[width + count - 1] = T::ZERO;
        }
        let mut occupied = Scratch::new(symbols);
        for step in (0..steps).rev() {
            let log_probs = &log_probs[step * symbols..][..symbols];
            for (y, &label) in of_labels.iter_mut().zip(labels) {
                *y = log_probs[label];
            }
            // How probable it is that the path is at a state, of all paths: α + β, to the scale.
            let level = T::from_f64(log_likelihood - scales[step] - scale);
            let (blanks, padded) = alpha[step * 2 * width..][..2 * width].split_at(width);
            let (beta_blanks, beta_labels) = beta.split_at_mut(width);
            let (next_blanks, next_labels) = following.split_at_mut(width);
            for i in 0..width {
                next_blanks[i] = (blanks[i] + beta_blanks[i] - level).exp();
            }
            let labels_here = &padded[1..width];
            for i in 0..count {
                next_labels[i] = (labels_here[i] + beta_labels[i] - level).exp();
            }
            occupied.fill(T::ZERO);
            for &share in next_blanks.iter() {
                occupied[0] += share;
            }
            for (&share, &label) in next_labels.iter().zip(labels) {
                occupied[label] += share;
            }
            // One but for rounding.
            let total = occupied.iter().fold(T::ZERO, |sum, &share| sum + share);
            let gradient = &mut gradient[step * symbols..][..symbols];
            for ((g, &y), &share) in gradient.iter_mut().zip(log_probs).zip(occupied.iter()) {
                *g = y.exp() - share / total;
            }
            if step == 0 {
                break;
            }

            for i in 0..width {
                next_blanks[i] = beta_blanks[i] + log_probs[0];
                next_labels[i] = beta_labels[i] + of_labels[i];
            }
            next_labels[count] = impossible;
            if step % RESCALE_EVERY == 0 {
                scale += rescale(&mut following);
            }
            let (next_blanks, next_labels) = following.split_at(width);
            for i in 0..width {
                beta_blanks[i] = add2(next_blanks[i], next_labels[i]);
            }
            let (after_blanks, after_labels) = (&next_blanks[1..width], &next_labels[1..width]);
            let (next_labels, after_skip) = (&next_labels[..count], &skip[1..width]);
            for i in 0..count {
                let skipped = after_labels[i] + after_skip[i];
                beta_labels[i] = add3(next_labels[i], after_blanks[i], skipped);
            }
        }
        -log_likelihood
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(len: usize, seed: usize) -> Vec<f64> {
        (0..len)
            .map(|i| ((i * 7919 + seed * 104_729 + 13) % 1009) as f64 / 168.0 - 3.0)
            .collect()
    }

    /// A path without repetitions and blanks.
    fn collapsed(path: &[usize]) -> Vec<usize> {
        let mut labels = Vec::new();
        for (index, &symbol) in path.iter().enumerate() {
            if symbol != 0 && (index == 0 || path[index - 1] != symbol) {
                labels.push(symbol);
            }
        }
        labels
    }

    /// The loss by its definition: the probabilities of all paths that collapse to the labels.
    fn by_all_paths(logits: &[f64], symbols: usize, labels: &[usize]) -> f64 {
        let steps = logits.len() / symbols;
        let log_probs: Vec<f64> = logits
            .chunks_exact(symbols)
            .flat_map(|line| {
                let sum = line.iter().map(|x| x.exp()).sum::<f64>().ln();
                line.iter().map(move |x| x - sum)
            })
            .collect();
        let mut total = 0.0;
        for index in 0..symbols.pow(steps as u32) {
            let path: Vec<usize> = (0..steps)
                .map(|step| index / symbols.pow(step as u32) % symbols)
                .collect();
            if collapsed(&path) == labels {
                let places = path.iter().enumerate();
                let log_prob: f64 = places.map(|(t, &k)| log_probs[t * symbols + k]).sum();
                total += log_prob.exp();
            }
        }
        -f64::ln(total)
    }

    const LABELS: [&[usize]; 8] = [
        &[],
        &[1],
        &[2, 1],
        &[1, 1],
        &[2, 2, 1],
        &[1, 2, 1],
        &[2; 3],
        &[2; 5],
    ];

    #[test]
    fn the_loss_is_that_of_all_paths_and_the_gradient_its_finite_difference() {
        let symbols = 3;
        for (seed, labels) in LABELS.iter().enumerate() {
            for steps in 0..7 {
                let mut logits = values(steps * symbols, seed);
                let targets = [labels.to_vec()];
                let expected = by_all_paths(&logits, symbols, labels);
                let sizes = [steps, symbols];
                let (loss, gradient) = ctc(&logits, sizes, &[steps], &targets, false, true);
                let repeats = labels.windows(2).filter(|pair| pair[0] == pair[1]).count();
                if steps < labels.len() + repeats {
                    assert_eq!((loss[0], expected), (f64::INFINITY, f64::INFINITY));
                    assert!(gradient.iter().all(|g| g.is_nan()));
                    continue;
                }
                let off = (loss[0] - expected).abs();
                assert!(
                    off < 1e-12,
                    "{loss:?} and {expected}: {labels:?} in {steps}"
                );
                let (alone, none) = ctc(&logits, sizes, &[steps], &targets, false, false);
                assert_eq!((alone, none.len()), (loss, 0));
                for i in 0..logits.len() {
                    let (old, h) = (logits[i], 1e-5);
                    logits[i] = old + h;
                    let up = by_all_paths(&logits, symbols, labels);
                    logits[i] = old - h;
                    let down = by_all_paths(&logits, symbols, labels);
                    logits[i] = old;
                    let slope = (up - down) / (2.0 * h);
                    let found = gradient[i];
                    assert!(
                        (found - slope).abs() < 1e-8,
                        "{found} and {slope}: {labels:?}"
                    );
                }
            }
        }
    }

    /// A batch that is rescaled many times, with rows of every kind.
    fn long() -> (Vec<f64>, [usize; 2], Vec<usize>, Vec<Vec<usize>>) {
        let (steps, symbols) = (203, 29);
        let lengths = vec![203, 0, 0, 120, 31, 16, 203, 7, 203];
        let labels = |count: usize| (0..count).map(|i| 1 + i * i % 28).collect();
        let targets = [40, 0, 3, 45, 31, 0, 90, 9, 0].map(labels).to_vec();
        (
            values(9 * steps * symbols, 3),
            [steps, symbols],
            lengths,
            targets,
        )
    }

    #[test]
    fn single_precision_is_near_double_and_the_same_on_any_number_of_threads() {
        let (logits, sizes, lengths, targets) = long();
        let (wide, wide_gradient) = ctc(&logits, sizes, &lengths, &targets, true, true);
        let logits: Vec<f32> = logits.iter().map(|&x| x as f32).collect();
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let run = || ctc(&logits, sizes, &lengths, &targets, true, true);
            pool.expect("threads").install(run)
        };
        let (losses, gradient) = run(1);
        for (a, b) in losses.iter().zip(&wide) {
            assert!((a - b).abs() <= 3e-7 * b.abs(), "{a} and {b}");
        }
        for (a, b) in gradient.iter().zip(&wide_gradient) {
            assert!((f64::from(*a) - b).abs() < 1e-5, "{a} and {b}");
        }
        for threads in [2, 3] {
            assert!(
                run(threads) == (losses.clone(), gradient.clone()),
                "{threads} threads"
            );
        }
    }

    #[test]
    fn rows_know_nothing_of_each_other_and_of_padding() {
        let (mut logits, [steps, symbols], lengths, targets) = long();
        let rows = lengths.iter().zip(logits.chunks_exact_mut(steps * symbols));
        for (&length, row) in rows {
            row[length * symbols..].fill(f64::NAN);
        }
        let (losses, gradient) = ctc(&logits, [steps, symbols], &lengths, &targets, true, true);
        for (row, &length) in lengths.iter().enumerate() {
            let valid = row * steps * symbols..row * steps * symbols + length * symbols;
            let alone = &logits[valid.clone()];
            let targets = &targets[row..=row];
            let alone = ctc(alone, [length, symbols], &[length], targets, true, true);
            let padding = &gradient[valid.end..(row + 1) * steps * symbols];
            assert_eq!(alone, (vec![losses[row]], gradient[valid].to_vec()));
            assert!(padding.iter().all(|&g| g == 0.0));
        }
    }

    #[test]
    fn symbols_ruled_out_are_impossible_and_what_is_no_number_stays_none() {
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        let run = |logits: &[f32]| ctc(logits, [3, 3], &[3], &[vec![1]], false, true);
        let (loss, gradient) = run(&[0.0, -inf, 0.0, 0.0, 0.0, -inf, 0.0, 0.0, 0.0]);
        // Blank first, then the label before, after or between blanks, of 1/2 · 1/2 · 1/3 each.
        assert!((loss[0] - f64::ln(12.0 / 3.0)).abs() < 1e-6, "{loss:?}");
        assert!(gradient.iter().all(|g| g.is_finite()));
        let (loss, _) = run(&[0.0, -inf, 0.0, 0.0, -inf, 0.0, 0.0, -inf, 0.0]);
        assert_eq!(loss[0], f64::INFINITY);
        let (loss, _) = run(&[0.0, 1.0, 2.0, 0.0, nan, 0.0, 0.0, 1.0, 0.0]);
        assert!(loss[0].is_nan());
        // Far apart, but possible: the loss of any is 2e4, less what is exactly as probable.
        let (loss, gradient) = run(&[2e4, 0.0, 0.0, 2e4, 0.0, 0.0, 2e4, 0.0, 0.0]);
        assert!((loss[0] - (2e4 - f64::ln(3.0))).abs() < 1e-2, "{loss:?}");
        assert!((gradient[1] + 1.0 / 3.0).abs() < 1e-3, "{gradient:?}");
    }
}
