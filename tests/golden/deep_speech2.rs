//! Deep Speech 2 against its PyTorch twin: emissions, CTC loss, every gradient and the running
//! statistics, from the same weights, with padding full of garbage. `deep_speech2.py` beside this
//! file wrote the values and describes them.

use crate::twin::Golden;
use burn::module::AutodiffModule;
use burn::tensor::Tensor;
use burn_autodiff::Autodiff;
use burn_ndarray::NdArray;
use sori_models::loss::CtcOptions;
use sori_models::{Architecture, DeepSpeech2, DeepSpeech2Config, Emitter};

type Cpu = Autodiff<NdArray<f32>>;

fn equals_twin(name: &str) {
    let golden = Golden::read(&format!("deep_speech2_{name}"));
    let device = Default::default();
    let config: DeepSpeech2Config = golden.config();
    let model: DeepSpeech2<Cpu> = config.init(&device).expect("the golden configuration");
    let model = golden.load(model, 0);

    let features = Tensor::<Cpu, 3>::from_data(golden.data("features"), &device).require_grad();
    let lengths = golden.counts("lengths");
    let longest = golden.data("targets").shape[1];
    let targets: Vec<Vec<usize>> = golden
        .counts("targets")
        .chunks(longest)
        .map(|labels| labels.iter().copied().filter(|&label| label > 0).collect())
        .collect();

    let emissions = model.emit(features.clone(), &lengths);
    golden.compare("train.logits", emissions.logits.to_data());
    let loss = emissions.ctc(&targets, CtcOptions::default());
    golden.compare("train.loss", loss.to_data());
    golden.compare_gradients(&model, &features, &loss.backward(), 0);

    let emissions = model.valid().emit(features.inner(), &lengths);
    golden.compare("eval.logits", emissions.logits.into_data());
}

#[test]
fn bidirectional_gru_with_a_fully_connected_layer_equals_its_torch_twin() {
    equals_twin("gru_both_ways");
}

#[test]
fn bidirectional_lstm_with_other_strides_equals_its_torch_twin() {
    equals_twin("lstm_both_ways");
}

#[test]
fn forward_recurrence_with_lookahead_equals_its_torch_twin() {
    equals_twin("elman_lookahead");
}
