//! The output of commands: lines and JSON on standard output, remarks on standard error, files.

use std::io::{self, Write};
use std::path::Path;
use std::sync::OnceLock;

use serde::Serialize;

use crate::show::terminal::{json_line, shown};
use crate::{Error, Result};

/// Refuses a file name for `option` that is not a PNG picture.
pub(super) fn require_png(option: &str, path: &Path) -> Result<()> {
    match path.extension() {
        Some(extension) if extension == "png" => Ok(()),
        _ => Err(Error::Input(format!(
            "{option} {}: its name must end in .png (a picture)",
            path.display()
        ))),
    }
}

/// Refuses an output file whose folder does not exist.
pub(super) fn require_folder_of(out: &Path) -> Result<()> {
    match out.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            Err(Error::Input(format!(
                "cannot write {}: there is no folder {}; make it first",
                out.display(),
                folder.display()
            )))
        }
        _ => Ok(()),
    }
}

/// Prints a line on standard output.
pub(super) fn print(text: &str) -> Result<()> {
    print_bytes(format!("{}\n", shown(text)).as_bytes())
}

pub(super) fn print_bytes(bytes: &[u8]) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(Error::io("cannot write", "standard output".as_ref()))
}

/// The `event` of JSON lines that have none of their own.
static EVENT: OnceLock<&str> = OnceLock::new();

/// Says what the JSON lines of this command are.
pub(super) fn name_lines(event: &'static str) {
    EVENT.get_or_init(|| event);
}

/// A JSON line with what it is in front.
#[derive(Serialize)]
struct Line<'a, T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(flatten)]
    value: &'a T,
}

/// Prints a JSON object as a line on standard output. Its `event` is the command's, unless it has one of its own.
pub(super) fn print_json(value: &impl Serialize) -> Result<()> {
    let unwritable = |e| Error::Input(format!("the result cannot be written as JSON: {e}"));
    let has_event = serde_json::to_value(value)
        .map_err(unwritable)?
        .get("event")
        .is_some();
    let event = EVENT.get().copied().filter(|_| !has_event);
    print(&json_line(&Line { event, value }).map_err(unwritable)?)
}

/// Prints a remark on standard error, out of programs' way.
pub(super) fn remark(text: &str) {
    let _ = writeln!(io::stderr(), "{}", shown(text));
}
