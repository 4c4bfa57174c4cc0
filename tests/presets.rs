//! The presets of `sori bench` are the workloads that the peers run, and on the CPU every operator of
//! training and inference runs a kernel.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use burn::tensor::Tensor;
use burn_ndarray::NdArray;
use sori::BackendName;
use sori::bench::{Preset, Work};
use sori_models::las::DecodeOptions;
use sori_models::ops::{PathCounts, path_counts};
use sori_models::{Architecture, Contract, Emitter, Network};

/// The parameters of the PyTorch twins (`benches/peers/torch_peer.py` asserts the same), and the
/// operators that one training step calls: those of the forward pass and of the loss, which count
/// once, and two for each parameter tensor, its share of the gradient's norm and its step of Adam.
///
/// | | operators of the forward pass | parameter tensors |
/// |---|---|---|
/// | `mlp` | 3 linear, 2 activations | 6 |
/// | `cnn1d` | 3 × (convolution, norm), mean, linear | 14 |
/// | `cnn2d` | 4 × (convolution, norm), mean, linear | 18 |
/// | `dilated_cnn` | 22 linear, 10 × (convolution, gated unit), 2 activations, mean | 44 |
/// | `sample_cnn` | 11 × (convolution, norm), mean, dropout, linear | 46 |
/// | `res_cnn` | 2 × 9 + 3 (convolution, norm), 9 × (dropout, mean, 2 linear, 2 activations, scale, end of a block), 3 maxima, linear, norm, dropout, linear | 126 |
/// | `fcn` | norm, 5 × (convolution, norm), mean, dropout, linear | 24 |
/// | `crnn` | norm, 4 × (convolution, norm, activation), 2 × (layer, its last states, dropout), linear | 28 |
/// | `musicnn` | norm, 8 × (convolution, norm), 4 × (maximum, mean), norm, dropout, linear, norm, dropout, linear | 42 |
/// | `matchboxnet` | 5 × (convolution, linear, norm, activation), 3 × (linear, norm), linear, norm, activation, mean, linear | 34 |
/// | `random_wired` | 2 × (convolution, norm), 3 activations, 96 × (convolution, linear, norm), 192 edges, 78 activations, activation, linear, norm, mean, linear | 475 |
/// | `rnn`, `lstm`, `gru` | 2 × (layer, its last states), mean, linear | 18 |
/// | `deep_speech2` | 2 × (convolution, norm), 3 × (layer, its last states, their sum, norm), linear | 39 |
/// | `las` | 4 × (layer, its last states), decoder, linear | 43 |
/// | `attention` | as `lstm`, with 2 linear, an activation, softmax and sum in place of the mean | 22 |
const EXPECTED: &[(&str, usize, usize)] = &[
    ("mlp", 2_182_410, 5 + 1 + 2 * 6),
    ("cnn1d", 137_610, 8 + 1 + 2 * 14),
    ("cnn2d", 93_770, 10 + 1 + 2 * 18),
    ("dilated_cnn", 387_722, 45 + 1 + 2 * 44),
    ("sample_cnn", 1_869_874, 25 + 1 + 2 * 46),
    ("res_cnn", 26_980_146, 121 + 1 + 2 * 126),
    ("fcn", 447_732, 14 + 1 + 2 * 24),
    ("crnn", 394_100, 20 + 1 + 2 * 28),
    ("musicnn", 787_312, 31 + 1 + 2 * 42),
    ("matchboxnet", 74_634, 31 + 1 + 2 * 34),
    ("random_wired", 4_336_723, 570 + 1 + 2 * 475),
    ("rnn", 613_898, 6 + 1 + 2 * 18),
    ("lstm", 2_440_202, 6 + 1 + 2 * 18),
    ("gru", 1_831_434, 6 + 1 + 2 * 18),
    ("attention", 2_505_995, 10 + 1 + 2 * 22),
    ("deep_speech2", 12_182_304, 17 + 1 + 2 * 39),
    ("ctc", 0, 1),
    ("las", 13_252_126, 10 + 1 + 2 * 43),
];

fn presets() -> impl Iterator<Item = Preset> {
    let all = sori::bench::presets().into_iter();
    all.filter(|preset| preset.work != Work::Features)
}

fn counted(work: impl FnOnce()) -> PathCounts {
    let before = path_counts();
    work();
    let after = path_counts();
    PathCounts {
        kernels: after.kernels - before.kernels,
        portable: after.portable - before.portable,
    }
}

#[test]
fn a_training_step_takes_the_kernels_everywhere() {
    let mut found = Vec::new();
    for preset in presets() {
        let mut params = 0;
        let counts = counted(|| {
            let timing = preset.time(BackendName::Ndarray, 0, 1).unwrap();
            params = timing.params;
        });
        assert_eq!(counts.portable, 0, "{}", preset.name);
        found.push((preset.name, params, counts.kernels));
    }
    for expected in EXPECTED {
        let preset = found.iter().find(|(name, ..)| *name == expected.0);
        assert_eq!(preset, Some(expected));
    }
}

#[test]
fn inference_takes_the_kernels_everywhere() {
    let preset_has_classes = |p: &Preset| !matches!(p.work, Work::Ctc | Work::Spell);
    for preset in presets().filter(preset_has_classes) {
        let device = Default::default();
        let features = Tensor::<NdArray, 3>::ones([1, preset.frames, preset.bins], &device);
        let counts = counted(|| {
            let lengths = [preset.frames];
            if preset.work == Work::Transcribe {
                let model = preset.recogniser().init::<NdArray>(&device).unwrap();
                let emissions = model.emit(features, &lengths);
                let expected = [1, emissions.lengths[0], preset.outputs];
                assert_eq!(emissions.logits.dims(), expected);
                return;
            }
            let model = preset.model().unwrap().init::<NdArray>(&device).unwrap();
            let Contract::Classifier(network) = model.contract() else {
                panic!("{} is no classifier", preset.name)
            };
            let logits = network.forward(features, &lengths);
            assert_eq!(logits.dims(), [1, preset.outputs]);
        });
        assert!(counts.kernels > 4, "{}: {counts:?}", preset.name);
        assert_eq!(counts.portable, 0, "{}", preset.name);
    }
}

#[test]
fn spelling_takes_the_kernels_everywhere() {
    for preset in presets().filter(|p| p.work == Work::Spell) {
        let device = Default::default();
        let model = preset.speller().init::<NdArray>(&device).unwrap();
        let options = DecodeOptions {
            max_symbols_per_step: 0.1,
            ..Default::default()
        };
        let counts = counted(|| {
            let features = Tensor::ones([1, preset.frames, preset.bins], &device);
            assert_eq!(
                model.transcribe(features, &[preset.frames], options).len(),
                1
            );
        });
        assert!(counts.kernels > 10, "{}: {counts:?}", preset.name);
        assert_eq!(counts.portable, 0, "{}", preset.name);
    }
}
