//! A list of recordings, one JSON object per line:
//! `{"audio": PATH, "label": …}`, `{"audio": PATH, "tags": […]}`, `{"audio": PATH, "text": …}` or
//! `{"audio": PATH, "value": NUMBER}`, with an optional `"split"`, an optional `"domain"` (such as the
//! speaker, [`Item::domain`](crate::Item::domain)) and an optional `"group"`: what has the same group
//! stays in one part ([`Item::group`](crate::Item::group)). NeMo's `audio_filepath` is taken for
//! `audio`, and its `offset` and `duration` in seconds name the part of the file that a line is about;
//! fields of other names are ignored. Parts of one file are of one group, the file, unless each of its
//! lines names the same other one.
//!
//! Or, if its name ends in `.csv`, a table of comma-separated values: its header names a column
//! `audio`, one of `label`, `tags`, `text` and `value`, and perhaps `split`, `domain` and `group`;
//! columns of other names are ignored. Tags are separated by `|` or `;`, and a recording may have none;
//! a `split` that is empty is `train`, and a `domain` or a `group` that is empty is none.
//!
//! If no line has a `split`, a fraction is set aside for the test, as of a folder: `test_fraction=F`.
//! `folds=K&of=N` tests on fold `K` of `N`, by group if there are groups, and by class.
//!
//! Relative paths begin at the manifest's folder.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::draft::{Answer, Draft, Found};
use super::gate::Gate;
use super::labels::VALUE;
use super::list::{Entry, Listing, Row, Table, labels_in};
use super::own_folds::{asks_for_folds, divide, set_test_aside, test_fraction};
use super::spec::Spec;
use super::stretch::Stretch;
use crate::item::TargetKind;
use crate::part::Part;
use crate::spelling::on_disk;
use crate::{Error, Result, files};

#[derive(Deserialize)]
struct Line {
    #[serde(alias = "audio_filepath")]
    audio: Option<String>,
    label: Option<Name>,
    tags: Option<Vec<Name>>,
    text: Option<String>,
    value: Option<f64>,
    split: Option<String>,
    domain: Option<Name>,
    group: Option<Name>,
    offset: Option<f64>,
    duration: Option<f64>,
}

/// A label, written as a string or as a whole number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Name {
    Text(String),
    Number(i64),
}

impl Name {
    fn into_text(self) -> std::result::Result<String, String> {
        match self {
            Self::Text(text) if text.is_empty() => Err("a label is empty".into()),
            Self::Text(text) => Ok(text),
            Self::Number(number) => Ok(number.to_string()),
        }
    }

    /// A name that may be empty, which is none.
    fn into_optional(self) -> Option<String> {
        self.into_text().ok()
    }
}

/// The recording of a line.
struct Recording {
    audio: String,
    answer: Answer,
    split: Option<Part>,
    domain: Option<String>,
    group: Option<String>,
    stretch: Stretch,
}

type Said = std::result::Result<Recording, String>;

pub(super) fn find(spec: &Spec, gate: &mut Gate) -> Result<Found> {
    let fraction = test_fraction(spec)?;
    let path = Path::new(&spec.location);
    let is_table = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let lines = if is_table {
        table_lines(path, gate)?
    } else {
        json_lines(path)?
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut listing = Listing::new(path);
    // The kind of target, and the line that set it.
    let mut kind = None::<(TargetKind, usize)>;
    let mut lengths_s = HashMap::new();
    let mut groups = GroupsOfFiles::default();
    let mut has_parts = false;
    for (line, said) in lines {
        let entry = said.and_then(|recording| {
            has_parts |= recording.split.is_some();
            let task = recording.answer.kind();
            let (first_task, first_line) = *kind.get_or_insert((task, line));
            if task != first_task {
                return Err(format!(
                    "it is to {task}, line {first_line} is to {first_task}; a manifest has one of \
                     label, tags, text and value throughout"
                ));
            }
            let file = on_disk(folder.join(&recording.audio));
            let cut = recording.stretch.cut(&file, &mut lengths_s)?;
            groups.check(&file, recording.group.as_deref(), line)?;
            Ok(Entry {
                file,
                id: match cut {
                    None => recording.audio.clone(),
                    Some((start, length)) => {
                        format!("{}#{start}-{}ms", recording.audio, start + length)
                    }
                },
                answer: recording.answer,
                part: recording.split.unwrap_or(Part::Train),
                // Parts of one file belong together.
                group: recording.group.or(cut.map(|_| recording.audio)),
                cut,
                domain: recording.domain,
            })
        });
        listing.add(gate, line, entry)?;
    }
    let Some((task, _)) = kind else {
        return Err(nothing_usable(path, is_table, gate));
    };
    let mut drafts = listing.drafts;
    drafts.iter_mut().for_each(Draft::compose);
    divide(spec, &mut drafts)?;
    if !has_parts && !asks_for_folds(spec) {
        set_test_aside(fraction, gate, &mut drafts);
    }
    Ok(Found {
        task,
        labels: (task == TargetKind::Regress).then(|| vec![VALUE.to_owned()]),
        drafts,
        ignored_files: 0,
    })
}

/// The group that the first line of each file names, if it names one, and that line.
#[derive(Default)]
struct GroupsOfFiles(HashMap<PathBuf, (Option<String>, usize)>);

impl GroupsOfFiles {
    /// Refuses a line whose group is another than that of an earlier one of the same file.
    fn check(
        &mut self,
        file: &Path,
        group: Option<&str>,
        line: usize,
    ) -> std::result::Result<(), String> {
        let Some((first, first_line)) = self.0.get(file) else {
            let first = (group.map(str::to_owned), line);
            self.0.insert(file.to_owned(), first);
            return Ok(());
        };
        if first.as_deref() == group {
            return Ok(());
        }
        let said = |group: Option<&str>| match group {
            Some(group) => format!("the group '{group}'"),
            None => "no group".to_owned(),
        };
        Err(format!(
            "it names {}, line {first_line} of the same file {}; parts of one file are of one group",
            said(group),
            said(first.as_deref()),
        ))
    }
}

fn json_lines(path: &Path) -> Result<Vec<(usize, Said)>> {
    let bytes = files::read(path)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    Ok(bytes
        .split(|&byte| byte == b'\n')
        .enumerate()
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(index, line)| (index + 1, parsed(line)))
        .collect())
}

fn table_lines(path: &Path, gate: &mut Gate) -> Result<Vec<(usize, Said)>> {
    let table = Table::read(path, b',', gate)?;
    let [audio] = table.columns(["audio"])?;
    let answers: Vec<(&str, usize)> = ["label", "tags", "text", "value"]
        .into_iter()
        .filter_map(|name| Some((name, table.find(name)?)))
        .collect();
    let [(kind, answer)] = answers[..] else {
        return Err(Error::Layout {
            path: path.to_owned(),
            reason: format!(
                "its header must name one of label, tags, text and value beside audio; it names {}",
                table.header.join(", ")
            ),
        });
    };
    let split = table.find("split");
    let [domain, group] = ["domain", "group"].map(|name| table.find(name));
    let said = |row: &Row| {
        let audio = row.get(audio);
        if audio.is_empty() {
            return Err("its audio is empty; it must be a path".into());
        }
        let answer = match (kind, row.get(answer)) {
            ("label", "") => return Err("a label is empty".into()),
            ("label", label) => Answer::Class(label.to_owned()),
            ("tags", "") => Answer::Tags(Vec::new()),
            ("tags", tags) => Answer::Tags(labels_in(tags, &['|', ';'])?),
            ("value", value) => Answer::Value(
                value
                    .parse::<f64>()
                    .map_err(|_| format!("value is '{value}'; it must be a number"))
                    .and_then(finite)?,
            ),
            (_, text) => Answer::Text(text.to_owned()),
        };
        let split = match split.map(|split| row.get(split)) {
            None | Some("") => None,
            Some(split) => Some(part_named(split)?),
        };
        let optional = |column: Option<usize>| {
            let name = column.map(|column| row.get(column));
            name.filter(|name| !name.is_empty()).map(str::to_owned)
        };
        Ok(Recording {
            audio: audio.to_owned(),
            answer,
            split,
            domain: optional(domain),
            group: optional(group),
            stretch: Stretch::default(),
        })
    };
    Ok(table.rows.iter().map(|row| (row.line, said(row))).collect())
}

fn finite(value: f64) -> std::result::Result<f64, String> {
    if value.is_finite() {
        return Ok(value);
    }
    Err(format!("value is {value}; it must be a finite number"))
}

fn part_named(split: &str) -> std::result::Result<Part, String> {
    split
        .parse()
        .map_err(|_| format!("\"split\" is '{split}'; it must be train, valid or test"))
}

fn nothing_usable(path: &Path, is_table: bool, gate: &Gate) -> Error {
    let example = if is_table { "a.wav,dog" } else { EXAMPLE };
    Error::Layout {
        path: path.to_owned(),
        reason: match gate.rejected.first() {
            Some(first) => format!("no line can be used; the first: {}", first.reason),
            None => format!("it has no lines; one per recording was expected, such as {example}"),
        },
    }
}

const EXAMPLE: &str = r#"{"audio": "a.wav", "label": "dog"}"#;

fn parsed(line: &[u8]) -> Said {
    let line: Line = serde_json::from_slice(line).map_err(|error| {
        // serde_json counts lines within this one.
        let reason = error.to_string();
        let reason = reason.split(" at line ").next().unwrap_or(&reason);
        let column = error.column();
        format!("{reason} (column {column}); a JSON object was expected, such as {EXAMPLE}")
    })?;
    let audio = line
        .audio
        .filter(|audio| !audio.is_empty())
        .ok_or_else(|| format!("it has no \"audio\"; one line is such as {EXAMPLE}"))?;
    let answer = match (line.label, line.tags, line.text, line.value) {
        (Some(label), None, None, None) => Answer::Class(label.into_text()?),
        (None, Some(tags), None, None) => Answer::Tags(
            tags.into_iter()
                .map(Name::into_text)
                .collect::<std::result::Result<_, _>>()?,
        ),
        (None, None, Some(text), None) => Answer::Text(text),
        (None, None, None, Some(value)) => Answer::Value(finite(value)?),
        (None, None, None, None) => {
            return Err(format!(
                "it has none of \"label\", \"tags\", \"text\" and \"value\"; one line is such as \
                 {EXAMPLE}"
            ));
        }
        _ => {
            return Err(
                "it has more than one of \"label\", \"tags\", \"text\" and \"value\"".into(),
            );
        }
    };
    let split = line.split.as_deref().map(part_named).transpose()?;
    Ok(Recording {
        audio,
        answer,
        split,
        domain: line.domain.and_then(Name::into_optional),
        group: line.group.and_then(Name::into_optional),
        stretch: Stretch {
            offset_s: line.offset,
            duration_s: line.duration,
        },
    })
}
