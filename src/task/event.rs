//! The stretches of a recording that have one label each, from the answers for its windows.

use serde::Serialize;

/// A stretch of a recording with one label.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SoundEvent {
    /// Start in seconds.
    pub start_s: f64,
    /// End in seconds.
    pub end_s: f64,
    /// The class or tag.
    pub label: String,
    /// The mean of the label's probability over the windows of the stretch.
    pub score: f32,
}

/// The events of a recording whose windows span these seconds and have these scores of each label.
/// `present` names the labels of a window. Consecutive windows with the same label are one event.
///
/// Windows may overlap. Each speaks for the time that is nearer to its middle than to that of another,
/// so that events of classes join without a gap.
pub(crate) fn events(
    spans: &[(f64, f64)],
    scores: &[Vec<f32>],
    labels: &[String],
    present: impl Fn(&[f32]) -> Vec<usize>,
) -> Vec<SoundEvent> {
    let (Some(first), Some(last)) = (spans.first(), spans.last()) else {
        return Vec::new();
    };
    let middle = |span: &(f64, f64)| f64::midpoint(span.0, span.1);
    let between = spans
        .windows(2)
        .map(|two| f64::midpoint(middle(&two[0]), middle(&two[1])));
    let bounds: Vec<f64> = [first.0]
        .into_iter()
        .chain(between)
        .chain([last.1])
        .collect();
    // Of each label the first window of the event that goes on, if one does.
    let mut began: Vec<Option<usize>> = vec![None; labels.len()];
    let mut found = Vec::new();
    for window in 0..=scores.len() {
        let here = scores.get(window).map_or_else(Vec::new, |row| present(row));
        for (label, began) in began.iter_mut().enumerate() {
            match (*began, here.contains(&label)) {
                (None, true) => *began = Some(window),
                (Some(start), false) => {
                    let each = scores[start..window].iter().map(|row| row[label]);
                    let event = SoundEvent {
                        start_s: bounds[start],
                        end_s: bounds[window],
                        label: labels[label].clone(),
                        score: each.sum::<f32>() / (window - start) as f32,
                    };
                    found.push((start, label, event));
                    *began = None;
                }
                _ => {}
            }
        }
    }
    found.sort_by_key(|&(start, label, _)| (start, label));
    found.into_iter().map(|(_, _, event)| event).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(scores: &[[f32; 2]], threshold: f32) -> Vec<(f64, f64, String, f32)> {
        let spans: Vec<(f64, f64)> = (0..scores.len())
            .map(|at| (at as f64, at as f64 + 2.0))
            .collect();
        let scores: Vec<Vec<f32>> = scores.iter().map(|row| row.to_vec()).collect();
        let labels = ["a", "b"].map(String::from);
        let present = |row: &[f32]| (0..2).filter(|&it| row[it] >= threshold).collect();
        let events = events(&spans, &scores, &labels, present).into_iter();
        events
            .map(|it| (it.start_s, it.end_s, it.label, it.score))
            .collect()
    }

    #[test]
    fn consecutive_windows_with_one_label_are_one_event() {
        let scores = [[0.75, 0.1], [0.5, 0.1], [0.1, 0.9], [0.75, 0.1]];
        let [a, b] = ["a", "b"].map(String::from);
        let expected = [
            (0.0, 2.5, a.clone(), 0.625),
            (2.5, 3.5, b, 0.9),
            (3.5, 5.0, a, 0.75),
        ];
        assert_eq!(found(&scores, 0.5), expected);
    }

    #[test]
    fn events_of_several_tags_overlap_and_windows_may_have_none() {
        let scores = [[0.5, 0.5], [0.5, 0.1], [0.1, 0.1]];
        let [a, b] = ["a", "b"].map(String::from);
        assert_eq!(
            found(&scores, 0.5),
            [(0.0, 2.5, a, 0.5), (0.0, 1.5, b, 0.5)]
        );
        assert!(found(&[], 0.5).is_empty());
        assert_eq!(found(&[[0.9, 0.0]], 0.5)[0].1, 2.0);
    }
}
