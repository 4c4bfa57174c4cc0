//! Decoded recordings kept in memory.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::load::load;
use super::waveform::Waveform;
use crate::Result;

/// Loads recordings and keeps them decoded, up to a number of bytes. Once it is full, it keeps what
/// it holds, and the rest is decoded each time: training reads recordings in rounds, and dropping
/// the oldest would keep none of them.
///
/// A file that changes after it was kept is not looked at again. Threads may share one.
#[derive(Debug, Default)]
pub struct AudioMemory {
    max_bytes: usize,
    kept: Mutex<Waveforms>,
}

#[derive(Debug, Default)]
struct Waveforms {
    waveforms: HashMap<(PathBuf, u32), Arc<Waveform>>,
    bytes: usize,
}

impl AudioMemory {
    /// A memory of up to `max_bytes` of samples; of 0 bytes it keeps nothing.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            kept: Mutex::default(),
        }
    }

    /// The recording as [`load`] gives it, from memory if it is there.
    ///
    /// # Errors
    ///
    /// Those of [`load`].
    pub fn load(&self, path: &Path, sample_rate_hz: u32) -> Result<Arc<Waveform>> {
        if self.max_bytes == 0 {
            return load(path, sample_rate_hz).map(Arc::new);
        }
        let key = (path.to_owned(), sample_rate_hz);
        let lock = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waveform) = lock().waveforms.get(&key) {
            return Ok(Arc::clone(waveform));
        }
        // Without the lock, so that others can decode meanwhile; the same file may then be decoded
        // twice, and the first one stays.
        let waveform = Arc::new(load(path, sample_rate_hz)?);
        let bytes = size_of_val(waveform.samples.as_slice());
        let mut kept = lock();
        if kept.bytes + bytes <= self.max_bytes && !kept.waveforms.contains_key(&key) {
            kept.bytes += bytes;
            kept.waveforms.insert(key, Arc::clone(&waveform));
        }
        Ok(waveform)
    }

    /// The number of recordings it holds, and the bytes of their samples.
    #[must_use]
    pub fn held(&self) -> (usize, usize) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        (kept.waveforms.len(), kept.bytes)
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
