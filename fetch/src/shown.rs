//! Texts of others, made fit for a terminal.

use std::fmt::Display;

/// More of one text than this is not shown.
const MOST_CHARACTERS: usize = 1000;

/// A text as it is shown in an error: characters that steer a terminal or turn the direction of
/// writing are written as `\u{..}`, and a text without end is cut off.
pub(crate) fn shown(text: impl Display) -> String {
    let text = text.to_string();
    let mut safe = String::with_capacity(text.len().min(MOST_CHARACTERS));
    for (count, character) in text.chars().enumerate() {
        if count == MOST_CHARACTERS {
            safe.push('…');
            break;
        }
        if steers(character) {
            safe.extend(character.escape_unicode());
        } else {
            safe.push(character);
        }
    }
    safe
}

/// C0 and C1 controls, marks of direction, separators of lines, and the mark of byte order.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_escaped_and_all_else_is_kept() {
        assert_eq!(shown("소리/ä b'c\".wav"), "소리/ä b'c\".wav");
        assert_eq!(
            shown("\x1b[2J\r\n\x07\u{7f}\u{9b}31m\0"),
            "\\u{1b}[2J\\u{d}\\u{a}\\u{7}\\u{7f}\\u{9b}31m\\u{0}"
        );
        for mark in
            "\u{61c}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}\u{feff}\u{2028}\u{2029}"
                .chars()
        {
            assert_eq!(shown(mark), format!("\\u{{{:x}}}", u32::from(mark)));
        }
    }

    #[test]
    fn a_text_without_end_is_cut_off() {
        let text = shown("x".repeat(1_000_000));
        assert_eq!(text.chars().count(), MOST_CHARACTERS + 1);
        assert!(text.ends_with('…'));
    }
}
