//! KsponSpeech, spontaneous Korean (Bang et al., "KsponSpeech: Korean Spontaneous Speech Corpus for
//! Automatic Speech Recognition", 2020, <https://doi.org/10.3390/app10196936>): headerless `.pcm`
//! files of 16 kHz, 16 bits and one channel.
//!
//! The published lists of lines `PATH :: TRANSCRIPT` are the parts: `train.trn`, `dev.trn` to
//! validate, `eval_clean.trn` and `eval_other.trn` to test. They are looked for in the corpus's folder
//! and in its folders `KsponSpeech_scripts` and `scripts`; all there are are taken, or those that
//! `sets=train,dev,eval_clean` names. Their paths begin at the corpus's folder, or at
//! `KsponSpeech_train` in it. Without lists, every `.pcm` is taken with the `.txt` of its name, and
//! those in a folder `KsponSpeech_eval`, `eval_clean` or `eval_other` are the test part.
//!
//! Text is in UTF-8 or in the Korean code page 949. Of its notation, what was said stays:
//! `(7시)/(일곱 시)` is `7시`, or with `notation=pronunciation` `일곱 시`; the marks `b/`, `l/`, `o/`,
//! `n/` and `u/` (breath, laughter, other voices, noise, what cannot be understood) go, as do the
//! `/` of a filler, the `*` of an unclear word and the `+` of a stammered one.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::draft::{Answer, Draft, Found};
use super::gate::Gate;
use super::list::{Entry, Listing};
use super::query::chosen_sets;
use super::spec::Spec;
use crate::files::{entries, is_file_or_lost};
use crate::item::{Source, TargetKind};
use crate::named::named;
use crate::part::Part;
use crate::spelling::on_disk;
use crate::{Error, Result, files};

const SETS: [(&str, Part); 4] = [
    ("train", Part::Train),
    ("dev", Part::Valid),
    ("eval_clean", Part::Test),
    ("eval_other", Part::Test),
];
const LIST_FOLDERS: [&str; 3] = ["", "KsponSpeech_scripts", "scripts"];
const TEST_FOLDERS: [&str; 3] = ["KsponSpeech_eval", "eval_clean", "eval_other"];

named! {
    /// The spelling taken where a passage has two.
    Notation, "notation" {
        /// As one writes: `7시`.
        Spelling = "spelling",
        /// As it was said: `일곱 시`.
        Pronunciation = "pronunciation",
    }
}

pub(super) fn find(spec: &Spec, gate: &mut Gate) -> Result<Found> {
    let notation = match spec.query.get("notation") {
        None => Notation::Spelling,
        Some(asked) => asked.parse().map_err(|_| Error::Query {
            corpus: spec.corpus.clone(),
            key: "notation".into(),
            value: asked.clone(),
            expected: format!(
                "notation is {}",
                Notation::VALUES
                    .iter()
                    .map(|notation| notation.name())
                    .collect::<Vec<_>>()
                    .join(" or ")
            ),
        })?,
    };
    let root = Path::new(&spec.location);
    let lists: BTreeMap<&str, PathBuf> = SETS
        .iter()
        .filter_map(|(set, _)| {
            let files = LIST_FOLDERS.map(|folder| root.join(folder).join(format!("{set}.trn")));
            Some((*set, files.into_iter().find(|file| file.is_file())?))
        })
        .collect();
    let mut found = Pairs::default();
    if lists.is_empty() && !spec.query.contains_key("sets") {
        found.add(root, notation, gate)?;
        if found.drafts.is_empty() && gate.rejected.is_empty() {
            return Err(Error::Layout {
                path: root.to_owned(),
                reason:
                    "it has neither a list such as train.trn nor .pcm files with a .txt of the \
                         same name"
                        .into(),
            });
        }
    } else {
        let there: Vec<String> = lists.keys().map(ToString::to_string).collect();
        let chosen = chosen_sets(spec, &there)?;
        for (set, part) in SETS {
            if let (Some(list), true) = (lists.get(set), chosen.iter().any(|it| it == set)) {
                found
                    .drafts
                    .extend(listed(root, list, part, notation, gate)?);
            }
        }
    }
    for draft in &mut found.drafts {
        if let Source::File(path) = &draft.source
            && is_raw(path)
        {
            draft.source = Source::Raw(path.clone());
        }
    }
    Ok(Found {
        task: TargetKind::Transcribe,
        labels: None,
        drafts: found.drafts,
        ignored_files: found.ignored_files,
    })
}

/// The recordings that lines `PATH :: TRANSCRIPT` name.
fn listed(
    root: &Path,
    list: &Path,
    part: Part,
    notation: Notation,
    gate: &mut Gate,
) -> Result<Vec<Draft>> {
    let text = korean(list)?;
    let mut listing = Listing::new(list);
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let entry = match line.split_once("::") {
            Some((path, text)) if !path.trim().is_empty() => Ok(Entry {
                id: stem(path.trim()).to_owned(),
                file: located(root, path.trim()),
                cut: None,
                answer: Answer::Text(spoken(text, notation)),
                part,
                group: None,
                domain: None,
            }),
            _ => Err(format!("'{line}' is not PATH :: TRANSCRIPT")),
        };
        listing.add(gate, index + 1, entry)?;
    }
    Ok(listing.drafts)
}

/// The path of a listed file, whether or not it is there.
fn located(root: &Path, path: &str) -> PathBuf {
    let beside = root.join("KsponSpeech_train").join(path);
    let beside = on_disk(beside);
    match beside.is_file() {
        true => beside,
        false => root.join(path),
    }
}

/// Recordings that have their transcript in a file of the same name.
#[derive(Default)]
struct Pairs {
    drafts: Vec<Draft>,
    ignored_files: usize,
}

impl Pairs {
    /// Adds those of a folder and the folders in it.
    fn add(&mut self, folder: &Path, notation: Notation, gate: &mut Gate) -> Result<()> {
        let is_test = folder
            .components()
            .any(|part| matches!(part, Component::Normal(name) if TEST_FOLDERS.iter().any(|test| name == *test)));
        let (mut texts, mut recordings) = (BTreeMap::new(), Vec::new());
        for name in entries(folder)? {
            let path = folder.join(&name);
            if path.is_dir() {
                self.add(&path, notation, gate)?;
            } else if is_raw(&path) && is_file_or_lost(&path) {
                recordings.push((stem(&name).to_owned(), path));
            } else if name.ends_with(".txt") {
                texts.insert(stem(&name).to_owned(), path);
            } else {
                self.ignored_files += gate.pass_over(&name);
            }
        }
        if recordings.is_empty() {
            self.ignored_files += texts.len();
            return Ok(());
        }
        for (id, path) in recordings {
            let place = path.display().to_string();
            let text = match texts.remove(&id) {
                Some(text) => korean(&text),
                None => Err(Error::Layout {
                    path: path.clone(),
                    reason: format!("its transcript {id}.txt does not lie beside it"),
                }),
            };
            match text {
                Ok(text) => self.drafts.push(Draft {
                    id,
                    place,
                    source: Source::File(path),
                    answer: Answer::Text(spoken(&text, notation)),
                    part: if is_test { Part::Test } else { Part::Train },
                    group: None,
                    domain: None,
                }),
                Err(error) => gate.reject(place, error)?,
            }
        }
        for (id, path) in texts {
            let place = path.display().to_string();
            let reason = format!("its recording {id}.pcm does not lie beside it");
            gate.reject(place, Error::Layout { path, reason })?;
        }
        Ok(())
    }
}

fn is_raw(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("pcm"))
}

/// `KsponSpeech_000001` of `KsponSpeech_01/KsponSpeech_0001/KsponSpeech_000001.pcm`.
fn stem(path: &str) -> &str {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// Reads text in UTF-8 or in code page 949.
fn korean(path: &Path) -> Result<String> {
    let bytes = files::read(path)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(text.to_owned());
    }
    // What the web calls EUC-KR is code page 949.
    match encoding_rs::EUC_KR.decode_without_bom_handling_and_without_replacement(bytes) {
        Some(text) => Ok(text.into_owned()),
        None => Err(Error::Layout {
            path: path.to_owned(),
            reason: "it is text neither in UTF-8 nor in code page 949".into(),
        }),
    }
}

/// The words spoken, without the notation.
fn spoken(text: &str, notation: Notation) -> String {
    let chosen = chosen_spelling(text, notation);
    let mut plain = String::with_capacity(chosen.len());
    let mut characters = chosen.chars().peekable();
    while let Some(character) = characters.next() {
        let in_a_word = plain.ends_with(|before: char| before.is_ascii_alphabetic());
        match character {
            'b' | 'l' | 'o' | 'n' | 'u' if !in_a_word && characters.peek() == Some(&'/') => {
                characters.next();
                plain.push(' ');
            }
            '/' | '*' | '+' => {}
            other => plain.push(other),
        }
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text with one side of each `(SPELLING)/(PRONUNCIATION)`; brackets of another kind stay.
fn chosen_spelling(text: &str, notation: Notation) -> String {
    let mut chosen = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('(') {
        chosen.push_str(&rest[..open]);
        rest = &rest[open..];
        match pair(rest) {
            Some((spelling, pronunciation, behind)) => {
                chosen.push_str(match notation {
                    Notation::Spelling => spelling,
                    Notation::Pronunciation => pronunciation,
                });
                rest = behind;
            }
            None => {
                chosen.push('(');
                rest = &rest[1..];
            }
        }
    }
    chosen + rest
}

/// Both sides of the pair a text begins with, and what is behind it.
fn pair(text: &str) -> Option<(&str, &str, &str)> {
    let (spelling, rest) = bracket(text)?;
    let rest = rest.trim_start().strip_prefix('/')?.trim_start();
    let (pronunciation, rest) = bracket(rest)?;
    Some((spelling, pronunciation, rest))
}

/// The contents of the brackets a text begins with, and the rest of the text.
fn bracket(text: &str) -> Option<(&str, &str)> {
    let (within, rest) = text.strip_prefix('(')?.split_once(')')?;
    (!within.contains('(')).then_some((within, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_stays_without_its_notation() {
        for (written, spelling, pronunciation) in [
            (
                "b/ 아/ 뭐+ 뭔 소리야 (70%)/(칠십 퍼센트) 확률이라니 n/",
                "아 뭐 뭔 소리야 70% 확률이라니",
                "아 뭐 뭔 소리야 칠십 퍼센트 확률이라니",
            ),
            (
                "그럼 (20년)/(이십 년) 전+ l/ (3월)/(삼월)에 o/. u/",
                "그럼 20년 전 3월에 .",
                "그럼 이십 년 전 삼월에 .",
            ),
            ("(LG)/(엘지) (TV)/ (티비)*", "LG TV", "엘지 티비"),
            ("웃음l/소리 어/n/", "웃음 소리 어", "웃음 소리 어"),
            ("pub/ (참고) (가", "pub (참고) (가", "pub (참고) (가"),
            ("((가)/(나))", "(가)", "(나)"),
            (" b/ ", "", ""),
        ] {
            assert_eq!(spoken(written, Notation::Spelling), spelling);
            assert_eq!(spoken(written, Notation::Pronunciation), pronunciation);
        }
    }
}
