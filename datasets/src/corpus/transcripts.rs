//! Lists of transcripts, and the recordings that lie beside them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::chosen::chosen_by_name;
use super::draft::{Answer, Draft};
use super::gate::Gate;
use crate::audio::is_recording;
use crate::files::entries;
use crate::item::Source;
use crate::part::Part;
use crate::spelling::composed;
use crate::{Error, Result, files};

/// The ending of the lists that LibriSpeech and others keep beside their recordings.
const BESIDE: &str = ".trans.txt";
/// The fraction that becomes the test part where no split is published.
const TEST_FRACTION: f64 = 0.1;
/// The seed of that choice, which must not depend on a run's.
const TEST_SEED: u64 = 0;

/// A list whose lines begin with an id, what follows the blank being its value: Kaldi's `text` and
/// `wav.scp`, LibriSpeech's `*.trans.txt`. A value may be empty.
pub(super) struct ById {
    path: PathBuf,
    lines: BTreeMap<String, (usize, String)>,
}

impl ById {
    /// Reads a list; lines that are not text, and those with the id of an earlier one, go to the
    /// gate.
    pub(super) fn read(path: &Path, gate: &mut Gate) -> Result<Self> {
        let bytes = files::read(path)?;
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let mut lines = BTreeMap::<String, (usize, String)>::new();
        for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
            let number = index + 1;
            let Ok(line) = std::str::from_utf8(line) else {
                gate.reject_line(path, number, "it is not text in UTF-8".into())?;
                continue;
            };
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            let line = composed(line);
            let (id, value) = line.split_once(char::is_whitespace).unwrap_or((&line, ""));
            if let Some((earlier, _)) = lines.get(id) {
                let reason = format!("'{id}' is in line {earlier} already");
                gate.reject_line(path, number, reason)?;
                continue;
            }
            lines.insert(id.to_owned(), (number, value.trim().to_owned()));
        }
        Ok(Self {
            path: path.to_owned(),
            lines,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes an id's value out of the list.
    pub(super) fn take(&mut self, id: &str) -> Option<String> {
        let (_, value) = self.lines.remove(&*composed(id))?;
        Some(value)
    }

    /// Every id with its line and value, in the order of the ids.
    pub(super) fn into_lines(self) -> impl Iterator<Item = (String, usize, String)> {
        let lines = self.lines.into_iter();
        lines.map(|(id, (line, value))| (id, line, value))
    }

    /// Hands the gate the lines that were not taken.
    pub(super) fn reject_rest(
        self,
        gate: &mut Gate,
        reason: impl Fn(&str) -> String,
    ) -> Result<()> {
        let path = self.path.clone();
        for (id, line, _) in self.into_lines() {
            gate.reject_line(&path, line, reason(&id))?;
        }
        Ok(())
    }
}

/// The recordings below a folder, each transcribed in a list `*.trans.txt` beside it, in the order
/// of their paths. Their ids are their names without ending; they have no group.
pub(super) struct Transcribed {
    pub(super) drafts: Vec<Draft>,
    pub(super) ignored_files: usize,
}

impl Transcribed {
    pub(super) fn new() -> Self {
        Self {
            drafts: Vec::new(),
            ignored_files: 0,
        }
    }

    /// Adds those of a folder and the folders in it.
    pub(super) fn add(&mut self, folder: &Path, part: Part, gate: &mut Gate) -> Result<()> {
        let (mut lists, mut recordings) = (Vec::new(), Vec::new());
        for name in entries(folder)? {
            let path = folder.join(&name);
            if path.is_dir() {
                self.add(&path, part, gate)?;
            } else if name.ends_with(BESIDE) {
                lists.push(ById::read(&path, gate)?);
            } else if is_recording(&path) {
                recordings.push((name, path));
            } else {
                self.ignored_files += gate.pass_over(&name);
            }
        }
        for (name, path) in recordings {
            let id = name.rsplit_once('.').map_or(&*name, |(stem, _)| stem);
            let place = path.display().to_string();
            let Some(text) = lists.iter_mut().find_map(|list| list.take(id)) else {
                let reason = match lists.first() {
                    Some(list) => format!(
                        "{} has no line for '{id}', or its recording is there twice",
                        list.path().display()
                    ),
                    None => format!("no list *{BESIDE} lies beside it"),
                };
                gate.reject(place, Error::Layout { path, reason })?;
                continue;
            };
            self.drafts.push(Draft {
                id: id.to_owned(),
                place,
                source: Source::File(path),
                answer: Answer::Text(text),
                part,
                group: None,
                domain: None,
            });
        }
        for list in lists {
            list.reject_rest(gate, |id| format!("there is no recording '{id}' beside it"))?;
        }
        Ok(())
    }
}

/// Makes about a tenth of the recordings the test part: all of those speakers ([`Draft::group`])
/// whom a hash of their names chooses, so that nobody is in two parts.
pub(super) fn test_by_speaker(drafts: &mut [Draft]) {
    let speakers: Vec<&str> = drafts
        .iter()
        .map(|draft| draft.group.as_deref().unwrap_or(&draft.id))
        .collect();
    for chosen in chosen_by_name(&speakers, TEST_FRACTION, TEST_SEED) {
        drafts[chosen].part = Part::Test;
    }
}
