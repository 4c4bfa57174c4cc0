//! An audio file, read and resampled block by block.

use std::path::Path;

use sori_datasets::audio::{ResampleStream, SoundReader};

use crate::Result;

/// The blocks of an audio file at another sample rate. Their samples are those of
/// [`sori_datasets::audio::load`].
pub(super) struct Sound {
    reader: SoundReader,
    /// None once the file has ended.
    resampler: Option<ResampleStream>,
}

impl Sound {
    /// # Errors
    /// When the file cannot be read as audio.
    pub(super) fn open(path: &Path, sample_rate_hz: u32) -> Result<Self> {
        let reader = SoundReader::open(path)?;
        let resampler = ResampleStream::new(reader.sample_rate_hz(), sample_rate_hz)?;
        Ok(Self {
            reader,
            resampler: Some(resampler),
        })
    }

    /// Its length in seconds, where its header tells.
    pub(super) fn expected_s(&self) -> Option<f64> {
        self.reader.expected_s()
    }

    fn next_block(&mut self) -> Result<Option<Vec<f32>>> {
        let Some(mut resampler) = self.resampler.take() else {
            return Ok(None);
        };
        let Some(block) = self.reader.next_block()? else {
            return Ok(Some(resampler.finish()?));
        };
        let block = resampler.push(&block)?;
        self.resampler = Some(resampler);
        Ok(Some(block))
    }
}

impl Iterator for Sound {
    type Item = Result<Vec<f32>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_block().transpose()
    }
}
