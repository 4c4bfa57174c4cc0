//! Synthesised Morse code, see [`synth::morse`](crate::synth::morse). `answer=speed` and
//! `answer=pitch` ask for a number rather than the text, and `snr=` sets the noise.

use super::draft::{Answer, Found};
use super::gate::Gate;
use super::made::drafts;
use super::query::number;
use super::spec::Spec;
use crate::item::{Source, TargetKind};
use crate::synth::morse::{self, MorseClip};
use crate::{Error, Result};

/// The levels of noise that can be asked for.
const SNR_DB: (f64, f64) = (-40.0, 100.0);

/// Finds the clips.
pub(super) fn find(spec: &Spec, _gate: &mut Gate) -> Result<Found> {
    let seed = number(spec, "seed", morse::DEFAULT_SEED, 0, u64::MAX)?;
    let snr_db = match spec.query.contains_key("snr") {
        true => Some(number(spec, "snr", 0.0, SNR_DB.0, SNR_DB.1)?),
        false => None,
    };
    let asked = spec.query.get("answer").map_or("text", String::as_str);
    type Say = fn(&MorseClip) -> Answer;
    let (task, quantity, answer): (_, _, Say) = match asked {
        "text" => (TargetKind::Transcribe, None, |clip| {
            Answer::Text(clip.text())
        }),
        "speed" => (TargetKind::Regress, Some("words per minute"), |clip| {
            Answer::Value(clip.words_per_minute())
        }),
        "pitch" => (TargetKind::Regress, Some("hertz"), |clip| {
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
