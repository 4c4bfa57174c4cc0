//! A recurrent network against its equations.

use burn::tensor::activation::softmax;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use sori_models::{Architecture, RnnConfig};

use super::{Figure, rows, values};

/// `a⟨t⟩ = tanh(W_ax x⟨t⟩ + W_aa a⟨t−1⟩ + b_a)` and `y⟨t⟩ = softmax(W_ya a⟨t⟩ + b_y)`.
pub(super) fn recurrence<B: Backend>(device: &B::Device) -> Vec<Figure> {
    B::seed(device, 0);
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
        Figure::by_hand("a⟨1⟩ … a⟨5⟩", by_hand_a, values(states.outputs)),
        Figure::by_hand("y⟨1⟩ … y⟨5⟩", by_hand_y, values(outputs)),
    ]
}
