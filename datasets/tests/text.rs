//! Transcripts: normalisation, Korean syllables, alphabets.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use proptest::prelude::*;
use sori_datasets::text::hangul::{compose, decompose, is_hangul, is_syllable};
use sori_datasets::text::{
    Alphabet, AlphabetKind, Case, KoreanSpacing, Normalization, Punctuation, UNKNOWN, characters,
    jamo, words,
};
use tempfile::TempDir;
use unicode_normalization::UnicodeNormalization;

#[test]
fn every_syllable_is_taken_apart_and_put_together_as_unicode_does() {
    let mut count = 0;
    for syllable in '\u{ac00}'..='\u{d7a3}' {
        let letters: String = decompose(syllable).collect();
        assert_eq!(letters, syllable.to_string().nfd().collect::<String>());
        assert_eq!(compose(&letters), syllable.to_string());
        assert!(is_syllable(syllable) && is_hangul(syllable));
        count += 1;
    }
    assert_eq!(count, 11_172);
    for other in ['\u{abff}', '\u{d7a4}', '\u{1100}', 'ㄱ', 'a', 'é', '中'] {
        assert!(decompose(other).eq([other]) && !is_syllable(other));
    }
    assert!(is_hangul('ㅋ') && is_hangul('\u{11a8}') && !is_hangul('字') && !is_hangul('8'));
}

/// Jamo of all kinds and their neighbours, syllables with and without a last consonant, and others.
fn any_jamo() -> impl Strategy<Value = char> {
    prop_oneof![
        prop::char::range('\u{10ff}', '\u{1113}'),
        prop::char::range('\u{1160}', '\u{1176}'),
        prop::char::range('\u{11a6}', '\u{11c4}'),
        prop::char::range('\u{ac00}', '\u{ac38}'),
        prop::char::range('\u{d78f}', '\u{d7a5}'),
        prop::sample::select(vec!['ㄱ', 'ㅏ', ' ', 'a']),
    ]
}

proptest! {
    #[test]
    fn stray_jamo_come_together_only_where_unicode_has_them_do(
        letters in prop::collection::vec(any_jamo(), 0..12)
    ) {
        let text: String = letters.into_iter().collect();
        prop_assert_eq!(compose(&text), text.nfc().collect::<String>());
        let apart: String = jamo(&text).into_iter().collect();
        prop_assert_eq!(compose(&apart), compose(&text));
    }

    #[test]
    fn normalising_twice_changes_nothing(
        text in "[\\PC\u{301}\u{1161}가-힣 ,.'’a-f0-9İΣß-]{0,24}",
        normalization in any_normalization(),
    ) {
        let once = normalization.apply(&text);
        prop_assert_eq!(normalization.apply(&once), once.clone());
        prop_assert!(!once.starts_with(' ') && !once.ends_with(' ') && !once.contains("  "));
        prop_assert!(once.nfc().eq(once.chars()));
    }

    #[test]
    fn an_alphabet_knows_what_it_was_made_of_and_outlives_a_file(
        texts in prop::collection::vec("[\\PC\u{1100}\u{1161}\u{11a8}가-힣 'a-f0-9İΣß]{0,16}", 1..4),
        kind in prop::sample::select(AlphabetKind::VALUES.to_vec()),
        normalization in any_normalization(),
        unknown in any::<bool>(),
    ) {
        let normal: Vec<String> = texts.iter().map(|text| normalization.apply(text)).collect();
        let built = Alphabet::build(kind, normalization, &texts);
        prop_assert_eq!(built.is_err(), normal.iter().all(String::is_empty));
        let Ok(mut alphabet) = built else {
            return Ok(());
        };
        if unknown {
            alphabet = alphabet.with_unknown();
        }
        for (text, normal) in texts.iter().zip(normal) {
            let indices = alphabet.encode(text).unwrap();
            prop_assert!(indices.iter().all(|index| (1..=alphabet.num_symbols()).contains(index)));
            prop_assert_eq!(alphabet.decode(&indices), normal);
        }
        let written = serde_json::to_string(&alphabet).unwrap();
        prop_assert_eq!(serde_json::from_str::<Alphabet>(&written).unwrap(), alphabet);
    }
}

fn any_normalization() -> impl Strategy<Value = Normalization> {
    (
        prop::sample::select(Case::VALUES.to_vec()),
        prop::sample::select(Punctuation::VALUES.to_vec()),
        prop::sample::select(KoreanSpacing::VALUES.to_vec()),
    )
        .prop_map(|(case, punctuation, korean_spacing)| Normalization {
            case,
            punctuation,
            korean_spacing,
        })
}

#[test]
fn text_is_brought_to_one_manner_of_writing() {
    let default = Normalization::default();
    for (text, normal) in [
        ("  IT'S\tjust\u{3000}so\nhard ", "it's just so hard"),
        ("the boys’ ‘dogs’ don’t", "the boys dogs don't"),
        ("rock 'n' roll", "rock n roll"),
        ("well-known, and/or: yes,no", "well known and or yes no"),
        ("1,000 of 3.5 at 10:30", "1000 of 3 5 at 10 30"),
        ("100% + _x_", "100 x"),
        ("(주)소리가 '사과'는 \"네\"?", "주소리가 사과는 네"),
        ("안녕.그래", "안녕 그래"),
        ("\u{1112}\u{1161}\u{11ab}글", "한글"),
        ("e\u{301}t\u{e9}", "\u{e9}t\u{e9}"),
        ("l'e\u{301}te\u{301}'s", "l'\u{e9}t\u{e9}'s"),
        ("\u{feff}soft\u{ad}ly", "softly"),
        ("?!…", ""),
        ("", ""),
    ] {
        assert_eq!(default.apply(text), normal, "{text}");
    }
    let kept = Normalization {
        case: Case::Upper,
        punctuation: Punctuation::Keep,
        korean_spacing: KoreanSpacing::Remove,
    };
    assert_eq!(
        kept.apply("so,  so! 저는 LG 전자, the end 입니다"),
        "SO, SO!저는LG전자, THE END입니다"
    );
    let kept = Normalization {
        case: Case::Keep,
        ..default
    };
    assert_eq!(kept.apply("Mr. Kim"), "Mr Kim");
}

#[test]
fn a_missing_field_has_its_default_and_an_unknown_one_is_refused() {
    let read = serde_json::from_str::<Normalization>;
    assert_eq!(read("{}").unwrap(), Normalization::default());
    let upper = read(r#"{"case": "upper"}"#).unwrap();
    assert_eq!(upper.case, Case::Upper);
    assert_eq!(upper.punctuation, Punctuation::Remove);
    assert!(read(r#"{"cases": "upper"}"#).is_err());
    assert!(
        "title"
            .parse::<Case>()
            .unwrap_err()
            .to_string()
            .contains("keep lower upper")
    );
}

#[test]
fn units_are_words_syllables_and_jamo() {
    assert_eq!(words(" one  two\tthree "), ["one", "two", "three"]);
    assert_eq!(words(" "), Vec::<&str>::new());
    assert_eq!(characters("\u{1100}\u{1161} 값a"), ['가', ' ', '값', 'a']);
    assert_eq!(jamo("값 a"), ['\u{1100}', '\u{1161}', '\u{11b9}', ' ', 'a']);
}

#[test]
fn symbols_count_from_one_in_the_order_of_their_code_points() {
    let texts = ["Bad cab", "", "it's"];
    let alphabet =
        Alphabet::build(AlphabetKind::Characters, Normalization::default(), texts).unwrap();
    assert_eq!(
        alphabet.symbols(),
        [' ', '\'', 'a', 'b', 'c', 'd', 'i', 's', 't']
    );
    assert_eq!(alphabet.num_symbols(), 9);
    assert_eq!(
        (
            alphabet.symbol(0),
            alphabet.symbol(1),
            alphabet.symbol(9),
            alphabet.symbol(10)
        ),
        (None, Some(' '), Some('t'), None)
    );
    assert_eq!(alphabet.encode("a CAB!").unwrap(), [3, 1, 5, 3, 4]);
    assert!(alphabet.encode("").unwrap().is_empty());
    assert_eq!(alphabet.decode(&[0, 5, 0, 3, 4]), "cab");
    let again = Alphabet::build(
        AlphabetKind::Characters,
        Normalization::default(),
        texts.iter().rev(),
    );
    assert_eq!(again.unwrap(), alphabet);
    let nothing = Alphabet::build(AlphabetKind::Jamo, Normalization::default(), ["", "?"]);
    assert!(nothing.unwrap_err().to_string().contains("no symbol"));
}

#[test]
fn korean_has_three_jamo_symbols_for_a_syllable() {
    let texts = ["값이 8원", "ok"];
    let syllables =
        Alphabet::build(AlphabetKind::Characters, Normalization::default(), texts).unwrap();
    assert_eq!(syllables.symbols().iter().collect::<String>(), " 8ko값원이");
    let letters = Alphabet::build(AlphabetKind::Jamo, Normalization::default(), texts).unwrap();
    assert_eq!(letters.encode("값").unwrap().len(), 3);
    assert_eq!(
        letters.decode(&letters.encode("이 값 8 ok").unwrap()),
        "이 값 8 ok"
    );
    // Syllables that did not occur, of jamo that did.
    assert_eq!(letters.decode(&letters.encode("워긴").unwrap()), "워긴");
    // A model may say jamo that make no syllable.
    let vowel = letters.encode("\u{1161}").unwrap()[0];
    assert_eq!(letters.decode(&[vowel, vowel]), "\u{1161}\u{1161}");
}

#[test]
fn unknown_symbols_are_all_named_or_have_a_symbol_of_their_own() {
    let alphabet =
        Alphabet::build(AlphabetKind::Characters, Normalization::default(), ["abc"]).unwrap();
    let error = alphabet
        .encode("Caf\u{e9} 뷁 caf\u{e9}")
        .unwrap_err()
        .at("a.wav");
    let message = error.to_string();
    for part in [
        "a.wav",
        "' ' (U+0020)",
        "'f' (U+0066)",
        "'é' (U+00E9)",
        "'뷁' (U+BDC1)",
        "'c' (U+0063)",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(message.matches("U+00E9").count(), 1, "{message}");

    assert_eq!(alphabet.unknown(), None);
    let alphabet = alphabet.with_unknown().with_unknown();
    assert_eq!((alphabet.num_symbols(), alphabet.unknown()), (4, Some(4)));
    let indices = alphabet.encode("cax").unwrap();
    assert_eq!(indices, [3, 1, 4]);
    assert_eq!(alphabet.decode(&indices), format!("ca{UNKNOWN}"));
}

#[test]
#[should_panic(expected = "index out of bounds")]
fn an_index_beyond_the_alphabet_is_a_broken_contract() {
    let alphabet =
        Alphabet::build(AlphabetKind::Characters, Normalization::default(), ["abc"]).unwrap();
    let _ = alphabet.decode(&[4]);
}

#[test]
fn an_alphabet_may_be_written_by_hand() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("symbols.txt");
    let read = |text: &str, kind| {
        std::fs::write(&path, text).unwrap();
        Alphabet::read(kind, Normalization::default(), &path)
    };
    let alphabet = read(
        "\u{feff}<unk>\r\nb\r\n<space>\r\na\r\n'\r\n",
        AlphabetKind::Characters,
    )
    .unwrap();
    assert_eq!(alphabet.symbols(), [UNKNOWN, 'b', ' ', 'a', '\'']);
    assert_eq!(alphabet.encode("A b, c").unwrap(), [4, 3, 2, 3, 1]);
    let alphabet = read("\u{1112}\n\u{1161}\n\u{11ab}\n", AlphabetKind::Jamo).unwrap();
    assert_eq!(alphabet.encode("한").unwrap(), [1, 2, 3]);
    assert_eq!(
        read(" \na", AlphabetKind::Characters).unwrap().symbols(),
        [' ', 'a']
    );

    for (text, kind, words) in [
        ("", AlphabetKind::Characters, "no lines"),
        ("a\n\nb", AlphabetKind::Characters, ":2: it is empty"),
        (
            "a\nb\na\n",
            AlphabetKind::Characters,
            ":3: 'a' (U+0061) is symbol 1 already",
        ),
        (
            "<unk>\n⁇\n",
            AlphabetKind::Characters,
            ":2: '⁇' (U+2047) is symbol 1",
        ),
        (
            "a\nbc\n",
            AlphabetKind::Characters,
            ":2: 'bc' is not one character",
        ),
        (
            "A\n",
            AlphabetKind::Characters,
            ":1: 'A' (U+0041) occurs in no text by alphabet = characters, case = lower",
        ),
        (
            "?\n",
            AlphabetKind::Characters,
            ":1: '?' (U+003F) occurs in no text",
        ),
        (
            "한\n",
            AlphabetKind::Jamo,
            ":1: '한' (U+D55C) occurs in no text by alphabet = jamo",
        ),
    ] {
        let error = read(text, kind).unwrap_err().to_string();
        assert!(
            error.contains("symbols.txt") && error.contains(words),
            "{text}: {error}"
        );
    }
    std::fs::write(&path, b"\xff\n").unwrap();
    let error = Alphabet::read(AlphabetKind::Jamo, Normalization::default(), &path).unwrap_err();
    assert!(error.to_string().contains("UTF-8"), "{error}");
    let error = Alphabet::read(AlphabetKind::Jamo, Normalization::default(), folder.path());
    assert!(error.is_err());
}

#[test]
fn a_damaged_alphabet_is_refused() {
    let alphabet = Alphabet::build(AlphabetKind::Jamo, Normalization::default(), ["가 b"]).unwrap();
    let written = serde_json::to_string(&alphabet).unwrap();
    assert_eq!(
        written,
        "{\"kind\":\"jamo\",\"normalization\":{\"case\":\"lower\",\"punctuation\":\"remove\",\
         \"korean_spacing\":\"keep\"},\"symbols\":[\" \",\"b\",\"\u{1100}\",\"\u{1161}\"]}"
    );
    for (from, to, words) in [
        ("\"b\"", "\" \"", "is symbol 1 already"),
        ("\"b\"", "\"bc\"", "expected a character"),
        ("\"b\"", "\"B\"", "occurs in no text"),
        ("jamo", "letters", "unknown variant"),
        (
            "[\" \",\"b\",\"\u{1100}\",\"\u{1161}\"]",
            "[]",
            "no symbols",
        ),
        ("\"kind\"", "\"more\":1,\"kind\"", "unknown field"),
    ] {
        assert!(written.contains(from));
        let error = serde_json::from_str::<Alphabet>(&written.replacen(from, to, 1)).unwrap_err();
        assert!(error.to_string().contains(words), "{to}: {error}");
    }
}
