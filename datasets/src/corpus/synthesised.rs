//! Corpora of clips that are made, not recorded.

use super::{Answer, Draft, Found, Part, Source, TaskKind, check_keys, number};
use crate::corpus::CORPORA;
use crate::synth::dtmf::{self, DtmfClip};
use crate::synth::morse::{self, MorseClip};
use crate::synth::scenes::{self, SceneClip, SoundKind};
use crate::{Error, Result, Spec};

/// The levels of noise that can be asked for.
const SNR_DB: (f64, f64) = (-40.0, 100.0);

pub(super) fn find(spec: &Spec) -> Result<Found> {
    check_keys(
        spec,
        match spec.location.as_str() {
            "morse" => &["size", "seed", "snr", "answer"],
            _ => &["size", "seed"],
        },
    )?;
    match spec.location.as_str() {
        "dtmf" => {
            let seed = number(spec, "seed", dtmf::DEFAULT_SEED, 0, u64::MAX)?;
            Ok(Found {
                task: TaskKind::Classify,
                labels: Some(dtmf::KEYS.iter().map(char::to_string).collect()),
                drafts: drafts(spec, dtmf::DEFAULT_SIZE, dtmf::KEYS.len(), |part, index| {
                    let clip = DtmfClip::new(seed, part, index);
                    let answer = Answer::Class(clip.key().to_string());
                    (
                        format!("dtmf-{seed}-{part}-{index:05}"),
                        answer,
                        Source::Dtmf(clip),
                    )
                })?,
                ignored_files: 0,
            })
        }
        "morse" => {
            let seed = number(spec, "seed", morse::DEFAULT_SEED, 0, u64::MAX)?;
            let snr_db = match spec.query.contains_key("snr") {
                true => Some(number(spec, "snr", 0.0, SNR_DB.0, SNR_DB.1)?),
                false => None,
            };
            let asked = spec.query.get("answer").map_or("text", String::as_str);
            type Say = fn(&MorseClip) -> Answer;
            let (task, quantity, answer): (_, _, Say) = match asked {
                "text" => (TaskKind::Transcribe, None, |clip| Answer::Text(clip.text())),
                "speed" => (TaskKind::Regress, Some("words per minute"), |clip| {
                    Answer::Value(clip.words_per_minute())
                }),
                "pitch" => (TaskKind::Regress, Some("hertz"), |clip| {
                    Answer::Value(clip.pitch_hz())
                }),
                other => {
                    return Err(Error::Query {
                        corpus: spec.corpus.clone(),
                        key: "answer".into(),
                        value: other.to_owned(),
                        expected: "answer is one of text, speed, pitch".into(),
                    });
                }
            };
            Ok(Found {
                task,
                labels: quantity.map(|name| vec![name.to_owned()]),
                drafts: drafts(spec, morse::DEFAULT_SIZE, 1, |part, index| {
                    let clip = MorseClip::new(seed, part, index, snr_db);
                    (
                        format!("morse-{seed}-{part}-{index:05}"),
                        answer(&clip),
                        Source::Morse(clip),
                    )
                })?,
                ignored_files: 0,
            })
        }
        "scenes" => {
            let seed = number(spec, "seed", scenes::DEFAULT_SEED, 0, u64::MAX)?;
            let kinds = SoundKind::VALUES;
            Ok(Found {
                task: TaskKind::Tag,
                labels: Some(kinds.iter().map(ToString::to_string).collect()),
                drafts: drafts(spec, scenes::DEFAULT_SIZE, kinds.len(), |part, index| {
                    let clip = SceneClip::new(seed, part, index);
                    let tags = clip
                        .events()
                        .into_iter()
                        .map(|event| event.kind.to_string());
                    let answer = Answer::Tags(tags.collect());
                    (
                        format!("scenes-{seed}-{part}-{index:05}"),
                        answer,
                        Source::Scene(clip),
                    )
                })?,
                ignored_files: 0,
            })
        }
        other => Err(Error::Spec {
            spec: spec.to_string(),
            reason: format!("nothing called '{other}' is synthesised"),
            known: CORPORA.join(", "),
        }),
    }
}

/// Clips of the three parts, each by its place: id, answer and sound.
fn drafts(
    spec: &Spec,
    default_size: usize,
    least: usize,
    clip: impl Fn(Part, u32) -> (String, Answer, Source),
) -> Result<Vec<Draft>> {
    let mut drafts = Vec::new();
    for (part, size) in sizes(spec, default_size, least)? {
        for index in 0..size as u32 {
            let (id, answer, source) = clip(part, index);
            drafts.push(Draft {
                place: id.clone(),
                id,
                source,
                answer,
                part,
                group: None,
                domain: None,
            });
        }
    }
    Ok(drafts)
}

/// How many clips each part has: `size=` are in the training part, and a fifth of that, but no
/// fewer than `least`, in each of the others.
pub(super) fn sizes(spec: &Spec, default_size: usize, least: usize) -> Result<[(Part, usize); 3]> {
    let size = number(spec, "size", default_size, least, 1_000_000)?;
    let fifth = (size / 5).max(least);
    Ok([
        (Part::Train, size),
        (Part::Valid, fifth),
        (Part::Test, fifth),
    ])
}
