//! MagnaTagATune, 29 seconds of music with any of 188 tags (Law et al., "Evaluation of Algorithms
//! Using Games: The Case of Music Tagging", 2009,
//! <https://mirg.city.ac.uk/codeapps/the-magnatagatune-dataset>): `annotations_final.csv`, separated
//! by tabs, beside the folders `0` to `f` of mp3 files (or those in a folder `mp3`).
//!
//! The split is the one in use since Dieleman and Schrauwen (2014): folders 0 to b are the training
//! part, c the validation part, d to f the test part. `tags=` many of the most frequent tags are
//! taken, 50 unless it says otherwise, the most frequent first; clips that have none of them are
//! left out, as SampleCNN and its successors do. Three of the published files are empty: open it
//! with bad files skipped.

use std::path::Path;

use super::draft::{Answer, Found};
use super::gate::Gate;
use super::list::{Entry, Listing, Table};
use super::query::number;
use super::spec::Spec;
use crate::item::TargetKind;
use crate::part::Part;
use crate::{Error, Result};

const DEFAULT_TAGS: usize = 50;

pub(super) fn find(spec: &Spec, gate: &mut Gate) -> Result<Found> {
    let root = Path::new(&spec.location);
    let list = root.join("annotations_final.csv");
    let table = Table::read(&list, b'\t', gate)?;
    let [clip_id, path] = table.columns(["clip_id", "mp3_path"])?;
    let columns: Vec<usize> = (0..table.header.len())
        .filter(|column| ![clip_id, path].contains(column))
        .collect();
    if columns.is_empty() {
        return Err(Error::Layout {
            path: list,
            reason: "it has no columns of tags between clip_id and mp3_path".into(),
        });
    }
    let wanted = match spec.query.contains_key("tags") {
        true => number(spec, "tags", DEFAULT_TAGS, 1, columns.len())?,
        false => DEFAULT_TAGS.min(columns.len()),
    };
    let mut ranked: Vec<(usize, usize)> = columns
        .into_iter()
        .map(|column| {
            let count = table.rows.iter().filter(|row| row.get(column) == "1");
            (count.count(), column)
        })
        .collect();
    ranked.sort_by(|(a, first), (b, second)| {
        let names = (&table.header[*first], &table.header[*second]);
        b.cmp(a).then_with(|| names.0.cmp(names.1))
    });
    ranked.truncate(wanted);

    let nested = root.join("mp3");
    let folder = if nested.is_dir() { &nested } else { root };
    let mut listing = Listing::new(&list);
    for row in &table.rows {
        let entry = || {
            let mut tags = Vec::new();
            for &(_, column) in &ranked {
                match row.get(column) {
                    "1" => tags.push(table.header[column].clone()),
                    "0" => {}
                    other => {
                        return Err(format!(
                            "'{}' is '{other}'; it must be 0 or 1",
                            table.header[column]
                        ));
                    }
                }
            }
            let name = row.get(path);
            let part = part_of(name)?;
            Ok((!tags.is_empty()).then(|| Entry {
                id: name.to_owned(),
                file: folder.join(name),
                cut: None,
                answer: Answer::Tags(tags),
                part,
                group: None,
                domain: None,
            }))
        };
        if let Some(entry) = entry().transpose() {
            listing.add(gate, row.line, entry)?;
        }
    }
    let mut drafts = listing.drafts;
    drafts.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Found {
        task: TargetKind::Tag,
        labels: Some(
            ranked
                .iter()
                .map(|&(_, column)| table.header[column].clone())
                .collect(),
        ),
        drafts,
        ignored_files: 0,
    })
}

/// By the folder, which is one hexadecimal digit.
fn part_of(path: &str) -> std::result::Result<Part, String> {
    match path.split_once('/') {
        Some((folder, name)) if !name.is_empty() => match folder.as_bytes() {
            [b'0'..=b'9' | b'a' | b'b'] => return Ok(Part::Train),
            [b'c'] => return Ok(Part::Valid),
            [b'd' | b'e' | b'f'] => return Ok(Part::Test),
            _ => {}
        },
        _ => {}
    }
    Err(format!(
        "mp3_path is '{path}'; it must be FOLDER/NAME.mp3 with a folder from 0 to f"
    ))
}
