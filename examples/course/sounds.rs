//! Sounds to try a network on, which no network of the course has trained on.

use std::path::Path;

use sori::datasets::synth::dtmf::DtmfClip;
use sori::datasets::synth::morse::MorseClip;
use sori::datasets::{Part, Waveform};

use crate::Error;

/// The seed of all of them.
const SEED: u64 = 0;
/// The clip of a key.
const KEY: u32 = 21;
/// Signal-to-noise ratio of the message.
const SNR_DB: f64 = 15.0;

/// Writes `key.wav`, a telephone key, and `morse.wav`, a message.
pub fn write(folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder)?;
    let key = DtmfClip::new(SEED, Part::Test, KEY);
    let clip = |index| MorseClip::new(SEED, Part::Test, index, Some(SNR_DB));
    let message = (0..100)
        .map(clip)
        .find(|it| it.text().split(' ').count() == 4);
    let message = message.ok_or("no message of four words")?;
    wav(&folder.join("key.wav"), &key.waveform())?;
    wav(&folder.join("morse.wav"), &message.waveform())?;
    println!("key.wav    key {}", key.key());
    println!("morse.wav  {}", message.text());
    Ok(())
}

/// Writes a file of 16-bit samples.
fn wav(path: &Path, waveform: &Waveform) -> Result<(), Error> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: waveform.sample_rate_hz,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec)?;
    for sample in &waveform.samples {
        writer.write_sample((sample * f32::from(i16::MAX)).round() as i16)?;
    }
    writer.finalize()?;
    Ok(())
}
