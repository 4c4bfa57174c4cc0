//! Parsing the text that names a corpus.

use std::collections::BTreeMap;
use std::path::Path;
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
            return Err(refuse(format!(
                "it has no ':' after the name of a corpus{}",
                proposal(text)
            )));
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
            location: at_home(location),
            query,
        })
    }
}

/// The corpus that a bare path would be, behind a `;`; empty if nothing is there.
fn proposal(text: &str) -> String {
    let (place, _) = split_at_query(text);
    let path = Path::new(place);
    let is_list = ["jsonl", "csv"].iter().any(|list| {
        path.extension()
            .is_some_and(|it| it.eq_ignore_ascii_case(list))
    });
    if path.is_dir() {
        format!("; {place} is a folder: if it has a sub-folder for each class, it is folder:{text}")
    } else if path.is_file() && is_list {
        format!("; {place} is a list: if it names recordings, it is manifest:{text}")
    } else {
        String::new()
    }
}

/// A location with the user's folder in place of a `~` in front.
fn at_home(location: &str) -> String {
    let home = std::env::var("HOME").ok().filter(|home| !home.is_empty());
    match (location.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            format!("{home}{rest}")
        }
        _ => location.to_owned(),
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed step is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn a_bare_path_is_proposed_as_a_corpus() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let said = |text: &str| text.parse::<Spec>().unwrap_err().to_string();
        assert!(said(path).contains(&format!("folder:{path}")));
        assert!(said(&format!("{path}?folds=1")).contains(&format!("folder:{path}?folds=1")));
        let list = folder.path().join("list.CSV");
        std::fs::write(&list, "").unwrap();
        let list = list.to_str().unwrap();
        assert!(said(list).contains(&format!("manifest:{list}")));
        assert!(!said("nosuch").contains("folder:nosuch"));
    }

    #[test]
    fn a_tilde_in_front_is_the_users_folder() {
        let home = std::env::var("HOME").unwrap();
        let spec: Spec = "folder:~/rec?folds=1".parse().unwrap();
        assert_eq!(spec.location, format!("{home}/rec"));
        for other in ["~rec", "a/~"] {
            let spec: Spec = format!("folder:{other}").parse().unwrap();
            assert_eq!(spec.location, other);
        }
    }
}
