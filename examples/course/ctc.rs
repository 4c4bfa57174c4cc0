//! The forward-backward table of CTC, printed and drawn.

#[path = "../lecture_notebook/walk/forward_backward.rs"]
mod forward_backward;

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use sori::burn::backend::NdArray;
use sori::burn::tensor::{Tensor, TensorData};
use sori::models::loss::{CtcOptions, Reduction, ctc, steps_needed};

use crate::Error;
use crate::draw::{Area, Drawn, FONT, of_size, picture};
use forward_backward::{ForwardBackward, PROBABILITIES, paths};

/// How blank, a and b are written.
const SYMBOLS: [char; 3] = ['–', 'a', 'b'];

/// Prints and draws the table of a transcript of a's and b's over four steps.
pub fn draw(out: &Path, transcript: &str) -> Result<(), Error> {
    let symbol = |letter| SYMBOLS[1..].iter().position(|&it| it == letter);
    let labels: Option<Vec<usize>> = transcript
        .chars()
        .map(|letter| Some(1 + symbol(letter)?))
        .collect();
    let labels = labels.ok_or(format!("{transcript}: only a and b can be written"))?;
    if steps_needed(&labels) > PROBABILITIES.len() {
        return Err(format!("{transcript}: no path of four steps reads as this").into());
    }
    let table = ForwardBackward::new(&PROBABILITIES, &labels);
    let all = paths(&PROBABILITIES);
    let mut right: Vec<_> = all.iter().filter(|path| path.2 == labels).collect();
    right.sort_by(|a, b| b.1.total_cmp(&a.1));
    println!(
        "{} of {} paths read as {transcript}, most likely first:",
        right.len(),
        all.len()
    );
    for (path, probability, _) in right.iter().take(5) {
        let text: String = path.iter().map(|&symbol| SYMBOLS[symbol]).collect();
        println!("  {text}  {probability:.4}");
    }
    for (name, rows) in [("α", &table.alpha), ("β", &table.beta)] {
        println!("{name}(t, s)   t = 1       2       3       4");
        for (s, &symbol) in table.states.iter().enumerate() {
            let row: Vec<String> = rows.iter().map(|row| format!("{:8.4}", row[s])).collect();
            println!("  s = {s} {}  {}", SYMBOLS[symbol], row.concat());
        }
    }
    println!("P(symbol at t | {transcript})");
    for (symbol, name) in SYMBOLS.iter().enumerate() {
        let rows = table.occupied();
        let row: Vec<String> = rows
            .iter()
            .map(|row| format!("{:8.4}", row[symbol]))
            .collect();
        println!("        {name}  {}", row.concat());
    }
    let sum: f64 = right.iter().map(|path| path.1).sum();
    println!(
        "P({transcript}) = {:.4} by the table, {sum:.4} by all paths",
        table.probability
    );

    // The library's loss of the same.
    let logits: Vec<f64> = PROBABILITIES.concat().iter().map(|p| p.ln()).collect();
    let logits = TensorData::new(logits, [1, PROBABILITIES.len(), SYMBOLS.len()]);
    let logits = Tensor::<NdArray, 3>::from_data(logits, &Default::default());
    let options = CtcOptions {
        reduction: Reduction::Sum,
        ..CtcOptions::default()
    };
    let loss = ctc(
        logits,
        &[PROBABILITIES.len()],
        std::slice::from_ref(&labels),
        options,
    );
    let loss = f64::from(loss.into_scalar());
    println!("loss {loss:.4} = −ln {:.4}", (-loss).exp());
    assert!(
        (loss + table.probability.ln()).abs() < 1e-5,
        "the same loss"
    );

    let products: Vec<Vec<f64>> = table
        .alpha
        .iter()
        .zip(&table.beta)
        .map(|(alpha, beta)| {
            alpha
                .iter()
                .zip(beta)
                .map(|(a, b)| a * b / table.probability)
                .collect()
        })
        .collect();
    picture(out, 270, |area| {
        let tables = [
            ("α: how it may have come here", &table.alpha),
            ("β: how it may go on", &table.beta),
            ("α β / P: where it is", &products),
        ];
        for ((title, rows), area) in tables.into_iter().zip(area.split_evenly((1, 3))) {
            draw_table(title, rows, &table.states, &area)?;
        }
        Ok(())
    })
}

/// A row for each state, a column for each step, and the value in each cell.
fn draw_table(title: &str, rows: &[Vec<f64>], states: &[usize], area: &Area<'_>) -> Drawn {
    let (left, top, width, height) = (30, 40, 54, 40);
    area.draw(&Text::new(title.to_string(), (left, 12), (FONT, 14)))?;
    let largest = rows.iter().flatten().copied().fold(0.0, f64::max);
    for (s, &symbol) in states.iter().enumerate() {
        let y = top + s as i32 * height;
        let label = Text::new(
            SYMBOLS[symbol].to_string(),
            (left - 14, y + height / 2),
            centred(&BLACK),
        );
        area.draw(&label)?;
        for (t, row) in rows.iter().enumerate() {
            let x = left + t as i32 * width;
            let share = (row[s] / largest) as f32;
            let corners = [(x, y), (x + width - 2, y + height - 2)];
            area.draw(&Rectangle::new(corners, of_size(share).filled()))?;
            let color = if share > 0.6 { &BLACK } else { &WHITE };
            let at = (x + width / 2 - 1, y + height / 2 - 1);
            area.draw(&Text::new(format!("{:.3}", row[s]), at, centred(color)))?;
        }
    }
    let bottom = top + states.len() as i32 * height + 12;
    for t in 0..rows.len() {
        let at = (left + t as i32 * width + width / 2, bottom);
        area.draw(&Text::new(format!("t = {}", t + 1), at, centred(&BLACK)))?;
    }
    Ok(())
}

/// The style of text around its place.
fn centred(color: &RGBColor) -> TextStyle<'_> {
    let middle = Pos::new(HPos::Center, VPos::Center);
    TextStyle::from((FONT, 14).into_font())
        .color(color)
        .pos(middle)
}
