//! Arrays of numbers in NumPy's format.

use std::path::Path;

use npyz::WriterBuilder;

use crate::file::write_atomically;
use crate::{Error, Result};

/// Writes numbers as a NumPy array.
pub(super) fn write_array(
    shape: &[usize],
    values: impl Iterator<Item = f32>,
    path: &Path,
) -> Result<()> {
    let shape: Vec<u64> = shape.iter().map(|&size| size as u64).collect();
    let bytes = move || -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut writer = npyz::WriteOptions::new()
            .default_dtype()
            .shape(&shape)
            .writer(&mut bytes)
            .begin_nd()?;
        writer.extend(values)?;
        writer.finish()?;
        Ok(bytes)
    };
    write_atomically(path, &bytes().map_err(Error::io("cannot write", path))?)
}
