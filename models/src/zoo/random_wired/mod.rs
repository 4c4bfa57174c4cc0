//! A randomly wired network over time ([Xie et al. 2019](https://arxiv.org/abs/1904.01569)).
//!
//! Convolutions lead into stages, each wired as a random graph whose edges lead from lower to higher
//! nodes: of Erdős–Rényi, every two nodes joined with one probability; of Barabási–Albert, each new node
//! joined to several before it; or of Watts–Strogatz, a ring with rewired edges. A node adds up what its
//! edges bring, each times a learned weight through a logistic function, and applies ReLU, a separable
//! convolution and batch norm. Nodes without an incoming edge read the stage's input and halve the number
//! of frames; the mean of the nodes without an outgoing edge is the stage's output. A 1×1 convolution with
//! batch norm and ReLU follows, and its mean over time.
//!
//! The defaults are those of the paper's small networks, WS(4, 0.75) with 32 nodes and C = 78; its best
//! others are ER(0.2) and BA(5). The graphs follow from `graph_seed` alone ([`graph`]), and `sori models
//! --graph` draws them.
//!
//! Deviations: kernels span three frames of time, not three by three of a picture; the two
//! convolutions ahead of the stages keep all frames, where the paper's halve the picture twice, since a
//! word has fewer frames than a picture has rows; and edges are not dropped in training, as the paper's
//! are in its larger networks.

pub mod graph;

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Tensor, activation, backend::Backend};
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, check_channels, check_odd, check_probability, check_size};
use crate::layers::{
    ConvBlock1d, Dropout, Init, Linear, MaskedBatchNorm, PointwiseConv1d, SeparableConv1d,
    assert_input, masked_mean,
};
use crate::onnx::{NotInOnnx, OnnxGraph, OnnxValue, Padded};
use crate::ops::{self, Activation};
use crate::recipe::classifier;
use crate::{Architecture, BenchShape, Card, Contract, LinearHead, Network, Purpose, Role};
use graph::{Graph, GraphKind, SplitMix64};

/// The most nodes of a stage.
const MAX_NODES: usize = 1024;

/// Frames that become one in each stage.
const STRIDE: usize = 2;

/// The entry of the catalogue.
pub const CARD: Card = Card {
    name: "random_wired",
    title: "Randomly wired network",
    purpose: Purpose::Classify,
    paper: "Xie et al. (2019): Exploring randomly wired neural networks for image recognition",
    paper_url: "https://arxiv.org/abs/1904.01569",
    summary: "Separable convolutions over time, wired as random graphs.",
    paper_settings: "",
    recipe: classifier,
    bench: Some(BenchShape {
        batch: 16,
        frames: 100,
        bins: 64,
    }),
};

/// Configuration of [`RandomWired`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct RandomWiredConfig {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// Classes to tell apart.
    pub num_classes: usize,
    /// Channels of the convolutions ahead of the stages.
    pub stem_channels: Vec<usize>,
    /// Channels of each stage.
    pub channels: Vec<usize>,
    /// Family of the random graphs.
    pub graph: GraphKind,
    /// Seed of the random graphs.
    pub graph_seed: u64,
    /// Nodes of a stage, N.
    pub num_nodes: usize,
    /// Probability that two nodes are joined, the P of ER(P).
    pub edge_probability: f64,
    /// Edges that each new node makes, the M of BA(M).
    pub edges_per_node: usize,
    /// Neighbours of a node in the ring, the K of WS(K, P); even.
    pub num_neighbors: usize,
    /// Probability that an edge of the ring leads elsewhere, the P of WS(K, P).
    pub rewiring_probability: f64,
    /// Frames that each kernel spans; odd.
    pub kernel_size: usize,
    /// Channels of the 1×1 convolution after the stages.
    pub head_channels: usize,
    /// Distribution of the initial weights.
    pub init: Init,
    /// Probability with which a channel of the mean is dropped in training, before the classifier.
    pub dropout: f64,
}

impl Default for RandomWiredConfig {
    fn default() -> Self {
        Self {
            num_bins: 64,
            num_classes: 10,
            stem_channels: vec![39, 78],
            channels: vec![78, 156, 312],
            graph: GraphKind::WattsStrogatz,
            graph_seed: 0,
            num_nodes: 32,
            edge_probability: 0.2,
            edges_per_node: 5,
            num_neighbors: 4,
            rewiring_probability: 0.75,
            kernel_size: 3,
            head_channels: 1280,
            init: Init::Default,
            dropout: 0.0,
        }
    }
}

impl RandomWiredConfig {
    /// Checks the fields of the chosen kind of graph.
    fn check_graph(&self) -> Result<(), ConfigError> {
        let nodes = self.num_nodes;
        if !(1..=MAX_NODES).contains(&nodes) {
            let expected = format!("from 1 to {MAX_NODES}");
            return Err(ConfigError::field("num_nodes", nodes, expected));
        }
        let share = |field, value: f64| {
            if (0.0..=1.0).contains(&value) {
                return Ok(());
            }
            Err(ConfigError::field(field, value, "from 0 to 1"))
        };
        match self.graph {
            GraphKind::ErdosRenyi => share("edge_probability", self.edge_probability),
            GraphKind::BarabasiAlbert => {
                let edges = self.edges_per_node;
                if !(1..nodes).contains(&edges) {
                    let expected = format!("at least 1 and below the {nodes} of `num_nodes`");
                    return Err(ConfigError::field("edges_per_node", edges, expected));
                }
                Ok(())
            }
            GraphKind::WattsStrogatz => {
                let neighbors = self.num_neighbors;
                if !neighbors.is_multiple_of(2) || !(2..nodes).contains(&neighbors) {
                    let expected = format!("even, at least 2 and below the {nodes} of `num_nodes`");
                    return Err(ConfigError::field("num_neighbors", neighbors, expected));
                }
                share("rewiring_probability", self.rewiring_probability)
            }
        }
    }

    /// The graph of each stage, drawn one after another from `graph_seed`.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn graphs(&self) -> Result<Vec<Graph>, ConfigError> {
        self.check()?;
        let (nodes, mut random) = (self.num_nodes, SplitMix64::new(self.graph_seed));
        let graph = |_| match self.graph {
            GraphKind::ErdosRenyi => Graph::erdos_renyi(nodes, self.edge_probability, &mut random),
            GraphKind::BarabasiAlbert => {
                Graph::barabasi_albert(nodes, self.edges_per_node, &mut random)
            }
            GraphKind::WattsStrogatz => Graph::watts_strogatz(
                nodes,
                self.num_neighbors,
                self.rewiring_probability,
                &mut random,
            ),
        };
        Ok(self.channels.iter().map(graph).collect())
    }
}

impl Architecture for RandomWiredConfig {
    type Network<B: Backend> = RandomWired<B>;

    fn without_autodiff<B: burn::tensor::backend::AutodiffBackend>(
        network: &Self::Network<B>,
    ) -> Self::Network<B::InnerBackend> {
        burn::module::AutodiffModule::valid(network)
    }

    fn card(&self) -> &'static Card {
        &CARD
    }

    fn role(&self) -> Role {
        Role::Classifier
    }

    fn with_input(self, _num_frames: usize, num_bins: usize, num_outputs: usize) -> Self {
        Self {
            num_bins,
            num_classes: num_outputs,
            ..self
        }
    }

    fn num_outputs(&self) -> usize {
        self.num_classes
    }

    fn check(&self) -> Result<(), ConfigError> {
        check_size("num_bins", self.num_bins)?;
        check_size("num_classes", self.num_classes)?;
        check_channels("stem_channels", &self.stem_channels)?;
        check_channels("channels", &self.channels)?;
        self.check_graph()?;
        check_odd("kernel_size", self.kernel_size)?;
        check_size("head_channels", self.head_channels)?;
        check_probability("dropout", self.dropout)
    }

    fn init<B: Backend>(&self, device: &B::Device) -> Result<RandomWired<B>, ConfigError> {
        let graphs = self.graphs()?;
        let mut channels_in = self.num_bins;
        let mut stem = Vec::with_capacity(self.stem_channels.len());
        for &channels in &self.stem_channels {
            let ends = [channels_in, channels];
            let (kernel, relu) = (self.kernel_size, Activation::Relu);
            stem.push(ConvBlock1d::new(ends, kernel, 1, relu, self.init, device));
            channels_in = channels;
        }
        let mut stages = Vec::with_capacity(self.channels.len());
        for (graph, &channels) in graphs.into_iter().zip(&self.channels) {
            let ends = [channels_in, channels];
            stages.push(Stage::new(graph, ends, self.kernel_size, self.init, device));
            channels_in = channels;
        }
        let head = self.head_channels;
        Ok(RandomWired {
            num_bins: self.num_bins,
            stem,
            stages,
            head: PointwiseConv1d::new([channels_in, head], self.init, device),
            head_norm: MaskedBatchNorm::new(head, device),
            dropout: Dropout::new(self.dropout),
            classifier: Linear::with_init(head, self.num_classes, self.init, device),
        })
    }
}

/// A weighted sum, ReLU, a separable convolution and batch norm.
#[derive(Module, Debug)]
pub struct Node<B: Backend> {
    /// Weight of each edge to the node, before the logistic function; none for a node that reads the
    /// stage's input.
    pub weights: Option<Param<Tensor<B, 1>>>,
    /// The convolution.
    pub conv: SeparableConv1d<B>,
    /// The normalisation.
    pub norm: MaskedBatchNorm<B>,
}

/// Nodes wired as a graph.
#[derive(Module, Debug)]
pub struct Stage<B: Backend> {
    /// The wiring.
    pub graph: Graph,
    /// The nodes, in the order of the graph.
    pub nodes: Vec<Node<B>>,
}

impl<B: Backend> Stage<B> {
    fn new(
        graph: Graph,
        [below, channels]: [usize; 2],
        kernel: usize,
        init: Init,
        device: &B::Device,
    ) -> Self {
        let node = |index| {
            let num_inputs = graph.inputs(index).len();
            let (channels_in, stride) = match num_inputs {
                0 => (below, STRIDE),
                _ => (channels, 1),
            };
            let ends = [channels_in, channels];
            Node {
                weights: (num_inputs > 0).then(|| Initializer::Zeros.init([num_inputs], device)),
                conv: SeparableConv1d::new(ends, kernel, stride, 1, init, device),
                norm: MaskedBatchNorm::new(channels, device),
            }
        };
        Self {
            nodes: (0..graph.num_nodes()).map(node).collect(),
            graph,
        }
    }

    /// `[batch, frames, channels_in]`, zero past `lengths`, to half the frames, rounded up, `[batch,
    /// steps, channels_out]`, zero past the returned lengths.
    fn forward(&self, x: Tensor<B, 3>, lengths: &[usize]) -> (Tensor<B, 3>, Vec<usize>) {
        let x = ops::activate(x, Activation::Relu); // [batch, frames, channels_in]
        let steps: Vec<usize> = lengths.iter().map(|n| n.div_ceil(STRIDE)).collect();
        let mut outputs: Vec<Tensor<B, 3>> = Vec::with_capacity(self.nodes.len());
        for (index, node) in self.nodes.iter().enumerate() {
            let (y, _) = match &node.weights {
                None => node.conv.forward(x.clone(), lengths),
                Some(weights) => {
                    let inputs = self.graph.inputs(index).iter();
                    let inputs = inputs.map(|&from| outputs[from].clone()).collect();
                    let sum = ops::gated_sum(inputs, weights.val());
                    let sum = ops::activate(sum, Activation::Relu); // [batch, steps, channels_out]
                    node.conv.forward(sum, &steps)
                }
            };
            outputs.push(node.norm.forward(y, &steps)); // [batch, steps, channels_out]
        }
        let sinks = self.graph.sinks();
        let share = 1.0 / sinks.len() as f64;
        let sum = sinks.iter().map(|&node| outputs[node].clone());
        let sum = sum
            .reduce(|sum, y| sum + y)
            .expect("the last node is a sink");
        (sum * share, steps)
    }

    /// [`Self::forward`] in ONNX.
    fn onnx(&self, graph: &mut OnnxGraph, x: Padded) -> Padded {
        let x = x.with(graph.activate(x.values, Activation::Relu)); // [batch, frames, channels]
        let time = x.time.divided_up(graph, STRIDE);
        let mut outputs: Vec<Padded> = Vec::with_capacity(self.nodes.len());
        for (index, node) in self.nodes.iter().enumerate() {
            let y = match &node.weights {
                None => node.conv.onnx(graph, x),
                Some(weights) => {
                    let gates = activation::sigmoid(weights.val()).into_data();
                    let mut sum = None;
                    for (&from, gate) in self.graph.inputs(index).iter().zip(gates.iter::<f64>()) {
                        let gate = graph.number(gate);
                        let term = graph.mul(outputs[from].values, gate);
                        sum = Some(match sum {
                            Some(sum) => graph.add(sum, term),
                            None => term,
                        });
                    }
                    let sum = sum.expect("a node with weights has inputs");
                    let values = graph.activate(sum, Activation::Relu); // [batch, steps, channels_out]
                    node.conv.onnx(graph, Padded { values, time, ..x })
                }
            };
            outputs.push(node.norm.onnx(graph, y)); // [batch, steps, channels_out]
        }
        let sinks = self.graph.sinks();
        let share = graph.number(1.0 / sinks.len() as f64);
        let sum = sinks.iter().map(|&node| outputs[node].values);
        let sum = sum.reduce(|sum, y| graph.add(sum, y));
        let sum = sum.expect("the last node is a sink");
        Padded {
            values: graph.mul(sum, share),
            time,
            ..x
        }
    }
}

/// A randomly wired network over time. See the [module](self).
#[derive(Module, Debug)]
pub struct RandomWired<B: Backend> {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// The convolutions ahead of the stages.
    pub stem: Vec<ConvBlock1d<B>>,
    /// The stages, from the input upwards.
    pub stages: Vec<Stage<B>>,
    /// The 1×1 convolution after them.
    pub head: PointwiseConv1d<B>,
    /// Normalises it.
    pub head_norm: MaskedBatchNorm<B>,
    /// Acts on the mean over time.
    pub dropout: Dropout,
    /// From the mean over time to the classes.
    pub classifier: Linear<B>,
}

impl<B: Backend> Network<B> for RandomWired<B> {
    fn contract(&self) -> Contract<'_, B> {
        Contract::Classifier(self)
    }
}

impl<B: Backend> LinearHead<B> for RandomWired<B> {
    fn embed(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        assert_input(&features, lengths, 1, self.num_bins);
        let mut x = ops::zero_padding(features, lengths); // [batch, frames, bins]
        let mut lengths = lengths.to_vec();
        for block in &self.stem {
            (x, lengths) = block.forward(x, &lengths); // [batch, frames, stem_channels]
        }
        for stage in &self.stages {
            (x, lengths) = stage.forward(x, &lengths); // [batch, steps, channels]
        }
        let x = self.head.forward(ops::activate(x, Activation::Relu)); // [batch, steps, head_channels]
        let x = self.head_norm.forward_relu_pool(x, &lengths, [1, 1]);
        self.dropout.forward(masked_mean(x, &lengths)) // [batch, head_channels]
    }

    fn head(&self) -> &Linear<B> {
        &self.classifier
    }

    fn onnx_embed(&self, graph: &mut OnnxGraph, features: Padded) -> Result<OnnxValue, NotInOnnx> {
        let mut x = features.zeroed(graph);
        for block in &self.stem {
            x = block.onnx(graph, x); // [batch, frames, stem_channels]
        }
        for stage in &self.stages {
            x = stage.onnx(graph, x); // [batch, steps, channels]
        }
        let values = graph.activate(x.values, Activation::Relu);
        let x = x.with(self.head.onnx(graph, values)); // [batch, steps, head_channels]
        let x = self.head_norm.onnx_relu_pool(graph, x, [1, 1]);
        Ok(x.mean(graph)) // [batch, head_channels]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num_params;
    use burn_ndarray::NdArray;

    #[test]
    fn defaults_have_a_weight_for_each_edge_and_these_parameters() {
        let config = RandomWiredConfig::default();
        let graphs = config.graphs().expect("valid defaults");
        // Norms have two values for each channel.
        let conv = |a: usize, b: usize| 3 * a * b + 3 * b;
        let separable = |a: usize, b: usize| 3 * a + a * b + 2 * b;
        let mut expected = conv(64, 39) + conv(39, 78);
        let mut below = 78;
        for (graph, channels) in graphs.iter().zip([78, 156, 312]) {
            let sources = graph.sources().len();
            expected += sources * separable(below, channels);
            expected += (32 - sources) * separable(channels, channels);
            expected += 32 * 4 / 2;
            below = channels;
        }
        expected += 312 * 1280 + 2 * 1280 + (1280 + 1) * 10;
        assert_eq!(expected, 4_336_723);
        let model = config.init::<NdArray>(&Default::default());
        assert_eq!(num_params(&model.expect("valid defaults")), expected);
    }

    #[test]
    fn stages_differ_and_each_kind_makes_its_own() {
        let mut seen = Vec::new();
        for graph in [
            GraphKind::ErdosRenyi,
            GraphKind::BarabasiAlbert,
            GraphKind::WattsStrogatz,
        ] {
            let config = RandomWiredConfig {
                graph,
                ..Default::default()
            };
            seen.extend(config.graphs().expect("valid defaults"));
            assert_eq!(
                config.graphs().expect("the same again"),
                seen[seen.len() - 3..]
            );
        }
        for (index, graph) in seen.iter().enumerate() {
            assert!(!seen[index + 1..].contains(graph));
        }
    }

    #[test]
    fn a_graph_that_cannot_be_drawn_is_refused() {
        let refused = |config: RandomWiredConfig| config.graphs().is_err();
        let default = RandomWiredConfig::default;
        assert!(refused(RandomWiredConfig {
            num_neighbors: 3,
            ..default()
        }));
        assert!(refused(RandomWiredConfig {
            rewiring_probability: 1.5,
            ..default()
        }));
        assert!(refused(RandomWiredConfig {
            graph: GraphKind::BarabasiAlbert,
            num_nodes: 5,
            ..default()
        }));
        assert!(refused(RandomWiredConfig {
            graph: GraphKind::ErdosRenyi,
            edge_probability: f64::NAN,
            ..default()
        }));
        assert!(refused(RandomWiredConfig {
            num_nodes: 0,
            ..default()
        }));
    }
}
