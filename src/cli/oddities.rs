//! What is odd in a corpus, though it can be read.

use std::collections::{BTreeMap, BTreeSet};

use sori_datasets::{Corpus, Item, Target, TargetKind, Waveform};

/// The largest sample below which sound counts as silence: −80 dB of full scale.
const SILENCE: f32 = 1e-4;
/// A sample from which on it counts as clipped, and the share of such samples that is odd.
const CLIPPED: f32 = 0.999;
const CLIPPED_SHARE: f64 = 0.01;
/// A recording so many times as long as most, or a part of their length as small, is odd.
const TIMES: f64 = 10.0;
/// A class needs a recording for each part.
const FEW: usize = 3;

/// What is looked at in the sound of a recording.
pub(super) struct Heard {
    pub(super) seconds: f64,
    is_silent: bool,
    is_clipped: bool,
    hash: [u8; 32],
}

impl Heard {
    pub(super) fn of(waveform: &Waveform) -> Self {
        let samples = &waveform.samples;
        let peak = samples.iter().fold(0.0, |peak: f32, it| peak.max(it.abs()));
        let clipped = samples.iter().filter(|it| it.abs() >= CLIPPED).count();
        let mut hasher = blake3::Hasher::new();
        for block in samples.chunks(1 << 12) {
            let bytes: Vec<u8> = block.iter().flat_map(|it| it.to_le_bytes()).collect();
            hasher.update(&bytes);
        }
        Self {
            seconds: waveform.duration_s(),
            is_silent: peak < SILENCE,
            is_clipped: clipped as f64 >= CLIPPED_SHARE * samples.len() as f64 && clipped > 0,
            hash: *hasher.finalize().as_bytes(),
        }
    }
}

/// A line for each thing that is odd about these recordings.
pub(super) fn oddities(corpus: &Corpus, items: &[Item], heard: &[Heard]) -> Vec<String> {
    let mut odd = Vec::new();
    let mut sorted: Vec<f64> = heard.iter().map(|it| it.seconds).collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
    for (item, heard) in items.iter().zip(heard) {
        let place = item.place();
        if heard.is_silent {
            odd.push(format!("{place} is silent"));
        }
        if heard.is_clipped {
            odd.push(format!(
                "{place} is clipped: a hundredth of its samples or more are at full scale"
            ));
        }
        let seconds = heard.seconds;
        if seconds > TIMES * middle || seconds * TIMES < middle {
            let than = if seconds > middle {
                "longer"
            } else {
                "shorter"
            };
            odd.push(format!(
                "{place} has {seconds:.2} s, far {than} than most, of which half have at most {middle:.2} s"
            ));
        }
    }
    odd.extend(twice(items, heard));
    odd.extend(small_classes(corpus, items));
    odd
}

/// The recordings with one sound.
fn twice(items: &[Item], heard: &[Heard]) -> Vec<String> {
    let mut by_hash = BTreeMap::<[u8; 32], Vec<&Item>>::new();
    for (item, heard) in items.iter().zip(heard) {
        // Silence is told of already.
        if !heard.is_silent {
            by_hash.entry(heard.hash).or_default().push(item);
        }
    }
    let mut lines: Vec<String> = by_hash
        .into_values()
        .filter(|same| same.len() > 1)
        .map(|same| {
            let places: Vec<String> = same.iter().map(|item| item.place()).collect();
            let answers: BTreeSet<String> = same
                .iter()
                .map(|item| format!("{:?}", item.target))
                .collect();
            let parts: BTreeSet<&str> = same.iter().map(|item| item.part.name()).collect();
            let mut line = format!("{} are the same sound", places.join(", "));
            if answers.len() > 1 {
                line.push_str(", with different answers");
            }
            if parts.len() > 1 {
                let parts: Vec<&str> = parts.into_iter().collect();
                line.push_str(&format!(", in the parts {}", parts.join(" and ")));
            }
            line
        })
        .collect();
    lines.sort();
    lines
}

/// The classes or tags that few recordings have.
fn small_classes(corpus: &Corpus, items: &[Item]) -> Vec<String> {
    if !matches!(corpus.task, TargetKind::Classify | TargetKind::Tag) {
        return Vec::new();
    }
    let mut counts = vec![0usize; corpus.labels.len()];
    for item in items {
        let labels = match &item.target {
            Target::Class(class) => std::slice::from_ref(class),
            Target::Tags(tags) => tags,
            Target::Text(_) | Target::Value(_) => &[],
        };
        labels.iter().for_each(|&label| counts[label] += 1);
    }
    let labels = corpus.labels.iter().zip(counts);
    let few = labels.filter(|(_, count)| *count < FEW);
    few.map(|(label, count)| {
        let recordings = if count == 1 { "recording" } else { "recordings" };
        format!("{label} has {count} {recordings}; one to learn from, one to validate and one to test on are {FEW}")
    })
    .collect()
}
