//! The heat map of features over time, part of several pictures.

use sori_datasets::{FeatureConfig, FeatureKind, Features, features::Normalize};

use super::canvas::Canvas;
use super::color_map::ColorMap;
use super::panel::{Axis, BAR, Panel};
use super::scale::{Tick, whole_ticks};

/// The range of a picture of logarithms, in decibels: what is further below the loudest is as dark as
/// silence.
const RANGE_DB: f32 = 80.0;

/// Draws `features`, extracted under `config`, in the part `[left, top, width, height]` of a canvas: time
/// in seconds to the right, bins upwards, and a bar that says what the colours are.
pub(super) fn heat_map(
    canvas: &mut Canvas,
    area: [f32; 4],
    features: &Features,
    config: &FeatureConfig,
    title: &str,
) {
    let panel = Panel::within(area, BAR);
    let time = Axis::seconds(features.frames as f64 * config.frame_period_s());
    let shades = Shades::of(features, config);
    panel.cells(
        canvas,
        [features.frames, features.bins],
        shades.map,
        |frame, bin| shades.place(features.row(frame)[bin], bin),
    );
    panel.frame(canvas, title, &time, &bin_axis(config));
    panel.bar(canvas, shades.map, &shades.unit, shades.limits);
}

/// The colours of features.
pub(super) struct Shades {
    pub(super) map: ColorMap,
    /// The ends of the bar of colours, and the unit between them.
    pub(super) limits: [f64; 2],
    pub(super) unit: String,
    rows: Vec<Row>,
}

/// The values of a bin that have the darkest and the brightest colour.
#[derive(Clone, Copy)]
enum Row {
    /// From the least value to the largest.
    Level(f32, f32),
    /// As `Level`, from the middle of the scale on.
    UpperHalf(f32, f32),
    /// The largest magnitude of values of both signs.
    Signed(f32),
}

impl Shades {
    /// The colours that features under `config` have in pictures.
    pub(super) fn of(features: &Features, config: &FeatureConfig) -> Self {
        Self::of_several(std::slice::from_ref(features).iter(), config)
    }

    /// The colours that several features have in common.
    pub(super) fn of_several<'a>(
        features: impl Iterator<Item = &'a Features> + Clone,
        config: &FeatureConfig,
    ) -> Self {
        let bins = features.clone().next().map_or(0, |features| features.bins);
        let mut ranges = vec![(f32::INFINITY, f32::NEG_INFINITY); bins];
        for row in features.flat_map(Features::rows) {
            for ((low, high), &value) in ranges.iter_mut().zip(row) {
                if value.is_finite() {
                    (*low, *high) = (low.min(value), high.max(value));
                }
            }
        }
        let whole = |ranges: &[(f32, f32)]| {
            ranges
                .iter()
                .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), range| {
                    (low.min(range.0), high.max(range.1))
                })
        };
        if is_spectrum(config) {
            let (mut low, high) = whole(&ranges);
            if let Some(range) = range_of(config) {
                low = low.max(high - range);
            }
            // Powers and magnitudes begin at nothing.
            if low > 0.0 && range_of(config).is_none() && config.normalize == Normalize::None {
                low = 0.0;
            }
            let (low, high) = if low < high {
                (low, high)
            } else {
                (low, low + 1.0)
            };
            return Self {
                map: ColorMap::Sound,
                limits: [f64::from(low), f64::from(high)],
                unit: unit_of(config).to_string(),
                rows: vec![Row::Level(low, high); bins],
            };
        }
        // Coefficients differ in size, so each has a range of its own. Their sign tells, but for the first
        // cepstrum, which is the level.
        let num_static = bins / (1 + config.deltas);
        let spectrum = whole(&ranges[..num_static]);
        let row = |(bin, &(low, high)): (usize, &(f32, f32))| match config.kind {
            FeatureKind::Mfcc if bin == 0 => Row::UpperHalf(low, high),
            FeatureKind::Mfcc => Row::Signed(low.abs().max(high.abs())),
            _ if bin < num_static => Row::UpperHalf(spectrum.0, spectrum.1),
            _ => Row::Signed(low.abs().max(high.abs())),
        };
        Self {
            map: ColorMap::Signed,
            limits: [-1.0, 1.0],
            unit: "share of the coefficient's range".to_string(),
            rows: ranges.iter().enumerate().map(row).collect(),
        }
    }

    /// The place of a value of a bin on the scale of colours.
    pub(super) fn place(&self, value: f32, bin: usize) -> f32 {
        let share = |low: f32, high: f32| match high > low {
            true => (value - low) / (high - low),
            false => 0.0,
        };
        match self.rows[bin] {
            Row::Level(low, high) => share(low, high),
            Row::UpperHalf(low, high) => 0.5 + 0.5 * share(low, high),
            Row::Signed(most) if most > 0.0 => 0.5 + 0.5 * value / most,
            Row::Signed(_) => 0.5,
        }
    }
}

/// Whether the bins are frequencies, from low to high.
fn is_spectrum(config: &FeatureConfig) -> bool {
    config.kind != FeatureKind::Mfcc && config.deltas == 0
}

/// The range of logarithms that is shown, in their unit.
fn range_of(config: &FeatureConfig) -> Option<f32> {
    match (config.normalize, config.kind) {
        (Normalize::None, FeatureKind::MelDb) => Some(RANGE_DB),
        (Normalize::None, FeatureKind::LogMel) => Some(RANGE_DB / 10.0 * std::f32::consts::LN_10),
        _ => None,
    }
}

/// The unit of the values of a spectrum.
fn unit_of(config: &FeatureConfig) -> &'static str {
    if config.normalize != Normalize::None {
        return "standard deviations";
    }
    match config.kind {
        FeatureKind::Waveform => "amplitude",
        FeatureKind::Spectrogram => "magnitude |X|",
        FeatureKind::PowerSpectrogram => "power |X|²",
        FeatureKind::Log1pSpectrogram => "ln(1 + |X|)",
        FeatureKind::Mel => "mel power (linear)",
        FeatureKind::LogMel => "ln of mel power",
        FeatureKind::Log1pMel => "log10(1 + 10000 · mel power)",
        FeatureKind::MelDb => "mel power (dB)",
        FeatureKind::Mfcc => "cepstrum",
    }
}

/// The axis of bins: bin `i` lies between `i` and `i + 1`.
pub(super) fn bin_axis(config: &FeatureConfig) -> Axis {
    let bins = config.num_bins();
    let ends = [0.0, bins as f64];
    if !is_spectrum(config) {
        let ticks = whole_ticks(0.0, bins.saturating_sub(1) as f64, 8);
        let ticks = ticks.into_iter().map(|tick| Tick {
            at: tick.at + 0.5,
            ..tick
        });
        return Axis::with_ticks("coefficient", ends, ticks.collect());
    }
    match config.kind {
        FeatureKind::Mel | FeatureKind::LogMel | FeatureKind::Log1pMel | FeatureKind::MelDb => {
            Axis::with_ticks("frequency (Hz, mel scale)", ends, mel_ticks(config))
        }
        _ => {
            let bin_hz = f64::from(config.sample_rate_hz) / config.fft_samples() as f64;
            let ends = [-0.5 * bin_hz, (bins as f64 - 0.5) * bin_hz];
            Axis::new("frequency (Hz)", ends, 7)
        }
    }
}

/// Round frequencies at the places of mel filters, not too close to one another.
fn mel_ticks(config: &FeatureConfig) -> Vec<Tick> {
    /// The least distance of two ticks, as a share of the axis.
    const APART: f64 = 0.075;
    let bins = config.num_mels as f64;
    let place = |hz: f64| {
        // The frequency of a filter grows with its number.
        let (mut low, mut high) = (-0.5, bins - 0.5);
        if !(config.mel_peak_hz(low)..=config.mel_peak_hz(high)).contains(&hz) {
            return None;
        }
        for _ in 0..40 {
            let middle = f64::midpoint(low, high);
            match config.mel_peak_hz(middle) < hz {
                true => low = middle,
                false => high = middle,
            }
        }
        Some(low + 0.5)
    };
    let mut ticks: Vec<Tick> = Vec::new();
    for factor in [1.0, 2.0, 5.0, 3.0, 4.0] {
        for power in 1..=5 {
            let hz = factor * 10f64.powi(power);
            let Some(at) = place(hz) else { continue };
            if ticks.iter().all(|tick| (tick.at - at).abs() > APART * bins) {
                let label = format!("{hz:.0}");
                ticks.push(Tick { at, label });
            }
        }
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(kind: FeatureKind) -> FeatureConfig {
        FeatureConfig {
            kind,
            num_mfccs: 2,
            ..FeatureConfig::default()
        }
    }

    #[test]
    fn silence_is_dark_in_every_kind_of_feature() {
        // Two frames: a sound, then silence.
        for (kind, sound, silence) in [
            (FeatureKind::Mel, [4.0, 1.0], [0.0, 0.0]),
            (FeatureKind::Spectrogram, [2.0, 1.0], [0.0, 0.0]),
            (FeatureKind::MelDb, [6.0, -20.0], [-74.0, -74.0]),
            (FeatureKind::LogMel, [1.4, -4.6], [-23.0, -23.0]),
            (FeatureKind::Mfcc, [-50.0, 30.0], [-450.0, 0.0]),
        ] {
            let features = Features {
                frames: 2,
                bins: 2,
                values: [sound, silence].concat(),
            };
            let shades = Shades::of(&features, &config(kind));
            for (bin, value) in silence.into_iter().enumerate() {
                let weight = shades.map.weight(shades.place(value, bin));
                assert!(weight < 0.01, "{kind}: {weight}");
            }
        }
    }

    #[test]
    fn mel_ticks_are_round_and_lie_at_their_filters() {
        let config = config(FeatureKind::LogMel);
        let ticks = mel_ticks(&config);
        assert!(ticks.len() >= 5, "{ticks:?}");
        for tick in ticks {
            let hz = config.mel_peak_hz(tick.at - 0.5);
            let said: f64 = tick.label.parse().unwrap();
            assert!((hz - said).abs() < 1e-3 * said, "{hz} at {said}");
        }
    }
}
