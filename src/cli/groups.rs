//! Remarks on recordings that belong together.

use sori_datasets::{Corpus, Part};

use crate::Settings;

/// The groups that names of files show, and the SPEC that keeps each in one part.
pub(super) fn proposal(corpus: &Corpus) -> Option<String> {
    let found = corpus.proposed_group()?;
    let more = if found.groups > found.examples.len() {
        ", …"
    } else {
        ""
    };
    Some(format!(
        "{} values in the file names look like speakers or sessions ({}{more}): {} keeps each in one part",
        found.groups,
        found.examples.join(", "),
        quoted(&found.spec(&corpus.spec).to_string()),
    ))
}

/// The remark on a training corpus whose recordings could or should be grouped, if the run chooses
/// parts.
pub(super) fn remark_on(corpus: &Corpus, settings: &Settings) -> Option<String> {
    let (spec, data) = (&settings.data.train, &settings.data);
    let has_valid = corpus.items.iter().any(|item| item.part == Part::Valid);
    if has_valid || (!data.valid.is_empty() && !data.test.is_empty()) {
        return None;
    }
    if let Some(group) = corpus.only_group(Part::Train)
        && data.valid.is_empty()
    {
        let tested = match data.test.is_empty() && corpus.only_group(Part::Test) == Some(group) {
            true => ", and the test part is of it too",
            false => "",
        };
        return Some(format!(
            "{spec}: all recordings to train on are of one group, {group}, so that the validation part is \
             set aside recording by recording{tested}"
        ));
    }
    Some(format!("{spec}: {}", proposal(corpus)?))
}

/// A text as a word of a shell, in quotes only where it needs them.
pub(super) fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-:=+,@%".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_string(),
        false => quoted(text),
    }
}

/// A word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_text_is_one_word_of_a_shell() {
        for text in ["folder:a?group=_([^_]+)_", "folder:it's here", ""] {
            let words = Some(vec![text.to_string()]);
            assert_eq!(shlex::split(&quoted(text)), words);
            assert_eq!(shlex::split(&word(text)), words);
        }
    }
}
