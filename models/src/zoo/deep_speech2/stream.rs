//! Deep Speech 2 over sound that arrives in stretches.

use burn::tensor::{Tensor, backend::Backend};

use super::model::{DeepSpeech2, FullyConnected, RecurrentBlock};
use crate::layers::{
    ConvLayer, ConvStack, Stretches, assert_bins, assert_input, convolve, onnx_convolve,
};
use crate::onnx::{NotInOnnx, OnnxGraph, Padded};
use crate::ops::{self, State};
use crate::{ConfigError, EmissionStream, Emissions, Emitter};

/// [`DeepSpeech2`] over one recording that arrives in stretches. Its logits are those of the whole
/// recording, on the CPU backend bit by bit, however the recording is cut.
///
/// A step is emitted as soon as the frames that it depends on have arrived, see
/// [`look_ahead_frames`](super::DeepSpeech2Config::look_ahead_frames). Memory does not grow with the
/// length of the recording.
#[derive(Debug, Clone)]
pub struct DeepSpeech2Stream<B: Backend> {
    model: DeepSpeech2<B>,
    /// Windows of each convolution, `[1, frames, bands, channels]`.
    windows: Vec<Stretches<B, 4>>,
    /// State of each recurrent layer at the end of the last stretch.
    states: Vec<Option<State<B>>>,
    /// Windows of the lookahead, `[1, steps, d_hidden]`.
    ahead: Option<Stretches<B, 3>>,
    look_ahead_frames: usize,
}

impl<B: Backend> Emitter<B> for DeepSpeech2<B> {
    /// Each convolution makes `frames / stride` steps of a row's frames, rounded up.
    fn emit(&self, features: Tensor<B, 3>, lengths: &[usize]) -> Emissions<B> {
        assert_input(&features, lengths, 1, self.num_bins);
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

    fn stream(&self) -> Result<Box<dyn EmissionStream<B>>, ConfigError> {
        Ok(Box::new(DeepSpeech2Stream::new(self)?))
    }

    fn onnx(&self, graph: &mut OnnxGraph, features: Padded) -> Result<Padded, NotInOnnx> {
        let x = features.zeroed(graph);
        let mut x = onnx_convolve(&self.convs, graph, x, self.num_bins, self.clip); // [batch, steps, bands·channels]
        for RecurrentBlock { layer, norm } in &self.recurrent {
            (x, _) = layer.onnx(graph, x); // [batch, steps, directions·d_hidden]
            if layer.backward.is_some() {
                let [d_hidden, _] = layer.forward.weight_state.dims();
                x = x.with(graph.sum_directions(x.values, d_hidden)); // [batch, steps, d_hidden]
            }
            if let Some(norm) = norm {
                x = norm.onnx(graph, x);
            }
        }
        if let Some(lookahead) = &self.lookahead {
            x = x.with(lookahead.onnx(graph, x.values)); // [batch, steps, d_hidden]
        }
        for FullyConnected { linear, norm } in &self.fully_connected {
            x = x.with(linear.onnx(graph, x.values));
            x = norm.onnx_clamp(graph, x, [0.0, self.clip]); // [batch, steps, d_fully_connected]
        }
        Ok(x.with(self.output.onnx(graph, x.values))) // [batch, steps, symbols]
    }
}

impl<B: Backend> DeepSpeech2Stream<B> {
    /// The beginning of a recording. For inference: on a backend without autodiff.
    ///
    /// # Errors
    /// If `bidirectional` is set: a layer that reads backward begins at the end of a recording.
    pub fn new(model: &DeepSpeech2<B>) -> Result<Self, ConfigError> {
        if model.recurrent.iter().any(|it| it.layer.backward.is_some()) {
            let expected = "false for a stream, whose end is not known while it is transcribed";
            return Err(ConfigError::field("bidirectional", true, expected));
        }
        let kernels = model.convs.iter().map(|ConvLayer { conv, .. }| {
            let [frames, bins, ..] = conv.weight.dims();
            [frames, bins]
        });
        let kernels: Vec<[usize; 2]> = kernels.collect();
        let strides: Vec<[usize; 2]> = model.convs.iter().map(|it| it.conv.stride).collect();
        let convolutions = ConvStack {
            channels: &[],
            kernels: &kernels,
            strides: &strides,
        };
        let lookahead = model.lookahead.as_ref();
        let steps_ahead = lookahead.map_or(0, |it| it.weight.dims()[0] - 1);
        let windows = kernels
            .iter()
            .zip(&strides)
            .map(|([span, _], [stride, _])| Stretches::new(*span, *stride, [span / 2; 2]));
        Ok(Self {
            windows: windows.collect(),
            states: vec![None; model.recurrent.len()],
            ahead: lookahead.map(|_| Stretches::new(steps_ahead + 1, 1, [0, steps_ahead])),
            look_ahead_frames: convolutions.look_ahead_frames(steps_ahead),
            model: model.clone(),
        })
    }

    /// As [`DeepSpeech2::emit`], of one recording whose frames so far are all valid.
    fn advance(&mut self, features: Option<Tensor<B, 3>>, at_end: bool) -> Option<Tensor<B, 3>> {
        let model = &self.model;
        let clip = [0.0, model.clip];
        let mut x = features.map(|x| x.unsqueeze_dim::<4>(3)); // [1, frames, bins, 1]
        for (ConvLayer { conv, norm }, windows) in model.convs.iter().zip(&mut self.windows) {
            x = windows.advance(x, at_end).map(|x| {
                let x = conv.forward_within(x); // [1, steps, bands, channels]
                let steps = x.dims()[1];
                norm.forward_clamp(x, &[steps], clip)
            });
        }
        let mut x = x.map(|x| x.flatten::<3>(2, 3)); // [1, steps, bands·channels]
        if let Some(mut stretch) = x.take() {
            let steps = stretch.dims()[1];
            for (RecurrentBlock { layer, norm }, state) in
                model.recurrent.iter().zip(&mut self.states)
            {
                let (outputs, last) = layer.forward_stretch(stretch, state.take()); // [1, steps, d_hidden]
                *state = Some(last);
                stretch = match norm {
                    Some(norm) => norm.forward(outputs, &[steps]),
                    None => outputs,
                };
            }
            x = Some(stretch);
        }
        if let (Some(lookahead), Some(ahead)) = (&model.lookahead, &mut self.ahead) {
            x = ahead
                .advance(x, at_end)
                .map(|x| lookahead.forward_within(x)); // [1, steps, d_hidden]
        }
        let mut x = x?;
        let steps = x.dims()[1];
        for FullyConnected { linear, norm } in &model.fully_connected {
            x = norm.forward_clamp(linear.forward(x), &[steps], clip); // [1, steps, d_fully_connected]
        }
        Some(model.output.forward(x)) // [1, steps, symbols]
    }
}

impl<B: Backend> EmissionStream<B> for DeepSpeech2Stream<B> {
    fn push(&mut self, features: Tensor<B, 3>) -> Option<Tensor<B, 3>> {
        let [rows, frames, bins] = features.dims();
        assert!(
            rows == 1 && frames > 0,
            "a stretch of one recording has 1 row and frames, not {rows} rows of {frames} frames"
        );
        assert_bins(bins, self.model.num_bins);
        self.advance(Some(features), false)
    }

    fn finish(mut self: Box<Self>) -> Option<Tensor<B, 3>> {
        self.advance(None, true)
    }

    fn look_ahead_frames(&self) -> usize {
        self.look_ahead_frames
    }
}
