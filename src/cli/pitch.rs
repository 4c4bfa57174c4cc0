//! `sori predict` of a run that gives the pitch over time.

use std::path::PathBuf;

use burn::tensor::backend::AutodiffBackend;
use serde_json::json;

use super::each::each;
use super::given::Recording;
use super::options::Common;
use super::output::{print, print_bytes, print_json, require_folder_of, require_png};
use crate::backend::{BackendName, Job, run_on};
use crate::file::write_atomically;
use crate::infer::{Pitch, Predictor};
use crate::metric::csv_cell;
use crate::show::{Theme, draw_pitch};
use crate::{Error, Result, RunFolder};

/// What is asked for.
pub(super) struct Asked<'a> {
    pub(super) common: &'a Common,
    pub(super) run: &'a RunFolder,
    pub(super) recordings: Vec<Recording>,
    /// Seconds from one pitch to the next.
    pub(super) hop_s: Option<f64>,
    /// A table of all of them.
    pub(super) csv: Option<&'a PathBuf>,
    /// A picture of one recording.
    pub(super) png: Option<&'a PathBuf>,
    pub(super) theme: Theme,
}

pub(super) fn run(backend: BackendName, asked: Asked<'_>) -> Result<()> {
    if let Some(png) = asked.png {
        if asked.recordings.len() != 1 {
            return Err(Error::Input(format!(
                "--pitch draws one recording, and {} are given",
                asked.recordings.len()
            )));
        }
        require_png("--pitch", png)?;
        require_folder_of(png)?;
    }
    if let Some(csv) = asked.csv.filter(|csv| csv.as_os_str() == "-")
        && asked.common.json
    {
        return Err(Error::Input(format!(
            "standard output takes one of --csv {} and --json",
            csv.display()
        )));
    }
    run_on(backend, asked)?
}

impl Job for Asked<'_> {
    type Output = Result<()>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<()> {
        let predictor = Predictor::<B::InnerBackend>::open(self.run, device)?;
        let hop_s = self.hop_s.unwrap_or(predictor.default_windows().hop_s);
        let (least, most) = (0.001, predictor.default_windows().window_s);
        if !(least..=most).contains(&hop_s) {
            return Err(Error::Input(format!(
                "--hop {hop_s}: it must be from {least} seconds to the length of a window ({most})"
            )));
        }
        let to_output = self.csv.is_some_and(|csv| csv.as_os_str() == "-");
        let mut table = String::from("audio,time_s,hz,periodicity\n");
        let find = |recording: &Recording, on_progress: &mut dyn FnMut(f64)| {
            let found = predictor.pitch_file(recording.path(), hop_s, on_progress)?;
            if let Some(png) = self.png {
                let rate = predictor.sample_rate_hz();
                let waveform = sori_datasets::audio::load(recording.path(), rate)?;
                draw_pitch(&waveform, &found, self.theme, png)?;
            }
            Ok(found)
        };
        let tell = |recording: &Recording, found: Vec<Pitch>| {
            let name = recording.name();
            for it in self.csv.map_or(&[][..], |_| &found) {
                let (time_s, hz) = (it.time_s, it.hz);
                let cell = csv_cell(&name);
                table.push_str(&format!(
                    "{cell},{time_s:.3},{hz:.3},{:.4}\n",
                    it.periodicity
                ));
            }
            match (self.common.json, to_output) {
                (true, _) => print_json(&json!({"audio": name, "hop_s": hop_s, "pitch": found})),
                (false, true) => Ok(()),
                (false, false) => print(&text(&name, &found)),
            }
        };
        let ended = each(self.common, &self.recordings, find, tell);
        match self.csv {
            Some(_) if to_output => print_bytes(table.as_bytes())?,
            Some(csv) => write_atomically(csv, table.as_bytes())?,
            None => {}
        }
        ended
    }
}

/// A line for each time.
fn text(name: &str, found: &[Pitch]) -> String {
    let line = |it: &Pitch| {
        format!(
            "\n  {:>8.2} s  {:>8.2} Hz  {:.3}",
            it.time_s, it.hz, it.periodicity
        )
    };
    let lines: String = found.iter().map(line).collect();
    format!("{name}: pitch and periodicity{lines}")
}
