//! Texts from outside, as they may be printed.

use std::borrow::Cow;
use std::fmt::Write;
use std::path::Path;

/// The text with every character written as `\\u{…}` that is not to be seen but does something: to
/// the terminal (controls and escapes), to the line (its ends), or to the order of what is printed
/// around it (marks of direction). A file may be named so, or a label be.
///
/// ```
/// use sori_datasets::printable;
///
/// assert_eq!(printable("강아지 \u{1b}[31m.wav"), "강아지 \\u{1b}[31m.wav");
/// ```
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_hidden(character) {
            // Writing into a string does not fail.
            let _ = write!(shown, "{}", character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// A path as it may be printed.
pub(crate) fn printable_path(path: &Path) -> String {
    printable(&path.to_string_lossy()).into_owned()
}

fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' | '\u{feff}'
        )
}
