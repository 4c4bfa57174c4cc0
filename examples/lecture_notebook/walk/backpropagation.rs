//! The backward pass of the network 5-4-3-1, written out as in NumPy: an example is a column.

use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use sori_models::Classifier;
use sori_models::layers::Linear;
use sori_models::loss::binary_cross_entropy;

use super::matrix::{Matrix, each, pairs, product, sums, transposed};
use super::network::model;
use super::{Figure, Notebook, rows, values};

/// The step of a finite difference.
const STEP: f64 = 1e-5;
/// A difference of two sides is off by the square of the step.
const FINITE: f64 = 1e-8;

pub(super) fn backpropagation<B: AutodiffBackend>(
    notebook: &Notebook,
    device: &B::Device,
) -> Vec<Figure> {
    let table = |name: &str| rows(notebook.tensor::<B, 2>(name, device));
    let (x, y) = (table("X"), table("Y")); // [5, examples], [1, examples]
    let weights = ["W1", "W2", "W3"].map(table);
    let examples = x[0].len() as f64;

    // Forward: Z = W A + b with b = 0, A = ReLU(Z), and a sigmoid at the end.
    let relu = |z: f64| z.max(0.0);
    let z1 = product(&weights[0], &x); // [4, examples]
    let a1 = each(&z1, relu);
    let z2 = product(&weights[1], &a1); // [3, examples]
    let a2 = each(&z2, relu);
    let z3 = product(&weights[2], &a2); // [1, examples]
    let al = each(&z3, |z| 1.0 / (1.0 + (-z).exp()));

    // Backward: dZ3 = AL − Y, dW = dZ Aᵀ / m, dA = Wᵀ dZ, dZ = dA where Z is above zero.
    let mean = |table: &Matrix| each(table, |value| value / examples);
    let behind_relu =
        |da: &Matrix, z: &Matrix| pairs(da, z, |da, z| if z > 0.0 { da } else { 0.0 });
    let dz3 = pairs(&al, &y, |al, y| al - y);
    let dw3 = mean(&product(&dz3, &transposed(&a2)));
    let dz2 = behind_relu(&product(&transposed(&weights[2]), &dz3), &z2);
    let dw2 = mean(&product(&dz2, &transposed(&a1)));
    let dz1 = behind_relu(&product(&transposed(&weights[1]), &dz2), &z1);
    let dw1 = mean(&product(&dz1, &transposed(&x)));
    let db = [&dz1, &dz2, &dz3].map(|dz| sums(&mean(dz)));

    // The same by autodiff.
    let model = model::<B>(notebook, device);
    let inputs = notebook.tensor::<B, 2>("X", device).transpose();
    let labels = notebook.tensor::<B, 2>("Y", device).transpose();
    let lengths = vec![1; x[0].len()];
    let logits = model.forward(inputs.unsqueeze_dim(1), &lengths);
    let gradients = binary_cross_entropy(logits, labels, None).backward();
    let layers = [&model.hidden[0], &model.hidden[1], &model.classifier];
    let of_weight = |layer: &Linear<B>| {
        let gradient = layer.weight.grad(&gradients).expect("a gradient");
        as_in_numpy(gradient)
    };
    let of_bias = |layer: &Linear<B>| values(layer.bias.grad(&gradients).expect("a gradient"));

    // And by wiggling each weight of the first layer.
    let cost = |w1: &Matrix| {
        let a1 = each(&product(w1, &x), relu);
        let a2 = each(&product(&weights[1], &a1), relu);
        let logits = product(&weights[2], &a2);
        let loss = |z: f64, y: f64| z.max(0.0) - z * y + (-z.abs()).exp().ln_1p();
        sums(&pairs(&logits, &y, loss))[0] / examples
    };
    let wiggled = |i: usize, j: usize| {
        let [above, below] = [STEP, -STEP].map(|step| {
            let mut w1 = weights[0].clone();
            w1[i][j] += step;
            cost(&w1)
        });
        (above - below) / (2.0 * STEP)
    };
    let finite = (0..4).flat_map(|i| (0..5).map(move |j| (i, j)));
    let finite: Vec<f64> = finite.map(|(i, j)| wiggled(i, j)).collect();

    let mut figures = Vec::new();
    let by_hand = [dw1.concat(), dw2.concat(), dw3.concat()];
    for (index, (dw, db)) in by_hand.iter().zip(db).enumerate() {
        let (layer, number) = (layers[index], index + 1);
        let name = format!("dW{number} = dZ{number} A{index}ᵀ / m");
        figures.push(Figure::by_hand(&name, dw.clone(), of_weight(layer)));
        let name = format!("db{number} = Σ dZ{number} / m");
        figures.push(Figure::by_hand(&name, db, of_bias(layer)));
    }
    let [dw1, ..] = by_hand;
    figures.push(Figure::by_hand("dW1 by finite differences", finite, dw1).within(FINITE));
    figures
}

/// A weight's gradient, `[input, output]`, row by row as `[output, input]`.
fn as_in_numpy<B: Backend>(gradient: Tensor<B, 2>) -> Vec<f64> {
    values(gradient.transpose())
}
