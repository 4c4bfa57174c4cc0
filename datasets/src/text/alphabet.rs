//! Alphabets: the symbols that a model writes transcripts in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use unicode_normalization::char::is_combining_mark;

use super::hangul;
use super::normalization::Normalization;
use super::units::jamo;
use crate::error::listed;
use crate::named::named;
use crate::{Error, Result, files};

/// The symbol that stands for those an alphabet does not have; `<unk>` in a file.
pub const UNKNOWN: char = '⁇';

named! {
    /// The unit of a symbol.
    AlphabetKind, "alphabet" {
        /// A character, in Korean a syllable.
        Characters = "characters",
        /// A character, in Korean a conjoining jamo: some seventy symbols rather than thousands,
        /// and three steps for a syllable rather than one.
        Jamo = "jamo",
    }
}

/// The symbols that a model writes transcripts in, counted from 1. Index 0 is no symbol of an
/// alphabet: it is the blank of CTC, or the start and end of a speller.
///
/// Text is [normalised](Normalization) and, by the [kind](AlphabetKind), taken apart; symbols are
/// single characters, the space among them. Serialised, it is an object of `kind`, `normalization`
/// and `symbols`.
///
/// ```
/// use sori_datasets::text::{Alphabet, AlphabetKind, Normalization};
///
/// let alphabet = Alphabet::build(AlphabetKind::Characters, Normalization::default(), ["Go!", "No"])?;
/// assert_eq!(alphabet.encode("Gong")?, [1, 3, 2, 1]);
/// assert_eq!(alphabet.decode(&[2, 3]), "no");
/// assert!(alphabet.encode("Gone").unwrap_err().to_string().contains("'e' (U+0065)"));
/// # Ok::<(), sori_datasets::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Alphabet {
    kind: AlphabetKind,
    normalization: Normalization,
    symbols: Vec<char>,
    indices: BTreeMap<char, usize>,
}

/// An alphabet as it is serialised.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kind: AlphabetKind,
    normalization: Normalization,
    symbols: Vec<char>,
}

impl From<Alphabet> for Written {
    fn from(alphabet: Alphabet) -> Self {
        Self {
            kind: alphabet.kind,
            normalization: alphabet.normalization,
            symbols: alphabet.symbols,
        }
    }
}

impl TryFrom<Written> for Alphabet {
    type Error = String;

    fn try_from(written: Written) -> std::result::Result<Self, String> {
        let mut alphabet = Self::empty(written.kind, written.normalization);
        for symbol in written.symbols {
            alphabet.push(symbol)?;
        }
        if alphabet.symbols.is_empty() {
            return Err("the alphabet has no symbols; at least one is needed".into());
        }
        Ok(alphabet)
    }
}

impl Alphabet {
    /// The symbols that occur in texts, in the order of their code points.
    ///
    /// # Errors
    ///
    /// [`Error::Nothing`] if none does.
    pub fn build<T: AsRef<str>>(
        kind: AlphabetKind,
        normalization: Normalization,
        texts: impl IntoIterator<Item = T>,
    ) -> Result<Self> {
        let mut alphabet = Self::empty(kind, normalization);
        let mut symbols = BTreeSet::new();
        for text in texts {
            symbols.extend(alphabet.split(text.as_ref()));
        }
        if symbols.is_empty() {
            return Err(Error::Nothing {
                place: "the transcripts".into(),
                reason: "they have no symbol once they are normalised, and an alphabet needs one"
                    .into(),
            });
        }
        for symbol in symbols {
            alphabet.add(symbol);
        }
        Ok(alphabet)
    }

    /// Reads a file of one symbol per line, the first of which is symbol 1. `<space>` may stand for
    /// the space and `<unk>` for [`UNKNOWN`].
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::ManifestLine`] for a line that is no symbol, one that is there
    /// already, or one that never occurs in text of this kind and normalisation.
    pub fn read(kind: AlphabetKind, normalization: Normalization, path: &Path) -> Result<Self> {
        let bytes = files::read(path)?;
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let text = std::str::from_utf8(bytes).map_err(|_| Error::Layout {
            path: path.to_owned(),
            reason: "it is not text in UTF-8; one symbol per line was expected".into(),
        })?;
        let mut alphabet = Self::empty(kind, normalization);
        for (index, line) in text.lines().enumerate() {
            let mut characters = line.chars();
            let added = match (line, characters.next(), characters.next()) {
                ("<space>", ..) => alphabet.push(' '),
                ("<unk>", ..) => alphabet.push(UNKNOWN),
                (_, Some(symbol), None) => alphabet.push(symbol),
                ("", ..) => Err("it is empty; the space is written <space>".into()),
                _ => Err(format!(
                    "'{line}' is not one character; a line is one, or <space>, or <unk>"
                )),
            };
            added.map_err(|reason| Error::ManifestLine {
                path: path.to_owned(),
                line: index + 1,
                reason,
            })?;
        }
        if alphabet.symbols.is_empty() {
            return Err(Error::Layout {
                path: path.to_owned(),
                reason: "it has no lines; one symbol per line was expected".into(),
            });
        }
        Ok(alphabet)
    }

    /// With [`UNKNOWN`] as its last symbol, unless it has it already: symbols it does not have are
    /// then no error.
    #[must_use]
    pub fn with_unknown(mut self) -> Self {
        if !self.indices.contains_key(&UNKNOWN) {
            self.add(UNKNOWN);
        }
        self
    }

    /// The unit of a symbol.
    #[must_use]
    pub fn kind(&self) -> AlphabetKind {
        self.kind
    }

    /// The normalisation of text before it is encoded.
    #[must_use]
    pub fn normalization(&self) -> &Normalization {
        &self.normalization
    }

    /// The number of symbols, without index 0.
    #[must_use]
    pub fn num_symbols(&self) -> usize {
        self.symbols.len()
    }

    /// The symbols, of which the first has index 1.
    #[must_use]
    pub fn symbols(&self) -> &[char] {
        &self.symbols
    }

    /// The symbol of an index; none of 0 and of those above [`num_symbols`](Self::num_symbols).
    #[must_use]
    pub fn symbol(&self, index: usize) -> Option<char> {
        self.symbols.get(index.checked_sub(1)?).copied()
    }

    /// The index of a symbol, where it is one.
    #[must_use]
    pub fn index(&self, symbol: char) -> Option<usize> {
        self.indices.get(&symbol).copied()
    }

    /// The index of [`UNKNOWN`], where it is a symbol.
    #[must_use]
    pub fn unknown(&self) -> Option<usize> {
        self.index(UNKNOWN)
    }

    /// The indices of a text's symbols, after it is normalised.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownSymbols`] with all the symbols that are not in the alphabet, unless
    /// [`UNKNOWN`] is.
    pub fn encode(&self, text: &str) -> Result<Vec<usize>> {
        let mut missing = BTreeSet::new();
        let mut indices = Vec::new();
        for symbol in self.split(text) {
            match self.indices.get(&symbol).copied().or(self.unknown()) {
                Some(index) => indices.push(index),
                None => {
                    missing.insert(symbol);
                }
            }
        }
        if missing.is_empty() {
            return Ok(indices);
        }
        let missing: Vec<String> = missing.into_iter().map(shown).collect();
        let known: Vec<String> = self.symbols.iter().map(|&symbol| shown(symbol)).collect();
        Err(Error::UnknownSymbols {
            text: text.to_owned(),
            symbols: listed(&missing, usize::MAX),
            known: listed(&known, 40),
        })
    }

    /// The text of these symbols, its jamo put together to syllables. Index 0 says nothing.
    ///
    /// # Panics
    ///
    /// If an index is above [`num_symbols`](Self::num_symbols).
    #[must_use]
    pub fn decode(&self, indices: &[usize]) -> String {
        let text: String = indices
            .iter()
            .filter_map(|index| Some(self.symbols[index.checked_sub(1)?]))
            .collect();
        match self.kind {
            AlphabetKind::Characters => text,
            AlphabetKind::Jamo => hangul::compose(&text),
        }
    }

    fn empty(kind: AlphabetKind, normalization: Normalization) -> Self {
        Self {
            kind,
            normalization,
            symbols: Vec::new(),
            indices: BTreeMap::new(),
        }
    }

    /// The symbols a text has, in the alphabet or not.
    fn split(&self, text: &str) -> Vec<char> {
        let text = self.normalization.apply(text);
        match self.kind {
            AlphabetKind::Characters => text.chars().collect(),
            AlphabetKind::Jamo => jamo(&text),
        }
    }

    fn add(&mut self, symbol: char) {
        self.symbols.push(symbol);
        self.indices.insert(symbol, self.symbols.len());
    }

    /// Adds a symbol somebody wrote down, if it is one.
    fn push(&mut self, symbol: char) -> std::result::Result<(), String> {
        if let Some(index) = self.indices.get(&symbol) {
            return Err(format!("{} is symbol {index} already", shown(symbol)));
        }
        // Within a word, because an apostrophe is nothing elsewhere; a mark may join with any
        // letter it is put behind.
        let occurs = symbol == UNKNOWN
            || is_combining_mark(symbol)
            || self.split(&format!("x{symbol}x")).get(1) == Some(&symbol);
        if !occurs {
            return Err(format!(
                "{} occurs in no text by alphabet = {}, case = {}, punctuation = {}",
                shown(symbol),
                self.kind,
                self.normalization.case,
                self.normalization.punctuation,
            ));
        }
        self.add(symbol);
        Ok(())
    }
}

/// `'é' (U+00E9)`.
fn shown(symbol: char) -> String {
    format!("'{symbol}' (U+{:04X})", u32::from(symbol))
}
