//! One step of an LSTM on a GPU, where layers are moved a step at a time.

use burn::tensor::{Tensor, TensorMetadata, backend::Backend};

use crate::gpu::Gpu;
use crate::gpu::launch::Primitive;
use crate::gpu::lstm_step::{Backward, Forward, Part, Sizes};
use crate::ops::gpu_seam::{Operator, apply, lower, raise};

/// State and memory `[batch, d_hidden]` from two shares of the gates `[batch, 4·d_hidden]` and the memory before, if
/// the tensors are on a GPU.
pub(super) fn lstm<B: Backend>(
    input: &Tensor<B, 2>,
    recurred: &Tensor<B, 2>,
    before: &Tensor<B, 2>,
) -> Option<[Tensor<B, 2>; 2]> {
    // A unit for each value: at most 65535 cubes of 64.
    let values = before.shape().num_elements();
    if values == 0 || values > 65535 * 64 {
        return None;
    }
    let gates = || [lower(input.clone()), lower(recurred.clone())];
    let [a, b] = gates();
    let memory = apply::<B, _, 3>(Part::Memory, [a, b, lower(before.clone())])?;
    let [a, b] = gates();
    let hidden = apply::<B, _, 3>(Part::Hidden, [a, b, memory.clone()])?;
    Some([hidden, memory].map(raise))
}

fn sizes<G: Gpu>(memory: &Primitive<G>) -> Sizes {
    let [rows, d_hidden] = memory.shape().dims();
    Sizes { rows, d_hidden }
}

impl Operator<3> for Part {
    fn forward<G: Gpu>(
        &self,
        inputs: [Primitive<G>; 3],
        _keep: bool,
    ) -> (Primitive<G>, Vec<Primitive<G>>) {
        let sizes = sizes::<G>(&inputs[2]);
        let saved = inputs.to_vec();
        let shape = vec![sizes.rows, sizes.d_hidden];
        let output = G::launch(Forward(*self, sizes), inputs.into(), vec![shape]).remove(0);
        (output, saved)
    }

    fn backward<G: Gpu>(
        self,
        saved: Vec<Primitive<G>>,
        gradient: Primitive<G>,
        _wanted: [bool; 3],
    ) -> [Option<Primitive<G>>; 3] {
        let sizes @ Sizes { rows, d_hidden } = sizes::<G>(&saved[2]);
        let mut inputs = vec![gradient];
        inputs.extend(saved);
        let shapes = vec![vec![rows, 4 * d_hidden], vec![rows, d_hidden]];
        let mut found = G::launch(Backward(self, sizes), inputs, shapes);
        let (of_memory, of_gates) = (found.remove(1), found.remove(0));
        // Both shares are added, so that their gradients are the same.
        [Some(of_gates.clone()), Some(of_gates), Some(of_memory)]
    }
}
