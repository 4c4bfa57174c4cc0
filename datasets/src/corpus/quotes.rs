//! Quotation marks in tables.

use std::path::Path;

use crate::{Error, Result};

/// Refuses a table in which a quotation mark is never closed, or in which text follows one that
/// closes a value (RFC 4180). The rows between would be taken for one value, without a word. In
/// tables separated by tabs, where many write quotation marks as they are, text may follow.
pub(super) fn check_quotes(path: &Path, table: &[u8], delimiter: u8) -> Result<()> {
    let refuse = |line: usize, reason: &str| {
        Err(Error::ManifestLine {
            path: path.to_owned(),
            line,
            reason: format!(
                "{reason}; a value that begins with a quotation mark ends with one, and those within \
                 it are doubled, such as \"a \"\"b\"\" c\""
            ),
        })
    };
    // The line, the one in which its row begins, and the one of the last mark that opened a value.
    let (mut line, mut row, mut opened) = (1, 1, 1);
    let mut place = Place::Begin;
    for (at, &byte) in table.iter().enumerate() {
        let ends_row = byte == b'\n' || byte == b'\r';
        place = match (place, byte) {
            (Place::Begin, b'"') => {
                opened = row;
                Place::Quoted
            }
            (Place::Quoted, b'"') => Place::Closed,
            (Place::Quoted, _) => Place::Quoted,
            (Place::Closed, b'"') => Place::Quoted,
            (_, byte) if byte == delimiter || ends_row => Place::Begin,
            (Place::Closed | Place::Behind, b' ') => Place::Behind,
            (Place::Closed | Place::Behind, _) if delimiter != b'\t' => {
                return refuse(opened, "text follows a closing quotation mark");
            }
            _ => Place::Plain,
        };
        // Of the two marks of one line end, the second counts.
        let ends_line = ends_row && !(byte == b'\r' && table.get(at + 1) == Some(&b'\n'));
        line += usize::from(ends_line);
        if ends_row && place != Place::Quoted {
            row = line;
        }
    }
    if place == Place::Quoted {
        return refuse(opened, "its quotation mark is never closed");
    }
    Ok(())
}

/// A place in a table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The beginning of a value.
    Begin,
    /// Within a value without quotation marks.
    Plain,
    /// Within quotation marks.
    Quoted,
    /// Behind a mark that closes a value, or the first of two.
    Closed,
    /// Behind a blank that follows such a mark, where a mark opens nothing.
    Behind,
}
