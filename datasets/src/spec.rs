//! How a corpus is written: `fsdd:DIR`, `folder:DIR?test_fraction=0.2`, `synth:dtmf`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::corpus::CORPORA;
use crate::{Error, Result};

/// A corpus by name, where it lies, and which part or variant of it is wanted:
/// `CORPUS:LOCATION?KEY=VALUE&KEY=VALUE`.
///
/// The first `:` ends the name and the last `?` begins the query. Within keys and values `%`
/// followed by two hexadecimal digits stands for a character, so that `&` can be written `%26`.
///
/// ```
/// use sori_datasets::Spec;
///
/// let spec: Spec = "fsdd:recordings?speaker=!theo&split=test".parse()?;
/// assert_eq!((spec.corpus.as_str(), spec.location.as_str()), ("fsdd", "recordings"));
/// assert_eq!(spec.query["speaker"], "!theo");
/// assert_eq!(spec.to_string().parse::<Spec>()?, spec);
/// # Ok::<(), sori_datasets::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spec {
    /// Name of the corpus.
    pub corpus: String,
    /// Folder, file or variant.
    pub location: String,
    /// What follows the `?`.
    pub query: BTreeMap<String, String>,
}

impl FromStr for Spec {
    type Err = Error;

    /// # Errors
    ///
    /// [`Error::Spec`] for an unknown corpus, a missing location or a query that is not a list of
    /// `KEY=VALUE`; it lists the corpora there are.
    fn from_str(text: &str) -> Result<Self> {
        let refuse = |reason: String| Error::Spec {
            spec: text.to_owned(),
            reason,
            known: CORPORA.join(", "),
        };
        let Some((corpus, rest)) = text.split_once(':') else {
            return Err(refuse("it has no ':' after the name of a corpus".into()));
        };
        if !CORPORA
            .iter()
            .any(|known| known.split(':').next() == Some(corpus))
        {
            return Err(refuse(format!("there is no corpus '{corpus}'")));
        }
        let (location, query_text) = rest.rsplit_once('?').unwrap_or((rest, ""));
        if location.is_empty() {
            return Err(refuse(format!("nothing follows '{corpus}:'")));
        }
        let mut query = BTreeMap::new();
        for pair in query_text.split('&').filter(|pair| !pair.is_empty()) {
            let Some((key, value)) = pair.split_once('=') else {
                return Err(refuse(format!("'{pair}' behind the '?' is not KEY=VALUE")));
            };
            if query.insert(unescape(key), unescape(value)).is_some() {
                return Err(refuse(format!("'{key}' is given twice")));
            }
        }
        Ok(Self {
            corpus: corpus.to_owned(),
            location: location.to_owned(),
            query,
        })
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.corpus, self.location)?;
        // A '?' in the location would otherwise be read as the query's.
        if self.location.contains('?') && self.query.is_empty() {
            f.write_str("?")?;
        }
        for (index, (key, value)) in self.query.iter().enumerate() {
            let separator = if index == 0 { '?' } else { '&' };
            write!(f, "{separator}{}={}", escape(key), escape(value))?;
        }
        Ok(())
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '%' | '&' | '?' | '=' => escaped.push_str(&format!("%{:02X}", character as u32)),
            plain => escaped.push(plain),
        }
    }
    escaped
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        plain.push_str(&rest[..at]);
        let code = rest
            .get(at + 1..at + 3)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .filter(u8::is_ascii);
        match code {
            Some(code) => {
                plain.push(char::from(code));
                rest = &rest[at + 3..];
            }
            None => {
                plain.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    plain.push_str(rest);
    plain
}
