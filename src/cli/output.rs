//! The output of commands: lines and JSON on standard output, remarks on standard error, files.

use std::io::{self, Write};
use std::path::Path;

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

/// Prints a JSON line on standard output.
pub(super) fn print_json(value: &impl Serialize) -> Result<()> {
    let text = json_line(value)
        .map_err(|e| Error::Input(format!("the result cannot be written as JSON: {e}")))?;
    print(&text)
}

/// Prints a remark on standard error, out of programs' way.
pub(super) fn remark(text: &str) {
    let _ = writeln!(io::stderr(), "{}", shown(text));
}
