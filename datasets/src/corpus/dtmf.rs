//! Synthesised telephone keys, see [`synth::dtmf`](crate::synth::dtmf).

use super::draft::{Answer, Found};
use super::gate::Gate;
use super::made::drafts;
use super::query::number;
use super::spec::Spec;
use crate::Result;
use crate::item::{Source, TargetKind};
use crate::synth::dtmf::{self, DtmfClip};

/// Finds the clips.
pub(super) fn find(spec: &Spec, _gate: &mut Gate) -> Result<Found> {
    let seed = number(spec, "seed", dtmf::DEFAULT_SEED, 0, u64::MAX)?;
    Ok(Found {
        task: TargetKind::Classify,
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
