//! The order in which an epoch visits the training recordings.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sori_datasets::Target;

use crate::seed::{SeedUse, derive};
use crate::settings::training::TrainSettings;

/// Number of batches sorted by length together: enough for batches of even length, few enough that
/// each epoch's batches differ.
const POOL_BATCHES: usize = 16;

/// The recordings of epoch `epoch` in batches of `settings.batch_size`, as indices into the
/// training part. `frames` holds the length of each.
pub(crate) fn order(
    settings: &TrainSettings,
    epoch: usize,
    targets: &[&Target],
    frames: &[usize],
    num_labels: usize,
) -> Vec<usize> {
    if settings.sort_first_epoch && epoch == 0 && frames.len() == targets.len() {
        let mut order: Vec<usize> = (0..targets.len()).collect();
        order.sort_by_key(|&index| frames[index]);
        return order;
    }
    let seed = derive(settings.seed, SeedUse::Shuffle, epoch as u64);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut order = if settings.balance {
        balanced(targets, num_labels, &mut rng)
    } else {
        let mut order: Vec<usize> = (0..targets.len()).collect();
        order.shuffle(&mut rng);
        order
    };
    if settings.bucket && frames.len() == targets.len() {
        bucket(&mut order, frames, settings.batch_size, &mut rng);
    }
    order
}

/// Draws as many recordings as there are, each label equally often. A recording of several tags
/// counts under its rarest one. Those without a tag count as one more label.
fn balanced(targets: &[&Target], num_labels: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let labels = |target: &Target| match target {
        Target::Class(class) => vec![*class],
        Target::Tags(tags) if !tags.is_empty() => tags.clone(),
        _ => vec![num_labels],
    };
    let mut counts = vec![0usize; num_labels + 1];
    for target in targets {
        for label in labels(target) {
            counts[label] += 1;
        }
    }
    let mut members = vec![Vec::new(); num_labels + 1];
    for (index, target) in targets.iter().enumerate() {
        let rarest = labels(target)
            .into_iter()
            .min_by_key(|&label| counts[label]);
        members[rarest.unwrap_or(num_labels)].push(index);
    }
    members.retain(|members| !members.is_empty());
    (0..targets.len())
        .map(|_| {
            let members = &members[rng.random_range(0..members.len())];
            members[rng.random_range(0..members.len())]
        })
        .collect()
}

/// Puts recordings of similar length into the same batch. The batches stay in random order, except
/// that an incomplete one comes last.
fn bucket(order: &mut Vec<usize>, frames: &[usize], batch_size: usize, rng: &mut ChaCha8Rng) {
    for pool in order.chunks_mut(batch_size * POOL_BATCHES) {
        pool.sort_by_key(|&index| frames[index]);
    }
    let mut batches: Vec<&[usize]> = order.chunks(batch_size).collect();
    let rest = batches.pop_if(|last| last.len() < batch_size);
    batches.shuffle(rng);
    batches.extend(rest);
    *order = batches.concat();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> TrainSettings {
        TrainSettings {
            seed: 7,
            batch_size: 8,
            ..TrainSettings::default()
        }
    }

    fn classes(count: usize) -> Vec<Target> {
        (0..count)
            .map(|i| Target::Class(usize::from(i % 10 == 0)))
            .collect()
    }

    #[test]
    fn an_epoch_visits_each_recording_once_in_an_order_of_its_own() {
        let targets = classes(100);
        let targets: Vec<&Target> = targets.iter().collect();
        let frames: Vec<usize> = (0..100).map(|i| i * 37 % 100).collect();
        for bucket in [false, true] {
            let of = |seed, epoch| {
                let settings = TrainSettings {
                    seed,
                    bucket,
                    ..settings()
                };
                order(&settings, epoch, &targets, &frames, 2)
            };
            let mut sorted = of(7, 0);
            sorted.sort_unstable();
            assert_eq!(sorted, (0..100).collect::<Vec<_>>());
            assert_eq!(of(7, 0), of(7, 0));
            assert_ne!(of(7, 0), of(7, 1));
            assert_ne!(of(7, 0), of(8, 0));
        }
    }

    #[test]
    fn the_first_epoch_may_go_from_short_to_long() {
        let targets = classes(100);
        let targets: Vec<&Target> = targets.iter().collect();
        let frames: Vec<usize> = (0..100).map(|i| i * 37 % 100).collect();
        let settings = TrainSettings {
            sort_first_epoch: true,
            ..settings()
        };
        let of = |epoch| order(&settings, epoch, &targets, &frames, 2);
        assert!(of(0).iter().map(|&i| frames[i]).eq(0..100));
        assert!(!of(1).iter().map(|&i| frames[i]).eq(0..100));
    }

    #[test]
    fn buckets_leave_little_padding_and_the_last_batch_last() {
        let targets = classes(1003);
        let targets: Vec<&Target> = targets.iter().collect();
        let frames: Vec<usize> = (0..1003).map(|i| i * 613 % 1003).collect();
        let padding = |bucket| {
            let settings = TrainSettings {
                bucket,
                ..settings()
            };
            let order = order(&settings, 3, &targets, &frames, 2);
            let batches = order.chunks(8);
            let padded: usize = batches
                .map(|batch| batch.iter().map(|&i| frames[i]).max().unwrap() * batch.len())
                .sum();
            padded as f64 / frames.iter().sum::<usize>() as f64 - 1.0
        };
        assert!(padding(true) < 0.1 && padding(false) > 0.5);
    }

    #[test]
    fn balance_draws_every_class_equally_often() {
        let targets = classes(2000);
        let targets: Vec<&Target> = targets.iter().collect();
        let settings = TrainSettings {
            balance: true,
            ..settings()
        };
        let order = order(&settings, 0, &targets, &[], 2);
        let rare = order
            .iter()
            .filter(|&&i| *targets[i] == Target::Class(1))
            .count();
        assert_eq!(order.len(), 2000);
        assert!(
            (900..1100).contains(&rare),
            "{rare} of 2000 are of the rare class"
        );
    }
}
