//! What the registry promises of every architecture: names, cards, recipes, roles and messages.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::Tensor;
use burn_ndarray::NdArray;
use sori_models::las::Sampling;
use sori_models::recipe::Facts;
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
        assert_eq!(config.card().name, card.name);
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

/// Data of every kind that a recipe may meet.
fn occasions() -> Vec<Facts> {
    let mut occasions = Vec::new();
    for task in [
        Some(Purpose::Classify),
        Some(Purpose::Tag),
        Some(Purpose::Transcribe),
        None,
    ] {
        for synthesised in [None, Some("dtmf"), Some("scenes"), Some("morse")] {
            for (sample_rate_hz, length_s, num_recordings) in [
                (8_000, 0.4, 2),
                (16_000, 1.0, 3_000),
                (44_100, 30.0, 1_000_000),
                (22_050, 0.0, 0),
            ] {
                occasions.push(Facts {
                    task,
                    synthesised: synthesised.map(str::to_string),
                    sample_rate_hz,
                    length_s,
                    num_recordings,
                });
            }
        }
    }
    occasions
}

#[test]
fn a_recipe_holds_settings_of_its_model() {
    let known = ["features", "augment", "model", "train"];
    for card in catalogue() {
        let defaults = ModelConfig::from_name(card.name).expect("a model of the catalogue");
        let paper: Table = card.paper_settings.parse().expect("TOML");
        for facts in occasions() {
            let recipe: Table = (card.recipe)(&facts).parse().expect("TOML");
            let mut model = Table::try_from(&defaults).expect("a configuration as TOML");
            let mut bins = 40;
            for settings in [&paper, &recipe] {
                assert!(settings.keys().all(|key| known.contains(&key.as_str())));
                let changes = settings.get("model").and_then(Value::as_table);
                model.extend(changes.cloned().unwrap_or_default());
                let mels = settings.get("features").and_then(|it| it.get("num_mels"));
                bins = mels.and_then(Value::as_integer).unwrap_or(bins);
            }
            let model: ModelConfig = model.try_into().expect("fields of the configuration");
            let frames = model.fixed_frames().unwrap_or(0);
            let fitted = model.with_input(frames, bins as usize, 10);
            fitted.check().expect("a recipe that fits its features");
        }
    }
}

#[test]
fn synthesised_recordings_are_learned_from_as_they_are() {
    let augments = |facts: &Facts| {
        let cards = catalogue().iter();
        let texts = cards.map(|card| (card.recipe)(facts));
        texts.filter(|text| text.contains("augment")).count()
    };
    let (synthesised, recorded): (Vec<_>, Vec<_>) = occasions()
        .into_iter()
        .partition(|facts| facts.synthesised.is_some());
    let morse = |facts: &&Facts| facts.synthesised.as_deref() == Some("morse");
    assert!(
        synthesised
            .iter()
            .filter(morse)
            .all(|facts| augments(facts) == 0)
    );
    assert!(recorded.iter().all(|facts| augments(facts) >= 17));
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
