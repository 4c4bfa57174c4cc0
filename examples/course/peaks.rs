//! How CTC makes spikes: its gradient alone, without a network.

use std::path::Path;

use plotters::prelude::*;
use sori::burn::backend::{Autodiff, NdArray};
use sori::burn::tensor::Tensor;
use sori::burn::tensor::activation::softmax;
use sori::models::loss::{CtcOptions, Reduction, ctc};

use crate::Error;
use crate::draw::{COLORS, FONT, picture, shown};

type Cpu = Autodiff<NdArray>;

/// The symbols: the blank, and the letters of the transcript.
const SYMBOLS: [char; 5] = ['–', 's', 'o', 'r', 'i'];
const TRANSCRIPT: [usize; 4] = [1, 2, 3, 4];
/// Steps of the sound that there is none of.
const STEPS: usize = 30;
/// Steps of the descent after which the probabilities are shown.
const SHOWN: [usize; 4] = [0, 10, 30, 300];
const RATE: f64 = 1.0;

/// Prints and draws what becomes of scores that all begin alike, by steps down the gradient of CTC.
pub fn draw(out: &Path) -> Result<(), Error> {
    let device = Default::default();
    let mut scores = Tensor::<Cpu, 3>::zeros([1, STEPS, SYMBOLS.len()], &device);
    let options = CtcOptions {
        reduction: Reduction::Sum,
        ..CtcOptions::default()
    };
    let mut panels = Vec::new();
    for step in 0..=SHOWN[SHOWN.len() - 1] {
        scores = scores.detach().require_grad();
        let loss = ctc(scores.clone(), &[STEPS], &[TRANSCRIPT.to_vec()], options);
        if SHOWN.contains(&step) {
            let values = softmax(scores.clone(), 2).into_data();
            let values: Vec<f32> = values.iter().collect();
            let blank = values.iter().step_by(SYMBOLS.len()).sum::<f32>() / STEPS as f32;
            let loss = loss.clone().into_scalar();
            println!(
                "after {step:4} steps: loss {loss:7.4}, the blank's mean probability {blank:.3}"
            );
            panels.push((format!("after {step} steps"), values));
        }
        let gradients = loss.backward();
        let gradient = scores.grad(&gradients).ok_or("no gradient")?;
        scores = Tensor::from_inner(scores.inner() - gradient * RATE);
    }
    picture(out, 420, |area| {
        let areas = area.split_evenly((2, 2));
        for (index, ((title, values), area)) in panels.iter().zip(areas).enumerate() {
            let mut chart = ChartBuilder::on(&area)
                .caption(title, (FONT, 16))
                .margin(8)
                .x_label_area_size(36)
                .y_label_area_size(56)
                .build_cartesian_2d(1.0..STEPS as f64, 0.0..1.05)?;
            chart
                .configure_mesh()
                .disable_mesh()
                .x_desc("step")
                .y_desc("probability")
                .x_label_formatter(&shown)
                .y_label_formatter(&shown)
                .label_style((FONT, 13))
                .draw()?;
            for (symbol, name) in SYMBOLS.iter().enumerate() {
                let color = match symbol {
                    0 => RGBColor(150, 150, 150),
                    _ => COLORS[symbol - 1],
                };
                let of_symbol = values.iter().skip(symbol).step_by(SYMBOLS.len());
                let points = of_symbol.enumerate();
                let points = points.map(|(step, &value)| (step as f64 + 1.0, f64::from(value)));
                chart
                    .draw_series(LineSeries::new(points, color.stroke_width(2)))?
                    .label(name.to_string())
                    .legend(move |(x, y)| {
                        PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2))
                    });
            }
            // The first is empty enough for the names.
            if index == 0 {
                chart
                    .configure_series_labels()
                    .position(SeriesLabelPosition::UpperRight)
                    .background_style(WHITE.mix(0.8))
                    .label_font((FONT, 13))
                    .draw()?;
            }
        }
        Ok(())
    })
}
