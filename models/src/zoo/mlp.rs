//! Multilayer perceptron over a whole spectrogram
//! ([Rumelhart, Hinton and Williams 1986](https://doi.org/10.1038/323533a0)).
//!
//! A recording of fixed size is laid out as one vector; layers of `ReLU(x · W + b)` lead to the
//! classes. Frames past a row's length count as zeros, and so do the frames missing to `num_frames`.
//! Deviations from 1986: ReLU by default instead of the logistic function, and dropout ([Srivastava
//! et al. 2014](https://jmlr.org/papers/v15/srivastava14a.html)) after each hidden layer.

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend};
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, check_probability, check_size, check_sizes};
use crate::layers::{Dropout, Init, Linear, assert_input, onnx_patches};
use crate::onnx::{NotInOnnx, OnnxGraph, OnnxValue, Padded};
use crate::ops::{self, Activation};
use crate::recipe::classifier_of_positions;
use crate::{Architecture, BenchShape, Card, Contract, LinearHead, Network, Purpose, Role};

/// The entry of the catalogue.
pub const CARD: Card = Card {
    name: "mlp",
    title: "Multilayer perceptron",
    purpose: Purpose::Classify,
    paper: "Rumelhart, Hinton and Williams (1986): Learning representations by back-propagating errors",
    paper_url: "https://doi.org/10.1038/323533a0",
    summary: "The whole spectrogram as one vector, through fully-connected layers; fixed length.",
    paper_settings: "",
    recipe: classifier_of_positions,
    bench: Some(BenchShape {
        batch: 64,
        frames: 100,
        bins: 40,
    }),
};

/// Configuration of [`Mlp`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct MlpConfig {
    /// Frames the network sees; a longer recording is cropped at its end, a shorter one followed by
    /// zeros.
    pub num_frames: usize,
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// Classes to tell apart.
    pub num_classes: usize,
    /// Sizes of the hidden layers, from the input upwards.
    pub d_hidden: Vec<usize>,
    /// The nonlinearity of each hidden layer.
    pub activation: Activation,
    /// Distribution of the initial weights.
    pub init: Init,
    /// Probability with which a hidden value is dropped in training.
    pub dropout: f64,
}

impl Default for MlpConfig {
    fn default() -> Self {
        Self {
            num_frames: 100,
            num_bins: 40,
            num_classes: 10,
            d_hidden: vec![512, 256],
            activation: Activation::Relu,
            init: Init::Default,
            dropout: 0.2,
        }
    }
}

impl Architecture for MlpConfig {
    type Network<B: Backend> = Mlp<B>;

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

    fn with_input(self, num_frames: usize, num_bins: usize, num_outputs: usize) -> Self {
        Self {
            num_frames,
            num_bins,
            num_classes: num_outputs,
            ..self
        }
    }

    fn num_outputs(&self) -> usize {
        self.num_classes
    }

    fn check(&self) -> Result<(), ConfigError> {
        check_size("num_frames", self.num_frames)?;
        check_size("num_bins", self.num_bins)?;
        check_size("num_classes", self.num_classes)?;
        check_sizes("d_hidden", &self.d_hidden)?;
        check_probability("dropout", self.dropout)
    }

    fn init<B: Backend>(&self, device: &B::Device) -> Result<Mlp<B>, ConfigError> {
        self.check()?;
        let mut d_input = self.num_frames * self.num_bins;
        let mut hidden = Vec::with_capacity(self.d_hidden.len());
        for &d_output in &self.d_hidden {
            hidden.push(Linear::with_init(d_input, d_output, self.init, device));
            d_input = d_output;
        }
        Ok(Mlp {
            num_bins: self.num_bins,
            num_frames: self.num_frames,
            hidden,
            activation: self.activation,
            dropout: Dropout::new(self.dropout),
            classifier: Linear::with_init(d_input, self.num_classes, self.init, device),
        })
    }

    fn fixed_frames(&self) -> Option<usize> {
        Some(self.num_frames)
    }
}

/// A multilayer perceptron. See the [module](self).
#[derive(Module, Debug)]
pub struct Mlp<B: Backend> {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// Frames the network sees.
    pub num_frames: usize,
    /// The hidden layers, from the input upwards.
    pub hidden: Vec<Linear<B>>,
    /// The nonlinearity of each of them.
    pub activation: Activation,
    /// Acts on every hidden layer's output.
    pub dropout: Dropout,
    /// From the last hidden layer to the classes.
    pub classifier: Linear<B>,
}

impl<B: Backend> Mlp<B> {
    /// Crops or fills with zeros to `num_frames`.
    fn fit(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let [batch, frames, bins] = x.dims();
        match self.num_frames.checked_sub(frames) {
            None => x.narrow(1, 0, self.num_frames),
            Some(0) => x,
            Some(missing) => {
                let zeros = Tensor::zeros([batch, missing, bins], &x.device());
                Tensor::cat(vec![x, zeros], 1)
            }
        }
    }
}

impl<B: Backend> Network<B> for Mlp<B> {
    fn contract(&self) -> Contract<'_, B> {
        Contract::Classifier(self)
    }
}

impl<B: Backend> LinearHead<B> for Mlp<B> {
    fn embed(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 2> {
        assert_input(&features, lengths, 1, self.num_bins);
        let x = ops::zero_padding(features, lengths); // [batch, frames, bins]
        let mut x = self.fit(x).flatten(1, 2); // [batch, num_frames·bins]
        for layer in &self.hidden {
            let y = ops::activate(layer.forward(x), self.activation); // [batch, d_hidden]
            x = self.dropout.forward(y);
        }
        x // [batch, d_hidden]
    }

    fn head(&self) -> &Linear<B> {
        &self.classifier
    }

    fn onnx_embed(&self, graph: &mut OnnxGraph, features: Padded) -> Result<OnnxValue, NotInOnnx> {
        let x = onnx_patches(graph, features, self.num_frames); // [batch, num_frames, bins]
        let d_input = (self.num_frames * self.num_bins) as i64;
        let mut x = graph.reshape(x, &[0, d_input]);
        for layer in &self.hidden {
            let y = layer.onnx(graph, x);
            x = graph.activate(y, self.activation); // [batch, d_hidden]
        }
        Ok(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num_params;
    use burn_ndarray::NdArray;

    #[test]
    fn defaults_have_the_parameters_of_their_torch_twin() {
        let model = MlpConfig::default().init::<NdArray>(&Default::default());
        assert_eq!(num_params(&model.expect("valid defaults")), 2_182_410);
    }

    #[test]
    fn an_empty_layer_is_refused() {
        let config = MlpConfig {
            d_hidden: vec![0],
            ..Default::default()
        };
        assert!(config.check().is_err());
    }
}
