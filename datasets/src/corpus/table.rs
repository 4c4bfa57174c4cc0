//! The table of corpora.

use super::draft::Found;
use super::gate::Gate;
use super::query::check_keys;
use super::spec::Spec;
use super::{
    clovacall, digits, dtmf, esc, esc_mix, folder, fsd50k, fsdd, fsdkaggle2019, ksponspeech,
    librispeech, magnatagatune, manifest, morse, pansori, scenes, speech_commands, speechocean762,
    urbansound8k, yesno,
};
use crate::{Error, Result};

/// A corpus that can be opened.
#[derive(Clone, Copy, Debug)]
pub struct KnownCorpus {
    /// Its name, in front of the `:`.
    pub name: &'static str,
    /// Its location, behind the `:`.
    pub location: Location,
    /// The keys its query takes besides `split`.
    pub keys: &'static [&'static str],
    /// Its parts, unless the query says otherwise.
    pub parts: &'static str,
    find: Find,
}

/// Lists the recordings of a corpus.
type Find = fn(&Spec, &mut Gate) -> Result<Found>;

/// The kind of location a corpus has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// A folder.
    Folder,
    /// A list: JSON lines or comma-separated values.
    List,
    /// This word: the recordings are synthesised.
    Word(&'static str),
}

impl KnownCorpus {
    /// The ways it is written, such as `fsdd:DIR`.
    #[must_use]
    pub fn written(&self) -> Vec<String> {
        let locations: &[&str] = match &self.location {
            Location::Folder => &["DIR"],
            Location::List => &["FILE.jsonl", "FILE.csv"],
            Location::Word(word) => std::slice::from_ref(word),
        };
        let name = self.name;
        let written = locations.iter().map(|place| format!("{name}:{place}"));
        written.collect()
    }

    fn is_at(&self, location: &str) -> bool {
        match self.location {
            Location::Folder | Location::List => true,
            Location::Word(word) => word == location,
        }
    }
}

/// Every corpus there is, sorted by how it is written.
pub const CORPORA: &[KnownCorpus] = &[
    KnownCorpus {
        name: "clovacall",
        location: Location::Folder,
        keys: &["version"],
        parts: "its two lists",
        find: clovacall::find,
    },
    KnownCorpus {
        name: "digits",
        location: Location::Folder,
        keys: &["seed", "size", "speaker"],
        parts: "connected digits of FSDD: recordings 0 to 4 to test, 5 to 8 to validate",
        find: digits::find,
    },
    KnownCorpus {
        name: "esc",
        location: Location::Folder,
        keys: &["esc10", "folds"],
        parts: "ESC-50 or ESC-10: fold 5 to test, the rest to train",
        find: esc::find,
    },
    KnownCorpus {
        name: "esc-mix",
        location: Location::Folder,
        keys: &["esc10", "folds", "seed", "size", "valid_fold"],
        parts: "mixtures within a fold: fold 5 to test, an eighth of the clips of the others to \
                validate",
        find: esc_mix::find,
    },
    KnownCorpus {
        name: "folder",
        location: Location::Folder,
        keys: &["folds", "group", "of", "test_fraction"],
        parts: "its folders `train`, `valid`, `test`, or a tenth to test",
        find: folder::find,
    },
    KnownCorpus {
        name: "fsd50k",
        location: Location::Folder,
        keys: &[],
        parts: "as published: `train`, `val`, evaluation set",
        find: fsd50k::find,
    },
    KnownCorpus {
        name: "fsdd",
        location: Location::Folder,
        keys: &["speaker"],
        parts: "recordings 0 to 4 to test",
        find: fsdd::find,
    },
    KnownCorpus {
        name: "fsdkaggle2019",
        location: Location::Folder,
        keys: &["noisy"],
        parts: "curated set to train, test set",
        find: fsdkaggle2019::find,
    },
    KnownCorpus {
        name: "ksponspeech",
        location: Location::Folder,
        keys: &["notation", "sets"],
        parts: "by its lists; without them `KsponSpeech_eval` to test",
        find: ksponspeech::find,
    },
    KnownCorpus {
        name: "librispeech",
        location: Location::Folder,
        keys: &["sets"],
        parts: "its folders `train-*`, `dev-*`, `test-*`",
        find: librispeech::find,
    },
    KnownCorpus {
        name: "magnatagatune",
        location: Location::Folder,
        keys: &["tags"],
        parts: "folders 0 to b, c, d to f",
        find: magnatagatune::find,
    },
    KnownCorpus {
        name: "manifest",
        location: Location::List,
        keys: &["folds", "of", "test_fraction"],
        parts: "each line's `split`, or a tenth to test",
        find: manifest::find,
    },
    KnownCorpus {
        name: "pansori",
        location: Location::Folder,
        keys: &[],
        parts: "a tenth of the recordings, by speaker, to test",
        find: pansori::find,
    },
    KnownCorpus {
        name: "speech-commands",
        location: Location::Folder,
        keys: &["subset", "words"],
        parts: "by its two lists",
        find: speech_commands::find,
    },
    KnownCorpus {
        name: "speechocean762",
        location: Location::Folder,
        keys: &[],
        parts: "its folders `train` and `test`, or a tenth, by speaker, to test",
        find: speechocean762::find,
    },
    KnownCorpus {
        name: "synth",
        location: Location::Word("dtmf"),
        keys: &["size", "seed"],
        parts: MADE_PARTS,
        find: dtmf::find,
    },
    KnownCorpus {
        name: "synth",
        location: Location::Word("morse"),
        keys: &["size", "seed", "snr", "answer"],
        parts: MADE_PARTS,
        find: morse::find,
    },
    KnownCorpus {
        name: "synth",
        location: Location::Word("scenes"),
        keys: &["size", "seed"],
        parts: MADE_PARTS,
        find: scenes::find,
    },
    KnownCorpus {
        name: "urbansound8k",
        location: Location::Folder,
        keys: &["folds"],
        parts: "fold 10 to test, the rest to train",
        find: urbansound8k::find,
    },
    KnownCorpus {
        name: "yesno",
        location: Location::Folder,
        keys: &[],
        parts: "the second half of the recordings to test",
        find: yesno::find,
    },
];

const MADE_PARTS: &str = "`size`, and a fifth to validate and to test";

/// Every corpus as it is written, separated by commas.
pub(super) fn known_corpora() -> String {
    let written: Vec<String> = CORPORA.iter().flat_map(KnownCorpus::written).collect();
    written.join(", ")
}

/// Lists the recordings of the corpus that a spec names.
pub(super) fn find(spec: &Spec, gate: &mut Gate) -> Result<Found> {
    let refuse = |reason: String| Error::Spec {
        spec: spec.to_string(),
        reason,
        known: known_corpora(),
    };
    let mut of_name = CORPORA.iter().filter(|known| known.name == spec.corpus);
    let Some(first) = of_name.clone().next() else {
        return Err(refuse(format!("there is no corpus '{}'", spec.corpus)));
    };
    match of_name.find(|known| known.is_at(&spec.location)) {
        Some(known) => {
            check_keys(spec, known.keys)?;
            (known.find)(spec, gate)
        }
        None => {
            check_keys(spec, first.keys)?;
            Err(refuse(format!(
                "nothing called '{}' is synthesised",
                spec.location
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table in the module's documentation is this one.
    #[test]
    fn the_documentation_has_every_corpus_with_its_keys_and_parts() {
        let rows: Vec<&str> = include_str!("mod.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("//! | `"))
            .collect();
        for known in CORPORA {
            let row = rows.iter().find(|row| {
                row.starts_with(&known.written()[0])
                    || row.contains(&format!("`{}`", known.written()[0]))
            });
            let row = row.copied().unwrap_or_default();
            let place = format!("{known:?}: {row}");
            assert!(row.contains(known.parts), "{place}");
            for key in known.keys {
                let inherited = known.name == "esc-mix" && ["esc10", "folds"].contains(key);
                assert!(inherited || row.contains(&format!("{key}=")), "{place}");
            }
        }
        let names: Vec<String> = CORPORA.iter().flat_map(KnownCorpus::written).collect();
        assert_eq!(names.len(), 21);
    }
}
