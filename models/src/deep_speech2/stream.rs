//! Deep Speech 2 over sound that arrives in stretches.

use burn::tensor::{Tensor, backend::Backend};

use super::{DeepSpeech2, FullyConnected, RecurrentBlock};
use crate::config::ConfigError;
use crate::layers::{ConvLayer, Stretches};
use crate::ops::State;

/// [`DeepSpeech2`] over one recording that arrives in stretches: what it says of all of them is what
/// the model says of the whole, on the CPU backend bit by bit, however the recording is cut.
///
/// A step is said as soon as the frames it hears of are there, see
/// [`look_ahead_frames`](super::DeepSpeech2Config::look_ahead_frames). Memory does not grow with the
/// length of the recording.
#[derive(Debug, Clone)]
pub struct DeepSpeech2Stream<B: Backend> {
    model: DeepSpeech2<B>,
    /// Of each convolution, `[1, frames, bands, channels]`.
    windows: Vec<Stretches<B, 4>>,
    /// What each recurrent layer ended the last stretch with.
    states: Vec<Option<State<B>>>,
    /// Of the lookahead, `[1, steps, d_hidden]`.
    ahead: Option<Stretches<B, 3>>,
}

impl<B: Backend> DeepSpeech2<B> {
    /// The beginning of a recording. For inference: on a backend without autodiff.
    ///
    /// # Errors
    /// If the recurrent layers read backward too, from the end of a recording.
    pub fn stream(&self) -> Result<DeepSpeech2Stream<B>, ConfigError> {
        if self.recurrent.iter().any(|it| it.layer.backward.is_some()) {
            let expected = "false for a stream, whose end is not known while it is transcribed";
            return Err(ConfigError::field("bidirectional", true, expected));
        }
        let windows = self.convs.iter().map(|ConvLayer { conv, .. }| {
            let [span, ..] = conv.weight.dims();
            Stretches::new(span, conv.stride[0], [span / 2; 2])
        });
        let ahead = self.lookahead.as_ref().map(|lookahead| {
            let [span, ..] = lookahead.weight.dims();
            Stretches::new(span, 1, [0, span - 1])
        });
        Ok(DeepSpeech2Stream {
            windows: windows.collect(),
            states: vec![None; self.recurrent.len()],
            ahead,
            model: self.clone(),
        })
    }
}

impl<B: Backend> DeepSpeech2Stream<B> {
    /// The logits `[1, steps, symbols]` of the steps that the next `features` `[1, frames, bins]`
    /// complete, if they complete any.
    ///
    /// # Panics
    /// If there is another number of rows than one, no frame, or the bins are not the
    /// configuration's.
    pub fn push(&mut self, features: Tensor<B, 3>) -> Option<Tensor<B, 3>> {
        let [rows, frames, _] = features.dims();
        assert!(rows == 1 && frames > 0, "a stretch of one recording");
        self.advance(Some(features), false)
    }

    /// The logits of the steps that the end of the recording completes, if there are any.
    pub fn finish(mut self) -> Option<Tensor<B, 3>> {
        self.advance(None, true)
    }

    /// As [`DeepSpeech2::forward`].
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
