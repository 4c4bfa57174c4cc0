//! One spelling for each text. Unicode writes many letters in two ways, composed (NFC) and decomposed
//! (NFD): a name from a Mac's disk is often decomposed, and prints as the other does.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// The text in its composed spelling (NFC), in which labels, ids and texts are kept and compared.
#[must_use]
pub fn composed(text: &str) -> Cow<'_, str> {
    match is_nfc(text) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(text.nfc().collect()),
    }
}

/// As [`composed`], of a text that is no longer needed.
pub(crate) fn into_composed(text: String) -> String {
    match composed(&text) {
        Cow::Owned(composed) => composed,
        Cow::Borrowed(_) => text,
    }
}

/// The path of a file in whichever spelling it has on the disk; the path itself if there is none.
pub(crate) fn on_disk(path: PathBuf) -> PathBuf {
    if path.as_os_str().as_encoded_bytes().is_ascii() || path.exists() {
        return path;
    }
    let mut found = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => match name.to_str().and_then(|name| spelled(&found, name)) {
                Some(there) => found = there,
                None => return path,
            },
            other => found.push(other),
        }
    }
    found
}

/// What lies in a folder by this name in any spelling.
fn spelled(folder: &Path, name: &str) -> Option<PathBuf> {
    [name.to_owned(), name.nfc().collect(), name.nfd().collect()]
        .into_iter()
        .map(|name| folder.join(name))
        .find(|path| path.exists())
}
