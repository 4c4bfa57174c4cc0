//! Short messages in Morse code, to be transcribed.
//!
//! Signs and timing are those of Recommendation ITU-R M.1677-1
//! (<https://www.itu.int/rec/R-REC-M.1677>): a dash lasts three dots, the space between the signs of
//! a character one dot, between characters three, between words seven. The speed counts the word
//! PARIS with the space behind it, 50 dots.
//!
//! Each clip draws its message (single characters, groups of up to five and call signs, which no
//! vocabulary helps with, and plain sentences and numbers of two to four words), speed, pitch and
//! level, the unsteadiness of the hand (each mark and space is a little longer or shorter), slow
//! fading, and noise between white and pink. Longer messages are keyed faster, so that no clip lasts
//! more than nine seconds.

use std::f64::consts::{PI, TAU};

use super::spectrum::pink;
use crate::Waveform;
use crate::draw::Draw;
use crate::level::{decibels, mean_power_f64 as mean_power, scaled_to_peak};
use crate::part::Part;

/// Sample rate of the messages.
pub const SAMPLE_RATE_HZ: u32 = 8000;
/// Clips of the training part, unless `size=` says otherwise; validation and test have a fifth.
pub const DEFAULT_SIZE: usize = 1600;
/// The seed, unless `seed=` says otherwise.
pub const DEFAULT_SEED: u64 = 0;

const RATE: f64 = SAMPLE_RATE_HZ as f64;
const WORDS_PER_MINUTE: (f64, f64) = (15.0, 30.0);
/// A dot at one word per minute: a minute by the dots of PARIS.
const DOT_S: f64 = 60.0 / 50.0;
/// The longest message, in dots, and in seconds as far as the speed can see to it.
const MAX_DOTS: u32 = 160;
const MAX_MESSAGE_S: f64 = 7.5;
const LEAD_S: (f64, f64) = (0.1, 0.4);
const PITCH_HZ: (f64, f64) = (400.0, 900.0);
/// Duration of the rise to full amplitude and of the fall from it.
const RISE_S: f64 = 0.005;
/// Standard deviation of the lengths that are keyed, and how many of it there are at most.
const UNSTEADINESS: (f64, f64) = (0.0, 0.1);
const MAX_DEVIATIONS: f64 = 2.0;
const FADE_DB: (f64, f64) = (0.0, 10.0);
const FADE_HZ: (f64, f64) = (0.1, 0.8);
const SNR_DB: (f64, f64) = (0.0, 20.0);
const PEAK: (f64, f64) = (0.1, 0.95);

/// Signs of the letters and figures (M.1677-1, 1.1.1 and 1.1.2).
const CODE: [(char, &str); 36] = [
    ('a', ".-"),
    ('b', "-..."),
    ('c', "-.-."),
    ('d', "-.."),
    ('e', "."),
    ('f', "..-."),
    ('g', "--."),
    ('h', "...."),
    ('i', ".."),
    ('j', ".---"),
    ('k', "-.-"),
    ('l', ".-.."),
    ('m', "--"),
    ('n', "-."),
    ('o', "---"),
    ('p', ".--."),
    ('q', "--.-"),
    ('r', ".-."),
    ('s', "..."),
    ('t', "-"),
    ('u', "..-"),
    ('v', "...-"),
    ('w', ".--"),
    ('x', "-..-"),
    ('y', "-.--"),
    ('z', "--.."),
    ('0', "-----"),
    ('1', ".----"),
    ('2', "..---"),
    ('3', "...--"),
    ('4', "....-"),
    ('5', "....."),
    ('6', "-...."),
    ('7', "--..."),
    ('8', "---.."),
    ('9', "----."),
];

const QUALITIES: [&str; 20] = [
    "old", "red", "cold", "quiet", "young", "heavy", "brave", "lazy", "blue", "tired", "quick",
    "new", "big", "lost", "kind", "grey", "warm", "tall", "odd", "safe",
];
const THINGS: [&str; 32] = [
    "ship", "fox", "lamp", "crew", "whale", "bridge", "queen", "pilot", "zebra", "storm", "jacket",
    "violin", "box", "wizard", "harbor", "engine", "signal", "king", "gull", "anchor", "map",
    "cook", "seal", "radio", "wind", "tide", "clock", "guest", "boat", "owl", "mast", "tent",
];
const DOINGS: [&str; 24] = [
    "sails", "waits", "turns", "calls", "sleeps", "jumps", "glows", "stops", "sinks", "vanishes",
    "sings", "moves", "returns", "hides", "works", "flies", "fell", "ran", "left", "hums", "rose",
    "won", "broke", "asks",
];
const WHENS: [[&str; 2]; 12] = [
    ["at", "dawn"],
    ["at", "noon"],
    ["in", "fog"],
    ["by", "night"],
    ["to", "port"],
    ["off", "shore"],
    ["in", "july"],
    ["up", "river"],
    ["on", "deck"],
    ["in", "may"],
    ["at", "sea"],
    ["on", "ice"],
];

/// One clip. Its sound depends on these fields alone, not on the number of clips or their order.
#[derive(Clone, Debug, PartialEq)]
pub struct MorseClip {
    /// The corpus's seed.
    pub seed: u64,
    /// The part it belongs to.
    pub part: Part,
    /// Its index in the part, counted from 0.
    pub index: u32,
    /// Signal-to-noise ratio while the key is down; drawn between 0 and 20 dB if it is not given.
    /// All else is the same either way.
    pub snr_db: Option<f64>,
}

impl MorseClip {
    /// The clip of this seed, part and index.
    #[must_use]
    pub const fn new(seed: u64, part: Part, index: u32, snr_db: Option<f64>) -> Self {
        Self {
            seed,
            part,
            index,
            snr_db,
        }
    }

    /// The message: words of the letters a to z and figures, with single spaces.
    #[must_use]
    pub fn text(&self) -> String {
        message(&mut self.draw())
    }

    /// The speed of keying, between 15 and 30 words a minute.
    #[must_use]
    pub fn words_per_minute(&self) -> f64 {
        self.hand().words_per_minute
    }

    /// The pitch of its tone, between 400 and 900 Hz.
    #[must_use]
    pub fn pitch_hz(&self) -> f64 {
        self.hand().pitch_hz
    }

    /// Its sound: at most nine seconds at 8 kHz, within [-1, 1].
    #[must_use]
    pub fn waveform(&self) -> Waveform {
        let layers = self.layers();
        let sum: Vec<f64> = layers
            .tone
            .iter()
            .zip(layers.noise)
            .map(|(tone, noise)| tone + noise)
            .collect();
        Waveform {
            samples: scaled_to_peak(&sum, layers.peak),
            sample_rate_hz: SAMPLE_RATE_HZ,
        }
    }

    fn draw(&self) -> Draw {
        Draw::of_clip(self.seed, self.part, self.index)
    }

    /// The keying of the message. The rest of the clip is drawn after it.
    fn hand(&self) -> Hand {
        let mut draw = self.draw();
        let marks = marks(&message(&mut draw));
        let dots = length_in_dots(&marks);
        let slowest = (f64::from(dots) * DOT_S / MAX_MESSAGE_S).max(WORDS_PER_MINUTE.0);
        Hand {
            marks,
            words_per_minute: draw.between((slowest, WORDS_PER_MINUTE.1)),
            unsteadiness: draw.between(UNSTEADINESS),
            pitch_hz: draw.between(PITCH_HZ),
            draw,
        }
    }

    fn layers(&self) -> MorseLayers {
        let Hand {
            marks,
            words_per_minute,
            unsteadiness,
            pitch_hz,
            mut draw,
        } = self.hand();
        let dot_s = DOT_S / words_per_minute;
        let fade_db = draw.between(FADE_DB);
        let fade_hz = draw.between(FADE_HZ);
        let (phase, fade_phase) = (draw.between((0.0, TAU)), draw.between((0.0, TAU)));
        let peak = draw.between(PEAK);
        let snr_db = draw.between(SNR_DB);
        let pinkness = draw.unit();
        let (lead_s, tail_s) = (draw.between(LEAD_S), draw.between(LEAD_S));

        let mut keyed = |dots: u32| {
            let deviations = draw.normal().clamp(-MAX_DEVIATIONS, MAX_DEVIATIONS);
            f64::from(dots) * dot_s * (1.0 + unsteadiness * deviations)
        };
        let mut now_s = lead_s;
        let mut downs = Vec::with_capacity(marks.len());
        for mark in &marks {
            now_s += keyed(mark.space);
            let length_s = keyed(mark.length);
            downs.push(((now_s * RATE) as usize, (length_s * RATE) as usize));
            now_s += length_s;
        }

        let mut tone = vec![0.0; ((now_s + tail_s) * RATE) as usize];
        let mut power = 0.0;
        for &(start, length) in &downs {
            for (n, sample) in tone[start..start + length].iter_mut().enumerate() {
                let seconds = (start + n) as f64 / RATE;
                let fade = 0.5 + 0.5 * (fade_phase + TAU * fade_hz * seconds).sin();
                let amplitude = decibels(-fade_db * fade) * key(n, length);
                *sample = amplitude * (phase + TAU * pitch_hz * seconds).sin();
                power += *sample * *sample;
            }
        }
        let samples_down: usize = downs.iter().map(|(_, length)| length).sum();
        let power = power / samples_down as f64;
        let white = draw.normals(tone.len());
        let colour = pink(draw.normals(tone.len()));
        let (of_white, of_pink) = (
            (1.0 - pinkness) / mean_power(&white).sqrt(),
            pinkness / mean_power(&colour).sqrt(),
        );
        let mut noise: Vec<f64> = white
            .into_iter()
            .zip(colour)
            .map(|(white, pink)| of_white * white + of_pink * pink)
            .collect();
        let snr = decibels(self.snr_db.unwrap_or(snr_db));
        let scale = (power / mean_power(&noise)).sqrt() / snr;
        for sample in &mut noise {
            *sample *= scale;
        }
        MorseLayers { tone, noise, peak }
    }
}

/// The keying of a message.
struct Hand {
    marks: Vec<Mark>,
    words_per_minute: f64,
    unsteadiness: f64,
    pitch_hz: f64,
    draw: Draw,
}

/// The layers of a clip, before their sum is scaled to `peak`.
struct MorseLayers {
    tone: Vec<f64>,
    noise: Vec<f64>,
    peak: f64,
}

/// The amplitude at sample `n` of a key-down: up and down again along a raised cosine.
fn key(n: usize, length: usize) -> f64 {
    let from_end = (n + 1).min(length - n) as f64;
    let way = (from_end / (RISE_S * RATE)).min(1.0);
    0.5 - 0.5 * (PI * way).cos()
}

/// A dot or dash with the space before it, both in dots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    space: u32,
    length: u32,
}

/// The marks of a text; characters without a sign are skipped.
fn marks(text: &str) -> Vec<Mark> {
    let mut marks = Vec::new();
    // No space before the first mark.
    let mut space = 0;
    for character in text.chars() {
        if character == ' ' {
            space = 7;
            continue;
        }
        let signs = CODE.iter().find(|(other, _)| *other == character);
        for sign in signs.iter().flat_map(|(_, signs)| signs.chars()) {
            let length = if sign == '-' { 3 } else { 1 };
            marks.push(Mark { space, length });
            space = 1;
        }
        space = 3;
    }
    marks
}

fn length_in_dots(marks: &[Mark]) -> u32 {
    marks.iter().map(|mark| mark.space + mark.length).sum()
}

/// A message that is not too long.
fn message(draw: &mut Draw) -> String {
    loop {
        let words = sentence(draw).join(" ");
        if length_in_dots(&marks(&words)) <= MAX_DOTS {
            return words;
        }
    }
}

fn sentence(draw: &mut Draw) -> Vec<String> {
    let quality = QUALITIES[draw.below(QUALITIES.len())];
    let thing = THINGS[draw.below(THINGS.len())];
    let doing = DOINGS[draw.below(DOINGS.len())];
    let when = WHENS[draw.below(WHENS.len())];
    let number = (2 + draw.below(98)).to_string();
    let call = call_sign(draw);
    // What beginners practise on, and the place where recognisers begin as well.
    let character = sign(draw).to_string();
    let group: String = (0..2 + draw.below(4)).map(|_| sign(draw)).collect();
    let words: Vec<&str> = match draw.below(12) {
        0 => vec![thing, doing],
        1 => vec![quality, thing],
        2 => vec![quality, thing, doing],
        3 => vec![thing, when[0], when[1]],
        4 => vec![thing, doing, when[0], when[1]],
        5 => vec![number.as_str(), quality, thing],
        6 => vec![thing, number.as_str()],
        7 => vec!["de", call.as_str()],
        8 | 9 => vec![group.as_str()],
        _ => vec![character.as_str()],
    };
    words.into_iter().map(str::to_owned).collect()
}

/// One or two letters, a figure, one to three letters, any of them.
fn call_sign(draw: &mut Draw) -> String {
    let mut call = String::new();
    for _ in 0..=draw.below(2) {
        call.push(letter(draw));
    }
    call.push_str(&draw.below(10).to_string());
    for _ in 0..=draw.below(3) {
        call.push(letter(draw));
    }
    call
}

/// Any letter or figure.
fn sign(draw: &mut Draw) -> char {
    CODE[draw.below(CODE.len())].0
}

fn letter(draw: &mut Draw) -> char {
    char::from(b'a' + draw.below(26) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paris_takes_fifty_dots() {
        let marks = marks("paris");
        // The space behind the word is the next word's.
        assert_eq!(length_in_dots(&marks), 43);
        let lengths: Vec<u32> = marks.iter().map(|mark| mark.length).collect();
        assert_eq!(lengths, [1, 3, 3, 1, 1, 3, 1, 3, 1, 1, 1, 1, 1, 1]);
        let spaces: Vec<u32> = marks.iter().map(|mark| mark.space).collect();
        assert_eq!(spaces, [0, 1, 1, 1, 3, 1, 3, 1, 1, 3, 1, 3, 1, 1]);
        assert_eq!(length_in_dots(&super::marks("paris paris")), 93);
    }

    #[test]
    fn signs_are_distinct_and_of_their_length() {
        for (index, (character, signs)) in CODE.iter().enumerate() {
            assert!(
                CODE[index + 1..]
                    .iter()
                    .all(|(other, code)| other != character && code != signs)
            );
            match character {
                '0'..='9' => assert_eq!(signs.len(), 5),
                _ => assert!((1..=4).contains(&signs.len())),
            }
        }
    }

    #[test]
    fn noise_lies_as_far_below_the_tone_as_asked() {
        for (index, snr_db) in [-10.0, 0.0, 7.5, 60.0].into_iter().enumerate() {
            let layers = MorseClip::new(3, Part::Test, index as u32, Some(snr_db)).layers();
            let down: Vec<f64> = layers.tone.iter().copied().filter(|&x| x != 0.0).collect();
            let ratio = 10.0 * (mean_power(&down) / mean_power(&layers.noise)).log10();
            // Where the sine of the tone is 0 by chance counts as key up.
            assert!((ratio - snr_db).abs() < 0.05, "{ratio} for {snr_db}");
        }
        let drawn: Vec<f64> = (0..200)
            .map(|index| {
                let layers = MorseClip::new(3, Part::Train, index, None).layers();
                let down: Vec<f64> = layers.tone.iter().copied().filter(|&x| x != 0.0).collect();
                10.0 * (mean_power(&down) / mean_power(&layers.noise)).log10()
            })
            .collect();
        let (least, most) = drawn
            .iter()
            .fold((f64::MAX, f64::MIN), |(least, most), &x| {
                (x.min(least), x.max(most))
            });
        assert!(
            (-0.1..2.0).contains(&least) && (18.0..20.1).contains(&most),
            "{least} {most}"
        );
    }

    #[test]
    fn every_letter_and_figure_occurs() {
        let text: String = (0..400)
            .map(|index| MorseClip::new(0, Part::Train, index, None).text())
            .collect();
        for (character, _) in CODE {
            assert!(text.contains(character), "{character}");
        }
    }
}
