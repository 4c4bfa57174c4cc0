//! How far back in time the gradient of a recurrent layer reaches.

use std::path::Path;

use plotters::prelude::*;
use sori::burn::backend::{Autodiff, NdArray};
use sori::burn::module::Param;
use sori::burn::tensor::backend::Backend;
use sori::burn::tensor::{Distribution, Tensor};
use sori::models::layers::{Cell, RecurrentConfig};

use crate::Error;
use crate::draw::{COLORS, FONT, Line, picture, shown};

type Cpu = Autodiff<NdArray>;

const FRAMES: usize = 100;
const BATCH: usize = 8;
const D_INPUT: usize = 40;
const D_HIDDEN: usize = 64;
/// The smallest gradient in the picture.
const LEAST: f64 = 1e-12;
/// The largest.
const MOST: f64 = 1e3;
/// Frames before the last that are printed.
const PRINTED: [usize; 5] = [0, 10, 20, 50, 99];

/// A recurrent layer with its initial weights, or these changed.
struct Case {
    name: &'static str,
    cell: Cell,
    /// Times the weights of the state.
    scale: f64,
    /// Added to the bias of an LSTM's forget gate.
    forget: f64,
}

const CASES: [Case; 6] = [
    Case {
        name: "Elman",
        cell: Cell::Elman,
        scale: 1.0,
        forget: 0.0,
    },
    Case {
        name: "Elman, state's weights × 2",
        cell: Cell::Elman,
        scale: 2.0,
        forget: 0.0,
    },
    Case {
        name: "Elman, state's weights × 4",
        cell: Cell::Elman,
        scale: 4.0,
        forget: 0.0,
    },
    Case {
        name: "GRU",
        cell: Cell::Gru,
        scale: 1.0,
        forget: 0.0,
    },
    Case {
        name: "LSTM",
        cell: Cell::Lstm,
        scale: 1.0,
        forget: 0.0,
    },
    Case {
        name: "LSTM, forget gate's bias + 3",
        cell: Cell::Lstm,
        scale: 1.0,
        forget: 3.0,
    },
];

/// Prints and draws the norm of the gradient of the last state by each frame of the input, relative to
/// that by the last frame.
pub fn draw(out: &Path) -> Result<(), Error> {
    let mut lines = Vec::new();
    let distances = PRINTED.map(|distance| format!("{distance:>10}"));
    println!("{:<30}{}", "frames before the last", distances.concat());
    for (case, color) in CASES.iter().zip(COLORS) {
        let norms = norms(case)?;
        let last = norms[FRAMES - 1];
        let relative = |distance: usize| norms[FRAMES - 1 - distance] / last;
        let printed = PRINTED.map(|distance| format!("{:>10.1e}", relative(distance)));
        println!("{:<30}{}", case.name, printed.concat());
        let points = (0..FRAMES).map(|distance| (distance as f64, relative(distance)));
        lines.push(Line {
            name: case.name,
            points: points
                .filter(|(_, value)| (LEAST..=MOST).contains(value))
                .collect(),
            color,
        });
    }
    picture(out, 420, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(72)
            .build_cartesian_2d(0.0..FRAMES as f64 - 1.0, (LEAST..MOST).log_scale())?;
        chart
            .configure_mesh()
            .x_desc("frames before the last")
            .x_label_formatter(&shown)
            .y_desc("gradient, relative to the last frame's")
            .y_label_formatter(&|value| format!("{value:.0e}"))
            .label_style((FONT, 14))
            .light_line_style(WHITE)
            .draw()?;
        for line in &lines {
            let style = line.color.stroke_width(2);
            chart
                .draw_series(LineSeries::new(line.points.iter().copied(), style))?
                .label(line.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .label_font((FONT, 14))
            .draw()?;
        Ok(())
    })
}

/// The norm of the gradient by each frame.
fn norms(case: &Case) -> Result<Vec<f64>, Error> {
    let device = Default::default();
    Cpu::seed(&device, 0);
    let config = RecurrentConfig {
        cell: case.cell,
        d_input: D_INPUT,
        d_hidden: D_HIDDEN,
        num_layers: 1,
        bidirectional: false,
        dropout: 0.0,
    };
    let mut stack = config.init::<Cpu>(&device)?;
    let direction = &mut stack.layers[0].forward;
    let state = (direction.weight_state.val() * case.scale).detach();
    direction.weight_state = Param::from_tensor(state);
    if case.cell == Cell::Lstm {
        // The gates lie in the order i, f, g, o.
        let zeros = || Tensor::<Cpu, 1>::zeros([D_HIDDEN], &device);
        let more = vec![zeros(), zeros() + case.forget, zeros(), zeros()];
        let bias = (direction.bias_input.val() + Tensor::cat(more, 0)).detach();
        direction.bias_input = Param::from_tensor(bias);
    }

    let normal = Distribution::Normal(0.0, 1.0);
    let x = Tensor::<Cpu, 3>::random([BATCH, FRAMES, D_INPUT], normal, &device).require_grad();
    let last = stack.forward(x.clone(), &[FRAMES; BATCH]).last; // [batch, d_hidden]
    let somewhere = Tensor::random(last.dims(), normal, &device);
    let gradients = (last * somewhere).sum().backward();
    let by_x = x.grad(&gradients).ok_or("no gradient")?; // [batch, frames, d_input]
    let values: Vec<f32> = by_x.into_data().iter().collect();
    let mut squares = vec![0.0; FRAMES];
    for (at, value) in values.iter().enumerate() {
        squares[at / D_INPUT % FRAMES] += f64::from(*value).powi(2);
    }
    Ok(squares.into_iter().map(f64::sqrt).collect())
}
