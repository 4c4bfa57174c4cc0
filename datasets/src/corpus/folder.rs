//! One sub-folder per class, perhaps below `train`, `valid` and `test`.
//!
//! `group=REGEX` says which recordings belong together, such as those of one speaker. The expression
//! is looked for in each path from the folder on, with `/`, such as `dog/7_theo_12.wav`; what its first
//! bracket matches (or all of it, without brackets) is the group, and the domain. Groups stay whole
//! where Sori chooses parts or folds; parts that the folder has are taken as they are.
//!
//! `folds=K&of=N` tests on fold `K` of `N`, by group if there are groups, and by class.

use std::collections::HashMap;
use std::path::Path;

use super::draft::{Answer, Draft, Found};
use super::gate::Gate;
use super::own_folds::{asks_for_folds, divide, set_test_aside, test_fraction};
use super::pattern::{give_groups, pattern};
use super::spec::Spec;
use crate::audio::{EXTENSIONS, is_recording};
use crate::files::entries;
use crate::item::{Source, TargetKind};
use crate::part::Part;
use crate::spelling::{composed, into_composed};
use crate::{Error, Result};

pub(super) fn find(spec: &Spec, gate: &mut Gate) -> Result<Found> {
    let fraction = test_fraction(spec)?;
    // Refused before anything is read.
    pattern(spec)?;
    let root = Path::new(&spec.location);
    let (folders, mut ignored_files) = sub_folders(root, gate)?;
    let is_part = |name: &String| name.parse::<Part>().is_ok();

    let mut drafts = Vec::new();
    let has_parts =
        folders.iter().any(|name| name == Part::Train.name()) || folders.iter().all(is_part);
    if has_parts {
        if let Some(other) = folders.iter().find(|name| !is_part(name)) {
            return Err(Error::Layout {
                path: root.join(other),
                reason: "next to a folder 'train' only 'valid' and 'test' may stand".into(),
            });
        }
        for part in Part::VALUES
            .iter()
            .filter(|part| folders.iter().any(|name| name == part.name()))
        {
            let folder = root.join(part.name());
            let (classes, ignored) = sub_folders(&folder, gate)?;
            ignored_files += ignored;
            for class in classes {
                let prefix = format!("{part}/{class}");
                ignored_files += add_class(root, &prefix, *part, gate, &mut drafts)?;
            }
        }
    } else {
        for class in folders {
            ignored_files += add_class(root, &class, Part::Train, gate, &mut drafts)?;
        }
    }
    give_groups(spec, gate, &mut drafts)?;
    distinguish(&mut drafts);
    divide(spec, &mut drafts)?;
    if !has_parts && !asks_for_folds(spec) {
        set_test_aside(fraction, gate, &mut drafts);
    }
    Ok(Found {
        task: TargetKind::Classify,
        labels: None,
        drafts,
        ignored_files,
    })
}

/// Names of the folders (or links to folders) in a folder, and how many files lie beside them.
fn sub_folders(folder: &Path, gate: &mut Gate) -> Result<(Vec<String>, usize)> {
    let (folders, files): (Vec<String>, Vec<String>) = entries(folder)?
        .into_iter()
        .partition(|name| folder.join(name).is_dir());
    if folders.is_empty() {
        return Err(Error::Layout {
            path: folder.to_owned(),
            reason: "it has no sub-folders; one per class was expected, named as the class".into(),
        });
    }
    let ignored = files.iter().map(|name| gate.pass_over(name)).sum();
    Ok((folders, ignored))
}

/// Adds the audio files of `root/prefix`; returns how many other entries lie there.
fn add_class(
    root: &Path,
    prefix: &str,
    part: Part,
    gate: &mut Gate,
    drafts: &mut Vec<Draft>,
) -> Result<usize> {
    let folder = root.join(prefix);
    let class = composed(prefix.rsplit('/').next().unwrap_or(prefix));
    let first = drafts.len();
    let mut ignored = 0;
    for name in entries(&folder)? {
        let path = folder.join(&name);
        if !is_recording(&path) {
            ignored += gate.pass_over(&name);
            continue;
        }
        drafts.push(Draft {
            id: into_composed(format!("{prefix}/{name}")),
            place: path.display().to_string(),
            source: Source::File(path),
            answer: Answer::Class(class.clone().into_owned()),
            part,
            group: None,
            domain: None,
        });
    }
    if drafts.len() == first {
        return Err(Error::Layout {
            path: folder,
            reason: format!(
                "the class holds no audio file (*.{}); add some or remove the folder",
                EXTENSIONS.join(", *.")
            ),
        });
    }
    Ok(ignored)
}

/// Numbers recordings whose names are alike but for their spelling. A class may have a folder in
/// either spelling of its name; such folders follow each other.
fn distinguish(drafts: &mut [Draft]) {
    let mut seen = HashMap::<String, usize>::new();
    for draft in drafts {
        let count = seen.entry(draft.id.clone()).or_default();
        *count += 1;
        if *count > 1 {
            draft.id.push_str(&format!(" ({count})"));
        }
    }
}
