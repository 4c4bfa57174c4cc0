//! The graphs of a run: what its network describes, from features or waveforms to the scores that its task
//! answers from.

use burn::tensor::backend::Backend;
use sori_datasets::features::FeatureKind;
use sori_models::layers::Activation;
use sori_models::onnx::{Axis, Element, NotInOnnx, OnnxGraph, Padded};
use sori_models::{Architecture, Contract, Generator, Network};

use super::front_end::FrontEnd;
use super::refuse;
use crate::Result;
use crate::run::best::BestModel;
use crate::run::folder::RunFolder;
use crate::task::any::AnyTask;
use crate::task::contract::Windowed;
use crate::task::reading::Reading;

const BATCH: Axis = Axis::Named("batch");

/// The graphs of a run's best checkpoint, with the features inside or without.
///
/// # Errors
/// When the network does not describe itself, or takes no sound.
pub(super) fn graphs<B: Backend, A: Architecture>(
    run: &RunFolder<A>,
    best: &BestModel<B, A>,
    with_features: bool,
) -> Result<Vec<OnnxGraph>> {
    let contract = best.network.contract();
    if with_features && matches!(contract, Contract::Adversarial(_)) {
        return Err(refuse(run, "it makes patches of noise and takes no sound"));
    }
    let named = |name| Source {
        run,
        with_features,
        graph: OnnxGraph::new(name),
    };
    let name = &run.info().model;
    let found = match contract {
        Contract::Classifier(network) => named(name).graph(|graph, x| {
            let logits = network.onnx(graph, x)?;
            if run.info().reading == Some(Reading::Voice) {
                let axes = [BATCH, Axis::Fixed(network.d_embedding())];
                graph.output("embedding", logits, Element::Float, &axes);
                return Ok(());
            }
            match &best.task {
                AnyTask::Classify(task) => task.onnx_scores(graph, logits),
                AnyTask::Tag(task) => task.onnx_scores(graph, logits),
                AnyTask::Regress(task) => task.onnx_scores(graph, logits),
                AnyTask::Transcribe(_) | AnyTask::Autoencode(_) | AnyTask::Generate(_) => {
                    unreachable!("a run's task fits its network")
                }
            }
            if let (AnyTask::Tag(task), Some(steps)) = (&best.task, network.onnx_steps(graph, x)) {
                let probabilities = graph.activate(steps.values, Activation::Sigmoid);
                let axes = [BATCH, Axis::Named("steps"), Axis::Fixed(task.labels.len())];
                graph.output("step_probabilities", probabilities, Element::Float, &axes);
                graph.output("steps", steps.time.lengths, Element::Integer, &[BATCH]);
            }
            Ok(())
        }),
        Contract::Emitter(network) => named(name).graph(|graph, x| {
            let logits = network.onnx(graph, x)?;
            let log_probs = graph.log_softmax(logits.values);
            let symbols = Axis::Fixed(best.task.num_outputs());
            let axes = [BATCH, Axis::Named("steps"), symbols];
            graph.output("log_probs", log_probs, Element::Float, &axes);
            graph.output("steps", logits.time.lengths, Element::Integer, &[BATCH]);
            Ok(())
        }),
        Contract::Speller(network) => {
            let listen = named("listen").graph(|graph, x| network.onnx_listen(graph, x));
            listen.and_then(|mut graphs| {
                let mut step = OnnxGraph::new("spell");
                network.onnx_step(&mut step)?;
                graphs.push(step);
                Ok(graphs)
            })
        }
        Contract::Autoencoder(network) => {
            let encode = named("encode").graph(|graph, x| {
                let [mean, log_variance] = network.onnx_encode(graph, x)?;
                let axes = [BATCH, Axis::Fixed(network.d_latent())];
                graph.output("mean", mean, Element::Float, &axes);
                graph.output("log_variance", log_variance, Element::Float, &axes);
                Ok(())
            });
            encode.and_then(|mut graphs| {
                graphs.push(generation(run, network)?);
                Ok(graphs)
            })
        }
        Contract::Adversarial(network) => generation(run, network).map(|graph| vec![graph]),
    };
    found.map_err(|error| refuse(run, error))
}

/// A graph whose input is features, or waveforms.
struct Source<'a, A: Architecture> {
    run: &'a RunFolder<A>,
    with_features: bool,
    graph: OnnxGraph,
}

impl<A: Architecture> Source<'_, A> {
    fn graph(
        mut self,
        network: impl FnOnce(&mut OnnxGraph, Padded) -> std::result::Result<(), NotInOnnx>,
    ) -> std::result::Result<Vec<OnnxGraph>, NotInOnnx> {
        let settings = self.run.settings();
        let config = &settings.features;
        let graph = &mut self.graph;
        let samples = Axis::Named("samples");
        let bins = Axis::Fixed(config.num_bins());
        let frames = match config.kind {
            FeatureKind::Waveform => samples,
            _ => Axis::Named("frames"),
        };
        let x = if self.with_features {
            let waveforms = graph.input("waveforms", Element::Float, &[BATCH, samples]);
            let lengths = graph.input("lengths", Element::Integer, &[BATCH]);
            let front_end = FrontEnd {
                config,
                stats: self.run.info().stats.as_ref(),
                min_frames: settings.model.min_frames(),
            };
            front_end.onnx(graph, waveforms, lengths)
        } else {
            let features = graph.input("features", Element::Float, &[BATCH, frames, bins]);
            let lengths = graph.input("lengths", Element::Integer, &[BATCH]);
            Padded::new(graph, features, lengths)
        };
        network(graph, x)?;
        Ok(vec![self.graph])
    }
}

/// Patches from latent vectors.
fn generation<B: Backend, A: Architecture, G: Generator<B> + ?Sized>(
    run: &RunFolder<A>,
    network: &G,
) -> std::result::Result<OnnxGraph, NotInOnnx> {
    let settings = run.settings();
    let mut graph = OnnxGraph::new("generate");
    let latent = [BATCH, Axis::Fixed(network.d_latent())];
    let latents = graph.input("latents", Element::Float, &latent);
    let patches = network.onnx_generate(&mut graph, latents)?;
    let frames = settings.model.fixed_frames();
    let axes = [
        BATCH,
        frames.map_or(Axis::Named("frames"), Axis::Fixed),
        Axis::Fixed(settings.features.num_bins()),
    ];
    graph.output("patches", patches, Element::Float, &axes);
    Ok(graph)
}
