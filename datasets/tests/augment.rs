//! Augmentation: each does what it says by an independent measure, and nothing it should not.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::f64::consts::TAU;
use std::path::Path;

use proptest::prelude::*;
use rustfft::num_complex::Complex64;
use sori_datasets::augment::{MixKind, NoiseKind, mix_features};
use sori_datasets::{AugmentConfig, Augmentation, Augmenter, Error, Features, Waveform};
use tempfile::TempDir;

const RATE_HZ: u32 = 16_000;

fn waveform(samples: Vec<f32>) -> Waveform {
    Waveform {
        samples,
        sample_rate_hz: RATE_HZ,
    }
}

fn tone(hz: f64, samples: usize) -> Waveform {
    let step = TAU * hz / f64::from(RATE_HZ);
    waveform(
        (0..samples)
            .map(|n| (0.5 * (step * n as f64).sin()) as f32)
            .collect(),
    )
}

/// Numbers that differ from one another.
fn ramp(samples: usize) -> Waveform {
    waveform((0..samples).map(|n| 1e-5 * (n + 1) as f32).collect())
}

fn augmented(config: &AugmentConfig, waveform: &Waveform, seed: u64) -> Waveform {
    Augmenter::new(config, RATE_HZ)
        .unwrap()
        .waveform(waveform.clone(), seed)
        .unwrap()
}

fn power(samples: impl IntoIterator<Item = f64>) -> f64 {
    samples.into_iter().map(|x| x * x).sum()
}

/// The discrete Fourier transform, filled up with silence to a power of two. (rustfft's plans in double
/// precision would take minutes to compile.)
fn spectrum(samples: impl Iterator<Item = f64>) -> Vec<Complex64> {
    let mut values: Vec<Complex64> = samples.map(|x| Complex64::new(x, 0.0)).collect();
    values.resize(values.len().next_power_of_two(), Complex64::ZERO);
    transformed(&values)
}

fn transformed(values: &[Complex64]) -> Vec<Complex64> {
    if values.len() == 1 {
        return values.to_vec();
    }
    let half = |offset| {
        values
            .iter()
            .skip(offset)
            .step_by(2)
            .copied()
            .collect::<Vec<_>>()
    };
    let (even, odd) = (transformed(&half(0)), transformed(&half(1)));
    let step = -TAU / values.len() as f64;
    let turned = |(k, odd): (usize, &Complex64)| odd * Complex64::cis(step * k as f64);
    let turned: Vec<Complex64> = odd.iter().enumerate().map(turned).collect();
    let sums = even.iter().zip(&turned).map(|(a, b)| a + b);
    let differences = even.iter().zip(&turned).map(|(a, b)| a - b);
    sums.chain(differences).collect()
}

/// The frequency of the highest peak of the spectrum, by a parabola through its logarithm.
fn peak_hz(samples: &[f32]) -> f64 {
    let step = TAU / samples.len() as f64;
    let spectrum = spectrum(samples.iter().enumerate().map(|(n, &x)| {
        let hann = 0.5 - 0.5 * (step * n as f64).cos();
        f64::from(x) * hann
    }));
    let length = spectrum.len();
    let level = |bin: usize| spectrum[bin].norm().ln();
    let peak = (1..length / 2 - 1)
        .max_by(|&a, &b| level(a).total_cmp(&level(b)))
        .unwrap();
    let (below, at, above) = (level(peak - 1), level(peak), level(peak + 1));
    let offset = 0.5 * (below - above) / (below - 2.0 * at + above);
    (peak as f64 + offset) * f64::from(RATE_HZ) / length as f64
}

/// A wav file of these samples.
fn write(path: &Path, samples: &[f32]) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE_HZ,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for &sample in samples {
        writer.write_sample(sample).unwrap();
    }
    writer.finalize().unwrap();
}

#[test]
fn the_default_changes_nothing() {
    let mut augmenter = Augmenter::new(&AugmentConfig::default(), RATE_HZ).unwrap();
    for seed in 0..50 {
        let sound = tone(300.0, 500);
        assert_eq!(augmenter.waveform(sound.clone(), seed).unwrap(), sound);
        let features = noise_features(40, 20);
        let mut masked = features.clone();
        augmenter.features(&mut masked, seed);
        assert_eq!(masked, features);
        assert_eq!(augmenter.config().mix.ratio(seed), None);
    }
}

#[test]
fn each_alone_acts_always_and_by_its_probability_that_often() {
    let sound = tone(440.0, 2000);
    for &each in Augmentation::VALUES {
        let mut config = AugmentConfig::only(each);
        let acts = |config: &AugmentConfig, seed| {
            let mut augmenter = Augmenter::new(config, RATE_HZ).unwrap();
            let mut features = noise_features(60, 40);
            augmenter.features(&mut features, seed);
            augmenter.waveform(sound.clone(), seed).unwrap() != sound
                || features != noise_features(60, 40)
        };
        // Masks of no width, and shifts by no sample, are drawn now and then.
        let acted = (0..40).filter(|&seed| acts(&config, seed)).count();
        assert!(acted >= 38, "{each}: {acted} of 40");
        let toml = serde_json::to_value(&config).unwrap();
        assert_eq!(toml[each.name()]["probability"], 1.0, "{each}");

        let mut json = toml;
        json[each.name()]["probability"] = 0.25.into();
        config = serde_json::from_value(json).unwrap();
        let acted = (0..200).filter(|&seed| acts(&config, seed)).count();
        assert!((30..=70).contains(&acted), "{each}: {acted} of 200");
    }
}

#[test]
fn a_gain_multiplies_by_the_decibels_drawn() {
    let mut config = AugmentConfig::only(Augmentation::Gain);
    (config.gain.min_db, config.gain.max_db) = (20.0, 20.0);
    let sound = ramp(1000);
    let louder = augmented(&config, &sound, 0);
    for (louder, sample) in louder.samples.iter().zip(&sound.samples) {
        assert_eq!(*louder, (f64::from(*sample) * 10.0) as f32);
    }

    (config.gain.min_db, config.gain.max_db) = (-12.0, 3.0);
    let drawn: Vec<f64> = (0..300)
        .map(|seed| {
            let louder = augmented(&config, &sound, seed);
            20.0 * f64::from(louder.samples[999] / sound.samples[999]).log10()
        })
        .collect();
    assert!(drawn.iter().all(|db| (-12.001..3.001).contains(db)));
    let mean = drawn.iter().sum::<f64>() / 300.0;
    assert!((mean + 4.5).abs() < 1.0, "{mean}");
}

#[test]
fn a_roll_is_a_rotation_and_a_shift_brings_silence_in() {
    let mut config = AugmentConfig::only(Augmentation::Shift);
    config.shift.max_fraction = 0.3;
    let sound = ramp(1000);
    let mut earliest = 0;
    let mut latest = 0;
    for seed in 0..200 {
        config.shift.wrap = true;
        let rolled = augmented(&config, &sound, seed).samples;
        let first = rolled.iter().position(|&x| x == sound.samples[0]).unwrap();
        let doubled = [sound.samples.clone(), sound.samples.clone()].concat();
        assert_eq!(rolled, doubled[1000 - first..2000 - first]);
        let later = if first < 500 {
            first as i64
        } else {
            first as i64 - 1000
        };
        (earliest, latest) = (later.min(earliest), later.max(latest));

        config.shift.wrap = false;
        let shifted = augmented(&config, &sound, seed).samples;
        for n in 0..1000 {
            let from = n - later;
            let expected = if (0..1000).contains(&from) {
                sound.samples[from as usize]
            } else {
                0.0
            };
            assert_eq!(shifted[n as usize], expected);
        }
    }
    assert!((-300..-250).contains(&earliest) && (250..=300).contains(&latest));
}

#[test]
fn noise_is_added_at_the_ratio_drawn() {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("short")).unwrap();
    write(&folder.path().join("short/a.wav"), &ramp(700).samples);
    write(&folder.path().join("b.wav"), &tone(60.0, 30_000).samples);
    let sound = tone(1000.0, 8000);
    for (kind, path) in [
        (NoiseKind::White, ""),
        (NoiseKind::Pink, ""),
        (NoiseKind::White, folder.path().to_str().unwrap()),
    ] {
        let mut config = AugmentConfig::only(Augmentation::Noise);
        config.noise.kind = kind;
        config.noise.folder = path.to_owned();
        for (seed, snr_db) in [(0, -10.0), (1, 0.0), (2, 15.5), (3, 40.0)] {
            (config.noise.min_snr_db, config.noise.max_snr_db) = (snr_db, snr_db);
            let noisy = augmented(&config, &sound, seed);
            let noise = noisy.samples.iter().zip(&sound.samples);
            let noise = power(noise.map(|(&a, &b)| f64::from(a) - f64::from(b)));
            let signal = power(sound.samples.iter().map(|&x| f64::from(x)));
            let measured = 10.0 * (signal / noise).log10();
            assert!(
                (measured - snr_db).abs() < 1e-3,
                "{kind} {path}: {measured}"
            );
        }
    }
}

#[test]
fn recorded_noise_is_any_part_of_a_clip_and_a_short_one_repeats() {
    let folder = TempDir::new().unwrap();
    write(&folder.path().join("clip.wav"), &ramp(50).samples);
    let mut config = AugmentConfig::only(Augmentation::Noise);
    config.noise.folder = folder.path().to_str().unwrap().to_owned();
    let mut starts = std::collections::BTreeSet::new();
    for (seed, length) in (0..100).flat_map(|seed| [(seed, 20), (seed, 120)]) {
        let sound = waveform(vec![1.0; length]);
        let noisy = augmented(&config, &sound, seed).samples;
        // Steps of the ramp, and the falls where it begins again.
        let steps: Vec<f32> = noisy.windows(2).map(|x| x[1] - x[0]).collect();
        let falls = steps.iter().filter(|&&step| step < 0.0).count();
        if length == 20 {
            assert_eq!(falls, 0, "a clip that is long enough has no seam");
            let start = (noisy[0] - 1.0) / steps[0];
            starts.insert(start.round() as i64);
        } else {
            assert!((2..=3).contains(&falls), "{falls}");
        }
    }
    assert!(starts.len() > 15, "{starts:?}");
    assert!(
        starts.iter().all(|start| (1..=31).contains(start)),
        "{starts:?}"
    );
}

#[test]
fn pink_noise_falls_by_3_db_an_octave() {
    let mut config = AugmentConfig::only(Augmentation::Noise);
    (config.noise.min_snr_db, config.noise.max_snr_db) = (0.0, 0.0);
    let sound = tone(4000.0, 1 << 16);
    let band_db = |kind, (low, high): (usize, usize)| {
        let mut config = config.clone();
        config.noise.kind = kind;
        let noisy = augmented(&config, &sound, 1);
        let both = noisy.samples.iter().zip(&sound.samples);
        let spectrum = spectrum(both.map(|(&a, &b)| f64::from(a - b)));
        let sum: f64 = spectrum[low * 4..high * 4]
            .iter()
            .map(Complex64::norm_sqr)
            .sum();
        10.0 * (sum / (high - low) as f64).log10()
    };
    // Bins are a quarter of a hertz apart: 250 to 500 Hz against 2000 to 4000 Hz.
    let bands = [(250, 500), (2000, 4000)];
    let [low, high] = bands.map(|band| band_db(NoiseKind::Pink, band));
    assert!((low - high - 9.0).abs() < 1.0, "{low} {high}");
    let [low, high] = bands.map(|band| band_db(NoiseKind::White, band));
    assert!((low - high).abs() < 0.5, "{low} {high}");
}

#[test]
fn reverberation_by_a_recorded_response_is_convolution_with_it() {
    let folder = TempDir::new().unwrap();
    let response = [0.1, 0.9, -0.4, 0.0, 0.2];
    write(&folder.path().join("hall.wav"), &response);
    let mut config = AugmentConfig::only(Augmentation::Reverb);
    config.reverb.folder = folder.path().to_str().unwrap().to_owned();
    let sound = tone(777.0, 3000);
    let wet = augmented(&config, &sound, 0);
    let exact: Vec<f64> = (0..3000_usize)
        .map(|n| {
            // The loudest sample of the response, at 1, is time 0.
            (0..5)
                .filter_map(|k| sound.samples.get((n + 1).checked_sub(k)?).map(|&x| (k, x)))
                .map(|(k, x)| f64::from(response[k]) * f64::from(x))
                .sum()
        })
        .collect();
    let before = power(sound.samples.iter().map(|&x| f64::from(x)));
    let scale = (before / power(exact.iter().copied())).sqrt();
    for (wet, exact) in wet.samples.iter().zip(&exact) {
        assert!((f64::from(*wet) - scale * exact).abs() < 1e-5);
    }
}

#[test]
fn speed_changes_length_and_pitch_together() {
    let mut config = AugmentConfig::only(Augmentation::Speed);
    for factor in [0.5, 0.9, 1.1, 2.0] {
        (config.speed.min_factor, config.speed.max_factor) = (factor, factor);
        let faster = augmented(&config, &tone(440.0, 16_000), 0);
        assert_eq!(faster.sample_rate_hz, RATE_HZ);
        assert_eq!(faster.samples.len(), (16_000.0 / factor).round() as usize);
        let hz = peak_hz(&faster.samples);
        assert!(
            (hz / (440.0 * factor) - 1.0).abs() < 1e-3,
            "{factor}: {hz} Hz"
        );
    }
}

#[test]
fn a_stretch_changes_length_and_keeps_pitch() {
    let mut config = AugmentConfig::only(Augmentation::Stretch);
    for factor in [0.5, 0.8, 1.25, 2.0] {
        (config.stretch.min_factor, config.stretch.max_factor) = (factor, factor);
        let faster = augmented(&config, &tone(440.0, 16_000), 0);
        assert_eq!(faster.samples.len(), (16_000.0 / factor).round() as usize);
        let hz = peak_hz(&faster.samples);
        assert!((hz / 440.0 - 1.0).abs() < 1e-3, "{factor}: {hz} Hz");
    }
}

#[test]
fn a_pitch_shift_moves_a_tone_by_its_semitones_and_keeps_length_and_power() {
    let mut config = AugmentConfig::only(Augmentation::Pitch);
    let sound = tone(440.0, 16_001);
    for semitones in [-12.0, -3.0, -0.5, 0.0, 2.0, 7.0, 12.0] {
        (config.pitch.min_semitones, config.pitch.max_semitones) = (semitones, semitones);
        let shifted = augmented(&config, &sound, 0);
        assert_eq!(shifted.samples.len(), sound.samples.len());
        let moved = 12.0 * (peak_hz(&shifted.samples) / 440.0).log2();
        assert!((moved - semitones).abs() < 0.02, "{semitones}: {moved}");
        let inner =
            |wave: &Waveform| power(wave.samples[1000..15_000].iter().map(|&x| f64::from(x)));
        let change_db = 10.0 * (inner(&shifted) / inner(&sound)).log10();
        assert!(change_db.abs() < 0.2, "{semitones}: {change_db} dB");
    }
}

#[test]
fn a_crop_is_a_part_of_the_length_asked_for() {
    let sound = ramp(2000);
    let mut config = AugmentConfig::only(Augmentation::Crop);
    let is_part = |part: &[f32]| {
        let start = sound.samples.iter().position(|x| *x == part[0]).unwrap();
        assert_eq!(part, &sound.samples[start..start + part.len()]);
    };
    for seed in 0..100 {
        let part = augmented(&config, &sound, seed).samples;
        is_part(&part);
        assert!((1400..=2000).contains(&part.len()));
    }
    config.crop.seconds = 0.1;
    for seed in 0..100 {
        let part = augmented(&config, &sound, seed).samples;
        is_part(&part);
        assert_eq!(part.len(), 1600);
        assert_eq!(augmented(&config, &ramp(1500), seed), ramp(1500));
    }
}

/// Features of which none is 0.
fn noise_features(frames: usize, bins: usize) -> Features {
    Features {
        frames,
        bins,
        values: (0..frames * bins).map(|n| 1.0 + n as f32).collect(),
    }
}

/// How many runs of true values there are, and the longest.
fn runs(masked: impl Iterator<Item = bool>) -> (usize, usize) {
    let (mut count, mut longest, mut length) = (0, 0, 0);
    for masked in masked {
        count += usize::from(masked && length == 0);
        length = if masked { length + 1 } else { 0 };
        longest = longest.max(length);
    }
    (count, longest)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn masks_are_whole_bands_and_stretches_within_their_limits(
        (frames, bins) in (1_usize..120, 1_usize..50),
        (bands, max_bins) in (0_usize..4, 0_usize..60),
        (stretches, max_frames) in (0_usize..4, 0_usize..150),
        max_fraction in 0.0_f64..=1.0,
        seed in any::<u64>(),
    ) {
        let mut config = AugmentConfig::only(Augmentation::SpecAugment);
        config.spec_augment.num_bands = bands;
        config.spec_augment.max_bins = max_bins;
        config.spec_augment.num_stretches = stretches;
        config.spec_augment.max_frames = max_frames;
        config.spec_augment.max_fraction = max_fraction;
        let features = noise_features(frames, bins);
        let mut masked = features.clone();
        Augmenter::new(&config, RATE_HZ).unwrap().features(&mut masked, seed);

        let column = |bin| (0..frames).all(|frame| masked.row(frame)[bin] == 0.0);
        let row = |frame: usize| masked.row(frame).iter().all(|&value| value == 0.0);
        let longest = max_frames.min((max_fraction * frames as f64) as usize);
        // Unless the one kind covers everything, and the other cannot be told.
        if !(0..bins).all(column) {
            let bands = if bins == 1 { 0 } else { bands };
            let (found, widest) = runs((0..bins).map(column));
            prop_assert!(found <= bands && widest <= bands * max_bins);
            let (found, widest) = runs((0..frames).map(row));
            prop_assert!(found <= stretches && widest <= stretches * longest);
            for frame in 0..frames {
                for bin in 0..bins {
                    let value = masked.row(frame)[bin];
                    let expected = if row(frame) || column(bin) { 0.0 } else { features.row(frame)[bin] };
                    prop_assert_eq!(value.to_bits(), expected.to_bits());
                }
            }
        }
    }

    #[test]
    fn any_sound_comes_out_finite_and_the_same_for_the_same_seed(
        length in prop_oneof![1_usize..4, 1_usize..700, 700_usize..9000],
        level in prop_oneof![Just(0.0_f32), Just(1e-30), Just(0.3), Just(100.0)],
        rate_hz in prop_oneof![Just(1000_u32), Just(8000), Just(44_100)],
        seed in any::<u64>(),
    ) {
        let sound = Waveform {
            samples: (0..length).map(|n| level * ((n * n) as f32 * 0.37).sin()).collect(),
            sample_rate_hz: rate_hz,
        };
        let mut all = AugmentConfig::default();
        for &each in Augmentation::VALUES {
            let config = AugmentConfig::only(each);
            let mut augmenter = Augmenter::new(&config, rate_hz).unwrap();
            let result = augmenter.waveform(sound.clone(), seed).unwrap();
            prop_assert!(!result.samples.is_empty());
            prop_assert!(result.samples.iter().all(|x| x.is_finite()), "{}", each);
            if level == 0.0 {
                prop_assert!(result.samples.iter().all(|&x| x == 0.0), "{}", each);
            }
            let mut json = serde_json::to_value(&all).unwrap();
            json[each.name()]["probability"] = 0.5.into();
            all = serde_json::from_value(json).unwrap();
        }
        let mut augmenter = Augmenter::new(&all, rate_hz).unwrap();
        let first = augmenter.waveform(sound.clone(), seed).unwrap();
        augmenter.waveform(sound.clone(), !seed).unwrap();
        let mut fresh = augmenter.clone();
        prop_assert_eq!(&fresh.waveform(sound.clone(), seed).unwrap(), &first);
        prop_assert_eq!(&augmenter.waveform(sound, seed).unwrap(), &first);
    }
}

#[test]
fn what_one_draws_does_not_depend_on_the_others() {
    let sound = tone(440.0, 4000);
    let both = |gain: f64| {
        let mut config = AugmentConfig::only(Augmentation::Shift);
        config.gain.probability = gain;
        (config.gain.min_db, config.gain.max_db) = (0.0, 0.0);
        augmented(&config, &sound, 11)
    };
    assert_eq!(both(0.0), both(1.0));
}

#[test]
fn folders_are_looked_at_only_when_they_are_wanted() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().to_str().unwrap().to_owned();
    let mut config = AugmentConfig::default();
    config.noise.folder = path.clone();
    config.reverb.folder = format!("{path}/none");
    assert!(Augmenter::new(&config, RATE_HZ).is_ok());

    config.noise.probability = 0.1;
    let error = Augmenter::new(&config, RATE_HZ).unwrap_err().to_string();
    assert!(
        error.contains(&path) && error.contains("no audio file"),
        "{error}"
    );

    std::fs::write(folder.path().join("broken.wav"), "RIFF").unwrap();
    config.noise.probability = 1.0;
    let mut augmenter = Augmenter::new(&config, RATE_HZ).unwrap();
    let error = augmenter
        .waveform(tone(440.0, 100), 0)
        .unwrap_err()
        .to_string();
    assert!(error.contains("broken.wav"), "{error}");

    config.noise.probability = 0.0;
    config.reverb.probability = 1.0;
    let error = Augmenter::new(&config, RATE_HZ).unwrap_err().to_string();
    assert!(error.contains("none"), "{error}");
}

#[test]
fn another_sample_rate_is_refused_and_nothing_stays_nothing() {
    let config = AugmentConfig::only(Augmentation::Noise);
    let mut augmenter = Augmenter::new(&config, 8000).unwrap();
    assert!(matches!(
        augmenter.waveform(tone(440.0, 10), 0),
        Err(Error::SampleRate {
            found_hz: 16_000,
            expected_hz: 8000
        })
    ));
    let nothing = Waveform {
        samples: Vec::new(),
        sample_rate_hz: 8000,
    };
    assert_eq!(augmenter.waveform(nothing.clone(), 0).unwrap(), nothing);
}

#[test]
fn values_out_of_range_are_named() {
    let fails = |change: &dyn Fn(&mut AugmentConfig)| {
        let mut config = AugmentConfig::default();
        change(&mut config);
        config.check().unwrap_err().to_string()
    };
    for (message, part) in [
        (
            fails(&|c| c.noise.probability = 1.5),
            "augment.noise.probability = 1.5",
        ),
        (
            fails(&|c| c.gain.max_db = f64::NAN),
            "augment.gain.max_db = NaN",
        ),
        (
            fails(&|c| c.speed.min_factor = 1.2),
            "not below augment.speed.min_factor",
        ),
        (
            fails(&|c| c.speed.min_factor = 0.0),
            "augment.speed.min_factor = 0",
        ),
        (fails(&|c| c.mix.alpha = 0.0), "augment.mix.alpha = 0"),
        (
            fails(&|c| c.equalizer.max_db = -7.0),
            "not below augment.equalizer.min_db",
        ),
        (
            fails(&|c| c.crop.seconds = -1.0),
            "augment.crop.seconds = -1",
        ),
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert!(serde_json::from_str::<AugmentConfig>(r#"{"gain": {"db": 3}}"#).is_err());
    assert!(serde_json::from_str::<AugmentConfig>(r#"{"loudness": {}}"#).is_err());
    let config: AugmentConfig = serde_json::from_str(r#"{"gain": {"min_db": -3}}"#).unwrap();
    assert_eq!((config.gain.min_db, config.gain.max_db), (-3.0, 6.0));
    assert_eq!(
        "spec_augment".parse::<Augmentation>().unwrap(),
        Augmentation::SpecAugment
    );
    assert_eq!(Augmentation::names().count(), Augmentation::VALUES.len());
}

#[test]
fn mixed_features_are_the_weighted_mean_and_a_short_one_counts_as_zero_beyond() {
    let (long, short) = (noise_features(5, 2), noise_features(3, 2));
    let mixed = mix_features(&long, &short, 0.25).unwrap();
    assert_eq!((mixed.frames, mixed.bins), (5, 2));
    for (n, &value) in mixed.values.iter().enumerate() {
        let other = short.values.get(n).copied().unwrap_or(0.0);
        assert_eq!(value, 0.25 * long.values[n] + 0.75 * other);
    }
    assert_eq!(mix_features(&short, &long, 0.75).unwrap(), mixed);
    assert!(mix_features(&long, &noise_features(5, 3), 0.5).is_err());
}

#[test]
fn between_classes_ratios_are_uniform_and_as_frequent_as_asked() {
    let mut config = AugmentConfig::default();
    config.mix.kind = MixKind::BetweenClass;
    config.mix.probability = 0.4;
    let ratios: Vec<f64> = (0..2000)
        .filter_map(|seed| config.mix.ratio(seed))
        .collect();
    assert!((700..900).contains(&ratios.len()), "{}", ratios.len());
    let below = |limit: f64| {
        let count = ratios.iter().filter(|&&ratio| ratio < limit).count();
        count as f64 / ratios.len() as f64
    };
    for limit in [0.25, 0.5, 0.75] {
        assert!(
            (below(limit) - limit).abs() < 0.06,
            "{limit}: {}",
            below(limit)
        );
    }
}

#[test]
fn an_equalizer_keeps_length_power_and_place_and_draws_other_colours() {
    let mut config = AugmentConfig::only(Augmentation::Equalizer);
    (config.equalizer.min_db, config.equalizer.max_db) = (-12.0, 12.0);
    let mut click = vec![0.0; 4000];
    click[1500] = 1.0;
    let click = waveform(click);
    // The spectrum of a click is that of the filter.
    let mut levels = Vec::new();
    for seed in 0..20 {
        let filtered = augmented(&config, &click, seed);
        assert_eq!(filtered.samples.len(), 4000);
        let total = power(filtered.samples.iter().map(|&x| f64::from(x)));
        assert!((total - 1.0).abs() < 1e-4, "seed {seed}: {total}");
        let loudest = (0..4000).max_by(|&a, &b| {
            filtered.samples[a]
                .abs()
                .total_cmp(&filtered.samples[b].abs())
        });
        assert_eq!(loudest, Some(1500), "seed {seed}");
        let level = |hz: f64| {
            let step = TAU * hz / f64::from(RATE_HZ);
            let bin: Complex64 = filtered
                .samples
                .iter()
                .enumerate()
                .map(|(n, &x)| Complex64::cis(-step * n as f64) * f64::from(x))
                .sum();
            20.0 * bin.norm().log10()
        };
        levels.push(level(4000.0) - level(1000.0));
    }
    let spread = levels
        .iter()
        .fold(0.0_f64, |most, level| most.max(level.abs()));
    assert!((10.0..24.5).contains(&spread), "{spread} dB");
    let (above, below) = (
        levels.iter().filter(|&&level| level > 0.0).count(),
        levels.iter().filter(|&&level| level < 0.0).count(),
    );
    assert!(above > 3 && below > 3, "{levels:?}");
}
