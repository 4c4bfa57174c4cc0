//! Windows over frames that arrive in stretches.

use burn::tensor::{Tensor, backend::Backend};

/// Cuts what arrives in stretches into the windows of a kernel over frames: what a convolution without
/// padding takes, so that all its outputs are those over the whole.
#[derive(Debug, Clone)]
pub(crate) struct Stretches<B: Backend, const D: usize> {
    /// Frames of a window.
    span: usize,
    /// Frames from one window to the next.
    stride: usize,
    /// Zeros before the first frame, until it arrives, and after the last.
    padding: [usize; 2],
    /// Frames from the start of the next window on.
    pending: Option<Tensor<B, D>>,
    /// Frames to leave out before the next window: a stride may be longer than a window.
    skip: usize,
    /// `[batch, frames, …]` of what arrived, frames aside.
    dims: Option<[usize; D]>,
}

impl<B: Backend, const D: usize> Stretches<B, D> {
    pub fn new(span: usize, stride: usize, padding: [usize; 2]) -> Self {
        Self {
            span,
            stride,
            padding,
            pending: None,
            skip: 0,
            dims: None,
        }
    }

    /// The frames of all windows that are complete with `x` `[batch, frames, …]`, or at the end.
    pub fn advance(&mut self, x: Option<Tensor<B, D>>, at_end: bool) -> Option<Tensor<B, D>> {
        if let Some(x) = x {
            if self.dims.is_none() {
                self.dims = Some(x.dims());
                self.append_zeros(self.padding[0], &x.device());
            }
            self.append(x);
        }
        if at_end && let Some(device) = self.pending.as_ref().map(Tensor::device) {
            self.append_zeros(self.padding[1], &device);
        }
        let pending = self.pending.take()?;
        let frames = pending.dims()[1];
        if frames < self.span {
            self.pending = Some(pending);
            return None;
        }
        let windows = (frames - self.span) / self.stride + 1;
        let past = windows * self.stride;
        if past < frames {
            self.pending = Some(pending.clone().narrow(1, past, frames - past));
        }
        self.skip += past.saturating_sub(frames);
        Some(pending.narrow(1, 0, past - self.stride + self.span))
    }

    fn append_zeros(&mut self, frames: usize, device: &B::Device) {
        if let (Some(mut dims), true) = (self.dims, frames > 0) {
            dims[1] = frames;
            self.append(Tensor::zeros(dims, device));
        }
    }

    fn append(&mut self, x: Tensor<B, D>) {
        let frames = x.dims()[1];
        let skipped = self.skip.min(frames);
        self.skip -= skipped;
        if skipped == frames {
            return;
        }
        let x = x.narrow(1, skipped, frames - skipped);
        self.pending = Some(match self.pending.take() {
            None => x,
            Some(pending) => Tensor::cat(vec![pending, x], 1),
        });
    }
}
