//! The full-screen dashboard of `burn-train`, driven by the events of Sori's training loop.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use burn_train::Interrupter;
use burn_train::metric::{
    MetricDefinition, MetricEntry, MetricId, NumericAttributes, NumericEntry, SerializedEntry,
};
use burn_train::renderer::tui::TuiMetricsRendererWrapper;
use burn_train::renderer::{
    MetricState, MetricsRenderer, MetricsRendererTraining, ProgressType, TrainingProgress,
};

use crate::run::records::EpochRecord;
use crate::task::contract::Headline;
use crate::train::interrupt::stop_flag;
use crate::train::progress::Progress;

/// The full-screen dashboard.
pub(super) struct Tui {
    renderer: TuiMetricsRendererWrapper,
    interrupter: Interrupter,
    loss: MetricId,
    headline: MetricId,
    error_rate: MetricId,
}

impl Tui {
    pub(super) fn new() -> Self {
        let interrupter = Interrupter::new();
        let mut renderer = TuiMetricsRendererWrapper::new(interrupter.clone(), None);
        let mut register = |name: &str, higher_is_better| {
            let metric_id = MetricId::new(Arc::new(name.to_string()));
            renderer.register_metric(MetricDefinition {
                metric_id: metric_id.clone(),
                name: name.to_string(),
                description: None,
                attributes: NumericAttributes {
                    unit: None,
                    higher_is_better,
                }
                .into(),
            });
            metric_id
        };
        let loss = register("loss", false);
        let headline = register("headline metric", true);
        let error_rate = register("word error rate", false);
        Self {
            renderer,
            interrupter,
            loss,
            headline,
            error_rate,
        }
    }

    pub(super) fn step(&mut self, progress: &Progress) {
        // "Stop training" acts as Ctrl-C does: a checkpoint is written, then training ends.
        if self.interrupter.should_stop() {
            stop_flag().store(true, Ordering::Relaxed);
        }
        self.renderer.update_train(state(&self.loss, progress.loss));
        if let Some(accuracy) = progress.accuracy {
            self.renderer.update_train(state(&self.headline, accuracy));
        }
        let step = burn::data::dataloader::Progress {
            items_processed: progress.step,
            items_total: progress.steps,
        };
        let epochs = burn::data::dataloader::Progress {
            items_processed: progress.epoch,
            items_total: progress.epochs,
        };
        let indicator = ProgressType::Detailed {
            tag: "Epoch".to_string(),
            progress: epochs.clone(),
        };
        self.renderer.render_train(
            TrainingProgress {
                progress: Some(step),
                global_progress: epochs,
                iteration: Some(progress.step),
            },
            vec![indicator],
        );
    }

    pub(super) fn epoch(&mut self, record: &EpochRecord, headline: Headline) {
        self.renderer
            .update_valid(state(&self.loss, record.valid_loss));
        let metric = if headline.lower_is_better {
            &self.error_rate
        } else {
            &self.headline
        };
        let value = record.valid.get(headline.metric);
        self.renderer.update_valid(state(metric, value));
    }

    pub(super) fn end(&mut self) {
        // This restores the terminal; a failure would only leave the last screen.
        let _ = self.renderer.on_train_end(None);
    }
}

fn state(id: &MetricId, value: f64) -> MetricState {
    let text = format!("{value:.4}");
    let entry = MetricEntry::new(id.clone(), SerializedEntry::new(text.clone(), text));
    MetricState::Numeric(entry, NumericEntry::Value(value))
}
