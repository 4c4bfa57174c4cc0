//! Sound scenes: which one to three of twelve kinds of sound occur in three seconds.
//!
//! Events begin anywhere, last one to two and a half seconds, so that they overlap more often than
//! not, and differ in level by up to 10 dB; a quiet noise lies behind them. Several kinds share
//! their spectrum and differ in how it moves: a dial tone is steady and a busy tone interrupted, a
//! siren wails and a chirp only ever glides one way, an alarm changes pitch a few times a second
//! and a telephone's ringer twenty times.
//!
//! Dial and busy tone are those of ITU-T E.180/Q.35
//! (<https://www.itu.int/rec/T-REC-E.180>): one tone of 400 to 450 Hz, the dial tone perhaps with a
//! second of 340 to 375 Hz; the busy tone's cycle lasts 300 to 1100 ms (here at most 800), its tone
//! 0.67 to 1.5 times as long as its silence. A bell's partials stand to its prime as those of a
//! minor-third church bell: 0.5, 1, 1.2, 1.5, 2 and above.

use std::f64::consts::TAU;

use super::spectrum::{harmonics, pink};
use crate::Waveform;
use crate::draw::Draw;
use crate::level::{decibels, mean_power_f64 as mean_power, scaled_to_peak};
use crate::named::named;
use crate::part::Part;

/// Sample rate of the scenes.
pub const SAMPLE_RATE_HZ: u32 = 16_000;
/// Clips of the training part, unless `size=` says otherwise; validation and test have a fifth.
pub const DEFAULT_SIZE: usize = 1600;
/// The seed, unless `seed=` says otherwise.
pub const DEFAULT_SEED: u64 = 0;

const RATE: f64 = SAMPLE_RATE_HZ as f64;
const CLIP_SAMPLES: usize = 3 * SAMPLE_RATE_HZ as usize;
const MAX_EVENTS: usize = 3;
const EVENT_S: (f64, f64) = (1.0, 2.5);
const EVENT_DB: (f64, f64) = (-10.0, 0.0);
/// Level of the quietest event above the background.
const BACKGROUND_DB: (f64, f64) = (10.0, 30.0);
const PEAK: (f64, f64) = (0.1, 0.95);
/// Soft ends of events, and of the tones within them.
const EVENT_RAMP_S: f64 = 0.01;
const TONE_RAMP_S: f64 = 0.005;

named! {
    /// A kind of sound; its name is the tag. Tags count in this order.
    SoundKind, "kind" {
        /// Two pitches in turn, two to six times a second.
        Alarm = "alarm",
        /// Struck once or several times; inharmonic partials that die away.
        Bell = "bell",
        /// Of the telephone: a low tone, interrupted.
        BusyTone = "busy_tone",
        /// A low buzz with all its overtones.
        Buzzer = "buzzer",
        /// Glides up, or glides down, again and again.
        Chirp = "chirp",
        /// Clicks at a steady rate.
        ClickTrain = "click_train",
        /// Of the telephone: one or two low tones, steady.
        DialTone = "dial_tone",
        /// The mains and its overtones.
        Hum = "hum",
        /// Noise of equal power in each octave.
        PinkNoise = "pink_noise",
        /// Of a telephone: two pitches in turn, 16 to 25 times a second.
        Ringer = "ringer",
        /// Glides up and down without a break.
        Siren = "siren",
        /// Noise of equal power at all frequencies.
        WhiteNoise = "white_noise",
    }
}

/// One clip. Its sound depends on these fields alone, not on the number of clips or their order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SceneClip {
    /// The corpus's seed.
    pub seed: u64,
    /// The part it belongs to.
    pub part: Part,
    /// Its index in the part, counted from 0. Of twelve clips in a row each has another kind for
    /// certain.
    pub index: u32,
}

/// A sound within a clip.
#[derive(Clone, Debug, PartialEq)]
pub struct SoundEvent {
    /// Its kind.
    pub kind: SoundKind,
    /// Its first sample.
    pub start: usize,
    /// Its length in samples.
    pub length: usize,
    /// Its level over that time, relative to the other events of the clip.
    pub level_db: f64,
}

impl SceneClip {
    /// The clip of this seed, part and index.
    #[must_use]
    pub const fn new(seed: u64, part: Part, index: u32) -> Self {
        Self { seed, part, index }
    }

    /// The sounds in it: one to three, each of another kind.
    #[must_use]
    pub fn events(&self) -> Vec<SoundEvent> {
        self.drawn().1
    }

    /// Its sound: three seconds at 16 kHz, within [-1, 1].
    #[must_use]
    pub fn waveform(&self) -> Waveform {
        let layers = self.layers();
        let mut sound = layers.background;
        for (event, samples) in layers.events {
            for (sample, event) in sound[event.start..].iter_mut().zip(samples) {
                *sample += event;
            }
        }
        Waveform {
            samples: scaled_to_peak(&sound, layers.peak),
            sample_rate_hz: SAMPLE_RATE_HZ,
        }
    }

    /// The events, and the random numbers that follow them.
    fn drawn(&self) -> (Draw, Vec<SoundEvent>) {
        let mut draw = Draw::of_clip(self.seed, self.part, self.index);
        let mut others = SoundKind::VALUES.to_vec();
        let mut kind = others.remove(self.index as usize % others.len());
        let mut events = Vec::new();
        for _ in 0..=draw.below(MAX_EVENTS) {
            let length = (draw.between(EVENT_S) * RATE) as usize;
            events.push(SoundEvent {
                kind,
                start: draw.below(CLIP_SAMPLES - length + 1),
                length,
                level_db: draw.between(EVENT_DB),
            });
            kind = others.remove(draw.below(others.len()));
        }
        (draw, events)
    }

    fn layers(&self) -> SceneLayers {
        let (mut draw, events) = self.drawn();
        let quietest = events
            .iter()
            .map(|event| event.level_db)
            .fold(f64::INFINITY, f64::min);
        let events = events
            .into_iter()
            .map(|event| {
                let mut samples = sound_of(event.kind, event.length, &mut draw);
                for (n, sample) in samples.iter_mut().enumerate() {
                    *sample *= ramp(n, event.length, EVENT_RAMP_S);
                }
                let samples = scaled_to_level(samples, event.level_db);
                (event, samples)
            })
            .collect();
        let level_db = quietest - draw.between(BACKGROUND_DB);
        SceneLayers {
            events,
            background: scaled_to_level(background(&mut draw), level_db),
            peak: draw.between(PEAK),
        }
    }
}

/// The layers of a clip, before their sum is scaled to `peak`.
struct SceneLayers {
    events: Vec<(SoundEvent, Vec<f64>)>,
    background: Vec<f64>,
    peak: f64,
}

/// The samples with a mean power of `level_db` against 1.
fn scaled_to_level(samples: Vec<f64>, level_db: f64) -> Vec<f64> {
    let scale = decibels(level_db) / mean_power(&samples).sqrt();
    samples.into_iter().map(|sample| sample * scale).collect()
}

/// From 0 to 1 and back, at sample `n` of `length`.
fn ramp(n: usize, length: usize, seconds: f64) -> f64 {
    let from_end = (n + 1).min(length.saturating_sub(n));
    (from_end as f64 / (seconds * RATE)).min(1.0)
}

/// Noise somewhere between white and pink.
fn background(draw: &mut Draw) -> Vec<f64> {
    let pinkness = draw.unit();
    let white = scaled_to_level(draw.normals(CLIP_SAMPLES), 0.0);
    let pink = scaled_to_level(pink(draw.normals(CLIP_SAMPLES)), 0.0);
    white
        .into_iter()
        .zip(pink)
        .map(|(white, pink)| (1.0 - pinkness) * white + pinkness * pink)
        .collect()
}

/// A sound of this kind, of any power.
fn sound_of(kind: SoundKind, length: usize, draw: &mut Draw) -> Vec<f64> {
    match kind {
        SoundKind::Alarm => {
            let low_hz = draw.between((800.0, 1800.0));
            let high_hz = low_hz * draw.between((1.15, 1.4));
            let turn_s = 1.0 / draw.between((2.0, 6.0));
            in_turn(length, draw, (low_hz, high_hz), turn_s)
        }
        SoundKind::Ringer => {
            let low_hz = draw.between((800.0, 1800.0));
            let high_hz = low_hz * draw.between((1.15, 1.4));
            let turn_s = 1.0 / draw.between((16.0, 25.0));
            in_turn(length, draw, (low_hz, high_hz), turn_s)
        }
        SoundKind::Bell => bell(length, draw),
        SoundKind::BusyTone => {
            let hz = draw.between((400.0, 450.0));
            let cycle_s = draw.between((0.3, 0.8));
            let tone_to_silence = draw.between((0.67, 1.5));
            let tone_s = cycle_s * tone_to_silence / (1.0 + tone_to_silence);
            interrupted(tone(length, draw, &[1.0], |_| hz), cycle_s, tone_s)
        }
        SoundKind::DialTone => {
            let hz = draw.between((400.0, 450.0));
            let low_hz = draw.between((340.0, 375.0));
            let low_amplitude = f64::from(draw.unit() < 0.5);
            let mut sound = tone(length, draw, &[1.0], |_| hz);
            let low = tone(length, draw, &[low_amplitude], |_| low_hz);
            for (sample, low) in sound.iter_mut().zip(low) {
                *sample += low;
            }
            sound
        }
        SoundKind::Buzzer => {
            let hz = draw.between((120.0, 300.0));
            let partials = (0.45 * RATE / hz) as usize;
            let amplitudes: Vec<f64> = (1..=partials).map(|k| 1.0 / k as f64).collect();
            tone(length, draw, &amplitudes, |_| hz)
        }
        SoundKind::Chirp => {
            let low_hz = draw.between((300.0, 800.0));
            let span = draw.between((3.0, 6.0));
            let sweep_s = draw.between((0.15, 0.6));
            let falls = draw.unit() < 0.5;
            let sound = tone(length, draw, &[1.0], |t| {
                let way = (t / sweep_s).fract();
                low_hz * span.powf(if falls { 1.0 - way } else { way })
            });
            interrupted(sound, sweep_s, sweep_s)
        }
        SoundKind::ClickTrain => clicks(length, draw),
        SoundKind::Hum => {
            let hz = if draw.unit() < 0.5 { 50.0 } else { 60.0 };
            let amplitudes: Vec<f64> = (1..=16)
                .map(|k| draw.between((0.2, 1.0)) / f64::from(k).sqrt())
                .collect();
            tone(length, draw, &amplitudes, |_| hz)
        }
        SoundKind::PinkNoise => pink(draw.normals(length)),
        SoundKind::Siren => {
            let low_hz = draw.between((400.0, 900.0));
            let span = draw.between((1.6, 2.5));
            let wails_hz = draw.between((0.7, 4.0));
            let begin = draw.between((0.0, TAU));
            tone(length, draw, &[1.0, 0.5, 0.25], |t| {
                low_hz * span.powf(0.5 + 0.5 * (begin + TAU * wails_hz * t).sin())
            })
        }
        SoundKind::WhiteNoise => draw.normals(length),
    }
}

/// A tone whose pitch is `hz` at each second, with overtones of these amplitudes.
fn tone(length: usize, draw: &mut Draw, amplitudes: &[f64], hz: impl Fn(f64) -> f64) -> Vec<f64> {
    let mut phase = draw.between((0.0, TAU));
    (0..length)
        .map(|n| {
            phase += TAU * hz(n as f64 / RATE) / RATE;
            harmonics(phase, amplitudes)
        })
        .collect()
}

/// Two pitches in turn, with the overtones of a dull square wave.
fn in_turn(length: usize, draw: &mut Draw, hz: (f64, f64), turn_s: f64) -> Vec<f64> {
    let low_first = draw.unit() < 0.5;
    let sound = tone(length, draw, &[1.0, 0.0, 1.0 / 3.0], |t| {
        if (t / turn_s % 2.0 < 1.0) == low_first {
            hz.0
        } else {
            hz.1
        }
    });
    interrupted(sound, turn_s, turn_s)
}

/// The sound for `on_s` of every `cycle_s`, with soft ends.
fn interrupted(mut sound: Vec<f64>, cycle_s: f64, on_s: f64) -> Vec<f64> {
    let on = (on_s * RATE) as usize;
    for (n, sample) in sound.iter_mut().enumerate() {
        let within = (n as f64 % (cycle_s * RATE)) as usize;
        *sample *= ramp(within, on, TONE_RAMP_S);
    }
    sound
}

fn bell(length: usize, draw: &mut Draw) -> Vec<f64> {
    const PARTIALS: [f64; 8] = [0.5, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0];
    let prime_hz = draw.between((400.0, 1000.0));
    let fade_s = draw.between((0.25, 0.7));
    let strike = (draw.between((0.4, 1.0)) * RATE) as usize;
    let mut sound = vec![0.0; length];
    for ratio in PARTIALS {
        let amplitude = draw.between((0.3, 1.0));
        let phase = draw.between((0.0, TAU));
        // High partials die away first.
        let fade = fade_s * RATE / ratio.sqrt();
        for (n, sample) in sound.iter_mut().enumerate() {
            let since = (n % strike) as f64;
            let ring = (phase + TAU * ratio * prime_hz * since / RATE).sin();
            *sample += amplitude * ring * (-since / fade).exp();
        }
    }
    sound
}

fn clicks(length: usize, draw: &mut Draw) -> Vec<f64> {
    let interval = (RATE / draw.between((4.0, 20.0))) as usize;
    let fade = draw.between((0.001, 0.004)) * RATE;
    (0..length)
        .map(|n| draw.normal() * (-((n % interval) as f64) / fade).exp())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_louder_than_the_background() {
        for index in 0..60 {
            let layers = SceneClip::new(7, Part::Train, index).layers();
            for (event, samples) in &layers.events {
                let behind = &layers.background[event.start..event.start + event.length];
                let ratio = mean_power(samples) / mean_power(behind);
                assert!(
                    ratio > 8.0,
                    "clip {index}: {event:?} is {ratio} times as loud"
                );
                // Not once, by a spike: four clicks a second are 1 in 25 of its 10 ms frames.
                let frames = samples.chunks(SAMPLE_RATE_HZ as usize / 100);
                let (total, loud) = (
                    frames.len(),
                    frames.filter(|frame| mean_power(frame) > mean_power(behind)),
                );
                assert!(loud.count() * 30 > total, "clip {index}: {event:?}");
            }
        }
    }

    #[test]
    fn no_sound_reaches_beyond_its_event() {
        for index in 0..60 {
            for (event, samples) in SceneClip::new(7, Part::Test, index).layers().events {
                assert_eq!(samples.len(), event.length);
                assert!(event.start + event.length <= CLIP_SAMPLES);
                assert!(samples.iter().all(|sample| sample.is_finite()));
            }
        }
    }
}
