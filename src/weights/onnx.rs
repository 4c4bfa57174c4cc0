//! Initialisers of an ONNX model: `ModelProto`, `GraphProto` and `TensorProto`
//! ([onnx.proto](https://github.com/onnx/onnx/blob/main/onnx/onnx.proto)), as far as weights take.
//! Tensors of `Constant` nodes have the names of the nodes' outputs, and need not be weights.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::protobuf::{Messages, Value};
use super::stored::{Element, Place, Span, Stored, Tensors, bad, open};
use crate::Result;

/// The longest name of a tensor, in bytes.
const MAX_NAME: u64 = 4096;
/// More dimensions than any tensor has.
const MAX_DIMENSIONS: usize = 64;

type Input<'a> = Messages<&'a File>;

/// The tensors of the file `path`, which errors call `name`.
pub(super) fn tensors(path: &Path, name: &str) -> Result<Tensors> {
    let file = open(path, name)?;
    let length = file.metadata().map_err(|e| bad(name, e))?.len();
    let whole = Span {
        start: 0,
        len: length,
    };
    let mut found = Tensors::new();
    let mut model = Messages::new(&*file);
    let read = model.fields(whole, |input, field, value| match (field, value) {
        (7, Value::Bytes(graph)) => of_graph(input, graph, &file, &mut found),
        _ => Ok(()),
    });
    read.map_err(|e| match e.kind() {
        io::ErrorKind::UnexpectedEof => bad(name, "the ONNX model is cut short"),
        _ => bad(name, format!("it cannot be read as an ONNX model: {e}")),
    })?;
    Ok(found)
}

fn of_graph(
    input: &mut Input<'_>,
    graph: Span,
    file: &Arc<File>,
    found: &mut Tensors,
) -> io::Result<()> {
    input.fields(graph, |input, field, value| match (field, value) {
        (1, Value::Bytes(node)) => of_constant(input, node, file, found),
        (5, Value::Bytes(tensor)) => {
            let (name, stored) = tensor_of(input, tensor, file)?;
            add(found, name, stored)
        }
        _ => Ok(()),
    })
}

/// The tensor of a `Constant` node.
fn of_constant(
    input: &mut Input<'_>,
    node: Span,
    file: &Arc<File>,
    found: &mut Tensors,
) -> io::Result<()> {
    let (mut output, mut is_constant, mut attributes) = (String::new(), false, Vec::new());
    input.fields(node, |input, field, value| {
        match (field, value) {
            (2, Value::Bytes(span)) => output = text(input, span)?,
            (4, Value::Bytes(span)) => is_constant = text(input, span)? == "Constant",
            (5, Value::Bytes(span)) => attributes.push(span),
            _ => {}
        }
        Ok(())
    })?;
    if !is_constant {
        return Ok(());
    }
    for attribute in attributes {
        let mut tensor = None;
        input.fields(attribute, |_, field, value| {
            if let (5, Value::Bytes(span)) = (field, value) {
                tensor = Some(span);
            }
            Ok(())
        })?;
        if let Some(tensor) = tensor {
            let (_, mut stored) = tensor_of(input, tensor, file)?;
            stored.is_constant = true;
            add(found, output.clone(), stored)?;
        }
    }
    Ok(())
}

fn add(found: &mut Tensors, name: String, stored: Stored) -> io::Result<()> {
    if found.contains_key(&name) {
        return Err(io::Error::other(format!("tensor {name} is there twice")));
    }
    found.insert(name, stored);
    Ok(())
}

fn tensor_of(
    input: &mut Input<'_>,
    tensor: Span,
    file: &Arc<File>,
) -> io::Result<(String, Stored)> {
    let (mut name, mut shape, mut kind) = (String::new(), Vec::new(), 0);
    let (mut place, mut elsewhere) = (None, false);
    input.fields(tensor, |input, field, value| {
        match (field, value) {
            (1, Value::Number(size)) => shape.push(size),
            (1, Value::Bytes(sizes)) => shape.extend(input.numbers(sizes, MAX_DIMENSIONS)?),
            (2, Value::Number(number)) => kind = number,
            (8, Value::Bytes(span)) => name = text(input, span)?,
            // Floats and doubles as such lie side by side, as raw values do. Integers do not, and are not read.
            (4 | 9 | 10, Value::Bytes(span)) => place = Some(span),
            (14, Value::Number(1)) | (13, _) => elsewhere = true,
            _ => {}
        }
        if shape.len() > MAX_DIMENSIONS {
            return Err(io::Error::other(
                "a tensor has more dimensions than make sense",
            ));
        }
        Ok(())
    })?;
    if elsewhere {
        return Err(io::Error::other(format!(
            "tensor {name} is in another file; save the model as one file"
        )));
    }
    let mut element = element(kind);
    if place.is_none() && matches!(element, Element::Other(..)) {
        element = Element::Other("integers", None);
    }
    let span = place.unwrap_or(Span {
        start: tensor.start,
        len: 0,
    });
    let place = Place::Bytes(Arc::clone(file), span, None);
    Ok((
        name,
        Stored {
            shape,
            element,
            place,
            is_constant: false,
        },
    ))
}

fn text(input: &mut Input<'_>, span: Span) -> io::Result<String> {
    let bytes = input.bytes(span, MAX_NAME)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// `TensorProto.DataType`.
fn element(number: u64) -> Element {
    match number {
        1 => Element::F32,
        10 => Element::F16,
        11 => Element::F64,
        16 => Element::Bf16,
        2 | 3 => Element::Other("integers", Some(1)),
        4 | 5 => Element::Other("integers", Some(2)),
        6 | 12 => Element::Other("integers", Some(4)),
        7 | 13 => Element::Other("integers", Some(8)),
        9 => Element::Other("truth values", Some(1)),
        8 => Element::Other("texts", None),
        _ => Element::Other("values of another type", None),
    }
}
