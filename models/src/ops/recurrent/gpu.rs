//! A recurrent layer on a GPU: large products, and one kernel through time.

use burn::tensor::{Tensor, backend::Backend};

use super::{Cell, DirectionWeights, Sequence};
use crate::gpu::Gpu;
use crate::gpu::launch::Primitive;
use crate::gpu::recurrent::{self as kernel, Backward, Forward};
use crate::ops::gpu_seam::{Operator, apply, lower, raise};
use crate::ops::product;

/// The layer over whole sequences, if the tensors are on a GPU. The input is zero past each length.
pub(super) fn recurrent<B: Backend>(
    cell: Cell,
    x: &Tensor<B, 3>,
    directions: &[DirectionWeights<B>],
    lengths: &[usize],
) -> Option<Sequence<B>> {
    let [batch, frames, _] = x.dims();
    let layer = kernel::Layer {
        cell: match cell {
            Cell::Elman => kernel::Cell::Elman,
            Cell::Lstm => kernel::Cell::Lstm,
            Cell::Gru => kernel::Cell::Gru,
        },
        batch,
        frames,
        d_hidden: directions[0].state.dims()[0],
        directions: directions.len(),
    };
    if batch == 0 || frames == 0 || !layer.fits() {
        return None;
    }
    assert_eq!(lengths.len(), batch, "one length for each row of the batch");
    let lengths = lengths.iter().map(|&length| length.min(frames) as i32);
    let layer = Layer {
        layer,
        lengths: lengths.collect(),
    };
    let x = lower(x.clone());
    let outputs = match directions {
        [one] => {
            let [a, b, c, d] = parts(one);
            apply::<B, _, 5>(layer.clone(), [x, a, b, c, d])
        }
        [one, two] => {
            let ([a, b, c, d], [e, f, g, h]) = (parts(one), parts(two));
            apply::<B, _, 9>(layer.clone(), [x, a, b, c, d, e, f, g, h])
        }
        _ => unreachable!("one direction or two"),
    }?;
    let last = apply::<B, _, 1>(Ends(layer), [outputs.clone()])?;
    Some(Sequence {
        outputs: raise(outputs),
        last: raise(last),
    })
}

fn parts<B: Backend>(weights: &DirectionWeights<B>) -> [Primitive<B>; 4] {
    [
        lower(weights.input.clone()),
        lower(weights.state.clone()),
        lower(weights.bias_input.clone()),
        lower(weights.bias_state.clone()),
    ]
}

#[derive(Debug, Clone)]
struct Layer {
    layer: kernel::Layer,
    lengths: Vec<i32>,
}

/// The same tensor of each direction, one above the other.
fn stack<G: Gpu, const D: usize, const E: usize>(
    inputs: &[Primitive<G>],
    part: usize,
) -> Tensor<G, E> {
    let of_directions = inputs[1..].iter().skip(part).step_by(4);
    let tensors: Vec<Tensor<G, E>> = of_directions
        .map(|tensor| raise::<G, D>(tensor.clone()).unsqueeze_dim(0))
        .collect();
    Tensor::cat(tensors, 0)
}

/// The tensor of one direction.
fn one<G: Gpu, const D: usize, const E: usize>(
    stacked: &Tensor<G, D>,
    direction: usize,
) -> Primitive<G> {
    lower(stacked.clone().narrow(0, direction, 1).squeeze_dim::<E>(0))
}

impl<const N: usize> Operator<N> for Layer {
    fn forward<G: Gpu>(
        &self,
        inputs: [Primitive<G>; N],
        keep: bool,
    ) -> (Primitive<G>, Vec<Primitive<G>>) {
        let kernel::Layer {
            cell,
            batch,
            frames,
            d_hidden,
            directions,
        } = self.layer;
        let x = raise::<G, 3>(inputs[0].clone());
        let device = x.device();
        let [_, _, d_input] = x.dims();
        let x = x.reshape([1, batch * frames, d_input]);
        let input = stack::<G, 2, 3>(&inputs, 0); // [directions, d_input, width]
        let state = stack::<G, 2, 3>(&inputs, 1); // [directions, d_hidden, width]
        let bias_input = stack::<G, 1, 2>(&inputs, 2); // [directions, width]
        let bias_state = stack::<G, 1, 2>(&inputs, 3);
        let projected = product(x.clone(), input.clone()); // [directions, batch·frames, width]
        let lengths = G::numbers(self.lengths.clone(), &device);
        let given = vec![
            lower(projected),
            lower(state.clone()),
            lower(bias_input),
            lower(bias_state),
            lengths.clone(),
        ];
        let outputs = vec![batch, frames, directions * d_hidden];
        let kept = vec![directions, batch, frames, cell.kept() * d_hidden];
        let mut found = G::launch(Forward(self.layer), given, vec![outputs, kept]);
        let (kept, outputs) = (found.remove(1), found.remove(0));
        let saved = if keep {
            let (x, input, state) = (lower(x), lower(input), lower(state));
            vec![x, input, state, outputs.clone(), kept, lengths]
        } else {
            Vec::new()
        };
        (outputs, saved)
    }

    fn backward<G: Gpu>(
        self,
        saved: Vec<Primitive<G>>,
        gradient: Primitive<G>,
        wanted: [bool; N],
    ) -> [Option<Primitive<G>>; N] {
        let kernel::Layer {
            cell,
            batch,
            frames,
            d_hidden,
            directions,
        } = self.layer;
        let [x, input, state, outputs, kept, lengths] =
            saved.try_into().unwrap_or_else(|saved: Vec<_>| {
                unreachable!("six tensors are kept, not {}", saved.len())
            });
        let x = raise::<G, 3>(x); // [1, batch·frames, d_input]
        let [_, rows, d_input] = x.dims();
        let transposed = raise::<G, 3>(state).swap_dims(1, 2); // [directions, width, d_hidden]
        let width = self.layer.width();
        let of_width = vec![directions, batch, frames, width];
        let of_states = match cell {
            kernel::Cell::Gru => of_width.clone(),
            kernel::Cell::Elman | kernel::Cell::Lstm => vec![1],
        };
        let shapes = vec![
            of_width,
            of_states,
            vec![directions, batch, frames, d_hidden],
            vec![directions, batch, d_hidden],
        ];
        let given = vec![gradient, outputs, kept, lower(transposed), lengths];
        let mut found = G::launch(Backward(self.layer), given, shapes);
        let befores = raise::<G, 4>(found.remove(2)).reshape([directions, rows, d_hidden]);
        let flat = |tensor| raise::<G, 4>(tensor).reshape([directions, rows, width]);
        let of_states = match cell {
            kernel::Cell::Gru => Some(flat(found.remove(1))),
            kernel::Cell::Elman | kernel::Cell::Lstm => None,
        };
        let of_inputs = flat(found.remove(0));
        let of_states = of_states.unwrap_or_else(|| of_inputs.clone());

        let of_x = wanted[0].then(|| {
            let weight = raise::<G, 3>(input).swap_dims(1, 2); // [directions, width, d_input]
            let of_x = product(of_inputs.clone(), weight); // [directions, batch·frames, d_input]
            let of_x = if directions == 1 {
                of_x
            } else {
                of_x.sum_dim(0)
            };
            lower(of_x.reshape([batch, frames, d_input]))
        });
        let bias_input = of_inputs.clone().sum_dim(1).squeeze_dim::<2>(1); // [directions, width]
        let bias_state = match cell {
            kernel::Cell::Gru => of_states.clone().sum_dim(1).squeeze_dim::<2>(1),
            kernel::Cell::Elman | kernel::Cell::Lstm => bias_input.clone(),
        };
        let of_input = product(x.swap_dims(1, 2), of_inputs); // [directions, d_input, width]
        let of_state = product(befores.swap_dims(1, 2), of_states); // [directions, d_hidden, width]
        let mut all = (0..directions).flat_map(|direction| {
            [
                one::<G, 3, 2>(&of_input, direction),
                one::<G, 3, 2>(&of_state, direction),
                one::<G, 2, 1>(&bias_input, direction),
                one::<G, 2, 1>(&bias_state, direction),
            ]
        });
        let mut of_x = Some(of_x);
        wanted.map(|_| match of_x.take() {
            Some(of_x) => of_x,
            None => all.next(),
        })
    }
}

/// The state that each direction ends with.
#[derive(Debug, Clone)]
struct Ends(Layer);

impl Ends {
    fn launch<G: Gpu>(
        &self,
        values: Primitive<G>,
        lengths: Primitive<G>,
        spread: bool,
    ) -> Primitive<G> {
        let layer = self.0.layer;
        let len = layer.directions * layer.d_hidden;
        let shape = if spread {
            vec![layer.batch, layer.frames, len]
        } else {
            vec![layer.batch, len]
        };
        let ends = kernel::Ends { layer, spread };
        G::launch(ends, vec![values, lengths], vec![shape]).remove(0)
    }
}

impl Operator<1> for Ends {
    fn forward<G: Gpu>(
        &self,
        [outputs]: [Primitive<G>; 1],
        _keep: bool,
    ) -> (Primitive<G>, Vec<Primitive<G>>) {
        let device = raise::<G, 3>(outputs.clone()).device();
        let lengths = G::numbers(self.0.lengths.clone(), &device);
        let last = self.launch::<G>(outputs, lengths.clone(), false);
        (last, vec![lengths])
    }

    fn backward<G: Gpu>(
        self,
        mut saved: Vec<Primitive<G>>,
        gradient: Primitive<G>,
        _wanted: [bool; 1],
    ) -> [Option<Primitive<G>>; 1] {
        [Some(self.launch::<G>(gradient, saved.remove(0), true))]
    }
}
