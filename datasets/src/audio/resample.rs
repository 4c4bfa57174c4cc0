//! Resampling of whole recordings and of streams.

use std::cell::RefCell;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler, WindowFunction};

use super::waveform::Waveform;
use crate::{Error, Result};

/// The shortest transform on either side, in samples: the anti-aliasing filter is as long, and
/// passes 98 % of the band at this length.
const MIN_BLOCK: usize = 1024;

/// Resamples a waveform.
///
/// Windowed-sinc filtering in the frequency domain (rubato's synchronous resampler). The result
/// has `round(samples * to / from)` samples and is not shifted in time; beyond its ends the sound
/// is taken to be silent. At the same rate it is a copy.
///
/// ```
/// use sori_datasets::audio::{Waveform, resample};
///
/// let second = Waveform { samples: vec![0.0; 44_100], sample_rate_hz: 44_100 };
/// assert_eq!(resample(&second, 16_000)?.samples.len(), 16_000);
/// # Ok::<(), sori_datasets::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Resample`] if one of the rates is 0.
pub fn resample(waveform: &Waveform, sample_rate_hz: u32) -> Result<Waveform> {
    let (from_hz, to_hz) = (waveform.sample_rate_hz, sample_rate_hz);
    if from_hz == to_hz {
        return Ok(waveform.clone());
    }
    let refuse = refusal(from_hz, to_hz);
    if from_hz == 0 || to_hz == 0 {
        return Err(refuse("both rates must be above 0 Hz".into()));
    }
    let length = resampled_length(waveform.samples.len(), from_hz, to_hz);
    if length == 0 {
        return Ok(Waveform {
            samples: Vec::new(),
            sample_rate_hz,
        });
    }

    let input = InterleavedSlice::new(&waveform.samples, 1, waveform.samples.len())
        .map_err(|error| refuse(error.to_string()))?;
    let mut samples = LAST
        .with_borrow_mut(|last| {
            let rates_hz = (from_hz, to_hz);
            let kept = match last.take().filter(|kept| kept.rates_hz == rates_hz) {
                Some(kept) => kept,
                None => KeptResampler {
                    rates_hz,
                    resampler: resampler(from_hz, to_hz)?,
                },
            };
            last.insert(kept)
                .resampler
                .process_all(&input, waveform.samples.len(), None)
                .map_err(|error| error.to_string())
        })
        .map_err(refuse)?
        .take_data();
    samples.resize(length, 0.0);
    Ok(Waveform {
        samples,
        sample_rate_hz,
    })
}

fn refusal(from_hz: u32, to_hz: u32) -> impl Fn(String) -> Error + Copy {
    move |reason| Error::Resample {
        from_hz,
        to_hz,
        reason,
    }
}

/// Resamples sound that arrives piece by piece. Its samples are bit by bit those that [`resample`]
/// gives of the whole, however the sound is cut.
///
/// The filter takes blocks of at least 1024 samples of the lower rate, so sound comes out a block
/// and a half later at most, see [`latency_samples`](Self::latency_samples).
pub struct ResampleStream {
    from_hz: u32,
    to_hz: u32,
    /// None if the rates are the same.
    resampler: Option<Fft<f32>>,
    /// Samples that do not fill a block yet.
    pending: Vec<f32>,
    /// Samples of the filter's delay that are still to be left out.
    to_trim: usize,
    taken: usize,
    given: usize,
}

impl ResampleStream {
    /// A stream from one sample rate to another.
    ///
    /// # Errors
    ///
    /// [`Error::Resample`] if one of the rates is 0.
    pub fn new(from_hz: u32, to_hz: u32) -> Result<Self> {
        let refuse = refusal(from_hz, to_hz);
        if from_hz == 0 || to_hz == 0 {
            return Err(refuse("both rates must be above 0 Hz".into()));
        }
        let resampler = (from_hz != to_hz)
            .then(|| resampler(from_hz, to_hz))
            .transpose()
            .map_err(refuse)?;
        Ok(Self {
            from_hz,
            to_hz,
            to_trim: resampler.as_ref().map_or(0, Resampler::output_delay),
            resampler,
            pending: Vec::new(),
            taken: 0,
            given: 0,
        })
    }

    /// The longest delay of the sound, in samples of the new rate.
    #[must_use]
    pub fn latency_samples(&self) -> usize {
        let of = |it: &Fft<f32>| it.output_delay() + it.output_frames_next();
        self.resampler.as_ref().map_or(0, of)
    }

    /// Takes more of the sound and gives the samples that are complete, often none.
    ///
    /// # Errors
    ///
    /// [`Error::Resample`], which never happens.
    pub fn push(&mut self, samples: &[f32]) -> Result<Vec<f32>> {
        self.taken += samples.len();
        let Some(resampler) = &self.resampler else {
            self.given += samples.len();
            return Ok(samples.to_vec());
        };
        let block = resampler.input_frames_next();
        self.pending.extend_from_slice(samples);
        let mut found = Vec::new();
        let pending = std::mem::take(&mut self.pending);
        let blocks = pending.chunks_exact(block);
        self.pending = blocks.remainder().to_vec();
        for block in blocks {
            self.block(block, &mut found)?;
        }
        Ok(found)
    }

    /// Ends the sound and gives the remaining samples.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    pub fn finish(mut self) -> Result<Vec<f32>> {
        let mut found = Vec::new();
        let length = resampled_length(self.taken, self.from_hz, self.to_hz);
        let mut rest = std::mem::take(&mut self.pending);
        while self.given < length {
            self.block(&rest, &mut found)?;
            rest.clear();
        }
        found.truncate(found.len() - (self.given - length).min(found.len()));
        Ok(found)
    }

    /// Resamples a block, the last filled up with silence, and leaves out the filter's delay.
    fn block(&mut self, block: &[f32], found: &mut Vec<f32>) -> Result<()> {
        let Some(resampler) = &mut self.resampler else {
            return Ok(());
        };
        let refuse = refusal(self.from_hz, self.to_hz);
        let count = resampler.output_frames_next();
        let mut output = vec![0.0; count];
        let input = InterleavedSlice::new(block, 1, block.len())
            .map_err(|error| refuse(error.to_string()))?;
        let mut buffer = InterleavedSlice::new_mut(&mut output, 1, count)
            .map_err(|error| refuse(error.to_string()))?;
        let indexing = Indexing {
            input_offset: 0,
            output_offset: 0,
            partial_len: (block.len() < resampler.input_frames_next()).then_some(block.len()),
            active_channels_mask: None,
        };
        resampler
            .process_into_buffer(&input, &mut buffer, Some(&indexing))
            .map_err(|error| refuse(error.to_string()))?;
        let trimmed = self.to_trim.min(count);
        self.to_trim -= trimmed;
        self.given += count - trimmed;
        found.extend_from_slice(&output[trimmed..]);
        Ok(())
    }
}

thread_local! {
    /// The resampler used last, with its rates: a corpus mostly has one rate, and designing the
    /// filter takes longer than resampling a second by it.
    static LAST: RefCell<Option<KeptResampler>> = const { RefCell::new(None) };
}

struct KeptResampler {
    rates_hz: (u32, u32),
    resampler: Fft<f32>,
}

fn resampler(from_hz: u32, to_hz: u32) -> std::result::Result<Fft<f32>, String> {
    let common = greatest_common_divisor(from_hz, to_hz);
    let (block_in, block_out) = ((from_hz / common) as usize, (to_hz / common) as usize);
    // Even on both sides: half a block is the filter's delay, which is then whole samples.
    let blocks = 2 * MIN_BLOCK.div_ceil(2 * block_in.min(block_out));
    Fft::new_custom(
        from_hz as usize,
        to_hz as usize,
        blocks * block_in,
        1,
        1,
        WindowFunction::BlackmanHarris2,
        FixedSync::Both,
    )
    .map_err(|error| error.to_string())
}

/// `round(samples * to / from)`, exactly.
fn resampled_length(samples: usize, from_hz: u32, to_hz: u32) -> usize {
    let (from, to) = (u128::from(from_hz), u128::from(to_hz));
    ((samples as u128 * to * 2 + from) / (2 * from)) as usize
}

fn greatest_common_divisor(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
