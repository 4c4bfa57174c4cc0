//! Models against their PyTorch twins: outputs, loss, every gradient and the running statistics,
//! from the same weights, with padding full of garbage. `models.py` beside this file wrote the
//! values and describes them.

use crate::twin::Golden;
use burn::module::AutodiffModule;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Int, Tensor};
use burn_autodiff::Autodiff;
use burn_ndarray::NdArray;
use sori_models::loss::cross_entropy;
use sori_models::{Architecture, Classifier, Model, ModelConfig, Network};

type Cpu = Autodiff<NdArray<f32>>;

#[test]
fn mlp_equals_its_torch_twin() {
    equals_twin::<Cpu>("mlp_crops");
    equals_twin::<Cpu>("mlp_fills");
    equals_twin::<Cpu>("mlp_tanh");
}

#[test]
fn cnn1d_equals_its_torch_twin() {
    equals_twin::<Cpu>("cnn1d");
    equals_twin::<Cpu>("cnn1d_sigmoid");
    equals_twin::<Cpu>("cnn1d_leaky_relu");
}

#[test]
fn cnn2d_equals_its_torch_twin() {
    equals_twin::<Cpu>("cnn2d");
    equals_twin::<Cpu>("cnn2d_gelu");
    equals_twin::<Cpu>("cnn2d_mean_max");
    equals_twin::<Cpu>("cnn2d_mean_max_deviation");
}

#[test]
fn rnn_equals_its_torch_twin() {
    recurrent_equals_twin("rnn");
}

#[test]
fn lstm_equals_its_torch_twin() {
    recurrent_equals_twin("lstm");
}

#[test]
fn gru_equals_its_torch_twin() {
    recurrent_equals_twin("gru");
}

#[test]
fn attention_equals_its_torch_twin() {
    equals_twin::<Cpu>("attention_forward");
    equals_twin::<Cpu>("attention_both_ways");
}

#[test]
fn sample_cnn_equals_its_torch_twin() {
    equals_twin::<Cpu>("sample_cnn");
}

#[test]
fn res_cnn_equals_its_torch_twin() {
    for block in ["basic", "se", "res1", "rese1", "rese2"] {
        equals_twin::<Cpu>(&format!("res_cnn_{block}"));
    }
}

#[test]
fn fcn_equals_its_torch_twin() {
    equals_twin::<Cpu>("fcn");
}

#[test]
fn crnn_equals_its_torch_twin() {
    equals_twin::<Cpu>("crnn");
}

#[test]
fn musicnn_equals_its_torch_twin() {
    equals_twin::<Cpu>("musicnn");
}

#[test]
fn matchboxnet_equals_its_torch_twin() {
    equals_twin::<Cpu>("matchboxnet_1");
    equals_twin::<Cpu>("matchboxnet_2");
}

#[test]
fn dilated_cnn_equals_its_torch_twin() {
    equals_twin::<Cpu>("dilated_cnn_1");
    equals_twin::<Cpu>("dilated_cnn_2");
}

/// The twin draws the graphs itself. Other graphs would give other parameters or outputs.
#[test]
fn random_wired_equals_its_torch_twin() {
    for graph in ["erdos_renyi", "barabasi_albert", "watts_strogatz"] {
        let name = format!("random_wired_{graph}");
        let golden = Golden::read(&name);
        let ModelConfig::RandomWired(config) = golden.config() else {
            panic!("the configuration of another model");
        };
        let graphs = config.graphs().expect("the golden configuration");
        let edges = graphs.iter().map(|graph| graph.edges().collect());
        let edges: Vec<Vec<(usize, usize)>> = edges.collect();
        let drawn: Vec<Vec<(usize, usize)>> = golden.metadata("edges");
        assert_eq!(drawn, edges, "{name}");
        equals_twin::<Cpu>(&name);
    }
}

fn recurrent_equals_twin(name: &str) {
    for ways in ["forward", "both_ways"] {
        for pooling in ["mean", "last"] {
            equals_twin::<Cpu>(&format!("{name}_{ways}_{pooling}"));
        }
    }
}

fn equals_twin<B: AutodiffBackend>(name: &str) {
    let golden = Golden::read(name);
    let device = Default::default();
    let config: ModelConfig = golden.config();
    let model: Model<B> = config.init(&device).expect("the golden configuration");
    // The first part of a path is the variant of `Model`.
    let model = golden.load(model, 1);

    let features = Tensor::<B, 3>::from_data(golden.data("features"), &device).require_grad();
    let targets = Tensor::<B, 1, Int>::from_data(golden.data("targets"), &device);
    let lengths = golden.counts("lengths");

    let logits = classifier(&model).forward(features.clone(), &lengths);
    let loss = cross_entropy(logits.clone(), targets);
    golden.compare("train.logits", logits.into_data());
    golden.compare("train.loss", loss.to_data());
    golden.compare_gradients(&model, &features, &loss.backward(), 1);

    let logits = classifier(&model.valid()).forward(features.inner(), &lengths);
    golden.compare("eval.logits", logits.into_data());
}

fn classifier<B: Backend>(model: &Model<B>) -> &dyn Classifier<B> {
    model.contract().classifier().expect("a classifier")
}
