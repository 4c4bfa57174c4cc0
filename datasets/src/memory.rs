//! Recordings kept in memory, as sound or as features.

use std::collections::HashMap;
use std::fmt::Debug;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::audio::load;
use crate::{FeatureConfig, Result, SoundFeatures, Waveform};

/// Keeps recordings up to a number of bytes of samples and of features. Once it is
/// full, it keeps what it holds, and the rest is made each time: training reads recordings in rounds,
/// and dropping the oldest would keep none of them.
///
/// A file that changes after it was kept is not looked at again. Threads may share one.
#[derive(Debug, Default)]
pub struct AudioMemory {
    max_bytes: usize,
    held: Mutex<Held>,
}

/// What it holds, by a text that says all that a value follows from.
#[derive(Debug, Default)]
struct Held {
    waveforms: HashMap<String, Arc<Waveform>>,
    features: HashMap<String, Arc<SoundFeatures>>,
    bytes: usize,
}

impl AudioMemory {
    /// A memory of up to `max_bytes` of samples and features; of 0 bytes it keeps nothing.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            held: Mutex::default(),
        }
    }

    /// The recording as [`load`] gives it, from memory if it is there.
    ///
    /// # Errors
    ///
    /// Those of [`load`].
    pub fn load(&self, path: &Path, sample_rate_hz: u32) -> Result<Arc<Waveform>> {
        self.sound(&path, sample_rate_hz, || load(path, sample_rate_hz))
    }

    /// The sound that `make` gives of `of`, from memory if it is there.
    ///
    /// # Errors
    ///
    /// Those of `make`.
    pub(crate) fn sound(
        &self,
        of: &dyn Debug,
        sample_rate_hz: u32,
        make: impl FnOnce() -> Result<Waveform>,
    ) -> Result<Arc<Waveform>> {
        self.keep(
            |held| &mut held.waveforms,
            || format!("{of:?} {sample_rate_hz}"),
            |waveform| size_of_val(waveform.samples.as_slice()),
            make,
        )
    }

    /// The features that `make` gives of `of` by `config`, from memory if they are there.
    ///
    /// # Errors
    ///
    /// Those of `make`.
    pub(crate) fn features(
        &self,
        of: &dyn Debug,
        config: &FeatureConfig,
        make: impl FnOnce() -> Result<SoundFeatures>,
    ) -> Result<Arc<SoundFeatures>> {
        self.keep(
            |held| &mut held.features,
            || format!("{of:?} {config:?}"),
            |made| size_of_val(made.features.values.as_slice()),
            make,
        )
    }

    fn keep<V>(
        &self,
        kind: impl Fn(&mut Held) -> &mut HashMap<String, Arc<V>>,
        key: impl FnOnce() -> String,
        size: impl FnOnce(&V) -> usize,
        make: impl FnOnce() -> Result<V>,
    ) -> Result<Arc<V>> {
        if self.max_bytes == 0 {
            return make().map(Arc::new);
        }
        let key = key();
        let lock = || self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = kind(&mut lock()).get(&key) {
            return Ok(Arc::clone(value));
        }
        // Without the lock, so that others can work meanwhile; the same value may then be made twice,
        // and the first one stays.
        let value = Arc::new(make()?);
        let bytes = size(&value);
        let mut held = lock();
        if held.bytes + bytes <= self.max_bytes && !kind(&mut held).contains_key(&key) {
            held.bytes += bytes;
            kind(&mut held).insert(key, Arc::clone(&value));
        }
        Ok(value)
    }

    /// The number of waveforms and features that it holds, and their bytes.
    #[must_use]
    pub fn held(&self) -> (usize, usize) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        (held.waveforms.len() + held.features.len(), held.bytes)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed step is a failed test")]
mod tests {
    use super::*;

    fn write(path: &Path, samples: usize) {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 8000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut file = hound::WavWriter::create(path, spec).unwrap();
        for index in 0..samples {
            file.write_sample((index % 100) as i16).unwrap();
        }
        file.finalize().unwrap();
    }

    #[test]
    fn what_fits_is_decoded_once_and_the_rest_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["a.wav", "b.wav"].map(|name| folder.path().join(name));
        write(&first, 100);
        write(&second, 101);
        let memory = AudioMemory::new(100 * 4 + 100 * 4);
        let expected = load(&first, 8000).unwrap();
        assert_eq!(*memory.load(&first, 8000).unwrap(), expected);
        assert_eq!(memory.load(&second, 8000).unwrap().samples.len(), 101);
        assert_eq!(memory.held(), (1, 400));
        // The kept one is not read again, the other is.
        std::fs::remove_file(&first).unwrap();
        std::fs::remove_file(&second).unwrap();
        assert_eq!(*memory.load(&first, 8000).unwrap(), expected);
        assert!(memory.load(&second, 8000).is_err());
        // Another rate is another waveform.
        assert!(memory.load(&first, 16_000).is_err());
    }

    #[test]
    fn without_room_nothing_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        write(&path, 10);
        let memory = AudioMemory::default();
        memory.load(&path, 8000).unwrap();
        assert_eq!(memory.held(), (0, 0));
    }
}
