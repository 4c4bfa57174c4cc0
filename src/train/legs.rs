//! The legs of a run: one with a validation part to forecast by, and one that learns from that part too.

use sori_datasets::{Item, Part};
use sori_models::Architecture;

use crate::data::parts::Data;
use crate::run::folder::RunFolder;

/// The legs of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Legs {
    /// The epoch from which on the validation part is learned from, counted from 0.
    joins_at: usize,
    epochs: usize,
    /// Steps of an epoch of each leg.
    steps: [usize; 2],
}

impl Legs {
    /// The legs of a run on these recordings.
    pub(super) fn of<A: Architecture>(run: &RunFolder<A>, data: &Data) -> Self {
        let train = &run.settings().train;
        let joins_at = run.info().joins_at.unwrap_or(train.epochs);
        let count = |part| data.items.iter().filter(|item| item.part == part).count();
        let alone = count(Part::Train);
        let steps = |count: usize| count.div_ceil(train.batch_size * train.accumulate);
        Self {
            joins_at,
            epochs: train.epochs,
            steps: [steps(alone), steps(alone + count(Part::Valid))],
        }
    }

    /// Whether the validation part is learned from in this epoch.
    pub(super) fn joined(self, epoch: usize) -> bool {
        epoch >= self.joins_at
    }

    /// Steps of this epoch.
    pub(super) fn steps_of(self, epoch: usize) -> usize {
        self.steps[usize::from(self.joined(epoch))]
    }

    /// Epochs of each leg, and steps of each of them.
    pub(super) fn lengths(self) -> Vec<(usize, usize)> {
        let first = self.joins_at.min(self.epochs);
        let legs = [(first, self.steps[0]), (self.epochs - first, self.steps[1])];
        legs.into_iter().filter(|&(epochs, _)| epochs > 0).collect()
    }

    /// The recordings to learn from in this epoch, part by part, and the frames of each if they are known. A
    /// run that is opened again has each part in the same order, and not the parts among one another.
    pub(super) fn recordings(self, epoch: usize, data: &Data) -> (Vec<&Item>, Vec<usize>) {
        let parts: &[Part] = match self.joined(epoch) {
            true => &[Part::Train, Part::Valid],
            false => &[Part::Train],
        };
        let items = parts.iter().flat_map(|&part| data.part(part));
        let frames = parts.iter().flat_map(|&part| data.frames_of(part));
        (items.collect(), frames.collect())
    }
}
