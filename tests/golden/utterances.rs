//! A recogniser's outputs for real recordings, and their decoding by pyctcdecode. See `decoding.py`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use safetensors::SafeTensors;
use serde::Deserialize;
use sori::datasets::Alphabet;
use sori::decode::{BeamOptions, Fusion, FusionOptions, NgramModel};

/// A transcript found by pyctcdecode.
#[derive(Deserialize)]
#[allow(dead_code, reason = "the bench compares nothing")]
pub struct Found {
    pub text: String,
    pub acoustic: f64,
    pub score: f64,
}

#[derive(Deserialize)]
struct Cases {
    steps: Vec<usize>,
    alphabet: Alphabet,
    found: BTreeMap<String, Vec<Vec<Found>>>,
}

/// `[recordings][steps][symbols]`, and the best transcripts of each without and with words.
pub struct Utterances {
    pub alphabet: Alphabet,
    pub log_probs: Vec<Vec<Vec<f32>>>,
    #[allow(dead_code, reason = "the bench compares nothing")]
    pub found: BTreeMap<String, Vec<Vec<Found>>>,
}

fn golden(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

impl Utterances {
    pub fn read() -> Self {
        let cases = std::fs::read(golden("decoding.json")).unwrap();
        let cases: Cases = serde_json::from_slice(&cases).unwrap();
        let bytes = std::fs::read(golden("decoding.safetensors")).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let values = tensors.tensor("log_probs").unwrap();
        let values: Vec<f64> = values
            .data()
            .chunks_exact(2)
            .map(|bytes| f64::from(i16::from_le_bytes([bytes[0], bytes[1]])) / 256.0)
            .collect();
        let mut rows = values
            .chunks_exact(cases.alphabet.num_symbols() + 1)
            .map(|row| {
                let total = row.iter().map(|value| value.exp()).sum::<f64>().ln();
                row.iter().map(|value| (value - total) as f32).collect()
            });
        let log_probs = cases.steps.iter();
        let log_probs = log_probs
            .map(|&steps| rows.by_ref().take(steps).collect())
            .collect();
        Self {
            alphabet: cases.alphabet,
            log_probs,
            found: cases.found,
        }
    }
}

/// The default beam.
pub const USUAL: BeamOptions = BeamOptions {
    beam_size: 100,
    symbol_threshold: -5.0,
    beam_threshold: 10.0,
};

/// A 3-gram model of the digits' names.
pub fn fusion(alphabet: &Alphabet) -> Arc<Fusion> {
    let model = NgramModel::read(&golden("digits.arpa")).unwrap();
    let options = FusionOptions {
        alpha: 0.5,
        beta: 1.5,
        unknown: -10.0,
    };
    Arc::new(Fusion::new(model, alphabet, None, options).unwrap())
}
