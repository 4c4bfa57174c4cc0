//! Connected digits made of the Free Spoken Digit Dataset: three to seven recordings of one speaker
//! one after another, with short pauses, and what they say in words, `seven three zero`.
//!
//! No recording is in two parts: those with indices 0 to 4 (the published test part) make the test
//! part, 5 to 8 the validation part, and the rest the training part. Each utterance draws its
//! speaker, its digits, a recording of each, pauses of 50 to 300 ms before, between and after, and
//! white noise 30 to 50 dB below it. `size=` utterances are in the training part and a tenth of that
//! in each of the others; they depend on `seed=` and on the speakers there are, which `speaker=`
//! chooses as it does for `fsdd`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::draft::{Answer, Draft, Found};
use super::fsdd::{self, TEST_INDICES};
use super::gate::Gate;
use super::query::number;
use super::spec::Spec;
use crate::Result;
use crate::draw::Draw;
use crate::item::{Joined, Piece, Source, TargetKind};
use crate::part::Part;

const DEFAULT_SIZE: usize = 3000;
const VALID_INDICES: u32 = 9;
const NUM_DIGITS: (usize, usize) = (3, 7);
const PAUSE_MS: (f64, f64) = (50.0, 300.0);
const SNR_DB: (f64, f64) = (30.0, 50.0);
const WORDS: [&str; 10] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
];

/// The recordings of one speaker in one part, by digit.
type Speaker = BTreeMap<u8, Vec<PathBuf>>;

pub(super) fn find(spec: &Spec, gate: &mut Gate) -> Result<Found> {
    let size = number(spec, "size", DEFAULT_SIZE, 1, 1_000_000)?;
    let seed = number(spec, "seed", 0, 0, u64::MAX)?;
    let (recordings, ignored_files) = fsdd::recordings(spec, gate)?;
    let mut voices = BTreeMap::<(Part, String), Speaker>::new();
    for recording in recordings {
        let part = match recording.index {
            index if index < TEST_INDICES => Part::Test,
            index if index < VALID_INDICES => Part::Valid,
            _ => Part::Train,
        };
        let voice = voices.entry((part, recording.speaker)).or_default();
        let of_digit = voice.entry(recording.digit).or_default();
        of_digit.push(recording.path);
    }

    let draw_seed = seed_of(seed, voices.keys().map(|(_, speaker)| speaker));
    let mut drafts = Vec::new();
    for part in Part::VALUES {
        let of_part = voices.iter().filter(|((of, _), _)| of == part);
        let voices: Vec<&Speaker> = of_part.map(|(_, voice)| voice).collect();
        if voices.is_empty() {
            continue;
        }
        let size = match part {
            Part::Train => size,
            Part::Valid | Part::Test => (size / 10).max(1),
        };
        for index in 0..size as u32 {
            let mut draw = Draw::of_clip(draw_seed, *part, index);
            let voice = voices[draw.below(voices.len())];
            let (joined, words) = utterance(voice, &mut draw);
            let id = format!("digits-{seed}-{part}-{index:05}");
            drafts.push(Draft {
                place: id.clone(),
                id,
                source: Source::Joined(joined),
                answer: Answer::Text(words.join(" ")),
                part: *part,
                group: None,
                domain: None,
            });
        }
    }
    Ok(Found {
        task: TargetKind::Transcribe,
        labels: None,
        drafts,
        ignored_files,
    })
}

/// A seed for these speakers: one who is kept for a test must not say the very strings of digits that
/// the others were heard with.
fn seed_of<'a>(seed: u64, speakers: impl Iterator<Item = &'a String>) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    for speaker in speakers.collect::<BTreeSet<_>>() {
        hasher.update(speaker.as_bytes()).update(b"\n");
    }
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// Some digits by one speaker, and their words.
fn utterance(voice: &Speaker, draw: &mut Draw) -> (Joined, Vec<&'static str>) {
    let digits: Vec<(&u8, &Vec<PathBuf>)> = voice.iter().collect();
    let count = NUM_DIGITS.0 + draw.below(NUM_DIGITS.1 - NUM_DIGITS.0 + 1);
    let mut pieces = Vec::with_capacity(count);
    let mut words = Vec::with_capacity(count);
    for _ in 0..count {
        let (digit, paths) = digits[draw.below(digits.len())];
        words.push(WORDS[usize::from(*digit)]);
        pieces.push(Piece {
            path: paths[draw.below(paths.len())].clone(),
            pause_ms: draw.between(PAUSE_MS) as u64,
        });
    }
    let joined = Joined {
        pieces,
        tail_ms: draw.between(PAUSE_MS) as u64,
        snr_db: draw.between(SNR_DB),
        noise_seed: draw.bits(),
    };
    (joined, words)
}
