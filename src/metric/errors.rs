//! Error rates of transcripts: the fewest edits from a reference to a hypothesis (Levenshtein 1966),
//! over words, characters and jamo.

use std::ops::AddAssign;

use sori_datasets::text::{characters, hangul, jamo, words};

use super::csv::csv_cell;

/// The fewest edits that turn a reference into a hypothesis, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// Units of the reference that are replaced by another.
    pub substitutions: usize,
    /// Units of the reference that are missing.
    pub deletions: usize,
    /// Units of the hypothesis that the reference does not have.
    pub insertions: usize,
    /// The number of units of the reference.
    pub units: usize,
}

impl Edits {
    /// The edits between two sequences. Among alignments with equally few edits, from the end backwards
    /// a pair of units (equal or not) is preferred to a deletion, and a deletion to an insertion.
    pub fn between<T: PartialEq>(reference: &[T], hypothesis: &[T]) -> Self {
        let insertion = |insertions| Self {
            insertions,
            ..Self::default()
        };
        // The edits from the reference so far to each start of the hypothesis.
        let mut row: Vec<Self> = (0..=hypothesis.len()).map(insertion).collect();
        for unit in reference {
            let mut diagonal = row[0];
            row[0].deletions += 1;
            for (at, heard) in hypothesis.iter().enumerate() {
                let mut paired = diagonal;
                paired.substitutions += usize::from(unit != heard);
                let (mut deleted, mut inserted) = (row[at + 1], row[at]);
                deleted.deletions += 1;
                inserted.insertions += 1;
                diagonal = row[at + 1];
                row[at + 1] = [deleted, inserted].into_iter().fold(paired, |best, way| {
                    if way.total() < best.total() {
                        way
                    } else {
                        best
                    }
                });
            }
        }
        Self {
            units: reference.len(),
            ..row[hypothesis.len()]
        }
    }

    /// The number of edits.
    pub fn total(&self) -> usize {
        self.substitutions + self.deletions + self.insertions
    }

    /// The error rate: edits divided by the units of the reference. It can exceed one. For an empty
    /// reference it is the number of edits.
    pub fn rate(&self) -> f64 {
        self.total() as f64 / self.units.max(1) as f64
    }
}

impl AddAssign for Edits {
    fn add_assign(&mut self, other: Self) {
        self.substitutions += other.substitutions;
        self.deletions += other.deletions;
        self.insertions += other.insertions;
        self.units += other.units;
    }
}

/// One step from a reference to a hypothesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit<T> {
    /// A unit of both.
    Kept(T),
    /// A unit of the reference, and the one in its place.
    Substituted(T, T),
    /// A unit of the reference that is missing.
    Deleted(T),
    /// A unit that the reference does not have.
    Inserted(T),
}

/// The steps from a reference to a hypothesis, as [`Edits::between`] counts them.
pub fn edits<T: Copy + PartialEq>(reference: &[T], hypothesis: &[T]) -> Vec<Edit<T>> {
    let columns = hypothesis.len() + 1;
    // The fewest edits from each start of the reference to each start of the hypothesis.
    let mut fewest = vec![0; (reference.len() + 1) * columns];
    for row in 0..=reference.len() {
        for column in 0..columns {
            fewest[row * columns + column] = match (row, column) {
                (0, inserted) => inserted,
                (deleted, 0) => deleted,
                _ => {
                    let differ = reference[row - 1] != hypothesis[column - 1];
                    let before = (row - 1) * columns + column;
                    let paired = fewest[before - 1] + usize::from(differ);
                    let inserted = fewest[row * columns + column - 1] + 1;
                    paired.min(fewest[before] + 1).min(inserted)
                }
            };
        }
    }
    let (mut row, mut column) = (reference.len(), hypothesis.len());
    let mut steps = Vec::with_capacity(row.max(column));
    while row > 0 || column > 0 {
        let here = fewest[row * columns + column];
        let paired = (row > 0 && column > 0).then(|| {
            let (right, heard) = (reference[row - 1], hypothesis[column - 1]);
            let before = fewest[(row - 1) * columns + column - 1];
            (right, heard, before + usize::from(right != heard))
        });
        steps.push(match paired {
            Some((right, heard, edits)) if edits == here => {
                (row, column) = (row - 1, column - 1);
                match right == heard {
                    true => Edit::Kept(right),
                    false => Edit::Substituted(right, heard),
                }
            }
            _ if row > 0 && fewest[(row - 1) * columns + column] + 1 == here => {
                row -= 1;
                Edit::Deleted(reference[row])
            }
            _ => {
                column -= 1;
                Edit::Inserted(hypothesis[column])
            }
        });
    }
    steps.reverse();
    steps
}

/// The reference and the hypothesis of one recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscriptPair {
    /// The recording.
    pub id: String,
    /// The reference.
    pub reference: String,
    /// The hypothesis.
    pub hypothesis: String,
    /// The edits from the words of the reference to those of the hypothesis.
    pub words: Edits,
}

/// The errors in the transcripts of a whole set: all edits over all units, never a mean of rates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TranscriptErrors {
    transcripts: Vec<TranscriptPair>,
    words: Edits,
    characters: Edits,
    jamo: Edits,
    has_hangul: bool,
}

impl TranscriptErrors {
    /// Adds the errors of a recording. Both texts must be normalised in the same way.
    pub fn add(&mut self, id: &str, reference: &str, hypothesis: &str) {
        let edits = Edits::between(&words(reference), &words(hypothesis));
        self.words += edits;
        self.characters += Edits::between(&characters(reference), &characters(hypothesis));
        self.jamo += Edits::between(&jamo(reference), &jamo(hypothesis));
        self.has_hangul |= reference.chars().any(hangul::is_hangul);
        self.transcripts.push(TranscriptPair {
            id: id.to_string(),
            reference: reference.to_string(),
            hypothesis: hypothesis.to_string(),
            words: edits,
        });
    }

    /// The edits of words, whose rate is the word error rate.
    pub fn words(&self) -> Edits {
        self.words
    }

    /// The edits of characters, whose rate is the character error rate. Spaces count, and so does each
    /// Korean syllable.
    pub fn characters(&self) -> Edits {
        self.characters
    }

    /// The edits of characters with Korean syllables split into jamo; none if no reference has Hangul.
    pub fn jamo(&self) -> Option<Edits> {
        self.has_hangul.then_some(self.jamo)
    }

    /// The transcripts, those with the most edits first; ties in the order they were added.
    pub fn worst_first(&self) -> Vec<&TranscriptPair> {
        let mut transcripts: Vec<&TranscriptPair> = self.transcripts.iter().collect();
        transcripts.sort_by_key(|transcript| std::cmp::Reverse(transcript.words.total()));
        transcripts
    }

    /// The transcripts, worst first, as comma-separated values.
    pub fn to_csv(&self) -> String {
        let mut csv = "id,reference,hypothesis,substitutions,deletions,insertions\n".to_string();
        for transcript in self.worst_first() {
            let Edits {
                substitutions,
                deletions,
                insertions,
                ..
            } = transcript.words;
            let [id, reference, hypothesis] = [
                &transcript.id,
                &transcript.reference,
                &transcript.hypothesis,
            ]
            .map(|cell| csv_cell(cell));
            csv.push_str(&format!(
                "{id},{reference},{hypothesis},{substitutions},{deletions},{insertions}\n"
            ));
        }
        csv
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rates_are_of_the_whole_set_and_the_worst_come_first() {
        let mut errors = TranscriptErrors::default();
        errors.add("a", "one two three", "one two three");
        errors.add("b", "four", "for, five");
        assert_eq!(errors.words().rate(), 2.0 / 4.0);
        assert_eq!(errors.jamo(), None);
        let csv = "id,reference,hypothesis,substitutions,deletions,insertions\n\
                   b,four,\"for, five\",1,0,1\na,one two three,one two three,0,0,0\n";
        assert_eq!(errors.to_csv(), csv);
    }

    #[test]
    fn a_syllable_with_one_wrong_jamo_is_a_third_wrong() {
        let mut errors = TranscriptErrors::default();
        errors.add("a", "감", "간");
        assert_eq!(errors.characters().rate(), 1.0);
        assert_eq!(errors.jamo().map(|edits| edits.rate()), Some(1.0 / 3.0));
    }

    #[test]
    fn pairs_win_over_gaps() {
        let edits = Edits::between(b"ab", b"ba");
        assert_eq!((edits.substitutions, edits.total()), (2, 2));
    }

    proptest! {
        #[test]
        fn edits_account_for_both_lengths_and_are_a_distance(
            a in "[abc]{0,8}", b in "[abc]{0,8}", c in "[abc]{0,8}",
        ) {
            let between = |a: &str, b: &str| Edits::between(a.as_bytes(), b.as_bytes());
            let edits = between(&a, &b);
            prop_assert_eq!(a.len() + edits.insertions - edits.deletions, b.len());
            prop_assert_eq!(edits.total() == 0, a == b);
            let steps = super::edits(a.as_bytes(), b.as_bytes());
            let count = |of: fn(&Edit<u8>) -> bool| steps.iter().filter(|step| of(step)).count();
            prop_assert_eq!(count(|step| matches!(step, Edit::Substituted(..))), edits.substitutions);
            prop_assert_eq!(count(|step| matches!(step, Edit::Deleted(_))), edits.deletions);
            prop_assert_eq!(count(|step| matches!(step, Edit::Inserted(_))), edits.insertions);
            prop_assert_eq!(edits.total(), between(&b, &a).total());
            prop_assert!(between(&a, &c).total() <= edits.total() + between(&b, &c).total());
        }
    }
}
