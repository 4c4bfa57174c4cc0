//! The network 5-4-3-1 of the notebook, by Burn's autodiff.

use burn::module::Param;
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use sori_models::layers::Linear;
use sori_models::loss::binary_cross_entropy;
use sori_models::ops::{SgdStep, activate, sgd_step};
use sori_models::{Architecture, Classifier, Mlp, MlpConfig};

use super::{Figure, Notebook};

/// The network with the notebook's weights.
pub(super) fn model<B: Backend>(notebook: &Notebook, device: &B::Device) -> Mlp<B> {
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
    model
}

pub(super) fn network<B: AutodiffBackend>(notebook: &Notebook, device: &B::Device) -> Vec<Figure> {
    let x = notebook.tensor::<B, 2>("X", device).transpose(); // [batch, bins]
    let labels = notebook.tensor::<B, 2>("Y", device).transpose(); // [batch, 1]
    let num_examples = x.dims()[0];
    let model = model::<B>(notebook, device);

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
