//! The recordings of synthesised corpora.

use super::draft::{Answer, Draft};
use super::query::number;
use super::spec::Spec;
use crate::Result;
use crate::item::Source;
use crate::part::Part;

/// Clips of the three parts, each by its place: id, answer and sound.
pub(super) fn drafts(
    spec: &Spec,
    default_size: usize,
    least: usize,
    clip: impl Fn(Part, u32) -> (String, Answer, Source),
) -> Result<Vec<Draft>> {
    let mut drafts = Vec::new();
    for (part, size) in sizes(spec, default_size, least)? {
        for index in 0..size as u32 {
            let (id, answer, source) = clip(part, index);
            drafts.push(Draft {
                place: id.clone(),
                id,
                source,
                answer,
                part,
                group: None,
                domain: None,
            });
        }
    }
    Ok(drafts)
}

/// The number of clips of each part: `size=` for training, and a fifth of that, but no fewer than
/// `least`, for each of the others.
pub(super) fn sizes(spec: &Spec, default_size: usize, least: usize) -> Result<[(Part, usize); 3]> {
    let size = number(spec, "size", default_size, least, 1_000_000)?;
    let fifth = (size / 5).max(least);
    Ok([
        (Part::Train, size),
        (Part::Valid, fifth),
        (Part::Test, fifth),
    ])
}
