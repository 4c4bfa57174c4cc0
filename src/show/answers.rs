//! The parts of a report that show the answers to a whole set: confusion, metrics of each class or tag,
//! calibration, and the worst recordings.

use super::confusion::confusion_picture;
use super::example::{example, longest_s};
use super::page::Page;
use super::reliability::reliability_picture;
use crate::error::Result;
use crate::infer::judge::{Classes, Judged, Tags, Worst};
use crate::task::answer::Answer;

/// Adds metrics of each class or tag, as tables and pictures.
pub(super) fn labels(page: &mut Page, judged: &Judged) -> Result<()> {
    if let Some(found) = &judged.classes {
        classes(page, found, &judged.labels)?;
    }
    if let Some(found) = &judged.tags {
        tags(page, found, &judged.labels);
    }
    Ok(())
}

/// Adds the recordings that it did worst on.
pub(super) fn worst(page: &mut Page, judged: &Judged) -> Result<()> {
    page.heading(&format!("What it did worst on, of {}", judged.total));
    let is_text = |worst: &Worst| matches!(worst.truth, Answer::Text(_));
    if judged.worst.iter().any(is_text) {
        page.note(
            "In transcripts, what is missing is struck out and what was added is underlined.",
        );
    }
    for worst in &judged.worst {
        let longest_s = longest_s(judged.worst.len(), worst.waveform.sample_rate_hz);
        example(page, worst, &judged.labels, longest_s)?;
    }
    Ok(())
}

/// A share to three decimals, or a dash where it is undefined.
fn share(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_string(), |value| format!("{value:.3}"))
}

fn classes(page: &mut Page, found: &Classes, labels: &[String]) -> Result<()> {
    let Classes {
        confusion,
        calibration,
    } = found;
    page.subheading("Which class was taken for which");
    match confusion_picture(confusion, labels, super::theme::Theme::Light)? {
        Some(light) => page.picture("Confusion matrix", |theme| {
            let drawn = confusion_picture(confusion, labels, theme)?;
            Ok(drawn.unwrap_or_else(|| light.clone()))
        })?,
        None => page.text("There are too many classes to draw which was taken for which."),
    }
    page.subheading("Class by class");
    let rows = labels.iter().enumerate().map(|(class, label)| {
        let class = confusion.of_class(class);
        let shares = [class.precision, class.recall, class.f1].map(share);
        [
            vec![label.clone(), class.occurs.to_string()],
            shares.to_vec(),
        ]
        .concat()
    });
    page.table(&["class", "recordings", "precision", "recall", "F1"], rows);
    page.subheading("How sure it was, and how often right");
    page.text(&format!(
        "Expected calibration error {:.3}: the mean distance of the bars from the diagonal, weighed by their \
         recordings, whose number stands in them. Bars below the diagonal are answers that were surer than right.",
        calibration.expected_error()
    ));
    page.picture("Reliability diagram", |theme| {
        reliability_picture(calibration, theme)
    })
}

fn tags(page: &mut Page, found: &Tags, labels: &[String]) {
    page.subheading("Tag by tag");
    let rows = labels.iter().enumerate().map(|(tag, label)| {
        let threshold = found.thresholds.get(tag).copied().unwrap_or(0.5);
        let tag = found.scores.of_tag(tag, threshold);
        vec![
            label.clone(),
            tag.occurs.to_string(),
            share(tag.average_precision),
            share(tag.roc_auc),
            format!("{threshold:.3}"),
            share(tag.precision),
            share(tag.recall),
            share(tag.f1),
        ]
    });
    page.table(
        &[
            "tag",
            "recordings",
            "average precision",
            "ROC-AUC",
            "threshold",
            "precision",
            "recall",
            "F1",
        ],
        rows,
    );
    page.note(
        "Precision, recall and F1 are at the threshold, which was chosen on the validation part.",
    );
}
