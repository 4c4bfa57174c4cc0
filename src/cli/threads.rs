//! `--threads`.

use super::options::Common;
use crate::{Error, Result};

/// Sets the size of the pool for features, kernels and searches from `--threads`. On the CPU every
/// product of the zoo is a kernel's, so that ndarray's own threads have nothing to do.
pub(super) fn use_threads(common: &Common) -> Result<()> {
    let Some(threads) = common.threads else {
        return Ok(());
    };
    rayon::ThreadPoolBuilder::new()
        .num_threads(usize::from(threads))
        .build_global()
        .map_err(|e| Error::Input(format!("--threads {threads}: {e}")))
}
