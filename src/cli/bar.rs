//! The progress of work over many recordings: a bar on a terminal, lines elsewhere, on standard error.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::options::Common;
use super::output::remark;
use crate::show::text::time;

/// Work that is done before needs no bar.
const AFTER: Duration = Duration::from_secs(1);
/// The time from one line to the next.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Steps of the bar for each recording.
const STEPS: f64 = 1000.0;

/// Shows how many of the recordings are done, and the time left.
pub(super) struct WorkBar {
    bar: ProgressBar,
    total: usize,
    began: Instant,
    last_line: Instant,
    /// Whether lines stand for the bar.
    lines: bool,
    is_shown: bool,
}

impl WorkBar {
    /// A bar for `total` recordings; none with --json or --quiet.
    pub(super) fn new(common: &Common, total: usize) -> Self {
        let bar = ProgressBar::with_draw_target(
            Some((total as f64 * STEPS) as u64),
            ProgressDrawTarget::hidden(),
        );
        // The template is a constant. The default style is a bar too.
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {msg}") {
            bar.set_style(style);
        }
        let is_told = !common.json && !common.quiet;
        let is_terminal = io::stderr().is_terminal();
        Self {
            bar,
            total,
            began: Instant::now(),
            last_line: Instant::now(),
            lines: is_told && !is_terminal,
            is_shown: !(is_told && is_terminal),
        }
    }

    /// Shows that so many recordings are done, which may be a part of one.
    pub(super) fn show(&mut self, done: f64) {
        let passed = self.began.elapsed();
        if !self.is_shown && passed > AFTER {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.is_shown = true;
        }
        let line = self.lines && self.last_line.elapsed() > LINE_EVERY;
        if !line && self.bar.is_hidden() {
            return;
        }
        let share = done / self.total.max(1) as f64;
        let left = passed.mul_f64(((1.0 - share) / share.max(1e-6)).clamp(0.0, 1e6));
        let text = format!(
            "{:.0}/{} recordings ({:.0} %), {} left",
            done.floor(),
            self.total,
            100.0 * share,
            time(left)
        );
        if line {
            remark(&text);
            self.last_line = Instant::now();
        }
        self.bar.set_position((done * STEPS) as u64);
        self.bar.set_message(text);
    }

    /// Prints above the bar.
    pub(super) fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }
}

impl Drop for WorkBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
