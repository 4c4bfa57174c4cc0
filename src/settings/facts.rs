//! The facts about a corpus that a recipe follows from.

use sori_datasets::{Corpus, Part, TargetKind};
use sori_models::Purpose;
use sori_models::recipe::Facts;

/// Recordings whose lengths are looked at.
const SAMPLE: usize = 25;

/// The facts about the training part of `corpus`. Recordings that cannot be read are passed over.
pub(super) fn facts(corpus: &Corpus) -> Facts {
    let train = corpus.part(Part::Train);
    let every = train.len().div_ceil(SAMPLE).max(1);
    let rate_hz = corpus.native_rate_hz;
    let lengths = train.iter().step_by(every).filter_map(|item| {
        let waveform = item.waveform(rate_hz).ok()?;
        Some(waveform.samples.len() as f64 / f64::from(rate_hz))
    });
    let mut lengths: Vec<f64> = lengths.collect();
    lengths.sort_by(f64::total_cmp);
    Facts {
        task: match corpus.task {
            TargetKind::Classify => Some(Purpose::Classify),
            TargetKind::Tag => Some(Purpose::Tag),
            TargetKind::Transcribe => Some(Purpose::Transcribe),
            TargetKind::Regress => None,
        },
        synthesised: (corpus.spec.corpus == "synth").then(|| corpus.spec.location.clone()),
        sample_rate_hz: rate_hz,
        length_s: lengths.get(lengths.len() / 2).copied().unwrap_or(0.0),
        num_recordings: train.len(),
    }
}
