//! Variational autoencoder of patches of a spectrogram
//! ([Kingma and Welling 2014](https://arxiv.org/abs/1312.6114)).
//!
//! A patch is modelled as coming from a latent vector z with a standard normal distribution. The
//! decoder gives the distribution of a patch given z, the encoder that of z given a patch. Both are
//! fully connected and are trained together by maximising the evidence lower bound:
//!
//! ```text
//! q(z|x) = N(μ(x), diag σ²(x))        z = μ(x) + σ(x) ⊙ ε,  ε ~ N(0, I)
//! p(x|z) = N(ν(z), diag τ²)           log p(x) ≥ E_q[log p(x|z)] − KL(q(z|x) ‖ N(0, I))
//! ```
//!
//! The terms of the bound are in [`loss::elbo`](crate::loss::elbo).
//!
//! Deviations: the deviation τ of a patch's values does not depend on z but is one learned parameter
//! for each bin, so that the density of a well-decoded patch cannot grow without bound; [Rybkin et al.
//! 2021](https://arxiv.org/abs/2006.13202) learn one for all values (σ-VAE), and as theirs its logarithm
//! is softly bounded from below ([`MIN_LOG_DEVIATION`]). ReLU by default, and several layers, in place
//! of one with tanh. The divergence may weigh less in the first epochs ([Bowman et al.
//! 2016](https://arxiv.org/abs/1511.06349)). A patch may have fewer frames than the network: the
//! missing ones are zeros to the encoder and do not count in the likelihood.

use burn::module::{Initializer, Module, Param};
use burn::tensor::activation::log_sigmoid;
use burn::tensor::{Tensor, backend::Backend};
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, check_size, check_sizes};
use crate::layers::{Init, Linear, onnx_patches, to_patches};
use crate::loss::{Bound, gaussian_divergence, gaussian_log_likelihood, importance_bound};
use crate::onnx::{NotInOnnx, OnnxGraph, OnnxValue, Padded};
use crate::ops::{self, Activation};
use crate::recipe::plain;
use crate::{Architecture, Autoencoder, Card, Contract, Generator, Network, Purpose, Role};

/// Lower bound of the logarithm of a deviation.
pub const MIN_LOG_DEVIATION: f64 = -6.0;

/// The entry of the catalogue.
pub const CARD: Card = Card {
    name: "vae",
    title: "Variational autoencoder",
    purpose: Purpose::Autoencode,
    paper: "Kingma and Welling (2014): Auto-encoding variational Bayes",
    paper_url: "https://arxiv.org/abs/1312.6114",
    summary: "Patches of a spectrogram through a small random code and back, by the evidence lower bound.",
    paper_settings: "
[features]
num_mels = 40

[train]
epochs = 60
",
    recipe: plain,
    bench: None,
};

/// Configuration of [`Vae`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct VaeConfig {
    /// Frames of a patch.
    pub num_frames: usize,
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// Sizes of the encoder's hidden layers, from the patch inwards; the decoder has the same from the
    /// latent vector outwards.
    pub d_hidden: Vec<usize>,
    /// Size of the latent vector.
    pub d_latent: usize,
    /// The nonlinearity of each hidden layer.
    pub activation: Activation,
    /// Distribution of the initial weights.
    pub init: Init,
    /// Weight of the divergence in the loss; 1 gives the bound itself.
    pub kl_weight: f64,
    /// Epochs over which the divergence's weight rises from 0 to `kl_weight`; 0 for none.
    pub kl_annealing_epochs: f64,
}

impl Default for VaeConfig {
    fn default() -> Self {
        Self {
            num_frames: 32,
            num_bins: 40,
            d_hidden: vec![512, 256],
            d_latent: 32,
            activation: Activation::Relu,
            init: Init::Default,
            kl_weight: 1.0,
            kl_annealing_epochs: 10.0,
        }
    }
}

impl Architecture for VaeConfig {
    type Network<B: Backend> = Vae<B>;

    fn without_autodiff<B: burn::tensor::backend::AutodiffBackend>(
        network: &Self::Network<B>,
    ) -> Self::Network<B::InnerBackend> {
        burn::module::AutodiffModule::valid(network)
    }

    fn card(&self) -> &'static Card {
        &CARD
    }

    fn role(&self) -> Role {
        Role::Autoencoder
    }

    fn with_input(self, num_frames: usize, num_bins: usize, _num_outputs: usize) -> Self {
        Self {
            num_frames,
            num_bins,
            ..self
        }
    }

    fn num_outputs(&self) -> usize {
        0
    }

    fn check(&self) -> Result<(), ConfigError> {
        check_size("num_frames", self.num_frames)?;
        check_size("num_bins", self.num_bins)?;
        check_sizes("d_hidden", &self.d_hidden)?;
        check_size("d_latent", self.d_latent)?;
        for (field, value) in [
            ("kl_weight", self.kl_weight),
            ("kl_annealing_epochs", self.kl_annealing_epochs),
        ] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(ConfigError::field(field, value, "finite and at least 0"));
            }
        }
        Ok(())
    }

    /// A network with random weights; deviations start at one.
    fn init<B: Backend>(&self, device: &B::Device) -> Result<Vae<B>, ConfigError> {
        self.check()?;
        let linear = |d_input, d_output| Linear::with_init(d_input, d_output, self.init, device);
        let d_patch = self.num_frames * self.num_bins;
        let inwards: Vec<usize> = [d_patch].iter().chain(&self.d_hidden).copied().collect();
        let d_inmost = inwards[inwards.len() - 1];
        let outwards: Vec<usize> = [self.d_latent]
            .into_iter()
            .chain(self.d_hidden.iter().rev().copied())
            .collect();
        let layers = |sizes: &[usize]| sizes.windows(2).map(|d| linear(d[0], d[1])).collect();
        Ok(Vae {
            num_frames: self.num_frames,
            num_bins: self.num_bins,
            encoder: layers(&inwards),
            posterior_mean: linear(d_inmost, self.d_latent),
            posterior_log_variance: linear(d_inmost, self.d_latent),
            decoder: layers(&outwards),
            output: linear(outwards[outwards.len() - 1], d_patch),
            log_deviation: Initializer::Zeros.init([self.num_bins], device),
            activation: self.activation,
            kl_weight: self.kl_weight,
            kl_annealing_epochs: self.kl_annealing_epochs,
        })
    }

    fn fixed_frames(&self) -> Option<usize> {
        Some(self.num_frames)
    }
}

/// Distribution of the latent vector of each patch, q(z|x): normal, with independent values.
#[derive(Debug, Clone)]
pub struct Posterior<B: Backend> {
    /// μ, `[batch, latent]`.
    pub mean: Tensor<B, 2>,
    /// log σ², `[batch, latent]`.
    pub log_variance: Tensor<B, 2>,
}

impl<B: Backend> Posterior<B> {
    /// `μ + σ ⊙ noise`, `[batch, latent]`: a sample where `noise`, `[batch, latent]`, is one of the
    /// standard normal distribution.
    pub fn sample(&self, noise: Tensor<B, 2>) -> Tensor<B, 2> {
        self.mean.clone() + (self.log_variance.clone() * 0.5).exp() * noise
    }

    /// Divergence from the prior, in nats, `[batch]`.
    pub fn divergence(&self) -> Tensor<B, 1> {
        gaussian_divergence(self.mean.clone(), self.log_variance.clone())
    }

    /// Log-ratio of the prior to the posterior at [`Self::sample`]'s z, in nats, `[batch]`:
    /// `log p(z) − log q(z|x) = ½ Σ noise² + log σ² − z²`.
    pub fn log_prior_ratio(&self, noise: Tensor<B, 2>) -> Tensor<B, 1> {
        let latents = self.sample(noise.clone()); // [batch, latent]
        let sums = noise.powi_scalar(2) + self.log_variance.clone() - latents.powi_scalar(2);
        sums.sum_dim(1).squeeze_dim::<1>(1) * 0.5 // [batch]
    }
}

/// The output of a variational autoencoder.
#[derive(Debug, Clone)]
pub struct VaeOutput<B: Backend> {
    /// ν, the mean of each patch given a sample of its posterior, `[batch, num_frames, bins]`.
    pub mean: Tensor<B, 3>,
    /// The posterior of each patch.
    pub posterior: Posterior<B>,
}

/// A variational autoencoder. See the [module](self).
#[derive(Module, Debug)]
pub struct Vae<B: Backend> {
    /// Frames of a patch.
    pub num_frames: usize,
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// The encoder's hidden layers, from the patch inwards.
    pub encoder: Vec<Linear<B>>,
    /// To the posterior's mean.
    pub posterior_mean: Linear<B>,
    /// To the logarithm of its variance.
    pub posterior_log_variance: Linear<B>,
    /// The decoder's hidden layers, from the latent vector outwards.
    pub decoder: Vec<Linear<B>>,
    /// To the mean of the patch.
    pub output: Linear<B>,
    /// log τ before it is bounded, `[bins]`.
    pub log_deviation: Param<Tensor<B, 1>>,
    /// The nonlinearity of each hidden layer.
    pub activation: Activation,
    /// Weight of the divergence in the loss.
    pub kl_weight: f64,
    /// Epochs over which that weight rises from 0.
    pub kl_annealing_epochs: f64,
}

impl<B: Backend> Vae<B> {
    /// log τ, the logarithm of the deviation of each bin, `[bins]`.
    pub fn bounded_log_deviation(&self) -> Tensor<B, 1> {
        // min + softplus(x − min), where log σ(−x) is −softplus(x).
        let above = -log_sigmoid(-(self.log_deviation.val() - MIN_LOG_DEVIATION));
        above + MIN_LOG_DEVIATION
    }

    /// Features `[batch, frames, bins]` and the valid frames of each row to where their latent vectors
    /// may be.
    ///
    /// # Panics
    /// If there is not one length for each row, a length is not in `1..=frames` or above the
    /// configuration's `num_frames`, or the bins are not the configuration's.
    pub fn encode(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Posterior<B> {
        self.encode_patches(self.patches(features, lengths))
    }

    /// Latent vectors `[batch, latent]` to the means of their patches, `[batch, num_frames, bins]`.
    ///
    /// # Panics
    /// If the vectors are not of the configuration's size.
    pub fn decode(&self, latents: Tensor<B, 2>) -> Tensor<B, 3> {
        let [batch, _] = latents.dims();
        let x = self.hidden(&self.decoder, latents); // [batch, d_hidden]
        let x = self.output.forward(x); // [batch, num_frames·bins]
        x.reshape([batch, self.num_frames, self.num_bins])
    }

    /// Features `[batch, frames, bins]`, the valid frames of each row, and noise `[batch, latent]` of
    /// the standard normal distribution to the posterior and what is decoded from its sample. With zeros
    /// for noise it is what is decoded from the posterior's mean.
    ///
    /// # Panics
    /// As [`Self::encode`], and if the noise is not of its shape.
    pub fn forward(
        &self,
        features: Tensor<B, 3>,
        lengths: &[usize],
        noise: Tensor<B, 2>,
    ) -> VaeOutput<B> {
        let posterior = self.encode(features, lengths);
        VaeOutput {
            mean: self.decode(posterior.sample(noise)),
            posterior,
        }
    }

    fn patches(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 3> {
        to_patches(features, lengths, [self.num_frames, self.num_bins])
    }

    fn encode_patches(&self, patches: Tensor<B, 3>) -> Posterior<B> {
        let x = self.hidden(&self.encoder, patches.flatten(1, 2)); // [batch, d_hidden]
        Posterior {
            mean: self.posterior_mean.forward(x.clone()), // [batch, latent]
            log_variance: self.posterior_log_variance.forward(x), // [batch, latent]
        }
    }

    /// log p(x|z) of each row.
    fn log_likelihood(
        &self,
        patches: Tensor<B, 3>,
        lengths: &[usize],
        latents: Tensor<B, 2>,
    ) -> Tensor<B, 1> {
        let mean = self.decode(latents); // [batch, num_frames, bins]
        gaussian_log_likelihood(patches, mean, self.bounded_log_deviation(), lengths)
    }

    fn hidden(&self, layers: &[Linear<B>], x: Tensor<B, 2>) -> Tensor<B, 2> {
        layers.iter().fold(x, |x, layer| {
            ops::activate(layer.forward(x), self.activation) // [batch, d_hidden]
        })
    }

    fn onnx_hidden(&self, graph: &mut OnnxGraph, layers: &[Linear<B>], x: OnnxValue) -> OnnxValue {
        layers.iter().fold(x, |x, layer| {
            let x = layer.onnx(graph, x);
            graph.activate(x, self.activation) // [batch, d_hidden]
        })
    }
}

impl<B: Backend> Network<B> for Vae<B> {
    fn contract(&self) -> Contract<'_, B> {
        Contract::Autoencoder(self)
    }
}

impl<B: Backend> Generator<B> for Vae<B> {
    /// Size of the latent vector, and of the noise for a patch.
    fn d_latent(&self) -> usize {
        self.posterior_mean.weight.dims()[1]
    }

    fn generate(&self, latents: Tensor<B, 2>) -> Tensor<B, 3> {
        self.decode(latents)
    }

    fn onnx_generate(
        &self,
        graph: &mut OnnxGraph,
        latents: OnnxValue,
    ) -> Result<OnnxValue, NotInOnnx> {
        let x = self.onnx_hidden(graph, &self.decoder, latents); // [batch, d_hidden]
        let x = self.output.onnx(graph, x); // [batch, num_frames·bins]
        Ok(graph.reshape(x, &[0, self.num_frames as i64, self.num_bins as i64]))
    }
}

impl<B: Backend> Autoencoder<B> for Vae<B> {
    /// The evidence lower bound of each row, with one sample of its posterior; the arguments are those
    /// of [`Self::forward`]. It covers the valid frames.
    fn bound(&self, features: Tensor<B, 3>, lengths: &[usize], noise: Tensor<B, 2>) -> Bound<B> {
        let patches = self.patches(features, lengths); // [batch, num_frames, bins]
        let posterior = self.encode_patches(patches.clone());
        Bound {
            log_likelihood: self.log_likelihood(patches, lengths, posterior.sample(noise)),
            divergence: posterior.divergence(),
            num_values: lengths.iter().sum::<usize>() * self.num_bins,
        }
    }

    /// The bound of [`importance_bound`] on each row's log p(x), in nats, `[batch]`: one sample of its
    /// posterior for each of `noises`, all else as in [`Self::bound`]. With a single one it estimates
    /// what [`Bound::evidence`] does, with a divergence that is sampled too.
    fn log_likelihood_bound(
        &self,
        features: Tensor<B, 3>,
        lengths: &[usize],
        noises: &[Tensor<B, 2>],
    ) -> Tensor<B, 1> {
        let patches = self.patches(features, lengths); // [batch, num_frames, bins]
        let posterior = self.encode_patches(patches.clone());
        let log_weight = |noise: &Tensor<B, 2>| {
            let latents = posterior.sample(noise.clone()); // [batch, latent]
            self.log_likelihood(patches.clone(), lengths, latents)
                + posterior.log_prior_ratio(noise.clone()) // [batch]
        };
        importance_bound(noises.iter().map(log_weight).collect())
    }

    /// What is decoded from the middle of each row's posterior, `[batch, num_frames, bins]`.
    fn reconstruct(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 3> {
        self.decode(self.encode(features, lengths).mean)
    }

    fn onnx_encode(
        &self,
        graph: &mut OnnxGraph,
        features: Padded,
    ) -> Result<[OnnxValue; 2], NotInOnnx> {
        let x = onnx_patches(graph, features, self.num_frames); // [batch, num_frames, bins]
        let x = graph.reshape(x, &[0, (self.num_frames * self.num_bins) as i64]);
        let x = self.onnx_hidden(graph, &self.encoder, x); // [batch, d_hidden]
        let heads = [&self.posterior_mean, &self.posterior_log_variance];
        Ok(heads.map(|head| head.onnx(graph, x))) // [batch, latent]
    }

    fn kl_weight_at(&self, epoch: f64) -> f64 {
        if epoch < self.kl_annealing_epochs {
            self.kl_weight * epoch / self.kl_annealing_epochs
        } else {
            self.kl_weight
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num_params;
    use burn_ndarray::NdArray;

    #[test]
    fn defaults_have_the_parameters_of_their_torch_twin() {
        let model = VaeConfig::default().init::<NdArray>(&Default::default());
        assert_eq!(num_params(&model.expect("valid defaults")), 1_600_360);
    }

    #[test]
    fn the_divergence_gains_its_weight_over_the_first_epochs() {
        let config = VaeConfig {
            kl_weight: 0.5,
            kl_annealing_epochs: 4.0,
            ..Default::default()
        };
        let model = |config: VaeConfig| {
            let model = config.init::<NdArray>(&Default::default());
            model.expect("a valid configuration")
        };
        let gradual = model(config.clone());
        let weights = [0.0, 1.0, 3.5, 4.0, 100.0].map(|epoch| gradual.kl_weight_at(epoch));
        assert_eq!(weights, [0.0, 0.125, 0.4375, 0.5, 0.5]);
        let at_once = VaeConfig {
            kl_annealing_epochs: 0.0,
            ..config
        };
        assert_eq!(model(at_once).kl_weight_at(0.0), 0.5);
    }

    #[test]
    fn deviations_start_at_one_and_never_vanish() {
        let mut model = VaeConfig::default()
            .init::<NdArray>(&Default::default())
            .expect("valid defaults");
        let largest = |model: &Vae<NdArray>| model.bounded_log_deviation().max().into_scalar();
        assert!(largest(&model).abs() < 0.003);
        model.log_deviation = model.log_deviation.map(|zeros| zeros - 1e4);
        assert_eq!(largest(&model), -6.0);
    }

    #[test]
    fn wrong_values_are_refused() {
        let refused = |config: VaeConfig| config.check().is_err();
        let default = VaeConfig::default;
        assert!(refused(VaeConfig {
            d_latent: 0,
            ..default()
        }));
        assert!(refused(VaeConfig {
            d_hidden: vec![64, 0],
            ..default()
        }));
        assert!(refused(VaeConfig {
            kl_weight: -1.0,
            ..default()
        }));
        assert!(refused(VaeConfig {
            kl_annealing_epochs: f64::NAN,
            ..default()
        }));
    }
}
