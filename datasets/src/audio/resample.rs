//! From one sample rate to another.

use std::cell::RefCell;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

use super::Waveform;
use crate::{Error, Result};

/// The shortest transform on either side, in samples: the anti-aliasing filter is as long, and
/// passes 98 % of the band at this length.
const MIN_BLOCK: usize = 1024;

/// Brings a waveform to another sample rate.
///
/// Windowed-sinc filtering in the frequency domain (rubato's synchronous resampler). The result
/// has `round(samples * to / from)` samples and is not shifted in time; beyond its ends the sound
/// is taken to be silent. At the same rate it is a copy.
///
/// # Errors
///
/// [`Error::Resample`] if one of the rates is 0.
pub fn resample(waveform: &Waveform, sample_rate_hz: u32) -> Result<Waveform> {
    let (from_hz, to_hz) = (waveform.sample_rate_hz, sample_rate_hz);
    if from_hz == to_hz {
        return Ok(waveform.clone());
    }
    let refuse = |reason: String| Error::Resample {
        from_hz,
        to_hz,
        reason,
    };
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
                None => Kept {
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

thread_local! {
    /// The resampler used last, with its rates: a corpus mostly has one rate, and designing the
    /// filter takes longer than resampling a second by it.
    static LAST: RefCell<Option<Kept>> = const { RefCell::new(None) };
}

struct Kept {
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
