//! A `state_dict()` of every architecture's PyTorch twin (`tests/golden/weights.py`).

use super::*;

use burn::tensor::TensorData;

/// The configuration and the parameters of a golden file of a model.
pub(crate) fn golden(name: &str) -> (ModelConfig, BTreeMap<String, Vec<f32>>) {
    let path = format!("tests/golden/models/{name}.safetensors");
    let bytes = std::fs::read(path).unwrap();
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let config = &metadata.metadata().as_ref().unwrap()["config"];
    let mut config: serde_json::Value = serde_json::from_str(config).unwrap();
    if config.get("name").is_none() {
        let kinds = ["deep_speech2", "las", "vae", "gan"];
        config["name"] = kinds
            .iter()
            .find(|kind| name.starts_with(**kind))
            .copied()
            .into();
    }
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let ours = tensors.iter().filter_map(|(name, view)| {
        let path = name
            .strip_prefix("param.")
            .or_else(|| name.strip_prefix("state."))?;
        let values = view.data().chunks_exact(4);
        let values = values.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        Some((path.to_string(), values.collect()))
    });
    (serde_json::from_value(config).unwrap(), ours.collect())
}

#[test]
fn the_state_dict_of_every_twin_gives_the_parameters_it_was_made_of() {
    let mut architectures = std::collections::BTreeSet::new();
    for path in state_dicts() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let (config, expected) = golden(&name);
        architectures.insert(config.name());
        let (file, plan) = plan(&path, &config);
        plan.check(&name).unwrap();
        let found: BTreeMap<String, TensorData> = plan.read(&file).unwrap();
        let paths = |it: Vec<&String>| it.into_iter().cloned().collect::<Vec<_>>();
        assert_eq!(
            paths(found.keys().collect()),
            paths(expected.keys().collect()),
            "{name}"
        );
        for (path, data) in found {
            assert_eq!(
                data.iter::<f32>().collect::<Vec<_>>(),
                expected[&path],
                "{name} {path}"
            );
        }
    }
    let all = sori_models::catalogue().iter().map(|card| card.name);
    assert_eq!(architectures, all.collect());
}

#[test]
fn another_architectures_file_is_refused_and_names_what_does_not_fit() {
    let (config, _) = golden("cnn1d");
    let (_, plan) = plan(Path::new("tests/golden/weights/mlp_tanh.pt"), &config);
    let message = plan.check("cnn1d").unwrap_err().to_string();
    for part in [
        "mlp_tanh.pt",
        "blocks.0.conv.weight",
        "convs.0.weight",
        "superfluous tensor hidden.0",
    ] {
        assert!(message.contains(part), "{message}");
    }
}
