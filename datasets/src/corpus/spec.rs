//! The text that names a corpus: `fsdd:DIR`, `folder:DIR?test_fraction=0.2`, `synth:dtmf`.

use std::collections::BTreeMap;
use std::fmt;

/// A corpus by name and location, with the variant wanted:
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
    /// The pairs behind the `?`.
    pub query: BTreeMap<String, String>,
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
