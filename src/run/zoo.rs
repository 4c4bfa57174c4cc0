//! Networks that Sori has trained: `zoo:NAME` wherever a run is taken.

use std::collections::BTreeMap;
use std::env;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use sori_fetch::{
    ArchiveFormat, Checksum, FetchOptions, PublicArchive, PublicCorpus, fetch_corpus,
};

use super::claim::INFO;
use crate::settings::nearest::nearest;
use crate::settings::paths::ZOO;
use crate::task::name::TaskName;
use crate::{Error, Result};

/// The variable that says where the weights are: a folder, or the address of one.
const VARIABLE: &str = "SORI_WEIGHTS";
/// The folder of the weights.
const FOLDER: &str = "weights";

/// A network that Sori has trained: its card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pretrained {
    /// Its name behind `zoo:`.
    pub name: String,
    /// It in one sentence.
    pub summary: String,
    /// The architecture.
    pub model: String,
    /// The task.
    pub task: TaskName,
    /// Parameters.
    pub params: usize,
    /// The corpus that it was trained on.
    pub data: String,
    /// The terms of the corpus.
    pub licence: String,
    /// The command that trained it.
    pub command: String,
    /// The seed of the training.
    pub seed: u64,
    /// Measurements.
    pub figures: Vec<Figure>,
    /// What it cannot do.
    pub limits: String,
}

/// A measurement of a network: `sori eval zoo:NAME --data DATA`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// The recordings. Paths are those below the folder of the corpora.
    pub data: String,
    /// The metric, such as `accuracy` or `wer`.
    pub metric: String,
    /// Its value.
    pub value: f64,
    /// Number of recordings.
    pub items: usize,
}

/// A network with its files.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    card: Pretrained,
    /// The files of its folder, by their names.
    files: BTreeMap<String, Contents>,
}

/// What a file is known by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Contents {
    bytes: u64,
    sha256: String,
}

/// The list of the networks, which the program carries; their weights are beside it.
static INDEX: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../weights/index.json"))
        .expect("a test reads the same list")
});

/// The networks that Sori has trained.
pub fn pretrained() -> impl Iterator<Item = &'static Pretrained> {
    INDEX.iter().map(|entry| &entry.card)
}

/// The network behind `zoo:NAME`; none of a path.
pub(crate) fn name_of(run: &Path) -> Option<&str> {
    run.to_str()?.strip_prefix(ZOO)
}

/// The folder of the run `run`: itself, or where the network `zoo:NAME` is.
///
/// # Errors
/// When there is no network of this name, or it is not here and cannot be fetched.
pub(crate) fn located(run: &Path) -> Result<PathBuf> {
    let Some(name) = name_of(run) else {
        return Ok(run.to_path_buf());
    };
    let entry = INDEX.iter().find(|entry| entry.card.name == name);
    let entry = entry.ok_or_else(|| unknown(run, name))?;
    let variable = env::var(VARIABLE).ok().filter(|place| !place.is_empty());
    if let Some(url) = variable.as_deref().filter(|place| is_address(place)) {
        return fetched(entry, url);
    }
    let places = places(variable.as_deref());
    let found = places.iter().map(|place| place.join(name));
    let mut found = found.filter(|folder| folder.join(INFO).is_file());
    found.next().ok_or_else(|| {
        let places: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
        Error::run(
            run,
            format!(
                "its weights are not here (looked in {}); they are in the folder {FOLDER} of Sori's sources: \
                 name that folder, or its address, in the variable {VARIABLE}",
                places.join(", ")
            ),
        )
    })
}

/// Where weights may be, the first first: where the variable says and nowhere else, or beside the program, in
/// the folder that it was built in and where it is called.
fn places(variable: Option<&str>) -> Vec<PathBuf> {
    if let Some(folder) = variable {
        return vec![PathBuf::from(folder)];
    }
    let program = env::current_exe().and_then(|program| program.canonicalize());
    let beside = program
        .ok()
        .and_then(|program| program.parent().map(Path::to_path_buf));
    let mut places: Vec<PathBuf> = beside.iter().map(|folder| folder.join(FOLDER)).collect();
    places.push(Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER));
    places.push(PathBuf::from(FOLDER));
    places
}

fn is_address(place: &str) -> bool {
    place.starts_with("http://") || place.starts_with("https://")
}

fn unknown(run: &Path, name: &str) -> Error {
    let names: Vec<String> = pretrained().map(|card| card.name.clone()).collect();
    let meant = nearest(name, &names);
    let meant = meant
        .first()
        .map_or_else(String::new, |name| format!(" Did you mean {ZOO}{name}?"));
    let names = names.join(", ");
    Error::run(
        run,
        format!("Sori has trained no network of this name.{meant} There are {names}"),
    )
}

/// The network's folder among what was fetched from the folder at `url`. What is not there yet is fetched; each
/// file is known by its checksum.
fn fetched(entry: &'static Entry, url: &str) -> Result<PathBuf> {
    let name = &entry.card.name;
    let files = entry.files.iter().map(|(path, contents)| {
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        PublicArchive {
            url: String::leak(format!("{}/{name}/{path}", url.trim_end_matches('/'))),
            file,
            bytes: contents.bytes,
            checksum: Some(Checksum::Sha256(&contents.sha256)),
            format: ArchiveFormat::File,
            unpack_into: folder,
        }
    });
    // A catalogue's entries live as long as the program, which opens few networks of some hundred bytes.
    let archives = Vec::leak(files.collect());
    let network = PublicCorpus {
        name,
        title: &entry.card.summary,
        // What an error names as the place to look.
        homepage: VARIABLE,
        licence: &entry.card.licence,
        licence_url: "",
        archives,
        folder: "",
        corpus: "",
    };
    // Another version's network is another folder.
    let version = entry.files.values().map(|file| &file.sha256[..4]);
    let into = cache()?.join(version.collect::<String>());
    let options = FetchOptions::default();
    Ok(fetch_corpus(&network, &into, &options, &mut |_| {
        ControlFlow::Continue(())
    })?)
}

/// The folder of what was fetched.
fn cache() -> Result<PathBuf> {
    let caches = dirs::cache_dir().ok_or_else(|| {
        Error::Input("there is no folder for caches: set HOME to the user's folder".to_string())
    })?;
    Ok(caches.join("sori").join(FOLDER))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::weights::sha256;

    /// The entries of the folders in `weights`.
    fn entries() -> Vec<Entry> {
        let mut folders: Vec<PathBuf> = fs::read_dir(FOLDER)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir())
            .collect();
        folders.sort();
        folders.iter().map(|folder| entry_of(folder)).collect()
    }

    fn entry_of(folder: &Path) -> Entry {
        let card = fs::read_to_string(folder.join("card.json")).unwrap();
        let card: Pretrained = serde_json::from_str(&card).unwrap();
        assert!(folder.ends_with(&card.name));
        let mut files = BTreeMap::new();
        for name in [
            "run.json",
            "config.toml",
            "alphabet.json",
            "checkpoints/best.safetensors",
        ] {
            let path = folder.join(name);
            if let Ok(found) = fs::metadata(&path) {
                let sha256 = sha256(&path).unwrap();
                let bytes = found.len();
                files.insert(name.to_string(), Contents { bytes, sha256 });
            }
        }
        Entry { card, files }
    }

    #[test]
    fn the_index_lists_the_networks_that_are_there() {
        let path = "weights/index.json";
        let found = serde_json::to_string_pretty(&entries()).unwrap() + "\n";
        if env::var_os("WRITE_PAGES").is_some() {
            fs::write(path, &found).unwrap();
        }
        let there = fs::read_to_string(path).unwrap();
        assert_eq!(
            there, found,
            "write it anew: WRITE_PAGES=1 cargo test --lib the_index"
        );
    }

    #[test]
    fn together_they_stay_small() {
        let entries = entries();
        let files = entries.iter().flat_map(|entry| entry.files.values());
        assert!(files.map(|file| file.bytes).sum::<u64>() <= 12_000_000);
    }

    #[test]
    fn a_card_says_in_words_what_it_says_in_figures() {
        for card in pretrained() {
            let text = fs::read_to_string(format!("{FOLDER}/{}/README.md", card.name)).unwrap();
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            for part in [&card.command, &card.licence, &card.limits] {
                let part = part.split_whitespace().collect::<Vec<_>>().join(" ");
                assert!(text.contains(&part), "{}: {part}", card.name);
            }
        }
    }

    #[test]
    fn an_unknown_network_is_answered_by_those_there_are() {
        let error = located(Path::new("zoo:digit")).unwrap_err().to_string();
        assert!(error.contains("Did you mean zoo:digits?"), "{error}");
        let path = Path::new("runs/zoo");
        assert_eq!(located(path).unwrap(), path);
    }
}
