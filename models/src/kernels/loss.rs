//! Losses over logits: the value and the gradient in one pass. They are small next to what comes
//! before them and run on the calling thread.

use super::{Real, buffer};

/// Mean over the rows of `−log softmax(logits)[target]`, and its gradient, `(softmax − one-hot) /
/// rows`. The logits are `[rows, classes]`.
pub(crate) fn cross_entropy<T: Real>(logits: &[T], targets: &[usize]) -> (T, Vec<T>) {
    let classes = logits.len() / targets.len().max(1);
    let mut gradient = buffer::take(logits.len());
    let share = 1.0 / targets.len() as f64;
    let mut total = 0.0;
    let rows = logits.chunks_exact(classes.max(1));
    for ((row, gradient), &target) in rows
        .zip(gradient.chunks_exact_mut(classes.max(1)))
        .zip(targets)
    {
        let largest = row
            .iter()
            .fold(row[0], |max, &x| if x > max { x } else { max });
        let mut sum = 0.0;
        for (g, &x) in gradient.iter_mut().zip(row) {
            let e = (x - largest).exp();
            *g = e;
            sum += e.to_f64();
        }
        let scale = T::from_f64(share / sum);
        for g in gradient.iter_mut() {
            *g = *g * scale;
        }
        gradient[target] += T::from_f64(-share);
        total += sum.ln() - (row[target] - largest).to_f64();
    }
    (T::from_f64(total * share), gradient)
}

/// Mean over the rows of `−Σ weight · log softmax(logits)`, and its gradient, `(softmax · Σ weight −
/// weight) / rows`. Both are `[rows, classes]`.
pub(crate) fn soft_cross_entropy<T: Real>(
    logits: &[T],
    weights: &[T],
    classes: usize,
) -> (T, Vec<T>) {
    let mut gradient = buffer::take(logits.len());
    let rows = logits.len() / classes.max(1);
    let share = 1.0 / rows as f64;
    let mut total = 0.0;
    for ((row, gradient), weights) in logits
        .chunks_exact(classes.max(1))
        .zip(gradient.chunks_exact_mut(classes.max(1)))
        .zip(weights.chunks_exact(classes.max(1)))
    {
        let largest = row
            .iter()
            .fold(row[0], |max, &x| if x > max { x } else { max });
        let mut sum = 0.0;
        for (g, &x) in gradient.iter_mut().zip(row) {
            let e = (x - largest).exp();
            *g = e;
            sum += e.to_f64();
        }
        let weight: f64 = weights.iter().map(|w| w.to_f64()).sum();
        for ((g, &x), &w) in gradient.iter_mut().zip(row).zip(weights) {
            let (x, w) = ((x - largest).to_f64(), w.to_f64());
            total += w * (sum.ln() - x);
            *g = T::from_f64(share * (weight * g.to_f64() / sum - w));
        }
    }
    (T::from_f64(total * share), gradient)
}

/// Mean over all values of `−p·t log σ(x) − (1 − t) log(1 − σ(x))`, with `p` the weight of the
/// value's column, one without; and its gradient, `(σ(x) (1 − t + p·t) − p·t) / count`. Finite for
/// any finite logits.
pub(crate) fn binary_cross_entropy<T: Real>(
    logits: &[T],
    targets: &[T],
    positive: Option<&[T]>,
) -> (T, Vec<T>) {
    let mut gradient = buffer::take(logits.len());
    let share = 1.0 / logits.len() as f64;
    let mut total = 0.0;
    let mut weights = positive.into_iter().flatten().cycle();
    for ((g, &x), &t) in gradient.iter_mut().zip(logits).zip(targets) {
        let [x, t] = [x.to_f64(), t.to_f64()];
        let present = t * weights.next().map_or(1.0, |weight| weight.to_f64());
        let absent = 1.0 - t;
        // −log σ(x) = max(−x, 0) + log(1 + e^−|x|), and −log(1 − σ(x)) is that of −x.
        let e = (-x.abs()).exp();
        total += present * (-x).max(0.0) + absent * x.max(0.0) + (present + absent) * e.ln_1p();
        let sigmoid = if x >= 0.0 { 1.0 } else { e } / (1.0 + e);
        *g = T::from_f64((sigmoid * (absent + present) - present) * share);
    }
    (T::from_f64(total * share), gradient)
}
