//! Tensors of a TensorFlow 2 checkpoint: an index, a sorted table of `BundleEntryProto`
//! ([tensor_bundle.proto](https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/protobuf/tensor_bundle.proto)),
//! and the files beside it with the values.

use std::io::{self, Cursor};
use std::sync::Arc;

use super::archive::Located;
use super::protobuf::{Messages, Value};
use super::sstable::entries;
use super::stored::{Element, Place, Span, Stored, Tensors, bad, open};
use crate::{Error, Result};

/// The largest index, in bytes. It holds names and shapes.
const MAX_INDEX: u64 = 64 << 20;
/// More dimensions than any tensor has.
const MAX_DIMENSIONS: usize = 64;
/// The most files that values may be spread over.
const MAX_SHARDS: u64 = 1024;

/// What the index says of a tensor.
#[derive(Default)]
struct Entry {
    kind: u64,
    shape: Vec<u64>,
    shard: u64,
    offset: u64,
    size: u64,
    crc: Option<u32>,
    sliced: bool,
}

/// The tensors of the checkpoint with this index, which errors call `name`.
pub(super) fn tensors(located: &Located, name: &str) -> Result<Tensors> {
    let index = located.path().to_path_buf();
    let length = index
        .metadata()
        .map_err(Error::io("cannot read", &index))?
        .len();
    if length > MAX_INDEX {
        return Err(bad(
            name,
            format!("its index has {length} bytes; at most {MAX_INDEX} are read"),
        ));
    }
    let bytes = std::fs::read(&index).map_err(Error::io("cannot read", &index))?;
    let table = entries(&bytes).map_err(|e| bad(name, e))?;
    let mut shards = 0;
    let mut found = Vec::new();
    for (key, value) in table {
        let tensor = String::from_utf8_lossy(&key).into_owned();
        if tensor.is_empty() {
            shards =
                num_shards(&value).map_err(|e| bad(name, format!("its header is wrong: {e}")))?;
            continue;
        }
        let entry = entry(&value).map_err(|e| bad(name, format!("tensor {tensor}: {e}")))?;
        if entry.sliced {
            return Err(bad(
                name,
                format!("tensor {tensor}: it is saved in slices, which are not read"),
            ));
        }
        if entry.shard >= shards {
            let reason = format!("it is in data file {}, of {shards}", entry.shard);
            return Err(bad(name, format!("tensor {tensor}: {reason}")));
        }
        found.push((tensor, entry));
    }
    let files = (0..shards).map(|shard| {
        let path = located.beside(&format!(".data-{shard:05}-of-{shards:05}"))?;
        open(&path, &path.display().to_string())
    });
    let files = files.collect::<Result<Vec<_>>>()?;
    let tensors = found.into_iter().map(|(tensor, entry)| {
        let span = Span {
            start: entry.offset,
            len: entry.size,
        };
        let file = Arc::clone(&files[entry.shard as usize]);
        let stored = Stored {
            shape: entry.shape,
            element: element(entry.kind),
            place: Place::Bytes(file, span, entry.crc),
            is_constant: false,
        };
        (tensor, stored)
    });
    Ok(tensors.collect())
}

/// `BundleHeaderProto`: the number of data files.
fn num_shards(bytes: &[u8]) -> io::Result<u64> {
    let (mut shards, mut big_endian) = (0, false);
    of_bytes(bytes, |_, field, value| {
        match (field, value) {
            (1, Value::Number(number)) => shards = number,
            (2, Value::Number(order)) => big_endian = order == 1,
            _ => {}
        }
        Ok(())
    })?;
    if big_endian {
        return Err(io::Error::other(
            "its values begin with the most significant byte",
        ));
    }
    if !(1..=MAX_SHARDS).contains(&shards) {
        return Err(io::Error::other(format!("it has {shards} data files")));
    }
    Ok(shards)
}

fn entry(bytes: &[u8]) -> io::Result<Entry> {
    let mut entry = Entry::default();
    of_bytes(bytes, |input, field, value| {
        match (field, value) {
            (1, Value::Number(kind)) => entry.kind = kind,
            (2, Value::Bytes(shape)) => entry.shape = shape_of(input, shape)?,
            (3, Value::Number(shard)) => entry.shard = shard,
            (4, Value::Number(offset)) => entry.offset = offset,
            (5, Value::Number(size)) => entry.size = size,
            (6, Value::Number(crc)) => entry.crc = u32::try_from(crc).ok(),
            (7, _) => entry.sliced = true,
            _ => {}
        }
        Ok(())
    })?;
    Ok(entry)
}

/// `TensorShapeProto`.
fn shape_of(input: &mut Messages<Cursor<&[u8]>>, shape: Span) -> io::Result<Vec<u64>> {
    let mut sizes = Vec::new();
    input.fields(shape, |input, field, value| {
        let (2, Value::Bytes(dimension)) = (field, value) else {
            return Ok(());
        };
        // A size of zero is left out.
        let mut size = 0;
        input.fields(dimension, |_, field, value| {
            if let (1, Value::Number(number)) = (field, value) {
                size = number;
            }
            Ok(())
        })?;
        sizes.push(size);
        if sizes.len() > MAX_DIMENSIONS {
            return Err(io::Error::other("it has more dimensions than make sense"));
        }
        Ok(())
    })?;
    Ok(sizes)
}

fn of_bytes<'a>(
    bytes: &'a [u8],
    each: impl FnMut(&mut Messages<Cursor<&'a [u8]>>, u32, Value) -> io::Result<()>,
) -> io::Result<()> {
    let whole = Span {
        start: 0,
        len: bytes.len() as u64,
    };
    Messages::new(Cursor::new(bytes)).fields(whole, each)
}

/// `DataType`.
fn element(number: u64) -> Element {
    match number {
        1 => Element::F32,
        2 => Element::F64,
        14 => Element::Bf16,
        19 => Element::F16,
        4 | 6 => Element::Other("integers", Some(1)),
        5 | 17 => Element::Other("integers", Some(2)),
        3 | 22 => Element::Other("integers", Some(4)),
        9 | 23 => Element::Other("integers", Some(8)),
        10 => Element::Other("truth values", Some(1)),
        _ => Element::Other("values of another type", None),
    }
}
