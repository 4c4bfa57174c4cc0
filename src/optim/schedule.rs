//! Schedules of the learning rate and of the adversary's weight.

use crate::settings::training::{ScheduleKind, TrainSettings};

/// The learning rate at the start and at the end of a cycle, as fractions of its peak.
const CYCLE_START: f64 = 1.0 / 25.0;
const CYCLE_END: f64 = CYCLE_START / 1e4;
/// The fraction of a cycle in which the learning rate rises.
const CYCLE_RISE: f64 = 0.3;

/// The course of the learning rate over a run of one or more legs.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    legs: Vec<Leg>,
    total_steps: f64,
}

/// A part of a run in which the learning rate goes its whole course.
#[derive(Clone, Debug)]
struct Leg {
    first_step: usize,
    kind: ScheduleKind,
    peak: f64,
    warmup_steps: f64,
    total_steps: f64,
    decay_factor: f64,
    decay_steps: f64,
}

impl Schedule {
    /// The schedule of a run of legs, each of so many epochs and steps per epoch.
    pub(crate) fn new(settings: &TrainSettings, legs: &[(usize, usize)]) -> Self {
        let mut first_step = 0;
        let legs = legs.iter().map(|&(epochs, steps_per_epoch)| {
            let leg = Leg {
                first_step,
                kind: settings.schedule,
                peak: settings.learning_rate,
                warmup_steps: settings.warmup_epochs * steps_per_epoch as f64,
                total_steps: (epochs * steps_per_epoch) as f64,
                decay_factor: settings.decay_factor,
                decay_steps: (settings.decay_epochs * steps_per_epoch) as f64,
            };
            first_step += epochs * steps_per_epoch;
            leg
        });
        Self {
            legs: legs.collect(),
            total_steps: first_step as f64,
        }
    }

    /// The learning rate of `step`, counted from 0 over the whole run, after `plateaus` plateaus of the
    /// validation result and `time` of the run's minutes (from 0 to 1; 0 without a limit). Schedules
    /// that end near zero do so when the time is over, too.
    pub(crate) fn learning_rate(&self, step: usize, plateaus: usize, time: f64) -> f64 {
        let begun = self.legs.iter().rev().find(|leg| leg.first_step <= step);
        let Some(leg) = begun else {
            return 0.0;
        };
        let rate = leg.learning_rate(step - leg.first_step, plateaus);
        match leg.kind {
            ScheduleKind::Cosine | ScheduleKind::OneCycle => {
                rate.min(leg.peak * half_cosine(1.0, 0.0, time))
            }
            _ => rate,
        }
    }

    /// The factor of the adversary's gradient at `step`: `2 / (1 + exp(−10·p)) − 1` after the
    /// fraction `p` of the run (Ganin et al. 2016, section 5.2.2).
    pub(crate) fn adversary_rise(&self, step: usize) -> f64 {
        let share = step as f64 / self.total_steps;
        2.0 / (1.0 + (-10.0 * share).exp()) - 1.0
    }

    /// The share of the blank's offset that is left at `step` and after the share `time` of the run's minutes: it
    /// falls to zero over the first quarter of the steps or of the minutes.
    pub(crate) fn blank_fall(&self, step: usize, time: f64) -> f64 {
        let share = (step as f64 / self.total_steps).max(time);
        (1.0 - 4.0 * share).max(0.0)
    }
}

impl Leg {
    /// The learning rate of `step`, counted from 0 over the leg. The warm-up rises linearly and reaches
    /// the peak in its last step; the cosine ends just above zero.
    fn learning_rate(&self, step: usize, plateaus: usize) -> f64 {
        let step = step as f64;
        if step + 1.0 < self.warmup_steps && self.kind != ScheduleKind::OneCycle {
            return self.peak * (step + 1.0) / self.warmup_steps;
        }
        let part = match self.kind {
            ScheduleKind::Constant => 1.0,
            ScheduleKind::Cosine => {
                let rest = (self.total_steps - self.warmup_steps).max(1.0);
                half_cosine(1.0, 0.0, (step - self.warmup_steps) / rest)
            }
            ScheduleKind::Step => self.decay_factor.powf((step / self.decay_steps).floor()),
            ScheduleKind::Exponential => self.decay_factor.powf(step / self.decay_steps),
            ScheduleKind::OneCycle => {
                let top = (CYCLE_RISE * self.total_steps - 1.0).max(1.0);
                if step < top {
                    half_cosine(CYCLE_START, 1.0, step / top)
                } else {
                    let rest = (self.total_steps - 1.0 - top).max(1.0);
                    half_cosine(1.0, CYCLE_END, (step - top) / rest)
                }
            }
            ScheduleKind::Plateau => self.decay_factor.powf(plateaus as f64),
        };
        self.peak * part
    }
}

/// Goes from one value to another by half a period of a cosine.
fn half_cosine(from: f64, to: f64, done: f64) -> f64 {
    to + (from - to) * 0.5 * (1.0 + (std::f64::consts::PI * done.clamp(0.0, 1.0)).cos())
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
        Schedule::new(&settings, &[(10, 10)])
    }

    #[test]
    fn warm_up_rises_linearly_to_the_peak() {
        for kind in [ScheduleKind::Constant, ScheduleKind::Cosine] {
            let s = schedule(kind);
            assert!((s.learning_rate(0, 0, 0.0) - 0.01).abs() < 1e-12);
            assert!((s.learning_rate(4, 0, 0.0) - 0.05).abs() < 1e-12);
            assert!((s.learning_rate(9, 0, 0.0) - 0.1).abs() < 1e-12);
        }
    }

    #[test]
    fn the_gradient_of_the_adversary_rises_early_in_the_run() {
        let s = schedule(ScheduleKind::Constant);
        let rises = [0, 10, 50, 100].map(|step| s.adversary_rise(step));
        for (rise, expected) in rises.into_iter().zip([0.0, 0.46212, 0.98661, 0.99991]) {
            assert!((rise - expected).abs() < 1e-5, "{rises:?}"); // tanh of five times the share
        }
    }

    #[test]
    fn the_blanks_offset_is_gone_after_a_quarter_of_the_run() {
        let s = schedule(ScheduleKind::Constant);
        let falls = [
            (0, 0.0),
            (10, 0.0),
            (25, 0.0),
            (99, 0.0),
            (0, 0.2),
            (10, 0.3),
        ];
        let falls = falls.map(|(step, time)| s.blank_fall(step, time));
        for (fall, expected) in falls.into_iter().zip([1.0, 0.6, 0.0, 0.0, 0.2, 0.0]) {
            assert!((fall - expected).abs() < 1e-12, "{falls:?}");
        }
    }

    #[test]
    fn cosine_is_half_way_down_in_the_middle_and_near_zero_at_the_end() {
        let s = schedule(ScheduleKind::Cosine);
        assert!((s.learning_rate(55, 0, 0.0) - 0.05).abs() < 1e-12);
        assert!(s.learning_rate(99, 0, 0.0) < 0.1 * 0.001);
        assert!(s.learning_rate(99, 0, 0.0) > 0.0);
    }

    #[test]
    fn constant_stays() {
        let s = schedule(ScheduleKind::Constant);
        assert_eq!(s.learning_rate(10, 0, 0.0), 0.1);
        assert_eq!(s.learning_rate(99, 0, 0.0), 0.1);
    }

    #[test]
    fn step_and_exponential_meet_where_a_decay_is_complete() {
        let [steps, even] = [ScheduleKind::Step, ScheduleKind::Exponential].map(schedule);
        // Halved every three epochs of ten steps.
        for step in [30, 60, 90] {
            let expected = 0.1 * 0.5f64.powi(step / 30);
            for s in [&steps, &even] {
                assert!((s.learning_rate(step as usize, 0, 0.0) - expected).abs() < 1e-12);
            }
        }
        assert_eq!(
            steps.learning_rate(59, 0, 0.0),
            steps.learning_rate(30, 0, 0.0)
        );
        assert!(even.learning_rate(59, 0, 0.0) < even.learning_rate(30, 0, 0.0));
    }

    /// torch 2.15.0: `OneCycleLR(max_lr=0.1, total_steps=100, cycle_momentum=False)`.
    #[test]
    fn one_cycle_is_torchs() {
        let s = schedule(ScheduleKind::OneCycle);
        let torch = [
            (0, 0.004),
            (15, 0.054_598_667_6),
            (29, 0.1),
            (60, 0.058_928_009),
            (99, 4e-7),
        ];
        for (step, expected) in torch {
            let found = s.learning_rate(step, 0, 0.0);
            assert!(
                (found - expected).abs() < 1e-9,
                "{step}: {found}, not {expected}"
            );
        }
    }

    #[test]
    fn each_plateau_decays_once() {
        let s = schedule(ScheduleKind::Plateau);
        assert_eq!(s.learning_rate(50, 0, 0.0), 0.1);
        assert_eq!(s.learning_rate(50, 2, 0.0), 0.025);
    }

    #[test]
    fn each_leg_goes_the_whole_course() {
        let settings = TrainSettings {
            warmup_epochs: 1.0,
            learning_rate: 0.1,
            ..TrainSettings::default()
        };
        let two = Schedule::new(&settings, &[(4, 10), (6, 12)]);
        for (epochs, steps, first) in [(4, 10, 0), (6, 12, 40)] {
            let alone = Schedule::new(&settings, &[(epochs, steps)]);
            for step in 0..epochs * steps {
                let (found, expected) = (first + step, alone.learning_rate(step, 0, 0.0));
                assert_eq!(two.learning_rate(found, 0, 0.0), expected);
            }
        }
    }

    #[test]
    fn a_cosine_is_down_when_the_time_is_over() {
        let s = schedule(ScheduleKind::Cosine);
        assert_eq!(s.learning_rate(55, 0, 0.1), s.learning_rate(55, 0, 0.0));
        assert!((s.learning_rate(20, 0, 0.75) - 0.1 * 0.146_446_6).abs() < 1e-6);
        assert_eq!(s.learning_rate(20, 0, 1.0), 0.0);
        let constant = schedule(ScheduleKind::Constant);
        assert_eq!(constant.learning_rate(20, 0, 1.0), 0.1);
    }
}
