//! The state beside network and optimizer that later steps depend on, as a checkpoint stores it.

use serde::{Deserialize, Serialize};

use crate::optim::loss_scale::LossScale;
use crate::settings::training::BestBy;
use crate::task::contract::{Headline, Seen};
use crate::task::metrics::Metrics;

/// The state beside network and optimizer that later steps depend on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RunState {
    /// Epochs that have ended.
    pub(crate) epoch: usize,
    pub(crate) step_in_epoch: usize,
    /// Over the whole run.
    pub(crate) step: usize,
    pub(crate) seconds: f64,
    pub(crate) epoch_seconds: f64,
    pub(crate) epoch_waited: f64,
    pub(crate) epoch_loss: f64,
    pub(crate) epoch_right: usize,
    pub(crate) epoch_blanks: usize,
    pub(crate) epoch_outputs: usize,
    pub(crate) epoch_domains_right: usize,
    pub(crate) epoch_items: usize,
    pub(crate) best: Option<Best>,
    pub(crate) epochs_since_best: usize,
    /// Plateaus so far, and epochs of the current one, for the plateau schedule.
    pub(crate) plateaus: usize,
    pub(crate) plateau_epochs: usize,
    /// The factor of the loss in half precision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) loss_scale: Option<LossScale>,
}

/// The best epoch so far.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Best {
    pub(crate) epoch: usize,
    pub(crate) metrics: Metrics,
    pub(crate) loss: f64,
    /// The threshold of each tag's score. Empty for other tasks.
    pub(crate) thresholds: Vec<f32>,
    /// The worst mistakes on the validation part, one per line.
    #[serde(default)]
    pub(crate) worst: Vec<String>,
}

impl RunState {
    /// Counts a batch of `items` with this mean loss.
    pub(crate) fn count(&mut self, loss: f64, seen: Seen, domains_right: usize, items: usize) {
        self.epoch_loss += loss * items as f64;
        self.epoch_right += seen.right;
        self.epoch_blanks += seen.blanks;
        self.epoch_outputs += seen.steps;
        self.epoch_domains_right += domains_right;
        self.epoch_items += items;
    }

    /// Training accuracy of the epoch so far.
    pub(crate) fn accuracy(&self) -> f64 {
        self.epoch_right as f64 / self.epoch_items.max(1) as f64
    }

    /// Share of domains predicted correctly so far.
    pub(crate) fn domain_accuracy(&self) -> f64 {
        self.epoch_domains_right as f64 / self.epoch_items.max(1) as f64
    }

    /// Share of blanks among the epoch's steps so far, or none without steps.
    pub(crate) fn blank(&self) -> Option<f64> {
        let steps = self.epoch_outputs;
        (steps > 0).then(|| self.epoch_blanks as f64 / steps as f64)
    }

    /// Ends an epoch with these validation results. Returns whether it is the best so far.
    pub(crate) fn end_epoch(
        &mut self,
        (by, headline): (BestBy, Headline),
        decay_epochs: usize,
        valid: Best,
    ) -> bool {
        let is_best = self
            .best
            .as_ref()
            .is_none_or(|best| best.is_beaten_by(by, headline, &valid));
        self.epoch += 1;
        if is_best {
            self.best = Some(valid);
            self.epochs_since_best = 0;
            self.plateau_epochs = 0;
        } else {
            self.epochs_since_best += 1;
            self.plateau_epochs += 1;
            if self.plateau_epochs >= decay_epochs {
                self.plateaus += 1;
                self.plateau_epochs = 0;
            }
        }
        is_best
    }

    /// The state at the beginning of the next epoch.
    pub(crate) fn next_epoch(&mut self) {
        *self = Self {
            epoch: self.epoch,
            step: self.step,
            best: self.best.take(),
            epochs_since_best: self.epochs_since_best,
            plateaus: self.plateaus,
            plateau_epochs: self.plateau_epochs,
            loss_scale: self.loss_scale,
            ..Self::default()
        };
    }
}

impl Best {
    /// Whether `new` is better, see [`BestBy`].
    fn is_beaten_by(&self, by: BestBy, headline: Headline, new: &Self) -> bool {
        let metric = headline.metric;
        let (found, best) = (new.metrics.get(metric), self.metrics.get(metric));
        match by {
            BestBy::Metric if found == best => new.loss < self.loss,
            BestBy::Metric if headline.lower_is_better => found < best,
            BestBy::Metric => found > best,
            BestBy::Loss => new.loss < self.loss,
            BestBy::Last => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::contract::Task;
    use crate::task::{Classify, Transcribe};

    /// A resumed run goes on with the loss scale that it had.
    #[test]
    fn the_loss_scale_outlives_an_epoch_and_a_checkpoint() {
        let mut scale = LossScale::default();
        scale.follow(false);
        let mut state = RunState {
            loss_scale: Some(scale),
            ..RunState::default()
        };
        state.next_epoch();
        let text = serde_json::to_string(&state).unwrap();
        let read: RunState = serde_json::from_str(&text).unwrap();
        assert_eq!(read.loss_scale, Some(scale));
        let without = serde_json::to_string(&RunState::default()).unwrap();
        assert!(!without.contains("loss_scale"), "{without}");
    }

    #[test]
    fn an_epoch_is_the_best_by_the_metric_the_loss_or_being_the_last() {
        let of = |headline: Headline, value, loss| Best {
            epoch: 1,
            metrics: Metrics([(headline.metric.to_string(), value)].into()),
            loss,
            thresholds: Vec::new(),
            worst: Vec::new(),
        };
        let beats = |by, headline, value, loss| {
            of(headline, 0.5, 2.0).is_beaten_by(by, headline, &of(headline, value, loss))
        };
        let (accuracy, errors) = (Classify::HEADLINE, Transcribe::HEADLINE);
        assert!(beats(BestBy::Metric, accuracy, 0.6, 3.0));
        assert!(!beats(BestBy::Metric, accuracy, 0.4, 1.0));
        assert!(beats(BestBy::Metric, accuracy, 0.5, 1.0));
        assert!(!beats(BestBy::Metric, accuracy, 0.5, 2.0));
        assert!(beats(BestBy::Metric, errors, 0.4, 3.0));
        assert!(!beats(BestBy::Metric, errors, 0.6, 1.0));
        for headline in [accuracy, errors] {
            assert!(beats(BestBy::Loss, headline, 0.5, 1.0));
            assert!(!beats(BestBy::Loss, headline, 0.4, 3.0));
            assert!(!beats(BestBy::Loss, headline, 0.6, 3.0));
            assert!(beats(BestBy::Last, headline, 0.5, 3.0));
        }
    }
}
