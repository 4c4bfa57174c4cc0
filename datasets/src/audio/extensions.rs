//! The names of audio files.

use std::path::Path;

/// Extensions of the files that corpora take for audio, in lower case.
pub const EXTENSIONS: [&str; 5] = ["wav", "flac", "ogg", "oga", "mp3"];

/// Whether the file has one of the [`EXTENSIONS`], in any case.
#[must_use]
pub fn has_audio_extension(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str()))
}
