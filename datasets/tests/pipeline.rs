//! From items to examples: scanning, statistics and the cache.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use sori_datasets::features::Normalize;
use sori_datasets::{
    Corpus, Error, FeatureCache, FeatureConfig, Features, Item, Part, Pipeline, Source, Target,
    scan,
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
