//! Tests of settings: valid values and refused ones.

use std::path::Path;

use sori_datasets::features::Normalize;
use sori_datasets::{AugmentConfig, Corpus};
use sori_models::layers::Cell;
use sori_models::{ModelConfig, catalogue};
use toml::Table;

use super::*;

fn settings() -> Settings {
    Settings::new("mlp", "synth:dtmf", 8000).unwrap()
}

/// Four recordings of half a second with transcripts.
fn recordings(folder: &Path) -> String {
    recordings_of(folder, 16_000, 8_000)
}

/// Four recordings of so many samples with transcripts.
fn recordings_of(folder: &Path, sample_rate: u32, num_samples: i32) -> String {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut lines = String::new();
    for index in 0..4i16 {
        let name = format!("{sample_rate}-{index}.wav");
        let mut file = hound::WavWriter::create(folder.join(&name), spec).unwrap();
        for sample in 0..num_samples {
            let sample = (sample % 8_000) as i16;
            file.write_sample(sample.wrapping_mul(index + 1)).unwrap();
        }
        file.finalize().unwrap();
        lines.push_str(&format!("{{\"audio\": \"{name}\", \"text\": \"ab\"}}\n"));
    }
    let list = folder.join(format!("{sample_rate}.jsonl"));
    std::fs::write(&list, lines).unwrap();
    format!("manifest:{}", list.display())
}

#[test]
fn a_recipe_follows_from_the_data_and_a_quick_one_is_shorter_but_of_few_recordings() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = Corpus::open(&recordings(folder.path()).parse().unwrap()).unwrap();
    let of = |recipe| {
        let model = ModelConfig::from_name("deep_speech2").unwrap();
        Settings::by_recipe(model, recipe, &corpus).unwrap()
    };
    let [best, quick, paper] = [RecipeName::Best, RecipeName::Quick, RecipeName::Paper].map(of);
    // Few recordings: many epochs of small batches.
    assert_eq!((best.train.epochs, best.train.batch_size), (80, 4));
    // They take no time, so that the quick form has them too.
    assert_eq!((quick.train.epochs, paper.train.epochs), (80, 15));
    assert!(best.augment.acts_on_waveforms() && !paper.augment.acts_on_waveforms());
    assert_eq!(best.features.sample_rate_hz, 16_000);
}

#[test]
fn settings_survive_their_own_toml() {
    let text = settings().to_toml().unwrap();
    assert_eq!(Settings::from_toml(&text, "test").unwrap(), settings());
}

#[test]
fn a_bare_key_means_the_one_setting_of_that_name() {
    let set = settings().with_override("epochs=3").unwrap();
    assert_eq!(set.train.epochs, 3);
    let set = set.with_override("train.learning_rate=1").unwrap();
    assert_eq!(set.train.learning_rate, 1.0);
    let set = set.with_override("optimizer = sgd").unwrap();
    assert_eq!(set.train.optimizer, OptimizerKind::Sgd);
}

#[test]
fn every_model_takes_the_features_it_has_by_default() {
    let folder = tempfile::tempdir().unwrap();
    let mut corpora = vec!["synth:dtmf?size=16".to_string(), recordings(folder.path())];
    // Long ones, of each number of bands.
    let (low, high) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    corpora.push(recordings_of(low.path(), 8_000, 3 * 8_000));
    corpora.push(recordings_of(high.path(), 16_000, 3 * 16_000));
    corpora.push(recordings_of(high.path(), 44_100, 3 * 44_100));
    for entry in catalogue() {
        for corpus in &corpora {
            Settings::new(entry.name, corpus, 16_000)
                .unwrap()
                .check()
                .unwrap();
            let corpus = Corpus::open(&corpus.parse().unwrap()).unwrap();
            for recipe in [RecipeName::Best, RecipeName::Quick, RecipeName::Paper] {
                let model = ModelConfig::from_name(entry.name).unwrap();
                let settings = Settings::by_recipe(model, recipe, &corpus).unwrap();
                settings.check().unwrap();
            }
        }
    }
}

#[test]
fn features_that_the_model_cannot_take_are_named() {
    let settings = Settings::new("fcn", "folder:DIR", 16_000).unwrap();
    for (assignment, part) in [
        (
            "num_mels=40",
            "`features.num_mels` is 40; a frame has 40 bins",
        ),
        (
            "features.kind=waveform",
            "`features.kind` is waveform; a frame has 1 bins",
        ),
    ] {
        let set = settings.with_override(assignment).unwrap();
        let error = set.check().unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
        assert!(error.contains("at least 96"), "{error}");
    }
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    for (assignment, part) in [
        ("epochz=3", "train.epochs"),
        ("epochs", "key=value"),
        ("epochs=many", "integer"),
        ("optimizer=magic", "adam"),
        ("train=3", "data.train"),
        ("num_bins=40", "features.num_mels"),
        ("model.num_classes=3", "leave it out"),
        ("augment.pitch=1", "augment.pitch.probability"),
    ] {
        let error = settings()
            .with_override(assignment)
            .unwrap_err()
            .to_string();
        assert!(error.contains(part), "{assignment}: {error}");
    }
}

#[test]
fn a_file_with_an_unknown_key_is_refused() {
    let error = settings()
        .with_toml("[train]\nepoch = 3\n", "x.toml")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("x.toml") && error.contains("train.epoch"),
        "{error}"
    );
}

#[test]
fn recognisers_of_morse_start_from_features_of_tones() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = recordings(folder.path());
    for model in ["deep_speech2", "las"] {
        let morse = Settings::for_data(model, "synth:morse?size=8").unwrap();
        assert_eq!(morse.features.num_bins(), 6, "{model}");
        // The level of a band tells whether a tone is in it, if it is not each message's own.
        assert_eq!(morse.features.normalize, Normalize::Corpus, "{model}");
        assert_eq!(morse.augment, AugmentConfig::default());
        morse.check().unwrap();
        let speech = Settings::for_data(model, &recordings).unwrap();
        assert_ne!(speech.features.num_bins(), 6);
        assert_ne!(speech.augment, AugmentConfig::default());
        speech.check().unwrap();
    }
    let labels = Settings::for_data("cnn1d", "synth:morse?answer=speed&size=8").unwrap();
    assert_ne!(labels.features.num_bins(), 6);
}

#[test]
fn a_run_from_before_there_were_convolutions_has_none() {
    let whole = Settings::new("las", "synth:morse", 8000).unwrap();
    let mut table = Table::try_from(&whole).unwrap();
    let model = table["model"].as_table_mut().unwrap();
    for key in ["channels", "kernels", "strides", "cell"] {
        model.remove(key).unwrap();
    }
    let text = toml::to_string(&table).unwrap();
    let read = Settings::from_toml(&text, "test").unwrap();
    let ModelConfig::Las(config) = &read.model else {
        panic!("another model")
    };
    assert!(config.channels.is_empty() && config.strides.is_empty());
    assert_eq!(config.cell, Cell::Lstm);
    read.check().unwrap();
}

#[test]
fn the_last_epoch_is_not_waited_for() {
    let set = settings().with_override("best_by=last").unwrap();
    set.check().unwrap();
    for assignment in ["patience=3", "schedule=plateau"] {
        let set = set.with_override(assignment).unwrap();
        let error = set.check().unwrap_err().to_string();
        assert!(error.contains("train.best_by"), "{assignment}: {error}");
    }
}

#[test]
fn a_speller_that_could_not_end_or_write_is_refused() {
    for (assignment, key) in [
        ("end_threshold=0.0", "text.end_threshold"),
        ("end_threshold=1.5", "text.end_threshold"),
        ("max_symbols_per_step=0.0", "text.max_symbols_per_step"),
        ("max_symbols_per_step=inf", "text.max_symbols_per_step"),
    ] {
        let set = Settings::new("las", "synth:morse", 8000).unwrap();
        let set = set.with_override(assignment).unwrap();
        let error = set.check().unwrap_err().to_string();
        assert!(error.contains(key), "{assignment}: {error}");
    }
}

/// The quoted strings after each `call(` in a program's text.
fn quoted<'a>(text: &'a str, call: &str) -> Vec<&'a str> {
    let behind = text.split(call).skip(1);
    behind.filter_map(|rest| rest.split('"').nth(1)).collect()
}

#[test]
fn the_settings_of_every_example_can_be_made() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut examples = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let models = quoted(&text, "Settings::for_data(");
        let Some(model) = models.first() else {
            // A module that is not of the zoo.
            continue;
        };
        let made = quoted(&text, ".with_override(").into_iter().try_fold(
            Settings::for_data(model, "synth:dtmf?size=16").unwrap(),
            |set, change| set.with_override(change),
        );
        let made = made.and_then(|settings| settings.check());
        assert!(made.is_ok(), "{}: {made:?}", path.display());
        examples += 1;
    }
    assert!(examples > 15, "{examples}");
}

#[test]
fn values_out_of_range_are_named() {
    for key in ["train.batch_size", "train.accumulate"] {
        for value in ["0", "4294967296"] {
            let set = settings().with_override(&format!("{key}={value}")).unwrap();
            let error = set.check().unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
    }
    let mut set = settings();
    set.train.momentum = 1.5;
    let error = set.check().unwrap_err().to_string();
    assert!(
        error.contains("train.momentum is 1.5") || error.contains("`train.momentum` is 1.5"),
        "{error}"
    );
}

#[test]
fn every_setting_says_what_it_means_and_what_it_may_be() {
    let shared = shared_listing().unwrap();
    assert!(shared.len() > 90, "{}", shared.len());
    assert!(shared.iter().any(|setting| setting.key == "text.unk"));
    for card in catalogue() {
        let settings = Settings::new(card.name, "synth:dtmf", 8000).unwrap();
        for setting in listing(&[(Source::Default, settings)]).unwrap() {
            let key = &setting.key;
            assert!(!setting.meaning.is_empty(), "{}: {key}", card.name);
            assert!(
                !setting.meaning.contains("]("),
                "{key}: {}",
                setting.meaning
            );
            assert!(!setting.allowed.is_empty(), "{}: {key}", card.name);
            // A group is said what it is, too.
            let mut group = key.as_str();
            while let Some((above, _)) = group.rsplit_once('.') {
                let model = ModelConfig::from_name(card.name).unwrap();
                assert!(listing::meaning(&model, above).is_some(), "{above}");
                group = above;
            }
        }
    }
}

#[test]
fn what_a_setting_may_be_is_what_its_check_says() {
    let settings = Settings::new("cnn2d", "synth:dtmf", 8000).unwrap();
    let listed = listing(&[(Source::Default, settings)]).unwrap();
    let allowed = |key: &str| {
        let setting = listed.iter().find(|setting| setting.key == key);
        setting.unwrap().allowed.clone()
    };
    assert_eq!(allowed("train.learning_rate"), "above 0, such as 0.001");
    assert_eq!(allowed("train.epochs"), "at least 1");
    assert_eq!(allowed("train.patience"), "0 or above");
    assert_eq!(allowed("train.balance"), "true or false");
    assert_eq!(allowed("train.best_by"), "metric, loss, last");
    assert_eq!(allowed("features.window"), "hann, hamming");
    assert_eq!(allowed("features.num_mels"), "between 1 and 4096");
    assert_eq!(allowed("augment.mix.kind"), "mixup, between-class");
    assert_eq!(allowed("augment.noise.probability"), "between 0 and 1");
    assert_eq!(allowed("model.dropout"), "at least 0 and below 1");
    assert_eq!(
        allowed("model.pooling"),
        "mean, mean_max, mean_max_deviation"
    );
    assert_eq!(
        allowed("model.channels"),
        "a list of sizes from 1 to 1048576"
    );
}

#[test]
fn a_setting_says_where_its_value_comes_from() {
    let corpus = Corpus::open(&"synth:dtmf".parse().unwrap()).unwrap();
    let model = || ModelConfig::from_name("fcn").unwrap();
    let mut layers = Settings::layers_of(model(), RecipeName::Quick, &corpus).unwrap();
    let recipe = Settings::by_recipe(model(), RecipeName::Quick, &corpus).unwrap();
    assert_eq!(layers.last().unwrap(), &(Source::Recipe, recipe.clone()));
    let given = recipe.with_override("train.patience=3").unwrap();
    layers.push((Source::Given, given));
    let listed = listing(&layers).unwrap();
    for (key, source) in [
        ("train.batch_size", Source::Default),
        ("features.sample_rate_hz", Source::Corpus),
        ("features.num_mels", Source::Recipe),
        ("train.patience", Source::Given),
    ] {
        let setting = listed.iter().find(|setting| setting.key == key);
        assert_eq!(setting.unwrap().source, source, "{key}");
    }
}

#[test]
fn a_mistyped_setting_is_told_the_nearest_ones() {
    for (assignment, said) in [
        ("lr=0.1", "did you mean `train.learning_rate`?"),
        (
            "augment.nose.probability=1",
            "did you mean `augment.noise.probability`",
        ),
        ("colour=red", "there are augment.crop.max_fraction, "),
    ] {
        let error = settings().with_override(assignment).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(said), "{error}");
    }
    for (text, said) in [
        (
            "[train]\nlearningrate = 0.1\n",
            "did you mean `train.learning_rate`?",
        ),
        ("[train]\ndropout = 0.1\n", "did you mean `model.dropout`?"),
        ("[trian]\nepochs = 1\n", "did you mean `train`?"),
    ] {
        let error = settings()
            .with_toml(text, "x.toml")
            .unwrap_err()
            .to_string();
        assert!(error.contains(said), "{error}");
    }
}
