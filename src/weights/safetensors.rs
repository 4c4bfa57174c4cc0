//! Tensors of a safetensors file, and what a file of Sori says beside them. The header alone is read.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::facts::Facts;
use super::stored::{Element, Place, Span, Stored, Tensors, bad, open};
use crate::Result;

/// The longest header, in bytes, as in the `safetensors` library.
const MAX_HEADER: u64 = 100_000_000;
/// The key of the header that is no tensor.
const METADATA: &str = "__metadata__";
/// The key of the metadata that `sori export` writes.
pub(crate) const FACTS: &str = "sori";

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// The tensors of the file `path`, which errors call `name`, and the facts of a file that Sori wrote.
pub(super) fn tensors(path: &Path, name: &str) -> Result<(Tensors, Option<Facts>)> {
    let file = open(path, name)?;
    let cut = |e: std::io::Error| bad(name, format!("the file is cut short in its header: {e}"));
    let mut length = [0; 8];
    (&*file).read_exact(&mut length).map_err(cut)?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER {
        let reason = format!("its header is of {length} bytes, and at most {MAX_HEADER} are read");
        return Err(bad(name, reason));
    }
    let mut header = Vec::new();
    (&*file)
        .take(length)
        .read_to_end(&mut header)
        .map_err(cut)?;
    if header.len() as u64 != length {
        return Err(bad(name, "the file is cut short in its header"));
    }
    let entries: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(&header).map_err(|e| {
            bad(
                name,
                format!("its header is not that of a safetensors file: {e}"),
            )
        })?;
    let start = 8 + length;
    let facts = entries
        .get(METADATA)
        .and_then(|metadata| metadata[FACTS].as_str());
    let facts = facts
        .map(serde_json::from_str)
        .transpose()
        .map_err(|e| bad(name, format!("what it says of its run is damaged: {e}")))?;
    let tensors = entries
        .into_iter()
        .filter(|(tensor, _)| tensor != METADATA)
        .map(|(tensor, entry)| {
            let wrong = |reason: String| bad(name, format!("tensor {tensor}: {reason}"));
            let entry: Entry = serde_json::from_value(entry)
                .map_err(|e| wrong(format!("its entry in the header is wrong: {e}")))?;
            let [first, last] = entry.data_offsets;
            let span = last.checked_sub(first).zip(start.checked_add(first));
            let Some((len, start)) = span else {
                return Err(wrong(format!(
                    "it ends at {last}, before its start {first}"
                )));
            };
            let stored = Stored {
                shape: entry.shape,
                element: element(&entry.dtype),
                place: Place::Bytes(Arc::clone(&file), Span { start, len }, None),
                is_constant: false,
            };
            Ok((tensor, stored))
        })
        .collect::<Result<Tensors>>()?;
    Ok((tensors, facts))
}

fn element(dtype: &str) -> Element {
    match dtype {
        "F16" => Element::F16,
        "BF16" => Element::Bf16,
        "F32" => Element::F32,
        "F64" => Element::F64,
        "I64" | "U64" => Element::Other("integers", Some(8)),
        "I32" | "U32" => Element::Other("integers", Some(4)),
        "I16" | "U16" => Element::Other("integers", Some(2)),
        "I8" | "U8" => Element::Other("integers", Some(1)),
        "BOOL" => Element::Other("truth values", Some(1)),
        _ => Element::Other("values of another type", None),
    }
}
