//! Folders of recorded noise and impulse responses.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::audio::{self, EXTENSIONS, is_recording};
use crate::files::entries;
use crate::{Error, Result};

/// The number of decoded samples of a folder that are kept: 256 MiB.
const MAX_KEPT_SAMPLES: usize = 64 << 20;

/// The audio files of a folder and its sub-folders, in the order of their names. Each is decoded
/// when it is first wanted and then kept, as long as there is room; all threads share them.
pub(super) struct ClipFolder {
    clips: Vec<Clip>,
    sample_rate_hz: u32,
    kept_samples: AtomicUsize,
}

struct Clip {
    path: PathBuf,
    samples: OnceLock<Arc<[f32]>>,
}

impl ClipFolder {
    /// # Errors
    ///
    /// [`Error::Io`] if the folder cannot be read, [`Error::Layout`] if it holds no audio file.
    pub(super) fn open(folder: &Path, sample_rate_hz: u32) -> Result<Self> {
        let mut clips = Vec::new();
        find(folder, &mut clips)?;
        if clips.is_empty() {
            return Err(Error::Layout {
                path: folder.to_owned(),
                reason: format!(
                    "it holds no audio file (*.{}); one or more were expected, in it or below",
                    EXTENSIONS.join(", *.")
                ),
            });
        }
        Ok(Self {
            clips,
            sample_rate_hz,
            kept_samples: AtomicUsize::new(0),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.clips.len()
    }

    /// The samples of one clip: at least one.
    ///
    /// # Errors
    ///
    /// Those of [`audio::load`].
    pub(super) fn samples(&self, index: usize) -> Result<Arc<[f32]>> {
        let clip = &self.clips[index];
        if let Some(samples) = clip.samples.get() {
            return Ok(samples.clone());
        }
        let mut samples = audio::load(&clip.path, self.sample_rate_hz)?.samples;
        if samples.is_empty() {
            // A sample or two at a much higher rate.
            samples.push(0.0);
        }
        let samples: Arc<[f32]> = samples.into();
        let before = self
            .kept_samples
            .fetch_add(samples.len(), Ordering::Relaxed);
        if before + samples.len() <= MAX_KEPT_SAMPLES {
            // Another thread may have been first, with the same samples.
            let _ = clip.samples.set(samples.clone());
        } else {
            self.kept_samples
                .fetch_sub(samples.len(), Ordering::Relaxed);
        }
        Ok(samples)
    }
}

fn find(folder: &Path, clips: &mut Vec<Clip>) -> Result<()> {
    for name in entries(folder)? {
        let path = folder.join(name);
        if path.is_dir() {
            find(&path, clips)?;
        } else if is_recording(&path) {
            clips.push(Clip {
                path,
                samples: OnceLock::new(),
            });
        }
    }
    Ok(())
}
