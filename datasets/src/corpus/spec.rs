//! The text that names a corpus: `fsdd:DIR`, `folder:DIR?test_fraction=0.2`, `synth:dtmf`.

use std::collections::BTreeMap;
use std::fmt;

/// A corpus by name and location, with the variant wanted:
/// `CORPUS:LOCATION?KEY=VALUE&KEY=VALUE`.
///
/// The first `:` ends the name. The first `?` in front of `KEY=`, the key being of small letters and
/// `_`, begins the query, so that a `?` in a value is one of the value; without such a `?`, the last
/// one does. In a location that has such a `?` itself, `?&&` begins the query. Within keys and values
/// `%` followed by two hexadecimal digits stands for a character, so that `&` can be written `%26`.
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
        let is_plain = match self.query.keys().next() {
            Some(first) => is_key(first),
            None => true,
        };
        // The query would otherwise be read from another '?' on.
        let marked = !is_plain || begins_query(&self.location) || self.location.contains(MARK);
        if marked {
            f.write_str(MARK)?;
        } else if !self.query.is_empty() || self.location.contains('?') {
            f.write_str("?")?;
        }
        for (index, (key, value)) in self.query.iter().enumerate() {
            let separator = if index == 0 { "" } else { "&" };
            let (key, value) = (escape(key, "%&?="), escape(value, "%&"));
            write!(f, "{separator}{key}={value}")?;
        }
        Ok(())
    }
}

/// Begins the query whatever the location has. An empty pair in front changes nothing.
pub(super) const MARK: &str = "?&&";

/// The location and the query of what follows the name.
pub(super) fn split_at_query(text: &str) -> (&str, &str) {
    if let Some(halves) = text.rsplit_once(MARK) {
        return halves;
    }
    let mut marks = text.match_indices('?').map(|(at, _)| at);
    let at = marks.find(|&at| is_pair(&text[at + 1..]));
    match at.or_else(|| text.rfind('?')) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, ""),
    }
}

/// Whether a text has a `?` that begins a query.
fn begins_query(text: &str) -> bool {
    let mut behind = text.split('?').skip(1);
    behind.any(is_pair)
}

/// Whether a text begins with `KEY=`.
fn is_pair(text: &str) -> bool {
    text.split_once('=').is_some_and(|(key, _)| is_key(key))
}

fn is_key(text: &str) -> bool {
    let is_of_key = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    !text.is_empty() && text.bytes().all(is_of_key)
}

fn escape(text: &str, special: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if special.contains(character) {
            escaped.push_str(&format!("%{:02X}", character as u32));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed step is a failed test")]
mod tests {
    use super::*;

    fn spec(text: &str) -> Spec {
        text.parse().unwrap()
    }

    #[test]
    fn a_question_mark_in_a_value_needs_no_escape() {
        let text = "folder:DIR?group=/(?:a|b)?_([^_]+?)=x?y=z&test_fraction=0.2";
        let found = spec(text);
        assert_eq!(found.location, "DIR");
        assert_eq!(found.query["group"], "/(?:a|b)?_([^_]+?)=x?y=z");
        assert_eq!(found.query["test_fraction"], "0.2");
        assert_eq!(found.to_string(), text);
        assert_eq!(spec("folder:a?group=[%26]%3F").query["group"], "[&]?");
    }

    #[test]
    fn a_location_may_have_question_marks() {
        for (text, location, keys) in [
            ("folder:what?", "what", 0),
            ("folder:what?/now?", "what?/now", 0),
            ("folder:what?/now?seed=1", "what?/now", 1),
            ("folder:a?b=c?&&", "a?b=c", 0),
            ("folder:a?b=c?&&d=e?f", "a?b=c", 1),
            ("folder:a?&&b?&&c=d", "a?&&b", 1),
            ("folder:a?Ä=1", "a", 1),
        ] {
            let found = spec(text);
            assert_eq!(
                (found.location.as_str(), found.query.len()),
                (location, keys)
            );
            assert_eq!(spec(&found.to_string()), found);
        }
    }
}
