//! Parsing the text that names a corpus.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::spec::{Spec, split_at_query};
use super::table::{CORPORA, known_corpora};
use crate::{Error, Result};

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
            known: known_corpora(),
        };
        let Some((corpus, rest)) = text.split_once(':') else {
            return Err(refuse("it has no ':' after the name of a corpus".into()));
        };
        if !CORPORA.iter().any(|known| known.name == corpus) {
            return Err(refuse(format!("there is no corpus '{corpus}'")));
        }
        let (location, query_text) = split_at_query(rest);
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

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        plain.push_str(&rest[..at]);
        let code = rest
            .get(at + 1..at + 3)
            // A sign would be taken for a digit.
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
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
