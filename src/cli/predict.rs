//! `sori predict`: predicts audio files by a run's best checkpoint.

use std::path::{Path, PathBuf};

use burn::tensor::backend::{AutodiffBackend, Backend};
use clap::Args;

use super::answers::{Form, Rows, Table};
use super::decode::DecodeArgs;
use super::each::each;
use super::given::{Recording, recordings};
use super::options::Common;
use super::output::{print, print_json};
use super::picture::PictureArgs;
use super::stream::{self, StreamArgs};
use super::{pitch, speech};
use crate::backend::{BackendName, Job, run_on};
use crate::decode::Beam;
use crate::infer::Predictor;
use crate::show::alignment::draw_prediction;
use crate::show::draw_emissions;
use crate::task::{Prediction, Reading};
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
    /// Write the stretches that have one label as labels for Audacity, of the one AUDIO
    #[arg(long, value_name = "OUT.txt", conflicts_with_all = ["stream", "mic"])]
    audacity: Option<PathBuf>,
    /// Transcribe the stretches of speech alone, which this run finds, such as one of `silero_vad`
    #[arg(long, value_name = "RUN", conflicts_with_all = ["stream", "mic"])]
    vad: Option<PathBuf>,
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
    /// Draw the pitch over time, above the spectrogram, of the one AUDIO (weights such as `crepe_tiny`)
    #[arg(long, value_name = "OUT.png", conflicts_with_all = ["stream", "mic"])]
    pitch: Option<PathBuf>,
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
            args.check_threshold()?;
            predictor = predictor.with_threshold(threshold);
        }
        for (option, path) in [("--events", &args.events), ("--audacity", &args.audacity)] {
            if path.is_some() && !predictor.finds_events() {
                return Err(Error::Input(format!(
                    "{option} is for classes and tags; this run's model gives none"
                )));
            }
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
        let (mut tables, taken) = args.tables(common, recordings.len())?;
        let vad = match &args.vad {
            Some(path) => Some(args.speech_finder::<B>(path, &predictor, device)?),
            None => None,
        };
        let find = |recording: &Recording, on_progress: &mut dyn FnMut(f64)| {
            let found = match &vad {
                None => predictor.predict_file_with(recording.path(), windows, on_progress)?,
                Some(vad) => {
                    let speech =
                        vad.speech_file(recording.path(), |share| on_progress(share / 2.0))?;
                    let on_progress = |share| on_progress(0.5 + share / 2.0);
                    predictor.transcribe_stretches(
                        recording.path(),
                        &speech.spans(),
                        on_progress,
                    )?
                }
            };
            args.fits(found, &predictor, &recording.name())
        };
        let tell = |recording: &Recording, prediction: Prediction| {
            let name = recording.name();
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
            match (common.json, taken) {
                (true, _) => print_json(&form.json(&name, &prediction))?,
                (false, false) => print(&form.text(&name, &prediction))?,
                (false, true) => {}
            }
            for table in &mut tables {
                table.add(&form, &name, &prediction)?;
            }
            Ok(())
        };
        each(common, &recordings, find, tell)
    }
}

impl PredictArgs {
    /// The tables that are asked for, and whether one of them goes to standard output.
    fn tables(&self, common: &Common, recordings: usize) -> Result<(Vec<Table>, bool)> {
        if self.audacity.is_some() && recordings != 1 {
            return Err(Error::Input(format!(
                "--audacity labels one recording, and {recordings} are given"
            )));
        }
        let asked = [
            (&self.csv, Rows::Recordings),
            (&self.events, Rows::Events),
            (&self.audacity, Rows::Audacity),
        ];
        let mut tables = Vec::new();
        let mut to_output = 0;
        for (path, of) in asked {
            let Some(path) = path else { continue };
            tables.push(Table::begin(path, of)?);
            to_output += usize::from(path.as_os_str() == "-");
        }
        match to_output {
            0 => Ok((tables, false)),
            1 if !common.json => Ok((tables, true)),
            _ => Err(Error::Input(
                "standard output takes one of --csv -, --events -, --audacity - and --json"
                    .to_string(),
            )),
        }
    }

    fn check_threshold(&self) -> Result<()> {
        match self.threshold {
            Some(threshold) if !(0.0..=1.0).contains(&threshold) => Err(Error::Input(format!(
                "--threshold {threshold}: it is a probability, from 0 to 1"
            ))),
            _ => Ok(()),
        }
    }

    /// What finds the speech that is transcribed.
    fn speech_finder<B: AutodiffBackend>(
        &self,
        path: &Path,
        predictor: &Predictor<B::InnerBackend>,
        device: &B::Device,
    ) -> Result<Predictor<B::InnerBackend>> {
        if !predictor.transcribes() {
            return Err(Error::Input(
                "--vad is for transcripts; this run's model writes none".to_string(),
            ));
        }
        let run = RunFolder::open(path)?;
        if run.info().reading != Some(Reading::Speech) {
            return Err(Error::run(
                path,
                format!(
                    "its {} finds no speech; a run of `silero_vad` does",
                    run.info().model
                ),
            ));
        }
        Predictor::open(&run, device)
    }

    /// Refuses the options that make no sense for a run that gives `what`, but for those in `allowed`.
    fn only(&self, allowed: &[&str], what: &str) -> Result<()> {
        let given = [
            ("--csv", self.csv.is_some()),
            ("--events", self.events.is_some()),
            ("--audacity", self.audacity.is_some()),
            ("--vad", self.vad.is_some()),
            ("--top", self.top.is_some()),
            ("--threshold", self.threshold.is_some()),
            ("--every-window", self.every_window),
            ("--window", self.window.is_some()),
            ("--hop", self.hop.is_some()),
            ("--times", self.times),
            ("--alignment", self.alignment.is_some()),
            ("--emissions", self.emissions.is_some()),
            ("--pitch", self.pitch.is_some()),
            ("--nbest", self.nbest.is_some()),
            ("--stream or --mic", self.live.is_asked_for()),
        ];
        match given
            .iter()
            .find(|(option, is)| *is && !allowed.contains(option))
        {
            None => Ok(()),
            Some((option, _)) => Err(Error::Input(format!(
                "{option} is not for this run, which gives {what}"
            ))),
        }
    }

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
    let backend = common.backend_for(Some(&run.info().backend));
    if let Some(reading) = run.info().reading {
        return read(common, args, &run, reading, backend);
    }
    if args.pitch.is_some() {
        return Err(Error::Input(format!(
            "--pitch is for weights that give the pitch, such as `crepe_tiny`; this run's {} does not",
            run.info().model
        )));
    }
    let beam = args.decode.beam(&run)?;
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

/// Predicts by a run that gives something else than the answer of its task.
fn read(
    common: &Common,
    args: &PredictArgs,
    run: &RunFolder,
    reading: Reading,
    backend: BackendName,
) -> Result<()> {
    // Says that there is nothing to search, if a search is asked for.
    args.decode.beam(run)?;
    match reading {
        Reading::Voice => Err(Error::run(
            run.path(),
            "its weights give a vector for a voice, and no answer: `sori embed` writes it and compares",
        )),
        Reading::Pitch => {
            args.only(&["--csv", "--hop", "--pitch"], "the pitch over time")?;
            let asked = pitch::Asked {
                common,
                run,
                recordings: recordings(&args.audio)?,
                hop_s: args.hop,
                csv: args.csv.as_ref(),
                png: args.pitch.as_ref(),
                theme: args.picture.theme,
            };
            pitch::run(backend, asked)
        }
        Reading::Speech => {
            let allowed = ["--csv", "--events", "--audacity", "--threshold"];
            args.only(&allowed, "stretches of speech")?;
            args.check_threshold()?;
            let recordings = recordings(&args.audio)?;
            let (tables, taken) = args.tables(common, recordings.len())?;
            let asked = speech::Asked {
                common,
                run,
                recordings,
                threshold: args.threshold,
                tables,
                taken,
            };
            speech::run(backend, asked)
        }
    }
}
