//! The recordings of a run and the part of each: `splits.json`.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sori_datasets::{Part, Target};

use crate::file::{read_json, write_json};
use crate::{Error, Result};

/// The contents of `splits.json`.
#[derive(Serialize, Deserialize)]
pub(crate) struct Splits {
    pub(crate) train: SplitPart,
    pub(crate) valid: SplitPart,
    pub(crate) test: SplitPart,
}

/// The recordings of a part: identifiers, frames, and fingerprints.
#[derive(Serialize, Deserialize)]
pub(crate) struct SplitPart {
    pub(crate) ids: Vec<String>,
    pub(crate) frames: Vec<usize>,
    /// [`sori_datasets::Item::fingerprint`]. Empty in runs older than fingerprints.
    #[serde(default)]
    pub(crate) fingerprints: Vec<String>,
    /// Hashes of the recordings' files. Empty in runs older than these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) contents: Vec<String>,
}

/// A recording of a run.
pub(crate) struct Kept {
    pub(crate) part: Part,
    pub(crate) id: String,
    pub(crate) frames: usize,
    pub(crate) fingerprint: Option<String>,
    /// The hash of its files; empty if unknown or synthesised.
    pub(crate) contents: String,
}

impl Kept {
    /// Whether Unicode has only one spelling for its id and for its answer, if that is a text.
    pub(crate) fn has_one_spelling(&self, target: &Target) -> bool {
        self.id.is_ascii() && target.text().is_none_or(str::is_ascii)
    }
}

impl Splits {
    /// Writes them below the run folder `run`.
    pub(crate) fn write(&self, run: &Path) -> Result<()> {
        write_json(&run.join("splits.json"), self)
    }

    /// The recordings of the run folder `run`.
    ///
    /// # Errors
    /// When the file cannot be read, or its lists differ in length.
    pub(crate) fn read(run: &Path) -> Result<Vec<Kept>> {
        let path = run.join("splits.json");
        if !path.exists() {
            return Err(Error::run(
                run,
                "it has no splits.json, the list of its recordings, which a packed run is without; name the \
                 data to measure it on, or begin a new run from it to train",
            ));
        }
        let splits: Self = read_json(&path)?;
        let parts = [
            (Part::Train, splits.train),
            (Part::Valid, splits.valid),
            (Part::Test, splits.test),
        ];
        let mut all = Vec::new();
        for (part, kept) in parts {
            let count = kept.ids.len();
            let is_whole = |list: &[String]| list.is_empty() || list.len() == count;
            if kept.frames.len() != count
                || !is_whole(&kept.fingerprints)
                || !is_whole(&kept.contents)
            {
                return Err(Error::Config {
                    origin: path.display().to_string(),
                    reason:
                        "it has not as many frames, fingerprints and hashes as ids; put it back as \
                             `sori train` wrote it"
                            .to_string(),
                });
            }
            let fingerprints = kept.fingerprints.into_iter().map(Some);
            let fingerprints = fingerprints.chain(std::iter::repeat_with(|| None));
            let contents = kept.contents.into_iter();
            let contents = contents.chain(std::iter::repeat_with(String::new));
            let items = kept.ids.into_iter().zip(kept.frames);
            let items = items.zip(fingerprints.zip(contents));
            all.extend(items.map(|((id, frames), (fingerprint, contents))| Kept {
                part,
                id,
                frames,
                fingerprint,
                contents,
            }));
        }
        Ok(all)
    }
}
