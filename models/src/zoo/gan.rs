//! Generative adversarial network of patches of a spectrogram
//! ([Goodfellow et al. 2014](https://arxiv.org/abs/1406.2661)), of convolutions as in DCGAN ([Radford et
//! al. 2016](https://arxiv.org/abs/1511.06434)).
//!
//! The generator G turns noise z into a patch, the discriminator D scores how real a patch looks, and
//! each learns from the other:
//!
//! ```text
//! D: max E_x[log D(x)] + E_z[log (1 − D(G(z)))]        G: max E_z[log D(G(z))]
//! ```
//!
//! The generator is a layer from z to a small picture of many channels, then blocks that make it twice
//! as large in frames and bins, each with batch norm and ReLU, and a convolution to one channel. The
//! discriminator consists of strided convolutions with leaky ReLU and a layer to one logit. A patch's
//! values are normalised log-mel features, not confined to an interval.
//!
//! Deviations from DCGAN: pictures grow by repeating their values ahead of a 3×3 convolution, not by
//! strided transposed convolutions, whose windows overlap unevenly ([Odena et al.
//! 2016](https://distill.pub/2016/deconv-checkerboard/)); no tanh at the end; fewer channels; other
//! initial weights; no batch norm in the discriminator, where one row's logit would depend on the others;
//! and both networks learn in the same step, from the same generated patches, where the paper's take
//! turns ([`Gan::losses`]). The hinge loss ([`AdversarialLoss`]) comes without spectral normalisation. A
//! patch may have fewer frames than the network: the patch generated beside it is cut to the same
//! length, so that padding gives no clue.

use burn::module::Module;
use burn::tensor::activation::leaky_relu;
use burn::tensor::{Tensor, backend::Backend};
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, check_channels, check_size};
use crate::layers::{Conv2d, ConvBlock2d, Init, Linear, MaskedBatchNorm, to_patches};
use crate::loss::{AdversarialLoss, GanLosses};
use crate::onnx::{NotInOnnx, OnnxGraph, OnnxValue};
use crate::ops::Activation;
use crate::recipe::plain;
use crate::{Adversarial, Architecture, Card, Contract, Generator, Network, Purpose, Role};

/// Slope of the discriminator's nonlinearity below zero, DCGAN's.
pub const LEAKY_SLOPE: f64 = 0.2;

/// Frames, and bins, that every kernel spans.
const KERNEL_SIZE: usize = 3;

/// The entry of the catalogue.
pub const CARD: Card = Card {
    name: "gan",
    title: "Generative adversarial network",
    purpose: Purpose::Generate,
    paper: "Goodfellow et al. (2014): Generative adversarial networks",
    paper_url: "https://arxiv.org/abs/1406.2661",
    summary: "One network makes patches of a spectrogram, another tells them from real ones, and each learns from the other.",
    paper_settings: r#"
[features]
num_mels = 40

# As DCGAN's: a lower rate and less momentum.
[train]
epochs = 60
learning_rate = 0.0002
momentum = 0.5
schedule = "constant"
ema_decay = 0.999
"#,
    recipe: plain,
    bench: None,
};

/// Configuration of [`Gan`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct GanConfig {
    /// Frames of a patch.
    pub num_frames: usize,
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// Size of the noise vector of a patch.
    pub d_latent: usize,
    /// Channels of the discriminator's convolutions, from the patch inwards, each of which halves frames
    /// and bins, rounding up; the generator has as many blocks, from the noise outwards.
    pub channels: Vec<usize>,
    /// The game that the networks play.
    pub loss: AdversarialLoss,
    /// Distribution of the initial weights.
    pub init: Init,
}

impl Default for GanConfig {
    fn default() -> Self {
        Self {
            num_frames: 32,
            num_bins: 40,
            d_latent: 64,
            channels: vec![32, 64, 128],
            loss: AdversarialLoss::NonSaturating,
            init: Init::Default,
        }
    }
}

impl Architecture for GanConfig {
    type Network<B: Backend> = Gan<B>;

    fn without_autodiff<B: burn::tensor::backend::AutodiffBackend>(
        network: &Self::Network<B>,
    ) -> Self::Network<B::InnerBackend> {
        burn::module::AutodiffModule::valid(network)
    }

    fn card(&self) -> &'static Card {
        &CARD
    }

    fn role(&self) -> Role {
        Role::Adversarial
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
        check_size("d_latent", self.d_latent)?;
        check_channels("channels", &self.channels)?;
        let largest = self.num_frames.max(self.num_bins);
        let halvings = largest.next_power_of_two().ilog2() as usize;
        if self.channels.len() > halvings {
            let expected = format!(
                "a list of at most {halvings}, which leave one of {largest} frames or bins"
            );
            return Err(ConfigError::field("channels", &self.channels, expected));
        }
        Ok(())
    }

    /// Two networks with random weights.
    fn init<B: Backend>(&self, device: &B::Device) -> Result<Gan<B>, ConfigError> {
        self.check()?;
        let (channels, init) = (&self.channels, self.init);
        let size = [self.num_frames, self.num_bins];
        // What so many halvings, each rounded up, leave of the patch.
        let inmost = size.map(|size| size.div_ceil(1 << channels.len()));
        let channels_inmost = channels[channels.len() - 1];
        let d_inmost = inmost[0] * inmost[1] * channels_inmost;

        let block = |(&below, &above): (&usize, &usize)| {
            let (ends, relu) = ([below, above], Activation::Relu);
            ConvBlock2d::new(ends, KERNEL_SIZE, [1, 1], relu, init, device)
        };
        // The last block keeps the channels it finds.
        let outwards = channels.iter().rev().skip(1).chain(&channels[..1]);
        let generator = PatchGenerator {
            size,
            inmost,
            projection: Linear::with_init(self.d_latent, d_inmost, init, device),
            projection_norm: MaskedBatchNorm::new(channels_inmost, device),
            blocks: channels.iter().rev().zip(outwards).map(block).collect(),
            output: Conv2d::new([channels[0], 1], KERNEL_SIZE, init, device),
        };

        let conv = |(&below, &above): (&usize, &usize)| {
            Conv2d::with_stride([below, above], [KERNEL_SIZE; 2], [2, 2], init, device)
        };
        let inwards = [1].iter().chain(channels).zip(channels);
        let discriminator = PatchDiscriminator {
            size,
            convs: inwards.map(conv).collect(),
            classifier: Linear::with_init(d_inmost, 1, init, device),
        };
        Ok(Gan {
            generator,
            discriminator,
            loss: self.loss,
        })
    }

    fn fixed_frames(&self) -> Option<usize> {
        Some(self.num_frames)
    }
}

/// The generator: from noise to patches.
#[derive(Module, Debug)]
pub struct PatchGenerator<B: Backend> {
    /// Frames and bins of a patch.
    pub size: [usize; 2],
    /// Frames and bins of the picture that the blocks start from.
    pub inmost: [usize; 2],
    /// From the noise to that picture.
    pub projection: Linear<B>,
    /// Normalises it.
    pub projection_norm: MaskedBatchNorm<B>,
    /// Each acts on a picture twice as large as the one before.
    pub blocks: Vec<ConvBlock2d<B>>,
    /// To the one channel of a patch.
    pub output: Conv2d<B>,
}

impl<B: Backend> PatchGenerator<B> {
    /// Noise `[batch, latent]` to patches `[batch, num_frames, bins]`.
    ///
    /// # Panics
    /// If the noise is not of the configuration's size.
    pub fn forward(&self, latents: Tensor<B, 2>) -> Tensor<B, 3> {
        let [batch, _] = latents.dims();
        let [num_frames, num_bins] = self.size;
        let [frames, bins] = self.inmost;
        let x = self.projection.forward(latents); // [batch, frames·bins·channels]
        let channels = x.dims()[1] / (frames * bins);
        let x = x.reshape([batch, frames, bins, channels]);
        let mut lengths = vec![frames; batch]; // all of a generated picture is valid
        let norm = &self.projection_norm;
        let mut x = norm.forward_relu_pool(x, &lengths, [1, 1]); // [batch, frames, bins, channels]
        for block in &self.blocks {
            lengths = lengths.iter().map(|length| 2 * length).collect();
            (x, lengths) = block.forward(double(x), &lengths); // [batch, 2·frames, 2·bins, channels_out]
        }
        let x = self.output.forward(x).squeeze_dim::<3>(3); // [batch, at least num_frames, at least bins]
        x.narrow(1, 0, num_frames).narrow(2, 0, num_bins) // [batch, num_frames, bins]
    }

    /// [`Self::forward`] in ONNX.
    fn onnx(&self, graph: &mut OnnxGraph, latents: OnnxValue) -> OnnxValue {
        let [num_frames, num_bins] = self.size;
        let [mut frames, mut bins] = self.inmost;
        let channels = self.projection.weight.dims()[1] / (frames * bins);
        let x = self.projection.onnx(graph, latents); // [batch, frames·bins·channels]
        let x = graph.reshape(x, &[0, frames as i64, bins as i64, channels as i64]);
        let x = self.projection_norm.onnx_each(graph, x);
        let mut x = graph.activate(x, Activation::Relu); // [batch, frames, bins, channels]
        for block in &self.blocks {
            [frames, bins] = [2 * frames, 2 * bins];
            let [_, _, channels, _] = block.conv.weight.dims();
            x = onnx_double(graph, x, [frames, bins, channels]);
            x = block.conv.onnx(graph, x);
            x = block.norm.onnx_each(graph, x);
            x = graph.activate(x, block.activation); // [batch, 2·frames, 2·bins, channels_out]
        }
        let x = self.output.onnx(graph, x);
        let x = graph.squeeze(x, 3); // [batch, at least num_frames, at least bins]
        let x = graph.slice(x, 1, 0, num_frames as i64);
        graph.slice(x, 2, 0, num_bins as i64) // [batch, num_frames, bins]
    }
}

/// [`double`] in ONNX, to so many frames, bins and channels.
fn onnx_double(
    graph: &mut OnnxGraph,
    x: OnnxValue,
    [frames, bins, channels]: [usize; 3],
) -> OnnxValue {
    let [frames, bins, channels] = [frames, bins, channels].map(|size| size as i64);
    let x = graph.concat(&[x, x], 3);
    let x = graph.reshape(x, &[0, frames / 2, bins * channels]);
    let x = graph.concat(&[x, x], 2);
    graph.reshape(x, &[0, frames, bins, channels])
}

/// `[batch, frames, bins, channels]` to `[batch, 2·frames, 2·bins, channels]`, each value four times.
fn double<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 4> {
    let [batch, frames, bins, channels] = x.dims();
    let x = Tensor::cat(vec![x.clone(), x], 3); // [batch, frames, bins, 2·channels]
    let x = x.reshape([batch, frames, 2 * bins * channels]);
    let x = Tensor::cat(vec![x.clone(), x], 2); // [batch, frames, 2·2·bins·channels]
    x.reshape([batch, 2 * frames, 2 * bins, channels])
}

/// The discriminator: from patches to logits.
#[derive(Module, Debug)]
pub struct PatchDiscriminator<B: Backend> {
    /// Frames and bins of a patch.
    pub size: [usize; 2],
    /// From the patch inwards; each halves frames and bins.
    pub convs: Vec<Conv2d<B>>,
    /// From the last convolution's output to the logit.
    pub classifier: Linear<B>,
}

impl<B: Backend> PatchDiscriminator<B> {
    /// Patches `[batch, frames, bins]` and the valid frames of each row to logits `[batch]`, above zero
    /// where a patch looks real.
    ///
    /// # Panics
    /// If there is not one length for each row, a length is not in `1..=frames` or above the
    /// configuration's `num_frames`, or the bins are not the configuration's.
    pub fn forward(&self, patches: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 1> {
        let x = to_patches(patches, lengths, self.size); // [batch, num_frames, bins]
        let mut x = x.unsqueeze_dim::<4>(3); // [batch, num_frames, bins, 1]
        for conv in &self.convs {
            x = leaky_relu(conv.forward(x), LEAKY_SLOPE); // [batch, steps, bands, channels]
        }
        let logits = self.classifier.forward(x.flatten::<2>(1, 3)); // [batch, 1]
        logits.squeeze_dim(1) // [batch]
    }
}

/// A generative adversarial network. See the [module](self).
#[derive(Module, Debug)]
pub struct Gan<B: Backend> {
    /// Generates patches.
    pub generator: PatchGenerator<B>,
    /// Tells generated patches from real ones.
    pub discriminator: PatchDiscriminator<B>,
    /// The game that the two play.
    pub loss: AdversarialLoss,
}

impl<B: Backend> Network<B> for Gan<B> {
    fn contract(&self) -> Contract<'_, B> {
        Contract::Adversarial(self)
    }
}

impl<B: Backend> Generator<B> for Gan<B> {
    /// Size of the noise vector of a patch.
    fn d_latent(&self) -> usize {
        self.generator.projection.weight.dims()[0]
    }

    /// Noise `[batch, latent]` of the standard normal distribution to patches `[batch, num_frames,
    /// bins]`.
    fn generate(&self, latents: Tensor<B, 2>) -> Tensor<B, 3> {
        self.generator.forward(latents)
    }

    fn onnx_generate(
        &self,
        graph: &mut OnnxGraph,
        latents: OnnxValue,
    ) -> Result<OnnxValue, NotInOnnx> {
        Ok(self.generator.onnx(graph, latents))
    }
}

impl<B: Backend> Adversarial<B> for Gan<B> {
    /// Both losses on real patches `[batch, frames, bins]`, with the valid frames of each row, and as
    /// many of noise `[batch, latent]`, cut to the same lengths.
    ///
    /// Neither has a gradient for the other's network, so that one backward pass of their sum gives each
    /// network the gradient of its own. In training the generator's running statistics move once.
    fn losses(
        &self,
        features: Tensor<B, 3>,
        lengths: &[usize],
        noise: Tensor<B, 2>,
    ) -> GanLosses<B> {
        let real = to_patches(features, lengths, self.discriminator.size); // [batch, num_frames, bins]
        let fake = self.generate(noise); // [batch, num_frames, bins]

        let [batch, _, _] = real.dims();
        let both = Tensor::cat(vec![real, fake.clone().detach()], 0); // [2·batch, num_frames, bins]
        let logits = self.discriminate(both, &[lengths, lengths].concat()); // [2·batch]
        let [real, found] = [0, batch].map(|first| logits.clone().narrow(0, first, batch));

        // A copy of parameters that were never asked for would draw others: after the pass above.
        let fixed = self.discriminator.clone().no_grad();
        let convincing = fixed.forward(fake, lengths); // [batch]
        GanLosses {
            discriminator: self.loss.of_discriminator(real, found),
            generator: self.loss.of_generator(convincing),
        }
    }

    /// Patches `[batch, frames, bins]` and the valid frames of each row to logits `[batch]`, above zero
    /// where a patch looks real.
    fn discriminate(&self, patches: Tensor<B, 3>, lengths: &[usize]) -> Tensor<B, 1> {
        self.discriminator.forward(patches, lengths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num_params;
    use burn_ndarray::NdArray;

    #[test]
    fn defaults_have_the_parameters_of_their_torch_twins() {
        let model = GanConfig::default().init::<NdArray>(&Default::default());
        let model = model.expect("valid defaults");
        assert_eq!(num_params(&model.generator), 268_705);
        assert_eq!(num_params(&model.discriminator), 95_233);
    }

    #[test]
    fn a_doubled_picture_repeats_each_value_in_both_directions() {
        let x = [[[[1.0f32, 10.0], [2.0, 20.0]], [[3.0, 30.0], [4.0, 40.0]]]];
        let x = double(Tensor::<NdArray<f32>, 4>::from_floats(
            x,
            &Default::default(),
        ));
        assert_eq!(x.dims(), [1, 4, 4, 2]);
        let channel = x.narrow(3, 1, 1).into_data();
        let rows = [[10.0f32, 10.0, 20.0, 20.0], [30.0, 30.0, 40.0, 40.0]];
        let expected = [rows[0], rows[0], rows[1], rows[1]].concat();
        assert_eq!(channel.iter::<f32>().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn more_halvings_than_a_patch_has_are_refused() {
        let of = |channels: usize| GanConfig {
            num_frames: 9,
            num_bins: 3,
            channels: vec![4; channels],
            ..Default::default()
        };
        assert!(of(4).check().is_ok());
        let message = of(5).check().expect_err("too many").to_string();
        assert!(
            message.starts_with("`channels` is [4, 4, 4, 4, 4]"),
            "{message}"
        );
        assert!(of(0).check().is_err());
    }
}
