//! Files to samples: a path becomes a [`Waveform`] at the rate that is wanted.
//!
//! Formats are told by a file's first bytes, never by its name alone; but samples without a header
//! have no first bytes to tell, and are read as such only where a corpus is known for them.

mod compressed;
mod decode;
mod extensions;
mod format;
mod guard;
mod load;
mod mixer;
mod mp3;
mod mp4;
mod ogg;
mod opened;
mod raw;
mod reader;
mod resample;
mod tags;
mod wav;
mod wav_header;
mod waveform;

pub use decode::{decode, sample_rate_hz};
pub use extensions::{EXTENSIONS, has_audio_extension};
pub(crate) use extensions::{is_recording, unread_extension};
pub use load::load;
pub(crate) use raw::{RAW_RATE_HZ, decode_raw};
pub use reader::SoundReader;
pub(crate) use reader::length_s;
pub use resample::{ResampleStream, resample};
pub use waveform::Waveform;
