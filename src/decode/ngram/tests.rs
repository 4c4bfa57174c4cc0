//! Tests of n-gram models: reading, scoring and estimation together.

use std::collections::HashMap;

use proptest::prelude::*;

use super::estimate::{NgramCounts, NgramEstimate};
use super::model::NgramModel;
use super::token::{BEGIN, TokenId, UNKNOWN};
use crate::error::{Error, Result};

/// A model with everything a file may have: a missing back-off weight, blanks and remarks.
const ARPA: &str = "a remark\n\n\\data\\\nngram 1=5\nngram  2 = 3\nngram 3=1\n
\\1-grams:\n-99 <s>\t-0.5\n-1.5\t</s>\n-2\t<unk>\n-1\ta\t-0.25\r\n\n-1.25\tb\n
\\2-grams:\n-0.25\t<s> a\t-0.125\n-0.75\ta b\t0\n-0.5\tb </s>\n
\\3-grams:\n-0.0625\t<s> a b\n\n\\end\\\n";

fn read(text: impl AsRef<[u8]>) -> Result<NgramModel> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.arpa");
    std::fs::write(&path, text).unwrap();
    NgramModel::read(&path)
}

/// The line number in an error, and the error.
fn refused(text: impl AsRef<[u8]>) -> (usize, String) {
    match read(text).map(|_| ()).unwrap_err() {
        error @ Error::Line { line, .. } => (line, error.to_string()),
        error => panic!("{error}"),
    }
}

fn estimate(order: usize, sentences: &[Vec<&str>]) -> NgramEstimate {
    let mut counts = NgramCounts::new(order).unwrap();
    for sentence in sentences {
        counts.add(sentence.iter().copied()).unwrap();
    }
    counts.estimate().unwrap()
}

#[test]
fn a_model_backs_off_from_the_longest_n_gram_it_knows() {
    let model = read(ARPA).unwrap();
    assert_eq!(model.order(), 3);
    assert_eq!(model.tokens().collect::<Vec<_>>(), ["a", "b"]);
    let [a, b] = ["a", "b"].map(|text| model.token(text).unwrap());
    let (log10, after_a) = model.score(model.start(), a);
    assert_eq!(log10, -0.25);
    let (log10, after_ab) = model.score(after_a, b);
    assert_eq!(log10, -0.0625);
    // The back-off weight of `a b` is zero, and no n-gram continues it.
    assert_eq!(model.end(after_ab), -0.5);
    assert_eq!(model.score(after_ab, a).0, -1.0);
    // Backs off from `<s> a` to `a`, then to no context.
    assert_eq!(model.score(after_a, a).0, -0.125 - 0.25 - 1.0);
    assert_eq!(model.score(model.no_context(), a).0, -1.0);
    assert_eq!(
        model.score(after_a, model.unknown()),
        (-2.375, model.no_context())
    );
}

#[test]
fn histories_the_model_cannot_tell_apart_are_one_context() {
    let model = read(ARPA).unwrap();
    let b = model.token("b").unwrap();
    let (_, after_a) = model.score(model.start(), model.token("a").unwrap());
    let (_, after_ab) = model.score(after_a, b);
    let (_, after_b) = model.score(model.no_context(), b);
    assert_eq!(after_ab, after_b);
    assert_ne!(after_b, model.no_context());
}

#[test]
fn what_a_model_has_for_itself_is_no_token_of_a_text() {
    let model = read(ARPA).unwrap();
    for text in ["<s>", "</s>", "<unk>", "c", ""] {
        assert_eq!(model.token(text), None, "{text}");
    }
}

#[test]
fn without_an_unknown_token_all_others_are_hardly_possible() {
    let text = ARPA.replace("1=5", "1=4").replace("-2\t<unk>\n", "");
    let model = read(text).unwrap();
    let (log10, next) = model.score(model.no_context(), model.unknown());
    assert_eq!((log10, next), (-100.0, model.no_context()));
    let shouted = read(ARPA.replace("<unk>", "<UNK>")).unwrap();
    assert_eq!(
        shouted.score(shouted.no_context(), shouted.unknown()).0,
        -2.0
    );
}

#[test]
fn a_broken_file_is_refused_with_its_line_and_what_would_be_right() {
    let changed = |from: &str, to: &str| {
        assert!(ARPA.contains(from), "{from}");
        ARPA.replacen(from, to, 1)
    };
    for (text, line, reason) in [
        (String::new(), 1, "there is no line \\data\\"),
        (changed("\\data\\", "data"), 24, "there is no line \\data\\"),
        (
            changed("ngram 1=5", "ngram 1=x"),
            4,
            "where `ngram 1=` and a count",
        ),
        (
            changed("ngram 1=5", "ngram 2=5"),
            4,
            "where `ngram 1=` and a count",
        ),
        (
            changed("\\end\\", "\\4-grams:"),
            24,
            "where \\end\\ was expected",
        ),
        (
            changed("ngram 3=1", "ngram 3=1\nngram 4=1"),
            25,
            "where \\4-grams: was expected",
        ),
        (
            changed("ngram 1=5", "ngram 1=6"),
            16,
            "5 1-grams end here; `ngram 1=6`",
        ),
        (
            changed("ngram 3=1", "ngram 3=0"),
            24,
            "1 3-grams end here; `ngram 3=0`",
        ),
        (
            changed("\\2-grams:", "\\3-grams:"),
            16,
            "where \\2-grams: was expected",
        ),
        (
            changed("-1.5\t", "x\t"),
            10,
            "the log10 probability is `x`; a finite number",
        ),
        (
            changed("-1.5\t", "nan\t"),
            10,
            "the log10 probability is `nan`; a finite number",
        ),
        (
            changed("-1.5\t", "0.5\t"),
            10,
            "is 0.5; it must be at most 0",
        ),
        (
            changed("-0.25\r", "inf\r"),
            12,
            "the back-off weight is `inf`; a finite number",
        ),
        (
            changed("a b\t0", "a c\t0"),
            18,
            "`c` is not among the 1-grams",
        ),
        (
            changed("\ta b\t0", "\ta\t0"),
            18,
            "`0` is not among the 1-grams",
        ),
        (
            changed("\ta b\t0", "\ta"),
            18,
            "has too few tokens; a 2-gram has 2",
        ),
        (changed("a b\t0", "a b\t0 0"), 18, "too many fields"),
        (
            changed("a b\t0", "<s> a\t0"),
            18,
            "is there twice; each 2-gram has one line",
        ),
        (
            changed("\tb\n", "\ta\n"),
            14,
            "the 1-gram `a` is there twice",
        ),
        (
            changed("<s> a b", "b a b"),
            22,
            "begins with `b a`, which is not among the 2-grams",
        ),
        (
            changed("<s> a b", "<s> a b\t-1"),
            22,
            "n-grams of the highest order (3) have none",
        ),
        (
            changed("-99 <s>", "-99 s"),
            16,
            "<s> is not among the 1-grams",
        ),
        (changed("</s>", "s"), 16, "</s> is not among the 1-grams"),
        (
            changed("\\end\\", ""),
            24,
            "ends here, before \\end\\; it is cut short",
        ),
        (changed("\n\\end\\\n", ""), 22, "ends here, before \\end\\"),
        (
            changed("\\end\\", "\\end\\\nmore"),
            25,
            "something stands behind \\end\\",
        ),
        (
            "\\data\\\nngram 1=5\n".into(),
            2,
            "ends here, before its counts",
        ),
    ] {
        let (found, message) = refused(&text);
        assert!(message.contains(reason), "{message}\nand not {reason}");
        assert_eq!(found, line, "{message}");
        assert!(message.contains("x.arpa:"), "{message}");
    }
    let (line, message) = refused(b"\\data\\\nngram 1=1\n\n\\1-grams:\n-1\t\xff\n\n\\end\\\n");
    assert_eq!((line, message.contains("UTF-8")), (5, true), "{message}");
    assert!(refused(b"\x1f\x8b\x08").1.contains("gunzip"));
    let endless = refused(vec![b'x'; 3 << 20]);
    assert!(endless.1.contains("longer than"), "{}", endless.1);
}

#[test]
fn what_a_broken_count_promises_is_not_allocated() {
    let (_, message) = refused(ARPA.replace("2 = 3", "2 = 18446744073709551615"));
    assert!(message.contains("3 2-grams end here"), "{message}");
}

#[test]
fn any_prefix_of_a_file_is_refused() {
    for length in 0..ARPA.trim_end().len() {
        assert!(read(&ARPA[..length]).is_err(), "{}", &ARPA[..length]);
    }
}

#[test]
fn orders_and_sentences_that_cannot_be_are_refused() {
    for order in [0, 6, usize::MAX] {
        let message = NgramCounts::new(order).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains("it must be from 1 to 5"), "{message}");
    }
    let mut counts = NgramCounts::new(2).unwrap();
    for (token, reason) in [
        ("<s>", "a model's own"),
        ("<unk>", "a model's own"),
        ("", "empty"),
        ("a b", "it has a blank in it"),
    ] {
        let message = counts.add(["a", token]).unwrap_err().to_string();
        assert!(message.contains(reason), "{message}");
    }
    assert_eq!(counts.num_sentences(), 0);
    let message = counts.estimate().map(|_| ()).unwrap_err().to_string();
    assert!(message.contains("no sentence"), "{message}");
}

#[test]
fn a_model_does_not_show_the_order_of_its_sentences() {
    let sentences: Vec<Vec<&str>> = ["a b c", "b", "c c a b", "a b", "c b a", "a", "", "b a"]
        .iter()
        .map(|sentence| sentence.split_whitespace().collect())
        .collect();
    let lines = |sentences: &[Vec<&str>]| {
        let arpa = estimate(3, sentences).to_arpa();
        let grams: Vec<String> = arpa
            .lines()
            .map(|line| line.split('\t').nth(1).unwrap_or(line).to_string())
            .collect();
        grams
    };
    let backwards: Vec<Vec<&str>> = sentences.iter().rev().cloned().collect();
    assert_eq!(lines(&sentences), lines(&backwards));
}

/// The definition, with the whole history: the longest existing n-gram, and the back-off weights
/// of the contexts above it.
fn by_definition(grams: &HashMap<Vec<&str>, (f64, f64)>, history: &[&str], token: &str) -> f64 {
    let gram: Vec<&str> = history.iter().copied().chain([token]).collect();
    match (grams.get(&gram), history) {
        (Some(&(log10, _)), _) => log10,
        (None, []) => grams[&vec![UNKNOWN]].0,
        (None, [_, rest @ ..]) => {
            grams.get(history).map_or(0.0, |context| context.1) + by_definition(grams, rest, token)
        }
    }
}

fn sentences() -> impl Strategy<Value = Vec<Vec<&'static str>>> {
    let token = proptest::sample::select(vec!["a", "b", "c", "소", "<space>"]);
    proptest::collection::vec(proptest::collection::vec(token, 0..7), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn probabilities_after_any_history_sum_to_one(
        order in 1usize..=5, said in sentences(), asked in sentences(),
    ) {
        let model = read(estimate(order, &said).to_arpa()).unwrap();
        let all: Vec<TokenId> = model
            .tokens()
            .map(|text| model.token(text).unwrap())
            .chain([model.unknown(), model.end])
            .collect();
        for sentence in &asked {
            for mut context in [model.start(), model.no_context()] {
                for text in sentence.iter().chain(["a"].iter()) {
                    let sum: f64 = all
                        .iter()
                        .map(|&token| 10f64.powf(model.score(context, token).0))
                        .sum();
                    prop_assert!((sum - 1.0).abs() < 1e-5, "{sum}");
                    let token = model.token(text).unwrap_or(model.unknown());
                    context = model.score(context, token).1;
                }
            }
        }
    }

    #[test]
    fn a_context_knows_what_the_whole_history_tells(
        order in 1usize..=5, said in sentences(), asked in sentences(),
        kept in proptest::collection::vec(any::<bool>(), 400),
    ) {
        // Without some n-grams that no other begins with, so that suffixes are missing.
        let arpa = estimate(order, &said).to_arpa();
        let mut grams = HashMap::new();
        for line in arpa.lines().filter(|line| line.contains('\t')) {
            let fields: Vec<&str> = line.split('\t').collect();
            let number = |at: usize| fields.get(at).map_or(0.0, |text: &&str| text.parse().unwrap());
            grams.insert(fields[1].split(' ').collect::<Vec<_>>(), (number(0), number(2)));
        }
        let mut kept = kept.into_iter();
        for length in (2..=order).rev() {
            let mut these: Vec<Vec<&str>> =
                grams.keys().filter(|gram| gram.len() == length).cloned().collect();
            these.sort();
            for gram in these {
                let begins = |longer: &Vec<&str>| longer.len() == length + 1 && longer.starts_with(&gram);
                if !grams.keys().any(begins) && !kept.next().unwrap_or(true) {
                    grams.remove(&gram);
                }
            }
        }
        let mut text = "\\data\\\n".to_string();
        let mut sections = String::new();
        for length in 1..=order {
            let these: Vec<_> = grams.iter().filter(|(gram, _)| gram.len() == length).collect();
            text += &format!("ngram {length}={}\n", these.len());
            sections += &format!("\n\\{length}-grams:\n");
            for (gram, (log10, backoff)) in these {
                sections += &format!("{log10}\t{}", gram.join(" "));
                sections += &if length < order { format!("\t{backoff}\n") } else { "\n".into() };
            }
        }
        let model = read(format!("{text}{sections}\n\\end\\\n")).unwrap();
        for sentence in &asked {
            let mut history = vec![BEGIN];
            let mut context = model.start();
            for text in sentence {
                let last = &history[history.len().saturating_sub(order - 1)..];
                let token = model.token(text);
                let known = token.map_or(UNKNOWN, |_| text);
                let (log10, next) = model.score(context, token.unwrap_or(model.unknown()));
                let expected = by_definition(&grams, last, known);
                prop_assert!((log10 - expected).abs() < 1e-5, "{log10}, not {expected}");
                context = next;
                history.push(known);
            }
        }
    }

    #[test]
    fn no_file_makes_the_reader_panic(
        at in 0usize..400, to in any::<u8>(), length in 0usize..12,
    ) {
        let mut bytes = ARPA.as_bytes().to_vec();
        let at = at % bytes.len();
        let end = (at + length).min(bytes.len());
        bytes.splice(at..end, [to]);
        let _ = read(bytes);
    }
}
