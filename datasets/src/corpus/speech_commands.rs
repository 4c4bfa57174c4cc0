//! Speech Commands, versions 1 and 2: single words of about a second (Warden, "Speech Commands: A
//! Dataset for Limited-Vocabulary Speech Recognition", 2018, <https://arxiv.org/abs/1804.03209>), a
//! folder per word. As published, `validation_list.txt` and `testing_list.txt` name the recordings
//! of those parts, and the rest is trained on.
//!
//! The files of `_background_noise_` are cut into seconds, which are a class of that name. Of each
//! file the last tenth goes to the test part and the tenth before it to the validation part: seconds
//! next to each other sound alike, so that parts are not mixed within a file.
//!
//! `words=yes,no` takes these words alone, in this order. `subset=12` is the paper's task: ten
//! commands, `_silence_` (seconds of the background noise) and `_unknown_`, other words, of which in
//! each part, by a hash of their names, as many are taken as there are recordings of a command on
//! average.
//!
//! Files are named by a hash of their speaker, `0a7c2a8d_nohash_0.wav`, who is in one of the published
//! parts, and stays in one part where a validation part is set aside.

use std::collections::BTreeMap;
use std::path::Path;

use super::chosen::chosen_by_name;
use super::draft::{Answer, Draft, Found};
use super::gate::Gate;
use super::spec::Spec;
use crate::audio::{self, is_recording};
use crate::files::entries;
use crate::item::{Segment, Source, TargetKind};
use crate::part::Part;
use crate::spelling::composed;
use crate::{Error, Result, files};

/// What follows the hash of the speaker in the name of a file.
const SPEAKER_END: &str = "_nohash_";
const NOISE: &str = "_background_noise_";
const SILENCE: &str = "_silence_";
const UNKNOWN: &str = "_unknown_";
const COMMANDS: [&str; 10] = [
    "yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go",
];
/// The seed that chooses the unknown words, which must not depend on a run's.
const UNKNOWN_SEED: u64 = 0;
const SEGMENT_MS: u64 = 1000;

pub(super) fn find(spec: &Spec, gate: &mut Gate) -> Result<Found> {
    let root = Path::new(&spec.location);
    let (folders, files): (Vec<String>, Vec<String>) = entries(root)?
        .into_iter()
        .partition(|name| root.join(name).is_dir());
    let refuse = |key: &str, expected: String| Error::Query {
        corpus: spec.corpus.clone(),
        key: key.to_owned(),
        value: spec.query[key].clone(),
        expected,
    };
    let twelve = match spec.query.get("subset").map(String::as_str) {
        None => false,
        Some("12") if !spec.query.contains_key("words") => true,
        Some(_) => {
            return Err(refuse(
                "subset",
                "subset is 12, and is not given beside words".into(),
            ));
        }
    };
    let words: Vec<String> = match spec.query.get("words") {
        Some(words) => words.split(',').map(|word| word.trim().into()).collect(),
        None => folders.clone(),
    };
    let needed: Vec<&str> = match twelve {
        true => COMMANDS.into_iter().chain([NOISE]).collect(),
        false => words.iter().map(String::as_str).collect(),
    };
    if let Some(missing) = needed
        .iter()
        .find(|word| !folders.iter().any(|it| it == *word))
    {
        let expected = format!(
            "there is no '{missing}'; the words are {}",
            folders.join(", ")
        );
        return Err(match (twelve, spec.query.contains_key("words")) {
            (true, _) => refuse("subset", expected),
            (_, true) => refuse("words", expected),
            _ => Error::Layout {
                path: root.to_owned(),
                reason: expected,
            },
        });
    }
    if words.is_empty() {
        return Err(Error::Layout {
            path: root.to_owned(),
            reason: "it has no sub-folders; one per word was expected".into(),
        });
    }

    let mut lists = Lists::read(root, gate)?;
    let mut drafts = Vec::new();
    let mut ignored_files = files.len() - lists.files;
    for word in words.iter().filter(|word| *word != NOISE) {
        let folder = root.join(word);
        for name in entries(&folder)? {
            let path = folder.join(&name);
            if !is_recording(&path) {
                ignored_files += gate.pass_over(&name);
                continue;
            }
            let id = format!("{word}/{name}");
            drafts.push(Draft {
                place: path.display().to_string(),
                source: Source::File(path),
                answer: Answer::Class(word.clone()),
                part: lists.take(&id),
                group: name
                    .split_once(SPEAKER_END)
                    .map(|(speaker, _)| speaker.to_owned()),
                domain: None,
                id,
            });
        }
    }
    lists.reject_missing(root, &words, gate)?;
    if words.iter().any(|word| word == NOISE) {
        ignored_files += add_noise(&root.join(NOISE), gate, &mut drafts)?;
    }
    let labels = if twelve {
        drafts = as_twelve(drafts);
        let names = [SILENCE, UNKNOWN].into_iter().chain(COMMANDS);
        names.map(str::to_owned).collect()
    } else {
        words
    };
    Ok(Found {
        task: TargetKind::Classify,
        labels: Some(labels),
        drafts,
        ignored_files,
    })
}

/// The recordings the lists name, each with its part, and which line of which list says so.
struct Lists {
    named: BTreeMap<String, (Part, &'static str, usize)>,
    /// The number of lists.
    files: usize,
}

impl Lists {
    /// A recording that is in both lists counts as one of the second, the testing list.
    fn read(root: &Path, gate: &mut Gate) -> Result<Self> {
        let lists = [
            ("validation_list.txt", Part::Valid),
            ("testing_list.txt", Part::Test),
        ];
        let mut named = BTreeMap::new();
        for (list, part) in lists {
            let path = root.join(list);
            let text = files::read_text(&path)?;
            for (index, name) in text.lines().enumerate() {
                let (name, line) = (name.trim(), index + 1);
                if name.is_empty() {
                    continue;
                }
                let reason = match named.insert(composed(name).into_owned(), (part, list, line)) {
                    None if name.contains('/') => continue,
                    None => format!("'{name}' is not WORD/FILE.wav"),
                    Some((_, list, line)) => {
                        format!("'{name}' is in line {line} of {list} already")
                    }
                };
                gate.reject_line(&path, line, reason)?;
            }
        }
        Ok(Self {
            named,
            files: lists.len(),
        })
    }

    /// The part of a recording, which is then no longer missing.
    fn take(&mut self, id: &str) -> Part {
        self.named
            .remove(&*composed(id))
            .map_or(Part::Train, |(part, ..)| part)
    }

    /// Hands the gate what the lists name of these words and is not there.
    fn reject_missing(self, root: &Path, words: &[String], gate: &mut Gate) -> Result<()> {
        for (name, (_, list, line)) in self.named {
            let word = name.split('/').next().unwrap_or_default();
            if words.iter().any(|known| known == word) || !root.join(word).is_dir() {
                let reason = format!("there is no audio file {}", root.join(&name).display());
                gate.reject_line(&root.join(list), line, reason)?;
            }
        }
        Ok(())
    }
}

/// Adds the whole seconds of each background noise; returns how many other entries lie there.
fn add_noise(folder: &Path, gate: &mut Gate, drafts: &mut Vec<Draft>) -> Result<usize> {
    let mut ignored = 0;
    for name in entries(folder)? {
        let path = folder.join(&name);
        if !is_recording(&path) {
            ignored += gate.pass_over(&name);
            continue;
        }
        let seconds = match audio::decode(&path) {
            Ok(noise) => noise.duration_s() as u64,
            Err(error) => {
                gate.reject(path.display().to_string(), error)?;
                continue;
            }
        };
        let tenth = seconds.div_ceil(10);
        for second in 0..seconds {
            let id = format!("{NOISE}/{name}#{second:04}");
            drafts.push(Draft {
                place: id.clone(),
                id,
                source: Source::Segment(Segment {
                    path: path.clone(),
                    start_ms: second * SEGMENT_MS,
                    length_ms: SEGMENT_MS,
                }),
                answer: Answer::Class(NOISE.into()),
                part: match second {
                    last if last + tenth >= seconds => Part::Test,
                    before if before + 2 * tenth >= seconds => Part::Valid,
                    _ => Part::Train,
                },
                group: None,
                domain: None,
            });
        }
    }
    Ok(ignored)
}

/// Ten commands, silence, and of all other words as many as there are of a command.
fn as_twelve(drafts: Vec<Draft>) -> Vec<Draft> {
    let is = |draft: &Draft, word: &str| matches!(&draft.answer, Answer::Class(of) if of == word);
    let mut kept = Vec::new();
    let mut unknown = Vec::new();
    for mut draft in drafts {
        if is(&draft, NOISE) {
            draft.answer = Answer::Class(SILENCE.into());
            kept.push(draft);
        } else if COMMANDS.iter().any(|command| is(&draft, command)) {
            kept.push(draft);
        } else {
            draft.answer = Answer::Class(UNKNOWN.into());
            unknown.push(draft);
        }
    }
    for part in Part::VALUES {
        let commands = kept
            .iter()
            .filter(|draft| draft.part == *part && !is(draft, SILENCE));
        let wanted = commands.count() as f64 / COMMANDS.len() as f64;
        let of_part: Vec<&Draft> = unknown.iter().filter(|draft| draft.part == *part).collect();
        let ids: Vec<&str> = of_part.iter().map(|draft| draft.id.as_str()).collect();
        let fraction = wanted / ids.len().max(1) as f64;
        let chosen: std::collections::BTreeSet<String> =
            chosen_by_name(&ids, fraction, UNKNOWN_SEED)
                .into_iter()
                .map(|index| ids[index].to_owned())
                .collect();
        unknown.retain(|draft| draft.part != *part || chosen.contains(&draft.id));
    }
    kept.extend(unknown);
    kept
}
