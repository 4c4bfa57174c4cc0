//! From items to examples: scanning, statistics and the cache.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use sori_datasets::augment::{MixKind, mix_features, mix_waveforms};
use sori_datasets::features::Normalize;
use sori_datasets::{
    AudioMemory, AugmentConfig, Augmentation, Augmenter, Corpus, Error, FeatureCache,
    FeatureConfig, Features, Item, Part, Pipeline, SoundFeatures, Source, Target, scan,
};
use tempfile::TempDir;

fn config() -> FeatureConfig {
    FeatureConfig {
        sample_rate_hz: 8000,
        num_mels: 20,
        ..FeatureConfig::default()
    }
}

fn clips() -> Vec<Item> {
    Corpus::open(&"synth:dtmf?size=24".parse().unwrap())
        .unwrap()
        .items
}

/// A tone of this many samples at 8 kHz.
fn recording(path: &Path, samples: usize) -> Item {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for n in 0..samples {
        writer
            .write_sample(((n as f32 * 0.3).sin() * 1e4) as i16)
            .unwrap();
    }
    writer.finalize().unwrap();
    Item {
        id: "a".into(),
        source: Source::File(path.to_owned()),
        target: Target::Class(0),
        part: Part::Train,
        group: None,
        domain: None,
    }
}

#[test]
fn a_scan_does_not_depend_on_the_number_of_workers() {
    let pipeline = Pipeline::new(FeatureConfig {
        normalize: Normalize::Corpus,
        ..config()
    })
    .unwrap();
    let mut done = Vec::new();
    let (kept, alone) = scan(&clips(), &pipeline, 0, false, |n| {
        done.push(n);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(kept, clips());
    assert_eq!(done, (1..=kept.len()).collect::<Vec<_>>());
    for workers in [1, 3] {
        let (_, seen) = scan(&clips(), &pipeline, workers, false, |_| {
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(seen.stats, alone.stats);
        assert_eq!(seen.frames, alone.frames);
    }
    assert!(
        alone
            .durations_s
            .iter()
            .all(|&seconds| (seconds - 1.0).abs() < 1e-9)
    );
}

#[test]
fn the_training_part_normalised_by_its_statistics_has_mean_0_and_variance_1() {
    let pipeline = Pipeline::new(FeatureConfig {
        normalize: Normalize::Corpus,
        ..config()
    })
    .unwrap();
    assert!(matches!(pipeline.loader().err(), Some(Error::NoStats)));
    let (items, seen) = scan(&clips(), &pipeline, 2, false, |_| ControlFlow::Continue(())).unwrap();
    let pipeline = pipeline.with_stats(seen.stats.unwrap()).unwrap();
    let mut loader = pipeline.loader().unwrap();
    let mut sums = sori_datasets::features::BinAccumulator::new();
    for item in items.iter().filter(|item| item.part == Part::Train) {
        let example = loader.load(item).unwrap();
        assert_eq!((&example.id, &example.target), (&item.id, &item.target));
        let waveform = item.waveform(8000).unwrap();
        assert_eq!(loader.load_waveform(&waveform).unwrap(), example.features);
        sums.push(&example.features).unwrap();
    }
    let stats = sums.finish().unwrap();
    assert!(
        stats.mean.iter().all(|mean| mean.abs() < 1e-3),
        "{:?}",
        stats.mean
    );
    assert!(
        stats.std.iter().all(|std| (std - 1.0).abs() < 1e-3),
        "{:?}",
        stats.std
    );
}

#[test]
fn bad_recordings_are_named_or_listed() {
    let folder = TempDir::new().unwrap();
    let good = recording(&folder.path().join("good.wav"), 8000);
    let mut cut = recording(&folder.path().join("cut.wav"), 8000);
    cut.id = "cut".into();
    let bytes = std::fs::read(folder.path().join("cut.wav")).unwrap();
    std::fs::write(folder.path().join("cut.wav"), &bytes[..900]).unwrap();
    let short = recording(&folder.path().join("short.wav"), 100);
    let items = [good.clone(), cut, short];
    let pipeline = Pipeline::new(FeatureConfig {
        centered: false,
        ..config()
    })
    .unwrap();

    let error = scan(&items, &pipeline, 2, false, |_| ControlFlow::Continue(()))
        .unwrap_err()
        .to_string();
    assert!(error.contains("cut.wav is truncated"), "{error}");
    let (kept, seen) = scan(&items, &pipeline, 2, true, |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(kept, [good]);
    assert_eq!((seen.frames.len(), seen.bad.len()), (1, 2));
    assert!(
        seen.bad[1]
            .reason
            .contains("short.wav: 100 samples are too few"),
        "{:?}",
        seen.bad
    );
    let error = scan(&items[1..], &pipeline, 0, true, |_| {
        ControlFlow::Continue(())
    })
    .unwrap_err()
    .to_string();
    assert!(error.contains("none of its 2 recordings"), "{error}");
}

#[test]
fn a_cache_gives_what_was_made() {
    let folder = TempDir::new().unwrap();
    let cache = Arc::new(FeatureCache::new(folder.path().join("new/cache")).unwrap());
    let plain = Pipeline::new(config()).unwrap();
    let cached = plain.clone().with_cache(cache.clone());
    let mut wanted = plain.loader().unwrap();
    let mut loader = cached.loader().unwrap();
    for _ in 0..2 {
        for item in &clips() {
            assert_eq!(loader.load(item).unwrap(), wanted.load(item).unwrap());
        }
    }
    let count = clips().len() as u64;
    assert_eq!(
        (cache.hits(), cache.misses(), cache.rebuilt()),
        (count, count, 0)
    );
}

#[test]
fn whatever_changes_the_features_misses() {
    let folder = TempDir::new().unwrap();
    let cache = FeatureCache::new(folder.path().join("cache")).unwrap();
    let path = folder.path().join("a.wav");
    let item = recording(&path, 8000);
    let entry = cache.entry(&item, &config()).unwrap();

    let mut other = config();
    other.min_hz = 1.0;
    assert_ne!(cache.entry(&item, &other).unwrap(), entry);
    other = config();
    other.deltas = 1;
    assert_ne!(cache.entry(&item, &other).unwrap(), entry);

    // The same sound elsewhere, under another name and time, hits; another sound does not.
    let moved = folder.path().join("b.wav");
    std::fs::copy(&path, &moved).unwrap();
    let moved = Item {
        id: "b".into(),
        source: Source::File(moved),
        ..item.clone()
    };
    assert_eq!(cache.entry(&moved, &config()).unwrap(), entry);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert_ne!(cache.entry(&item, &config()).unwrap(), entry);

    let entries: std::collections::BTreeSet<_> = clips()
        .iter()
        .map(|clip| cache.entry(clip, &config()).unwrap())
        .collect();
    assert_eq!(entries.len(), clips().len());
    std::fs::remove_file(&path).unwrap();
    assert!(
        cache
            .entry(&item, &config())
            .unwrap_err()
            .to_string()
            .contains("a.wav")
    );
}

proptest! {
    #[test]
    fn a_damaged_entry_is_made_anew(at in 0.0_f64..1.0, flip in 1_u8.., cut in any::<bool>()) {
        let folder = TempDir::new().unwrap();
        let cache = FeatureCache::new(folder.path()).unwrap();
        let item = &clips()[3];
        let features = Features { frames: 3, bins: 2, values: vec![1.0, -2.0, 3.5, 0.0, 1e-9, 7.0] };
        let features = SoundFeatures { features, samples: 500 };
        let made = || Ok(features.clone());
        prop_assert_eq!(cache.fetch(item, &config(), made).unwrap(), features.clone());

        let entry = cache.entry(item, &config()).unwrap();
        let mut bytes = std::fs::read(&entry).unwrap();
        let at = (bytes.len() as f64 * at) as usize;
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= flip;
        }
        std::fs::write(&entry, bytes).unwrap();
        prop_assert_eq!(cache.fetch(item, &config(), made).unwrap(), features.clone());
        prop_assert_eq!((cache.hits(), cache.misses(), cache.rebuilt()), (0, 2, 1));
        let kept = cache.fetch(item, &config(), || panic!("it is there again")).unwrap();
        prop_assert_eq!(kept, features);
    }
}

#[test]
fn a_cache_that_cannot_be_written_says_so() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = FeatureCache::new(file.join("cache"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("file"), "{error}");
}

/// A pipeline normalised by the clips' statistics.
fn normalized() -> Pipeline {
    let pipeline = Pipeline::new(FeatureConfig {
        normalize: Normalize::Corpus,
        ..config()
    })
    .unwrap();
    let (_, seen) = scan(&clips(), &pipeline, 0, false, |_| ControlFlow::Continue(())).unwrap();
    pipeline.with_stats(seen.stats.unwrap()).unwrap()
}

#[test]
fn plain_loading_is_never_augmented_and_without_augmentation_nothing_is() {
    let mut all = AugmentConfig::only(Augmentation::Gain);
    all.spec_augment.probability = 1.0;
    all.mix.probability = 1.0;
    let plain = normalized();
    let (mut wanted, item, other) = (plain.loader().unwrap(), &clips()[3], &clips()[4]);
    let expected = wanted.load(item).unwrap();
    assert_eq!(wanted.load_augmented(item, 1).unwrap(), expected);
    let unmixed = wanted.load_mixed(item, other, 1).unwrap();
    assert_eq!(
        (&unmixed.features, unmixed.ratio),
        (&expected.features, 1.0)
    );

    let mut loader = plain.with_augment(&all).unwrap().loader().unwrap();
    assert_eq!(loader.load(item).unwrap(), expected);
    let augmented = loader.load_augmented(item, 1).unwrap();
    assert_ne!(augmented.features, expected.features);
    assert_eq!(augmented.target, expected.target);
    assert_eq!(loader.clone().load_augmented(item, 1).unwrap(), augmented);
    assert_ne!(loader.load_augmented(item, 2).unwrap(), augmented);
}

#[test]
fn masks_are_zeros_in_normalised_features_and_the_cache_serves_them() {
    let folder = TempDir::new().unwrap();
    let cache = Arc::new(FeatureCache::new(folder.path()).unwrap());
    let pipeline = normalized().with_cache(cache.clone());
    let masks = AugmentConfig::only(Augmentation::SpecAugment);
    let mut loader = pipeline
        .clone()
        .with_augment(&masks)
        .unwrap()
        .loader()
        .unwrap();
    let item = &clips()[5];
    let plain = loader.load(item).unwrap().features;
    let masked = loader.load_augmented(item, 9).unwrap().features;
    assert_eq!((cache.hits(), cache.misses()), (1, 1));
    let changed = masked
        .values
        .iter()
        .zip(&plain.values)
        .filter(|(a, b)| a != b);
    assert!(changed.clone().count() > 0);
    assert!(
        changed
            .map(|(masked, _)| *masked)
            .all(|masked| masked == 0.0)
    );

    let mut both = masks.clone();
    both.gain.probability = 0.5;
    let mut loader = pipeline.with_augment(&both).unwrap().loader().unwrap();
    loader.load_augmented(item, 9).unwrap();
    assert_eq!((cache.hits(), cache.misses()), (1, 1));

    let error = Pipeline::new(config()).unwrap().with_augment(&masks);
    assert!(error.unwrap_err().to_string().contains("normalize = none"));
}

#[test]
fn an_augmented_waveform_gives_the_features_of_that_waveform() {
    let shift = AugmentConfig::only(Augmentation::Shift);
    let pipeline = normalized().with_augment(&shift).unwrap();
    let mut loader = pipeline.loader().unwrap();
    let item = &clips()[7];
    let mut augmenter = Augmenter::new(&shift, 8000).unwrap();
    let waveform = augmenter.waveform(item.waveform(8000).unwrap(), 4).unwrap();
    assert_eq!(
        loader.load_augmented(item, 4).unwrap().features,
        loader.load_waveform(&waveform).unwrap()
    );
}

#[test]
fn a_recording_in_memory_is_not_read_again_whether_augmented_or_not() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("tone.wav");
    let item = recording(&path, 800);
    let plain = Pipeline::new(config())
        .unwrap()
        .with_augment(&AugmentConfig::only(Augmentation::Shift))
        .unwrap();
    let memory = Arc::new(AudioMemory::new(1 << 20));
    let mut with_memory = plain.clone().with_memory(memory).loader().unwrap();
    let mut plain = plain.loader().unwrap();
    let expected = [
        plain.load(&item).unwrap(),
        plain.load_augmented(&item, 3).unwrap(),
    ];
    assert_eq!(with_memory.load(&item).unwrap(), expected[0]);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(with_memory.load(&item).unwrap(), expected[0]);
    assert_eq!(with_memory.load_augmented(&item, 3).unwrap(), expected[1]);
    assert!(plain.load(&item).is_err());
}

#[test]
fn memory_keeps_features_or_the_sound_that_is_augmented_within_its_limit() {
    let folder = TempDir::new().unwrap();
    let item = |name: &str, part: Part| Item {
        part,
        ..recording(&folder.path().join(name), 800)
    };
    let items = [
        item("a.wav", Part::Train),
        item("b.wav", Part::Valid),
        item("c.wav", Part::Test),
    ];
    let pipeline = Pipeline::new(config()).unwrap();
    let example = pipeline.loader().unwrap().load(&items[0]).unwrap();
    let (sound, features) = (800 * 4, 4 * example.features.values.len());
    let held = |augment: &AugmentConfig, bytes: usize| {
        let memory = Arc::new(AudioMemory::new(bytes));
        let pipeline = pipeline.clone().with_augment(augment).unwrap();
        let mut loader = pipeline.with_memory(memory.clone()).loader().unwrap();
        for item in &items {
            loader.load(item).unwrap();
            loader.load_augmented(item, 1).unwrap();
        }
        memory.held()
    };
    // What is tested on is not kept.
    assert_eq!(held(&AugmentConfig::default(), 1 << 20), (2, 2 * features));
    assert_eq!(
        held(&AugmentConfig::default(), 2 * features - 1),
        (1, features)
    );
    let shift = AugmentConfig::only(Augmentation::Shift);
    // Each is augmented here, whatever its part.
    assert_eq!(held(&shift, 1 << 20), (4, 3 * sound + features));
}

#[test]
fn a_recording_shortened_below_what_features_need_is_filled_up() {
    let folder = TempDir::new().unwrap();
    let item = recording(&folder.path().join("short.wav"), 300);
    let mut crop = AugmentConfig::only(Augmentation::Crop);
    crop.crop.seconds = 0.01;
    let pipeline = Pipeline::new(FeatureConfig {
        centered: false,
        ..config()
    })
    .unwrap()
    .with_augment(&crop)
    .unwrap();
    let example = pipeline.loader().unwrap().load_augmented(&item, 0).unwrap();
    assert_eq!(example.features.frames, 1);
}

/// Four words of different lengths with pauses between them, as tones of one level each.
fn four_words(path: &Path, text: &str) -> Item {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for (word, samples) in [2_000, 3_000, 4_000, 5_000].into_iter().enumerate() {
        let level = 4_000.0 * (word + 2) as f32;
        let tone = (0..samples).map(|at| (level * (at as f32 * 0.3).sin()) as i16);
        for sample in std::iter::repeat_n(0, 1_000).chain(tone) {
            writer.write_sample(sample).unwrap();
        }
    }
    writer.finalize().unwrap();
    Item {
        id: "four".into(),
        source: Source::File(path.to_owned()),
        target: Target::Text(text.into()),
        part: Part::Train,
        group: None,
        domain: None,
    }
}

#[test]
fn some_of_the_words_go_with_their_sound() {
    let folder = TempDir::new().unwrap();
    let text = "one two three four";
    let item = four_words(&folder.path().join("four.wav"), text);
    let mut config = AugmentConfig::default();
    config.words.probability = 1.0;
    let pipeline = normalized().with_augment(&config).unwrap();
    let mut loader = pipeline.loader().unwrap();
    let words: Vec<&str> = text.split(' ').collect();
    let lengths = [3_000.0, 4_000.0, 5_000.0, 6_000.0];
    let mut begins = std::collections::BTreeSet::new();
    for seed in 0..60 {
        let example = loader.load_augmented(&item, seed).unwrap();
        assert_eq!(
            loader.load_mixed(&item, &item, seed).unwrap().target,
            example.target
        );
        let Target::Text(kept) = &example.target else {
            panic!("{:?}", example.target)
        };
        let kept: Vec<&str> = kept.split(' ').collect();
        let first = words.iter().position(|word| *word == kept[0]).unwrap();
        assert!((2..4).contains(&kept.len()), "{kept:?}");
        assert_eq!(words[first..first + kept.len()], kept);
        begins.insert(first);
        // Half of a pause is on either side of a word.
        let samples: f64 = lengths[first..first + kept.len()].iter().sum();
        assert!(
            (example.duration_s - samples / 8_000.0).abs() < 0.1,
            "{kept:?}"
        );
    }
    assert_eq!(begins.len(), 3);
    let other = four_words(&folder.path().join("other.wav"), "one two three four five");
    let example = loader.load_augmented(&other, 1).unwrap();
    assert_eq!(example.target, other.target, "there are no five words");
}

#[test]
fn mixing_gives_the_ratio_and_the_mixture_by_its_kind() {
    let (item, other) = (&clips()[1], &clips()[2]);
    for kind in [MixKind::Mixup, MixKind::BetweenClass] {
        let mut mix = AugmentConfig::default();
        mix.mix.probability = 1.0;
        mix.mix.alpha = 1.0;
        mix.mix.kind = kind;
        let pipeline = normalized().with_augment(&mix).unwrap();
        let mut loader = pipeline.loader().unwrap();
        let mixed = loader.load_mixed(item, other, 8).unwrap();
        let ratio = mix.mix.ratio(8).unwrap();
        assert_eq!(mixed.ratio, ratio);
        let expected = match kind {
            MixKind::Mixup => mix_features(
                &loader.load(item).unwrap().features,
                &loader.load(other).unwrap().features,
                ratio,
            ),
            MixKind::BetweenClass => {
                let waveforms = [item, other].map(|item| item.waveform(8000).unwrap());
                let mixture = mix_waveforms(&waveforms[0], &waveforms[1], ratio).unwrap();
                loader.load_waveform(&mixture)
            }
        };
        assert_eq!(mixed.features, expected.unwrap());
    }
}
