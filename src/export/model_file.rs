//! A graph as an ONNX file: `ModelProto`
//! ([onnx.proto](https://github.com/onnx/onnx/blob/v1.16.0/onnx/onnx.proto)), whose field numbers stand here.

use sori_models::onnx::{
    Axis, Constant, Element, Numbers, OPSET, OnnxAttribute, OnnxGraph, OnnxNode, Port,
};

use super::protobuf::Message;
use crate::{Error, Result};

/// The version of the file format that belongs to the operators.
const IR_VERSION: i64 = 8;
/// The largest message of protocol buffers, in bytes.
const MAX_BYTES: usize = i32::MAX as usize;

/// `TensorProto.DataType`.
const FLOAT: i64 = 1;
const INT64: i64 = 7;

/// The bytes of a file with this graph, and what else it says.
///
/// # Errors
/// When it is larger than a file may be.
pub(super) fn bytes(graph: &OnnxGraph, facts: &[(&'static str, String)]) -> Result<Vec<u8>> {
    let mut model = Message::default();
    model.integer(1, IR_VERSION);
    model.bytes(2, b"sori");
    model.bytes(3, env!("CARGO_PKG_VERSION").as_bytes());
    model.message(7, |it| whole(it, graph));
    model.message(8, |opset| {
        opset.bytes(1, b"");
        opset.integer(2, OPSET);
    });
    for (key, value) in facts {
        model.message(14, |entry| {
            entry.bytes(1, key.as_bytes());
            entry.bytes(2, value.as_bytes());
        });
    }
    let bytes = model.into_bytes();
    if bytes.len() > MAX_BYTES {
        return Err(Error::Input(format!(
            "the network takes {} bytes, and an ONNX file holds at most {MAX_BYTES}",
            bytes.len()
        )));
    }
    Ok(bytes)
}

fn whole(message: &mut Message, graph: &OnnxGraph) {
    for node in graph.nodes() {
        message.message(1, |it| of_node(it, node, graph));
    }
    message.bytes(2, graph.name().as_bytes());
    for constant in graph.constants() {
        message.message(5, |it| of_constant(it, constant, graph));
    }
    for (field, ports) in [(11, graph.inputs()), (12, graph.outputs())] {
        for port in ports {
            message.message(field, |it| of_port(it, port));
        }
    }
}

fn of_node(message: &mut Message, node: &OnnxNode, graph: &OnnxGraph) {
    for input in &node.inputs {
        let name = input.map_or("", |value| graph.name_of(value));
        message.bytes(1, name.as_bytes());
    }
    for &output in &node.outputs {
        message.bytes(2, graph.name_of(output).as_bytes());
    }
    let name = node
        .outputs
        .first()
        .map_or("", |&value| graph.name_of(value));
    message.bytes(3, name.as_bytes());
    message.bytes(4, node.operator.as_bytes());
    for (name, attribute) in &node.attributes {
        message.message(5, |it| of_attribute(it, name, attribute));
    }
}

fn of_attribute(message: &mut Message, name: &str, attribute: &OnnxAttribute) {
    message.bytes(1, name.as_bytes());
    let kind = match attribute {
        OnnxAttribute::Float(value) => {
            message.float(2, *value);
            1
        }
        OnnxAttribute::Int(value) => {
            message.integer(3, *value);
            2
        }
        OnnxAttribute::Text(text) => {
            message.bytes(4, text.as_bytes());
            3
        }
        OnnxAttribute::Ints(values) => {
            message.integers(8, values.iter().copied());
            7
        }
    };
    message.integer(20, kind);
}

fn of_constant(message: &mut Message, constant: &Constant, graph: &OnnxGraph) {
    message.integers(1, constant.shape.iter().map(|&size| size as i64));
    let (kind, raw): (i64, Vec<u8>) = match &constant.numbers {
        Numbers::Floats(values) => (
            FLOAT,
            values.iter().flat_map(|it| it.to_le_bytes()).collect(),
        ),
        Numbers::Integers(values) => (
            INT64,
            values.iter().flat_map(|it| it.to_le_bytes()).collect(),
        ),
    };
    message.integer(2, kind);
    message.bytes(8, graph.name_of(constant.value).as_bytes());
    message.bytes(9, &raw);
}

fn of_port(message: &mut Message, port: &Port) {
    message.bytes(1, port.name.as_bytes());
    message.message(2, |kind| {
        kind.message(1, |tensor| {
            tensor.integer(
                1,
                match port.element {
                    Element::Float => FLOAT,
                    Element::Integer => INT64,
                },
            );
            tensor.message(2, |shape| {
                for axis in &port.axes {
                    shape.message(1, |it| match axis {
                        Axis::Fixed(size) => it.integer(1, *size as i64),
                        Axis::Named(name) => it.bytes(2, name.as_bytes()),
                    });
                }
            });
        });
    });
}
