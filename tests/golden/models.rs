//! Models against their PyTorch twins: outputs, loss, every gradient and the running statistics,
//! from the same weights, with padding full of garbage. `models.py` beside this file wrote the
//! values and describes them.

use crate::twin::{Golden, golden_names};
use burn::module::AutodiffModule;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Int, Tensor};
use burn_autodiff::Autodiff;
use burn_ndarray::NdArray;
use sori_models::loss::cross_entropy;
use sori_models::{Architecture, Classifier, Model, ModelConfig, Network, Role, catalogue};

type Cpu = Autodiff<NdArray<f32>>;

/// All files of values of each classifier of the zoo, of which there must be one at least.
#[test]
fn every_classifier_equals_its_torch_twin() {
    let names = golden_names();
    for card in catalogue() {
        let config = ModelConfig::from_name(card.name).expect("a model of the zoo");
        if config.role() != Role::Classifier {
            continue;
        }
        let variant = |name: &&String| {
            let rest = name.strip_prefix(card.name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        };
        let variants: Vec<&String> = names.iter().filter(variant).collect();
        assert!(
            !variants.is_empty(),
            "{} has no twin in models.py",
            card.name
        );
        for name in variants {
            equals_twin::<Cpu>(name);
        }
    }
}

/// The twin draws the graphs itself.
#[test]
fn random_wired_draws_the_graphs_of_its_torch_twin() {
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
