//! The softmax over valid frames on a GPU.

use burn::tensor::{Tensor, backend::Backend};

use crate::gpu::Gpu;
use crate::gpu::launch::Primitive;
use crate::gpu::softmax::{self as kernel, Sizes, SoftmaxSlopes};
use crate::ops::gpu_seam::{Operator, apply, lower, raise};

/// The weights, if the scores are on a GPU.
pub(super) fn softmax<B: Backend>(
    scores: &Tensor<B, 2>,
    lengths: &[usize],
) -> Option<Tensor<B, 2>> {
    let [rows, frames] = scores.dims();
    // A cube for each row.
    if rows * frames == 0 || rows > 65535 || rows * frames > i32::MAX as usize {
        return None;
    }
    let softmax = Softmax {
        sizes: Sizes { rows, frames },
        lengths: lengths.iter().map(|&it| it.min(frames) as i32).collect(),
    };
    apply::<B, _, 1>(softmax, [lower(scores.clone())]).map(raise)
}

#[derive(Debug, Clone)]
struct Softmax {
    sizes: Sizes,
    lengths: Vec<i32>,
}

impl Operator<1> for Softmax {
    fn forward<G: Gpu>(
        &self,
        [scores]: [Primitive<G>; 1],
        _keep: bool,
    ) -> (Primitive<G>, Vec<Primitive<G>>) {
        let device = raise::<G, 2>(scores.clone()).device();
        let lengths = G::numbers(self.lengths.clone(), &device);
        let shape = vec![self.sizes.rows, self.sizes.frames];
        let kernel = kernel::Softmax(self.sizes);
        let weights = G::launch(kernel, vec![scores, lengths], vec![shape]).remove(0);
        (weights.clone(), vec![weights])
    }

    fn backward<G: Gpu>(
        self,
        mut saved: Vec<Primitive<G>>,
        gradient: Primitive<G>,
        _wanted: [bool; 1],
    ) -> [Option<Primitive<G>>; 1] {
        let shape = vec![self.sizes.rows, self.sizes.frames];
        let inputs = vec![gradient, saved.remove(0)];
        [Some(
            G::launch(SoftmaxSlopes(self.sizes), inputs, vec![shape]).remove(0),
        )]
    }
}
