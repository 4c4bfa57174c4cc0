//! How far the probabilities of a classifier can be taken at their word.

/// Predictions by the probability of the predicted class, in ranges of equal width ([Guo et al.
/// 2017](https://arxiv.org/abs/1706.04599)).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calibration {
    ranges: [Range; Calibration::RANGES],
}

/// The predictions whose probability is in one range.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Range {
    /// How many there are.
    pub count: usize,
    /// How many of them were right.
    pub right: usize,
    /// The sum of their probabilities.
    pub confidence: f64,
}

impl Range {
    /// The share that was right, or none without predictions.
    pub fn accuracy(&self) -> Option<f64> {
        (self.count > 0).then(|| self.right as f64 / self.count as f64)
    }

    /// The mean probability, or none without predictions.
    pub fn mean_confidence(&self) -> Option<f64> {
        (self.count > 0).then(|| self.confidence / self.count as f64)
    }
}

impl Calibration {
    /// The number of ranges from 0 to 1.
    pub const RANGES: usize = 10;

    /// Counts a prediction: the probability of the predicted class, and whether it was right.
    pub fn add(&mut self, confidence: f32, right: bool) {
        let confidence = f64::from(confidence).clamp(0.0, 1.0);
        // The upper end of a range belongs to it, as in the paper.
        let index = (confidence * Self::RANGES as f64).ceil() as usize;
        let range = &mut self.ranges[index.clamp(1, Self::RANGES) - 1];
        range.count += 1;
        range.right += usize::from(right);
        range.confidence += confidence;
    }

    /// Adds the predictions of another set.
    pub fn merge(&mut self, other: &Self) {
        for (range, other) in self.ranges.iter_mut().zip(&other.ranges) {
            range.count += other.count;
            range.right += other.right;
            range.confidence += other.confidence;
        }
    }

    /// The ranges, lowest first.
    pub fn ranges(&self) -> &[Range] {
        &self.ranges
    }

    /// Number of predictions.
    pub fn total(&self) -> usize {
        self.ranges.iter().map(|range| range.count).sum()
    }

    /// The expected calibration error: the distance of accuracy and mean probability, averaged over the
    /// ranges by their predictions. 0 without predictions.
    pub fn expected_error(&self) -> f64 {
        let gap = |range: &Range| (range.right as f64 - range.confidence).abs();
        self.ranges.iter().map(gap).sum::<f64>() / self.total().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_the_weighted_mean_of_gaps() {
        let mut calibration = Calibration::default();
        // 4 predictions at 0.75, of which 3 are right: no gap. 2 at 0.95, one right: a gap of 0.45.
        for right in [true, true, true, false] {
            calibration.add(0.75, right);
        }
        calibration.add(0.95, true);
        calibration.add(0.95, false);
        let expected = (4.0 * 0.0 + 2.0 * 0.45) / 6.0;
        assert!((calibration.expected_error() - expected).abs() < 1e-7);
        assert_eq!(calibration.ranges()[7].accuracy(), Some(0.75));
        assert_eq!(calibration.ranges()[0].mean_confidence(), None);
    }

    #[test]
    fn the_ends_belong_to_the_first_and_the_last_range() {
        let mut calibration = Calibration::default();
        calibration.add(0.0, false);
        calibration.add(1.0, true);
        assert_eq!(calibration.ranges()[0].count, 1);
        assert_eq!(calibration.ranges()[9].count, 1);
        assert_eq!(calibration.expected_error(), 0.0);
        let mut both = Calibration::default();
        both.merge(&calibration);
        both.merge(&calibration);
        assert_eq!(both.total(), 4);
    }
}
