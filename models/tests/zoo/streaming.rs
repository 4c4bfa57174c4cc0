//! A recogniser that reads forward alone says the same of a recording in stretches as of the whole.

use burn::module::RunningState;
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Tensor, TensorData, Tolerance};
use burn_ndarray::NdArray;
use proptest::prelude::*;
use sori_models::layers::{Cell, MaskedBatchNorm};
use sori_models::{Architecture, DeepSpeech2, DeepSpeech2Config, Emitter};

/// The kernels' backend, and one that they leave to the portable expressions.
type Kernels = NdArray<f32>;
type Portable = NdArray<f32, i32>;

fn random<B: Backend, const D: usize>(dims: [usize; D], from: f64, to: f64) -> Tensor<B, D> {
    Tensor::random(dims, Distribution::Uniform(from, to), &Default::default())
}

/// Statistics as training leaves them.
fn trained<B: Backend>(norm: &mut MaskedBatchNorm<B>) {
    let channels = norm.gamma.dims();
    norm.gamma = norm.gamma.clone().map(|x| x + random(channels, -0.2, 0.2));
    norm.beta = norm.beta.clone().map(|x| x + random(channels, -0.2, 0.2));
    norm.running_mean = RunningState::new(random(channels, -0.3, 0.3));
    norm.running_var = RunningState::new(random(channels, 0.5, 1.5));
}

fn model<B: Backend>(config: &DeepSpeech2Config) -> DeepSpeech2<B> {
    let mut model: DeepSpeech2<B> = config.init(&Default::default()).expect("a configuration");
    let convs = model.convs.iter_mut().map(|it| &mut it.norm);
    let recurrent = model.recurrent.iter_mut().filter_map(|it| it.norm.as_mut());
    let connected = model.fully_connected.iter_mut().map(|it| &mut it.norm);
    convs.chain(recurrent).chain(connected).for_each(trained);
    model
}

/// What the model says of the whole, and of all stretches of it; and that each step comes as soon as
/// it can.
fn both<B: Backend>(
    config: &DeepSpeech2Config,
    frames: usize,
    cuts: &[usize],
) -> [(Vec<f32>, TensorData); 2] {
    let model = model::<B>(config);
    let features: Tensor<B, 3> = random([1, frames, config.num_bins], -2.0, 2.0);
    let whole = model.emit(features.clone(), &[frames]).logits;
    let mut stream = model.stream().expect("it reads forward");
    assert_eq!(stream.look_ahead_frames(), config.look_ahead_frames());
    let (mut said, mut from, mut steps) = (Vec::new(), 0, 0);
    let period = config.num_steps(1 << 16);
    let frames_per_step = (1 << 16) / period;
    let mut cuts = cuts.iter().cycle();
    while from < frames {
        let cut = cuts.next().map_or(1, |&cut| cut.min(frames - from));
        let stretch = features.clone().narrow(1, from, cut);
        from += cut;
        if let Some(logits) = stream.push(stretch) {
            steps += logits.dims()[1];
            said.push(logits);
        }
        let heard = from.saturating_sub(config.look_ahead_frames());
        assert_eq!(
            steps,
            heard.div_ceil(frames_per_step),
            "after {from} frames"
        );
    }
    said.extend(stream.finish());
    let said = Tensor::cat(said, 1).into_data();
    let whole = whole.into_data();
    [said, whole].map(|data| (data.to_vec::<f32>().expect("of f32"), data))
}

fn any_config() -> impl Strategy<Value = (DeepSpeech2Config, Vec<usize>)> {
    let cell = prop_oneof![Just(Cell::Elman), Just(Cell::Lstm), Just(Cell::Gru)];
    let layer = (0usize..6, 0usize..3, 0u32..2, 1usize..3, 1usize..5);
    let above = (0usize..6, 1usize..40, 1usize..4, any::<bool>(), 0usize..3);
    let cuts = prop::collection::vec(1usize..30, 1..12);
    (
        cell,
        prop::collection::vec(layer, 1..4),
        above,
        1usize..12,
        cuts,
    )
        .prop_map(
            |(
                cell,
                layers,
                (lookahead, d_hidden, num_layers, recurrent_norm, connected),
                num_bins,
                cuts,
            )| {
                let config = DeepSpeech2Config {
                    num_bins,
                    num_symbols: 5,
                    channels: layers.iter().map(|layer| layer.4).collect(),
                    kernels: layers
                        .iter()
                        .map(|layer| [2 * layer.0 + 1, 2 * layer.1 + 1])
                        .collect(),
                    // Powers of two, also longer than the kernel.
                    strides: layers.iter().map(|layer| [1 << layer.2, layer.3]).collect(),
                    cell,
                    d_hidden,
                    num_layers,
                    bidirectional: false,
                    recurrent_norm,
                    lookahead,
                    d_fully_connected: vec![7; connected],
                    ..Default::default()
                };
                (config, cuts)
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn stretches_say_what_the_whole_says_bit_by_bit((config, cuts) in any_config(), frames in 1usize..120) {
        let [(said, _), (whole, _)] = both::<Kernels>(&config, frames, &cuts);
        let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&said), bits(&whole));
    }

    #[test]
    fn portable_expressions_say_the_same_to_rounding((config, cuts) in any_config(), frames in 1usize..60) {
        let [(_, said), (_, whole)] = both::<Portable>(&config, frames, &cuts);
        said.assert_approx_eq::<f32>(&whole, Tolerance::rel_abs(1e-4, 1e-4));
    }
}

#[test]
fn a_model_of_the_size_in_use_says_the_same_too() {
    for cell in [Cell::Elman, Cell::Lstm, Cell::Gru] {
        let config = DeepSpeech2Config {
            channels: vec![8, 8],
            cell,
            d_hidden: 160,
            num_layers: 2,
            bidirectional: false,
            lookahead: 8,
            d_fully_connected: vec![64],
            ..Default::default()
        };
        assert_eq!(config.look_ahead_frames(), (8 + 5) * 2 + 5);
        for cuts in [&[1usize][..], &[10], &[700], &[33, 5, 128]] {
            let [(said, _), (whole, _)] = both::<Kernels>(&config, 701, cuts);
            assert!(said == whole, "{cell:?} in stretches of {cuts:?}");
        }
    }
}

#[test]
fn a_model_that_reads_backward_is_refused() {
    let config = DeepSpeech2Config {
        num_bins: 4,
        d_hidden: 3,
        ..Default::default()
    };
    let error = model::<Kernels>(&config)
        .stream()
        .err()
        .map(|error| error.to_string());
    let error = error.unwrap_or_default();
    assert!(
        error.contains("`bidirectional` is true, but must be false"),
        "{error}"
    );
}
