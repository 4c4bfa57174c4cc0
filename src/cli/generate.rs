//! `sori generate`: patches from noise.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::npy::write_array;
use super::options::Common;
use super::output::{print, print_json};
use super::picture::PictureArgs;
use super::wav::write_wav;
use crate::infer::{Gallery, generate};
use crate::{Error, Result, RunFolder};

#[derive(Args)]
pub(super) struct GenerateArgs {
    /// The run folder
    run: PathBuf,
    /// Where to write them: x.png (a picture, beside recordings) or x.npy (an array [count, frames, bins] in
    /// the units of the run's features) [default: patches.png in the run folder]
    #[arg(long, value_name = "x.png|x.npy")]
    out: Option<PathBuf>,
    /// How many patches to make, at most 1024
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    count: u16,
    /// What their noise is drawn from
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// A folder for the sound of each patch (1.wav, 2.wav, …), its phases found by Griffin and Lim's
    /// algorithm
    #[arg(long, value_name = "DIR")]
    sound: Option<PathBuf>,
    #[command(flatten)]
    picture: PictureArgs,
}

pub(super) fn run(common: &Common, args: &GenerateArgs) -> Result<()> {
    let run = RunFolder::open(&args.run)?;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => run.path().join("patches.png"),
    };
    let as_numbers = match out.extension().and_then(|e| e.to_str()) {
        Some("png") => false,
        Some("npy") => true,
        _ => {
            return Err(Error::Input(format!(
                "--out {}: its name must end in .png (a picture) or .npy (numbers)",
                out.display()
            )));
        }
    };
    let backend = common.backend_for(Some(&run.info().backend));
    let gallery = generate(&run, usize::from(args.count), args.seed, backend)?;
    match as_numbers {
        true => write_npy(&gallery, &out)?,
        false => gallery.draw(args.picture.theme, &out)?,
    }
    if let Some(folder) = &args.sound {
        let sounds = gallery.sounds()?;
        std::fs::create_dir_all(folder).map_err(Error::io("cannot create", folder))?;
        for (index, sound) in sounds.iter().enumerate() {
            write_wav(sound, &folder.join(format!("{}.wav", index + 1)))?;
        }
    }
    if common.json {
        return print_json(&json!({
            "run": args.run.display().to_string(), "count": args.count, "seed": args.seed,
            "out": out.display().to_string(),
            "sound": args.sound.as_ref().map(|folder| folder.display().to_string()),
        }));
    }
    print(&format!("{}", out.display()))
}

fn write_npy(gallery: &Gallery, path: &Path) -> Result<()> {
    let made = &gallery.made;
    let [frames, bins] = made
        .first()
        .map_or([0, 0], |patch| [patch.frames, patch.bins]);
    let values = made.iter().flat_map(|patch| patch.values.iter().copied());
    write_array(&[made.len(), frames, bins], values, path)
}
