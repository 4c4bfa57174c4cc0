//! Tensors as they are stored in a file of any format, and the errors of such files.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::DType;

use crate::{Error, Result};

/// The type of a tensor's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    F16,
    Bf16,
    F32,
    F64,
    /// Integers, truth values and others, which no parameter is made of: name and size in bytes, if known.
    Other(&'static str, Option<u64>),
}

impl Element {
    /// The size of a value in bytes.
    pub(super) fn size(self) -> Option<u64> {
        match self {
            Self::F16 | Self::Bf16 => Some(2),
            Self::F32 => Some(4),
            Self::F64 => Some(8),
            Self::Other(_, size) => size,
        }
    }

    pub(super) fn dtype(self) -> Option<DType> {
        match self {
            Self::F16 => Some(DType::F16),
            Self::Bf16 => Some(DType::BF16),
            Self::F32 => Some(DType::F32),
            Self::F64 => Some(DType::F64),
            Self::Other(..) => None,
        }
    }
}

/// A stretch of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) len: u64,
}

/// The place where a tensor's values are found.
pub(super) enum Place {
    /// A stretch of an open file, least significant byte first, with its CRC-32C if it has one.
    Bytes(Arc<File>, Span, Option<u32>),
    /// A tensor of PyTorch, which may be strided.
    Torch(pytorch_reader::Tensor),
}

/// A tensor of a file whose values have not been read.
pub(super) struct Stored {
    pub(super) shape: Vec<u64>,
    pub(super) element: Element,
    pub(super) place: Place,
    /// Whether it may be anything that a computation takes, rather than a weight.
    pub(super) is_constant: bool,
}

/// The tensors of a file, by name.
pub(super) type Tensors = BTreeMap<String, Stored>;

/// The error of a file of weights.
pub(super) fn bad(file: &str, reason: impl fmt::Display) -> Error {
    Error::Input(format!("{file}: {reason}"))
}

/// Opens the file `path`, which errors call `name`.
pub(super) fn open(path: &Path, name: &str) -> Result<Arc<File>> {
    let file = File::open(path).map_err(|e| bad(name, format!("cannot open it: {e}")))?;
    Ok(Arc::new(file))
}
