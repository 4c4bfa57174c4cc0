//! The attention of a speller after more and more epochs.

use std::fs::read_to_string;
use std::path::Path;

use sori::burn::backend::NdArray;
use sori::{Predictor, RunFolder};

use crate::Error;
use crate::draw::{HeatMap, picture};
use crate::heard;

/// Draws what each run wrote of a recording and where it attended: a row for each symbol, the first on
/// top.
pub fn draw(audio: &Path, out: &Path, runs: &[&str]) -> Result<(), Error> {
    let mut panels = Vec::new();
    for path in runs {
        let run = RunFolder::open(Path::new(path))?;
        let waveform = heard::waveform(&run, audio)?;
        let predictor = Predictor::<NdArray>::open(&run, &Default::default())?;
        let prediction = predictor.predict(&waveform, predictor.default_windows())?;
        let Some(alignment) = prediction.alignment else {
            return Err(format!("{path} does not attend to a recording; las does").into());
        };
        // The best epoch so far: a line an epoch, and a copy of a run may have been made before its end.
        let lines = read_to_string(Path::new(path).join("metrics.jsonl"))?;
        let best = lines.lines().enumerate();
        let best = best.filter(|(_, line)| line.contains("\"best\":true"));
        let epoch = best.last().map_or(0, |(index, _)| index + 1);
        let title = format!("after epoch {epoch}: {}", prediction.answer);
        println!("{title}");
        let seconds = waveform.duration_s();
        panels.push((title, alignment, seconds));
    }
    let rows = panels.len().div_ceil(2);
    picture(out, 260 * rows as u32, |area| {
        for ((title, alignment, seconds), area) in panels.iter().zip(area.split_evenly((rows, 2))) {
            let steps = alignment.weights.first().map_or(0, Vec::len);
            let of_step = |step: usize| {
                let rows = alignment.weights.iter().rev();
                rows.map(|row| row.get(step).copied().unwrap_or(0.0))
                    .collect()
            };
            let columns: Vec<Vec<f32>> = (0..steps).map(of_step).collect();
            HeatMap {
                title,
                columns: &columns,
                x: ("seconds", 0.0..*seconds),
                y: ("letters, from the top", 0.0..alignment.symbols.len() as f64),
                signed: false,
            }
            .draw(&area)?;
        }
        Ok(())
    })
}
