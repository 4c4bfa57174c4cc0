//! Tensors of a file of PyTorch, zip or legacy. No code of it is run.

use std::path::Path;

use pytorch_reader::{DType, PytorchReader};

use super::stored::{Element, Place, Stored, Tensors, bad};
use crate::Result;

/// The tensors of the file `path`, which errors call `name`.
pub(super) fn tensors(path: &Path, name: &str) -> Result<Tensors> {
    let reader = PytorchReader::new(path)
        .map_err(|e| bad(name, format!("it cannot be read as a file of PyTorch: {e}")))?;
    let tensors = reader.into_tensors().into_iter();
    Ok(tensors
        .map(|(tensor, stored)| {
            let stored = Stored {
                shape: stored.shape().iter().map(|&size| size as u64).collect(),
                element: element(stored.dtype()),
                place: Place::Torch(stored),
                is_constant: false,
            };
            (tensor, stored)
        })
        .collect())
}

fn element(dtype: DType) -> Element {
    let size = Some(dtype.size() as u64);
    match dtype {
        DType::F16 => Element::F16,
        DType::BF16 => Element::Bf16,
        DType::F32 => Element::F32,
        DType::F64 => Element::F64,
        DType::Bool => Element::Other("truth values", size),
        DType::I64
        | DType::I32
        | DType::I16
        | DType::I8
        | DType::U64
        | DType::U32
        | DType::U16
        | DType::U8 => Element::Other("integers", size),
    }
}
