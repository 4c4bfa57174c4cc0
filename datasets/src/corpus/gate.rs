//! The gate: recordings and lines that cannot be used are listed or refused.

use std::collections::BTreeMap;
use std::path::Path;

use crate::audio::unread_extension;
use crate::item::Rejected;
use crate::{Error, Result};

/// Lists recordings and lines that cannot be used, or fails with the first.
pub(super) struct Gate {
    pub(super) skip_bad: bool,
    pub(super) rejected: Vec<Rejected>,
    /// Files of sound that is not read, by their extension.
    pub(super) unread: BTreeMap<String, usize>,
    /// Whether a test part was chosen from recordings that have no parts.
    pub(super) chose_test: bool,
}

impl Gate {
    /// A gate that nothing has come to yet.
    pub(super) fn new(skip_bad: bool) -> Self {
        Self {
            skip_bad,
            rejected: Vec::new(),
            unread: BTreeMap::new(),
            chose_test: false,
        }
    }

    /// Notes a file that is passed over, if it is of sound by its name. Returns 1, its number.
    pub(super) fn pass_over(&mut self, name: &str) -> usize {
        if let Some(extension) = unread_extension(Path::new(name)) {
            *self.unread.entry(extension).or_default() += 1;
        }
        1
    }

    /// Lists the problem under `skip_bad`, fails with it otherwise.
    pub(super) fn reject(&mut self, place: String, error: Error) -> Result<()> {
        if !self.skip_bad {
            return Err(error);
        }
        self.rejected.push(Rejected {
            place,
            reason: error.to_string(),
        });
        Ok(())
    }

    /// Rejects a line of a list, as [`reject`](Self::reject).
    pub(super) fn reject_line(&mut self, list: &Path, line: usize, reason: String) -> Result<()> {
        self.reject(
            format!("{}:{line}", list.display()),
            Error::ManifestLine {
                path: list.to_owned(),
                line,
                reason,
            },
        )
    }
}
