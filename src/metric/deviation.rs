//! Mean and deviation over runs.

/// The mean, and the sample deviation (divided by one less than the size, or 0 for one value).
pub(crate) fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0).max(1.0)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_are_summed_up_by_mean_and_sample_deviation() {
        let (mean, deviation) = mean_and_deviation(&[0.8, 0.9, 1.0]);
        assert!((mean - 0.9).abs() < 1e-12 && (deviation - 0.1).abs() < 1e-12);
        assert_eq!(mean_and_deviation(&[0.7]), (0.7, 0.0));
    }
}
