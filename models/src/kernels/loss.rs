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

/// Mean over all values of `−t log σ(x) − (1 − t) log(1 − σ(x))`, and its gradient, `(σ(x) − t) /
/// count`. Finite for any finite logits.
pub(crate) fn binary_cross_entropy<T: Real>(logits: &[T], targets: &[T]) -> (T, Vec<T>) {
    let mut gradient = buffer::take(logits.len());
    let share = 1.0 / logits.len() as f64;
    let mut total = 0.0;
    for ((g, &x), &t) in gradient.iter_mut().zip(logits).zip(targets) {
        // max(x, 0) − x·t + log(1 + e^−|x|)
        let [x, t] = [x.to_f64(), t.to_f64()];
        let e = (-x.abs()).exp();
        total += x.max(0.0) - x * t + e.ln_1p();
        let sigmoid = if x >= 0.0 { 1.0 } else { e } / (1.0 + e);
        *g = T::from_f64((sigmoid - t) * share);
    }
    (T::from_f64(total * share), gradient)
}
