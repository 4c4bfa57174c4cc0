//! The names in a folder.

use std::path::Path;

use crate::{Error, Result};

/// Names of what lies in a folder, sorted, without hidden ones; a name that is not Unicode is an
/// error, because ids, labels and manifests are text.
pub(crate) fn entries(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let list =
        std::fs::read_dir(folder).map_err(|error| Error::io("read the folder", folder, error))?;
    for entry in list {
        let entry = entry.map_err(|error| Error::io("read the folder", folder, error))?;
        match entry.file_name().into_string() {
            Ok(name) if name.starts_with('.') => {}
            Ok(name) => names.push(name),
            Err(name) => {
                return Err(Error::Layout {
                    path: folder.join(name),
                    reason: "its name is not Unicode; rename it".into(),
                });
            }
        }
    }
    names.sort_unstable();
    Ok(names)
}
