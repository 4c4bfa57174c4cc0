//! The mean and the largest value of valid frames on a GPU.

use burn::tensor::{Tensor, backend::Backend};

use crate::gpu::Gpu;
use crate::gpu::launch::Primitive;
use crate::gpu::pool::{self as kernel, PoolSlopes, Sizes};
use crate::ops::gpu_seam::{Operator, apply, lower, raise};

pub(super) use crate::gpu::pool::Statistic;

/// The statistic of each row's valid frames, if they are on a GPU.
pub(super) fn pool<B: Backend>(
    x: &Tensor<B, 3>,
    lengths: &[usize],
    statistic: Statistic,
) -> Option<Tensor<B, 2>> {
    let [batch, frames, channels] = x.dims();
    let values = batch * frames * channels;
    // The frame of the largest is kept as a float.
    if values == 0 || values > i32::MAX as usize || frames > 1 << 24 {
        return None;
    }
    let sizes = Sizes {
        batch,
        frames,
        channels,
    };
    let lengths = lengths.iter().map(|&it| it.min(frames) as i32).collect();
    let pool = Pool {
        sizes,
        statistic,
        lengths,
    };
    apply::<B, _, 1>(pool, [lower(x.clone())]).map(raise)
}

#[derive(Debug, Clone)]
struct Pool {
    sizes: Sizes,
    statistic: Statistic,
    lengths: Vec<i32>,
}

impl Operator<1> for Pool {
    fn forward<G: Gpu>(
        &self,
        [x]: [Primitive<G>; 1],
        _keep: bool,
    ) -> (Primitive<G>, Vec<Primitive<G>>) {
        let Sizes {
            batch, channels, ..
        } = self.sizes;
        let device = raise::<G, 3>(x.clone()).device();
        let lengths = G::numbers(self.lengths.clone(), &device);
        let shape = vec![batch, channels];
        let of_frames = match self.statistic {
            Statistic::Mean => vec![1],
            Statistic::Largest => shape.clone(),
        };
        let pool = kernel::Pool(self.sizes, self.statistic);
        let mut found = G::launch(pool, vec![x, lengths.clone()], vec![shape, of_frames]);
        let which = found.remove(1);
        (found.remove(0), vec![which, lengths])
    }

    fn backward<G: Gpu>(
        self,
        saved: Vec<Primitive<G>>,
        gradient: Primitive<G>,
        _wanted: [bool; 1],
    ) -> [Option<Primitive<G>>; 1] {
        let Sizes {
            batch,
            frames,
            channels,
        } = self.sizes;
        let mut inputs = vec![gradient];
        inputs.extend(saved);
        let slopes = PoolSlopes(self.sizes, self.statistic);
        let shape = vec![batch, frames, channels];
        [Some(G::launch(slopes, inputs, vec![shape]).remove(0))]
    }
}
