//! What learned filters answer to.

use std::f64::consts::TAU;
use std::path::Path;

use sori::RunFolder;
use sori::burn::backend::NdArray;
use sori::burn::tensor::{Tensor, TensorData};
use sori::datasets::synth::dtmf::DtmfClip;
use sori::datasets::{Part, Waveform};
use sori::models::{
    Architecture, Cnn1d, Cnn1dConfig, Cnn2d, Cnn2dConfig, ModelConfig, SampleCnn, SampleCnnConfig,
};

use crate::Error;
use crate::draw::{HeatMap, picture};
use crate::heard;

/// Tones that a network on the waveform hears.
const TONES: usize = 48;
/// Blocks of it that are drawn, counted from 1.
const BLOCKS: [usize; 3] = [1, 3, 5];

/// Draws the filters of a run of `cnn1d`, `cnn2d` or `sample_cnn`.
pub fn draw(run: &Path, out: &Path) -> Result<(), Error> {
    let run = RunFolder::open(run)?;
    match &run.settings().model {
        ModelConfig::Cnn1d(config) => over_time(&run, config, out),
        ModelConfig::Cnn2d(config) => over_both(&run, config, out),
        ModelConfig::SampleCnn(config) => over_samples(&run, config, out),
        _ => {
            let run = run.path().display();
            Err(format!("{run} is not a run of cnn1d, cnn2d or sample_cnn").into())
        }
    }
}

/// What kernels of the first layer over time wait for: the mean of the stretches of sound that each
/// answers most to, all bins high and as many frames wide as the kernel.
fn over_time(run: &RunFolder, config: &Cnn1dConfig, out: &Path) -> Result<(), Error> {
    const GRID: (usize, usize) = (2, 8);
    const CLIPS: u32 = 160;
    const STRETCHES: usize = 40;
    let device = Default::default();
    let model: Cnn1d<NdArray> = config.init(&device)?;
    let conv = sori::load_weights(run, model)?.blocks.remove(0).conv;
    let [kernel, bins, channels] = conv.weight.dims();
    println!("the first layer: {channels} kernels of {kernel} frames × {bins} bins");

    let clips = (0..CLIPS).map(|index| DtmfClip::new(0, Part::Test, index).waveform());
    let mut heard_by = vec![Vec::new(); channels]; // [channel][(answer, clip, frame)]
    let mut rows = Vec::new();
    for (clip, waveform) in clips.enumerate() {
        let features = heard::features(run, &waveform)?;
        let dims = [1, features.frames, bins];
        let x = Tensor::from_data(TensorData::new(features.values.clone(), dims), &device);
        let answers: Vec<f32> = conv.forward(x).into_data().iter().collect();
        for (frame, answers) in answers.chunks(channels).enumerate() {
            if (kernel / 2..features.frames - kernel / 2).contains(&frame) {
                for (channel, &answer) in answers.iter().enumerate() {
                    heard_by[channel].push((answer, clip, frame));
                }
            }
        }
        rows.push(features);
    }
    let mut means = Vec::new();
    for mut answers in heard_by {
        answers.sort_by(|a, b| b.0.total_cmp(&a.0));
        answers.truncate(STRETCHES);
        let mut mean = vec![0.0; kernel * bins];
        for &(_, clip, frame) in &answers {
            let start = (frame - kernel / 2) * bins;
            let stretch = &rows[clip].values[start..][..kernel * bins];
            let share = |value| value / STRETCHES as f32;
            mean.iter_mut()
                .zip(stretch)
                .for_each(|(sum, value)| *sum += share(value));
        }
        // Without how loud it is in all.
        let level = mean.iter().sum::<f32>() / mean.len() as f32;
        mean.iter_mut().for_each(|value| *value -= level);
        means.push(mean);
    }
    // Those with the clearest peak, from low to high.
    let peak = |mean: &Vec<f32>| mean.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    means.sort_by(|a, b| peak(b).total_cmp(&peak(a)));
    means.truncate(GRID.0 * GRID.1);
    let loudest = |mean: &Vec<f32>| mean.iter().position(|&value| value >= peak(mean));
    means.sort_by_key(|mean| loudest(mean).map(|at| at % bins));
    draw_kernels(&means, bins, GRID, 480, out)
}

/// All kernels of the first layer over time and frequency.
fn over_both(run: &RunFolder, config: &Cnn2dConfig, out: &Path) -> Result<(), Error> {
    let model: Cnn2d<NdArray> = config.init(&Default::default())?;
    let weight = sori::load_weights(run, model)?.blocks[0].conv.weight.val();
    let [frames, bins, _, channels] = weight.dims();
    println!("the first layer: {channels} kernels of {frames} frames × {bins} bins");
    let kernels = by_channel(weight.into_data(), channels);
    draw_kernels(&kernels, bins, (4, channels.div_ceil(4)), 400, out)
}

/// Kernels of rows of so many bins, side by side in a grid of rows and columns.
fn draw_kernels(
    kernels: &[Vec<f32>],
    bins: usize,
    grid: (usize, usize),
    height: u32,
    out: &Path,
) -> Result<(), Error> {
    picture(out, height, |area| {
        for (kernel, area) in kernels.iter().zip(area.split_evenly(grid)) {
            let columns: Vec<Vec<f32>> = kernel.chunks(bins).map(<[f32]>::to_vec).collect();
            HeatMap {
                title: "",
                columns: &columns,
                x: ("", 0.0..1.0),
                y: ("", 0.0..1.0),
                signed: true,
            }
            .draw(&area)?;
        }
        Ok(())
    })
}

/// The mean answer of each channel of some blocks to tones of every frequency.
fn over_samples(run: &RunFolder, config: &SampleCnnConfig, out: &Path) -> Result<(), Error> {
    let device = Default::default();
    let model: SampleCnn<NdArray> = config.init(&device)?;
    let model = sori::load_weights(run, model)?;
    let rate = run.settings().features.sample_rate_hz;
    let top = f64::from(rate) / 2.0;
    let mut answers = vec![Vec::new(); BLOCKS.len()]; // [block][tone][channel]
    for tone in 0..TONES {
        let hertz = (tone as f64 + 0.5) * top / TONES as f64;
        let waveform = tone_of(hertz, rate);
        let features = heard::features(run, &waveform)?;
        let data = TensorData::new(features.values, [1, features.frames, features.bins]);
        let (mut x, mut lengths) = (Tensor::from_data(data, &device), vec![features.frames]);
        for (index, block) in model.blocks.iter().enumerate() {
            (x, lengths) = block.forward(x, &lengths);
            if let Some(at) = BLOCKS.iter().position(|&number| number == index + 1) {
                let mean = x.clone().mean_dim(1);
                answers[at].push(mean.into_data().iter::<f32>().collect::<Vec<_>>());
            }
        }
    }
    let titles = BLOCKS.map(|number| format!("block {number}: {} samples", spanned(number)));
    picture(out, 360, |area| {
        let panels = area.split_evenly((1, BLOCKS.len()));
        for ((answers, title), area) in answers.iter().zip(&titles).zip(panels) {
            let columns = by_pitch(answers);
            println!("{title}, {} channels that answer", columns.len());
            HeatMap {
                title,
                columns: &columns,
                x: ("channel", 0.0..columns.len() as f64),
                y: ("hertz", 0.0..top),
                signed: false,
            }
            .draw(&area)?;
        }
        Ok(())
    })
}

/// Samples that a value behind so many blocks depends on: each block after the first, whose windows lie
/// side by side, convolves three steps and keeps the largest of three.
fn spanned(block: usize) -> usize {
    let (mut samples, mut step) = (3, 3);
    for _ in 1..block {
        samples += 2 * step; // the convolution
        samples += 2 * step; // the pooling
        step *= 3;
    }
    samples
}

/// The channels that answer at all, each from 0 to 1, sorted by the frequency they answer to most.
fn by_pitch(answers: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let channels = answers.first().map_or(0, Vec::len);
    let mut columns: Vec<Vec<f32>> = (0..channels)
        .map(|channel| answers.iter().map(|row| row[channel]).collect())
        .filter(|column: &Vec<f32>| column.iter().any(|&value| value > 0.0))
        .collect();
    for column in &mut columns {
        let largest = column.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        column.iter_mut().for_each(|value| *value /= largest);
    }
    let peak = |column: &Vec<f32>| column.iter().position(|&value| value >= 1.0);
    columns.sort_by_key(peak);
    columns
}

/// A second of a tone.
fn tone_of(hertz: f64, sample_rate_hz: u32) -> Waveform {
    let rate = f64::from(sample_rate_hz);
    let sample = |n: u32| 0.5 * (TAU * hertz * f64::from(n) / rate).sin() as f32;
    Waveform {
        samples: (0..sample_rate_hz).map(sample).collect(),
        sample_rate_hz,
    }
}

/// Each output channel's weights; channels are the last axis.
fn by_channel(weight: TensorData, channels: usize) -> Vec<Vec<f32>> {
    let values: Vec<f32> = weight.iter().collect();
    (0..channels)
        .map(|channel| {
            values
                .iter()
                .skip(channel)
                .step_by(channels)
                .copied()
                .collect()
        })
        .collect()
}
