//! The losses of the rows and their gradient on a GPU.

use burn::tensor::{Tensor, TensorMetadata, backend::Backend};

use crate::gpu::Gpu;
use crate::gpu::ctc::{Gradient, LogSums, Recursions, Sizes};
use crate::gpu::launch::Primitive;
use crate::ops::gpu_seam::{Operator, apply, lower, raise};

/// The loss of each row, `[batch]`, if the logits are on a GPU.
pub(super) fn ctc<B: Backend>(
    logits: &Tensor<B, 3>,
    lengths: &[usize],
    targets: &[Vec<usize>],
    zero_infinity: bool,
) -> Option<Tensor<B, 1>> {
    let [batch, steps, symbols] = logits.dims();
    let longest = targets.iter().map(Vec::len).max()?;
    let sizes = Sizes {
        batch,
        steps,
        symbols,
        labels: longest,
    };
    if steps == 0 || !sizes.fit() {
        return None;
    }
    let padded = targets.iter().flat_map(|labels| {
        let padding = std::iter::repeat_n(0, longest - labels.len());
        labels.iter().map(|&label| label as i32).chain(padding)
    });
    // Not empty, as no buffer may be.
    let labels = padded.chain([0]).collect();
    let rows = lengths.iter().zip(targets);
    let rows = rows.flat_map(|(&length, labels)| [length as i32, labels.len() as i32]);
    let operator = Ctc {
        sizes,
        labels,
        rows: rows.collect(),
        zero_infinity,
    };
    apply::<B, _, 1>(operator, [lower(logits.clone())]).map(raise)
}

#[derive(Debug, Clone)]
struct Ctc {
    sizes: Sizes,
    /// `[batch, labels]`, and a number more.
    labels: Vec<i32>,
    /// Length and number of labels of each row.
    rows: Vec<i32>,
    zero_infinity: bool,
}

impl Operator<1> for Ctc {
    fn forward<G: Gpu>(
        &self,
        [logits]: [Primitive<G>; 1],
        keep: bool,
    ) -> (Primitive<G>, Vec<Primitive<G>>) {
        let Sizes {
            batch,
            steps,
            symbols,
            ..
        } = self.sizes;
        let device = raise::<G, 3>(logits.clone()).device();
        let labels = G::numbers(self.labels.clone(), &device);
        let rows = G::numbers(self.rows.clone(), &device);
        let sums = LogSums(self.sizes);
        let sums = G::launch(sums, vec![logits.clone()], vec![vec![batch, steps]]).remove(0);
        let recursions = Recursions {
            sizes: self.sizes,
            zero_infinity: self.zero_infinity,
            both: keep,
        };
        let directions = if keep { 2 } else { 1 };
        let reached = vec![directions, batch, steps, self.sizes.states()];
        let inputs = vec![logits.clone(), sums.clone(), labels.clone(), rows.clone()];
        let mut found = G::launch(recursions, inputs, vec![reached, vec![batch], vec![batch]]);
        let (possible, losses, reached) = (found.remove(2), found.remove(1), found.remove(0));
        if !keep {
            return (losses, Vec::new());
        }
        let gradient = Gradient {
            sizes: self.sizes,
            zero_infinity: self.zero_infinity,
        };
        let inputs = vec![logits, sums, labels, rows, reached, possible];
        let gradient = G::launch(gradient, inputs, vec![vec![batch, steps, symbols]]);
        (losses, gradient)
    }

    fn backward<G: Gpu>(
        self,
        mut saved: Vec<Primitive<G>>,
        gradient: Primitive<G>,
        _wanted: [bool; 1],
    ) -> [Option<Primitive<G>>; 1] {
        let [batch] = gradient.shape().dims();
        let factors = raise::<G, 1>(gradient).reshape([batch, 1, 1]);
        let slopes = raise::<G, 3>(saved.remove(0));
        [Some(lower(slopes * factors))]
    }
}
