//! A safetensors file ([format](https://github.com/huggingface/safetensors)). The `safetensors` crate takes
//! metadata in no order, which would give another file each time.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::weights::FACTS;

/// A tensor of a file.
pub(super) struct Entry {
    /// The type of its values: `F32` or `I64`.
    pub(super) dtype: &'static str,
    /// Its shape.
    pub(super) shape: Vec<usize>,
    /// Its values, least significant byte first.
    pub(super) bytes: Vec<u8>,
}

/// The bytes of a file of these tensors, with facts as JSON under one key of its metadata.
pub(super) fn bytes(tensors: &BTreeMap<String, Entry>, facts: &Value) -> Vec<u8> {
    let mut header = Map::new();
    header.insert("__metadata__".into(), json!({ FACTS: facts.to_string() }));
    let mut start = 0;
    // Wider values come first, so that all are aligned.
    let mut entries: Vec<(&String, &Entry)> = tensors.iter().collect();
    entries.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.dtype));
    for (name, entry) in &entries {
        let end = start + entry.bytes.len();
        header.insert(
            (*name).clone(),
            json!({"dtype": entry.dtype, "shape": entry.shape, "data_offsets": [start, end]}),
        );
        start = end;
    }
    let mut text = Value::Object(header).to_string();
    while !text.len().is_multiple_of(8) {
        text.push(' ');
    }
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.as_bytes());
    for (_, entry) in entries {
        bytes.extend(&entry.bytes);
    }
    bytes
}
