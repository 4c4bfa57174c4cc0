//! The names that PyTorch gives the parameters of every architecture: those of its twin in
//! `tests/golden/*.py`, which is made of PyTorch's own layers.

use sori_models::ModelConfig;

use super::layout::Layout;
use super::names::{Kind, Names, Pattern, Rule, Style};

/// Counts batches for a moving average of another kind; no parameter.
const COUNTER: &str = "*num_batches_tracked";

/// The names of the parameters of `model` in PyTorch, and their layouts.
pub(crate) fn pytorch_names(model: &ModelConfig) -> Names {
    let mut to = Twin(Names::default());
    match model {
        ModelConfig::Mlp(_) => {
            to.dense("hidden.{i}", "hidden.{i}");
        }
        ModelConfig::Cnn1d(_) | ModelConfig::SampleCnn(_) => to.blocks(Kind::Conv1d),
        ModelConfig::Cnn2d(_) => to.blocks(Kind::Conv2d),
        ModelConfig::Fcn(_) => {
            to.norm("norm", "norm");
            to.blocks(Kind::Conv2d);
        }
        ModelConfig::Crnn(_) => {
            to.norm("norm", "norm");
            to.blocks(Kind::Conv2d);
            to.recurrent("recurrent.layers.{i}", "stack.{leaf}_l{i}");
        }
        ModelConfig::Rnn(_) | ModelConfig::Lstm(_) | ModelConfig::Gru(_) => {
            to.recurrent("recurrent.layers.{i}", "stack.{leaf}_l{i}");
        }
        ModelConfig::Attention(_) => {
            to.recurrent("recurrent.layers.{i}", "stack.{leaf}_l{i}");
            to.dense("pooling.hidden", "hidden");
            to.dense("pooling.score", "score");
        }
        ModelConfig::ResCnn(_) => {
            for (ours, theirs) in [
                ("first", "first"),
                ("blocks.{i}.convs.{j}", "blocks.{i}.convs.{j}"),
                ("blocks.{i}.shortcut", "blocks.{i}.around"),
            ] {
                to.pair_of(Kind::Conv1d, ours, theirs);
            }
            for name in ["hidden", "gate"] {
                let path = format!("blocks.{{i}}.excitation.{name}");
                to.dense(&path, &path);
            }
            to.dense("hidden", "hidden");
            to.norm("hidden_norm", "hidden_norm");
        }
        ModelConfig::Musicnn(config) => {
            let temporal = format!("front.{{i+{}}}", config.timbral_heights.len());
            for (ours, theirs) in [("timbral.{i}", "front.{i}"), ("temporal.{i}", &temporal)] {
                to.layer(Kind::Conv2d, ours, &format!("{theirs}.0"));
                to.norm(&format!("{ours}.norm"), &format!("{theirs}.1"));
            }
            to.norm("norm", "norm");
            to.pair_of(Kind::Conv1d, "dense.{i}", "dense.{i}");
            to.norm("pooled_norm", "pooled_norm");
            to.dense("hidden", "hidden");
            to.norm("hidden_norm", "hidden_norm");
        }
        ModelConfig::Matchboxnet(_) => {
            for path in ["first", "blocks.{i}.sub_blocks.{j}", "dilated"] {
                to.separable(&format!("{path}.conv"), &format!("{path}.0"));
                to.norm(&format!("{path}.norm"), &format!("{path}.1"));
            }
            for path in ["blocks.{i}.shortcut", "last"] {
                to.pair_of(Kind::Pointwise, path, path);
            }
        }
        ModelConfig::DilatedCnn(_) => {
            to.layer(Kind::Pointwise, "input", "input");
            to.layer(Kind::Conv1d, "blocks.{i}", "blocks.{i}.conv");
            for name in ["skip", "residual"] {
                let path = format!("blocks.{{i}}.{name}");
                to.layer(Kind::Pointwise, &path, &path);
            }
            to.dense("hidden", "hidden");
        }
        ModelConfig::RandomWired(_) => {
            to.pair_of(Kind::Conv1d, "stem.{i}", "stem.{i}");
            let (ours, theirs) = ("stages.{i}.nodes.{j}", "stages.{i}.{j}");
            to.rule(
                &format!("{ours}.weights"),
                &format!("{theirs}.0.weights"),
                Layout::default(),
            );
            to.separable(&format!("{ours}.conv"), &format!("{theirs}.1"));
            to.norm(&format!("{ours}.norm"), &format!("{theirs}.2"));
            to.layer(Kind::Pointwise, "head", "head");
            to.norm("head_norm", "head_norm");
        }
        ModelConfig::SpeakerEncoder(_) => {
            to.recurrent("recurrent.layers.{i}", "stack.{leaf}_l{i}");
            to.dense("projection", "projection");
        }
        ModelConfig::Crepe(_) => {
            to.layer(Kind::Conv1d, "layers.{i}.conv", "convs.{i}");
            to.norm("layers.{i}.norm", "norms.{i}");
        }
        ModelConfig::Vad(_) => {
            let waves = Layout::of_axes(&[2, 1, 0], &[]);
            to.rule("spectrum", "spectrum.weight", waves);
            to.layer(Kind::Conv1d, "encoder.{i}", "encoder.{i}");
            to.recurrent("recurrent", "stack.{leaf}_l0");
        }
        ModelConfig::DeepSpeech2(_) => {
            to.pair_of(Kind::Conv2d, "convs.{i}", "convs.{i}");
            to.recurrent("recurrent.{i}.layer", "layers.{i}.0.{leaf}_l0");
            to.norm("recurrent.{i}.norm", "layers.{i}.1");
            to.rule(
                "lookahead.weight",
                "lookahead.weight",
                Layout::of_axes(&[2, 1, 0], &[]),
            );
            to.dense("fully_connected.{i}.linear", "dense.{i}.0");
            to.norm("fully_connected.{i}.norm", "dense.{i}.1");
            to.dense("output", "output");
        }
        ModelConfig::Las(_) => to.las(),
        ModelConfig::Vae(_) => {
            for part in ["encoder.{i}", "decoder.{i}", "output"] {
                to.dense(part, part);
            }
            to.dense("posterior_mean", "mean");
            to.dense("posterior_log_variance", "log_variance");
            to.rule("log_deviation", "log_deviation", Layout::default());
        }
        ModelConfig::Gan(_) => {
            to.dense("generator.projection", "projection");
            to.norm("generator.projection_norm", "projection_norm");
            to.layer(Kind::Conv2d, "generator.blocks.{i}.conv", "convs.{i}");
            to.norm("generator.blocks.{i}.norm", "norms.{i}");
            to.layer(Kind::Conv2d, "generator.output", "output");
            to.layer(Kind::Conv2d, "discriminator.convs.{i}", "strided.{i}");
            to.dense("discriminator.classifier", "classifier");
        }
    }
    to.dense("classifier", "classifier");
    to.0.ignore(COUNTER);
    to.0
}

/// Names of PyTorch that are being put together.
struct Twin(Names);

impl Twin {
    fn layer(&mut self, kind: Kind, ours: &str, theirs: &str) {
        let layout = Layout::default();
        let added = self.0.layer(kind, Style::Pytorch, ours, theirs, &layout);
        added.expect("the patterns of this file are right");
    }

    fn rule(&mut self, ours: &str, theirs: &str, layout: Layout) {
        let pattern = |text| Pattern::parse(text).expect("the patterns of this file are right");
        self.0.rule(Rule {
            parameter: pattern(ours),
            tensor: pattern(theirs),
            lengths: None,
            layout,
        });
    }

    fn dense(&mut self, ours: &str, theirs: &str) {
        self.layer(Kind::Dense, ours, theirs);
    }

    fn norm(&mut self, ours: &str, theirs: &str) {
        self.layer(Kind::Norm, ours, theirs);
    }

    /// Blocks of a convolution and a batch norm, which the twin has in two lists.
    fn blocks(&mut self, kind: Kind) {
        self.layer(kind, "blocks.{i}.conv", "convs.{i}");
        self.norm("blocks.{i}.norm", "norms.{i}");
    }

    /// A convolution and a batch norm, which the twin has as a list of two.
    fn pair_of(&mut self, kind: Kind, ours: &str, theirs: &str) {
        self.layer(kind, &format!("{ours}.conv"), &format!("{theirs}.0"));
        self.norm(&format!("{ours}.norm"), &format!("{theirs}.1"));
    }

    /// A depthwise and a pointwise convolution, which the twin has as a list of two.
    fn separable(&mut self, ours: &str, theirs: &str) {
        let (depthwise, weight) = (format!("{ours}.depthwise"), format!("{theirs}.0.weight"));
        self.rule(&depthwise, &weight, Layout::of_axes(&[2, 1, 0], &[]));
        let pointwise = format!("{ours}.pointwise");
        self.layer(Kind::Pointwise, &pointwise, &format!("{theirs}.1"));
    }

    /// The directions of a recurrent layer.
    fn recurrent(&mut self, ours: &str, theirs: &str) {
        self.layer(Kind::Recurrent, &format!("{ours}.forward"), theirs);
        let backward = format!("{ours}.backward");
        self.layer(Kind::Recurrent, &backward, &format!("{theirs}_reverse"));
    }

    fn las(&mut self) {
        self.pair_of(Kind::Conv2d, "listener.convs.{i}", "convs.{i}");
        for part in ["plain", "pyramid"] {
            let ours = format!("listener.{part}.{{i}}");
            self.recurrent(&ours, &format!("{part}.{{i}}.{{leaf}}_l0"));
        }
        self.rule("speller.embedding", "embedding.weight", Layout::default());
        self.layer(Kind::Recurrent, "speller.layers.{i}", "cells.{i}.{leaf}");
        self.dense("speller.output", "output");
        let path = "speller.attention";
        self.dense(&format!("{path}.query"), "query");
        for name in ["key", "value", "projection"] {
            let layout = Layout::of_axes(&[1, 0], &[]);
            self.rule(&format!("{path}.{name}"), &format!("{name}.weight"), layout);
        }
        self.rule(&format!("{path}.vector"), "vector", Layout::default());
        let filters = Layout::of_axes(&[2, 0, 1], &[2]);
        self.rule(&format!("{path}.filters"), "conv.weight", filters);
        self.dense("ctc", "ctc");
    }
}
