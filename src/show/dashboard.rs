//! The dashboard of a run in training: a progress bar in a terminal, plain lines elsewhere, JSON lines
//! for programs.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::terminal::{json_line, shown};
use super::text::{thousands, time};
use crate::run::info::RunInfo;
use crate::run::records::EpochRecord;
use crate::task::any::{AnyTask, TaskJob};
use crate::task::contract::Task;
use crate::train::progress::{Event, Progress};

/// The time between two plain lines within an epoch.
const PLAIN_LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows the events of a run.
pub struct Dashboard {
    style: Style,
    last_line: Instant,
    epochs: usize,
    /// Known once training begins.
    task: Option<AnyTask>,
}

enum Style {
    Quiet,
    Json,
    Plain,
    Bar(ProgressBar),
    #[cfg(feature = "tui")]
    Tui(super::tui::Tui),
}

/// The display of a run.
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
    /// A dashboard in the style of `show`.
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
            task: None,
        }
    }

    /// Shows an event.
    pub fn show(&mut self, event: &Event<'_>) {
        match event {
            Event::Scan { done, total } => self.scan(*done, *total),
            Event::From { run, fresh } => self.from(run, fresh),
            Event::Begin {
                info,
                task,
                data,
                epochs,
                path,
                steps_done,
            } => {
                self.epochs = *epochs;
                self.task = Some((*task).clone());
                self.begin(info, task, data, path, *steps_done);
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
            self.json(&json!({"event": "from", "run": run, "fresh": fresh}));
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
        task: &AnyTask,
        data: &str,
        path: &std::path::Path,
        steps_done: usize,
    ) {
        if let Style::Json = self.style {
            let event = if steps_done == 0 { "begin" } else { "resume" };
            self.json(&json!({
                    "event": event, "run": path, "task": info.task, "model": info.model,
                    "params": info.params, "splits": info.splits, "skipped": info.skipped,
                    "backend": info.backend, "seed": info.seed, "step": steps_done,
            }));
            return;
        }
        let splits = info.splits;
        let labels = match info.labels.as_slice() {
            [] => String::new(),
            [quantity] if task.scale().is_some() => format!("{quantity}; "),
            labels => format!("{} {}; ", labels.len(), task.label(labels.len())),
        };
        self.line(&format!(
            "{} ({} parameters) on {}, {}: {labels}{} recordings to train on, {} to validate, \
             {} to test on{}",
            info.model,
            thousands(info.params),
            data,
            info.backend,
            splits.train,
            splits.valid,
            splits.test,
            match info.skipped {
                0 => String::new(),
                n => format!("; {n} left out, listed in skipped.jsonl"),
            }
        ));
        if let Some(epochs) = info.joins_at {
            self.line(&format!(
                "after epoch {epochs} the validation part is trained on too; its figures until then are the \
                 forecast"
            ));
        }
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
            self.json(&line);
            return;
        }
        #[cfg(feature = "tui")]
        if let Style::Tui(tui) = &mut self.style {
            if let Some(task) = &self.task {
                tui.epoch(record, task.headline());
            }
            return;
        }
        self.last_line = Instant::now();
        let domains = record
            .train_domain_accuracy
            .map_or_else(String::new, |share| format!("domains {share:.3}  "));
        let valid = match self.task.clone() {
            Some(task) => task.run(EpochText(record)),
            None => String::new(),
        };
        self.line(&format!(
            "epoch {:>3}/{}  loss {:.4}  {domains}{valid}{}  {:.0} items/s  {}",
            record.epoch,
            self.epochs,
            record.train_loss,
            match (record.joined, record.best) {
                (true, _) => "  forecast",
                (_, true) => "  best",
                _ => "      ",
            },
            record.items_per_second,
            time(Duration::from_secs_f64(record.seconds)),
        ));
    }

    /// Prints JSON on one line.
    fn json(&self, value: &serde_json::Value) {
        // Values of these kinds can always be written.
        if let Ok(line) = json_line(value) {
            self.line(&line);
        }
    }

    /// Prints a line, above the bar if there is one. A failure to print does not end a run.
    fn line(&self, text: &str) {
        let print = || {
            let _ = writeln!(io::stdout(), "{}", shown(text));
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

/// An epoch's metrics as its task shows them.
struct EpochText<'a>(&'a EpochRecord);

impl TaskJob for EpochText<'_> {
    type Output = String;

    fn run<T: Task>(self, task: T) -> String {
        task.epoch_text(self.0)
    }
}

/// Removes the bar from the terminal.
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
    // An invalid template would leave the default style, which is a bar too.
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
