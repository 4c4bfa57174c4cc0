//! Reading a sound block by block.

use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::compressed::DecodedSound;
use super::format::Format;
use super::guard::guarded;
use super::opened::Opened;
use super::wav::{WavSamples, check_promise};
use super::wav_header::{Encoding, read_header};
use crate::finite::first_not_finite;
use crate::{Error, Result};

/// Bytes of a wav that are read from the disk at once.
const BUFFER_BYTES: usize = 1 << 16;

/// An audio file that is read as it is needed, so that a recording of hours need not be held in
/// memory. It gives what [`decode`](super::decode) does, and is as strict: its end is only reached
/// if the whole file is sound.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("tone.wav");
/// # let spec = hound::WavSpec {
/// #     channels: 1,
/// #     sample_rate: 8000,
/// #     bits_per_sample: 16,
/// #     sample_format: hound::SampleFormat::Int,
/// # };
/// # let mut writer = hound::WavWriter::create(&path, spec)?;
/// # (0..20_000_i32).try_for_each(|n| writer.write_sample(n as i16))?;
/// # writer.finalize()?;
/// use sori_datasets::audio::SoundReader;
///
/// let mut reader = SoundReader::open(&path)?;
/// let mut samples = 0;
/// while let Some(block) = reader.next_block()? {
///     samples += block.len();
/// }
/// assert_eq!((reader.sample_rate_hz(), samples), (8000, 20_000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SoundReader {
    path: PathBuf,
    format: Format,
    sample_rate_hz: u32,
    source: Source,
    /// Samples given so far.
    given: usize,
}

enum Source {
    Samples(WavSamples),
    Decoded(Box<DecodedSound>),
    /// At its end, or behind an error.
    Ended,
}

impl SoundReader {
    /// Opens an audio file of any format that [`decode`](super::decode) reads.
    ///
    /// # Errors
    ///
    /// Those of [`decode`](super::decode), as far as the file has been looked at.
    pub fn open(path: &Path) -> Result<Self> {
        let file = Opened::open(path)?;
        let format = file.format;
        let (source, sample_rate_hz) = guarded(path, format, || opened(path, file))?;
        Ok(Self {
            path: path.to_owned(),
            format,
            sample_rate_hz,
            source,
            given: 0,
        })
    }

    /// Its sample rate.
    #[must_use]
    pub const fn sample_rate_hz(&self) -> u32 {
        self.sample_rate_hz
    }

    /// Its length in seconds by its header, before the first block is read; none where the header does
    /// not tell. A header may be wrong.
    #[must_use]
    pub fn expected_s(&self) -> Option<f64> {
        let samples = self.promised()?;
        Some(samples as f64 / f64::from(self.sample_rate_hz))
    }

    /// The samples it seems to hold. Headers may be wrong, so no more than a file of its size can.
    pub(super) fn expected(&self) -> usize {
        let samples = match &self.source {
            Source::Samples(wav) => wav.left(),
            Source::Decoded(sound) => sound.promised().min(1 << 24),
            Source::Ended => 0,
        };
        usize::try_from(samples).unwrap_or(0)
    }

    /// Its length in samples, as far as its header tells it reliably.
    fn promised(&self) -> Option<u64> {
        match &self.source {
            Source::Samples(wav) => Some(wav.left()),
            Source::Decoded(sound) if self.format == Format::Flac => Some(sound.promised()),
            _ => None,
        }
        .filter(|&samples| samples > 0)
    }

    /// The next samples, channels averaged into one; none at the end. A block has at most some
    /// ten thousands, and at least one.
    ///
    /// # Errors
    ///
    /// Those of [`decode`](super::decode). Behind an error there is nothing more.
    pub fn next_block(&mut self) -> Result<Option<Vec<f32>>> {
        let mut samples = Vec::new();
        let more = self.append(&mut samples)?;
        Ok(more.then_some(samples))
    }

    /// Adds the next block; returns whether there was one.
    pub(super) fn append(&mut self, samples: &mut Vec<f32>) -> Result<bool> {
        let result = self.checked(samples);
        if !matches!(result, Ok(true)) {
            self.source = Source::Ended;
        }
        result
    }

    fn checked(&mut self, samples: &mut Vec<f32>) -> Result<bool> {
        let (path, begin) = (&self.path, samples.len());
        let more = match &mut self.source {
            Source::Ended => return Ok(false),
            Source::Samples(wav) => {
                wav.next(path, samples)?;
                samples.len() > begin
            }
            Source::Decoded(sound) => guarded(path, self.format, || {
                while samples.len() == begin {
                    if !sound.next(path, samples)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            })?,
        };
        if !more && self.given == 0 {
            return Err(Error::NoSamples { path: path.clone() });
        }
        if let Some(index) = first_not_finite(&samples[begin..]) {
            return Err(Error::NotFiniteSample {
                path: path.clone(),
                index: self.given + index,
                value: samples[begin + index],
            });
        }
        self.given += samples.len() - begin;
        Ok(more)
    }
}

fn opened(path: &Path, file: Opened) -> Result<(Source, u32)> {
    if file.format != Format::Wav {
        let sound = DecodedSound::open(path, file)?;
        let rate_hz = sound.sample_rate_hz();
        return Ok((Source::Decoded(Box::new(sound)), rate_hz));
    }
    let mut file = BufReader::with_capacity(BUFFER_BYTES, file);
    let header = read_header(path, &mut file)?;
    let rate_hz = header.sample_rate_hz;
    if header.encoding == Encoding::Coded {
        check_promise(path, &header)?;
        let sound = DecodedSound::open(path, Opened::open(path)?)?;
        return Ok((Source::Decoded(Box::new(sound)), rate_hz));
    }
    let samples = WavSamples::new(path, file, header)?;
    Ok((Source::Samples(samples), rate_hz))
}

/// The length of an audio file in seconds: by its header if that tells, else it is decoded.
pub(crate) fn length_s(path: &Path) -> Result<f64> {
    let mut reader = SoundReader::open(path)?;
    let samples = match reader.promised() {
        Some(samples) => samples,
        None => {
            let mut samples = 0;
            while let Some(block) = reader.next_block()? {
                samples += block.len() as u64;
            }
            samples
        }
    };
    Ok(samples as f64 / f64::from(reader.sample_rate_hz()))
}
