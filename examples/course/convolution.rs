//! Two kernels on a spectrogram, and pooling.

use std::path::Path;

use sori::burn::backend::NdArray;
use sori::burn::tensor::{Tensor, TensorData};
use sori::datasets::audio;
use sori::models::ops::{Activation, ConvOptions, activate, conv2d, max_pool2d};

use crate::Error;
use crate::draw::{HeatMap, picture};
use crate::heard;

/// Where sound begins: less before, more after, `[frames][bins]`.
const ONSET: [[f32; 3]; 3] = [[-1.0, -1.0, -1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]];
/// A steady tone: more than the bands beside it.
const TONE: [[f32; 3]; 3] = [[-1.0, 2.0, -1.0], [-1.0, 2.0, -1.0], [-1.0, 2.0, -1.0]];

/// Draws what a kernel for onsets and one for tones make of a recording, and their pooling.
pub fn draw(audio: &Path, out: &Path) -> Result<(), Error> {
    let waveform = audio::load(audio, audio::sample_rate_hz(audio)?)?;
    let (features, config) = heard::spectrogram(&waveform)?;
    let (frames, bins) = (features.frames, features.bins);
    let device = Default::default();
    let data = TensorData::new(features.values.clone(), [1, frames, bins, 1]);
    let x = Tensor::<NdArray, 4>::from_data(data, &device);
    let kernels: Vec<f32> = (0..9)
        .flat_map(|at| [ONSET[at / 3][at % 3], TONE[at / 3][at % 3]])
        .collect();
    let weight = Tensor::from_data(TensorData::new(kernels, [3, 3, 1, 2]), &device);
    // Without padding, whose zeros would be an edge.
    let z = conv2d(x.clone(), weight, None, ConvOptions::default()); // [1, frames − 2, bins − 2, 2]
    let a = activate(z.clone(), Activation::Relu);
    let pooled = max_pool2d(a.clone(), [2, 2]); // half as many of both
    println!("x       {:?}", x.dims());
    println!("z       {:?}", z.dims());
    println!("pooled  {:?}", pooled.dims());

    let seconds = frames as f64 * config.frame_period_s();
    let panels = [
        ("the spectrogram", heard::columns(&features)),
        ("kernel for onsets, ReLU", channel(&a, 0)),
        ("kernel for steady tones, ReLU", channel(&a, 1)),
        ("the same, largest of 2 × 2", channel(&pooled, 1)),
    ];
    picture(out, 520, |area| {
        for ((title, columns), area) in panels.iter().zip(area.split_evenly((2, 2))) {
            HeatMap {
                title,
                columns,
                x: ("seconds", 0.0..seconds),
                y: ("band", 0.0..columns[0].len() as f64),
                signed: false,
            }
            .draw(&area)?;
        }
        Ok(())
    })
}

/// One channel as columns of a picture.
fn channel(x: &Tensor<NdArray, 4>, channel: usize) -> Vec<Vec<f32>> {
    let [_, _, bins, _] = x.dims();
    let values: Vec<f32> = x.clone().narrow(3, channel, 1).into_data().iter().collect();
    values.chunks(bins).map(<[f32]>::to_vec).collect()
}
