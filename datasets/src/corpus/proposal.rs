//! Speakers, sessions and the like that show in the names of a folder's files.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::counter::is_counter;
use super::open::Corpus;
use super::pattern::group_of;
use super::spec::Spec;
use crate::item::Target;
use crate::part::Part;

/// The signs that names are divided at.
const SEPARATORS: [char; 4] = ['_', '.', ' ', '-'];
/// A value has this many recordings on average, and all but a few values do.
const LEAST_RECORDINGS: usize = 3;
/// The fraction of recordings that may have a value with fewer recordings.
const FEW: f64 = 0.1;
/// How many values are named.
const NUM_EXAMPLES: usize = 3;

/// A place in the names of a folder's files whose values look like speakers or sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupProposal {
    /// The expression for `group=`.
    pub regex: String,
    /// The number of values.
    pub groups: usize,
    /// The first values, sorted.
    pub examples: Vec<String>,
}

impl GroupProposal {
    /// The spec of a folder with these groups.
    #[must_use]
    pub fn spec(&self, folder: &Spec) -> Spec {
        let mut spec = folder.clone();
        spec.query.insert("group".into(), self.regex.clone());
        spec
    }
}

impl Corpus {
    /// The groups that show in the names of a folder's files, if it is opened without `group=` and
    /// has no validation part.
    ///
    /// Names are divided at `_`, `-`, `.` and blanks. A place in them, from the front or from the back,
    /// is proposed if its values occur with several classes and with several recordings each, and are
    /// no running index. Where two places are as good, none is proposed.
    #[must_use]
    pub fn proposed_group(&self) -> Option<GroupProposal> {
        let is_divided = self.items.iter().any(|item| item.part == Part::Valid);
        if self.spec.corpus != "folder" || self.spec.query.contains_key("group") || is_divided {
            return None;
        }
        let named: Option<Vec<Named>> = self
            .items
            .iter()
            .map(|item| match &item.target {
                Target::Class(class) => Named::of(&item.id, *class),
                _ => None,
            })
            .collect();
        proposed(&named?)
    }
}

/// A recording by its name.
struct Named<'a> {
    id: &'a str,
    /// Its file's name without the ending, divided.
    tokens: Vec<&'a str>,
    class: usize,
}

impl<'a> Named<'a> {
    fn of(id: &'a str, class: usize) -> Option<Self> {
        let (_, name) = id.rsplit_once('/')?;
        let (stem, _) = name.rsplit_once('.')?;
        Some(Self {
            id,
            tokens: stem.split(SEPARATORS).collect(),
            class,
        })
    }
}

/// A place in the names: so many tokens are in front of it, or behind it.
#[derive(Clone, Copy)]
enum Place {
    Front(usize),
    Back(usize),
}

impl Place {
    fn token<'a>(self, tokens: &[&'a str]) -> Option<&'a str> {
        let index = match self {
            Self::Front(index) => index,
            Self::Back(index) => tokens.len().checked_sub(index + 1)?,
        };
        tokens.get(index).copied().filter(|token| !token.is_empty())
    }

    /// The expression that finds it in names with these separators.
    fn regex(self, separators: &str) -> String {
        // A '-' between others would be a range, so it is the last.
        let any = match separators.chars().count() {
            1 => separators.replace('.', "\\."),
            _ => format!("[{separators}]"),
        };
        let skipped = format!("[^/{separators}]*");
        let repeated = |unit: String, count: usize| match count {
            0..=2 => unit.repeat(count),
            count => format!("(?:{unit}){{{count}}}"),
        };
        // The '.' of the ending ends the last token.
        let token = match separators.contains('.') {
            true => format!("([^/{separators}]+)"),
            false => format!("([^/.{separators}]+)"),
        };
        match self {
            Self::Front(index) => {
                let before = repeated(format!("{skipped}{any}"), index);
                format!("/{before}{token}[^/]*$")
            }
            Self::Back(index) => {
                let behind = repeated(format!("{any}{skipped}"), index);
                format!("{token}{behind}\\.[^/.]*$")
            }
        }
    }
}

/// A place that may be proposed.
struct Candidate<'a> {
    place: Place,
    values: Vec<&'a str>,
    distinct: BTreeSet<&'a str>,
    /// How many things speak against it.
    false_signs: usize,
}

fn proposed(names: &[Named]) -> Option<GroupProposal> {
    let least = names.iter().map(|name| name.tokens.len()).min()?;
    let places = (0..least).flat_map(|index| [Place::Front(index), Place::Back(index)]);
    let mut candidates = Vec::<Candidate>::new();
    for candidate in places.filter_map(|place| candidate(names, place)) {
        // The same groups are found from the front and from the back.
        let is_new = |other: &Candidate| !divide_alike(&other.values, &candidate.values);
        if candidates.iter().all(is_new) {
            candidates.push(candidate);
        }
    }
    candidates.sort_by_key(|candidate| candidate.false_signs);
    let best = match candidates.as_slice() {
        [] => return None,
        [first, second, ..] if first.false_signs == second.false_signs => return None,
        [first, ..] => first,
    };
    let there: String = SEPARATORS
        .into_iter()
        .filter(|separator| {
            let mut stems = names.iter().filter_map(|name| name.id.rsplit_once('.'));
            stems.any(|(stem, _)| {
                let name = stem.rsplit_once('/').map_or(stem, |(_, name)| name);
                name.contains(*separator)
            })
        })
        .collect();
    let regex = best.place.regex(&there);
    let compiled = Regex::new(&regex).ok()?;
    let mut both = names.iter().zip(&best.values);
    if !both.all(|(name, value)| group_of(&compiled, name.id) == Some(value)) {
        return None;
    }
    let distinct = best.distinct.iter();
    Some(GroupProposal {
        regex,
        groups: best.distinct.len(),
        examples: distinct
            .take(NUM_EXAMPLES)
            .map(ToString::to_string)
            .collect(),
    })
}

/// What is counted of a value.
#[derive(Default)]
struct Counts {
    recordings: usize,
    classes: BTreeSet<usize>,
}

/// The values in a place, if all names have it and they may be groups.
fn candidate<'a>(names: &[Named<'a>], place: Place) -> Option<Candidate<'a>> {
    let values: Option<Vec<&str>> = names.iter().map(|name| place.token(&name.tokens)).collect();
    let values = values?;
    let mut counts = BTreeMap::<&str, Counts>::new();
    let mut classes = BTreeSet::new();
    for (value, name) in values.iter().zip(names) {
        let of_value = counts.entry(value).or_default();
        of_value.recordings += 1;
        of_value.classes.insert(name.class);
        classes.insert(name.class);
    }
    let num_values = counts.len();
    if num_values < 2 || num_values * LEAST_RECORDINGS > names.len() {
        return None;
    }
    let is_rare = |counts: &&Counts| counts.recordings < LEAST_RECORDINGS;
    let rare = counts.values().filter(is_rare).map(|it| it.recordings);
    let rare: usize = rare.sum();
    if rare as f64 > FEW * names.len() as f64 {
        return None;
    }
    let pairs: usize = counts.values().map(|counts| counts.classes.len()).sum();
    let classes_each = pairs as f64 / num_values as f64;
    let recordings: Vec<(&str, usize)> = counts
        .iter()
        .map(|(value, counts)| (*value, counts.recordings))
        .collect();
    if classes_each < 2.0 || is_counter(&recordings) {
        return None;
    }
    let all_digits = |value: &str| value.bytes().all(|byte| byte.is_ascii_digit());
    let signs = [
        counts.keys().all(|value| all_digits(value)),
        num_values == 2,
        rare > 0,
        classes_each < classes.len() as f64 / 2.0,
    ];
    // A number counts most: it may be anything.
    let weights = [3, 1, 1, 1];
    let false_signs = signs
        .iter()
        .zip(weights)
        .map(|(sign, weight)| usize::from(*sign) * weight);
    Some(Candidate {
        place,
        false_signs: false_signs.sum(),
        distinct: counts.into_keys().collect(),
        values,
    })
}

/// Whether recordings of one value on either side are of one value on the other.
fn divide_alike(left: &[&str], right: &[&str]) -> bool {
    let (mut to_right, mut to_left) = (BTreeMap::new(), BTreeMap::new());
    let mut both = left.iter().zip(right);
    both.all(|(left, right)| {
        *to_right.entry(left).or_insert(right) == right
            && *to_left.entry(right).or_insert(left) == left
    })
}
