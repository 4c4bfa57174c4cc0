//! Text on its way to a terminal: what comes from files and folders may not steer it.

use std::borrow::Cow;
use std::fmt::Write;

use serde::Serialize;
use sori_datasets::printable;

/// The text with hidden characters written out, except for ends of lines and tabs.
pub(crate) fn shown(text: &str) -> String {
    text.split_inclusive(['\n', '\t'])
        .flat_map(|part| {
            let (rest, end) = match part.strip_suffix(['\n', '\t']) {
                Some(rest) => (rest, &part[rest.len()..]),
                None => (part, ""),
            };
            [printable(rest), Cow::Borrowed(end)]
        })
        .collect()
}

/// The value as JSON on one line. Hidden characters are written as JSON escapes.
///
/// # Errors
/// When it cannot be written as JSON.
pub(crate) fn json_line(value: &impl Serialize) -> serde_json::Result<String> {
    let text = serde_json::to_string(value)?;
    let mut line = String::with_capacity(text.len());
    let mut buffer = [0; 4];
    for character in text.chars() {
        let one: &str = character.encode_utf8(&mut buffer);
        if printable(one) == one {
            line.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                // Writing into a string does not fail.
                let _ = write!(line, "\\u{unit:04x}");
            }
        }
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_do_not_reach_the_terminal() {
        assert_eq!(
            shown("a\u{1b}[31m\tb\n\u{202e}c"),
            "a\\u{1b}[31m\tb\n\\u{202e}c"
        );
        let label = "a\u{1b}\u{9b}\u{202e}\n강";
        let line = json_line(&label).unwrap();
        assert_eq!(line, r#""a\u001b\u009b\u202e\n강""#);
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), label);
    }
}
