//! `sori models NAME`: the card of an architecture.

use burn::tensor::backend::{AutodiffBackend, Backend};
use serde_json::{Value, json};
use sori_models::recipe::Facts;
use sori_models::{
    Architecture, Card, Contract, LayerParams, ModelConfig, Network, Purpose, Role, layer_params,
    num_params,
};
use toml::Table;

use super::options::Common;
use super::output::{print, print_json};
use crate::backend::{BackendName, Job, run_on};
use crate::show::text::thousands;
use crate::{Error, Result};

/// The recordings that a recipe is shown for.
const RECORDINGS: &str = "1,000 recordings of 3 s at 16,000 Hz";

/// What a network is made of.
struct Inside {
    layers: Vec<LayerParams>,
    params: usize,
    /// The size of what lies between input and output: of an embedding, or of a latent vector.
    d_between: Option<usize>,
}

/// Looks into a network.
struct Look(ModelConfig);

impl Job for Look {
    type Output = Result<Inside>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<Inside> {
        // Layers are told by their shapes, and parameters are not initialised.
        let model = self.0.init::<B::InnerBackend>(device)?;
        Ok(Inside {
            layers: layer_params(&model),
            params: num_params(&model),
            d_between: d_between(model.contract()),
        })
    }
}

fn d_between<B: Backend>(contract: Contract<'_, B>) -> Option<usize> {
    match contract {
        Contract::Classifier(network) => Some(network.d_embedding()),
        Contract::Autoencoder(network) => Some(network.d_latent()),
        Contract::Adversarial(network) => Some(network.d_latent()),
        Contract::Emitter(_) | Contract::Speller(_) => None,
    }
}

/// Prints the card of the architecture `name`.
pub(super) fn show(common: &Common, name: &str) -> Result<()> {
    let config = ModelConfig::from_name(name)?;
    let card = config.card();
    // Looking needs no device, so any working backend will do.
    let backend = BackendName::compiled().last().unwrap_or_default();
    let inside = run_on(backend, Look(config.clone()))??;
    let bins = num_bins(&config)?;
    let contract = contract(&config, bins, inside.d_between.unwrap_or_default());
    let recipe = recipe(card)?;
    let paper = settings(card.paper_settings)?;
    if common.json {
        let layers = inside.layers.iter().map(|layer| {
            let params = layer.params.iter();
            let params: serde_json::Map<String, Value> = params
                .map(|(name, shape)| (name.clone(), json!(shape)))
                .collect();
            json!({"path": layer.path, "kind": layer.kind, "params": params, "count": layer.count()})
        });
        return print_json(&json!({
            "name": card.name, "title": card.title, "task": card.purpose.as_str(), "paper": card.paper,
            "paper_url": card.paper_url, "summary": card.summary, "params": inside.params,
            "bins": bins, "outputs": config.num_outputs(), "min_frames": config.min_frames(),
            "contract": contract, "layers": layers.collect::<Vec<_>>(),
            "paper_settings": paper.iter().cloned().collect::<Table>(),
            "recipe": recipe.iter().cloned().collect::<Table>(), "recipe_for": RECORDINGS,
            "example": example(card),
        }));
    }
    let mut text = format!(
        "{}: {}\n{}\n{}\n{}\n\n{contract}\n",
        card.name, card.title, card.summary, card.paper, card.paper_url
    );
    let reads = match (config.fixed_frames(), config.min_frames()) {
        (Some(frames), _) => format!("{frames} frames of a recording"),
        (None, 1) => "any number of frames".to_string(),
        (None, frames) => format!("{frames} frames or more"),
    };
    text.push_str(&format!(
        "It reads {reads}.\n\n{} parameters:\n",
        thousands(inside.params)
    ));
    text.push_str(&table(&inside.layers));
    for (what, settings) in [
        ("its paper, --recipe paper".to_string(), &paper),
        (format!("its recipe, for {RECORDINGS}"), &recipe),
    ] {
        if !settings.is_empty() {
            text.push_str(&format!("\nSet by {what}:\n"));
        }
        for (key, value) in settings {
            text.push_str(&format!("  {key} = {value}\n"));
        }
    }
    text.push_str(&format!(
        "\nsori settings {name}\n    lists all that can be set\n{}\n    trains it",
        example(card)
    ));
    print(&text)
}

/// Feature bins of the default input.
fn num_bins(config: &ModelConfig) -> Result<usize> {
    let fields = serde_json::to_value(config)
        .map_err(|e| Error::Input(format!("the configuration cannot be read: {e}")))?;
    // Architectures that read the waveform have no such field.
    Ok(fields["num_bins"].as_u64().unwrap_or(1) as usize)
}

/// What goes in and what comes out, with the sizes of the default configuration.
fn contract(config: &ModelConfig, bins: usize, d_between: usize) -> String {
    let outputs = config.num_outputs();
    let frames = match config.fixed_frames() {
        Some(frames) => frames.to_string(),
        None => "frames".to_string(),
    };
    let features = format!("features [batch, {frames}, {bins}]");
    match config.role() {
        Role::Classifier => format!(
            "{features} → embedding [batch, {d_between}] → scores of classes or tags [batch, {outputs}]"
        ),
        Role::Emitter => format!(
            "{features} → scores of symbols [batch, steps, {outputs}], {}",
            step(config)
        ),
        Role::Speller => format!(
            "{features} → states [batch, steps, channels], {} → scores of symbols \
             [batch, symbols written, {outputs}]",
            step(config)
        ),
        Role::Autoencoder => format!(
            "{features} → latent vector [batch, {d_between}] → patches [batch, {frames}, {bins}]"
        ),
        Role::Adversarial => {
            format!("latent vector [batch, {d_between}] → patches [batch, {frames}, {bins}]")
        }
    }
}

fn step(config: &ModelConfig) -> String {
    match config.frames_per_step() {
        1 => "a step for each frame".to_string(),
        frames => format!("a step for every {frames} frames"),
    }
}

/// A line for each layer: path, type, parameters and their shapes.
fn table(layers: &[LayerParams]) -> String {
    let widest = |of: fn(&LayerParams) -> usize| layers.iter().map(of).max().unwrap_or(0);
    let (path, kind) = (
        widest(|layer| layer.path.len()),
        widest(|layer| layer.kind.len()),
    );
    let lines = layers.iter().map(|layer| {
        let shapes = layer.params.iter();
        let shapes: Vec<String> = shapes
            .map(|(name, shape)| format!("{name} {shape:?}"))
            .collect();
        format!(
            "  {:<path$}  {:<kind$}  {:>11}  {}\n",
            layer.path,
            layer.kind,
            thousands(layer.count()),
            shapes.join(", ")
        )
    });
    lines.collect()
}

/// What the recipe sets for [`RECORDINGS`].
fn recipe(card: &Card) -> Result<Vec<(String, toml::Value)>> {
    let facts = Facts {
        task: Some(card.purpose),
        synthesised: None,
        sample_rate_hz: 16_000,
        length_s: 3.0,
        num_recordings: 1000,
    };
    settings(&(card.recipe)(&facts))
}

/// The settings of a TOML text with their dotted names.
fn settings(text: &str) -> Result<Vec<(String, toml::Value)>> {
    let table: Table = text
        .parse()
        .map_err(|e| Error::Input(format!("the settings of a card are not TOML: {e}")))?;
    Ok(dotted("", table))
}

fn dotted(prefix: &str, table: Table) -> Vec<(String, toml::Value)> {
    let settings = table.into_iter().flat_map(|(key, value)| match value {
        toml::Value::Table(inner) => dotted(&format!("{prefix}{key}."), inner),
        value => vec![(format!("{prefix}{key}"), value)],
    });
    settings.collect()
}

/// A command that trains the architecture on recordings of one's own.
fn example(card: &Card) -> String {
    let data = match card.purpose {
        Purpose::Classify | Purpose::Autoencode | Purpose::Generate => "folder:RECORDINGS",
        Purpose::Tag | Purpose::Transcribe => "manifest:recordings.jsonl",
    };
    format!("sori train {} --data {data}", card.name)
}
