//! A graph of operators, put together node by node.

use std::collections::HashMap;

use burn::tensor::{DType, Tensor, backend::Backend};

/// Constants of at most so many numbers are kept once.
const SHARED: usize = 16;

/// A value of a graph: an input, a constant, or the output of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OnnxValue(usize);

/// An attribute of a node.
#[derive(Debug, Clone, PartialEq)]
pub enum OnnxAttribute {
    /// An integer.
    Int(i64),
    /// A number.
    Float(f32),
    /// Integers.
    Ints(Vec<i64>),
    /// A text.
    Text(&'static str),
}

/// An operator with its inputs and outputs.
#[derive(Debug, Clone, PartialEq)]
pub struct OnnxNode {
    /// The name of the operator.
    pub operator: &'static str,
    /// Its inputs; none for an optional one that is left out.
    pub inputs: Vec<Option<OnnxValue>>,
    /// Its outputs.
    pub outputs: Vec<OnnxValue>,
    /// Its attributes.
    pub attributes: Vec<(&'static str, OnnxAttribute)>,
}

/// The numbers of a constant.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers {
    /// In single precision.
    Floats(Vec<f32>),
    /// Of 64 bits.
    Integers(Vec<i64>),
}

/// A constant.
#[derive(Debug, Clone, PartialEq)]
pub struct Constant {
    /// The value that it is.
    pub value: OnnxValue,
    /// Its shape; empty for a single number.
    pub shape: Vec<usize>,
    /// Its numbers, row by row.
    pub numbers: Numbers,
}

/// The type of the numbers of an input or output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// Single precision.
    Float,
    /// Integers of 64 bits.
    Integer,
}

/// An axis of an input or output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Of this size.
    Fixed(usize),
    /// Of any size; axes of one name have the same.
    Named(&'static str),
}

/// An input or output.
#[derive(Debug, Clone, PartialEq)]
pub struct Port {
    /// Its name.
    pub name: &'static str,
    /// The value that it is.
    pub value: OnnxValue,
    /// The type of its numbers.
    pub element: Element,
    /// Its axes.
    pub axes: Vec<Axis>,
}

/// A graph of operators. A node with the operator, the inputs and the attributes of an earlier one is that one.
#[derive(Debug, Clone, Default)]
pub struct OnnxGraph {
    name: String,
    /// The name of each value.
    names: Vec<String>,
    nodes: Vec<OnnxNode>,
    constants: Vec<Constant>,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    /// What is there already, by what it is made of.
    known: HashMap<String, Vec<OnnxValue>>,
}

impl OnnxGraph {
    /// A graph without nodes.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_string(),
            ..Self::default()
        }
    }

    /// The name of the graph.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The nodes, each after those whose outputs it takes.
    pub fn nodes(&self) -> &[OnnxNode] {
        &self.nodes
    }

    /// The constants.
    pub fn constants(&self) -> &[Constant] {
        &self.constants
    }

    /// The inputs.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// The outputs.
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// The name of a value, of which there is one in a graph.
    ///
    /// # Panics
    /// If it is a value of another graph.
    pub fn name_of(&self, value: OnnxValue) -> &str {
        &self.names[value.0]
    }

    /// Adds an input.
    pub fn input(&mut self, name: &'static str, element: Element, axes: &[Axis]) -> OnnxValue {
        let value = self.value(name.to_string());
        self.inputs.push(Port {
            name,
            value,
            element,
            axes: axes.to_vec(),
        });
        value
    }

    /// Makes a value an output.
    pub fn output(
        &mut self,
        name: &'static str,
        value: OnnxValue,
        element: Element,
        axes: &[Axis],
    ) {
        // By a node of its own, since the value may be an input, a constant or another output.
        let output = self.value(name.to_string());
        self.nodes.push(OnnxNode {
            operator: "Identity",
            inputs: vec![Some(value)],
            outputs: vec![output],
            attributes: Vec::new(),
        });
        self.outputs.push(Port {
            name,
            value: output,
            element,
            axes: axes.to_vec(),
        });
    }

    /// Adds an operator of one output.
    pub fn node(
        &mut self,
        operator: &'static str,
        inputs: &[OnnxValue],
        attributes: &[(&'static str, OnnxAttribute)],
    ) -> OnnxValue {
        let inputs: Vec<Option<OnnxValue>> = inputs.iter().copied().map(Some).collect();
        self.node_of(operator, &inputs, attributes, 1)[0]
    }

    /// Adds an operator of several outputs, some of whose inputs may be left out.
    pub fn node_of(
        &mut self,
        operator: &'static str,
        inputs: &[Option<OnnxValue>],
        attributes: &[(&'static str, OnnxAttribute)],
        num_outputs: usize,
    ) -> Vec<OnnxValue> {
        let key = format!("{operator} {inputs:?} {attributes:?}");
        if let Some(outputs) = self.known.get(&key) {
            return outputs.clone();
        }
        let index = self.nodes.len();
        let outputs: Vec<OnnxValue> = (0..num_outputs)
            .map(|output| match output {
                0 => self.value(format!("{operator}_{index}")),
                _ => self.value(format!("{operator}_{index}_{output}")),
            })
            .collect();
        self.nodes.push(OnnxNode {
            operator,
            inputs: inputs.to_vec(),
            outputs: outputs.clone(),
            attributes: attributes.to_vec(),
        });
        self.known.insert(key, outputs.clone());
        outputs
    }

    /// A parameter, or another tensor, as a constant.
    pub fn tensor<B: Backend, const D: usize>(&mut self, tensor: Tensor<B, D>) -> OnnxValue {
        let shape = tensor.dims();
        let values = tensor.into_data().convert_dtype(DType::F32);
        self.floats(&shape, values.iter::<f32>().collect())
    }

    /// A constant of this shape.
    ///
    /// # Panics
    /// If there are not as many values as the shape says.
    pub fn floats(&mut self, shape: &[usize], values: Vec<f32>) -> OnnxValue {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "{shape:?}");
        self.constant(shape, Numbers::Floats(values))
    }

    /// A single number as a constant.
    pub fn number(&mut self, value: f64) -> OnnxValue {
        self.floats(&[], vec![value as f32])
    }

    /// A list of integers as a constant.
    pub fn integers(&mut self, values: &[i64]) -> OnnxValue {
        self.constant(&[values.len()], Numbers::Integers(values.to_vec()))
    }

    /// A single integer as a constant.
    pub fn integer(&mut self, value: i64) -> OnnxValue {
        self.constant(&[], Numbers::Integers(vec![value]))
    }

    fn constant(&mut self, shape: &[usize], numbers: Numbers) -> OnnxValue {
        let is_short = shape.iter().product::<usize>() <= SHARED;
        let key = is_short.then(|| format!("{shape:?} {numbers:?}"));
        if let Some(known) = key.as_ref().and_then(|key| self.known.get(key)) {
            return known[0];
        }
        let value = self.value(format!("constant_{}", self.constants.len()));
        self.constants.push(Constant {
            value,
            shape: shape.to_vec(),
            numbers,
        });
        if let Some(key) = key {
            self.known.insert(key, vec![value]);
        }
        value
    }

    fn value(&mut self, name: String) -> OnnxValue {
        self.names.push(name);
        OnnxValue(self.names.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_already_is_not_added_again() {
        let mut graph = OnnxGraph::new("twice");
        let x = graph.input("x", Element::Float, &[Axis::Named("batch")]);
        let [one, other] = [graph.number(1.0), graph.number(1.0)];
        assert_eq!(one, other);
        let sums = [graph.add(x, one), graph.add(x, other)];
        assert_eq!(sums[0], sums[1]);
        let two = graph.number(2.0);
        assert_ne!(graph.add(x, two), sums[0]);
        assert_eq!((graph.nodes().len(), graph.constants().len()), (2, 2));
    }
}
