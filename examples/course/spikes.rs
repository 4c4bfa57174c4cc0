//! The spikes of a recogniser trained by CTC.

use std::path::Path;

use plotters::prelude::*;
use sori::burn::backend::NdArray;
use sori::models::Architecture;
use sori::{Predictor, RunFolder};

use crate::Error;
use crate::draw::{COLORS, FONT, HeatMap, picture, shown};
use crate::heard;

/// Prints and draws the probability of each symbol at each step, over the spectrogram.
pub fn draw(run: &Path, audio: &Path, out: &Path) -> Result<(), Error> {
    let run = RunFolder::open(run)?;
    let waveform = heard::waveform(&run, audio)?;
    let predictor = Predictor::<NdArray>::open(&run, &Default::default())?;
    let answer = predictor
        .predict(&waveform, predictor.default_windows())?
        .answer;
    let symbols = run.info().labels.len() + 1; // and the blank, which comes first
    let logits = predictor.logits(&waveform)?;
    let steps: Vec<Vec<f64>> = logits.chunks(symbols).map(softmax).collect();
    let settings = run.settings();
    let step_s = settings.model.frames_per_step() as f64 * settings.features.frame_period_s();

    let likeliest = |row: &Vec<f64>| (0..symbols).max_by(|&a, &b| row[a].total_cmp(&row[b]));
    let path: Vec<usize> = steps.iter().filter_map(likeliest).collect();
    let blanks = path.iter().filter(|&&symbol| symbol == 0).count();
    println!("{answer}");
    println!(
        "{} steps of {step_s} s; the blank is the likeliest at {blanks}",
        steps.len()
    );
    let name = |symbol: usize| match run.info().labels[symbol - 1].as_str() {
        " " => "␣".to_string(),
        label => label.to_string(),
    };
    let text: String = path
        .iter()
        .map(|&at| if at == 0 { "–".to_string() } else { name(at) })
        .collect();
    println!("the likeliest path: {text}");

    let (features, config) = heard::spectrogram(&waveform)?;
    let seconds = features.frames as f64 * config.frame_period_s();
    picture(out, 460, |area| {
        let (above, below) = area.split_vertically(220);
        let mut chart = ChartBuilder::on(&above)
            .caption(answer.to_string(), (FONT, 16))
            .margin(8)
            .x_label_area_size(36)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..seconds, 0.0..1.15)?;
        chart
            .configure_mesh()
            .disable_mesh()
            .x_desc("seconds")
            .y_desc("probability")
            .x_label_formatter(&shown)
            .y_label_formatter(&shown)
            .label_style((FONT, 13))
            .draw()?;
        let curve = |symbol: usize| {
            let points = steps.iter().enumerate();
            points.map(move |(step, row)| (step as f64 * step_s, row[symbol]))
        };
        chart.draw_series(LineSeries::new(curve(0), RGBColor(190, 190, 190)))?;
        for symbol in 1..symbols {
            let color = COLORS[symbol % COLORS.len()];
            if path.contains(&symbol) {
                chart.draw_series(LineSeries::new(curve(symbol), color.stroke_width(2)))?;
            }
        }
        let mut before = 0;
        for (step, &symbol) in path.iter().enumerate() {
            if symbol != 0 && symbol != before {
                let at = (step as f64 * step_s, 1.13);
                let style = (FONT, 15).into_font().color(&COLORS[symbol % COLORS.len()]);
                chart.draw_series([Text::new(name(symbol), at, style)])?;
            }
            before = symbol;
        }
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

/// Probabilities of logits.
fn softmax(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits
        .iter()
        .map(|&z| f64::from(z - largest).exp())
        .collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}
