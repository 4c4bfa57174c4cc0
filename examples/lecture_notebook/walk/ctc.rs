//! CTC by hand against the library's loss and its gradient.

use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Tensor, TensorData};
use sori_models::loss::{CtcOptions, ctc as loss_of};

use super::forward_backward::{ForwardBackward, PROBABILITIES, paths};
use super::{Figure, values};

/// The transcript: ab.
const LABELS: [usize; 2] = [1, 2];

pub(super) fn ctc<B: AutodiffBackend>(device: &B::Device) -> Vec<Figure> {
    let logits: Vec<f64> = PROBABILITIES.concat().iter().map(|p| p.ln()).collect();
    let dims = [1, PROBABILITIES.len(), 3];
    let logits = Tensor::<B, 3>::from_data(TensorData::new(logits, dims), device).require_grad();
    let options = CtcOptions {
        reduction: sori_models::loss::Reduction::Sum,
        ..CtcOptions::default()
    };
    let loss = loss_of(logits.clone(), &[4], &[LABELS.to_vec()], options);
    let gradient = logits.grad(&loss.backward()).expect("a gradient");

    let by_paths: f64 = paths(&PROBABILITIES)
        .iter()
        .filter(|(_, _, transcript)| *transcript == LABELS)
        .map(|(_, probability, _)| probability)
        .sum();
    let table = ForwardBackward::new(&PROBABILITIES, &LABELS);
    let rows = table.alpha.iter().zip(&table.beta);
    let products = rows.map(|(alpha, beta)| alpha.iter().zip(beta).map(|(a, b)| a * b).sum());
    let occupied = table.occupied().concat();
    let probabilities = PROBABILITIES.concat();
    let by_hand = probabilities.iter().zip(occupied).map(|(p, q)| p - q);
    let found = values(loss.inner())[0];
    vec![
        Figure::by_hand(
            "P(ab), all paths added",
            vec![by_paths],
            vec![(-found).exp()],
        ),
        Figure::by_hand(
            "loss = −ln Σ α(4, s)",
            vec![-table.probability.ln()],
            vec![found],
        ),
        Figure::by_hand(
            "Σ α(t, s) β(t, s) at each step",
            products.collect(),
            vec![(-found).exp(); 4],
        ),
        Figure::by_hand(
            "gradient = P(symbol) − P(symbol | ab)",
            by_hand.collect(),
            values(gradient),
        ),
    ]
}
