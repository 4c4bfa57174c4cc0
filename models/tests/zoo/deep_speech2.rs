//! What Deep Speech 2 promises. Equality with PyTorch is in `tests/golden/deep_speech2.rs`.

use crate::gradients::all_gradients;
use burn::module::{AutodiffModule, Module};
use burn::optim::{AdamConfig, GradientsParams, Optimizer};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Bool, Distribution, Tensor, TensorData, Tolerance};
use burn_autodiff::Autodiff;
use burn_ndarray::NdArray;
use sori_models::loss::CtcOptions;
use sori_models::ops::path_counts;
use sori_models::{Architecture, DeepSpeech2, DeepSpeech2Config, Emissions, Emitter};

type Cpu = Autodiff<NdArray<f32>>;

const BINS: usize = 6;
const LENGTHS: [usize; 5] = [26, 9, 18, 25, 13];

/// Both shapes of the paper, and every cell, at sizes that train in a moment.
fn small() -> Vec<DeepSpeech2Config> {
    [
        r#"{"cell": "gru", "d_fully_connected": [16]}"#,
        r#"{"cell": "lstm", "strides": [[1, 2], [2, 1]], "num_layers": 2}"#,
        r#"{"cell": "elman", "bidirectional": false, "lookahead": 3}"#,
        r#"{"cell": "gru", "bidirectional": false, "recurrent_norm": false}"#,
    ]
    .map(|text| serde_json::from_str::<DeepSpeech2Config>(text).expect("a configuration"))
    .map(|config| DeepSpeech2Config {
        num_bins: BINS,
        num_symbols: 5,
        channels: vec![4, 6],
        kernels: vec![[5, 3], [3, 3]],
        d_hidden: 16,
        num_layers: config.num_layers.min(2),
        ..config
    })
    .to_vec()
}

fn transcripts() -> Vec<Vec<usize>> {
    vec![
        vec![1, 2, 2, 3],
        vec![4],
        vec![3, 1],
        vec![2, 4, 1, 3, 1],
        vec![],
    ]
}

fn noise<B: Backend>(dims: [usize; 3], device: &B::Device) -> Tensor<B, 3> {
    Tensor::random(dims, Distribution::Normal(0.0, 1.0), device)
}

/// So many steps of Adam on one ragged batch: the model, its features and the last loss.
fn overfit<B: AutodiffBackend>(
    config: &DeepSpeech2Config,
    steps: usize,
) -> (DeepSpeech2<B>, Tensor<B, 3>, f32) {
    let device = Default::default();
    B::seed(&device, 7);
    let mut optimizer = AdamConfig::new().init();
    let mut model = config.init::<B>(&device).expect("a valid configuration");
    let features = noise::<B>([LENGTHS.len(), LENGTHS[0], BINS], &device);
    let mut last = f32::INFINITY;
    for _ in 0..steps {
        let emissions = model.emit(features.clone(), &LENGTHS);
        let loss = emissions.ctc(&transcripts(), CtcOptions::default());
        last = loss.to_data().iter::<f32>().next().expect("a loss");
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(1e-2, model, gradients);
    }
    (model, features, last)
}

/// The most probable symbol of each step, without repetitions and blanks.
fn greedy<B: Backend>(emissions: &Emissions<B>) -> Vec<Vec<usize>> {
    let [batch, steps, _] = emissions.logits.dims();
    let best = emissions.log_probs().argmax(2).reshape([batch * steps]);
    let best: Vec<usize> = best.into_data().iter::<i64>().map(|k| k as usize).collect();
    let rows = best.chunks(steps).zip(&emissions.lengths);
    rows.map(|(row, &length)| {
        let mut path = row[..length].to_vec();
        path.dedup();
        path.retain(|&symbol| symbol != 0);
        path
    })
    .collect()
}

#[test]
fn every_shape_overfits_one_batch_and_reads_it_back() {
    for config in small() {
        let (model, features, loss) = overfit::<Cpu>(&config, 200);
        assert!(loss < 0.02, "{config:?}: still {loss}");
        // In training mode, for the running statistics lag behind so few steps.
        let emissions = model.emit(features, &LENGTHS);
        assert_eq!(greedy(&emissions), transcripts(), "{config:?}");
    }
}

#[test]
fn every_operator_of_a_training_step_takes_its_kernel() {
    for config in small() {
        let before = path_counts();
        let (_, _, loss) = overfit::<Cpu>(&config, 1);
        let after = path_counts();
        assert!(loss.is_finite() && after.kernels > before.kernels);
        assert_eq!(after.portable, before.portable, "{config:?}");
    }
}

/// `[batch, frames, BINS]`, true where there is padding.
fn padding() -> Tensor<NdArray, 3, Bool> {
    let padding: Vec<bool> = LENGTHS
        .iter()
        .flat_map(|&length| (0..LENGTHS[0]).map(move |frame| frame >= length))
        .collect();
    let padding = TensorData::new(padding, [LENGTHS.len(), LENGTHS[0], 1]);
    let padding = Tensor::<NdArray, 3, Bool>::from_data(padding, &Default::default());
    padding.expand([LENGTHS.len(), LENGTHS[0], BINS])
}

#[test]
fn a_batch_gives_what_its_items_give_alone() {
    for config in small() {
        // A few steps first, so that the running statistics are not the initial ones.
        let (trained, features, _) = overfit::<Cpu>(&config, 3);
        let (trained, features) = (trained.valid(), features.inner());
        for garbage in [1e4, f32::INFINITY, f32::NAN] {
            let batch = features.clone().mask_fill(padding(), garbage);
            let together = trained.emit(batch.clone(), &LENGTHS);
            for (row, &length) in LENGTHS.iter().enumerate() {
                let item = batch.clone().narrow(0, row, 1).narrow(1, 0, length);
                let alone = trained.emit(item, &[length]);
                let [_, steps, _] = alone.logits.dims();
                assert_eq!(alone.lengths, [steps]);
                assert_eq!(together.lengths[row], steps);
                let row = together.log_probs().narrow(0, row, 1).narrow(1, 0, steps);
                let alone = alone.log_probs().into_data();
                row.into_data()
                    .assert_approx_eq::<f32>(&alone, Tolerance::absolute(1e-5));
            }
        }
    }
}

#[test]
fn padding_changes_no_gradient() {
    let device = Default::default();
    for config in small() {
        let model = config.init::<Cpu>(&device).expect("a valid configuration");
        let features = noise::<NdArray>([LENGTHS.len(), LENGTHS[0], BINS], &device);
        let gradients = |garbage: f32, more_frames: usize| {
            let features = features.clone().mask_fill(padding(), garbage);
            let more = Tensor::full([LENGTHS.len(), more_frames, BINS], garbage, &device);
            let features = Tensor::from_inner(Tensor::cat(vec![features, more], 1));
            let emissions = model.emit(features, &LENGTHS);
            let loss = emissions.ctc(&transcripts(), CtcOptions::default());
            all_gradients(&model, &loss.backward())
        };
        let expected = gradients(0.0, 1);
        for (actual, expected) in gradients(f32::NAN, 6).iter().zip(&expected) {
            actual.assert_approx_eq::<f32>(expected, Tolerance::absolute(1e-5));
        }
    }
}

#[test]
fn a_model_is_its_record() {
    for config in small() {
        let (model, features, _) = overfit::<Cpu>(&config, 2);
        let (model, features) = (model.valid(), features.inner());
        let before = model.emit(features.clone(), &LENGTHS);
        let fresh = config.init::<NdArray>(&Default::default());
        let fresh = fresh
            .expect("a valid configuration")
            .load_record(model.into_record());
        let after = fresh.emit(features, &LENGTHS);
        after
            .logits
            .into_data()
            .assert_eq(&before.logits.into_data(), true);
    }
}

#[test]
fn a_step_sees_only_the_lookahead_of_the_future() {
    let config = DeepSpeech2Config {
        lookahead: 2,
        bidirectional: false,
        kernels: vec![[1, 3], [1, 3]],
        strides: vec![[1, 1], [1, 1]],
        ..small().swap_remove(2)
    };
    let device = Default::default();
    let model = config
        .init::<NdArray>(&device)
        .expect("a valid configuration");
    let features = noise::<NdArray>([1, 12, BINS], &device);
    let with_last_changed = features.clone().slice_assign(
        [0..1, 11..12, 0..BINS],
        Tensor::full([1, 1, BINS], 3.0, &device),
    );
    let [one, other] = [features, with_last_changed].map(|features| {
        let logits = model.emit(features, &[12]).logits.into_data();
        logits.iter::<f32>().collect::<Vec<_>>()
    });
    let symbols = config.num_symbols;
    let changed = |step: usize| {
        let here = step * symbols..(step + 1) * symbols;
        one[here.clone()] != other[here]
    };
    assert!((0..9).all(|step| !changed(step)) && (9..12).all(changed));
}

#[test]
fn a_wrong_value_is_refused_with_field_value_and_remedy() {
    for (text, message) in [
        (
            r#"{"num_symbols": 1}"#,
            "`num_symbols` is 1, but must be at least 2, a symbol beside the blank",
        ),
        (
            r#"{"channels": [32]}"#,
            "`kernels` is 2, but must be one for each of the 1 convolutions",
        ),
        (
            r#"{"strides": [[2, 2]]}"#,
            "`strides` is 1, but must be one for each of the 2 convolutions",
        ),
        (
            r#"{"kernels": [[11, 41], [11, 20]]}"#,
            "`kernels` is 20, but must be odd, so that a frame lies at its middle",
        ),
        (
            r#"{"strides": [[2, 2], [0, 2]]}"#,
            "`strides` is 0, but must be from 1 to 1048576",
        ),
        (
            r#"{"clip": 0.0}"#,
            "`clip` is 0.0, but must be above 0 and finite",
        ),
        (
            r#"{"lookahead": 4}"#,
            "`lookahead` is 4, but must be 0 where the recurrent layers read backward too",
        ),
        (
            r#"{"num_layers": 0}"#,
            "`num_layers` is 0, but must be from 1 to 1048576",
        ),
        (
            r#"{"d_fully_connected": [5, 0]}"#,
            "`d_fully_connected` is [5, 0], but must be a list of sizes from 1 to 1048576",
        ),
        (
            r#"{"dropout": 1.0}"#,
            "`dropout` is 1.0, but must be at least 0 and below 1",
        ),
    ] {
        let config: DeepSpeech2Config = serde_json::from_str(text).expect("well-formed");
        let error = config.check().expect_err(text);
        assert_eq!(error.to_string(), message);
        assert_eq!(
            config.init::<NdArray>(&Default::default()).err(),
            Some(error)
        );
    }
}

#[test]
#[should_panic(expected = "row 1 has length 0, but this model takes 1 to 12 of these frames")]
fn a_row_without_a_frame_is_a_broken_contract() {
    let device = Default::default();
    let model = small()
        .remove(0)
        .init::<NdArray>(&device)
        .expect("a valid configuration");
    model.emit(noise([2, 12, BINS], &device), &[12, 0]);
}
