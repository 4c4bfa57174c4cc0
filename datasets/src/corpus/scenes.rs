//! Synthesised sound scenes, see [`synth::scenes`](crate::synth::scenes).

use super::draft::{Answer, Found};
use super::gate::Gate;
use super::made::drafts;
use super::query::number;
use super::spec::Spec;
use crate::Result;
use crate::item::{Source, TargetKind};
use crate::synth::scenes::{self, SceneClip, SoundKind};

/// Finds the clips.
pub(super) fn find(spec: &Spec, _gate: &mut Gate) -> Result<Found> {
    let seed = number(spec, "seed", scenes::DEFAULT_SEED, 0, u64::MAX)?;
    let kinds = SoundKind::VALUES;
    Ok(Found {
        task: TargetKind::Tag,
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
