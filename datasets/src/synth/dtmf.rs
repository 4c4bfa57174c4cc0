//! Telephone keys: which of sixteen was pressed, somewhere in a second of bad line.
//!
//! A key is two tones at once, one of four low and one of four high frequencies (ITU-T Q.23).
//! Each clip draws when the key goes down, for how long, how loud, how far the two tones are off
//! their frequencies (±1.5 %, the tolerance of Q.24) and in level from each other (twist), and
//! the line's noise. Outside the key-down, single tones, often of the same eight frequencies, and
//! clicks mislead whoever only asks which frequencies occur.

use std::f64::consts::TAU;

use super::spectrum::{harmonics, pink};
use crate::Waveform;
use crate::draw::Draw;
use crate::level::{decibels, mean_power_f64 as mean_power, scaled_to_peak};
use crate::part::Part;

/// Sample rate of a telephone line.
pub const SAMPLE_RATE_HZ: u32 = 8000;
/// The keys, in the order labels count.
pub const KEYS: [char; 16] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', '*', '#',
];
/// Clips of the training part, unless `size=` says otherwise; validation and test have a fifth.
pub const DEFAULT_SIZE: usize = 1600;
/// The seed, unless `seed=` says otherwise.
pub const DEFAULT_SEED: u64 = 0;

/// The keypad by rows and columns (ITU-T Q.23).
const KEYPAD: [[char; 4]; 4] = [
    ['1', '2', '3', 'A'],
    ['4', '5', '6', 'B'],
    ['7', '8', '9', 'C'],
    ['*', '0', '#', 'D'],
];
const ROW_HZ: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMN_HZ: [f64; 4] = [1209.0, 1336.0, 1477.0, 1633.0];

const CLIP_SAMPLES: usize = SAMPLE_RATE_HZ as usize;
const KEY_MS: (f64, f64) = (150.0, 500.0);
const RAMP_SAMPLES: usize = 40;
const MAX_DEVIATION: f64 = 0.015;
const MAX_TWIST_DB: f64 = 6.0;
const SNR_DB: (f64, f64) = (-5.0, 20.0);
const PEAK: (f64, f64) = (0.05, 0.95);
const MAX_DISTRACTORS: usize = 3;
const DISTRACTOR_MS: (f64, f64) = (50.0, 250.0);
const DISTRACTOR_DB: (f64, f64) = (-6.0, 3.0);
const MAX_CLICKS: usize = 3;
/// Silence kept between any two tones.
const GAP_SAMPLES: usize = 160;

/// One clip. Its sound depends on these fields alone, not on the number of clips or their order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DtmfClip {
    /// The corpus's seed.
    pub seed: u64,
    /// The part it belongs to.
    pub part: Part,
    /// Its index in the part, counted from 0. Keys follow each other in the order of [`KEYS`].
    pub index: u32,
}

impl DtmfClip {
    /// The clip of this seed, part and index.
    #[must_use]
    pub const fn new(seed: u64, part: Part, index: u32) -> Self {
        Self { seed, part, index }
    }

    /// The key that is pressed.
    #[must_use]
    pub const fn key(&self) -> char {
        KEYS[self.index as usize % KEYS.len()]
    }

    /// Its sound: one second at 8 kHz, within [-1, 1].
    #[must_use]
    pub fn waveform(&self) -> Waveform {
        let mut draw = Draw::of_clip(self.seed, self.part, self.index);
        let (row, column) = frequencies_hz(self.key());
        let length = milliseconds(draw.between(KEY_MS));
        let start = draw.below(CLIP_SAMPLES - length + 1);
        let twist = decibels(draw.between((-MAX_TWIST_DB, MAX_TWIST_DB)) / 2.0);

        let mut sound = vec![0.0; CLIP_SAMPLES];
        add_tone(&mut sound, &mut draw, (start, length), row, twist);
        add_tone(&mut sound, &mut draw, (start, length), column, 1.0 / twist);
        let key_power = mean_power(&sound[start..start + length]);

        add_distractors(
            &mut sound,
            &mut draw,
            (start, length),
            (key_power / 2.0).sqrt(),
        );
        add_clicks(&mut sound, &mut draw, key_power.sqrt());
        let noise = noise(&mut draw);
        let snr = decibels(draw.between(SNR_DB));
        let noise_scale = (key_power / mean_power(&noise)).sqrt() / snr;
        for (sample, noise) in sound.iter_mut().zip(noise) {
            *sample += noise * noise_scale;
        }

        let peak = draw.between(PEAK);
        Waveform {
            samples: scaled_to_peak(&sound, peak),
            sample_rate_hz: SAMPLE_RATE_HZ,
        }
    }
}

/// The two frequencies of a key in Hz, low and high; those of `1` for what is no key.
fn frequencies_hz(key: char) -> (f64, f64) {
    for (row, keys) in KEYPAD.iter().enumerate() {
        if let Some(column) = keys.iter().position(|&other| other == key) {
            return (ROW_HZ[row], COLUMN_HZ[column]);
        }
    }
    (ROW_HZ[0], COLUMN_HZ[0])
}

fn milliseconds(value: f64) -> usize {
    (value * f64::from(SAMPLE_RATE_HZ) / 1000.0) as usize
}

/// Adds a tone near `hz` of this amplitude, with soft ends and a random phase.
fn add_tone(
    sound: &mut [f64],
    draw: &mut Draw,
    (start, length): (usize, usize),
    hz: f64,
    amplitude: f64,
) {
    let hz = hz * (1.0 + draw.between((-MAX_DEVIATION, MAX_DEVIATION)));
    let phase = draw.between((0.0, TAU));
    let step = TAU * hz / f64::from(SAMPLE_RATE_HZ);
    for (n, sample) in sound[start..start + length].iter_mut().enumerate() {
        let from_end = n.min(length - 1 - n);
        let ramp = ((from_end + 1) as f64 / RAMP_SAMPLES as f64).min(1.0);
        *sample += amplitude * ramp * (phase + step * n as f64).sin();
    }
}

/// Adds single tones that overlap neither the key nor each other.
fn add_distractors(sound: &mut [f64], draw: &mut Draw, key: (usize, usize), amplitude: f64) {
    let mut taken = vec![key];
    for _ in 0..draw.below(MAX_DISTRACTORS + 1) {
        let length = milliseconds(draw.between(DISTRACTOR_MS));
        let start = draw.below(CLIP_SAMPLES - length + 1);
        let hz = if draw.unit() < 0.75 {
            let frequencies = [ROW_HZ, COLUMN_HZ].concat();
            frequencies[draw.below(frequencies.len())]
        } else {
            draw.between((300.0, 3400.0))
        };
        let level = amplitude * std::f64::consts::SQRT_2 * decibels(draw.between(DISTRACTOR_DB));
        let free = taken.iter().all(|&(other, other_length)| {
            start + length + GAP_SAMPLES <= other || other + other_length + GAP_SAMPLES <= start
        });
        if free {
            add_tone(sound, draw, (start, length), hz, level);
            taken.push((start, length));
        }
    }
}

/// Adds clicks that ring for a few milliseconds.
fn add_clicks(sound: &mut [f64], draw: &mut Draw, amplitude: f64) {
    for _ in 0..draw.below(MAX_CLICKS + 1) {
        let start = draw.below(CLIP_SAMPLES);
        let mut level = amplitude * draw.between((1.0, 4.0));
        for sample in sound[start..].iter_mut().take(40) {
            *sample += level * draw.between((-1.0, 1.0));
            level *= 0.85;
        }
    }
}

/// A second of one of four kinds of noise, of any level.
fn noise(draw: &mut Draw) -> Vec<f64> {
    match draw.below(4) {
        0 => white(draw),
        1 => pink(white(draw)),
        2 => hum(draw),
        _ => babble(draw),
    }
}

fn white(draw: &mut Draw) -> Vec<f64> {
    (0..CLIP_SAMPLES).map(|_| draw.normal()).collect()
}

/// The mains and its overtones over a hiss.
fn hum(draw: &mut Draw) -> Vec<f64> {
    let mains_hz = if draw.unit() < 0.5 { 50.0 } else { 60.0 };
    let mut sound: Vec<f64> = (0..CLIP_SAMPLES).map(|_| 0.5 * draw.normal()).collect();
    for overtone in 1..=20 {
        let amplitude = draw.unit() / (overtone as f64).sqrt();
        let phase = draw.between((0.0, TAU));
        let step = TAU * mains_hz * f64::from(overtone) / f64::from(SAMPLE_RATE_HZ);
        for (n, sample) in sound.iter_mut().enumerate() {
            *sample += amplitude * (phase + step * n as f64).sin();
        }
    }
    sound
}

/// Several voice-like sounds at once: gliding harmonics that swell and fade.
fn babble(draw: &mut Draw) -> Vec<f64> {
    let mut sound: Vec<f64> = (0..CLIP_SAMPLES).map(|_| 0.1 * draw.normal()).collect();
    for _ in 0..5 {
        let pitch_hz = draw.between((90.0, 260.0));
        let glide = draw.between((-0.2, 0.2));
        let swell_hz = draw.between((2.0, 6.0));
        let swell_phase = draw.between((0.0, TAU));
        let partials = (3400.0 / pitch_hz / 1.2) as usize;
        let amplitudes: Vec<f64> = (1..=partials)
            .map(|partial| draw.unit() / (partial as f64).sqrt())
            .collect();
        let mut phase = draw.between((0.0, TAU));
        for (n, sample) in sound.iter_mut().enumerate() {
            let part = n as f64 / CLIP_SAMPLES as f64;
            phase += TAU * pitch_hz * (1.0 + glide * part) / f64::from(SAMPLE_RATE_HZ);
            let swell = 0.5 + 0.5 * (swell_phase + TAU * swell_hz * part).sin();
            *sample += swell * harmonics(phase, &amplitudes);
        }
    }
    sound
}
