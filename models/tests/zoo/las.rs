//! What Listen, Attend and Spell promises. Equality with PyTorch is in `tests/golden/las.rs`.
#![cfg(feature = "ndarray")]

use crate::gradients::all_gradients;
use burn::module::{AutodiffModule, Module};
use burn::optim::{AdamConfig, GradientsParams, Optimizer};
use burn::tensor::activation::log_softmax;
use burn::tensor::backend::Backend;
use burn::tensor::{Bool, Distribution, Tensor, TensorData, Tolerance};
use burn_autodiff::Autodiff;
use burn_ndarray::NdArray;
use sori_models::las::{
    DecodeOptions, Las, LasConfig, SENTENCE_END, Sampling, Spelled, SpelledTranscript,
};
use sori_models::loss::{CtcOptions, Reduction, ctc};
use sori_models::ops::path_counts;
use sori_models::{Architecture, Speller};

type Plain = NdArray<f32>;
type Cpu = Autodiff<Plain>;

const NUM_BINS: usize = 5;
const NUM_SYMBOLS: usize = 7;
const FRAMES: usize = 13;
/// Odd and even, at every layer of the pyramid.
const LENGTHS: [usize; 5] = [13, 4, 9, 12, 1];

/// Every kind of attention at a size that trains in a moment, without dropout.
fn small() -> Vec<LasConfig> {
    [
        r#"{"d_speller": 16}"#,
        r#"{"d_speller": 12, "d_attention": 8, "num_heads": 2, "num_plain_layers": 0}"#,
        r#"{"d_speller": 12, "attention": "additive", "d_attention": 9, "num_pyramid_layers": 1}"#,
        r#"{"d_speller": 14, "attention": "location", "d_attention": 8, "num_heads": 2, "location_kernel": 3,
            "num_speller_layers": 1}"#,
        r#"{"d_speller": 12, "attention": "location", "d_attention": 8, "num_pyramid_layers": 0, "ctc_weight": 0.5}"#,
        r#"{"d_speller": 16, "channels": [3, 4], "kernels": [[3, 5], [5, 3]], "strides": [[1, 2], [3, 1]],
            "cell": "gru", "num_pyramid_layers": 1}"#,
    ]
    .map(|text| serde_json::from_str::<LasConfig>(text).expect("a valid configuration"))
    .map(|config| LasConfig {
        num_bins: NUM_BINS,
        num_symbols: NUM_SYMBOLS,
        d_listener: 8,
        d_embedding: 6,
        num_pyramid_layers: config.num_pyramid_layers.min(2),
        dropout: 0.0,
        ..config
    })
    .to_vec()
}

fn transcripts() -> Vec<Vec<usize>> {
    vec![
        vec![3, 1, 1, 6],
        vec![],
        vec![5, 2],
        vec![4, 4, 2, 1, 5, 6],
        vec![2],
    ]
}

fn init<B: Backend>(config: &LasConfig) -> Las<B> {
    config
        .init(&Default::default())
        .expect("a valid configuration")
}

fn noise<B: Backend>(batch: usize, frames: usize) -> Tensor<B, 3> {
    let normal = Distribution::Normal(0.0, 1.0);
    Tensor::random([batch, frames, NUM_BINS], normal, &Default::default())
}

/// `[batch, frames, NUM_BINS]`, true where there is padding.
fn padding(frames: usize) -> Tensor<Plain, 3, Bool> {
    let padding: Vec<bool> = LENGTHS
        .iter()
        .flat_map(|&length| (0..frames).map(move |frame| frame >= length))
        .collect();
    let padding = TensorData::new(padding, [LENGTHS.len(), frames, 1]);
    let padding = Tensor::<Plain, 3, Bool>::from_data(padding, &Default::default());
    padding.expand([LENGTHS.len(), frames, NUM_BINS])
}

fn forward<B: Backend>(model: &Las<B>, features: Tensor<B, 3>) -> Spelled<B> {
    model.spell(features, &LENGTHS, &transcripts(), Sampling::default())
}

#[test]
fn logits_are_symbols_and_an_end_and_steps_are_halved_rounding_up() {
    for config in small() {
        let model = init::<Plain>(&config);
        let features = noise(LENGTHS.len(), FRAMES);
        let listened = model.listen(features.clone(), &LENGTHS);
        let halved = |length: &usize| {
            let frames = if config.strides.is_empty() { 1 } else { 3 };
            let steps = length.div_ceil(frames);
            (0..config.num_pyramid_layers).fold(steps, |steps, _| steps.div_ceil(2))
        };
        let steps = halved(&FRAMES);
        assert_eq!(listened.states.dims(), [LENGTHS.len(), steps, 16]);
        let lengths: Vec<usize> = LENGTHS.iter().map(halved).collect();
        assert_eq!(listened.lengths, lengths);
        assert_eq!(
            LENGTHS.map(|length| config.num_steps(length)).to_vec(),
            lengths
        );
        let halves = 1 << config.num_pyramid_layers;
        let frames = if config.strides.is_empty() { 1 } else { 3 };
        assert_eq!(config.frames_per_step(), frames * halves);

        let spelled = forward(&model, features);
        assert_eq!(spelled.logits.dims(), [LENGTHS.len(), 7, NUM_SYMBOLS]);
        assert_eq!(spelled.lengths, [5, 1, 3, 7, 2]);
        assert_eq!(spelled.listened.lengths, lengths);
        let ctc = spelled.ctc_logits.map(|logits| logits.dims());
        let expected = [LENGTHS.len(), steps, NUM_SYMBOLS];
        assert_eq!(ctc, (config.ctc_weight > 0.0).then_some(expected));
    }
}

#[test]
fn every_operator_of_training_and_decoding_takes_its_kernel() {
    for config in small() {
        let before = path_counts();
        let model = init::<Cpu>(&config);
        let sampling = Sampling { rate: 0.5, seed: 1 };
        let features = noise::<Cpu>(LENGTHS.len(), FRAMES);
        let spelled = model.spell(features.clone(), &LENGTHS, &transcripts(), sampling);
        model.loss(&spelled, &transcripts()).backward();
        let between = path_counts();
        assert!(between.kernels > before.kernels + 8);
        let options = DecodeOptions::default();
        model
            .valid()
            .transcribe(features.inner(), &LENGTHS, options);
        let after = path_counts();
        assert!(after.kernels > between.kernels);
        assert_eq!(after.portable, before.portable, "{config:?}");
    }
}

#[test]
fn a_batch_gives_what_its_items_give_alone() {
    for config in small() {
        let model = init::<Plain>(&config);
        let batch = noise::<Plain>(LENGTHS.len(), FRAMES);
        for garbage in [1e4, f32::INFINITY, f32::NAN] {
            let batch = batch.clone().mask_fill(padding(FRAMES), garbage);
            let together = forward(&model, batch.clone());
            let options = DecodeOptions {
                max_symbols_per_step: 1.5,
                ..Default::default()
            };
            let found = model.transcribe(batch.clone(), &LENGTHS, options);
            for (row, &length) in LENGTHS.iter().enumerate() {
                let item = batch.clone().narrow(0, row, 1).narrow(1, 0, length);
                let transcript = &transcripts()[row..=row];
                let no = Sampling::default();
                let alone = model.spell(item.clone(), &[length], transcript, no);
                let same = |ours: Tensor<Plain, 3>, alone: Tensor<Plain, 3>| {
                    let [_, valid, _] = alone.dims();
                    let ours = ours.narrow(0, row, 1).narrow(1, 0, valid).into_data();
                    ours.assert_approx_eq::<f32>(&alone.into_data(), Tolerance::absolute(1e-5));
                };
                same(together.logits.clone(), alone.logits);
                if let Some(alone) = alone.ctc_logits {
                    same(together.ctc_logits.clone().expect("a head"), alone);
                }
                let alone = model.transcribe(item, &[length], options).remove(0);
                assert_same(&found[row], &alone);
            }
        }
    }
}

fn assert_same(a: &SpelledTranscript, b: &SpelledTranscript) {
    assert_eq!((&a.symbols, a.ended), (&b.symbols, b.ended));
    assert!((a.score - b.score).abs() < 1e-4);
    for (a, b) in a.alignment.iter().zip(&b.alignment) {
        assert_eq!(a.len(), b.len());
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5));
        assert!((a.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{a:?}");
    }
}

#[test]
fn the_loss_shares_itself_between_speller_and_ctc_head() {
    let config = small().remove(4);
    let model = init::<Plain>(&config);
    let features = noise::<Plain>(LENGTHS.len(), FRAMES);
    let spelled = forward(&model, features);
    let number = |loss: Tensor<Plain, 1>| loss.into_scalar();
    let heard = spelled.ctc_logits.clone().expect("a head");
    let each = CtcOptions {
        reduction: Reduction::None,
        zero_infinity: false,
    };
    let losses = ctc(heard, &spelled.listened.lengths, &transcripts(), each).into_data();
    let losses = losses.iter::<f32>().zip(transcripts());
    let listening: f32 = losses
        .map(|(loss, transcript)| loss / transcript.len().max(1) as f32)
        .sum::<f32>()
        / LENGTHS.len() as f32;
    let spelling = number(spelled.cross_entropy(&transcripts(), config.label_smoothing));
    let loss = number(model.loss(&spelled, &transcripts()));
    assert!((loss - (spelling + listening) / 2.0).abs() < 1e-5);

    // No path through one step reads as two symbols, and the rest of the loss stays.
    let mut longer = transcripts();
    longer[4] = vec![2, 3];
    let features = noise::<Plain>(LENGTHS.len(), FRAMES);
    let spelled = model.spell(features, &LENGTHS, &longer, Sampling::default());
    assert!(number(model.loss(&spelled, &longer)).is_finite());
}

#[test]
fn padding_changes_no_gradient() {
    for config in small() {
        let model = init::<Cpu>(&config);
        let batch = noise::<Plain>(LENGTHS.len(), FRAMES);
        let gradients = |garbage: f32, more_frames: usize| {
            let features = batch.clone().mask_fill(padding(FRAMES), garbage);
            let dims = [LENGTHS.len(), more_frames, NUM_BINS];
            let more = Tensor::full(dims, garbage, &Default::default());
            let features = Tensor::from_inner(Tensor::cat(vec![features, more], 1));
            let loss = model.loss(&forward(&model, features), &transcripts());
            all_gradients(&model, &loss.backward())
        };
        let expected = gradients(0.0, 1);
        assert!(expected.len() > 20);
        for (actual, expected) in gradients(f32::NAN, 6).iter().zip(&expected) {
            actual.assert_approx_eq::<f32>(expected, Tolerance::absolute(1e-5));
        }
    }
}

#[test]
fn symbol_by_symbol_gives_what_the_whole_transcript_gives_and_rows_can_be_gathered() {
    for config in small() {
        let model = init::<Plain>(&config);
        let features = noise::<Plain>(LENGTHS.len(), FRAMES);
        let [row, other] = [3, 0];
        let spelled = forward(&model, features.clone());
        let log_probs = log_softmax(spelled.logits, 2);
        let expected = |symbol: usize| {
            let row = log_probs.clone().narrow(0, row, 1);
            row.narrow(1, symbol, 1).into_data().iter::<f32>().collect()
        };

        let spelling = model.spelling(&model.listen(features, &LENGTHS));
        let transcript = &transcripts()[row];
        // Twice the row among others, which go astray and are left behind.
        let mut state = spelling.start(&[other, row, row]);
        let mut at = 1;
        let read = [SENTENCE_END].into_iter().chain(transcript.iter().copied());
        for (index, symbol) in read.enumerate() {
            let mut symbols = vec![1; state.num_rows()];
            symbols[at] = symbol;
            let step = spelling.step(&state, &symbols);
            let ours: Vec<f32> = step.log_probs.into_data().iter().collect();
            let expected: Vec<f32> = expected(index);
            let ours = &ours[at * NUM_SYMBOLS..][..NUM_SYMBOLS];
            for (ours, expected) in ours.iter().zip(&expected) {
                assert!((ours - expected).abs() < 1e-5, "{ours} and {expected}");
            }
            state = step.state.select(&[at, 0, at]);
            at = index % 2 * 2;
        }
    }
}

#[test]
fn sampling_is_of_its_seed_and_leaves_what_came_before() {
    for config in small() {
        let model = init::<Cpu>(&config);
        let features = noise::<Cpu>(LENGTHS.len(), FRAMES);
        let logits = |rate: f64, seed: u64| {
            let sampling = Sampling { rate, seed };
            let spelled = model.spell(features.clone(), &LENGTHS, &transcripts(), sampling);
            spelled.logits.into_data()
        };
        let forced = logits(0.0, 0);
        let sampled = logits(0.999, 3);
        sampled.assert_eq(&logits(0.999, 3), true);
        assert_ne!(sampled, forced);
        assert_ne!(sampled, logits(0.999, 4));
        // Every sentence starts alike, so the first symbol's logits are those of teacher forcing.
        let first = |data: &TensorData| -> Vec<f32> {
            let values: Vec<f32> = data.iter().collect();
            let rows = values.chunks(7 * NUM_SYMBOLS);
            rows.flat_map(|row| row[..NUM_SYMBOLS].to_vec()).collect()
        };
        assert_eq!(first(&sampled), first(&forced));
        // A rate that no draw is below changes nothing.
        logits(1e-12, 5).assert_eq(&forced, true);
    }
}

#[test]
fn it_overfits_one_batch_and_then_spells_the_transcripts() {
    let device = Default::default();
    for config in small() {
        Cpu::seed(&device, 7);
        let config = LasConfig {
            label_smoothing: 0.0,
            ..config
        };
        let mut optimizer = AdamConfig::new().init();
        let mut model = init::<Cpu>(&config);
        let features = noise::<Cpu>(LENGTHS.len(), FRAMES);
        let mut last = f32::INFINITY;
        for _ in 0..200 {
            let loss = model.loss(&forward(&model, features.clone()), &transcripts());
            last = loss.to_data().iter().next().expect("a loss");
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            model = optimizer.step(1e-2, model, gradients);
        }
        assert!(last < 0.02, "still {last} after 200 steps: {config:?}");
        let model = model.valid();
        let options = DecodeOptions {
            max_symbols_per_step: 8.0,
            ..Default::default()
        };
        let found = model.transcribe(features.inner(), &LENGTHS, options);
        for (found, transcript) in found.iter().zip(transcripts()) {
            assert_eq!(found.symbols, transcript);
            assert!(found.ended && found.score < 0.0 && found.score > -1.0);
        }
    }
}

#[test]
fn decoding_ends_at_its_length_or_by_its_threshold() {
    let config = &small()[0];
    let model = init::<Plain>(config);
    let features = noise::<Plain>(LENGTHS.len(), FRAMES);
    let found = |end_threshold: f64, max_symbols_per_step: f64| {
        let options = DecodeOptions {
            end_threshold,
            max_symbols_per_step,
        };
        model.transcribe(features.clone(), &LENGTHS, options)
    };
    for hypothesis in found(0.0, 3.0) {
        assert!(hypothesis.ended && hypothesis.symbols.is_empty());
        assert!(hypothesis.score < -0.5, "{}", hypothesis.score);
    }
    let steps = model.listen(features.clone(), &LENGTHS).lengths;
    for (hypothesis, steps) in found(1.0, 1.5).iter().zip(steps) {
        let longest = (1.5 * steps as f64).ceil() as usize;
        assert!(hypothesis.symbols.len() <= longest);
        assert!(hypothesis.ended || hypothesis.symbols.len() == longest);
        assert_eq!(hypothesis.symbols.len(), hypothesis.alignment.len());
    }
}

#[test]
#[should_panic(expected = "transcript 1 has symbol 0, but symbols are 1 to 6")]
fn the_end_within_a_transcript_is_a_broken_contract() {
    let model = init::<Plain>(&small()[0]);
    let mut transcripts = transcripts();
    transcripts[1] = vec![3, 0];
    model.spell(
        noise(LENGTHS.len(), FRAMES),
        &LENGTHS,
        &transcripts,
        Sampling::default(),
    );
}

#[test]
fn a_model_is_its_record() {
    for config in small() {
        let model = init::<Plain>(&config);
        let features = noise::<Plain>(LENGTHS.len(), FRAMES);
        let before = forward(&model, features.clone()).logits;
        let fresh = init::<Plain>(&config).load_record(model.into_record());
        let after = forward(&fresh, features).logits;
        after.into_data().assert_eq(&before.into_data(), true);
    }
}
