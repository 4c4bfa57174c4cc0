//! Scaling of channels.

use burn::tensor::{Tensor, backend::Backend};

/// Every channel of a row times a factor of its own.
///
/// `y[row, frame, channel] = x[row, frame, channel] · scale[row, channel]`
///
/// # Shapes
/// - `x`: `[batch, frames, channels]`
/// - `scale`: `[batch, channels]`
/// - output: as `x`
///
/// # Panics
/// If the shapes do not agree.
pub fn scale_channels<B: Backend>(x: Tensor<B, 3>, scale: Tensor<B, 2>) -> Tensor<B, 3> {
    let [batch, _, channels] = x.dims();
    assert_eq!(
        scale.dims(),
        [batch, channels],
        "one factor for each channel of a row"
    );
    #[cfg(feature = "ndarray")]
    if let Some(y) = cpu::scale_channels(&x, &scale) {
        return y;
    }
    x * scale.unsqueeze_dim::<3>(1)
}

#[cfg(feature = "ndarray")]
mod cpu {
    use super::*;
    use crate::kernels::scale::{backward_scale, forward};
    use crate::ops::seam::{Array, Inputs, Operator, primitive};

    pub(super) fn scale_channels<B: Backend>(
        x: &Tensor<B, 3>,
        scale: &Tensor<B, 2>,
    ) -> Option<Tensor<B, 3>> {
        let dims = x.dims();
        let inputs = Inputs::<B, 2>::recognise([primitive(x), primitive(scale)])?;
        let [x, scale] = inputs.values();
        let y = forward(x, scale, dims);
        Some(inputs.finish(Scale(dims), y, dims, |inputs| inputs))
    }

    /// The shape of the input.
    #[derive(Debug)]
    struct Scale([usize; 3]);

    impl Operator<2> for Scale {
        type Saved = [Array; 2];

        fn backward(
            self,
            [x, scale]: Self::Saved,
            gradient: Array,
            [want_x, want_scale]: [bool; 2],
        ) -> [Option<Vec<f32>>; 2] {
            let of_x = want_x.then(|| forward(gradient.values(), scale.values(), self.0));
            let of_scale =
                want_scale.then(|| backward_scale(x.values(), self.0, gradient.values()));
            x.give();
            gradient.give();
            [of_x, of_scale]
        }
    }
}
