//! Attention by hand: additive scores as a pooling over time, and dot products with a query.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use sori_models::layers::AdditivePooling;
use sori_models::ops::{masked_softmax, weighted_sum};

use super::matrix::{Matrix, product, transposed};
use super::{Figure, rows, values};

/// Steps, of which the last is padding.
const STEPS: usize = 5;
const VALID: usize = 4;
const D_STATES: usize = 3;
const D_ATTENTION: usize = 2;

pub(super) fn attention<B: Backend>(device: &B::Device) -> Vec<Figure> {
    B::seed(device, 0);
    let states: Matrix = (0..STEPS)
        .map(|t| (0..D_STATES).map(|j| ((2 * t + j) as f64).cos()).collect())
        .collect();
    let data = TensorData::new(states.concat(), [1, STEPS, D_STATES]);
    let tensor = Tensor::<B, 3>::from_data(data, device);

    // e⟨t⟩ = v · tanh(W h⟨t⟩ + b) + c
    let layer = AdditivePooling::<B>::new(D_STATES, D_ATTENTION, device);
    let weight = rows(layer.hidden.weight.val());
    let bias = values(layer.hidden.bias.val());
    let vector = values(layer.score.weight.val());
    let constant = values(layer.score.bias.val())[0];
    let score = |hidden: &Vec<f64>| {
        let units = hidden.iter().zip(&bias).zip(&vector);
        units.map(|((h, b), v)| v * (h + b).tanh()).sum::<f64>() + constant
    };
    let scores: Vec<f64> = product(&states, &weight).iter().map(score).collect();
    let weights = softmax(&scores);
    let sum = context(&weights, &states);
    let additive = layer.weights(tensor.clone(), &[VALID]);

    // e⟨t⟩ = q · h⟨t⟩
    let query = [0.5, -1.0, 2.0];
    let dot = |state: &Vec<f64>| state.iter().zip(query).map(|(h, q)| h * q).sum();
    let scores: Vec<f64> = states.iter().map(dot).collect();
    let by_dot = softmax(&scores);
    let scores = Tensor::<B, 2>::from_data(TensorData::new(scores, [1, STEPS]), device);
    let found = masked_softmax(scores, &[VALID]);

    let sum_by_dot = context(&by_dot, &states);
    let found_sum = weighted_sum(found.clone(), tensor.clone());
    vec![
        Figure::by_hand("weights, v · tanh(W h + b) + c", weights, values(additive)),
        Figure::by_hand("their sum", sum, values(layer.forward(tensor, &[VALID]))),
        Figure::by_hand("weights, q · h", by_dot, values(found)),
        Figure::by_hand("their sum, q · h", sum_by_dot, values(found_sum)),
    ]
}

/// `α⟨t⟩ = exp(e⟨t⟩) / Σ exp(e)` over the valid steps; zero past them.
fn softmax(scores: &[f64]) -> Vec<f64> {
    let powers: Vec<f64> = scores.iter().map(|score| score.exp()).collect();
    let sum: f64 = powers[..VALID].iter().sum();
    let weight = |(t, power)| if t < VALID { power / sum } else { 0.0 };
    powers.into_iter().enumerate().map(weight).collect()
}

/// `Σ α⟨t⟩ h⟨t⟩`.
fn context(weights: &[f64], states: &Matrix) -> Vec<f64> {
    let columns = transposed(states);
    let sum = |column: &Vec<f64>| column.iter().zip(weights).map(|(h, a)| a * h).sum();
    columns.iter().map(sum).collect()
}
