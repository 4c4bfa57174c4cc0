//! A convolution on a GPU: its windows side by side, and a matrix product of them.

use burn::tensor::{Tensor, TensorMetadata, backend::Backend};

use super::ConvOptions;
use crate::gpu::Gpu;
use crate::gpu::conv::{Sizes, Spread, Tile, Windows};
use crate::gpu::launch::Primitive;
use crate::ops::gpu_seam::{Operator, apply, lower, raise};
use crate::ops::product;

/// The convolution of an image, if it is on a GPU and has one group, or one for each channel.
pub(super) fn conv<B: Backend>(
    x: &Tensor<B, 4>,
    weight: &Tensor<B, 4>,
    bias: Option<&Tensor<B, 1>>,
    options: ConvOptions<2>,
    size_out: [usize; 2],
) -> Option<Tensor<B, 4>> {
    let [batch, frames, bins, channels] = x.dims();
    let [kernel_frames, kernel_bins, _, channels_out] = weight.dims();
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
    let by_channel = options.groups > 1;
    let is_depthwise = options.groups == channels && channels_out == channels;
    let is_empty = sizes.positions() * sizes.window() * channels_out == 0;
    let fits = sizes.fits() && sizes.positions() * channels_out <= i32::MAX as usize;
    if (by_channel && !is_depthwise) || is_empty || !fits {
        return None;
    }
    let conv = Conv { sizes, by_channel };
    let (x, weight) = (lower(x.clone()), lower(weight.clone()));
    match bias {
        Some(bias) => apply::<B, _, 3>(conv, [x, weight, lower(bias.clone())]),
        None => apply::<B, _, 2>(conv, [x, weight]),
    }
    .map(raise)
}

#[derive(Debug, Clone)]
struct Conv {
    sizes: Sizes,
    /// Whether each channel is convolved by itself.
    by_channel: bool,
}

impl Conv {
    /// `[count, window]`
    fn windows<G: Gpu>(&self, x: &Primitive<G>, tile: Tile) -> Tensor<G, 2> {
        let shape = [tile.count, self.sizes.window()];
        if self.sizes.is_plain() {
            return raise::<G, 4>(x.clone()).reshape(shape);
        }
        let windows = Windows(self.sizes, tile);
        raise(G::launch(windows, vec![x.clone()], vec![shape.to_vec()]).remove(0))
    }

    /// `[window, channels_out]`, or `[1, taps, channels]` as `[1, window]` by channel.
    fn matrix<G: Gpu>(&self, weight: Primitive<G>) -> Tensor<G, 2> {
        let weight = raise::<G, 4>(weight);
        let [_, _, _, channels_out] = weight.dims();
        match self.by_channel {
            true => weight.reshape([1, self.sizes.window()]),
            false => weight.reshape([self.sizes.window(), channels_out]),
        }
    }

    /// The last axis as taps and channels.
    fn by_taps<G: Gpu>(&self, windows: Tensor<G, 2>) -> Tensor<G, 3> {
        let [count, window] = windows.dims();
        let channels = self.sizes.channels;
        windows.reshape([count, window / channels, channels])
    }

    /// Windows `[count, window]` to the output `[count, channels_out]`.
    fn product<G: Gpu>(&self, windows: Tensor<G, 2>, matrix: &Tensor<G, 2>) -> Tensor<G, 2> {
        if self.by_channel {
            let weighed = windows * matrix.clone();
            return self.by_taps(weighed).sum_dim(1).squeeze_dim(1);
        }
        product(windows, matrix.clone())
    }

    /// The gradient of a tile's output `[count, channels_out]` to that of its windows `[count, window]`.
    fn of_windows<G: Gpu>(&self, slopes: Tensor<G, 2>, matrix: &Tensor<G, 2>) -> Tensor<G, 2> {
        if self.by_channel {
            let slopes = slopes.unsqueeze_dim::<3>(1); // [count, 1, channels]
            let shape = [slopes.dims()[0], self.sizes.window()];
            return (slopes * self.by_taps(matrix.clone())).reshape(shape);
        }
        product(slopes, matrix.clone().transpose())
    }

    /// Both to the gradient of the matrix.
    fn of_matrix<G: Gpu>(&self, windows: Tensor<G, 2>, slopes: Tensor<G, 2>) -> Tensor<G, 2> {
        if self.by_channel {
            let weighed = self.by_taps(windows) * slopes.unsqueeze_dim::<3>(1); // [count, taps, channels]
            return weighed.sum_dim(0).reshape([1, self.sizes.window()]);
        }
        product(windows.transpose(), slopes)
    }
}

impl<const N: usize> Operator<N> for Conv {
    fn forward<G: Gpu>(
        &self,
        inputs: [Primitive<G>; N],
        keep: bool,
    ) -> (Primitive<G>, Vec<Primitive<G>>) {
        let [_, _, _, channels_out] = inputs[1].shape().dims::<4>();
        let matrix = self.matrix::<G>(inputs[1].clone());
        let tiles = self.sizes.tiles().into_iter();
        let parts = tiles.map(|tile| self.product(self.windows::<G>(&inputs[0], tile), &matrix));
        let y = joined(parts.collect()); // [positions, channels_out]
        let y = match inputs.get(2) {
            Some(bias) => y + raise::<G, 1>(bias.clone()).unsqueeze(),
            None => y,
        };
        let [steps, bands] = self.sizes.size_out;
        let y = lower(y.reshape([self.sizes.batch, steps, bands, channels_out]));
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
        } = self.sizes;
        let shape = [batch, frames, bins, channels];
        let matrix = self.matrix::<G>(weight);
        let slopes = raise::<G, 4>(gradient).reshape([self.sizes.positions(), dims[3]]);
        let mut of_x: Option<Primitive<G>> = None;
        let mut of_matrix: Option<Tensor<G, 2>> = None;
        for tile in self.sizes.tiles() {
            let slopes = match tile.count == self.sizes.positions() {
                true => slopes.clone(),
                false => slopes.clone().narrow(0, tile.first, tile.count),
            };
            if wanted[0] {
                let of_windows = self.of_windows(slopes.clone(), &matrix);
                of_x = Some(if self.sizes.is_plain() {
                    lower(of_windows.reshape(shape))
                } else {
                    let mut inputs = vec![lower(of_windows)];
                    inputs.extend(of_x);
                    G::launch(Spread(self.sizes, tile), inputs, vec![shape.to_vec()]).remove(0)
                });
            }
            if wanted[1] {
                let part = self.of_matrix(self.windows::<G>(&x, tile), slopes);
                of_matrix = Some(match of_matrix {
                    Some(sum) => sum + part,
                    None => part,
                });
            }
        }
        let of_weight = of_matrix.map(|of_matrix| lower(of_matrix.reshape(dims)));
        let mut of_bias = || lower(slopes.clone().sum_dim(0).squeeze_dim::<1>(0));
        let mut found = [of_x, of_weight].into_iter();
        wanted.map(|wanted| match found.next() {
            Some(found) => found,
            None => wanted.then(&mut of_bias),
        })
    }
}

fn joined<G: Gpu>(mut parts: Vec<Tensor<G, 2>>) -> Tensor<G, 2> {
    match parts.len() {
        1 => parts.remove(0),
        _ => Tensor::cat(parts, 0),
    }
}
