//! Networks as graphs of ONNX operators ([opset 17](https://onnx.ai/onnx/operators/)), for inference elsewhere.
//!
//! An [`OnnxGraph`] is put together operator by operator, with the functions of [`ops`](crate::ops) under the
//! names that they have there. What a layer does in its `forward` it says of a graph in its `onnx`, and what a
//! network does it says in the method of its contract, such as [`Classifier::onnx`](crate::Classifier::onnx).
//! Axes are those of this crate, channels last; convolutions turn them there and back. Batch and frames are of
//! any size, and lengths are an input: padded frames change nothing. Batch norm has its running statistics, and
//! dropout is nothing.
//!
//! Nothing here knows the file format; `sori export` writes it.
//!
//! ```
//! use burn_ndarray::NdArray;
//! use sori_models::onnx::{Axis, Element, OnnxGraph, Padded};
//! use sori_models::{Architecture, Classifier, GruConfig};
//!
//! let config = GruConfig::default().with_input(0, 40, 10);
//! let network = config.init::<NdArray>(&Default::default())?;
//! let mut graph = OnnxGraph::new("gru");
//! let [batch, frames] = [Axis::Named("batch"), Axis::Named("frames")];
//! let features = graph.input("features", Element::Float, &[batch, frames, Axis::Fixed(40)]);
//! let lengths = graph.input("lengths", Element::Integer, &[batch]);
//! let x = Padded::new(&mut graph, features, lengths);
//! let logits = network.onnx(&mut graph, x)?;
//! graph.output("logits", logits, Element::Float, &[batch, Axis::Fixed(10)]);
//! assert!(graph.nodes().iter().any(|node| node.operator == "GRU"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod arithmetic;
mod conv;
mod graph;
mod padded;
mod recurrent;
mod shapes;

pub use graph::{
    Axis, Constant, Element, Numbers, OnnxAttribute, OnnxGraph, OnnxNode, OnnxValue, Port,
};
pub use padded::{Padded, Time};

use thiserror::Error;

/// The version of the operators.
pub const OPSET: i64 = 17;

/// The error of a network that does not describe itself as a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("it does not describe itself in ONNX; its network has no `{method}`")]
pub struct NotInOnnx {
    /// The method that describes it.
    pub method: &'static str,
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;
    use burn_ndarray::NdArray;

    use super::*;
    use crate::layers::{Linear, masked_mean};
    use crate::{Classifier, LinearHead};

    /// Says nothing of itself.
    struct Silent(Linear<NdArray>);

    impl LinearHead<NdArray> for Silent {
        fn embed(&self, features: Tensor<NdArray, 3>, lengths: &[usize]) -> Tensor<NdArray, 2> {
            masked_mean(features, lengths)
        }

        fn head(&self) -> &Linear<NdArray> {
            &self.0
        }
    }

    #[test]
    fn a_network_that_does_not_describe_itself_says_what_it_lacks() {
        let mut graph = OnnxGraph::new("silent");
        let axes = [Axis::Named("batch"), Axis::Named("frames"), Axis::Fixed(1)];
        let features = graph.input("features", Element::Float, &axes);
        let lengths = graph.input("lengths", Element::Integer, &axes[..1]);
        let x = Padded::new(&mut graph, features, lengths);
        let silent = Silent(Linear::new(1, 2, &Default::default()));
        let error = silent.onnx(&mut graph, x).expect_err("it says nothing");
        assert_eq!(
            error.to_string(),
            "it does not describe itself in ONNX; its network has no `LinearHead::onnx_embed`"
        );
    }
}
