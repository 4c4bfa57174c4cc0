//! Samples of wav files that are plain numbers.

use std::io::{BufReader, Read};
use std::path::Path;

use super::format::truncated;
use super::mixer::mix_bytes;
use super::opened::Opened;
use super::wav_header::{Encoding, WavHeader};
use crate::Result;

/// The samples that are read at once.
const BLOCK: u64 = 8192;

/// The samples of a wav, read from its file block by block.
pub(super) struct WavSamples {
    file: BufReader<Opened>,
    header: WavHeader,
    left: u64,
    bytes: Vec<u8>,
}

impl WavSamples {
    /// Behind its header; refused if there are fewer samples than that promises.
    pub(super) fn new(path: &Path, file: BufReader<Opened>, header: WavHeader) -> Result<Self> {
        check_promise(path, &header)?;
        Ok(Self {
            file,
            left: header.data_bytes / header.block_bytes as u64,
            header,
            bytes: Vec::new(),
        })
    }

    /// The number of samples that are still to come.
    pub(super) const fn left(&self) -> u64 {
        self.left
    }

    /// Adds the next samples; none at the end.
    pub(super) fn next(&mut self, path: &Path, samples: &mut Vec<f32>) -> Result<()> {
        let count = self.left.min(BLOCK);
        self.left -= count;
        self.bytes
            .resize(count as usize * self.header.block_bytes, 0);
        self.file
            .read_exact(&mut self.bytes)
            .map_err(|_| truncated(path, "it became shorter while it was read"))?;
        let (bytes, channels) = (&self.bytes[..], self.header.channels);
        let scaled = |value: i32, bits: u32| {
            (f64::from(value) * (1.0 / (1_u64 << (bits - 1)) as f64)) as f32
        };
        match self.header.encoding {
            Encoding::Int8 => mix_bytes(bytes, channels, samples, |[byte]| {
                scaled(i32::from(byte) - 128, 8)
            }),
            Encoding::Int16 => mix_bytes(bytes, channels, samples, |two| {
                scaled(i16::from_le_bytes(two).into(), 16)
            }),
            Encoding::Int24 => mix_bytes(bytes, channels, samples, |[a, b, c]| {
                scaled(i32::from_le_bytes([0, a, b, c]), 32)
            }),
            Encoding::Int24In32 => mix_bytes(bytes, channels, samples, |[a, b, c, _]| {
                scaled(i32::from_le_bytes([0, a, b, c]), 32)
            }),
            Encoding::Int32 => mix_bytes(bytes, channels, samples, |four| {
                scaled(i32::from_le_bytes(four), 32)
            }),
            Encoding::Float32 => mix_bytes(bytes, channels, samples, f32::from_le_bytes),
            Encoding::Float64 => mix_bytes(bytes, channels, samples, |eight| {
                f64::from_le_bytes(eight) as f32
            }),
            Encoding::ALaw => mix_bytes(bytes, channels, samples, |[code]| scaled(a_law(code), 16)),
            Encoding::MuLaw => {
                mix_bytes(bytes, channels, samples, |[code]| scaled(mu_law(code), 16))
            }
            // Read by another.
            Encoding::Coded => {}
        }
        Ok(())
    }
}

/// Refuses a wav that stops before all that its header promises.
pub(super) fn check_promise(path: &Path, header: &WavHeader) -> Result<()> {
    if header.there_bytes >= header.data_bytes {
        return Ok(());
    }
    let blocks = |bytes: u64| bytes / header.block_bytes as u64;
    let what = match header.encoding {
        Encoding::Coded => "blocks",
        _ => "samples",
    };
    Err(truncated(
        path,
        format!(
            "its header promises {} {what} and {} are there",
            blocks(header.data_bytes),
            blocks(header.there_bytes)
        ),
    ))
}

/// A sample by A-law (ITU-T G.711), of 16 bits.
fn a_law(code: u8) -> i32 {
    let code = code ^ 0x55;
    let (segment, steps) = (u32::from(code >> 4 & 7), i32::from(code & 15) << 4);
    let size = match segment {
        0 => steps + 8,
        _ => (steps + 0x108) << (segment - 1),
    };
    if code & 0x80 == 0 { -size } else { size }
}

/// A sample by mu-law (ITU-T G.711), of 16 bits.
fn mu_law(code: u8) -> i32 {
    let code = !code;
    let (segment, steps) = (u32::from(code >> 4 & 7), i32::from(code & 15) << 3);
    let size = ((steps + 0x84) << segment) - 0x84;
    if code & 0x80 == 0 { size } else { -size }
}
