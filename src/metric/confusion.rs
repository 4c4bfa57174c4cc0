//! The confusion matrix of a classifier, and the metrics that follow from it.

use std::fmt::Write;

use super::csv::csv_cell;

/// The counts of each pair of true and predicted class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    num_classes: usize,
    /// `[true class, predicted class]`, row by row.
    counts: Vec<usize>,
}

/// The metrics of one class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassMetrics {
    /// Number of examples of the class.
    pub occurs: usize,
    /// Share of the examples predicted as this class that are of it, or none if there are none.
    pub precision: Option<f64>,
    /// Share of the examples of the class that were predicted as it, or none if there are none.
    pub recall: Option<f64>,
    /// F₁ = 2·TP / (2·TP + FP + FN), or none if the class neither occurs nor is predicted.
    pub f1: Option<f64>,
}

impl ConfusionMatrix {
    /// An empty matrix.
    pub fn new(num_classes: usize) -> Self {
        Self {
            num_classes,
            counts: vec![0; num_classes * num_classes],
        }
    }

    /// Counts one example.
    ///
    /// # Panics
    /// When a class is not below the number of classes.
    pub fn add(&mut self, truth: usize, predicted: usize) {
        assert!(truth < self.num_classes && predicted < self.num_classes);
        self.counts[truth * self.num_classes + predicted] += 1;
    }

    /// Number of examples of class `truth` that were predicted as `predicted`.
    ///
    /// # Panics
    /// When a class is not below the number of classes.
    pub fn count(&self, truth: usize, predicted: usize) -> usize {
        assert!(predicted < self.num_classes);
        self.counts[truth * self.num_classes + predicted]
    }

    /// Number of examples.
    pub fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Share of the examples that were classified correctly, or 0 if there are none.
    pub fn accuracy(&self) -> f64 {
        let right: usize = (0..self.num_classes).map(|c| self.count(c, c)).sum();
        ratio(right, self.total())
    }

    /// Mean over the classes of F₁ = 2·TP / (2·TP + FP + FN). A class that neither occurs nor is
    /// predicted is left out, as in scikit-learn's `f1_score(average="macro")` over the labels that
    /// occur.
    pub fn macro_f1(&self) -> f64 {
        let scores: Vec<f64> = (0..self.num_classes)
            .filter_map(|class| self.of_class(class).f1)
            .collect();
        if scores.is_empty() {
            return 0.0;
        }
        scores.iter().sum::<f64>() / scores.len() as f64
    }

    /// The metrics of one class.
    ///
    /// # Panics
    /// When the class is not below the number of classes.
    pub fn of_class(&self, class: usize) -> ClassMetrics {
        let occurs: usize = (0..self.num_classes).map(|c| self.count(class, c)).sum();
        let predicted: usize = (0..self.num_classes).map(|c| self.count(c, class)).sum();
        let both = self.count(class, class);
        let share = |part, whole| (whole > 0).then(|| ratio(part, whole));
        ClassMetrics {
            occurs,
            precision: share(both, predicted),
            recall: share(both, occurs),
            f1: share(2 * both, occurs + predicted),
        }
    }

    /// Adds the examples of another matrix.
    ///
    /// # Panics
    /// When it has another number of classes.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(self.num_classes, other.num_classes);
        for (count, other) in self.counts.iter_mut().zip(&other.counts) {
            *count += other;
        }
    }

    /// The matrix as comma-separated values: a row per true class, a column per predicted class.
    ///
    /// # Panics
    /// When there are not as many labels as classes.
    pub fn to_csv(&self, labels: &[String]) -> String {
        assert_eq!(labels.len(), self.num_classes);
        let mut csv = "true\\predicted".to_string();
        for label in labels {
            // Writing to a string cannot fail.
            let _ = write!(csv, ",{}", csv_cell(label));
        }
        csv.push('\n');
        for (truth, label) in labels.iter().enumerate() {
            csv.push_str(&csv_cell(label));
            for predicted in 0..self.num_classes {
                let _ = write!(csv, ",{}", self.count(truth, predicted));
            }
            csv.push('\n');
        }
        csv
    }

    /// The most frequent confusions: (truth, predicted, count), most frequent first.
    pub fn worst(&self, most: usize) -> Vec<(usize, usize, usize)> {
        let mut pairs: Vec<_> = (0..self.num_classes)
            .flat_map(|truth| (0..self.num_classes).map(move |predicted| (truth, predicted)))
            .filter(|(truth, predicted)| truth != predicted)
            .map(|(truth, predicted)| (truth, predicted, self.count(truth, predicted)))
            .filter(|(_, _, count)| *count > 0)
            .collect();
        pairs.sort_by_key(|&(truth, predicted, count)| (usize::MAX - count, truth, predicted));
        pairs.truncate(most);
        pairs
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(pairs: &[(usize, usize)], num_classes: usize) -> ConfusionMatrix {
        let mut matrix = ConfusionMatrix::new(num_classes);
        for &(truth, predicted) in pairs {
            matrix.add(truth, predicted);
        }
        matrix
    }

    /// scikit-learn 1.9.1: `y = [0,1,2,0,1,2,2]`, `p = [0,2,1,0,0,1,2]`;
    /// `accuracy_score(y, p)` and `f1_score(y, p, average="macro")`.
    #[test]
    fn accuracy_and_macro_f1_equal_scikit_learns() {
        let m = matrix(&[(0, 0), (1, 2), (2, 1), (0, 0), (1, 0), (2, 1), (2, 2)], 3);
        assert!((m.accuracy() - 0.428_571_428_571_428_55).abs() < 1e-12);
        assert!((m.macro_f1() - 0.4).abs() < 1e-12);
    }

    /// scikit-learn 1.9.1 on the same: `precision_recall_fscore_support(y, p)` of class 2.
    #[test]
    fn metrics_of_a_class_equal_scikit_learns() {
        let m = matrix(&[(0, 0), (1, 2), (2, 1), (0, 0), (1, 0), (2, 1), (2, 2)], 4);
        let class = m.of_class(2);
        assert_eq!(class.occurs, 3);
        assert_eq!(class.precision, Some(0.5));
        assert_eq!(class.recall, Some(1.0 / 3.0));
        assert!((class.f1.unwrap() - 0.4).abs() < 1e-12);
        let none = m.of_class(3);
        assert_eq!((none.precision, none.recall, none.f1), (None, None, None));
    }

    #[test]
    fn a_class_that_is_not_there_does_not_count() {
        let m = matrix(&[(0, 0), (1, 1)], 5);
        assert_eq!(m.macro_f1(), 1.0);
        assert_eq!(matrix(&[], 2).macro_f1(), 0.0);
    }

    #[test]
    fn labels_with_commas_stay_one_cell() {
        let m = matrix(&[(0, 1)], 2);
        let csv = m.to_csv(&["a,b".to_string(), "c".to_string()]);
        assert_eq!(csv, "true\\predicted,\"a,b\",c\n\"a,b\",0,1\nc,0,0\n");
        assert_eq!(m.worst(3), [(0, 1, 1)]);
    }
}
