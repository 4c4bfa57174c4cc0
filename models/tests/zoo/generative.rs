//! What the generative models promise. Equality with PyTorch is in `tests/golden/generative.rs`.

use crate::gradients::all_gradients;
use burn::module::{AutodiffModule, Module};
use burn::optim::{AdamConfig, GradientsParams, Optimizer};
use burn::tensor::backend::Backend;
use burn::tensor::{Bool, Distribution, Tensor, TensorData, Tolerance};
use burn_autodiff::Autodiff;
use burn_ndarray::NdArray;
use sori_models::loss::AdversarialLoss;
use sori_models::ops::{Activation, path_counts};
use sori_models::{
    Adversarial, Architecture, Autoencoder, Gan, GanConfig, GanLosses, Generator, Vae, VaeConfig,
};

type Plain = NdArray<f32>;
type Cpu = Autodiff<Plain>;

const NUM_FRAMES: usize = 7;
const NUM_BINS: usize = 6;
const D_LATENT: usize = 4;
/// Valid frames of the rows of a batch of [`NUM_FRAMES`].
const LENGTHS: [usize; 5] = [7, 1, 4, 6, 7];

fn vae<B: Backend>() -> Vae<B> {
    let config = VaeConfig {
        num_frames: NUM_FRAMES,
        num_bins: NUM_BINS,
        d_hidden: vec![24, 16],
        d_latent: D_LATENT,
        activation: Activation::Tanh,
        ..Default::default()
    };
    config.init(&Default::default()).expect("valid")
}

fn gan<B: Backend>(loss: AdversarialLoss) -> Gan<B> {
    let config = GanConfig {
        num_frames: NUM_FRAMES,
        num_bins: NUM_BINS,
        d_latent: D_LATENT,
        channels: vec![8, 12],
        loss,
        ..Default::default()
    };
    config.init(&Default::default()).expect("valid")
}

fn noise<B: Backend, const D: usize>(dims: [usize; D]) -> Tensor<B, D> {
    let normal = Distribution::Normal(0.0, 1.0);
    Tensor::random(dims, normal, &Default::default())
}

fn patches<B: Backend>() -> Tensor<B, 3> {
    noise([LENGTHS.len(), NUM_FRAMES, NUM_BINS])
}

fn latents<B: Backend>() -> Tensor<B, 2> {
    noise([LENGTHS.len(), D_LATENT])
}

/// `patches` with other padding, and with so many more frames of it.
fn pad<B: Backend>(patches: Tensor<B, 3>, garbage: f32, more_frames: usize) -> Tensor<B, 3> {
    let device = Default::default();
    let padding = LENGTHS.map(|length| (0..NUM_FRAMES).map(move |frame| frame >= length));
    let padding: Vec<bool> = padding.into_iter().flatten().collect();
    let padding = TensorData::new(padding, [LENGTHS.len(), NUM_FRAMES, 1]);
    let padding = Tensor::<B, 3, Bool>::from_data(padding, &device);
    let patches = patches.mask_fill(
        padding.expand([LENGTHS.len(), NUM_FRAMES, NUM_BINS]),
        garbage,
    );
    if more_frames == 0 {
        return patches;
    }
    let more = Tensor::full([LENGTHS.len(), more_frames, NUM_BINS], garbage, &device);
    Tensor::cat(vec![patches, more], 1)
}

fn assert_same<B: Backend, const D: usize>(a: Tensor<B, D>, b: Tensor<B, D>) {
    let tolerance = Tolerance::absolute(1e-5).set_relative(1e-5);
    a.into_data()
        .assert_approx_eq::<f32>(&b.into_data(), tolerance);
}

fn number<B: Backend>(value: &Tensor<B, 1>) -> f32 {
    value.to_data().iter().next().expect("a value")
}

fn assert_all_same(a: &[TensorData], b: &[TensorData]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        a.assert_approx_eq::<f32>(b, Tolerance::absolute(1e-5));
    }
}

#[test]
fn what_comes_out_has_the_sizes_of_a_patch() {
    let patch = [LENGTHS.len(), NUM_FRAMES, NUM_BINS];
    let model = vae::<Plain>();
    assert_eq!(model.d_latent(), D_LATENT);
    // Fewer frames than a patch has, as many, and more.
    for more_frames in [0, 3] {
        let features = pad(patches(), 0.0, more_frames);
        let output = model.forward(features.clone(), &LENGTHS, latents());
        assert_eq!(output.mean.dims(), patch);
        assert_eq!(output.posterior.mean.dims(), [LENGTHS.len(), D_LATENT]);
        let bound = model.bound(features, &LENGTHS, latents());
        assert_eq!(bound.log_likelihood.dims(), [LENGTHS.len()]);
        assert_eq!(bound.divergence.dims(), [LENGTHS.len()]);
        assert_eq!(bound.num_values, 25 * NUM_BINS);
        assert_eq!(bound.loss(1.0).dims(), [1]);
    }
    assert_eq!(model.decode(latents()).dims(), patch);

    let model = gan::<Plain>(AdversarialLoss::Hinge);
    assert_eq!(model.d_latent(), D_LATENT);
    assert_eq!(model.generate(latents()).dims(), patch);
    let logits = model.discriminate(patches().narrow(1, 0, 3), &[3, 1, 2, 3, 3]);
    assert_eq!(logits.dims(), [LENGTHS.len()]);
    let losses = model.losses(patches(), &LENGTHS, latents());
    assert_eq!(losses.discriminator.dims(), [1]);
    assert_eq!(losses.generator.dims(), [1]);
}

#[test]
fn every_operator_of_a_training_step_takes_its_kernel() {
    let before = path_counts();
    let bound = vae::<Cpu>().bound(patches(), &LENGTHS, latents());
    bound.loss(1.0).backward();
    let between = path_counts();
    assert!(between.kernels > before.kernels);
    let model = gan::<Cpu>(AdversarialLoss::NonSaturating);
    let losses = model.losses(patches(), &LENGTHS, latents());
    (losses.discriminator + losses.generator).backward();
    let after = path_counts();
    assert!(after.kernels > between.kernels);
    assert_eq!(after.portable, before.portable);
}

#[test]
fn a_batch_gives_what_its_items_give_alone() {
    let (vae, gan) = (vae::<Plain>(), gan::<Plain>(AdversarialLoss::Hinge));
    let (patches, noise) = (patches::<Plain>(), latents::<Plain>());
    let generated = gan.generate(noise.clone());
    for garbage in [1e4, f32::INFINITY, f32::NAN] {
        let features = pad(patches.clone(), garbage, 2);
        let output = vae.forward(features.clone(), &LENGTHS, noise.clone());
        let bound = vae.bound(features.clone(), &LENGTHS, noise.clone());
        let noises = [noise.clone(), noise.clone() * 0.5];
        let importance = vae.log_likelihood_bound(features.clone(), &LENGTHS, &noises);
        let logits = gan.discriminate(features.clone(), &LENGTHS);
        for (row, &length) in LENGTHS.iter().enumerate() {
            let item = features.clone().narrow(0, row, 1).narrow(1, 0, length);
            let noise = noise.clone().narrow(0, row, 1);
            let alone = vae.forward(item.clone(), &[length], noise.clone());
            assert_same(output.mean.clone().narrow(0, row, 1), alone.mean);
            let alone = vae.bound(item.clone(), &[length], noise.clone());
            let one = |values: &Tensor<Plain, 1>| values.clone().narrow(0, row, 1);
            assert_same(one(&bound.log_likelihood), alone.log_likelihood);
            assert_same(one(&bound.divergence), alone.divergence);
            let noises = [noise.clone(), noise.clone() * 0.5];
            let alone = vae.log_likelihood_bound(item.clone(), &[length], &noises);
            assert_same(one(&importance), alone);
            assert_same(one(&logits), gan.discriminate(item, &[length]));
            assert_same(generated.clone().narrow(0, row, 1), gan.generate(noise));
        }
    }
}

#[test]
fn padding_changes_no_gradient() {
    let (vae, gan) = (vae::<Cpu>(), gan::<Cpu>(AdversarialLoss::NonSaturating));
    let (patches, noise) = (patches::<Cpu>(), latents::<Cpu>());
    let gradients = |garbage: f32, more_frames: usize| {
        let features = pad(patches.clone(), garbage, more_frames);
        let bound = vae.bound(features.clone(), &LENGTHS, noise.clone());
        let of_vae = all_gradients(&vae, &bound.loss(1.0).backward());
        let losses = gan.losses(features, &LENGTHS, noise.clone());
        let of_gan = (losses.discriminator + losses.generator).backward();
        [of_vae, all_gradients(&gan, &of_gan)]
    };
    let expected = gradients(0.0, 0);
    assert_eq!(expected.each_ref().map(Vec::len), [15, 20]);
    for (actual, expected) in gradients(f32::NAN, 6).iter().zip(&expected) {
        assert_all_same(actual, expected);
    }
}

#[test]
fn one_backward_pass_gives_each_network_the_gradient_of_its_own_loss() {
    for loss in [AdversarialLoss::NonSaturating, AdversarialLoss::Hinge] {
        let model = gan::<Cpu>(loss);
        let (patches, noise) = (patches::<Cpu>(), latents::<Cpu>());
        let losses = || model.losses(patches.clone(), &LENGTHS, noise.clone());
        let of_generator = losses().generator.backward();
        let of_discriminator = losses().discriminator.backward();
        let GanLosses {
            discriminator,
            generator,
        } = losses();
        let of_both = (discriminator + generator).backward();

        let (making, telling) = (&model.generator, &model.discriminator);
        assert!(all_gradients(making, &of_discriminator).is_empty());
        assert!(all_gradients(telling, &of_generator).is_empty());
        let own = all_gradients(making, &of_generator);
        assert_all_same(&all_gradients(making, &of_both), &own);
        let own = all_gradients(telling, &of_discriminator);
        assert_all_same(&all_gradients(telling, &of_both), &own);
    }
}

/// Jensen's inequality holds for any samples.
#[test]
fn several_samples_tighten_the_bound() {
    let model = vae::<Plain>();
    let (patches, noises) = (patches::<Plain>(), [(); 8].map(|()| latents::<Plain>()));
    let one = |noise: &Tensor<Plain, 2>| {
        model.log_likelihood_bound(patches.clone(), &LENGTHS, std::slice::from_ref(noise))
    };
    let loose = Tensor::stack::<2>(noises.iter().map(one).collect(), 0).mean_dim(0);
    let tight = model.log_likelihood_bound(patches.clone(), &LENGTHS, &noises);
    let gain = tight - loose.squeeze_dim(0);
    assert!(gain.into_data().iter::<f32>().all(|gain| gain > 0.0));

    // At the posterior's mean, the densities alone are left of the divergence.
    let zeros = latents::<Plain>() * 0.0;
    let bound = model.bound(patches.clone(), &LENGTHS, zeros.clone());
    let posterior = model.encode(patches.clone(), &LENGTHS);
    let ratio = (posterior.log_variance - posterior.mean.powi_scalar(2)).sum_dim(1) * 0.5;
    assert_same(one(&zeros), bound.log_likelihood + ratio.squeeze_dim(1));
}

/// Which of four patches it is takes log 4 nats for some 40 values: all else that training gains comes
/// from deviations that shrink with the decoder's errors.
#[test]
fn vae_overfits_four_patches() {
    Cpu::seed(&Default::default(), 7);
    let mut model = vae::<Cpu>();
    let mut optimizer = AdamConfig::new().init();
    let (patches, lengths) = (noise::<Cpu, 3>([4, NUM_FRAMES, NUM_BINS]), [7, 4, 6, 7]);
    let mut evidence = Vec::new();
    for _ in 0..600 {
        let bound = model.bound(patches.clone(), &lengths, noise([4, D_LATENT]));
        let loss = bound.loss(1.0);
        evidence.push(-number(&loss));
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(5e-3, model, gradients);
    }
    // Where deviations are small, one unlucky sample costs much: the median of the last.
    let (first, last) = (evidence[0], &mut evidence[500..]);
    last.sort_by(f32::total_cmp);
    let last = last[50];
    assert!(
        first < -1.2 && last > 0.5,
        "from {first} to {last} nats for each value"
    );
}

/// Neither zeros would do, whose distance is about 1, nor the mean of the two patches, with about 0.7.
#[test]
fn gan_learns_to_make_noisy_copies_of_two_patches() {
    for loss in [AdversarialLoss::NonSaturating, AdversarialLoss::Hinge] {
        Cpu::seed(&Default::default(), 7);
        let mut model = gan::<Cpu>(loss);
        let mut optimizer = AdamConfig::new().with_beta_1(0.5).init();
        let two = noise::<Cpu, 3>([2, NUM_FRAMES, NUM_BINS]);
        let before = distance(&model.valid(), two.clone().inner());
        for _ in 0..800 {
            let copies = two.clone().repeat(&[8, 1, 1]);
            let copies = copies + noise([16, NUM_FRAMES, NUM_BINS]) * 0.1;
            let losses = model.losses(copies, &[NUM_FRAMES; 16], noise([16, D_LATENT]));
            let gradients = (losses.discriminator + losses.generator).backward();
            let gradients = GradientsParams::from_grads(gradients, &model);
            model = optimizer.step(2e-3, model, gradients);
        }
        let after = distance(&model.valid(), two.inner());
        assert!(
            before > 0.6 && after < 0.45,
            "{loss:?}: from {before} to {after}"
        );
    }
}

/// Mean over generated patches of the root mean square distance to the nearer of two patches.
fn distance(model: &Gan<Plain>, two: Tensor<Plain, 3>) -> f32 {
    let patches = model.generate(noise([64, D_LATENT])).unsqueeze_dim::<4>(1);
    let squares = (patches - two.unsqueeze::<4>()).powi_scalar(2); // [64, 2, frames, bins]
    let apart = squares.flatten::<3>(2, 3).mean_dim(2).sqrt(); // [64, 2, 1]
    apart.min_dim(1).mean().into_scalar()
}

#[test]
fn a_model_is_its_record() {
    let (patches, noise) = (patches::<Plain>(), latents::<Plain>());
    let model = vae::<Plain>();
    let before = model.forward(patches.clone(), &LENGTHS, noise.clone()).mean;
    let model = vae::<Plain>().load_record(model.into_record());
    let after = model.forward(patches.clone(), &LENGTHS, noise.clone()).mean;
    after.into_data().assert_eq(&before.into_data(), true);

    let model = gan::<Plain>(AdversarialLoss::Hinge);
    let before = model.discriminate(model.generate(noise.clone()), &LENGTHS);
    let model = gan::<Plain>(AdversarialLoss::Hinge).load_record(model.into_record());
    let after = model.discriminate(model.generate(noise), &LENGTHS);
    after.into_data().assert_eq(&before.into_data(), true);
}
