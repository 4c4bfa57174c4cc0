//! Mixtures of ESC clips: real sounds to tag. Each is five seconds of one to three clips of
//! different classes from the same fold, the second and third -5 to 5 dB against the first, each
//! rolled by a random amount; its tags are their classes.
//!
//! The test part is mixed from the test folds (`folds=`, or fold 5). In each of the other folds an
//! eighth of every class, by original recording, is set aside for the validation part and the rest
//! makes the training part, so that no clip is in two parts; with `valid_fold=` the validation part
//! is mixed from that whole fold instead. Which clips are set aside depends on their names alone,
//! the mixtures also on `seed=`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::chosen::chosen_by_name;
use super::draft::{Answer, Draft, Found};
use super::esc::{self, Clips, FOLDS};
use super::gate::Gate;
use super::made::sizes;
use super::query::number;
use super::spec::Spec;
use crate::draw::Draw;
use crate::item::{Mixture, Source, TargetKind, Voice};
use crate::part::Part;
use crate::{Error, Result};

const DEFAULT_SIZE: usize = 2000;
const LENGTH_MS: u64 = 5000;
const MAX_VOICES: usize = 3;
const GAIN_DB: (f64, f64) = (-5.0, 5.0);
const VALID_FRACTION: f64 = 0.125;
/// The seed that sets clips aside, which must not depend on how they are mixed.
const VALID_SEED: u64 = 0;

/// The files of each class in one fold, as far as they are in one part.
type Pool = BTreeMap<String, Vec<PathBuf>>;

pub(super) fn find(spec: &Spec, gate: &mut Gate) -> Result<Found> {
    let sizes = sizes(spec, DEFAULT_SIZE, 1)?;
    let seed = number(spec, "seed", 0, 0, u64::MAX)?;
    let mut clips = esc::clips(spec, gate)?;
    set_aside(spec, &mut clips)?;

    let mut pools = BTreeMap::<(Part, u32), Pool>::new();
    for (fold, clip) in clips.clips {
        if let (Source::File(path), Answer::Class(class)) = (clip.source, clip.answer) {
            let pool = pools.entry((clip.part, fold)).or_default();
            pool.entry(class).or_default().push(path);
        }
    }
    let mut drafts = Vec::new();
    for (part, size) in sizes {
        let pools: Vec<&Pool> = pools
            .iter()
            .filter(|((of, _), _)| *of == part)
            .map(|(_, pool)| pool)
            .collect();
        if pools.is_empty() {
            continue;
        }
        for index in 0..size as u32 {
            let mut draw = Draw::of_clip(seed, part, index);
            let pool = pools[draw.below(pools.len())];
            let (mixture, classes) = mixed(pool, index as usize, &mut draw);
            let id = format!("esc-mix-{seed}-{part}-{index:05}");
            drafts.push(Draft {
                place: id.clone(),
                id,
                source: Source::Mixture(mixture),
                answer: Answer::Tags(classes),
                part,
                group: None,
                domain: None,
            });
        }
    }
    Ok(Found {
        task: TargetKind::Tag,
        labels: Some(clips.labels),
        drafts,
        ignored_files: clips.ignored_files,
    })
}

/// Moves clips of the training folds to the validation part.
fn set_aside(spec: &Spec, clips: &mut Clips) -> Result<()> {
    let training = |clip: &Draft| clip.part == Part::Train;
    if spec.query.contains_key("valid_fold") {
        let valid_fold = number(spec, "valid_fold", 1, 1, FOLDS)?;
        for (fold, clip) in &mut clips.clips {
            if *fold == valid_fold && training(clip) {
                clip.part = Part::Valid;
            }
        }
    } else {
        let mut members = BTreeMap::<(u32, &str), Vec<usize>>::new();
        for (index, (fold, clip)) in clips.clips.iter().enumerate() {
            if let (Answer::Class(class), true) = (&clip.answer, training(clip)) {
                members.entry((*fold, class)).or_default().push(index);
            }
        }
        let mut chosen = Vec::new();
        for members in members.into_values() {
            let recordings: Vec<&str> = members
                .iter()
                .map(|&index| {
                    let clip = &clips.clips[index].1;
                    clip.group.as_deref().unwrap_or(&clip.id)
                })
                .collect();
            let of_class = chosen_by_name(&recordings, VALID_FRACTION, VALID_SEED);
            chosen.extend(of_class.into_iter().map(|index| members[index]));
        }
        for index in chosen {
            clips.clips[index].1.part = Part::Valid;
        }
    }
    let any = |part| clips.clips.iter().any(|(_, clip)| clip.part == part);
    if any(Part::Train) && !any(Part::Valid) {
        return Err(Error::Nothing {
            place: spec.to_string(),
            reason: "no clip is left to validate on; a fold needs two recordings of a class, or \
                     valid_fold must be a fold that is not tested on"
                .into(),
        });
    }
    Ok(())
}

/// A mixture of one to three classes, one of them given by its place, and these classes.
fn mixed(pool: &Pool, place: usize, draw: &mut Draw) -> (Mixture, Vec<String>) {
    let mut others: Vec<(&String, &Vec<PathBuf>)> = pool.iter().collect();
    let mut next = place % others.len();
    let mut classes = Vec::new();
    let mut voices = Vec::new();
    for voice in 0..(1 + draw.below(MAX_VOICES)).min(pool.len()) {
        if voice > 0 {
            next = draw.below(others.len());
        }
        let (class, files) = others.remove(next);
        let gain_db = draw.between(GAIN_DB);
        classes.push(class.clone());
        voices.push(Voice {
            path: files[draw.below(files.len())].clone(),
            gain_db: if voice == 0 { 0.0 } else { gain_db },
            roll: draw.unit(),
        });
    }
    let length_ms = LENGTH_MS;
    (Mixture { voices, length_ms }, classes)
}
