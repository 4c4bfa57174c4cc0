//! What the epochs of a run say about how to improve it. Nothing here looks at the test part.

use crate::run::records::EpochRecord;
use crate::task::contract::Headline;

/// The share of the epochs over which a trend is looked for.
const TREND: f64 = 0.25;
/// A trend of the headline metric that is worth more epochs, relative to what is left to gain.
const STILL_BETTER: f64 = 0.15;
/// The gap between training and validation accuracy from which on a network knows its recordings by heart.
const BY_HEART: f64 = 0.08;
/// The accuracy below which a network has not learned its recordings. Augmented ones are harder than those
/// that it is validated on.
const NOT_LEARNED: f64 = 0.8;

/// Advice after a run of these epochs, most useful first. It was to train `epochs` of them, in so many
/// minutes if that is not 0, and was validated on `num_valid` recordings.
pub(crate) fn advice(
    records: &[EpochRecord],
    headline: Headline,
    (epochs, max_minutes): (usize, f64),
    num_valid: usize,
) -> Vec<String> {
    let honest: Vec<&EpochRecord> = records.iter().filter(|record| !record.joined).collect();
    let Some(&last) = honest.last() else {
        return Vec::new();
    };
    let mut advice = Vec::new();
    let before = honest[honest.len() - 1 - ((honest.len() - 1) as f64 * TREND).ceil() as usize];
    let [earlier, later] = [before, last].map(|record| record.valid.get(headline.metric));
    let (gain, left) = match headline.lower_is_better {
        true => (earlier - later, earlier),
        false => (later - earlier, 1.0 - earlier),
    };
    if honest.len() >= 4 && left > 0.0 && gain > STILL_BETTER * left {
        let more = match records.len() < epochs && max_minutes > 0.0 {
            true => format!("train.max_minutes = {}", 2.0 * max_minutes),
            false => format!("train.epochs = {}", 2 * epochs),
        };
        advice.push(format!(
            "it was still getting better ({} from {earlier:.3} to {later:.3} over its last epochs): longer \
             training would help, such as {more}",
            headline.metric,
        ));
    }
    // Twice the standard error of an accuracy.
    let chance =
        |accuracy: f64| 2.0 * (accuracy * (1.0 - accuracy) / num_valid.max(1) as f64).sqrt();
    let accuracies = last
        .train_accuracy
        .zip(last.valid.0.get("accuracy").copied());
    match accuracies {
        Some((train, valid)) if train - valid > BY_HEART.max(chance(valid)) => advice.push(format!(
            "it knows its training recordings (accuracy {train:.3}) better than others ({valid:.3}): more \
             recordings would help, or more augmentation, or a larger model.dropout"
        )),
        Some((train, valid)) if train.max(valid) < NOT_LEARNED && advice.is_empty() => {
            advice.push(format!(
                "it has not learned all of its training recordings (accuracy {train:.3}): a larger model, less \
                 augmentation or labels that are told apart more easily would help"
            ));
        }
        Some(_) => {}
        None => {
            let least = honest.iter().map(|record| record.valid_loss);
            let least = least.fold(f64::INFINITY, f64::min);
            if last.valid_loss - least > 0.1 * least.abs() && last.train_loss < before.train_loss {
                advice.push(format!(
                    "the validation loss rose from {least:.3} to {:.3} while the training loss fell: more \
                     recordings would help, or more augmentation",
                    last.valid_loss
                ));
            }
        }
    }
    advice
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::contract::Task;
    use crate::task::metrics::Metrics;
    use crate::task::{Classify, Regress};

    /// Epochs with these accuracies in training and validation.
    fn said(accuracies: &[(f64, f64)], num_valid: usize) -> String {
        let record = |(index, &(train, valid)): (usize, &(f64, f64))| EpochRecord {
            epoch: index + 1,
            step: index,
            learning_rate: 0.1,
            train_loss: 1.0,
            train_accuracy: Some(train),
            train_blank: None,
            train_domain_accuracy: None,
            valid_loss: 1.0,
            valid: Metrics([("accuracy".to_string(), valid)].into()),
            joined: false,
            best: true,
            seconds: 1.0,
            items_per_second: 1.0,
            waited: 0.0,
        };
        let mut records: Vec<_> = accuracies.iter().enumerate().map(record).collect();
        // Epochs that learned from the validation part say nothing.
        let last = records.last().unwrap().clone();
        records.push(EpochRecord {
            joined: true,
            train_accuracy: Some(0.0),
            ..last
        });
        advice(&records, Classify::HEADLINE, (5, 0.0), num_valid).join("\n")
    }

    #[test]
    fn advice_follows_from_what_the_epochs_show() {
        let rising = [(0.2, 0.2), (0.4, 0.4), (0.6, 0.6), (0.85, 0.85)];
        assert!(said(&rising, 400).contains("train.epochs = 10"));
        let by_heart = [(0.9, 0.7), (0.95, 0.72), (0.99, 0.71), (1.0, 0.71)];
        assert!(said(&by_heart, 400).starts_with("it knows its training recordings"));
        // Of eight recordings a gap says nothing.
        assert_eq!(said(&by_heart, 8), "");
        let not_learned = [(0.5, 0.5), (0.55, 0.54), (0.56, 0.55), (0.56, 0.55)];
        assert!(said(&not_learned, 400).starts_with("it has not learned"));
        let good = [(0.9, 0.95), (0.95, 0.97), (0.96, 0.98), (0.96, 0.98)];
        assert_eq!(said(&good, 400), "");
    }

    #[test]
    fn a_negative_loss_that_falls_is_no_rise() {
        let record = |loss: f64| EpochRecord {
            epoch: 1,
            step: 1,
            learning_rate: 0.1,
            train_loss: loss,
            train_accuracy: None,
            train_blank: None,
            train_domain_accuracy: None,
            valid_loss: loss,
            valid: Metrics([("mae".to_string(), 1.0)].into()),
            joined: false,
            best: true,
            seconds: 1.0,
            items_per_second: 1.0,
            waited: 0.0,
        };
        let falling = [-1.0, -1.5, -1.8, -2.0].map(record);
        let said = advice(&falling, Regress::HEADLINE, (4, 0.0), 100);
        assert!(said.is_empty(), "{said:?}");
        let mut rising = falling;
        rising[3].valid_loss = -1.0;
        let said = advice(&rising, Regress::HEADLINE, (4, 0.0), 100);
        assert!(said[0].contains("the validation loss rose"), "{said:?}");
    }
}
