//! The learning rate of each step.

use super::settings::{ScheduleKind, TrainSettings};

/// The course of the learning rate over a run.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    kind: ScheduleKind,
    peak: f64,
    warmup_steps: f64,
    total_steps: f64,
}

impl Schedule {
    pub(super) fn new(settings: &TrainSettings, steps_per_epoch: usize) -> Self {
        Self {
            kind: settings.schedule,
            peak: settings.learning_rate,
            warmup_steps: settings.warmup_epochs * steps_per_epoch as f64,
            total_steps: (settings.epochs * steps_per_epoch) as f64,
        }
    }

    /// The learning rate of `step`, counted from 0 over the whole run. The warm-up rises linearly
    /// and reaches the peak in its last step; the cosine ends just above zero.
    pub(super) fn learning_rate(&self, step: usize) -> f64 {
        let step = step as f64;
        if step + 1.0 < self.warmup_steps {
            return self.peak * (step + 1.0) / self.warmup_steps;
        }
        match self.kind {
            ScheduleKind::Constant => self.peak,
            ScheduleKind::Cosine => {
                let rest = (self.total_steps - self.warmup_steps).max(1.0);
                let done = ((step - self.warmup_steps) / rest).clamp(0.0, 1.0);
                self.peak * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(kind: ScheduleKind) -> Schedule {
        let settings = TrainSettings {
            schedule: kind,
            epochs: 10,
            warmup_epochs: 1.0,
            learning_rate: 0.1,
            ..TrainSettings::default()
        };
        Schedule::new(&settings, 10)
    }

    #[test]
    fn warm_up_rises_linearly_to_the_peak() {
        for kind in [ScheduleKind::Constant, ScheduleKind::Cosine] {
            let s = schedule(kind);
            assert!((s.learning_rate(0) - 0.01).abs() < 1e-12);
            assert!((s.learning_rate(4) - 0.05).abs() < 1e-12);
            assert!((s.learning_rate(9) - 0.1).abs() < 1e-12);
        }
    }

    #[test]
    fn cosine_is_half_way_down_in_the_middle_and_near_zero_at_the_end() {
        let s = schedule(ScheduleKind::Cosine);
        assert!((s.learning_rate(55) - 0.05).abs() < 1e-12);
        assert!(s.learning_rate(99) < 0.1 * 0.001);
        assert!(s.learning_rate(99) > 0.0);
    }

    #[test]
    fn constant_stays() {
        let s = schedule(ScheduleKind::Constant);
        assert_eq!(s.learning_rate(10), 0.1);
        assert_eq!(s.learning_rate(99), 0.1);
    }
}
