//! What every classifier of the zoo promises. Equality with PyTorch is in `tests/golden/models.rs`.

use crate::gradients::all_gradients;
use burn::module::{AutodiffModule, Module, ModuleVisitor, Param};
use burn::optim::{AdamConfig, GradientsParams, Optimizer};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Bool, Distribution, Int, Tensor, TensorData, Tolerance};
use burn_autodiff::Autodiff;
use burn_ndarray::NdArray;
use sori_models::loss::cross_entropy;
use sori_models::ops::path_counts;
use sori_models::{
    Architecture, Classifier, ConfigError, Model, ModelConfig, Network, Role, catalogue, num_params,
};

type Cpu = Autodiff<NdArray<f32>>;

const NUM_BINS: usize = 6;
const NUM_CLASSES: usize = 4;

/// Every classifier without dropout: at a size that trains in a moment if it is listed here, and
/// otherwise at its default size.
fn small() -> Vec<ModelConfig> {
    let listed = [
        r#"{"name": "mlp", "num_frames": 12, "d_hidden": [16, 8], "dropout": 0.0}"#,
        r#"{"name": "cnn1d", "channels": [8, 8], "dropout": 0}"#,
        r#"{"name": "cnn2d", "channels": [8, 8], "dropout": 0.0}"#,
        r#"{"name": "rnn", "d_hidden": 8, "dropout": 0.0}"#,
        r#"{"name": "lstm", "d_hidden": 8, "dropout": 0.0}"#,
        r#"{"name": "lstm", "d_hidden": 8, "pooling": "last", "dropout": 0.0}"#,
        r#"{"name": "gru", "d_hidden": 8, "bidirectional": false, "dropout": 0.0}"#,
        r#"{"name": "attention", "d_hidden": 8, "d_attention": 5, "dropout": 0.0}"#,
        r#"{"name": "sample_cnn", "first_channels": 6, "channels": [8], "dropout": 0.0}"#,
        r#"{"name": "res_cnn", "first_channels": 6, "channels": [6, 8], "excitation_ratio": 2, "num_levels": 2,
            "block_dropout": 0.0, "dropout": 0.0}"#,
        r#"{"name": "res_cnn", "first_channels": 6, "channels": [8], "convs_per_block": 1, "residual": false,
            "num_levels": 1, "block_dropout": 0.0, "dropout": 0.0}"#,
        r#"{"name": "fcn", "channels": [8, 8], "pools": [[2, 2], [2, 3]], "dropout": 0.0}"#,
        r#"{"name": "cnn1d", "channels": [24], "activation": "sigmoid", "dropout": 0.0}"#,
        r#"{"name": "cnn2d", "channels": [8, 8], "activation": "gelu", "init": "he_normal", "dropout": 0.0}"#,
        r#"{"name": "crnn", "channels": [8, 8], "pools": [[2, 2], [2, 2]], "d_hidden": 8, "dropout": 0.0}"#,
        r#"{"name": "musicnn", "timbral_channels": 6, "temporal_sizes": [9, 5], "temporal_channels": 4,
            "dense_channels": 8, "d_hidden": 32, "dropout": 0.0}"#,
        r#"{"name": "musicnn", "timbral_channels": 6, "temporal_sizes": [9], "temporal_channels": 4,
            "dense_channels": 8, "d_hidden": 32, "relu_first": true, "dropout": 0.0}"#,
        r#"{"name": "matchboxnet", "channels": 8, "kernel_sizes": [3, 5], "num_sub_blocks": 2,
            "outer_channels": 32, "last_kernel_size": 5, "activation": "sigmoid", "dropout": 0.0}"#,
        r#"{"name": "matchboxnet", "channels": 8, "kernel_sizes": [3], "outer_channels": 8, "dropout": 0.0}"#,
        r#"{"name": "dilated_cnn", "channels": 8, "skip_channels": 12, "num_layers_per_cycle": 3, "dropout": 0.0}"#,
        r#"{"name": "dilated_cnn", "channels": 8, "kernel_size": 1, "num_layers_per_cycle": 1, "num_cycles": 1,
            "init": "he_uniform", "dropout": 0.0}"#,
        r#"{"name": "random_wired", "stem_channels": [8], "channels": [8, 8], "num_nodes": 6, "head_channels": 16}"#,
        r#"{"name": "random_wired", "stem_channels": [8], "channels": [8], "num_nodes": 7, "head_channels": 16,
            "graph": "barabasi_albert", "edges_per_node": 3}"#,
        r#"{"name": "random_wired", "stem_channels": [6, 8], "channels": [8], "num_nodes": 8, "head_channels": 16,
            "graph": "erdos_renyi", "kernel_size": 5}"#,
        r#"{"name": "speaker_encoder", "d_hidden": 8, "num_layers": 2, "d_embedding": 128}"#,
        r#"{"name": "crepe", "window_samples": 16, "channels": [6, 8], "first_kernel_size": 6, "first_stride": 2,
            "kernel_size": 4, "dropout": 0.0}"#,
        r#"{"name": "vad", "chunk_samples": 4, "context_samples": 2, "fft_size": 4, "hop_samples": 1,
            "channels": [32, 32], "strides": [1, 2], "d_hidden": 48}"#,
    ]
    .map(|config| serde_json::from_str::<ModelConfig>(config).expect("a valid configuration"));
    let others = catalogue().iter().filter_map(|card| {
        let config = ModelConfig::from_name(card.name).expect("a model of the catalogue");
        let is_listed = listed.iter().any(|config| config.name() == card.name);
        if is_listed || config.role() != Role::Classifier {
            return None;
        }
        let mut fields = serde_json::to_value(config).expect("a configuration is data");
        if let Some(dropout) = fields.get_mut("dropout") {
            *dropout = 0.0.into();
        }
        Some(serde_json::from_value(fields).expect("a valid configuration"))
    });
    let all = listed.iter().cloned().chain(others);
    all.map(|config: ModelConfig| {
        let num_frames = config.fixed_frames().unwrap_or(0);
        config.with_input(num_frames, NUM_BINS, NUM_CLASSES)
    })
    .collect()
}

/// A network as what it is here.
fn classifier<B: Backend>(model: &Model<B>) -> &dyn Classifier<B> {
    model.contract().classifier().expect("a classifier")
}

/// The lengths of a ragged batch in proportion to what the model needs: the shortest length that a
/// test uses is 4.
fn scaled<const N: usize>(config: &ModelConfig, lengths: [usize; N]) -> [usize; N] {
    lengths.map(|length| length * config.min_frames().div_ceil(4))
}

/// One step of Adam on a small ragged batch: the loss before it.
fn one_training_step<B: AutodiffBackend>(config: &ModelConfig, device: &B::Device) -> f32 {
    let mut optimizer = AdamConfig::new().init();
    let model = config.init::<B>(device).expect("a valid configuration");
    let lengths = scaled(config, [12, 5, 8]);
    let features = noise::<B>([3, lengths[0], NUM_BINS], device);
    let targets = Tensor::from_ints([0, 3, 1], device);
    let loss = cross_entropy(classifier(&model).forward(features, &lengths), targets);
    let value = loss.to_data().iter::<f32>().next().expect("a loss");
    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    let stepped: Model<B> = optimizer.step(1e-3, model, gradients);
    assert_finite(&stepped, config.name());
    value
}

fn noise<B: Backend>(dims: [usize; 3], device: &B::Device) -> Tensor<B, 3> {
    Tensor::random(dims, Distribution::Normal(0.0, 1.0), device)
}

fn assert_finite<B: Backend, M: Module<B>>(module: &M, name: &str) {
    struct Finite<'a>(&'a str);
    impl<B: Backend> ModuleVisitor<B> for Finite<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            let data = param.val().into_data();
            assert!(data.iter::<f32>().all(f32::is_finite), "{}", self.0);
        }
    }
    module.visit(&mut Finite(name));
}

#[test]
fn every_model_makes_a_training_step() {
    for config in small() {
        let loss = one_training_step::<Cpu>(&config, &Default::default());
        assert!(loss.is_finite() && loss > 0.0, "{}: {loss}", config.name());
    }
}

#[test]
fn every_operator_of_a_training_step_takes_its_kernel() {
    for config in small() {
        let before = path_counts();
        one_training_step::<Cpu>(&config, &Default::default());
        let after = path_counts();
        let name = config.name();
        assert!(after.kernels > before.kernels, "{name}");
        assert_eq!(after.portable, before.portable, "{name}");
    }
}

#[test]
fn logits_are_batch_by_classes_for_any_length() {
    let device = Default::default();
    for config in small() {
        let model = config
            .init::<NdArray>(&device)
            .expect("a valid configuration");
        for frames in scaled(&config, [4, 12, 31])
            .into_iter()
            .chain([config.min_frames()])
        {
            let lengths = [frames, config.min_frames()];
            let logits =
                classifier(&model).forward(noise([2, frames, NUM_BINS], &device), &lengths);
            assert_eq!(logits.dims(), [2, NUM_CLASSES], "{}", config.name());
        }
    }
}

#[test]
fn a_batch_gives_what_its_items_give_alone() {
    let device = Default::default();
    for config in small() {
        let lengths = scaled(&config, [13, 4, 9, 12, 7]);
        // A few steps first, so that the running statistics are not the initial ones.
        let trained = overfit::<Cpu>(&config, 3).0.valid();
        let batch = noise::<NdArray>([lengths.len(), lengths[0], NUM_BINS], &device);
        let valid = valid_frames(&lengths, lengths[0]);
        for garbage in [1e4, f32::INFINITY, f32::NAN] {
            let batch = batch.clone().mask_fill(valid.clone().bool_not(), garbage);
            let together = classifier(&trained).forward(batch.clone(), &lengths);
            for (row, &length) in lengths.iter().enumerate() {
                let item = batch.clone().narrow(0, row, 1).narrow(1, 0, length);
                let alone = classifier(&trained).forward(item, &[length]).into_data();
                let row = together.clone().narrow(0, row, 1).into_data();
                row.assert_approx_eq::<f32>(&alone, Tolerance::absolute(1e-5));
            }
        }
    }
}

/// `[batch, frames, NUM_BINS]`, true where there is no padding.
fn valid_frames(lengths: &[usize], frames: usize) -> Tensor<NdArray, 3, Bool> {
    let valid: Vec<bool> = lengths
        .iter()
        .flat_map(|&length| (0..frames).map(move |frame| frame < length))
        .collect();
    let valid = TensorData::new(valid, [lengths.len(), frames, 1]);
    let valid = Tensor::<NdArray, 3, Bool>::from_data(valid, &Default::default());
    valid.expand([lengths.len(), frames, NUM_BINS])
}

#[test]
fn padding_changes_no_gradient() {
    let device = Default::default();
    for config in small() {
        let lengths = scaled(&config, [13, 4, 9, 12, 7]);
        let model = config.init::<Cpu>(&device).expect("a valid configuration");
        let batch = noise::<NdArray>([lengths.len(), lengths[0], NUM_BINS], &device);
        let padding = valid_frames(&lengths, lengths[0]).bool_not();
        let gradients = |garbage: f32, more_frames: usize| {
            let features = batch.clone().mask_fill(padding.clone(), garbage);
            let more = Tensor::full([lengths.len(), more_frames, NUM_BINS], garbage, &device);
            let features = Tensor::from_inner(Tensor::cat(vec![features, more], 1));
            let targets = Tensor::from_ints([0, 1, 2, 3, 0], &device);
            let loss = cross_entropy(classifier(&model).forward(features, &lengths), targets);
            all_gradients(&model, &loss.backward())
        };
        let expected = gradients(0.0, 1);
        for (actual, expected) in gradients(f32::NAN, 6).iter().zip(&expected) {
            actual.assert_approx_eq::<f32>(expected, Tolerance::absolute(1e-5));
        }
    }
}

#[test]
fn every_model_overfits_one_batch() {
    for config in small() {
        let (_, loss) = overfit::<Cpu>(&config, 150);
        assert!(
            loss < 0.02,
            "{}: still {loss} after 150 steps",
            config.name()
        );
    }
}

/// So many steps of Adam on one ragged batch: the model and the last loss.
fn overfit<B: AutodiffBackend>(config: &ModelConfig, steps: usize) -> (Model<B>, f32) {
    let device = Default::default();
    B::seed(&device, 7);
    let mut optimizer = AdamConfig::new().init();
    let mut model = config.init::<B>(&device).expect("a valid configuration");
    let lengths = scaled(config, [12, 5, 8, 11]);
    let features = noise::<B>([4, lengths[0], NUM_BINS], &device);
    let targets = Tensor::<B, 1, Int>::from_ints([2, 0, 3, 1], &device);
    let mut last = f32::INFINITY;
    for _ in 0..steps {
        let loss = cross_entropy(
            classifier(&model).forward(features.clone(), &lengths),
            targets.clone(),
        );
        last = loss.to_data().iter::<f32>().next().expect("a loss");
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(1e-2, model, gradients);
    }
    (model, last)
}

#[test]
fn a_model_is_its_record() {
    let device = Default::default();
    for config in small() {
        let (model, _) = overfit::<Cpu>(&config, 2);
        let lengths = scaled(&config, [12, 6]);
        let features = noise::<NdArray>([2, lengths[0], NUM_BINS], &device);
        let before = classifier(&model.valid()).forward(features.clone(), &lengths);
        let fresh = config
            .init::<NdArray>(&device)
            .expect("a valid configuration");
        let restored = fresh.load_record(model.valid().into_record());
        let after = classifier(&restored).forward(features, &lengths);
        after.into_data().assert_eq(&before.into_data(), true);
    }
}

#[test]
fn an_unknown_field_is_refused_by_name() {
    let text = r#"{"name": "gru", "d_hiden": 8}"#;
    let error = serde_json::from_str::<ModelConfig>(text).expect_err("a misspelt field");
    let message = error.to_string();
    assert!(message.contains("unknown field `d_hiden`"), "{message}");
    assert!(message.contains("`d_hidden`"), "{message}");
}

#[test]
fn a_wrong_value_is_refused_with_field_value_and_remedy() {
    let wrong = [
        (
            r#"{"name": "mlp", "num_bins": 0}"#,
            "`num_bins` is 0, but must be from 1 to 1048576",
        ),
        (
            r#"{"name": "mlp", "d_hidden": [5, 0]}"#,
            "`d_hidden` is [5, 0], but must be a list of sizes from 1 to 1048576",
        ),
        (
            r#"{"name": "cnn1d", "channels": []}"#,
            "`channels` is [], but must be a list of at least one size",
        ),
        (
            r#"{"name": "cnn1d", "kernel_size": 4}"#,
            "`kernel_size` is 4, but must be odd, so that a frame lies at its middle",
        ),
        (
            r#"{"name": "cnn2d", "num_bins": 15}"#,
            "`num_bins` is 15, but must be at least 16, since each of 4 blocks keeps one bin of 2",
        ),
        (
            r#"{"name": "rnn", "num_layers": 0}"#,
            "`num_layers` is 0, but must be from 1 to 1048576",
        ),
        (
            r#"{"name": "lstm", "dropout": 1.0}"#,
            "`dropout` is 1.0, but must be at least 0 and below 1",
        ),
        (
            r#"{"name": "crnn", "pools": [[2, 2]]}"#,
            "`pools` is 1, but must be one for each of the 4 blocks",
        ),
        (
            r#"{"name": "musicnn", "timbral_heights": [0.4, 0.0]}"#,
            "`timbral_heights` is [0.4, 0.0], but must be a list of shares of the bins, above 0 and at most 1",
        ),
        (
            r#"{"name": "matchboxnet", "kernel_sizes": [13, 14]}"#,
            "`kernel_sizes` is 14, but must be odd, so that a frame lies at its middle",
        ),
        (
            r#"{"name": "dilated_cnn", "num_layers_per_cycle": 21}"#,
            "`num_layers_per_cycle` is 21, but must be from 1 to 20",
        ),
        (
            r#"{"name": "res_cnn", "channels": [8, 8]}"#,
            "`num_levels` is 3, but must be from 1 to the 2 blocks of `channels`",
        ),
        (
            r#"{"name": "random_wired", "num_nodes": 0}"#,
            "`num_nodes` is 0, but must be from 1 to 1024",
        ),
        (
            r#"{"name": "random_wired", "num_neighbors": 5}"#,
            "`num_neighbors` is 5, but must be even, at least 2 and below the 32 of `num_nodes`",
        ),
        (
            r#"{"name": "random_wired", "rewiring_probability": 1.5}"#,
            "`rewiring_probability` is 1.5, but must be from 0 to 1",
        ),
        (
            r#"{"name": "random_wired", "graph": "barabasi_albert", "num_nodes": 5}"#,
            "`edges_per_node` is 5, but must be at least 1 and below the 5 of `num_nodes`",
        ),
        (
            r#"{"name": "random_wired", "graph": "erdos_renyi", "edge_probability": -0.1}"#,
            "`edge_probability` is -0.1, but must be from 0 to 1",
        ),
        (
            r#"{"name": "crepe", "first_kernel_size": 3}"#,
            "`first_kernel_size` is 3, but must be at least the 4 of `first_stride`, so that every sample is read",
        ),
        (
            r#"{"name": "vad", "strides": [1, 2]}"#,
            "`strides` is 2, but must be one for each of the 4 convolutions",
        ),
        (
            r#"{"name": "gru", "num_classes": 0}"#,
            "`num_classes` is 0, but must be from 1 to 1048576",
        ),
    ];
    for (text, message) in wrong {
        let config: ModelConfig = serde_json::from_str(text).expect("a well-formed configuration");
        let error: ConfigError = config.check().expect_err(text);
        assert_eq!(error.to_string(), message);
        assert_eq!(
            config.init::<NdArray>(&Default::default()).err(),
            Some(error)
        );
    }
}

#[test]
fn running_statistics_are_no_parameters() {
    let device = Default::default();
    let config = ModelConfig::from_name("cnn1d").expect("a model of the zoo");
    let model = config
        .init::<NdArray>(&device)
        .expect("a valid configuration");
    assert_eq!(num_params(&model), 137_610);
    assert_eq!(model.num_params(), 137_610 + 3 * 2 * 128);
}

#[test]
#[should_panic(expected = "row 1 has length 3, but this model takes 4 to 12 of these frames")]
fn a_row_too_short_for_the_poolings_is_a_broken_contract() {
    let config = small().swap_remove(1);
    let device = Default::default();
    let model = config
        .init::<NdArray>(&device)
        .expect("a valid configuration");
    classifier(&model).forward(
        noise([2, 12, NUM_BINS], &device),
        &[12, config.min_frames() - 1],
    );
}
