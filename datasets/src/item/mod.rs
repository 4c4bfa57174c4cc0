//! One recording: its sound, its right answer and its part.

mod joined;
mod mixture;
mod rejected;
mod segment;
mod source;
mod target;

pub use joined::{Joined, Piece};
pub use mixture::{Mixture, Voice};
pub use rejected::Rejected;
pub use segment::Segment;
pub use source::Source;
pub use target::{Target, TargetKind};

use crate::spelling::composed;
use crate::{Part, Result, Waveform};

/// One recording of a corpus, with its right answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Unique within the corpus, and the same wherever the corpus lies.
    pub id: String,
    /// Its sound.
    pub source: Source,
    /// Its right answer.
    pub target: Target,
    /// Its part.
    pub part: Part,
    /// Recordings of one group stay in one part: those cut from the same original, or of the same
    /// speaker.
    pub group: Option<String>,
    /// A property of the sound that its answer does not depend on, such as the speaker.
    pub domain: Option<String>,
}

impl Item {
    /// Its sound, resampled to `sample_rate_hz`.
    ///
    /// # Errors
    ///
    /// Those of [`Source::waveform`].
    pub fn waveform(&self, sample_rate_hz: u32) -> Result<Waveform> {
        self.source.waveform(sample_rate_hz)
    }

    /// Sixteen hexadecimal digits that tell whether an item of this id is still the same. They depend
    /// on the names of its files, the offsets into them and the answer; not on the folder of the
    /// files nor on their contents.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (path, start_ms) in self.source.files() {
            let name = path.file_name().unwrap_or_default();
            let composed = name.to_str().map(composed);
            let name = composed
                .as_ref()
                .map_or(name.as_encoded_bytes(), |name| name.as_bytes());
            hasher.update(&(name.len() as u64).to_le_bytes());
            hasher.update(name).update(&start_ms.to_le_bytes());
        }
        hasher.update(format!("{:?}", self.target).as_bytes());
        hasher.finalize().to_hex()[..16].to_owned()
    }

    /// Its name in messages: its file, or its id.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.source {
            Source::File(path) | Source::Raw(path) => path.display().to_string(),
            _ => self.id.clone(),
        }
    }
}
