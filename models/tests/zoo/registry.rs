//! What the registry promises of every architecture: names, cards, recipes, roles and messages.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::Tensor;
use burn_ndarray::NdArray;
use sori_models::las::Sampling;
use sori_models::{
    Architecture, Card, Contract, Model, ModelConfig, Network, Purpose, Role, catalogue,
};
use toml::{Table, Value};

/// Every architecture with its defaults.
fn defaults() -> Vec<ModelConfig> {
    let named = |card: &Card| ModelConfig::from_name(card.name).expect("a model of the catalogue");
    catalogue().iter().map(named).collect()
}

#[test]
fn the_catalogue_and_the_configurations_name_the_same_models() {
    for card in catalogue() {
        let config = ModelConfig::from_name(card.name).expect("a model of the catalogue");
        assert_eq!(config.name(), card.name);
        let json = serde_json::to_string(&config).expect("a configuration as JSON");
        assert!(
            json.starts_with(&format!(r#"{{"name":"{}","#, card.name)),
            "{json}"
        );
        assert_eq!(
            serde_json::from_str::<ModelConfig>(&json).expect("the same back"),
            config
        );
    }
    let error = ModelConfig::from_name("cnn").expect_err("there is no such model");
    let names: Vec<&str> = catalogue().iter().map(|card| card.name).collect();
    let message = format!("there is no model `cnn`; the zoo has {}", names.join(", "));
    assert_eq!(error.to_string(), message);
}

#[test]
fn a_configuration_knows_its_card_and_its_role() {
    for (config, card) in defaults().into_iter().zip(catalogue()) {
        assert_eq!(config.card(), card);
        assert!(!card.paper.is_empty() && card.paper_url.starts_with("https://"));
        let role = match card.purpose {
            Purpose::Classify | Purpose::Tag => Role::Classifier,
            Purpose::Transcribe if config.learns_by_ctc() => Role::Emitter,
            Purpose::Transcribe => Role::Speller,
            Purpose::Autoencode => Role::Autoencoder,
            Purpose::Generate => Role::Adversarial,
        };
        assert_eq!(config.role(), role, "{}", card.name);
        assert_eq!(
            card.bench.is_none(),
            role.generates(),
            "{}: a model that generates has no `bench`, any other has one",
            card.name
        );
        let model: Model<NdArray> = config.init(&Default::default()).expect("valid defaults");
        assert_eq!(model.contract().role(), role, "{}", card.name);
    }
}

#[test]
fn a_configuration_takes_the_sizes_of_the_data() {
    for config in defaults() {
        let name = config.name();
        let fixed = config.fixed_frames().map(|frames| frames + 1);
        let fitted = config.with_input(fixed.unwrap_or(0), 97, 11);
        assert_eq!(fitted.fixed_frames(), fixed, "{name}");
        let outputs = if fitted.role().generates() { 0 } else { 11 };
        assert_eq!(fitted.num_outputs(), outputs, "{name}");
        let table = Value::try_from(&fitted).expect("a configuration as TOML");
        assert_eq!(table["num_bins"].as_integer(), Some(97), "{name}");
        fitted.check().expect("sizes that fit");
    }
}

#[test]
fn a_recipe_holds_settings_of_its_model() {
    for card in catalogue() {
        let defaults = ModelConfig::from_name(card.name).expect("a model of the catalogue");
        for recipe in card.recipes {
            let settings: Table = recipe.settings.parse().expect("TOML");
            let known = ["features", "augment", "model", "train"];
            assert!(settings.keys().all(|key| known.contains(&key.as_str())));
            let mut model = Table::try_from(&defaults).expect("a configuration as TOML");
            let changes = settings.get("model").and_then(Value::as_table);
            model.extend(changes.cloned().unwrap_or_default());
            let model: ModelConfig = model.try_into().expect("fields of the configuration");
            let bins = settings.get("features").and_then(|it| it.get("num_mels"));
            let bins = bins.and_then(Value::as_integer).unwrap_or(40) as usize;
            let frames = model.fixed_frames().unwrap_or(0);
            let fitted = model.with_input(frames, bins, 10);
            fitted.check().expect("a recipe that fits its features");
        }
    }
}

#[test]
fn of_the_recipes_the_one_with_the_longest_corpus_applies() {
    let corpus = |name: &str, spec: &str| {
        let config = ModelConfig::from_name(name).expect("a model of the catalogue");
        config.card().recipe(spec).map(|recipe| recipe.corpus)
    };
    assert_eq!(corpus("las", "fsdd:digits"), Some(""));
    assert_eq!(corpus("las", "synth:digits"), Some(""));
    assert_eq!(corpus("las", "synth:morse"), Some("synth:morse"));
    assert_eq!(corpus("crnn", "synth:morse"), Some("synth:"));
    assert_eq!(corpus("crnn", "mtat:clips"), Some(""));
    assert_eq!(corpus("gru", "synth:morse"), None);
}

#[test]
fn other_bins_are_refused_by_the_name_of_their_field() {
    let device = Default::default();
    for config in defaults() {
        // A waveform has one bin; everything else is made for more.
        let bins =
            Value::try_from(&config).expect("a configuration as TOML")["num_bins"].as_integer();
        let bins = bins.expect("a number") as usize;
        let model: Model<NdArray> = config.init(&device).expect("valid defaults");
        let frames = config.min_frames();
        let features = || Tensor::zeros([1, frames, bins + 1], &device);
        let lengths = [frames];
        let latents = |size: usize| Tensor::zeros([1, size], &device);
        let outcome = catch_unwind(AssertUnwindSafe(|| match model.contract() {
            Contract::Classifier(model) => drop(model.forward(features(), &lengths)),
            Contract::Emitter(model) => drop(model.emit(features(), &lengths)),
            Contract::Speller(model) => {
                drop(model.spell(features(), &lengths, &[vec![1]], Sampling::default()));
            }
            Contract::Autoencoder(model) => {
                drop(model.bound(features(), &lengths, latents(model.d_latent())));
            }
            Contract::Adversarial(model) => {
                drop(model.losses(features(), &lengths, latents(model.d_latent())));
            }
        }));
        let payload = outcome.expect_err(config.name());
        let message = payload.downcast_ref::<String>().expect("a message");
        let expected = format!(
            "`num_bins` of this model is {bins}, but the features have {} bins",
            bins + 1
        );
        assert!(message.contains(&expected), "{}: {message}", config.name());
    }
}
