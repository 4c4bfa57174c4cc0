//! The kernels of a speller's steps against the portable expressions.
#![cfg_attr(
    feature = "wgpu",
    allow(dead_code, reason = "some tests are of the plain build alone")
)]

use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sori::backend::Job;
use sori::models::ops::{Attended, DirectionWeights, Score, SpellerWeights, masked_softmax, spell};

use super::kernels::{assert_portable, random};

/// A decoder with two layers of LSTM, whose states are the queries, and every gradient.
#[derive(Clone)]
struct Spelling {
    /// Embedding, keys, values, then the four weights of each layer.
    data: Vec<TensorData>,
    lengths: Vec<usize>,
    inputs: Vec<Vec<usize>>,
    weigh: TensorData,
}

impl Job for Spelling {
    type Output = Vec<TensorData>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Vec<TensorData> {
        let new =
            |data: &TensorData| Tensor::<B, 2>::from_data(data.clone(), device).require_grad();
        let long =
            |data: &TensorData| Tensor::<B, 3>::from_data(data.clone(), device).require_grad();
        let bias =
            |data: &TensorData| Tensor::<B, 1>::from_data(data.clone(), device).require_grad();
        let embedding = new(&self.data[0]);
        let [keys, values] = [long(&self.data[1]), long(&self.data[2])];
        let layers = self.data[3..].chunks(4).map(|part| DirectionWeights::<B> {
            input: new(&part[0]),
            state: new(&part[1]),
            bias_input: bias(&part[2]),
            bias_state: bias(&part[3]),
        });
        let weights = SpellerWeights {
            embedding: embedding.clone(),
            layers: layers.collect(),
            query: None,
            score: Score::Dot,
            num_heads: 1,
        };
        let attended = Attended {
            keys: keys.clone(),
            values: values.clone(),
            lengths: self.lengths,
        };
        let outputs = spell(&weights, &attended, &self.inputs);
        let mut all = vec![outputs.to_data()];
        let gradients = (outputs * Tensor::from_data(self.weigh, device))
            .sum()
            .backward();
        all.push(embedding.grad(&gradients).unwrap().into_data());
        all.push(keys.grad(&gradients).unwrap().into_data());
        all.push(values.grad(&gradients).unwrap().into_data());
        for layer in weights.layers {
            all.push(layer.input.grad(&gradients).unwrap().into_data());
            all.push(layer.state.grad(&gradients).unwrap().into_data());
            all.push(layer.bias_input.grad(&gradients).unwrap().into_data());
            all.push(layer.bias_state.grad(&gradients).unwrap().into_data());
        }
        all
    }
}

#[cfg(not(feature = "wgpu"))]
#[test]
fn the_steps_of_a_speller_are_those_of_the_portable_expression() {
    let mut rng = ChaCha8Rng::seed_from_u64(29);
    let (symbols, d_embedding, d_hidden, d_context, steps) = (6, 3, 7, 4, 70);
    let lengths = vec![70, 1, 33];
    let inputs = vec![vec![0, 3, 5, 1], vec![2], vec![4, 4, 1]];
    let mut data = vec![
        random(&mut rng, &[symbols, d_embedding], 1.0),
        random(&mut rng, &[3, steps, d_hidden], 1.0),
        random(&mut rng, &[3, steps, d_context], 1.0),
    ];
    for d_input in [d_embedding + d_context, d_hidden] {
        data.push(random(&mut rng, &[d_input, 4 * d_hidden], 0.5));
        data.push(random(&mut rng, &[d_hidden, 4 * d_hidden], 0.5));
        data.push(random(&mut rng, &[4 * d_hidden], 0.5));
        data.push(random(&mut rng, &[4 * d_hidden], 0.5));
    }
    let weigh = random(&mut rng, &[3, 4, d_hidden + d_context], 1.0);
    let spelling = Spelling {
        data,
        lengths,
        inputs,
        weigh,
    };
    assert_portable(spelling, "a speller");
}

/// The softmax over valid frames, and its gradient.
#[derive(Clone)]
struct Weights {
    scores: TensorData,
    weigh: TensorData,
    lengths: Vec<usize>,
}

impl Job for Weights {
    type Output = Vec<TensorData>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Vec<TensorData> {
        let scores = Tensor::<B, 2>::from_data(self.scores, device).require_grad();
        let weights = masked_softmax(scores.clone(), &self.lengths);
        let weigh = Tensor::from_data(self.weigh, device);
        let gradients = (weights.clone() * weigh).sum().backward();
        let of_scores = scores.grad(&gradients).unwrap();
        vec![weights.into_data(), of_scores.into_data()]
    }
}

#[test]
fn the_softmax_over_valid_frames_is_that_of_the_portable_expression() {
    let mut rng = ChaCha8Rng::seed_from_u64(23);
    for (frames, lengths) in [
        (1, vec![1]),
        (5, vec![5, 1, 3]),
        (100, vec![100, 31, 32, 33, 1]),
    ] {
        let weights = Weights {
            scores: random(&mut rng, &[lengths.len(), frames], 9.0),
            weigh: random(&mut rng, &[lengths.len(), frames], 1.0),
            lengths,
        };
        assert_portable(weights, &format!("{frames} frames"));
    }
}
