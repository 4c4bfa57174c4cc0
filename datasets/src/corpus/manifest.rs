//! A list of recordings, one JSON object per line:
//! `{"audio": PATH, "label": …}`, `{"audio": PATH, "tags": […]}` or `{"audio": PATH, "text": …}`,
//! with an optional `"split"`. Relative paths begin at the manifest's folder. NeMo's
//! `audio_filepath` is taken for `audio`; fields of other names are ignored.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Answer, Draft, Found, Gate, Part, Source, TaskKind, check_keys};
use crate::{Error, Result, Spec};

#[derive(Deserialize)]
struct Line {
    #[serde(alias = "audio_filepath")]
    audio: Option<String>,
    label: Option<Name>,
    tags: Option<Vec<Name>>,
    text: Option<String>,
    split: Option<String>,
    offset: Option<f64>,
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
}

pub(super) fn find(spec: &Spec, gate: &mut Gate) -> Result<Found> {
    check_keys(spec, &[])?;
    let path = Path::new(&spec.location);
    let bytes = std::fs::read(path).map_err(|error| Error::io("read", path, error))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);

    let mut drafts = Vec::new();
    let mut lines_of = HashMap::<PathBuf, usize>::new();
    // The kind of target, and the line that set it.
    let mut kind = None::<(TaskKind, usize)>;
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let number = index + 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let place = format!("{}:{number}", path.display());
        let refuse = |reason: String| Error::ManifestLine {
            path: path.to_owned(),
            line: number,
            reason,
        };
        let (audio, answer, part) = match parsed(line) {
            Ok(parsed) => parsed,
            Err(reason) => {
                gate.reject(place, refuse(reason))?;
                continue;
            }
        };
        let task = match answer {
            Answer::Class(_) => TaskKind::Classify,
            Answer::Tags(_) => TaskKind::Tag,
            Answer::Text(_) => TaskKind::Transcribe,
        };
        let (first_task, first_line) = *kind.get_or_insert((task, number));
        let file = folder.join(&audio);
        let problem = if task != first_task {
            Some(format!(
                "it is to {task}, line {first_line} is to {first_task}; a manifest has one of \
                 label, tags and text throughout"
            ))
        } else if let Some(earlier) = lines_of.get(&file) {
            Some(format!("'{audio}' is in line {earlier} already"))
        } else if !file.is_file() {
            Some(format!("there is no audio file {}", file.display()))
        } else {
            None
        };
        if let Some(reason) = problem {
            gate.reject(place, refuse(reason))?;
            continue;
        }
        lines_of.insert(file.clone(), number);
        drafts.push(Draft {
            id: audio,
            place,
            source: Source::File(file),
            answer,
            part,
        });
    }
    let Some((task, _)) = kind else {
        return Err(gate_error(path, gate));
    };
    Ok(Found {
        task,
        labels: None,
        drafts,
        ignored_files: 0,
    })
}

fn gate_error(path: &Path, gate: &Gate) -> Error {
    Error::Layout {
        path: path.to_owned(),
        reason: match gate.rejected.first() {
            Some(first) => format!("no line can be used; the first: {}", first.reason),
            None => format!("it has no lines; one per recording was expected, such as {EXAMPLE}"),
        },
    }
}

const EXAMPLE: &str = r#"{"audio": "a.wav", "label": "dog"}"#;

fn parsed(line: &[u8]) -> std::result::Result<(String, Answer, Part), String> {
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
    if line.offset.is_some_and(|offset| offset != 0.0) {
        return Err("an \"offset\" into a longer file is not supported; cut the file".into());
    }
    let answer = match (line.label, line.tags, line.text) {
        (Some(label), None, None) => Answer::Class(label.into_text()?),
        (None, Some(tags), None) => Answer::Tags(
            tags.into_iter()
                .map(Name::into_text)
                .collect::<std::result::Result<_, _>>()?,
        ),
        (None, None, Some(text)) => Answer::Text(text),
        (None, None, None) => {
            return Err(format!(
                "it has none of \"label\", \"tags\" and \"text\"; one line is such as {EXAMPLE}"
            ));
        }
        _ => return Err("it has more than one of \"label\", \"tags\" and \"text\"".into()),
    };
    let part = match line.split {
        None => Part::Train,
        Some(split) => split
            .parse()
            .map_err(|_| format!("\"split\" is '{split}'; it must be train, valid or test"))?,
    };
    Ok((audio, answer, part))
}
