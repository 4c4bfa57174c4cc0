//! Features in ONNX: from waveforms at the run's rate to the features that the network takes. Values are those
//! of `sori-datasets`, whose `features` say what each step is. Frames and their Fourier transform are one
//! convolution, the window within its weights.

use std::f64::consts::{LOG10_E, TAU};

use sori_datasets::features::{
    BinStats, FeatureConfig, FeatureKind, LOG1P_SCALE, Normalize, PadMode, delta_weights,
};
use sori_models::onnx::{OnnxAttribute, OnnxGraph, OnnxValue, Padded, Time};

/// The front end of a run.
pub(super) struct FrontEnd<'a> {
    /// The features.
    pub(super) config: &'a FeatureConfig,
    /// Mean and deviation of the training part, if they normalise by it.
    pub(super) stats: Option<&'a BinStats>,
    /// The fewest frames that the network takes; shorter rows are padded to them.
    pub(super) min_frames: usize,
}

impl FrontEnd<'_> {
    /// Waveforms `[batch, samples]`, and how many samples of each row are valid, to features `[batch, frames,
    /// bins]`.
    pub(super) fn onnx(
        &self,
        graph: &mut OnnxGraph,
        waveforms: OnnxValue,
        lengths: OnnxValue,
    ) -> Padded {
        let frames = graph.size(waveforms, 1);
        let time = Time { lengths, frames };
        let samples = Padded {
            values: waveforms,
            time,
            rank: 2,
        };
        let samples = samples.zeroed(graph);
        let features = match self.config.kind {
            FeatureKind::Waveform => Padded {
                values: graph.unsqueeze(samples.values, &[2]),
                rank: 3,
                ..samples
            },
            kind => {
                let power = self.power(graph, samples);
                let features = self.of_power(graph, power, kind);
                self.with_deltas(graph, features)
            }
        };
        let features = self.normalized(graph, features);
        let features = features.zeroed(graph);
        self.at_least(graph, features)
    }

    /// The power spectrum `[batch, frames, fft_samples / 2 + 1]`.
    fn power(&self, graph: &mut OnnxGraph, samples: Padded) -> Padded {
        let config = self.config;
        let window = config.window_weights();
        let [fft, width] = [config.fft_samples(), window.len()];
        let bins = fft / 2 + 1;
        // The window stands in the middle of the transform, and its place there changes phases alone.
        let offset = ((fft - width) / 2) as i64;
        let half = if config.centered { fft as i64 / 2 } else { 0 };
        let before = half - offset;
        let after = 2 * half - (fft - width) as i64 - before;
        let padded = match (config.centered, config.pad_mode) {
            (true, PadMode::Reflect) => mirrored(graph, samples, [before, after]),
            _ => graph.pad(samples.values, &[0, before, 0, after]),
        };
        let weights = [f64::cos, f64::sin].iter().flat_map(|wave| {
            let window = &window;
            (0..bins).flat_map(move |bin| {
                window.iter().enumerate().map(move |(sample, &weight)| {
                    let turns = (bin * sample % fft) as f64 / fft as f64;
                    (f64::from(weight) * wave(TAU * turns)) as f32
                })
            })
        });
        let weights = graph.floats(&[2 * bins, 1, width], weights.collect());
        let signal = graph.unsqueeze(padded, &[1]); // [batch, 1, samples]
        let hop = config.hop_samples();
        let strides = ("strides", OnnxAttribute::Ints(vec![hop as i64]));
        let waves = graph.node("Conv", &[signal, weights], &[strides]); // [batch, 2·bins, frames]
        let squares = graph.mul(waves, waves);
        let bins = bins as i64;
        let [real, imaginary] = [(0, bins), (bins, 2 * bins)].map(|(start, end)| {
            graph.slice(squares, 1, start, end) // [batch, bins, frames]
        });
        let power = graph.add(real, imaginary);
        let unused = graph.integer(2 * half - fft as i64);
        let one = graph.integer(1);
        let mut frames_of = |samples| {
            let room = graph.add(samples, unused);
            let hop = graph.integer(hop as i64);
            let more = graph.div(room, hop);
            graph.add(more, one)
        };
        let time = Time {
            lengths: frames_of(samples.time.lengths),
            frames: frames_of(samples.time.frames),
        };
        Padded {
            values: graph.transpose(power, &[0, 2, 1]),
            time,
            rank: 3,
        }
    }

    /// The features of a power spectrum, without derivatives.
    fn of_power(&self, graph: &mut OnnxGraph, power: Padded, kind: FeatureKind) -> Padded {
        let config = self.config;
        let mel = |graph: &mut OnnxGraph| {
            let shape = [config.fft_samples() / 2 + 1, config.num_mels];
            let weights = graph.floats(&shape, config.mel_weights());
            graph.matmul(power.values, weights) // [batch, frames, num_mels]
        };
        let floored_log = |graph: &mut OnnxGraph| {
            let mel = mel(graph);
            let floor = graph.number(config.log_floor);
            let floored = graph.max(mel, floor);
            graph.each("Log", floored)
        };
        let log1p = |graph: &mut OnnxGraph, x| {
            let one = graph.number(1.0);
            let more = graph.add(x, one);
            graph.each("Log", more)
        };
        power.with(match kind {
            FeatureKind::Waveform | FeatureKind::PowerSpectrogram => power.values,
            FeatureKind::Spectrogram => graph.each("Sqrt", power.values),
            FeatureKind::Log1pSpectrogram => {
                let magnitude = graph.each("Sqrt", power.values);
                log1p(graph, magnitude)
            }
            FeatureKind::Mel => mel(graph),
            FeatureKind::LogMel => floored_log(graph),
            FeatureKind::Log1pMel => {
                let mel = mel(graph);
                let [scale, to_tens] = [f64::from(LOG1P_SCALE), LOG10_E].map(|it| graph.number(it));
                let scaled = graph.mul(mel, scale);
                let natural = log1p(graph, scaled);
                graph.mul(natural, to_tens)
            }
            FeatureKind::MelDb | FeatureKind::Mfcc => {
                let natural = floored_log(graph);
                let to_decibels = graph.number(10.0 * LOG10_E);
                let decibels = power.with(graph.mul(natural, to_decibels));
                let decibels = self.within_top(graph, decibels);
                match kind {
                    FeatureKind::Mfcc => {
                        let shape = [config.num_mfccs, config.num_mels];
                        let rows = graph.floats(&shape, config.cosine_weights());
                        let cosines = graph.transpose(rows, &[1, 0]);
                        graph.matmul(decibels, cosines)
                    }
                    _ => decibels,
                }
            }
        })
    }

    /// What is more than `top_db` below the loudest value of a recording, raised to that.
    fn within_top(&self, graph: &mut OnnxGraph, decibels: Padded) -> OnnxValue {
        if self.config.top_db == 0.0 {
            return decibels.values;
        }
        let loudest = decibels.largest(graph); // [batch, num_mels]
        let loudest = graph.largest(loudest, 1); // [batch]
        let range = graph.number(self.config.top_db);
        let lowest = graph.sub(loudest, range);
        let lowest = graph.unsqueeze(lowest, &[1, 2]);
        graph.max(decibels.values, lowest)
    }

    /// Derivatives beside the features; within four frames of an end they are those of the last whole fit.
    fn with_deltas(&self, graph: &mut OnnxGraph, features: Padded) -> Padded {
        let deltas = self.config.deltas;
        if deltas == 0 {
            return features;
        }
        let bins = self.config.num_bins() / (1 + deltas);
        let half = (delta_weights(1).len() / 2) as i64;
        let channels = graph.transpose(features.values, &[0, 2, 1]); // [batch, bins, frames]
        let lengths = graph.unsqueeze(features.time.lengths, &[1]);
        let behind = graph.integer(1 + half);
        let last = graph.sub(lengths, behind);
        let frames = graph.range(features.time.frames);
        let first = graph.integer(half);
        let middles = graph.min(frames, last); // [batch, frames]
        let middles = graph.max(middles, first);
        let mut parts = vec![features.values];
        for order in 1..=deltas {
            let filter = delta_weights(order);
            let weights = (0..bins).flat_map(|_| filter).collect();
            let weights = graph.floats(&[bins, 1, filter.len()], weights);
            let attributes = [
                ("group", OnnxAttribute::Int(bins as i64)),
                ("pads", OnnxAttribute::Ints(vec![half; 2])),
            ];
            let each = graph.node("Conv", &[channels, weights], &attributes);
            let each = graph.transpose(each, &[0, 2, 1]); // [batch, frames, bins]
            parts.push(graph.take_frames(each, middles));
        }
        features.with(graph.concat(&parts, 2))
    }

    fn normalized(&self, graph: &mut OnnxGraph, features: Padded) -> Padded {
        let (mean, scale) = match (self.config.normalize, self.stats) {
            (Normalize::Utterance, _) => {
                let mean = features.mean(graph);
                let mean = graph.unsqueeze(mean, &[1]); // [batch, 1, bins]
                let centred = features.with(graph.sub(features.values, mean));
                let squares = centred.with(graph.mul(centred.values, centred.values));
                let variance = squares.mean(graph);
                let deviation = graph.each("Sqrt", variance);
                let least = graph.number(f64::from(BinStats::MIN_STD));
                let one = graph.number(1.0);
                let is_constant = graph.less(deviation, least);
                let divisor = graph.choose(is_constant, one, deviation);
                let scale = graph.div(one, divisor);
                (mean, graph.unsqueeze(scale, &[1]))
            }
            (Normalize::Corpus, Some(stats)) => {
                let bins = [stats.mean.len()];
                let mean = graph.floats(&bins, stats.mean.clone());
                (mean, graph.floats(&bins, stats.scales()))
            }
            (Normalize::None | Normalize::Corpus, _) => return features,
        };
        let centred = graph.sub(features.values, mean);
        features.with(graph.mul(centred, scale))
    }

    /// At least as many frames as the network takes. The padding counts as valid, as in Sori.
    fn at_least(&self, graph: &mut OnnxGraph, features: Padded) -> Padded {
        if self.min_frames <= 1 {
            return features;
        }
        let least = graph.integer(self.min_frames as i64);
        let time = Time {
            lengths: graph.max(features.time.lengths, least),
            frames: graph.max(features.time.frames, least),
        };
        let missing = graph.sub(time.frames, features.time.frames);
        let missing = graph.unsqueeze(missing, &[0]);
        let [ahead, last] = [&[0; 4][..], &[0]].map(|zeros| graph.integers(zeros));
        let pads = graph.concat(&[ahead, missing, last], 0);
        Padded {
            values: graph.node("Pad", &[features.values, pads], &[]),
            time,
            ..features
        }
    }
}

/// The samples with so many more ahead of and behind each recording, mirrored at its first and last one.
fn mirrored(graph: &mut OnnxGraph, samples: Padded, [before, after]: [i64; 2]) -> OnnxValue {
    let [around, before, zero, one, two] =
        [before + after, before, 0, 1, 2].map(|it| graph.integer(it));
    let size = graph.add(samples.time.frames, around);
    let places = graph.range(size);
    let places = graph.sub(places, before);
    let places = graph.each("Abs", places); // [samples]
    let lengths = graph.unsqueeze(samples.time.lengths, &[1]); // [batch, 1]
    let is_inside = graph.less(places, lengths);
    let last = graph.sub(lengths, one);
    let twice = graph.mul(last, two);
    let back = graph.sub(twice, places);
    let indices = graph.choose(is_inside, places, back);
    let indices = graph.max(indices, zero); // [batch, samples]
    graph.node(
        "GatherElements",
        &[samples.values, indices],
        &[("axis", OnnxAttribute::Int(1))],
    )
}
