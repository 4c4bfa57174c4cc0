//! Pairs of successive frames side by side.

use burn::tensor::{Tensor, backend::Backend};

/// Puts every two successive frames side by side; an odd last one stands beside zeros.
///
/// # Shapes
/// - `x`: `[batch, frames, channels]`
/// - output: `[batch, frames / 2, 2·channels]`, the number of frames rounded up
pub fn pair_frames<B: Backend>(x: Tensor<B, 3>) -> Tensor<B, 3> {
    let [batch, frames, channels] = x.dims();
    let x = if frames.is_multiple_of(2) {
        x
    } else {
        one_frame_more(x)
    };
    x.reshape([batch, frames.div_ceil(2), 2 * channels])
}

/// Adds a frame of zeros.
fn one_frame_more<B: Backend>(x: Tensor<B, 3>) -> Tensor<B, 3> {
    #[cfg(feature = "ndarray")]
    if let Some(x) = cpu::one_frame_more(&x) {
        return x;
    }
    let [batch, _, channels] = x.dims();
    let zeros = Tensor::zeros([batch, 1, channels], &x.device());
    Tensor::cat(vec![x, zeros], 1)
}

#[cfg(feature = "ndarray")]
mod cpu {
    use super::*;
    use crate::kernels::padding::with_frames;
    use crate::ops::seam::{Array, Inputs, Operator, primitive};

    pub(super) fn one_frame_more<B: Backend>(x: &Tensor<B, 3>) -> Option<Tensor<B, 3>> {
        let sizes @ [batch, frames, channels] = x.dims();
        let inputs = Inputs::<B, 1>::recognise([primitive(x)])?;
        let [x] = inputs.values();
        let y = with_frames(x, sizes, frames + 1);
        let dims = [batch, frames + 1, channels];
        Some(inputs.finish(OneFrameMore(dims), y, dims, |_| ()))
    }

    /// The output's shape.
    #[derive(Debug)]
    struct OneFrameMore([usize; 3]);

    impl Operator<1> for OneFrameMore {
        type Saved = ();

        fn backward(self, (): (), gradient: Array, _: [bool; 1]) -> [Option<Vec<f32>>; 1] {
            let [_, frames, _] = self.0;
            let found = with_frames(gradient.values(), self.0, frames - 1);
            gradient.give();
            [Some(found)]
        }
    }
}
