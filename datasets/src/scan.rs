//! Loading every recording once, before training.

use std::ops::ControlFlow;

use crate::features::{BinAccumulator, BinStats, Normalize};
use crate::item::{Item, Rejected};
use crate::part::Part;
use crate::pipeline::Pipeline;
use crate::prefetch::prefetch_with;
use crate::{Error, Result};

/// The findings of [`scan`].
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// Number of frames of each item that was kept.
    pub frames: Vec<usize>,
    /// Length of each in seconds.
    pub durations_s: Vec<f64>,
    /// Statistics of the training part, if `normalize = corpus` and there is one.
    pub stats: Option<BinStats>,
    /// The recordings that cannot be used, with `skip_bad`.
    pub bad: Vec<Rejected>,
}

/// Loads every item once, on `workers` threads (0: on this one). It finds items that cannot be used,
/// fills the cache and sums up the training part.
///
/// Returns the items that can be used and the findings, which do not depend on `workers`.
/// `on_progress` is told how many items are done and may stop the scan, which then returns what it
/// has seen so far.
///
/// # Errors
///
/// The error of the first item that cannot be used, unless `skip_bad` lists them instead;
/// [`Error::Nothing`] if none can.
///
/// # Panics
///
/// If the system cannot start a thread, as [`prefetch_with`].
pub fn scan(
    items: &[Item],
    pipeline: &Pipeline,
    workers: usize,
    skip_bad: bool,
    mut on_progress: impl FnMut(usize) -> ControlFlow<()>,
) -> Result<(Vec<Item>, Scan)> {
    let loader = pipeline.loader_without_stats()?;
    let loaded = prefetch_with(
        items.to_vec(),
        workers,
        2 * workers,
        move || loader.clone(),
        |loader, item| loader.load(&item),
    );
    let with_stats = pipeline.config().normalize == Normalize::Corpus;
    let mut sums = BinAccumulator::new();
    let mut kept = Vec::with_capacity(items.len());
    let mut scan = Scan::default();
    for (done, (item, example)) in items.iter().zip(loaded).enumerate() {
        match example {
            Ok(example) => {
                if with_stats && item.part == Part::Train {
                    sums.push(&example.features)?;
                }
                scan.frames.push(example.features.frames);
                scan.durations_s.push(example.duration_s);
                kept.push(item.clone());
            }
            Err(error) if skip_bad => scan.bad.push(Rejected {
                place: item.place(),
                reason: error.to_string(),
            }),
            Err(error) => return Err(error),
        }
        if on_progress(done + 1).is_break() {
            break;
        }
    }
    if kept.is_empty() {
        return Err(Error::Nothing {
            place: "the corpus".into(),
            reason: match scan.bad.first() {
                Some(first) => format!(
                    "none of its {} recordings can be used; the first: {}",
                    items.len(),
                    first.reason
                ),
                None => "it holds no recordings".into(),
            },
        });
    }
    scan.stats = sums.finish();
    Ok((kept, scan))
}
