//! A packed run: what its use needs, without what only training needs.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use sori_datasets::Spec;
use sori_models::Architecture;

use super::best::StateOfBest;
use super::checkpoint::Checkpoint;
use super::claim::{CHECKPOINTS, INFO};
use super::folder::{RunFolder, alphabet_path, best_path};
use crate::file::{write_atomically, write_json};
use crate::{Error, Result};

/// A path without the folders that lead to it.
fn last(path: &str) -> &str {
    path.trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or(path)
}

/// The name of a corpus without the folders that lead to it.
fn without_folders(spec: &str) -> Result<String> {
    if spec.is_empty() {
        return Ok(String::new());
    }
    let mut spec: Spec = spec.parse()?;
    spec.location = last(&spec.location).to_string();
    Ok(spec.to_string())
}

impl<A: Architecture> RunFolder<A> {
    /// Writes a run into the new folder `out` that predicts as this one does, and that another can start from. It
    /// has the settings, the description, the alphabet and the best checkpoint, and names the corpus without the
    /// folder that it was in. In `half` precision the weights take half of the space and are rounded.
    ///
    /// # Errors
    /// When `out` holds something, the run has no best checkpoint yet, a weight is beyond the range of half
    /// precision, or a file cannot be written.
    ///
    /// ```no_run
    /// let run = sori::RunFolder::open("runs/mine".as_ref())?;
    /// run.pack("mine".as_ref(), true)?;
    /// # Ok::<(), sori::Error>(())
    /// ```
    pub fn pack(&self, out: &Path, half: bool) -> Result<()> {
        let checkpoint = Checkpoint::read(&self.best_checkpoint()?)?;
        let state: StateOfBest = checkpoint.state()?;
        let checkpoint = checkpoint.with_state(&state)?;
        // A folder of this machine is only a name elsewhere.
        let mut settings = self.settings().clone();
        let data = &mut settings.data;
        for spec in [&mut data.train, &mut data.valid, &mut data.test] {
            *spec = without_folders(spec)?;
        }
        for path in [&mut data.cache, &mut data.from] {
            *path = last(path).to_string();
        }
        let config = settings.to_toml()?;
        match fs::read_dir(out).map(|mut entries| entries.next().is_none()) {
            Ok(true) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("cannot read", out)(error)),
            Ok(false) => {
                return Err(Error::run(
                    out,
                    "this folder holds something; a packed run needs a folder of its own",
                ));
            }
        }
        let folder = out.join(CHECKPOINTS);
        fs::create_dir_all(&folder).map_err(Error::io("cannot create", &folder))?;
        match half {
            true => checkpoint.write_half(&best_path(out))?,
            false => checkpoint.write(&best_path(out))?,
        }
        write_atomically(&out.join("config.toml"), config.as_bytes())?;
        if let Some(alphabet) = self.task().alphabet() {
            write_json(&alphabet_path(out), alphabet.as_ref())?;
        }
        // Last, because a folder with a run.json holds a run.
        write_json(&out.join(INFO), self.info())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_run_says_nothing_of_where_its_recordings_were() {
        let found = |spec| without_folders(spec).unwrap();
        assert_eq!(found("folder:/home/someone/rec"), "folder:rec");
        assert_eq!(
            found("fsdd:data/fsdd?speaker=!theo"),
            "fsdd:fsdd?speaker=!theo"
        );
        assert_eq!(found("synth:dtmf"), "synth:dtmf");
        assert_eq!(found(""), "");
        assert_eq!(last("/tmp/caches/"), "caches");
    }
}
