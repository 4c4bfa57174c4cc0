//! `sori features`: the features of an audio file.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sori_datasets::{
    AugmentConfig, Augmentation, Augmenter, FeatureConfig, FeatureExtractor, FeatureKind, audio,
    features::Normalize,
};

use super::npy::write_array;
use super::options::{Common, of_set};
use super::output::{print, print_json};
use super::picture::PictureArgs;
use super::wav::write_wav;
use crate::settings::layers;
use crate::show::features::draw_features;
use crate::{Error, Result};

#[derive(Args)]
pub(super) struct FeaturesArgs {
    /// The audio file
    audio: PathBuf,
    /// waveform, spectrogram, power-spectrogram, log1p-spectrogram, mel, log-mel, log1p-mel, mel-db or mfcc
    /// [default: log-mel]
    #[arg(long)]
    kind: Option<FeatureKind>,
    /// Where to write them: x.npy (an array [frames, bins]) or x.png (a picture); x.wav keeps the
    /// sound they are made of
    #[arg(long, value_name = "x.npy|x.png|x.wav")]
    out: Option<PathBuf>,
    /// Vary the recording as in training: speed, stretch, crop, pitch, shift, reverb, noise, gain,
    /// equalizer or spec_augment, or several of them
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    augment: Vec<Augmentation>,
    /// What the variation is drawn from
    #[arg(long, default_value_t = 0, requires = "augment")]
    seed: u64,
    /// One setting of the features, such as num_mels=80, or of the augmentation, such as
    /// augment.noise.min_snr_db=0; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    picture: PictureArgs,
}

pub(super) fn run(common: &Common, args: &FeaturesArgs) -> Result<()> {
    let form = args.out.as_deref().map(Form::of).transpose()?;
    let waveform = audio::decode(&args.audio)?;
    let (config, augment) = config(args, waveform.sample_rate_hz)?;
    let mut augmenter = Augmenter::new(&augment, config.sample_rate_hz)?;
    let waveform = audio::resample(&waveform, config.sample_rate_hz)?;
    let waveform = augmenter.waveform(waveform, args.seed)?;
    let mut features = FeatureExtractor::new(&config)?
        .extract(&waveform)
        .map_err(|e| Error::Input(format!("{}: {e}", args.audio.display())))?;
    augmenter.features(&mut features, args.seed);
    if let (Some(path), Some(form)) = (&args.out, form) {
        match form {
            Form::Npy => {
                let shape = [features.frames, features.bins];
                write_array(&shape, features.values.iter().copied(), path)?;
            }
            Form::Wav => write_wav(&waveform, path)?,
            Form::Png => {
                let name = args.audio.file_name().unwrap_or_default().to_string_lossy();
                draw_features(
                    &features,
                    &config,
                    &format!("{name}: {}", config.kind),
                    args.picture.theme,
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
            "audio": args.audio.display().to_string(), "kind": config.kind, "sample_rate_hz": config.sample_rate_hz,
            "seconds": waveform.duration_s(), "frames": features.frames, "bins": features.bins,
            "min": low, "mean": mean, "max": high, "out": args.out.as_ref().map(|out| out.display().to_string()),
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

/// The settings of features and of augmentation.
#[derive(Serialize, Deserialize)]
struct FeatureSettings {
    features: FeatureConfig,
    augment: AugmentConfig,
}

impl FeatureSettings {
    fn with(&self, assignment: &str) -> Result<Self> {
        layers::with_override(self, assignment, |_| None)
    }
}

fn config(args: &FeaturesArgs, sample_rate_hz: u32) -> Result<(FeatureConfig, AugmentConfig)> {
    let mut settings = FeatureSettings {
        features: FeatureConfig {
            sample_rate_hz,
            // No normalisation unless requested, so that the numbers match their name. A mask of
            // SpecAugment is 0, which is the mean of normalised features.
            normalize: match args.augment.contains(&Augmentation::SpecAugment) {
                true => Normalize::Utterance,
                false => Normalize::None,
            },
            ..FeatureConfig::default()
        },
        augment: AugmentConfig::default(),
    };
    for name in &args.augment {
        settings = settings.with(&format!("augment.{name}.probability=1.0"))?;
    }
    for assignment in &args.set {
        let assignment = assignment.trim();
        let whole = if assignment.starts_with("features.") || assignment.starts_with("augment.") {
            assignment.to_string()
        } else {
            format!("features.{assignment}")
        };
        settings = settings.with(&whole).map_err(of_set)?;
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
    Ok((config, settings.augment))
}

#[derive(Clone, Copy)]
enum Form {
    Npy,
    Png,
    Wav,
}

impl Form {
    fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|e| e.to_str()) {
            Some("npy") => Ok(Self::Npy),
            Some("png") => Ok(Self::Png),
            Some("wav") => Ok(Self::Wav),
            _ => Err(Error::Input(format!(
                "--out {}: its name must end in .npy (numbers), .png (a picture) or .wav (the sound)",
                path.display()
            ))),
        }
    }
}
