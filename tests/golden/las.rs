//! Listen, Attend and Spell against its PyTorch twins: logits, loss, every gradient and greedy
//! transcripts, from the same weights, with padding full of garbage. `las.py` beside this file wrote
//! the values and describes them.

use crate::twin::Golden;
use burn::module::AutodiffModule;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};
use burn_autodiff::Autodiff;
use burn_ndarray::NdArray;
use sori_models::las::{DecodeOptions, Las, LasConfig, Sampling, Spelled};
use sori_models::{Architecture, Speller};

/// The backend with kernels, and one with the portable expressions.
type Kernels = Autodiff<NdArray<f32>>;
type Portable = Autodiff<NdArray<f32, i32>>;

#[test]
fn dot_product_attention_equals_its_torch_twin() {
    equals_twin::<Kernels>("dot");
    equals_twin::<Portable>("dot");
}

#[test]
fn several_heads_equal_their_torch_twin() {
    equals_twin::<Kernels>("dot_heads");
    equals_twin::<Portable>("dot_heads");
}

#[test]
fn additive_attention_equals_its_torch_twin() {
    equals_twin::<Kernels>("additive");
    equals_twin::<Portable>("additive");
}

#[test]
fn location_aware_attention_equals_its_torch_twin() {
    equals_twin::<Kernels>("location");
    equals_twin::<Portable>("location");
}

#[test]
fn location_aware_heads_equal_their_torch_twin() {
    equals_twin::<Kernels>("location_heads");
    equals_twin::<Portable>("location_heads");
}

#[test]
fn convolutions_below_gated_recurrent_units_equal_their_torch_twin() {
    equals_twin::<Kernels>("convolutions");
    equals_twin::<Portable>("convolutions");
}

fn equals_twin<B: AutodiffBackend>(name: &str) {
    let golden = Golden::read(&format!("las_{name}"));
    let device = Default::default();
    let config: LasConfig = golden.config();
    let model: Las<B> = config.init(&device).expect("the golden configuration");
    let model = golden.load(model, 0);

    let features = Tensor::<B, 3>::from_data(golden.data("features"), &device).require_grad();
    let lengths = golden.counts("lengths");
    let transcripts = rows(&golden, "transcripts", "target_lengths");
    let spelled = model.spell(
        features.clone(),
        &lengths,
        &transcripts,
        Sampling::default(),
    );
    let loss = model.loss(&spelled, &transcripts);
    if let Some(logits) = &spelled.ctc_logits {
        golden.compare("train.ctc", logits.to_data());
    }
    golden.compare("train.logits", valid_logits(&spelled));
    golden.compare("train.loss", loss.to_data());
    golden.compare_gradients(&model, &features, &loss.backward(), 0);

    compare_decoding(&golden, &model.valid(), features.inner(), &lengths);
}

fn compare_decoding<B: Backend>(
    golden: &Golden,
    model: &Las<B>,
    features: Tensor<B, 3>,
    lengths: &[usize],
) {
    let options = DecodeOptions {
        max_symbols_per_step: 2.0,
        ..Default::default()
    };
    let found = model.transcribe(features, lengths, options);
    let expected = rows(golden, "decode.symbols", "decode.lengths");
    let symbols: Vec<Vec<usize>> = found.iter().map(|row| row.symbols.clone()).collect();
    assert_eq!(symbols, expected);
    let ended: Vec<usize> = found.iter().map(|row| usize::from(row.ended)).collect();
    assert_eq!(ended, golden.counts("decode.ended"));
    let scores: Vec<f32> = found.iter().map(|row| row.score as f32).collect();
    golden.compare("decode.scores", TensorData::from(scores.as_slice()));
    let shape = golden.data("decode.alignment").shape;
    let mut alignment = vec![0.0; shape.iter().product()];
    for (rows, found) in alignment.chunks_mut(shape[1] * shape[2]).zip(&found) {
        assert_eq!(found.alignment.len(), found.symbols.len());
        for (row, weights) in rows.chunks_mut(shape[2]).zip(&found.alignment) {
            row[..weights.len()].copy_from_slice(weights);
        }
    }
    golden.compare("decode.alignment", TensorData::new(alignment, shape));
}

/// The first values of each row, up to its length.
fn rows(golden: &Golden, values: &str, lengths: &str) -> Vec<Vec<usize>> {
    let width = golden.data(values).shape[1];
    let values = golden.counts(values);
    let rows = values.chunks(width).zip(golden.counts(lengths));
    rows.map(|(row, length)| row[..length].to_vec()).collect()
}

/// The logits, zero past each row's length.
fn valid_logits<B: Backend>(spelled: &Spelled<B>) -> TensorData {
    let [_, length, symbols] = spelled.logits.dims();
    let data = spelled.logits.to_data();
    let mut values: Vec<f32> = data.iter().collect();
    for (row, valid) in values.chunks_mut(length * symbols).zip(&spelled.lengths) {
        row[valid * symbols..].fill(0.0);
    }
    TensorData::new(values, data.shape)
}
