//! The frames that a classifier attends to.

use std::path::Path;

use sori::burn::backend::NdArray;
use sori::burn::tensor::{Tensor, TensorData};
use sori::models::{Architecture, Attention, ModelConfig};
use sori::{Predictor, RunFolder};

use plotters::prelude::*;

use crate::Error;
use crate::draw::{COLORS, FONT, HeatMap, picture, shown};
use crate::heard;

/// Draws the weights of the frames of a recording over its spectrogram.
pub fn draw(run: &Path, audio: &Path, out: &Path) -> Result<(), Error> {
    let run = RunFolder::open(run)?;
    let ModelConfig::Attention(config) = &run.settings().model else {
        return Err(format!("{} is not a run of attention", run.path().display()).into());
    };
    let device = Default::default();
    let waveform = heard::waveform(&run, audio)?;
    let predictor = Predictor::<NdArray>::open(&run, &device)?;
    let answer = predictor
        .predict(&waveform, predictor.default_windows())?
        .answer;

    let model: Attention<NdArray> = config.init(&device)?;
    let model = sori::load_weights(&run, model)?;
    let features = heard::features(&run, &waveform)?;
    let data = TensorData::new(features.values, [1, features.frames, features.bins]);
    let weights = model.weights(Tensor::from_data(data, &device), &[features.frames]);
    let weights: Vec<f32> = weights.into_data().iter().collect();
    let step_s = run.settings().features.frame_period_s();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]));
    println!("{answer}, by {} frames of {step_s} s", weights.len());
    for &frame in order.iter().take(5) {
        println!(
            "  {:.2} s  weight {:.3}",
            frame as f64 * step_s,
            weights[frame]
        );
    }
    let (features, config) = heard::spectrogram(&waveform)?;
    let seconds = features.frames as f64 * config.frame_period_s();
    let largest = weights.iter().copied().fold(0.0, f32::max);
    picture(out, 420, |area| {
        let (above, below) = area.split_vertically(160);
        let mut chart = ChartBuilder::on(&above)
            .caption(format!("weights while it answers {answer}"), (FONT, 16))
            .margin(8)
            .x_label_area_size(24)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..seconds, 0.0..1.1 * f64::from(largest))?;
        chart
            .configure_mesh()
            .disable_mesh()
            .y_labels(4)
            .y_desc("weight")
            .x_label_formatter(&shown)
            .y_label_formatter(&shown)
            .label_style((FONT, 13))
            .draw()?;
        let points = weights.iter().enumerate();
        let points = points.map(|(frame, &weight)| (frame as f64 * step_s, f64::from(weight)));
        let style = COLORS[1].stroke_width(2);
        chart.draw_series(LineSeries::new(points, style))?;
        HeatMap {
            title: "",
            columns: &heard::columns(&features),
            x: ("seconds", 0.0..seconds),
            y: ("mel band", 0.0..features.bins as f64),
            signed: false,
        }
        .draw(&below)
    })
}
