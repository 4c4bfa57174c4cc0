//! Small corpora that tests lay out in a folder of their own.

use std::path::Path;

use sori_datasets::{Corpus, Error, OpenOptions, Part, Spec};

/// A short wav at 8 kHz.
pub fn put(folder: &Path, name: &str) {
    put_sound(folder, name, &(0..800).collect::<Vec<i16>>());
}

/// A wav of these samples at 8 kHz.
#[allow(dead_code, reason = "not every test file calls it")]
pub fn put_sound(folder: &Path, name: &str, samples: &[i16]) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for sample in samples {
        writer.write_sample(*sample).unwrap();
    }
    writer.finalize().unwrap();
}

/// A text file.
#[allow(dead_code, reason = "not every test file writes one")]
pub fn put_text(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

pub fn spec(corpus: &str, location: &Path, query: &str) -> Spec {
    format!("{corpus}:{}{query}", location.display())
        .parse()
        .unwrap()
}

#[allow(dead_code, reason = "not every test file calls it")]
pub fn open(corpus: &str, location: &Path, query: &str) -> Result<Corpus, Error> {
    Corpus::open(&spec(corpus, location, query))
}

/// What went wrong, in words.
#[allow(dead_code, reason = "not every test file calls it")]
pub fn complaint(result: Result<Corpus, Error>) -> String {
    result.unwrap_err().to_string()
}

#[allow(dead_code, reason = "not every test file calls it")]
pub fn ids(corpus: &Corpus, part: Part) -> Vec<&str> {
    corpus
        .part(part)
        .iter()
        .map(|item| item.id.as_str())
        .collect()
}

#[allow(dead_code, reason = "not every test file calls it")]
pub fn skip_bad() -> OpenOptions {
    OpenOptions {
        skip_bad: true,
        ..OpenOptions::default()
    }
}
