//! The order in which an epoch visits the training recordings.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sori_datasets::Target;
use sori_datasets::augment::MixConfig;

use crate::seed::{SeedUse, derive};
use crate::settings::training::TrainSettings;

/// Number of batches sorted by length together: enough for batches of even length, few enough that
/// each epoch's batches differ.
const POOL_BATCHES: usize = 16;

/// A training recording's turn in an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Its index in the training part.
    pub item: usize,
    /// The index of the recording that it is mixed with.
    pub partner: Option<usize>,
    /// The seed of its augmentation.
    pub seed: u64,
}

/// The recordings of epoch `epoch` in batches of `settings.batch_size`. `frames` holds the length of each of the
/// training part. What is mixed is as long as the longer of the two, so partners are drawn before batches are made.
pub(crate) fn order(
    settings: &TrainSettings,
    mix: &MixConfig,
    epoch: usize,
    targets: &[&Target],
    frames: &[usize],
    num_labels: usize,
) -> Vec<Visit> {
    let has_lengths = frames.len() == targets.len();
    let ascending = settings.sort_first_epoch && epoch == 0 && has_lengths;
    let mut rng = ChaCha8Rng::seed_from_u64(derive(settings.seed, SeedUse::Shuffle, epoch as u64));
    let mut order: Vec<usize> = (0..targets.len()).collect();
    if ascending {
        order.sort_by_key(|&index| frames[index]);
    } else if settings.balance {
        order = balanced(targets, num_labels, &mut rng);
    } else {
        order.shuffle(&mut rng);
    }
    let epoch_seed = derive(settings.seed, SeedUse::Augment, epoch as u64);
    let visit = |(position, &item): (usize, &usize)| {
        let seed = derive(epoch_seed, SeedUse::Augment, position as u64);
        let drawn = derive(epoch_seed, SeedUse::Partner, position as u64) as usize % order.len();
        Visit {
            item,
            partner: mix.ratio(seed).map(|_| order[drawn]),
            seed,
        }
    };
    let mut visits: Vec<Visit> = order.iter().enumerate().map(visit).collect();
    if settings.bucket && has_lengths && !ascending {
        let length = |visit: &Visit| {
            let partner = visit.partner.map_or(0, |partner| frames[partner]);
            frames[visit.item].max(partner)
        };
        bucket(&mut visits, length, settings.batch_size, &mut rng);
    }
    visits
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
fn bucket(
    visits: &mut Vec<Visit>,
    length: impl Fn(&Visit) -> usize,
    batch_size: usize,
    rng: &mut ChaCha8Rng,
) {
    for pool in visits.chunks_mut(batch_size * POOL_BATCHES) {
        pool.sort_by_key(&length);
    }
    let mut batches: Vec<&[Visit]> = visits.chunks(batch_size).collect();
    let rest = batches.pop_if(|last| last.len() < batch_size);
    batches.shuffle(rng);
    batches.extend(rest);
    *visits = batches.concat();
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

    /// The recordings of an epoch in order, without mixing.
    fn items(
        settings: &TrainSettings,
        epoch: usize,
        targets: &[&Target],
        frames: &[usize],
    ) -> Vec<usize> {
        let visits = order(settings, &MixConfig::default(), epoch, targets, frames, 2);
        assert!(visits.iter().all(|visit| visit.partner.is_none()));
        visits.iter().map(|visit| visit.item).collect()
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
                items(&settings, epoch, &targets, &frames)
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
        let of = |epoch| items(&settings, epoch, &targets, &frames);
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
            let order = items(&settings, 3, &targets, &frames);
            let batches = order.chunks(8);
            let padded: usize = batches
                .map(|batch| batch.iter().map(|&i| frames[i]).max().unwrap() * batch.len())
                .sum();
            padded as f64 / frames.iter().sum::<usize>() as f64 - 1.0
        };
        assert!(padding(true) < 0.1 && padding(false) > 0.5);
    }

    #[test]
    fn mixtures_of_similar_length_share_a_batch_and_every_draw_is_its_own() {
        let targets = classes(1003);
        let targets: Vec<&Target> = targets.iter().collect();
        let frames: Vec<usize> = (0..1003).map(|i| i * 613 % 1003).collect();
        let mix = MixConfig {
            probability: 0.5,
            ..MixConfig::default()
        };
        let visits = order(&settings(), &mix, 3, &targets, &frames, 2);
        let length = |visit: &Visit| {
            let partner = visit.partner.unwrap_or(visit.item);
            frames[visit.item].max(frames[partner])
        };
        let padded: usize = visits
            .chunks(8)
            .map(|batch| batch.iter().map(length).max().unwrap() * batch.len())
            .sum();
        assert!((padded as f64) < 1.1 * visits.iter().map(length).sum::<usize>() as f64);

        let mixed = visits.iter().filter(|visit| visit.partner.is_some());
        assert!((400..600).contains(&mixed.count()));
        let seeds: std::collections::HashSet<u64> = visits.iter().map(|visit| visit.seed).collect();
        assert_eq!(seeds.len(), visits.len());
    }

    #[test]
    fn balance_draws_every_class_equally_often() {
        let targets = classes(2000);
        let targets: Vec<&Target> = targets.iter().collect();
        let settings = TrainSettings {
            balance: true,
            ..settings()
        };
        let order = items(&settings, 0, &targets, &[]);
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
