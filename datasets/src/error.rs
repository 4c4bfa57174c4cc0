//! Errors between a path and its features, in full sentences.

use std::path::{Path, PathBuf};

use crate::printable::{printable, printable_path};

/// Result of this crate's fallible functions.
pub type Result<T> = std::result::Result<T, Error>;

/// An error: what went wrong, where, and what would be right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}: {source}", printable_path(path))]
    Io {
        /// What was being done, such as `read`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The path leads to something that cannot be read to an end as a file can.
    #[error("{} is {kind}; a regular file was expected", printable_path(path))]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it leads to, such as `a named pipe`.
        kind: &'static str,
    },
    /// The file is there and holds no byte.
    #[error(
        "{} is empty (0 bytes); an audio file (wav, flac, ogg vorbis, mp3 or m4a) was expected",
        printable_path(path)
    )]
    EmptyFile {
        /// The file.
        path: PathBuf,
    },
    /// The first bytes belong to none of the formats that can be read.
    #[error("{} is not audio that can be read: {found}; wav, flac, ogg vorbis, mp3 and m4a (AAC) can be read", printable_path(path), found = printable(found))]
    NotAudio {
        /// The file.
        path: PathBuf,
        /// What the file seems to be.
        found: String,
    },
    /// The format is known, the contents are damaged or of a kind that cannot be read.
    #[error("cannot decode {} as {format}: {reason}", printable_path(path), reason = printable(reason))]
    Decode {
        /// The file.
        path: PathBuf,
        /// The format it was recognised as.
        format: &'static str,
        /// What the decoder objects to.
        reason: String,
    },
    /// The file stops before its end.
    #[error("{} is truncated: {reason}", printable_path(path), reason = printable(reason))]
    Truncated {
        /// The file.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// A valid file with no sound in it.
    #[error("{} holds no samples; at least one is needed", printable_path(path))]
    NoSamples {
        /// The file.
        path: PathBuf,
    },
    /// A sample of a floating-point file is NaN or infinite.
    #[error(
        "sample {index} of {} is {value}; samples must be finite",
        printable_path(path)
    )]
    NotFiniteSample {
        /// The file.
        path: PathBuf,
        /// Which sample frame, counted from 0.
        index: usize,
        /// `NaN`, `inf` or `-inf`.
        value: f32,
    },
    /// Two sample rates between which there is no conversion.
    #[error("cannot resample from {from_hz} Hz to {to_hz} Hz: {reason}", reason = printable(reason))]
    Resample {
        /// Rate of the waveform.
        from_hz: u32,
        /// Rate that was asked for.
        to_hz: u32,
        /// Why not.
        reason: String,
    },
    /// A field of a configuration has a value that makes no sense.
    #[error("{field} = {value} is not possible: it must be {expected}", value = printable(value), expected = printable(expected))]
    Config {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What is right.
        expected: String,
    },
    /// A waveform at another rate than the features are made for.
    #[error(
        "the waveform is sampled at {found_hz} Hz, the features need {expected_hz} Hz: resample it first"
    )]
    SampleRate {
        /// Rate of the waveform.
        found_hz: u32,
        /// Rate of the configuration.
        expected_hz: u32,
    },
    /// A waveform with fewer samples than the features need.
    #[error("{samples} samples are too few: these features need at least {needed}")]
    TooShort {
        /// How many there are.
        samples: usize,
        /// How many are needed.
        needed: usize,
    },
    /// A sample of a waveform is NaN or infinite.
    #[error("sample {index} is {value}; samples must be finite")]
    NotFiniteInput {
        /// Which sample, counted from 0.
        index: usize,
        /// `NaN`, `inf` or `-inf`.
        value: f32,
    },
    /// A feature came out as NaN or infinite.
    #[error("the feature in frame {frame}, bin {bin} is {value}; it must be finite")]
    NotFiniteFeature {
        /// Frame, counted from 0.
        frame: usize,
        /// Bin, counted from 0.
        bin: usize,
        /// `NaN`, `inf` or `-inf`.
        value: f32,
    },
    /// Corpus normalisation was asked for and there are no statistics to do it by.
    #[error(
        "normalize = corpus needs the statistics of the training part: scan it first, or give those the model was trained with"
    )]
    NoStats,
    /// Statistics of other features than these.
    #[error(
        "the statistics describe {stats} bins, the features have {bins}: they belong to another feature configuration"
    )]
    StatsBins {
        /// Bins of the statistics.
        stats: usize,
        /// Bins of the features.
        bins: usize,
    },
    /// Another error, and the file, line or item it belongs to.
    #[error("{place}: {source}", place = printable(place))]
    In {
        /// File, line or item.
        place: String,
        /// What happened there.
        source: Box<Error>,
    },
    /// Text that does not name a corpus.
    #[error("'{spec}' does not name a corpus: {reason}; known are {known}", spec = printable(spec), reason = printable(reason), known = printable(known))]
    Spec {
        /// The text.
        spec: String,
        /// What is wrong with it.
        reason: String,
        /// The known corpora, each with how it is written.
        known: String,
    },
    /// A key or value behind the `?` of a corpus that it does not take.
    #[error("'{key}={value}' is not a query of {corpus}: {expected}", key = printable(key), value = printable(value), corpus = printable(corpus), expected = printable(expected))]
    Query {
        /// The corpus.
        corpus: String,
        /// The key.
        key: String,
        /// Its value.
        value: String,
        /// What is right.
        expected: String,
    },
    /// A folder or file that is not laid out as its corpus is.
    #[error("{} is not what was expected: {reason}", printable_path(path), reason = printable(reason))]
    Layout {
        /// The folder or file.
        path: PathBuf,
        /// What was found and what is right.
        reason: String,
    },
    /// A line of a manifest, or of another list, that cannot be used.
    #[error("{}:{line}: {reason}", printable_path(path), reason = printable(reason))]
    ManifestLine {
        /// The list.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it and what would be right.
        reason: String,
    },
    /// A recording that is known by the same name as another of the corpus.
    #[error("{place}: its id '{id}' is that of {earlier} already; each recording needs its own", place = printable(place), id = printable(id), earlier = printable(earlier))]
    RepeatedId {
        /// File, and line where there is one.
        place: String,
        /// The id.
        id: String,
        /// File, and line where there is one, of the recording that has it.
        earlier: String,
    },
    /// A label that is not among those of the model.
    #[error("{place}: unknown label '{label}'; known are {known}", place = printable(place), label = printable(label), known = printable(known))]
    UnknownLabel {
        /// File, and line where there is one.
        place: String,
        /// The label.
        label: String,
        /// The labels there are.
        known: String,
    },
    /// A text with symbols that an alphabet does not have.
    #[error("the alphabet has no symbol for {symbols} of \"{text}\"; it has {known}", symbols = printable(symbols), text = printable(text), known = printable(known))]
    UnknownSymbols {
        /// The text.
        text: String,
        /// Each symbol that is missing, with its code point.
        symbols: String,
        /// The symbols there are.
        known: String,
    },
    /// Nothing was left to work with.
    #[error("{place} leaves nothing: {reason}", place = printable(place), reason = printable(reason))]
    Nothing {
        /// The corpus.
        place: String,
        /// Why, and what would be right.
        reason: String,
    },
}

impl Error {
    /// This error with the file, line or item it belongs to, unless it names a file already.
    #[must_use]
    pub fn at(self, place: impl Into<String>) -> Self {
        match self {
            Self::Resample { .. }
            | Self::SampleRate { .. }
            | Self::TooShort { .. }
            | Self::NotFiniteInput { .. }
            | Self::NotFiniteFeature { .. }
            | Self::UnknownSymbols { .. } => Self::In {
                place: place.into(),
                source: Box::new(self),
            },
            named => named,
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

/// `a, b, c` or, beyond `limit` of them, `a, b, c and 7 more`.
pub(crate) fn listed<S: AsRef<str>>(names: &[S], limit: usize) -> String {
    let shown: Vec<&str> = names.iter().take(limit).map(AsRef::as_ref).collect();
    let mut text = shown.join(", ");
    if names.len() > limit {
        text.push_str(&format!(" and {} more", names.len() - limit));
    }
    text
}
