//! What units of a fully-connected layer look for: their weights, laid out as the spectrogram.

use std::path::Path;

use sori::RunFolder;
use sori::burn::backend::NdArray;
use sori::models::{Architecture, Mlp, ModelConfig};

use crate::Error;
use crate::draw::{HeatMap, picture};

/// Rows and columns of units in the picture.
const GRID: (usize, usize) = (2, 3);

/// Draws the units of the first layer with the largest weights.
pub fn draw(run: &Path, out: &Path) -> Result<(), Error> {
    let run = RunFolder::open(run)?;
    let ModelConfig::Mlp(config) = &run.settings().model else {
        return Err(format!("{} is not a run of mlp", run.path().display()).into());
    };
    let model: Mlp<NdArray> = config.init(&Default::default())?;
    let model = sori::load_weights(&run, model)?;
    let weight = model.hidden[0].weight.val(); // [frames·bins, d_hidden]
    let [inputs, count] = weight.dims();
    let values: Vec<f32> = weight.into_data().iter().collect();
    let mut units: Vec<Vec<f32>> = (0..count)
        .map(|unit| (0..inputs).map(|at| values[at * count + unit]).collect())
        .collect();
    let size = |unit: &Vec<f32>| unit.iter().map(|w| w * w).sum::<f32>();
    units.sort_by(|a, b| size(b).total_cmp(&size(a)));
    println!("the first layer: {inputs} inputs, {count} units");
    let seconds = config.num_frames as f64 * run.settings().features.frame_period_s();
    picture(out, 440, |area| {
        for (unit, area) in units.iter().zip(area.split_evenly(GRID)) {
            let columns: Vec<Vec<f32>> =
                unit.chunks(config.num_bins).map(<[f32]>::to_vec).collect();
            HeatMap {
                title: "",
                columns: &columns,
                x: ("seconds", 0.0..seconds),
                y: ("mel band", 0.0..config.num_bins as f64),
                signed: true,
            }
            .draw(&area)?;
        }
        Ok(())
    })
}
