//! Batch normalisation in training, activation and pooling on a GPU.

use burn::tensor::{Tensor, backend::Backend};

use super::{BatchStatistics, NormPool};
use crate::gpu::Gpu;
use crate::gpu::launch::Primitive;
use crate::gpu::norm::{Backward, Forward, Moments, PARTS, PartMoments, PartSlopes, Sizes};
use crate::ops::gpu_seam::{Operator, apply, lower, raise};

/// The output and the statistics, if the tensors are on a GPU.
pub(super) fn training<B: Backend>(
    x: Tensor<B, 4>,
    lengths: &[usize],
    gamma: &Tensor<B, 1>,
    beta: &Tensor<B, 1>,
    plan: &NormPool,
    count: usize,
) -> Option<(Tensor<B, 4>, BatchStatistics<B>)> {
    let [batch, frames, bins, channels] = x.dims();
    let sizes = Sizes {
        batch,
        frames,
        bins,
        channels,
        pool: plan.pool,
        origin: lengths.iter().position(|&length| length > 0)? * frames * bins,
    };
    // Which value of a window was picked is kept as a number of single precision.
    if !sizes.fits() || plan.pool[0] * plan.pool[1] > 1 << 20 {
        return None;
    }
    let norm = Norm {
        sizes,
        lengths: lengths
            .iter()
            .map(|&length| length.min(frames) as i32)
            .collect(),
        plan: *plan,
        count,
    };
    let detached = lower(x.clone().detach());
    let moments = apply::<B, _, 1>(Statistics(norm.clone()), [detached])?;
    let inputs = [
        lower(x),
        lower(gamma.clone()),
        lower(beta.clone()),
        moments.clone(),
    ];
    let y = apply::<B, _, 4>(norm, inputs)?;
    let moments = raise::<B, 2>(moments).detach();
    let part = |index| moments.clone().narrow(0, index, 1).reshape([channels]);
    let statistics = BatchStatistics {
        mean: part(0),
        variance: part(2),
    };
    Some((raise(y), statistics))
}

#[derive(Debug, Clone)]
struct Norm {
    sizes: Sizes,
    lengths: Vec<i32>,
    plan: NormPool,
    /// Valid positions.
    count: usize,
}

/// Mean, biased and unbiased variance, and the mean from the origin, `[4, channels]`, of a tensor without a gradient.
#[derive(Debug, Clone)]
struct Statistics(Norm);

impl Operator<1> for Statistics {
    fn forward<G: Gpu>(
        &self,
        [x]: [Primitive<G>; 1],
        _keep: bool,
    ) -> (Primitive<G>, Vec<Primitive<G>>) {
        let sizes = self.0.sizes;
        let device = raise::<G, 4>(x.clone()).device();
        let lengths = G::numbers(self.0.lengths.clone(), &device);
        let parts = vec![PARTS, 3, sizes.channels];
        let inputs = vec![x.clone(), lengths];
        let parts = G::launch(PartMoments(sizes), inputs, vec![parts]).remove(0);
        let shape = vec![4, sizes.channels];
        let moments = G::launch(Moments(sizes), vec![x, parts], vec![shape]).remove(0);
        (moments, Vec::new())
    }

    fn backward<G: Gpu>(
        self,
        _saved: Vec<Primitive<G>>,
        _gradient: Primitive<G>,
        _wanted: [bool; 1],
    ) -> [Option<Primitive<G>>; 1] {
        [None]
    }
}

impl Operator<4> for Norm {
    fn forward<G: Gpu>(
        &self,
        [x, gamma, beta, moments]: [Primitive<G>; 4],
        keep: bool,
    ) -> (Primitive<G>, Vec<Primitive<G>>) {
        let device = raise::<G, 4>(x.clone()).device();
        let lengths = G::numbers(self.lengths.clone(), &device);
        let kernel = Forward {
            sizes: self.sizes,
            epsilon: self.plan.epsilon,
            range: self.plan.range,
        };
        let inputs = vec![
            x.clone(),
            gamma.clone(),
            beta,
            moments.clone(),
            lengths.clone(),
        ];
        let shape = self.sizes.size_out().to_vec();
        let mut found = G::launch(kernel, inputs, vec![shape.clone(), shape]);
        let (picks, y) = (found.remove(1), found.remove(0));
        let saved = if keep {
            vec![picks, x, gamma, moments, lengths]
        } else {
            Vec::new()
        };
        (y, saved)
    }

    fn backward<G: Gpu>(
        self,
        saved: Vec<Primitive<G>>,
        gradient: Primitive<G>,
        wanted: [bool; 4],
    ) -> [Option<Primitive<G>>; 4] {
        let [picks, x, gamma, moments, lengths] = saved
            .try_into()
            .unwrap_or_else(|all: Vec<_>| unreachable!("five tensors are kept, not {}", all.len()));
        let (sizes, epsilon) = (self.sizes, self.plan.epsilon);
        let Sizes {
            batch,
            frames,
            bins,
            channels,
            ..
        } = sizes;
        let inputs = vec![gradient.clone(), picks.clone(), x.clone(), moments.clone()];
        let parts = vec![PARTS, 2, channels];
        let parts = G::launch(PartSlopes { sizes, epsilon }, inputs, vec![parts]).remove(0);
        let kernel = Backward {
            sizes,
            epsilon,
            count: self.count,
        };
        let inputs = vec![gradient, picks, x, gamma, moments, parts, lengths];
        let shapes = vec![vec![batch, frames, bins, channels], vec![2, channels]];
        let mut found = G::launch(kernel, inputs, shapes);
        let (totals, of_x) = (raise::<G, 2>(found.remove(1)), found.remove(0));
        let part = |index| lower(totals.clone().narrow(0, index, 1).reshape([channels]));
        let [want_x, want_gamma, want_beta, _] = wanted;
        [
            want_x.then_some(of_x),
            want_gamma.then(|| part(1)),
            want_beta.then(|| part(0)),
            None,
        ]
    }
}
