//! The generative models against their PyTorch twins: outputs, bounds, losses and every gradient, from
//! the same weights, with padding full of garbage. `generative.py` beside this file wrote the values
//! and describes them.

use crate::twin::Golden;
use burn::module::AutodiffModule;
use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;
use burn_autodiff::Autodiff;
use burn_ndarray::NdArray;
use sori_models::{
    Adversarial, Architecture, Autoencoder, Gan, GanConfig, Generator, Vae, VaeConfig,
};

/// The backend with kernels, and one with the portable expressions.
type Kernels = Autodiff<NdArray<f32>>;
type Portable = Autodiff<NdArray<f32, i32>>;

#[test]
fn vae_equals_its_torch_twin() {
    for name in ["vae_fills", "vae_crops"] {
        vae_equals_twin::<Kernels>(name);
        vae_equals_twin::<Portable>(name);
    }
}

#[test]
fn gan_equals_its_torch_twin() {
    for name in ["gan_non_saturating", "gan_hinge"] {
        gan_equals_twin::<Kernels>(name);
        gan_equals_twin::<Portable>(name);
    }
}

fn vae_equals_twin<B: AutodiffBackend>(name: &str) {
    let golden = Golden::read(name);
    let device = Default::default();
    let config: VaeConfig = golden.config();
    let model: Vae<B> = config.init(&device).expect("the golden configuration");
    let model = golden.load(model, 0);

    let features = Tensor::<B, 3>::from_data(golden.data("features"), &device).require_grad();
    let lengths = golden.counts("lengths");
    let noises = Tensor::<B, 3>::from_data(golden.data("noises"), &device);
    let noises: Vec<Tensor<B, 2>> = noises.iter_dim(0).map(|z| z.squeeze_dim(0)).collect();

    let output = model.forward(features.clone(), &lengths, noises[0].clone());
    golden.compare("mean", output.posterior.mean.into_data());
    golden.compare("log_variance", output.posterior.log_variance.into_data());
    golden.compare("decoded", output.mean.into_data());

    let bound = model.bound(features.clone(), &lengths, noises[0].clone());
    let loss = bound.loss(golden.metadata("kl_weight"));
    golden.compare("log_likelihood", bound.log_likelihood.into_data());
    golden.compare("divergence", bound.divergence.into_data());
    golden.compare("loss", loss.to_data());
    golden.compare_gradients(&model, &features, &loss.backward(), 0);

    let importance = model.log_likelihood_bound(features.clone(), &lengths, &noises);
    golden.compare("importance", importance.to_data());
    let gradient = features.grad(&importance.mean().backward());
    let gradient = gradient.expect("a gradient of the features");
    golden.compare("importance.features", gradient.into_data());
}

fn gan_equals_twin<B: AutodiffBackend>(name: &str) {
    let golden = Golden::read(name);
    let device = Default::default();
    let config: GanConfig = golden.config();
    let model: Gan<B> = config.init(&device).expect("the golden configuration");
    let model = golden.load(model, 0);

    let features = Tensor::<B, 3>::from_data(golden.data("features"), &device).require_grad();
    let lengths = golden.counts("lengths");
    let noise = Tensor::<B, 2>::from_data(golden.data("noise"), &device);

    let losses = model.losses(features.clone(), &lengths, noise.clone());
    golden.compare("discriminator", losses.discriminator.to_data());
    golden.compare("generator", losses.generator.to_data());
    let gradients = (losses.discriminator + losses.generator).backward();
    golden.compare_gradients(&model, &features, &gradients, 0);

    let model = model.valid();
    golden.compare("eval.patches", model.generate(noise.inner()).into_data());
    let logits = model.discriminate(features.inner(), &lengths);
    golden.compare("eval.logits", logits.into_data());
}
