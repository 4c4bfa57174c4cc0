//! Deep Speech 2: convolutions over a spectrogram, recurrent layers, and CTC ([Amodei et al.
//! 2015](https://arxiv.org/abs/1512.02595)).
//!
//! ```text
//! convolutions    h = clip(B(w * x + b)), of frames and bins, each with a stride
//! recurrence      h = →h + ←h, by any cell, and B between layers and above the last
//! lookahead       y⟨t⟩ = Σ_j w_j ∘ h⟨t+j⟩, where the recurrence reads forward only
//! fully connected h = clip(B(W h + b)), any number of them
//! output          W h, the scores of the blank and of the symbols at each step
//! ```
//!
//! `clip(x) = min(max(x, 0), 20)`, and `B` is batch norm over all valid steps of the batch, the
//! paper's sequence-wise one. The defaults are the paper's two convolutions and three GRU layers of
//! 512: 12,182,304 parameters with 161 bins and 29 symbols. The paper's own networks have up to three
//! convolutions and seven recurrent layers of some thousand units.
//!
//! Deviations: the directions of a recurrent layer have an input's weight each; `B` is on a
//! recurrent layer's output, the next one's input, and not between its input's weight and its
//! cell, as in the usual re-implementations in PyTorch; a simple recurrence has tanh where the paper
//! has the clipped ReLU; and the logits are returned, without the softmax.

mod stream;

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, check_channels, check_probability, check_size, check_sizes};
use crate::emissions::Emissions;
use crate::layers::{
    Cell, ConvLayer, ConvStack, Init, Linear, Lookahead, MaskedBatchNorm, PointwiseConv1d,
    RecurrentLayer, assert_lengths, convolve,
};
use crate::ops;

pub use stream::DeepSpeech2Stream;

/// Configuration of [`DeepSpeech2`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeepSpeech2Config {
    /// Feature bins of a frame.
    pub num_bins: usize,
    /// Outputs of a step: the symbols of transcripts and the blank, which is symbol 0.
    pub num_symbols: usize,
    /// Channels of each convolution, from the input upwards.
    pub channels: Vec<usize>,
    /// Frames and bins that the kernel of each convolution spans; odd.
    pub kernels: Vec<[usize; 2]>,
    /// Frames and bins from one window of each convolution to the next.
    pub strides: Vec<[usize; 2]>,
    /// What activations of convolutions and fully-connected layers are clipped to from above.
    pub clip: f64,
    /// What the recurrent layers do at each step.
    pub cell: Cell,
    /// Features of the state of one direction.
    pub d_hidden: usize,
    /// Recurrent layers on top of one another.
    pub num_layers: usize,
    /// Whether each recurrent layer also reads backward in time; the directions are added.
    pub bidirectional: bool,
    /// Whether the output of each recurrent layer is normalised.
    pub recurrent_norm: bool,
    /// Steps that a convolution above the recurrent layers reads ahead; 0 is none. Only where those
    /// read forward alone.
    pub lookahead: usize,
    /// Features of each fully-connected layer below the output, from the input upwards.
    pub d_fully_connected: Vec<usize>,
    /// Probability with which an output of a recurrent layer is dropped in training.
    pub dropout: f64,
}

impl Default for DeepSpeech2Config {
    fn default() -> Self {
        Self {
            num_bins: 161,
            num_symbols: 29,
            channels: vec![32, 32],
            kernels: vec![[11, 41], [11, 21]],
            strides: vec![[2, 2], [1, 2]],
            clip: 20.0,
            cell: Cell::Gru,
            d_hidden: 512,
            num_layers: 3,
            bidirectional: true,
            recurrent_norm: true,
            lookahead: 0,
            d_fully_connected: Vec::new(),
            dropout: 0.0,
        }
    }
}

impl DeepSpeech2Config {
    pub(crate) fn convolutions(&self) -> ConvStack<'_> {
        ConvStack {
            channels: &self.channels,
            kernels: &self.kernels,
            strides: &self.strides,
        }
    }

    /// The fewest frames that leave a step: one, as the convolutions pad.
    pub fn min_frames(&self) -> usize {
        1
    }

    /// Steps that so many valid frames become.
    pub fn num_steps(&self, frames: usize) -> usize {
        self.convolutions().num_steps(frames)
    }

    /// Frames past the one a step begins with that the step hears of, where the recurrent layers read
    /// forward alone: half of each kernel, and the lookahead. Times the distance of two frames it is
    /// how long a transcript waits for the sound that decides it.
    pub fn look_ahead_frames(&self) -> usize {
        self.convolutions().look_ahead_frames(self.lookahead)
    }

    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field that is wrong, its value and what would be right.
    pub fn check(&self) -> Result<(), ConfigError> {
        check_size("num_bins", self.num_bins)?;
        check_size("num_symbols", self.num_symbols)?;
        if self.num_symbols < 2 {
            let expected = "at least 2, a symbol beside the blank";
            return Err(ConfigError::field(
                "num_symbols",
                self.num_symbols,
                expected,
            ));
        }
        check_channels("channels", &self.channels)?;
        self.convolutions().check()?;
        if !(self.clip > 0.0 && self.clip.is_finite()) {
            return Err(ConfigError::field("clip", self.clip, "above 0 and finite"));
        }
        check_size("d_hidden", self.d_hidden)?;
        check_size("num_layers", self.num_layers)?;
        if self.lookahead > 0 {
            if self.bidirectional {
                let expected = "0 where the recurrent layers read backward too";
                return Err(ConfigError::field("lookahead", self.lookahead, expected));
            }
            check_size("lookahead", self.lookahead)?;
        }
        check_sizes("d_fully_connected", &self.d_fully_connected)?;
        check_probability("dropout", self.dropout)
    }

    /// A network with random weights.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<DeepSpeech2<B>, ConfigError> {
        self.check()?;
        let (convs, mut features) = self.convolutions().init(self.num_bins, device);
        let mut recurrent = Vec::with_capacity(self.num_layers);
        for _ in 0..self.num_layers {
            let (cell, d_hidden) = (self.cell, self.d_hidden);
            recurrent.push(RecurrentBlock {
                layer: RecurrentLayer::new(cell, features, d_hidden, self.bidirectional, device),
                norm: self
                    .recurrent_norm
                    .then(|| MaskedBatchNorm::new(d_hidden, device)),
            });
            features = d_hidden;
        }
        let mut fully_connected = Vec::with_capacity(self.d_fully_connected.len());
        for &d_output in &self.d_fully_connected {
            fully_connected.push(FullyConnected {
                linear: Linear::new(features, d_output, device),
                norm: MaskedBatchNorm::new(d_output, device),
            });
            features = d_output;
        }
        Ok(DeepSpeech2 {
            convs,
            recurrent,
            dropout: DropoutConfig::new(self.dropout).init(),
            lookahead: (self.lookahead > 0)
                .then(|| Lookahead::new(self.d_hidden, self.lookahead, device)),
            fully_connected,
            output: PointwiseConv1d::new([features, self.num_symbols], Init::Default, device),
            clip: self.clip,
        })
    }
}

/// A recurrent layer whose directions are added, and batch norm.
#[derive(Module, Debug)]
pub struct RecurrentBlock<B: Backend> {
    /// The recurrent layer.
    pub layer: RecurrentLayer<B>,
    /// The normalisation of the sum.
    pub norm: Option<MaskedBatchNorm<B>>,
}

/// A map of each step, batch norm and clipped ReLU.
#[derive(Module, Debug)]
pub struct FullyConnected<B: Backend> {
    /// The map.
    pub linear: Linear<B>,
    /// The normalisation.
    pub norm: MaskedBatchNorm<B>,
}

/// Deep Speech 2. See the [module](self).
#[derive(Module, Debug)]
pub struct DeepSpeech2<B: Backend> {
    /// From the input upwards.
    pub convs: Vec<ConvLayer<B>>,
    /// From the input upwards.
    pub recurrent: Vec<RecurrentBlock<B>>,
    /// Acts on the output of each recurrent layer.
    pub dropout: Dropout,
    /// Above the recurrent layers, where those read forward alone.
    pub lookahead: Option<Lookahead<B>>,
    /// From the input upwards.
    pub fully_connected: Vec<FullyConnected<B>>,
    /// To the symbols; without bias.
    pub output: PointwiseConv1d<B>,
    /// What activations are clipped to from above.
    pub clip: f64,
}

impl<B: Backend> DeepSpeech2<B> {
    /// Features `[batch, frames, bins]` and the valid frames of each row to [`Emissions`] of `[batch,
    /// steps, symbols]`. Each convolution makes `frames / stride` steps of a row's frames, rounded
    /// up.
    ///
    /// # Panics
    /// If there is not one length for each row, a length is not in `1..=frames`, or the bins are not
    /// the configuration's.
    pub fn forward(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Emissions<B> {
        let [batch, frames, _] = features.dims();
        assert_lengths(lengths, batch, frames, 1);
        let clip = [0.0, self.clip];
        let x = ops::zero_padding(features, lengths); // [batch, frames, bins]
        let (mut x, lengths) = convolve(&self.convs, x, lengths, self.clip); // [batch, steps, bands·channels]
        for RecurrentBlock { layer, norm } in &self.recurrent {
            x = layer.forward(x, &lengths).outputs; // [batch, steps, directions·d_hidden]
            if layer.backward.is_some() {
                x = ops::sum_directions(x); // [batch, steps, d_hidden]
            }
            if let Some(norm) = norm {
                x = norm.forward(x, &lengths);
            }
            x = self.dropout.forward(x);
        }
        if let Some(lookahead) = &self.lookahead {
            x = lookahead.forward(x); // [batch, steps, d_hidden]
        }
        for FullyConnected { linear, norm } in &self.fully_connected {
            x = norm.forward_clamp(linear.forward(x), &lengths, clip); // [batch, steps, d_fully_connected]
        }
        Emissions {
            logits: self.output.forward(x), // [batch, steps, symbols]
            lengths,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ModelConfig, num_params};
    use burn_ndarray::NdArray;

    #[test]
    fn defaults_have_the_parameters_of_their_torch_twin() {
        let model = DeepSpeech2Config::default().init::<NdArray>(&Default::default());
        let norm = |channels: usize| 2 * channels;
        let conv = |taps: usize, a: usize, b: usize| taps * a * b + b + norm(b);
        let convs = conv(11 * 41, 1, 32) + conv(11 * 21, 32, 32);
        // 161 bins become 81 and 41 bands. A GRU has three gates and two biases for each.
        let gru = |input: usize| 2 * 3 * 512 * (input + 512 + 2) + norm(512);
        let expected = convs + gru(41 * 32) + 2 * gru(512) + 512 * 29;
        assert_eq!(expected, 12_182_304);
        assert_eq!(num_params(&model.expect("valid defaults")), expected);
    }

    #[test]
    fn a_step_is_left_of_a_single_frame_and_lengths_follow_every_stride() {
        let config = DeepSpeech2Config {
            num_bins: 5,
            strides: vec![[3, 2], [2, 1]],
            d_hidden: 4,
            ..Default::default()
        };
        let device = Default::default();
        let model = config
            .init::<NdArray>(&device)
            .expect("a valid configuration");
        let features = Tensor::zeros([4, 13, 5], &device);
        let emissions = model.forward(features, &[13, 12, 7, 1]);
        assert_eq!(emissions.logits.dims(), [4, 3, 29]);
        assert_eq!(emissions.lengths, [3, 2, 2, 1]);
        let any = ModelConfig::DeepSpeech2(config);
        assert_eq!(
            [13, 12, 7, 1].map(|frames| any.num_steps(frames)),
            [3, 2, 2, 1]
        );
        assert_eq!(any.frames_per_step(), 6);
        let alone = model.forward(Tensor::zeros([1, 1, 5], &device), &[1]);
        assert_eq!(alone.log_probs().dims(), [1, 1, 29]);
    }
}
