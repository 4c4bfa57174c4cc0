//! How sure a figure is that was measured on few recordings.

use crate::metric::wilson;

/// Fewer recordings than this say little.
const FEW: usize = 50;

/// The 95 % confidence interval of a metric that is a share of recordings.
pub(super) fn interval(metric: &str, value: f64, count: usize) -> Option<[f64; 2]> {
    let (low, high) = (metric == "accuracy").then(|| wilson(value, count))?;
    Some([low, high])
}

/// What is to be said of a metric that was measured on so many recordings.
pub(super) fn certainty(metric: &str, value: f64, count: usize) -> Vec<String> {
    let mut said = Vec::new();
    if let Some([low, high]) = interval(metric, value, count) {
        said.push(format!(
            "with 95 % confidence the {metric} is {low:.3} to {high:.3} (Wilson's interval of {count} recordings)"
        ));
    }
    if count < FEW {
        let recordings = if count == 1 {
            "recording says"
        } else {
            "recordings say"
        };
        said.push(format!(
            "{count} {recordings} little: differences may be chance"
        ));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_recordings_say_little() {
        let said = certainty("accuracy", 0.9375, 16).join("\n");
        assert!(said.contains("0.717 to 0.989") && said.contains("16 recordings say little"));
        assert_eq!(certainty("accuracy", 0.9, 300).len(), 1);
        assert!(certainty("wer", 0.1, 50).is_empty());
    }
}
