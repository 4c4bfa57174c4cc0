//! A convolution on a GPU: its windows side by side, and one matrix product.

use burn::tensor::{Tensor, TensorMetadata, backend::Backend};

use super::ConvOptions;
use crate::gpu::Gpu;
use crate::gpu::conv::{Sizes, Spread, Windows};
use crate::gpu::launch::Primitive;
use crate::ops::gpu_seam::{Operator, apply, lower, raise};

/// The convolution of an image, if it is on a GPU and has no groups.
pub(super) fn conv<B: Backend>(
    x: &Tensor<B, 4>,
    weight: &Tensor<B, 4>,
    bias: Option<&Tensor<B, 1>>,
    options: ConvOptions<2>,
    size_out: [usize; 2],
) -> Option<Tensor<B, 4>> {
    let [batch, frames, bins, channels] = x.dims();
    let [kernel_frames, kernel_bins, _, _] = weight.dims();
    let sizes = Sizes {
        batch,
        size: [frames, bins],
        size_out,
        channels,
        kernel: [kernel_frames, kernel_bins],
        stride: options.stride,
        padding: options.padding,
        dilation: options.dilation,
    };
    if options.groups > 1 || sizes.positions() == 0 || !sizes.fits() {
        return None;
    }
    let (x, weight) = (lower(x.clone()), lower(weight.clone()));
    match bias {
        Some(bias) => apply::<B, _, 3>(Conv(sizes), [x, weight, lower(bias.clone())]),
        None => apply::<B, _, 2>(Conv(sizes), [x, weight]),
    }
    .map(raise)
}

#[derive(Debug, Clone)]
struct Conv(Sizes);

impl Conv {
    /// `[positions, window]`
    fn windows<G: Gpu>(&self, x: Primitive<G>) -> Tensor<G, 2> {
        let shape = [self.0.positions(), self.0.window()];
        if self.0.is_plain() {
            return raise::<G, 4>(x).reshape(shape);
        }
        raise(G::launch(Windows(self.0), vec![x], vec![shape.to_vec()]).remove(0))
    }

    fn matrix<G: Gpu>(&self, weight: Primitive<G>) -> Tensor<G, 2> {
        let weight = raise::<G, 4>(weight);
        let [_, _, _, channels_out] = weight.dims();
        weight.reshape([self.0.window(), channels_out])
    }
}

impl<const N: usize> Operator<N> for Conv {
    fn forward<G: Gpu>(
        &self,
        inputs: [Primitive<G>; N],
        keep: bool,
    ) -> (Primitive<G>, Vec<Primitive<G>>) {
        let matrix = self.matrix::<G>(inputs[1].clone());
        let [_, channels_out] = matrix.dims();
        let y = self.windows::<G>(inputs[0].clone()).matmul(matrix);
        let y = match inputs.get(2) {
            Some(bias) => y + raise::<G, 1>(bias.clone()).unsqueeze(),
            None => y,
        };
        let [steps, bands] = self.0.size_out;
        let y = lower(y.reshape([self.0.batch, steps, bands, channels_out]));
        let saved = if keep {
            inputs[..2].to_vec()
        } else {
            Vec::new()
        };
        (y, saved)
    }

    fn backward<G: Gpu>(
        self,
        mut saved: Vec<Primitive<G>>,
        gradient: Primitive<G>,
        wanted: [bool; N],
    ) -> [Option<Primitive<G>>; N] {
        let (weight, x) = (saved.remove(1), saved.remove(0));
        let dims = weight.shape().dims::<4>();
        let Sizes {
            batch,
            size: [frames, bins],
            channels,
            ..
        } = self.0;
        let slopes = raise::<G, 4>(gradient).reshape([self.0.positions(), dims[3]]);
        let of_x = wanted[0].then(|| {
            let of_windows = slopes.clone().matmul(self.matrix::<G>(weight).transpose());
            let shape = [batch, frames, bins, channels];
            if self.0.is_plain() {
                return lower(of_windows.reshape(shape));
            }
            G::launch(
                Spread(self.0),
                vec![lower(of_windows)],
                vec![shape.to_vec()],
            )
            .remove(0)
        });
        let of_weight = wanted[1].then(|| {
            let of_matrix = self.windows::<G>(x).transpose().matmul(slopes.clone());
            lower(of_matrix.reshape(dims))
        });
        let mut of_bias = || lower(slopes.clone().sum_dim(0).squeeze_dim::<1>(0));
        let mut found = [of_x, of_weight].into_iter();
        wanted.map(|wanted| match found.next() {
            Some(found) => found,
            None => wanted.then(&mut of_bias),
        })
    }
}
