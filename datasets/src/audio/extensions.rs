//! The names of audio files.

use std::path::Path;

use crate::files;

/// Extensions of the files that corpora take for audio, in lower case.
pub const EXTENSIONS: [&str; 7] = ["wav", "flac", "ogg", "oga", "mp3", "m4a", "mp4"];

/// Whether the file has one of the [`EXTENSIONS`], in any case.
#[must_use]
pub fn has_audio_extension(path: &Path) -> bool {
    extension(path).is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

/// Whether this is an audio file by its name, and not a folder, pipe or device of such a name. A
/// link whose file is gone counts, so that its loss is noticed when it is read.
pub(crate) fn is_recording(path: &Path) -> bool {
    has_audio_extension(path) && files::is_file_or_lost(path)
}

/// Extensions of sound in formats that are not read, or of other names for those that are.
const OTHERS: [&str; 28] = [
    "3gp", "aac", "ac3", "aif", "aifc", "aiff", "amr", "ape", "au", "caf", "dsf", "gsm", "m4b",
    "mka", "mkv", "mov", "mp2", "mpc", "opus", "ra", "snd", "sph", "spx", "voc", "wave", "webm",
    "wma", "wv",
];

/// The extension in lower case, if it is that of sound which corpora pass over.
pub(crate) fn unread_extension(path: &Path) -> Option<String> {
    extension(path).filter(|extension| OTHERS.contains(&extension.as_str()))
}

fn extension(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.to_ascii_lowercase())
}
