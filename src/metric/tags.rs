//! Metrics of tags over a whole set: average precision, ROC-AUC, F1 and the best thresholds.

use super::csv::csv_cell;

/// Scores and truth of every tag in every recording of a set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TagScores {
    num_tags: usize,
    /// `[recordings, tags]`
    scores: Vec<f32>,
    /// `[recordings, tags]`
    truths: Vec<bool>,
}

/// The metrics of a tagger.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TagMetrics {
    /// Mean over the tags of average precision, scikit-learn's `average_precision_score`.
    pub map: f64,
    /// Average precision over all pairs of a recording and a tag.
    pub map_micro: f64,
    /// Mean over the tags of the area under the receiver operating characteristic.
    pub roc_auc: f64,
    /// The same over all pairs of a recording and a tag.
    pub roc_auc_micro: f64,
    /// Label-weighted label-ranking average precision ([Fonseca et al.
    /// 2019](https://arxiv.org/abs/1906.02975)): the mean over all right tags of the precision, among
    /// the tags of the same recording, at the tag's rank.
    pub lwlrap: f64,
    /// Mean over the tags of F₁ at their thresholds.
    pub macro_f1: f64,
}

/// The metrics of one tag. A metric is none where it is undefined.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TagDetails {
    /// Number of recordings that have it.
    pub occurs: usize,
    /// Average precision.
    pub average_precision: Option<f64>,
    /// Area under the receiver operating characteristic.
    pub roc_auc: Option<f64>,
    /// Share of the recordings that reach the threshold that have the tag.
    pub precision: Option<f64>,
    /// Share of the recordings with the tag that reach the threshold.
    pub recall: Option<f64>,
    /// F₁ at the threshold.
    pub f1: Option<f64>,
}

impl TagScores {
    /// Scores of no recording yet.
    pub fn new(num_tags: usize) -> Self {
        Self {
            num_tags,
            ..Self::default()
        }
    }

    /// Adds a recording: its score for each tag, and the tags that are right.
    ///
    /// # Panics
    /// When there is not one score for each tag, or a tag is not below the number of tags.
    pub fn add(&mut self, scores: &[f32], tags: &[usize]) {
        assert_eq!(scores.len(), self.num_tags);
        self.scores.extend_from_slice(scores);
        let first = self.truths.len();
        self.truths.resize(first + self.num_tags, false);
        for &tag in tags {
            assert!(tag < self.num_tags);
            self.truths[first + tag] = true;
        }
    }

    /// The number of recordings.
    pub fn len(&self) -> usize {
        self.scores.len() / self.num_tags.max(1)
    }

    /// Whether there are no recordings.
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// Score and truth of each recording for one tag.
    fn column(&self, tag: usize) -> Vec<(f32, bool)> {
        (tag..self.scores.len())
            .step_by(self.num_tags)
            .map(|at| (self.scores[at], self.truths[at]))
            .collect()
    }

    fn all(&self) -> Vec<(f32, bool)> {
        let pairs = self.scores.iter().zip(&self.truths);
        pairs.map(|(&score, &truth)| (score, truth)).collect()
    }

    /// The tags that no recording has. Ranking metrics leave them out.
    pub fn without_positive(&self) -> Vec<usize> {
        let lacks = |&tag: &usize| !self.column(tag).iter().any(|(_, truth)| *truth);
        (0..self.num_tags).filter(lacks).collect()
    }

    /// Average precision of each tag, or none if no recording has it.
    pub fn average_precisions(&self) -> Vec<Option<f64>> {
        let tags = 0..self.num_tags;
        tags.map(|tag| average_precision(self.column(tag)))
            .collect()
    }

    /// The tags as comma-separated values: how many recordings have each, its average precision, area
    /// under the curve, threshold and F₁ at it. A metric that is undefined for a tag is left empty.
    ///
    /// # Panics
    /// When there is not one label and one threshold for each tag.
    pub fn to_csv(&self, labels: &[String], thresholds: &[f32]) -> String {
        assert!(labels.len() == self.num_tags && thresholds.len() == self.num_tags);
        let shown = |value: Option<f64>| value.map_or_else(String::new, |v| format!("{v:.6}"));
        let mut csv = "tag,recordings,average_precision,roc_auc,threshold,f1\n".to_string();
        for (tag, label) in labels.iter().enumerate() {
            let threshold = thresholds[tag];
            let tag = self.of_tag(tag, threshold);
            let [ap, auc, f1] = [tag.average_precision, tag.roc_auc, tag.f1].map(shown);
            let (label, count) = (csv_cell(label), tag.occurs);
            csv.push_str(&format!("{label},{count},{ap},{auc},{threshold},{f1}\n"));
        }
        csv
    }

    /// The metrics of one tag at a threshold.
    pub fn of_tag(&self, tag: usize, threshold: f32) -> TagDetails {
        let column = self.column(tag);
        let count = |of: &dyn Fn(bool, bool) -> bool| {
            let hits = column.iter().filter(|(s, t)| of(*s >= threshold, *t));
            hits.count()
        };
        let occurs = count(&|_, truth| truth);
        let predicted = count(&|predicted, _| predicted);
        let both = count(&|predicted, truth| predicted && truth);
        let share = |whole: usize| (whole > 0).then(|| both as f64 / whole as f64);
        TagDetails {
            occurs,
            precision: share(predicted),
            recall: share(occurs),
            f1: f1(&column, threshold),
            average_precision: average_precision(column.clone()),
            roc_auc: roc_auc(column),
        }
    }

    /// The metrics, with F₁ at the threshold given for each tag.
    ///
    /// # Panics
    /// When there is not one threshold for each tag.
    pub fn metrics(&self, thresholds: &[f32]) -> TagMetrics {
        assert_eq!(thresholds.len(), self.num_tags);
        let tags = 0..self.num_tags;
        let f1 = |tag: usize| f1(&self.column(tag), thresholds[tag]);
        TagMetrics {
            map: mean(self.average_precisions().into_iter().flatten()),
            map_micro: average_precision(self.all()).unwrap_or(0.0),
            roc_auc: mean(tags.clone().filter_map(|tag| roc_auc(self.column(tag)))),
            roc_auc_micro: roc_auc(self.all()).unwrap_or(0.0),
            lwlrap: self.lwlrap(),
            macro_f1: mean(tags.filter_map(f1)),
        }
    }

    fn lwlrap(&self) -> f64 {
        let rows = self.scores.chunks_exact(self.num_tags.max(1));
        let precisions = rows
            .zip(self.truths.chunks_exact(self.num_tags.max(1)))
            .flat_map(|(scores, truths)| {
                let right = (0..scores.len()).filter(|&tag| truths[tag]);
                right.map(|tag| {
                    // Tags that tie share the worst of their ranks.
                    let ahead = |other: &usize| scores[*other] >= scores[tag];
                    let rank = (0..scores.len()).filter(ahead).count();
                    let hits = (0..scores.len()).filter(|o| truths[*o] && ahead(o)).count();
                    hits as f64 / rank as f64
                })
            });
        mean(precisions)
    }

    /// For each tag the threshold with the largest F₁ on these recordings, half-way between
    /// two scores; 0.5 for a tag that none of them has.
    pub fn best_thresholds(&self) -> Vec<f32> {
        (0..self.num_tags)
            .map(|tag| best_threshold(self.column(tag)))
            .collect()
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0, 0.0), |(count, sum), value| (count + 1, sum + value));
    if count == 0 {
        0.0
    } else {
        sum / f64::from(count)
    }
}

/// Calls `at` for each threshold, from the largest score down, with the numbers of positives and of
/// negatives that reach it, and the threshold.
fn descend(mut pairs: Vec<(f32, bool)>, mut at: impl FnMut(usize, usize, f32)) {
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut right, mut wrong) = (0, 0);
    for (index, &(score, truth)) in pairs.iter().enumerate() {
        if truth {
            right += 1;
        } else {
            wrong += 1;
        }
        if pairs.get(index + 1).is_none_or(|next| next.0 != score) {
            at(right, wrong, score);
        }
    }
}

/// `Σ (R_n − R_{n−1}) P_n` over the thresholds, or none without a positive.
fn average_precision(pairs: Vec<(f32, bool)>) -> Option<f64> {
    let positives = pairs.iter().filter(|(_, truth)| *truth).count();
    let (mut sum, mut before) = (0.0, 0);
    descend(pairs, |right, wrong, _| {
        let precision = right as f64 / (right + wrong) as f64;
        sum += (right - before) as f64 * precision;
        before = right;
    });
    (positives > 0).then(|| sum / positives as f64)
}

/// The share of pairs of a positive and a negative in which the positive scores higher, ties
/// counting half, or none without such a pair.
fn roc_auc(pairs: Vec<(f32, bool)>) -> Option<f64> {
    let positives = pairs.iter().filter(|(_, truth)| *truth).count();
    let negatives = pairs.len() - positives;
    let (mut area, mut before) = (0.0, (0, 0));
    descend(pairs, |right, wrong, _| {
        area += (wrong - before.1) as f64 * (right + before.0) as f64 / 2.0;
        before = (right, wrong);
    });
    (positives > 0 && negatives > 0).then(|| area / (positives as f64 * negatives as f64))
}

/// F₁ of a tag, or none if the tag neither occurs nor is predicted.
fn f1(pairs: &[(f32, bool)], threshold: f32) -> Option<f64> {
    let count = |of: &dyn Fn(bool, bool) -> bool| {
        let hits = pairs.iter().filter(|(s, t)| of(*s >= threshold, *t));
        hits.count() as f64
    };
    let both = count(&|predicted, truth| predicted && truth);
    let either = count(&|predicted, _| predicted) + count(&|_, truth| truth);
    (either > 0.0).then(|| 2.0 * both / either)
}

fn best_threshold(pairs: Vec<(f32, bool)>) -> f32 {
    let positives = pairs.iter().filter(|(_, truth)| *truth).count();
    if positives == 0 {
        return 0.5;
    }
    let mut steps = Vec::new();
    descend(pairs, |right, wrong, score| {
        steps.push((
            2.0 * right as f64 / (right + wrong + positives) as f64,
            score,
        ));
    });
    let best = steps.iter().enumerate().fold(
        0,
        |best, (i, step)| if step.0 > steps[best].0 { i } else { best },
    );
    let next = steps.get(best + 1).map_or(steps[best].1, |step| step.1);
    let middle = f32::midpoint(steps[best].1, next);
    // Between neighbouring numbers the middle is the lower of them.
    if middle > next { middle } else { steps[best].1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scores(rows: &[(&[f32], &[usize])]) -> TagScores {
        let mut scores = TagScores::new(rows[0].0.len());
        for (row, tags) in rows {
            scores.add(row, tags);
        }
        scores
    }

    #[test]
    fn a_perfect_ranking_scores_one_and_a_reversed_one_none_of_the_area() {
        let perfect = scores(&[(&[0.9, 0.1], &[0]), (&[0.2, 0.8], &[1]), (&[0.3, 0.2], &[])]);
        let m = perfect.metrics(&perfect.best_thresholds());
        let all = [
            m.map,
            m.map_micro,
            m.roc_auc,
            m.roc_auc_micro,
            m.lwlrap,
            m.macro_f1,
        ];
        assert!(all.iter().all(|value| *value == 1.0), "{m:?}");
        let reversed = scores(&[(&[0.1, 0.9], &[0]), (&[0.8, 0.2], &[1])]);
        assert_eq!(reversed.metrics(&[0.5; 2]).roc_auc, 0.0);
    }

    #[test]
    fn precision_and_recall_of_a_tag_are_at_its_threshold() {
        let set = scores(&[(&[0.9], &[0]), (&[0.7], &[]), (&[0.4], &[0]), (&[0.2], &[])]);
        let tag = set.of_tag(0, 0.5);
        assert_eq!(
            (tag.occurs, tag.precision, tag.recall, tag.f1),
            (2, Some(0.5), Some(0.5), Some(0.5))
        );
        assert_eq!(set.of_tag(0, 0.95).precision, None);
        assert_eq!(set.of_tag(0, 0.3).recall, Some(1.0));
    }

    #[test]
    fn a_tag_that_no_recording_has_is_left_out_and_named() {
        let set = scores(&[(&[0.9, 0.7, 0.1], &[0]), (&[0.2, 0.6, 0.3], &[2])]);
        assert_eq!(set.without_positive(), [1]);
        assert_eq!(set.average_precisions()[1], None);
        assert_eq!(set.metrics(&[0.5; 3]).map, 1.0);
    }

    proptest! {
        #[test]
        fn the_best_threshold_is_the_best_of_all_there_are(
            pairs in prop::collection::vec((0u8..12, any::<bool>()), 1..30),
        ) {
            let pairs: Vec<(f32, bool)> =
                pairs.into_iter().map(|(s, t)| (f32::from(s) / 12.0, t)).collect();
            prop_assume!(pairs.iter().any(|(_, truth)| *truth));
            let found = f1(&pairs, best_threshold(pairs.clone())).unwrap();
            for step in 0..=24 {
                let other = f1(&pairs, step as f32 / 24.0 - 0.01).unwrap_or(0.0);
                prop_assert!(found >= other - 1e-12, "{} beats {}", other, found);
            }
        }
    }
}
