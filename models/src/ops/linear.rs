use burn::tensor::{Tensor, backend::Backend};

/// An affine map of the last axis: `y = x · weight + bias`, as one matrix product.
///
/// # Shapes
/// - `x`: `[..., d_input]`
/// - `weight`: `[d_input, d_output]`
/// - `bias`: `[d_output]`
/// - output: `[..., d_output]`
///
/// # Panics
/// If the last axis of `x` is not `d_input`.
pub fn linear<B: Backend, const D: usize>(
    x: Tensor<B, D>,
    weight: Tensor<B, 2>,
    bias: Option<Tensor<B, 1>>,
) -> Tensor<B, D> {
    let [d_input, d_output] = weight.dims();
    let mut dims = x.dims();
    assert_eq!(dims[D - 1], d_input, "linear: the last axis of the input");
    let rows = dims[..D - 1].iter().product::<usize>();

    // One product of two matrices: a batched product would repeat the weight for each row of the
    // batch.
    let mut y = x.reshape([rows, d_input]).matmul(weight); // [rows, d_output]
    if let Some(bias) = bias {
        y = y + bias.unsqueeze::<2>();
    }
    dims[D - 1] = d_output;
    y.reshape(dims) // [..., d_output]
}
