//! The gate: recordings and lines that cannot be used are listed or refused.

use std::path::Path;

use crate::item::Rejected;
use crate::{Error, Result};

/// Lists recordings and lines that cannot be used, or fails with the first.
pub(super) struct Gate {
    pub(super) skip_bad: bool,
    pub(super) rejected: Vec<Rejected>,
}

impl Gate {
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
