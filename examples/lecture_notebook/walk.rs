//! The computations of the lecture notebook, with Sori's layers and Burn's autodiff.
//!
//! The notebook keeps an example in a column and a weight as `[output, input]`. Sori keeps an example
//! in a row and a weight as `[input, output]`, so its tables are transposed here.

use burn::module::Param;
use burn::tensor::activation::softmax;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{DType, Tensor, TensorData, set_default_dtypes};
use burn_autodiff::Autodiff;
use burn_ndarray::NdArray;
use serde_json::Value;
use sori_models::layers::Linear;
use sori_models::loss::binary_cross_entropy;
use sori_models::ops::{
    ConvOptions, SgdStep, activate, average_pool2d, conv2d, max_pool2d, sgd_step,
};
use sori_models::{Architecture, Classifier, MlpConfig, RnnConfig};

/// A figure of the notebook, and Sori's value of it.
pub struct Figure {
    /// Its name in the notebook.
    pub name: String,
    /// Row by row, as printed by the notebook, or its equation unrolled by hand.
    pub expected: Vec<f64>,
    /// Sori's values.
    pub found: Vec<f64>,
}

impl Figure {
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
            network::<Cpu>(&notebook, &device),
        ),
        (
            "A convolution with padding 2 and stride 2, and pooling",
            convolution::<Cpu>(&notebook, &device),
        ),
        (
            "A recurrent network against its equations, step by step",
            recurrence::<Cpu>(&device),
        ),
    ])
}

fn network<B: AutodiffBackend>(notebook: &Notebook, device: &B::Device) -> Vec<Figure> {
    let x = notebook.tensor::<B, 2>("X", device).transpose(); // [batch, bins]
    let labels = notebook.tensor::<B, 2>("Y", device).transpose(); // [batch, 1]
    let num_examples = x.dims()[0];
    let config = MlpConfig {
        num_frames: 1,
        num_bins: 5,
        num_classes: 1,
        d_hidden: vec![4, 3],
        dropout: 0.0,
        ..MlpConfig::default()
    };
    let mut model = config.init::<B>(device).expect("a network 5-4-3-1");
    let [first, second] = model.hidden.as_mut_slice() else {
        unreachable!("two hidden layers")
    };
    for (layer, name) in [(first, "W1"), (second, "W2"), (&mut model.classifier, "W3")] {
        let weight = notebook.tensor::<B, 2>(name, device).transpose();
        layer.bias = Param::from_tensor(Tensor::zeros([weight.dims()[1]], device));
        layer.weight = Param::from_tensor(weight);
    }

    // The whole network at once, as in training.
    let lengths = vec![1; num_examples];
    let logits = model.forward(x.clone().unsqueeze_dim(1), &lengths); // [batch, 1]
    let cost = binary_cross_entropy(logits.clone(), labels.clone(), None);
    let gradients = cost.backward();

    // The gradients between the layers, from the network cut there. The notebook does
    // not divide these by the number of examples.
    let hidden = |layer: &Linear<B>, x| activate(layer.forward(x), model.activation);
    let a1 = hidden(&model.hidden[0], x).detach().require_grad(); // [batch, 4]
    let a2 = hidden(&model.hidden[1], a1.clone()); // [batch, 3]
    let cost_of = |a2| binary_cross_entropy(model.classifier.forward(a2), labels.clone(), None);
    let whole = |gradient: Option<Tensor<B::InnerBackend, 2>>| {
        gradient.expect("a gradient").transpose() * num_examples as f64
    };
    let cut = a2.clone().detach().require_grad();
    let da2 = whole(cut.grad(&cost_of(cut.clone()).backward())); // [3, batch]
    let da1 = whole(a1.grad(&cost_of(a2).backward())); // [4, batch]

    let of_weight = |layer: &Linear<B>| layer.weight.grad(&gradients).expect("a gradient");
    let of_bias = |layer: &Linear<B>| layer.bias.grad(&gradients).expect("a gradient");
    let step = SgdStep {
        rate: 0.05,
        momentum: 0.0,
        nesterov: false,
        decay: 0.0,
    };
    let weight_after = |layer: &Linear<B>| {
        let [weight, _] = sgd_step(
            &step,
            layer.weight.val().inner(),
            of_weight(layer),
            None,
            None,
        );
        weight.transpose()
    };
    let bias_after = |layer: &Linear<B>| {
        let [bias, _] = sgd_step(&step, layer.bias.val().inner(), of_bias(layer), None, None);
        bias
    };
    // By the formula, because Burn's sigmoid computes in single precision.
    let al = (logits.inner().neg().exp() + 1.0).recip();
    let (first, second, last) = (&model.hidden[0], &model.hidden[1], &model.classifier);
    vec![
        notebook.figure("AL", al),
        notebook.figure("cost", cost.inner()),
        notebook.figure("db3", of_bias(last)),
        notebook.figure("dW3", of_weight(last).transpose()),
        notebook.figure("dA2", da2),
        notebook.figure("db2", of_bias(second)),
        notebook.figure("dA1, row 1", da1.narrow(0, 0, 1)),
        notebook.figure("dW2", of_weight(second).transpose()),
        notebook.figure("b3 after a step", bias_after(last)),
        notebook.figure("W3 after a step", weight_after(last)),
        notebook.figure(
            "W2 after a step, row 1",
            weight_after(second).narrow(0, 0, 1),
        ),
        notebook.figure("b1 after a step", bias_after(first)),
    ]
}

fn convolution<B: Backend>(notebook: &Notebook, device: &B::Device) -> Vec<Figure> {
    let [images, kernels, pooled] =
        ["images", "kernels", "pooled"].map(|name| notebook.tensor::<B, 4>(name, device));
    let bias = notebook.tensor::<B, 1>("bias", device);
    let options = |padding| ConvOptions {
        stride: [2, 2],
        padding,
        ..ConvOptions::default()
    };
    let z = conv2d(
        images.clone(),
        kernels.clone(),
        Some(bias.clone()),
        options([2, 2]),
    );
    // Zeros around every picture, then a convolution without padding.
    let padded = images.pad([(2, 2), (2, 2), (0, 0)], 0.0);
    let z_of_padded = conv2d(padded, kernels, Some(bias), options([0, 0]));
    // A four by four picture has one window of three, whatever the stride.
    vec![
        notebook.figure("mean of Z", z.clone().mean()),
        Figure {
            name: "Z of the padded pictures".to_string(),
            expected: values(z),
            found: values(z_of_padded),
        },
        notebook.figure("max pooling", max_pool2d(pooled.clone(), [3, 3])),
        notebook.figure("average pooling", average_pool2d(pooled, [3, 3])),
    ]
}

/// `a⟨t⟩ = tanh(W_ax x⟨t⟩ + W_aa a⟨t−1⟩ + b_a)` and `y⟨t⟩ = softmax(W_ya a⟨t⟩ + b_y)`.
fn recurrence<B: Backend>(device: &B::Device) -> Vec<Figure> {
    const STEPS: usize = 5;
    let config = RnnConfig {
        num_bins: 3,
        num_classes: 2,
        d_hidden: 4,
        num_layers: 1,
        bidirectional: false,
        dropout: 0.0,
        ..RnnConfig::default()
    };
    let model = config.init::<B>(device).expect("a recurrent network");
    let x: Vec<Vec<f64>> = (0..STEPS)
        .map(|t| (0..3).map(|bin| ((3 * t + bin) as f64).sin()).collect())
        .collect();
    let data = TensorData::new(x.concat(), [1, STEPS, 3]);
    let states = model
        .recurrent
        .forward(Tensor::from_data(data, device), &[STEPS]);
    let scores = model.classifier.forward(states.outputs.clone());
    let outputs = softmax(scores, 2);

    let cell = &model.recurrent.layers[0].forward;
    let [w_ax, w_aa, w_ya] = [
        &cell.weight_input,
        &cell.weight_state,
        &model.classifier.weight,
    ]
    .map(|weight| rows(weight.val()));
    let [b_input, b_state, b_y] =
        [&cell.bias_input, &cell.bias_state, &model.classifier.bias].map(|bias| values(bias.val()));
    let mut a = vec![0.0; 4];
    let (mut by_hand_a, mut by_hand_y) = (Vec::new(), Vec::new());
    for x in x {
        let unit = |j: usize| {
            let from_x: f64 = (0..3).map(|i| w_ax[i][j] * x[i]).sum();
            let from_a: f64 = (0..4).map(|i| w_aa[i][j] * a[i]).sum();
            (from_x + from_a + b_input[j] + b_state[j]).tanh()
        };
        a = (0..4).map(unit).collect();
        let score = |j: usize| (0..4).map(|i| w_ya[i][j] * a[i]).sum::<f64>() + b_y[j];
        let powers = [score(0).exp(), score(1).exp()];
        by_hand_y.extend(powers.map(|power| power / (powers[0] + powers[1])));
        by_hand_a.extend(&a);
    }
    vec![
        Figure {
            name: "a⟨1⟩ … a⟨5⟩".to_string(),
            expected: by_hand_a,
            found: values(states.outputs),
        },
        Figure {
            name: "y⟨1⟩ … y⟨5⟩".to_string(),
            expected: by_hand_y,
            found: values(outputs),
        },
    ]
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
        Figure {
            name: name.to_string(),
            expected: numbers(&self.0["printed"][name]),
            found: values(found),
        }
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
