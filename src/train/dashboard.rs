//! Shows a run while it trains: a progress bar in a terminal, plain lines elsewhere, JSON lines for
//! programs.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::run::{EpochRecord, RunInfo};
use super::settings::Settings;
use super::trainer::{Event, Progress};
use crate::task::Task;

/// Seconds between two plain lines within an epoch.
const PLAIN_LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows the events of a run.
pub struct Dashboard {
    style: Style,
    last_line: Instant,
    epochs: usize,
}

enum Style {
    Quiet,
    Json,
    Plain,
    Bar(ProgressBar),
    #[cfg(feature = "tui")]
    Tui(super::tui::Tui),
}

/// How a run is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Show {
    /// A progress bar in a terminal, plain lines elsewhere.
    #[default]
    Auto,
    /// JSON lines on standard output.
    Json,
    /// Nothing.
    Quiet,
}

impl Dashboard {
    /// A dashboard that shows runs as `show` says.
    pub fn new(show: Show) -> Self {
        let style = match show {
            Show::Quiet => Style::Quiet,
            Show::Json => Style::Json,
            Show::Auto if io::stderr().is_terminal() && io::stdout().is_terminal() => terminal(),
            Show::Auto => Style::Plain,
        };
        Self {
            style,
            last_line: Instant::now(),
            epochs: 0,
        }
    }

    /// Shows an event.
    pub fn show(&mut self, event: &Event<'_>) {
        match event {
            Event::Scan { done, total } => self.scan(*done, *total),
            Event::From { run, fresh } => self.from(run, fresh),
            Event::Begin {
                info,
                settings,
                path,
                steps_done,
            } => {
                self.epochs = settings.train.epochs;
                self.begin(info, settings, path, *steps_done);
            }
            Event::Step(progress) => self.step(progress),
            Event::Epoch(record) => self.epoch(record),
        }
    }

    fn scan(&mut self, done: usize, total: usize) {
        match &self.style {
            Style::Bar(bar) => {
                bar.set_length(total as u64);
                bar.set_position(done as u64);
                bar.set_message("reading recordings");
            }
            Style::Plain if self.last_line.elapsed() > PLAIN_LINE_EVERY => {
                self.line(&format!("reading recordings {done}/{total}"));
                self.last_line = Instant::now();
            }
            _ => {}
        }
    }

    fn from(&mut self, run: &str, fresh: &[String]) {
        if let Style::Json = self.style {
            self.line(&json!({"event": "from", "run": run, "fresh": fresh}).to_string());
            return;
        }
        self.line(&match fresh.len() {
            0 => format!("starts from the weights of {run}"),
            n => format!(
                "starts from the weights of {run}, but for {n} that are new: {}",
                fresh.join(", ")
            ),
        });
    }

    fn begin(
        &mut self,
        info: &RunInfo,
        settings: &Settings,
        path: &std::path::Path,
        steps_done: usize,
    ) {
        if let Style::Json = self.style {
            let event = if steps_done == 0 { "begin" } else { "resume" };
            self.line(
                &json!({
                    "event": event, "run": path, "task": info.task, "model": info.model,
                    "params": info.params, "splits": info.splits, "skipped": info.skipped,
                    "backend": info.backend, "seed": info.seed, "step": steps_done,
                })
                .to_string(),
            );
            return;
        }
        let splits = info.splits;
        let labels = match info.labels.as_slice() {
            [] => String::new(),
            [quantity] if info.task == Task::Regress => format!("{quantity}; "),
            labels => format!("{} {}; ", labels.len(), info.task.label(labels.len())),
        };
        self.line(&format!(
            "{} ({} parameters) on {}, {}: {labels}{} recordings to train on, {} to choose by, \
             {} to test on{}",
            info.model,
            thousands(info.params),
            settings.data.train,
            info.backend,
            splits.train,
            splits.valid,
            splits.test,
            match info.skipped {
                0 => String::new(),
                n => format!("; {n} left out, listed in skipped.jsonl"),
            }
        ));
        if info.window_s < info.longest_s {
            self.line(&format!(
                "{} sees the first {:.2} s of each; the longest has {:.2} s (set model.num_frames \
                 for more)",
                info.model, info.window_s, info.longest_s
            ));
        }
        let verb = if steps_done == 0 { "run" } else { "resumed" };
        self.line(&format!("{verb} {} (step {steps_done})", path.display()));
    }

    fn step(&mut self, progress: &Progress) {
        match &mut self.style {
            Style::Bar(bar) => {
                bar.set_length(progress.steps as u64);
                bar.set_position(progress.step as u64);
                bar.set_message(step_text(progress));
            }
            Style::Plain if self.last_line.elapsed() > PLAIN_LINE_EVERY => {
                self.line(&format!(
                    "epoch {:>3}/{} step {}/{}  {}",
                    progress.epoch,
                    progress.epochs,
                    progress.step,
                    progress.steps,
                    step_text(progress)
                ));
                self.last_line = Instant::now();
            }
            #[cfg(feature = "tui")]
            Style::Tui(tui) => tui.step(progress),
            _ => {}
        }
    }

    fn epoch(&mut self, record: &EpochRecord) {
        if let Style::Json = self.style {
            let mut line = json!({ "event": "epoch" });
            if let (Some(line), Ok(serde_json::Value::Object(record))) =
                (line.as_object_mut(), serde_json::to_value(record))
            {
                line.extend(record);
            }
            self.line(&line.to_string());
            return;
        }
        #[cfg(feature = "tui")]
        if let Style::Tui(tui) = &mut self.style {
            tui.epoch(record);
            return;
        }
        self.last_line = Instant::now();
        let domains = record
            .train_domain_accuracy
            .map_or_else(String::new, |share| format!("domains {share:.3}  "));
        let valid = match record.task() {
            Task::Transcribe => format!(
                "{}validation: loss {:.4}  WER {:.3}  CER {:.3}",
                record
                    .train_blank
                    .map_or_else(String::new, |share| format!("blank {share:.3}  ")),
                record.valid_loss,
                record.valid.get("wer"),
                record.valid.get("cer"),
            ),
            Task::Classify => format!(
                "accuracy {:.3}  validation: loss {:.4}  accuracy {:.3}  F1 {:.3}",
                record.train_accuracy.unwrap_or(f64::NAN),
                record.valid_loss,
                record.valid.get("accuracy"),
                record.valid.get("macro_f1"),
            ),
            Task::Autoencode => format!(
                "validation: bound {:.4} nats a value  KL {:.2}  Fréchet distance {:.4}",
                record.valid.get("bound"),
                record.valid.get("kl"),
                record.valid.get("frechet"),
            ),
            Task::Generate => format!(
                "validation: Fréchet distance {:.4}  told apart {:.3}",
                record.valid.get("frechet"),
                record.valid.get("told_apart"),
            ),
            Task::Regress => format!(
                "validation: loss {:.4}  MAE {:.4}  RMSE {:.4}",
                record.valid_loss,
                record.valid.get("mae"),
                record.valid.get("rmse"),
            ),
            Task::Tag => format!(
                "validation: loss {:.4}  mAP {:.3}  ROC-AUC {:.3}",
                record.valid_loss,
                record.valid.get("map"),
                record.valid.get("roc_auc"),
            ),
        };
        self.line(&format!(
            "epoch {:>3}/{}  loss {:.4}  {domains}{valid}{}  {:.0} items/s  {}",
            record.epoch,
            self.epochs,
            record.train_loss,
            if record.best { "  best" } else { "      " },
            record.items_per_second,
            time(Duration::from_secs_f64(record.seconds)),
        ));
    }

    /// Prints a line above the bar, or as a line. What cannot be printed must not end a run.
    fn line(&self, text: &str) {
        let print = || {
            let _ = writeln!(io::stdout(), "{text}");
        };
        match &self.style {
            Style::Quiet => {}
            Style::Bar(bar) => bar.suspend(print),
            #[cfg(feature = "tui")]
            Style::Tui(_) => {}
            Style::Json | Style::Plain => print(),
        }
    }
}

/// Takes the bar away.
impl Drop for Dashboard {
    fn drop(&mut self) {
        if let Style::Bar(bar) = &self.style {
            bar.finish_and_clear();
        }
        #[cfg(feature = "tui")]
        if let Style::Tui(tui) = &mut self.style {
            tui.end();
        }
    }
}

#[cfg(not(feature = "tui"))]
fn terminal() -> Style {
    bar()
}

#[cfg(feature = "tui")]
fn terminal() -> Style {
    Style::Tui(super::tui::Tui::new())
}

#[cfg_attr(
    feature = "tui",
    allow(dead_code, reason = "the full-screen dashboard stands in its place")
)]
fn bar() -> Style {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    // A template is wrong or right whatever the data; the default style is a bar too.
    if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len}  {msg}") {
        bar.set_style(style);
    }
    Style::Bar(bar)
}

fn step_text(progress: &Progress) -> String {
    let of = |name: &str, share: Option<f64>| {
        share.map_or_else(String::new, |share| format!("  {name} {share:.3}"))
    };
    format!(
        "epoch {}/{}  loss {:.4}{}{}  {:.0} items/s  {} left",
        progress.epoch,
        progress.epochs,
        progress.loss,
        of("accuracy", progress.accuracy),
        of("blank", progress.blank),
        progress.items_per_second,
        time(progress.left)
    )
}

/// `1:05` or `2:03:04`.
pub(crate) fn time(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// `1,234,567`.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_read_well() {
        assert_eq!(thousands(7), "7");
        assert_eq!(thousands(2_182_410), "2,182,410");
        assert_eq!(time(Duration::from_secs(65)), "1:05");
        assert_eq!(time(Duration::from_secs(7384)), "2:03:04");
    }
}
