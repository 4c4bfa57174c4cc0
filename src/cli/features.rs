use std::path::{Path, PathBuf};

use clap::Args;
use npyz::WriterBuilder;
use serde_json::json;
use sori_datasets::{
    FeatureConfig, FeatureExtractor, FeatureKind, Features, audio, features::Normalize,
};

use super::{Common, print, print_json};
use crate::file::write_atomically;
use crate::picture::draw_features;
use crate::{Error, Result, Settings};

#[derive(Args)]
pub(super) struct FeaturesArgs {
    /// The audio file
    audio: PathBuf,
    /// waveform, spectrogram, power-spectrogram, log1p-spectrogram, mel, log-mel, mel-db or mfcc
    /// [default: log-mel]
    #[arg(long)]
    kind: Option<FeatureKind>,
    /// Where to write them: x.npy (an array [frames, bins]) or x.png (a picture)
    #[arg(long, value_name = "x.npy|x.png")]
    out: Option<PathBuf>,
    /// One setting of the features, such as num_mels=80; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

pub(super) fn run(common: &Common, args: &FeaturesArgs) -> Result<()> {
    let form = args.out.as_deref().map(Form::of).transpose()?;
    let waveform = audio::decode(&args.audio)?;
    let config = config(args, waveform.sample_rate_hz)?;
    let waveform = audio::resample(&waveform, config.sample_rate_hz)?;
    let mut features = FeatureExtractor::new(&config)?
        .extract(&waveform)
        .map_err(|e| Error::Input(format!("{}: {e}", args.audio.display())))?;
    if config.normalize == Normalize::Utterance {
        features.normalize_utterance();
    }
    if let (Some(path), Some(form)) = (&args.out, form) {
        match form {
            Form::Npy => write_npy(&features, path)?,
            Form::Png => {
                let name = args.audio.file_name().unwrap_or_default().to_string_lossy();
                draw_features(
                    &features,
                    &config,
                    &format!("{name}: {}", config.kind),
                    path,
                )?;
            }
        }
    }
    let (low, high) = features
        .values
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &v| {
            (low.min(v), high.max(v))
        });
    let mean = features.values.iter().map(|&v| f64::from(v)).sum::<f64>()
        / features.values.len().max(1) as f64;
    if common.json {
        return print_json(&json!({
            "audio": args.audio, "kind": config.kind, "sample_rate_hz": config.sample_rate_hz,
            "seconds": waveform.duration_s(), "frames": features.frames, "bins": features.bins,
            "min": low, "mean": mean, "max": high, "out": args.out,
        }));
    }
    print(&format!(
        "{}: {:.3} s at {} Hz, {} of {} frames × {} bins, {low:.3} to {high:.3}, mean {mean:.3}{}",
        args.audio.display(),
        waveform.duration_s(),
        config.sample_rate_hz,
        config.kind,
        features.frames,
        features.bins,
        match &args.out {
            Some(path) => format!(" → {}", path.display()),
            None => String::new(),
        }
    ))
}

fn config(args: &FeaturesArgs, sample_rate_hz: u32) -> Result<FeatureConfig> {
    // As the features of a run: any model serves to reach their settings. Nothing is normalised
    // unless asked for, so that the numbers are what they are called.
    let mut settings = Settings::new("mlp", "", sample_rate_hz)?;
    settings.features.normalize = Normalize::None;
    for assignment in &args.set {
        let assignment = assignment.trim();
        settings = if assignment.starts_with("features.") {
            settings.with_override(assignment)?
        } else {
            settings.with_override(&format!("features.{assignment}"))?
        };
    }
    let mut config = settings.features;
    config.kind = args.kind.unwrap_or(config.kind);
    if config.normalize == Normalize::Corpus {
        return Err(Error::Setting {
            key: "features.normalize".to_string(),
            value: "corpus".to_string(),
            expected: "one file has no corpus; it must be none or utterance".to_string(),
        });
    }
    config.check()?;
    Ok(config)
}

#[derive(Clone, Copy)]
enum Form {
    Npy,
    Png,
}

impl Form {
    fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|e| e.to_str()) {
            Some("npy") => Ok(Self::Npy),
            Some("png") => Ok(Self::Png),
            _ => Err(Error::Input(format!(
                "--out {}: its name must end in .npy (numbers) or .png (a picture)",
                path.display()
            ))),
        }
    }
}

fn write_npy(features: &Features, path: &Path) -> Result<()> {
    let bytes = || -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut writer = npyz::WriteOptions::new()
            .default_dtype()
            .shape(&[features.frames as u64, features.bins as u64])
            .writer(&mut bytes)
            .begin_nd()?;
        writer.extend(features.values.iter().copied())?;
        writer.finish()?;
        Ok(bytes)
    };
    write_atomically(path, &bytes().map_err(Error::io("cannot write", path))?)
}
