//! The computations of the lecture notebook, with Sori's layers and Burn's autodiff.
//!
//! The notebook keeps an example in a column and a weight as `[output, input]`. Sori keeps an example
//! in a row and a weight as `[input, output]`, so its tables are transposed here.

mod attention;
mod backpropagation;
mod convolution;
mod ctc;
pub mod forward_backward;
mod gates;
mod matrix;
mod network;
mod recurrence;

use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor, TensorData, set_default_dtypes};
use burn_autodiff::Autodiff;
use burn_ndarray::NdArray;
use serde_json::Value;

/// The notebook printed eight decimals, of its input too.
const PRINTED: f64 = 1.5e-8;
/// Burn's sigmoid computes in single precision.
const SINGLE: f64 = 5e-7;

/// A figure of the notebook, and Sori's value of it.
pub struct Figure {
    /// Its name in the notebook.
    pub name: String,
    /// Row by row, as printed by the notebook, or worked out by hand from its equation.
    pub expected: Vec<f64>,
    /// Sori's values.
    pub found: Vec<f64>,
    /// How far a value of Sori's may be off.
    pub tolerance: f64,
}

impl Figure {
    /// A figure by hand, beside the value found.
    fn by_hand(name: &str, expected: Vec<f64>, found: Vec<f64>) -> Self {
        Self {
            name: name.to_string(),
            expected,
            found,
            tolerance: PRINTED,
        }
    }

    /// The same figure, which may be further off.
    fn within(self, tolerance: f64) -> Self {
        Self { tolerance, ..self }
    }

    /// The largest difference of a value, or infinity if the numbers of values differ.
    pub fn error(&self) -> f64 {
        let finite = self.found.iter().all(|value| value.is_finite());
        if self.expected.is_empty() || self.expected.len() != self.found.len() || !finite {
            return f64::INFINITY;
        }
        let pairs = self.expected.iter().zip(&self.found);
        pairs.fold(0.0, |largest, (a, b)| (a - b).abs().max(largest))
    }
}

/// The chapters of the notebook with their figures, in double precision as in NumPy. This is set for
/// the whole process, so call it first. `notebook` is `tests/golden/notebook.json`.
pub fn in_double_precision(notebook: &str) -> serde_json::Result<Vec<(&'static str, Vec<Figure>)>> {
    type Cpu = Autodiff<NdArray<f64>>;
    let device = Default::default();
    set_default_dtypes::<Cpu>(&device, DType::F64, DType::I64)
        .expect("nothing was computed before");
    let notebook = Notebook(serde_json::from_str(notebook)?);
    Ok(vec![
        (
            "A network 5-4-3-1: forward, cost, backward, update",
            network::network::<Cpu>(&notebook, &device),
        ),
        (
            "The same network by hand: every gradient written out",
            backpropagation::backpropagation::<Cpu>(&notebook, &device),
        ),
        (
            "A convolution with padding 2 and stride 2, and pooling",
            convolution::convolution::<Cpu>(&notebook, &device),
        ),
        (
            "A recurrent network against its equations, step by step",
            recurrence::recurrence::<Cpu>(&device),
        ),
        (
            "The gates of an LSTM and of a GRU, step by step",
            gates::gates::<Cpu>(&device),
        ),
        (
            "Attention: scores, weights, and what they sum up",
            attention::attention::<Cpu>(&device),
        ),
        (
            "CTC: all paths of a small example, and its forward-backward table",
            ctc::ctc::<Cpu>(&device),
        ),
    ])
}

/// The tables and figures of the notebook.
struct Notebook(Value);

impl Notebook {
    /// A random table of it.
    fn tensor<B: Backend, const D: usize>(&self, name: &str, device: &B::Device) -> Tensor<B, D> {
        let table = &self.0["drawn"][name];
        let mut dims = [0; D];
        let mut row = table;
        for dim in &mut dims {
            *dim = row.as_array().map_or(0, Vec::len);
            row = &row[0];
        }
        Tensor::from_data(TensorData::new(numbers(table), dims), device)
    }

    /// A printed figure, beside the value found.
    fn figure<B: Backend, const D: usize>(&self, name: &str, found: Tensor<B, D>) -> Figure {
        Figure::by_hand(name, numbers(&self.0["printed"][name]), values(found))
    }
}

/// All numbers of a table, row by row.
fn numbers(table: &Value) -> Vec<f64> {
    match table {
        Value::Array(rows) => rows.iter().flat_map(numbers).collect(),
        value => value.as_f64().into_iter().collect(),
    }
}

fn values<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

fn rows<B: Backend>(tensor: Tensor<B, 2>) -> Vec<Vec<f64>> {
    let columns = tensor.dims()[1];
    values(tensor)
        .chunks(columns)
        .map(<[f64]>::to_vec)
        .collect()
}
