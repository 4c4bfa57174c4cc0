//! The heat map of features over time, part of several pictures.

use plotters::prelude::*;
use sori_datasets::{FeatureConfig, FeatureKind, Features};

use super::canvas::{Area, Drawn, MAX_COLUMNS, color};

/// Draws `features`, extracted under `config`: time in seconds to the right, bins upwards.
pub(super) fn heat_map(
    features: &Features,
    config: &FeatureConfig,
    title: &str,
    area: &Area<'_>,
) -> Drawn {
    let seconds = features.frames as f64 * config.frame_period_s();
    let group = features.frames.div_ceil(MAX_COLUMNS).max(1);
    let columns = features.frames.div_ceil(group);
    // Magnitudes and powers span orders of magnitude, so they are shown in decibels.
    let decibels = match config.kind {
        FeatureKind::Spectrogram => Some(20.0),
        FeatureKind::PowerSpectrogram | FeatureKind::Mel => Some(10.0),
        _ => None,
    };
    let value = |frame: usize, bin: usize| {
        let raw = features.row(frame)[bin];
        decibels.map_or(raw, |factor| factor * raw.max(1e-10).log10())
    };
    let cell = |column: usize, bin: usize| {
        (column * group..((column + 1) * group).min(features.frames))
            .map(|frame| value(frame, bin))
            .fold(f32::NEG_INFINITY, f32::max)
    };
    let cells: Vec<f32> = (0..columns)
        .flat_map(|column| (0..features.bins).map(move |bin| (column, bin)))
        .map(|(column, bin)| cell(column, bin))
        .collect();
    let range = |cells: &mut dyn Iterator<Item = f32>| {
        cells.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        })
    };
    let (low, high) = range(&mut cells.iter().copied());
    let low = match decibels {
        Some(_) => low.max(high - 80.0),
        None => low,
    };
    // Coefficients differ in size, so each has a colour range of its own.
    let ranges: Vec<(f32, f32)> = match is_spectrum(config) {
        true => vec![(low, high); features.bins],
        false => (0..features.bins)
            .map(|bin| range(&mut cells.iter().skip(bin).step_by(features.bins).copied()))
            .collect(),
    };

    let (description, label) = bin_axis(config);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(0.0..seconds, 0.0..features.bins as f64)?;
    let width = seconds / columns as f64;
    chart.draw_series(cells.iter().enumerate().map(|(i, value)| {
        let (column, bin) = (i / features.bins, i % features.bins);
        let x = column as f64 * width;
        let (low, high) = ranges[bin];
        let color = color(*value, low, high);
        Rectangle::new(
            [(x, bin as f64), (x + width, bin as f64 + 1.0)],
            color.filled(),
        )
    }))?;
    chart
        .configure_mesh()
        .disable_mesh()
        .x_desc("seconds")
        .y_desc(description)
        .y_label_formatter(&|bin| label(*bin))
        .label_style(("sans-serif", 14))
        .draw()?;
    Ok(())
}

/// Whether the bins are frequencies, from low to high.
fn is_spectrum(config: &FeatureConfig) -> bool {
    config.kind != FeatureKind::Mfcc && config.deltas == 0
}

/// The description of the axis of bins, and the label of a position on it.
fn bin_axis(config: &FeatureConfig) -> (&'static str, Box<dyn Fn(f64) -> String>) {
    let rate = f64::from(config.sample_rate_hz);
    match config.kind {
        FeatureKind::Spectrogram
        | FeatureKind::PowerSpectrogram
        | FeatureKind::Log1pSpectrogram
            if config.deltas == 0 =>
        {
            let top = (config.num_bins() - 1) as f64;
            (
                "hertz",
                Box::new(move |bin| format!("{:.0}", bin / top * rate / 2.0)),
            )
        }
        FeatureKind::Mel | FeatureKind::LogMel | FeatureKind::MelDb if config.deltas == 0 => {
            let config = config.clone();
            // The cell of a bin spans from its number to the next, so the bin peaks in the middle.
            (
                "hertz (mel scale)",
                Box::new(move |bin| format!("{:.0}", config.mel_peak_hz(bin - 0.5))),
            )
        }
        _ => (
            "coefficient, each in its range",
            Box::new(|bin| format!("{bin:.0}")),
        ),
    }
}
