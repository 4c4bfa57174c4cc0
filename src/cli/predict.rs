//! `sori predict`: predicts audio files by a run's best checkpoint.

use std::path::{Path, PathBuf};

use burn::tensor::backend::{AutodiffBackend, Backend};
use clap::Args;

use super::answers::{Form, Rows, Table};
use super::bar::WorkBar;
use super::decode::DecodeArgs;
use super::given::{Recording, recordings};
use super::options::Common;
use super::output::{print, print_json, remark};
use super::picture::PictureArgs;
use super::stream::{self, StreamArgs};
use crate::backend::{Job, run_on};
use crate::decode::Beam;
use crate::infer::Predictor;
use crate::show::alignment::draw_prediction;
use crate::show::draw_emissions;
use crate::task::Prediction;
use crate::{Error, Result, RunFolder};

#[derive(Args)]
pub(super) struct PredictArgs {
    /// The run folder
    run: PathBuf,
    /// The recordings: audio files, folders, patterns such as 'rec/*.wav', or - for a file on standard input
    #[arg(required_unless_present_any = ["stream", "mic"], conflicts_with_all = ["stream", "mic"])]
    audio: Vec<PathBuf>,
    /// Write a table with a row for each recording; - for standard output
    #[arg(long, value_name = "OUT.csv", conflicts_with_all = ["stream", "mic"])]
    csv: Option<PathBuf>,
    /// Write a table with a row for each stretch of a recording that has one label: its start, end, label
    /// and mean probability; - for standard output
    #[arg(long, value_name = "OUT.csv", conflicts_with_all = ["stream", "mic"])]
    events: Option<PathBuf>,
    /// Show the K most probable labels [default: 3, and all tags that a recording has]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(1..), conflicts_with_all = ["stream", "mic"])]
    top: Option<u16>,
    /// The probability from which on a recording has a tag [default: of each tag the one that was chosen
    /// on the validation part]
    #[arg(long, value_name = "P", allow_negative_numbers = true, conflicts_with_all = ["stream", "mic"])]
    threshold: Option<f32>,
    /// Show each window of a longer recording, rather than the stretches that have one label
    #[arg(long, conflicts_with_all = ["stream", "mic"])]
    every_window: bool,
    /// Seconds of a window, into which longer recordings are cut [default: the run's longest
    /// recording]
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    window: Option<f64>,
    /// Seconds from one window to the next [default: half a window]
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    hop: Option<f64>,
    /// Say below each transcript when its words are said (deep_speech2)
    #[arg(long)]
    times: bool,
    /// Draw where a speller attended while it wrote each symbol, over the spectrogram, of the one AUDIO
    #[arg(long, value_name = "OUT.png")]
    alignment: Option<PathBuf>,
    /// Draw the probability of each symbol over time (deep_speech2), above the spectrogram, of the one AUDIO
    #[arg(long, value_name = "OUT.png")]
    emissions: Option<PathBuf>,
    /// Say below each transcript the N best ones and their scores; needs --beam
    #[arg(long, value_name = "N")]
    nbest: Option<usize>,
    #[command(flatten)]
    picture: PictureArgs,
    #[command(flatten)]
    decode: DecodeArgs,
    #[command(flatten)]
    live: StreamArgs,
}

struct Predict<'a> {
    common: &'a Common,
    args: &'a PredictArgs,
    run: &'a RunFolder,
    recordings: Vec<Recording>,
    beam: Option<Beam>,
}

impl Job for Predict<'_> {
    type Output = Result<()>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<()> {
        let Self {
            common,
            args,
            run,
            recordings,
            beam,
        } = self;
        let mut predictor = Predictor::<B::InnerBackend>::open(run, device)?;
        if args.nbest.is_some() && beam.is_none() {
            return Err(Error::Input(
                "--nbest is of a search: give --beam N too, such as --beam 8".to_string(),
            ));
        }
        if let Some(beam) = beam {
            predictor = predictor.with_beam(beam);
        }
        if let (true, Some(_)) = (predictor.transcribes(), args.window.or(args.hop)) {
            return Err(Error::Input(
                "--window and --hop are for labels and numbers; a transcript is of the whole recording"
                    .to_string(),
            ));
        }
        if let Some(threshold) = args.threshold {
            if predictor.thresholds().is_none() {
                return Err(Error::Input(
                    "--threshold is for tags, of which a recording may have any number; this run's model has \
                     none"
                        .to_string(),
                ));
            }
            if !(0.0..=1.0).contains(&threshold) {
                return Err(Error::Input(format!(
                    "--threshold {threshold}: it is a probability, from 0 to 1"
                )));
            }
            predictor = predictor.with_threshold(threshold);
        }
        if args.events.is_some() && !predictor.finds_events() {
            return Err(Error::Input(
                "--events is for classes and tags; this run's model gives none".to_string(),
            ));
        }
        for (option, png) in [
            ("--alignment", &args.alignment),
            ("--emissions", &args.emissions),
        ] {
            let Some(png) = png else { continue };
            if recordings.len() != 1 {
                return Err(Error::Input(format!(
                    "{option} draws one recording, and {} are given",
                    recordings.len()
                )));
            }
            super::output::require_png(option, png)?;
            super::output::require_folder_of(png)?;
        }
        if args.times && !predictor.transcribes() {
            return Err(Error::Input(
                "--times is for transcripts; this run's model writes none".to_string(),
            ));
        }
        if args.times && !predictor.times_words() {
            return Err(Error::Input(
                "--times is for deep_speech2: las does not know when a word is said; --alignment OUT.png \
                 shows what it attended to"
                    .to_string(),
            ));
        }
        let mut windows = predictor.default_windows();
        if let Some(window_s) = args.window {
            windows.window_s = window_s;
            windows.hop_s = window_s / 2.0;
        }
        windows.hop_s = args.hop.unwrap_or(windows.hop_s);
        let least = predictor.least_window_s();
        if !(windows.window_s >= least && windows.window_s.is_finite()) {
            return Err(Error::Input(format!(
                "--window {}: it must be at least {least} seconds, which these features need",
                windows.window_s
            )));
        }
        if !(windows.hop_s >= least.min(windows.window_s) && windows.hop_s <= windows.window_s) {
            return Err(Error::Input(format!(
                "--hop {}: it must be from {least} seconds to the length of a window ({})",
                windows.hop_s, windows.window_s
            )));
        }
        let form = Form {
            labels: predictor.labels().to_vec(),
            thresholds: predictor.thresholds(),
            top: args.top.map(usize::from),
            times: args.times,
            windows: args.every_window,
        };
        let mut tables = Vec::new();
        for (path, of) in [(&args.csv, Rows::Recordings), (&args.events, Rows::Events)] {
            if let Some(path) = path {
                tables.push(Table::begin(path, of)?);
            }
        }
        let to_output = [&args.csv, &args.events]
            .into_iter()
            .filter(|path| path.as_deref().is_some_and(is_output));
        let taken = match to_output.count() {
            0 => false,
            1 if !common.json => true,
            _ => {
                return Err(Error::Input(
                    "standard output takes one of --csv -, --events - and --json".to_string(),
                ));
            }
        };
        let mut bar = WorkBar::new(common, recordings.len());
        let mut bad = 0;
        for (index, recording) in recordings.iter().enumerate() {
            let name = recording.name();
            let found = predictor.predict_file_with(recording.path(), windows, |share| {
                bar.show(index as f64 + share);
            });
            let found = found.and_then(|found| args.fits(found, &predictor, &name));
            let prediction = match found {
                Ok(prediction) => prediction,
                Err(error) if recordings.len() == 1 && !common.skip_bad => {
                    return Err(Error::Input(recording.said(&error)));
                }
                Err(error) => {
                    bad += 1;
                    bar.above(|| remark(&format!("left out: {}", recording.said(&error))));
                    continue;
                }
            };
            if let Some(png) = &args.alignment {
                draw_prediction(
                    recording.path(),
                    predictor.sample_rate_hz(),
                    &prediction,
                    args.picture.theme,
                    png,
                )?;
            }
            if let Some(png) = &args.emissions {
                let rate = predictor.sample_rate_hz();
                let waveform = sori_datasets::audio::load(recording.path(), rate)?;
                let emitted = predictor.step_probabilities(&waveform)?;
                let title = prediction.answer.to_string();
                draw_emissions(&waveform, &emitted, &title, args.picture.theme, png)?;
            }
            bar.above(|| match (common.json, taken) {
                (true, _) => print_json(&form.json(&name, &prediction)),
                (false, false) => print(&form.text(&name, &prediction)),
                (false, true) => Ok(()),
            })?;
            for table in &mut tables {
                bar.above(|| table.add(&form, &name, &prediction))?;
            }
            bar.show((index + 1) as f64);
        }
        drop(bar);
        match bad {
            _ if bad == recordings.len() => Err(Error::Input(
                "none of the files could be read as audio".to_string(),
            )),
            0 => Ok(()),
            _ if common.skip_bad => Ok(()),
            _ => Err(Error::Input(format!(
                "{bad} of {} recordings could not be used",
                recordings.len()
            ))),
        }
    }
}

fn is_output(path: &Path) -> bool {
    path.as_os_str() == "-"
}

impl PredictArgs {
    /// The prediction as the options want it, unless they want what a recording in pieces does not have.
    fn fits<B: Backend>(
        &self,
        mut prediction: Prediction,
        predictor: &Predictor<B>,
        name: &str,
    ) -> Result<Prediction> {
        let in_pieces = predictor.transcribes() && !prediction.windows.is_empty();
        let is_of_one_piece =
            self.alignment.is_some() || self.emissions.is_some() || self.nbest.is_some();
        if in_pieces && is_of_one_piece {
            return Err(Error::Input(format!(
                "{name}: it is transcribed in {} pieces, because it is longer than {:.0} s; --alignment, \
                 --emissions and --nbest are for recordings of one piece",
                prediction.windows.len(),
                predictor.longest_piece_s(),
            )));
        }
        prediction.nbest.truncate(self.nbest.unwrap_or(0));
        Ok(prediction)
    }
}

pub(super) fn run(common: &Common, args: &PredictArgs) -> Result<()> {
    let run = RunFolder::open(&args.run)?;
    let beam = args.decode.beam(&run)?;
    let backend = common.backend_for(Some(&run.info().backend));
    if args.live.is_asked_for() {
        return stream::run(common, &args.live, args.times, &run, beam, backend);
    }
    let recordings = recordings(&args.audio)?;
    run_on(
        backend,
        Predict {
            common,
            args,
            run: &run,
            recordings,
            beam,
        },
    )?
}
