//! Cross entropy of transcripts, symbol by symbol.

use burn::tensor::{Tensor, TensorData, backend::Backend};

use super::soft_cross_entropy;

/// Cross entropy of logits against the symbols of each row, averaged over all symbols of all rows, in
/// nats. The logits past a row's symbols count for nothing.
///
/// With label smoothing ([Szegedy et al. 2015](https://arxiv.org/abs/1512.00567)) a target's
/// probability is `1 − smoothing`, and that share is spread evenly over all symbols, the target
/// included, as in PyTorch.
///
/// # Shapes
/// - `logits`: `[batch, length, symbols]`, finite
/// - `targets`: of each row at most `length` symbols, each below `symbols`; one at least in all
/// - output: `[1]`
///
/// # Panics
/// If the targets are not so.
pub fn sequence_cross_entropy<B: Backend>(
    logits: Tensor<B, 3>,
    targets: &[Vec<usize>],
    smoothing: f64,
) -> Tensor<B, 1> {
    let [batch, length, symbols] = logits.dims();
    assert_eq!(targets.len(), batch, "one row of targets for each row");
    let count: usize = targets.iter().map(Vec::len).sum();
    assert!(count > 0, "no target at all");
    // The mean is over all rows of logits: those with a target count for those without as well.
    let share = (batch * length) as f64 / count as f64;
    let mut weights = vec![0.0; batch * length * symbols];
    for (row, targets) in targets.iter().enumerate() {
        assert!(
            targets.len() <= length,
            "row {row} has {} targets for {length} logits",
            targets.len()
        );
        let weights = &mut weights[row * length * symbols..][..targets.len() * symbols];
        for (weights, &target) in weights.chunks_exact_mut(symbols).zip(targets) {
            assert!(target < symbols, "row {row}: target {target} of {symbols}");
            weights.fill((share * smoothing / symbols as f64) as f32);
            weights[target] += (share * (1.0 - smoothing)) as f32;
        }
    }
    let weights = TensorData::new(weights, [batch * length, symbols]);
    let weights = Tensor::from_data(weights, &logits.device());
    soft_cross_entropy(logits.reshape([batch * length, symbols]), weights)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn_ndarray::NdArray;

    #[test]
    fn the_mean_is_over_targets_and_padding_is_not_looked_at() {
        let logits = [
            [[1.0f32, 2.0, -1.0], [0.5, 0.0, 3.0]],
            [[-2.0, 0.0, 1.0], [1e6, 0.0, 0.0]],
        ];
        let device = Default::default();
        let loss = |smoothing| {
            let logits = Tensor::<NdArray<f32>, 3>::from_floats(logits, &device);
            sequence_cross_entropy(logits, &[vec![1, 0], vec![2]], smoothing).into_scalar()
        };
        let log_prob = |row: [f32; 3], target: usize| {
            let sum: f32 = row.iter().map(|x| x.exp()).sum();
            row[target] - sum.ln()
        };
        let rows = [(logits[0][0], 1), (logits[0][1], 0), (logits[1][0], 2)];
        for smoothing in [0.0, 0.3] {
            let cost = rows.map(|(row, target)| {
                let even: f32 = (0..3).map(|symbol| log_prob(row, symbol)).sum();
                -(1.0 - smoothing) * log_prob(row, target) - smoothing * even / 3.0
            });
            let expected = cost.iter().sum::<f32>() / 3.0;
            let found = loss(f64::from(smoothing));
            assert!((found - expected).abs() < 1e-5, "{found} and {expected}");
        }
    }
}
