//! Shallow fusion: a language model within a search.

use sori_datasets::Alphabet;

use super::ngram::context::Context;
use super::ngram::model::NgramModel;
use super::ngram::token::{SPACE_TOKEN, TokenId, TokenKind};
use crate::error::{Error, Result};

/// The weights of a language model in a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FusionOptions {
    /// Weight α of its log-probabilities.
    pub alpha: f64,
    /// Bonus β of each token, in nats, against the short transcripts that α alone prefers.
    pub beta: f64,
    /// The penalty of unknown words. It is added to the base-10 log-probability of a word outside the
    /// vocabulary, and in nats to an unfinished word that no known word begins with. The latter grows
    /// with the length beyond six symbols.
    pub unknown: f64,
}

impl Default for FusionOptions {
    fn default() -> Self {
        Self {
            alpha: 0.5,
            beta: 1.5,
            unknown: -10.0,
        }
    }
}

impl FusionOptions {
    /// Checks every field.
    ///
    /// # Errors
    /// Names the first invalid value.
    pub fn check(&self) -> Result<()> {
        let fail = |field: &str, value: f64, expected: &str| {
            Err(Error::setting(
                field,
                value,
                format!("it must be {expected}"),
            ))
        };
        if !(0.0..=100.0).contains(&self.alpha) {
            return fail("alpha", self.alpha, "from 0 to 100, such as 0.5");
        }
        if !(-100.0..=100.0).contains(&self.beta) {
            return fail("beta", self.beta, "from -100 to 100, such as 1.5");
        }
        if !(self.unknown <= 0.0 && self.unknown.is_finite()) {
            return fail("unknown", self.unknown, "0 or less, such as -10");
        }
        Ok(())
    }
}

/// A language model in a search, by *shallow fusion* ([Gulcehre et al.
/// 2015](https://arxiv.org/abs/1503.03535)): `α · ln P(tokens) + β · (number of tokens)` is added to the
/// score of a hypothesis. A word counts when the space after it is written. An unfinished word costs
/// only if no known word begins with it.
#[derive(Clone, Debug)]
pub struct Fusion {
    model: NgramModel,
    options: FusionOptions,
    /// The index of the space in the alphabet.
    space: Option<usize>,
    tokens: Tokens,
}

#[derive(Clone, Debug)]
enum Tokens {
    /// The symbols of each word and its token, sorted by the symbols.
    Words(Vec<(Box<[u32]>, TokenId)>),
    /// The token of each symbol. Index 0 is unused.
    Characters(Vec<TokenId>),
}

/// The state of a language model after a hypothesis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FusionState {
    /// The context after the last whole token.
    context: Context,
    /// The half-open range of known words that begin with the unfinished word, by index.
    words: [u32; 2],
    /// The number of symbols of the unfinished word.
    letters: u32,
    /// The score of the whole tokens, in nats.
    whole: f64,
    /// The score of the unfinished word.
    begun: f64,
}

impl FusionState {
    /// The score added to an unfinished hypothesis, in nats.
    pub fn score(&self) -> f64 {
        self.whole + self.begun
    }
}

impl Fusion {
    /// Joins a model with the alphabet of a recogniser. The kind of token is inferred from the
    /// vocabulary of the model, unless `kind` gives it.
    ///
    /// # Errors
    /// When an option is invalid, or the alphabet can write no token of the model.
    pub fn new(
        model: NgramModel,
        alphabet: &Alphabet,
        kind: Option<TokenKind>,
        options: FusionOptions,
    ) -> Result<Self> {
        options.check()?;
        let single = |token: &str| token == SPACE_TOKEN || token.chars().count() == 1;
        // Words may also be single characters, such as the digits of Korean. Then none is a space.
        let spaced = alphabet.index(' ').is_none() || model.tokens().any(|it| it == SPACE_TOKEN);
        let kind = kind.unwrap_or(if spaced && model.tokens().all(single) {
            TokenKind::Characters
        } else {
            TokenKind::Words
        });
        let tokens = match kind {
            TokenKind::Words => words(&model, alphabet)?,
            TokenKind::Characters => characters(&model, alphabet)?,
        };
        Ok(Self {
            model,
            options,
            space: alphabet.index(' '),
            tokens,
        })
    }

    /// The kind of token.
    pub fn kind(&self) -> TokenKind {
        match self.tokens {
            Tokens::Words(_) => TokenKind::Words,
            Tokens::Characters(_) => TokenKind::Characters,
        }
    }

    /// Number of the model's tokens that the alphabet can write.
    pub fn num_tokens(&self) -> usize {
        match &self.tokens {
            Tokens::Words(words) => words.len(),
            Tokens::Characters(tokens) => {
                let unknown = self.model.unknown();
                tokens.iter().filter(|&&token| token != unknown).count()
            }
        }
    }

    /// The state before the first symbol of a sentence.
    pub fn start(&self) -> FusionState {
        FusionState {
            context: self.model.start(),
            words: self.all_words(),
            letters: 0,
            whole: 0.0,
            begun: 0.0,
        }
    }

    /// The state after one more symbol, by index.
    ///
    /// # Panics
    /// If the index is not in the alphabet.
    pub fn next(&self, state: FusionState, symbol: usize) -> FusionState {
        match &self.tokens {
            Tokens::Characters(tokens) => self.with_token(state, tokens[symbol]),
            Tokens::Words(_) if Some(symbol) == self.space => self.with_word(state),
            Tokens::Words(words) => {
                let letter = state.letters as usize;
                let [first, end] = state.words.map(|index| index as usize);
                let begun = &words[first..end];
                let at = |word: &[u32]| word.get(letter).copied();
                // Words that are complete come first. They do not continue.
                let first =
                    first + begun.partition_point(|(word, _)| at(word) < Some(symbol as u32));
                let end = first
                    + words[first..end]
                        .partition_point(|(word, _)| at(word) == Some(symbol as u32));
                let letters = state.letters + 1;
                FusionState {
                    words: [first as u32, end as u32],
                    letters,
                    begun: if first == end {
                        self.options.unknown * (f64::from(letters) / USUAL_LETTERS).max(1.0)
                    } else {
                        0.0
                    },
                    ..state
                }
            }
        }
    }

    /// The score added to a hypothesis that ends here, in nats.
    pub fn end(&self, state: FusionState) -> f64 {
        let state = match self.tokens {
            Tokens::Words(_) => self.with_word(state),
            Tokens::Characters(_) => state,
        };
        state.whole + self.options.alpha * self.model.end(state.context) * std::f64::consts::LN_10
    }

    fn all_words(&self) -> [u32; 2] {
        match &self.tokens {
            Tokens::Words(words) => [0, words.len() as u32],
            Tokens::Characters(_) => [0, 0],
        }
    }

    /// The state after the unfinished word, if any, is finished.
    fn with_word(&self, state: FusionState) -> FusionState {
        let (Tokens::Words(words), 1..) = (&self.tokens, state.letters) else {
            return state;
        };
        let [first, end] = state.words.map(|index| index as usize);
        // Of the words with this beginning, the word itself comes first.
        let word = words[first..end].first();
        let known = word.filter(|(word, _)| word.len() == state.letters as usize);
        let token = known.map_or(self.model.unknown(), |&(_, token)| token);
        FusionState {
            words: self.all_words(),
            letters: 0,
            begun: 0.0,
            ..self.with_token(state, token)
        }
    }

    fn with_token(&self, state: FusionState, token: TokenId) -> FusionState {
        let (mut log10, context) = self.model.score(state.context, token);
        if token == self.model.unknown() {
            log10 += self.options.unknown;
        }
        let nats = log10 * std::f64::consts::LN_10;
        FusionState {
            context,
            whole: state.whole + self.options.alpha * nats + self.options.beta,
            ..state
        }
    }
}

/// The length in symbols beyond which an unknown word costs more.
const USUAL_LETTERS: f64 = 6.0;

fn words(model: &NgramModel, alphabet: &Alphabet) -> Result<Tokens> {
    let mut words = Vec::new();
    let mut missing = Vec::new();
    for word in model.tokens() {
        let symbols = alphabet.encode(word).ok();
        let unknown = alphabet.unknown();
        match symbols.filter(|symbols| {
            !symbols.is_empty() && !symbols.iter().any(|&symbol| Some(symbol) == unknown)
        }) {
            Some(symbols) => {
                let symbols = symbols.into_iter().map(|symbol| symbol as u32);
                let token = model.token(word).unwrap_or(model.unknown());
                words.push((symbols.collect::<Box<[u32]>>(), token));
            }
            None => missing.push(word),
        }
    }
    if words.is_empty() {
        return Err(nothing_in_common("words", &missing, alphabet));
    }
    // Words with the same spelling in this alphabet (`Go`, `go`) count as the first of them.
    words.sort();
    words.dedup_by(|next, kept| next.0 == kept.0);
    Ok(Tokens::Words(words))
}

fn characters(model: &NgramModel, alphabet: &Alphabet) -> Result<Tokens> {
    let unknown = model.unknown();
    let mut tokens = vec![unknown];
    let mut buffer = [0; 4];
    for &symbol in alphabet.symbols() {
        let text = match symbol {
            ' ' => SPACE_TOKEN,
            _ => symbol.encode_utf8(&mut buffer),
        };
        tokens.push(model.token(text).unwrap_or(unknown));
    }
    if tokens.iter().all(|&token| token == unknown) {
        let vocabulary: Vec<&str> = model.tokens().collect();
        return Err(nothing_in_common("characters", &vocabulary, alphabet));
    }
    Ok(Tokens::Characters(tokens))
}

fn nothing_in_common(what: &str, vocabulary: &[&str], alphabet: &Alphabet) -> Error {
    let few: Vec<&str> = vocabulary.iter().take(5).copied().collect();
    let symbols: String = alphabet.symbols().iter().take(40).collect();
    Error::Input(format!(
        "the run writes with none of the language model's {what} ({}, …): its symbols are \"{symbols}\". \
         Train one on the run's transcripts: sori lm train --run RUN --out FILE.arpa",
        few.join(", ")
    ))
}

#[cfg(test)]
pub(super) mod tests {
    use sori_datasets::{AlphabetKind, Normalization};

    use super::*;

    const ARPA: &str = "\\data\\
ngram 1=5
ngram 2=4

\\1-grams:
-1.2\t<unk>
-99\t<s>\t-0.4
-0.9\t</s>
-0.5\ta\t-0.3
-0.8\tab\t-0.2

\\2-grams:
-0.3\t<s> a
-0.6\ta ab
-0.2\tab ab
-0.35\tab </s>

\\end\\
";

    pub fn alphabet() -> Alphabet {
        let kind = AlphabetKind::Characters;
        Alphabet::build(kind, Normalization::default(), ["a b"]).unwrap()
    }

    fn read(text: &str) -> NgramModel {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.arpa");
        std::fs::write(&path, text).unwrap();
        NgramModel::read(&path).unwrap()
    }

    /// The words `a` and `ab`, with space, a and b as symbols 1 to 3.
    pub fn of_abc() -> Fusion {
        let options = FusionOptions {
            alpha: 0.7,
            beta: 0.4,
            unknown: -2.0,
        };
        Fusion::new(read(ARPA), &alphabet(), None, options).unwrap()
    }

    /// The score of a text by [`of_abc`], read off the file by hand.
    pub fn language_score(symbols: &[usize]) -> f64 {
        let text = alphabet().decode(symbols);
        let (mut before, mut log10, mut count) = ("<s>", 0.0, 0.0);
        let backoff = |word: &str| match word {
            "<s>" => -0.4,
            "a" => -0.3,
            "ab" => -0.2,
            _ => 0.0,
        };
        for word in text.split_whitespace().chain(["</s>"]) {
            log10 += match (before, word) {
                ("<s>", "a") => -0.3,
                ("a", "ab") => -0.6,
                ("ab", "ab") => -0.2,
                ("ab", "</s>") => -0.35,
                (_, "a") => backoff(before) - 0.5,
                (_, "ab") => backoff(before) - 0.8,
                (_, "</s>") => backoff(before) - 0.9,
                _ => backoff(before) - 1.2 - 2.0,
            };
            count += f64::from(u8::from(word != "</s>"));
            before = match word {
                "a" | "ab" => word,
                _ => "",
            };
        }
        0.7 * log10 * std::f64::consts::LN_10 + 0.4 * count
    }

    fn said(fusion: &Fusion, text: &str) -> FusionState {
        let symbols = alphabet().encode(text).unwrap().into_iter();
        symbols.fold(fusion.start(), |state, symbol| fusion.next(state, symbol))
    }

    #[test]
    fn a_word_costs_when_it_is_over_and_before_only_where_no_known_one_begins_so() {
        let fusion = of_abc();
        assert_eq!(fusion.kind(), TokenKind::Words);
        assert_eq!(said(&fusion, "a").score(), 0.0);
        assert_eq!(said(&fusion, "ab").score(), 0.0);
        assert_eq!(said(&fusion, "aba").score(), -2.0);
        assert_eq!(said(&fusion, "abaaaaaaa").score(), -3.0);
        for text in ["", "a", "ab ab", "a ab b", "aba", "b a"] {
            let symbols = alphabet().encode(text).unwrap();
            let found = fusion.end(said(&fusion, text));
            // The model keeps its numbers in 32 bits.
            assert!((found - language_score(&symbols)).abs() < 1e-6, "{text}");
        }
    }

    #[test]
    fn a_model_of_characters_counts_each_and_the_space() {
        let text = "\\data\\
ngram 1=5

\\1-grams:
-1.5\t<unk>
-99\t<s>
-0.9\t</s>
-0.5\ta
-0.7\t<space>

\\end\\
";
        let options = FusionOptions {
            alpha: 1.0,
            beta: 0.0,
            unknown: -3.0,
        };
        let without_space = text.replace("<space>", "b");
        let fusion = Fusion::new(read(&without_space), &alphabet(), None, options).unwrap();
        assert_eq!(fusion.kind(), TokenKind::Words);
        let fusion = Fusion::new(read(text), &alphabet(), None, options).unwrap();
        assert_eq!(fusion.kind(), TokenKind::Characters);
        assert_eq!(fusion.num_tokens(), 2);
        let score = said(&fusion, "a a").score() / std::f64::consts::LN_10;
        assert!((score + 0.5 + 0.7 + 0.5).abs() < 1e-6);
        let unknown = said(&fusion, "b").score() / std::f64::consts::LN_10;
        assert!((unknown + 1.5 + 3.0).abs() < 1e-6);
    }

    #[test]
    fn a_vocabulary_the_run_cannot_write_is_refused() {
        let kind = AlphabetKind::Characters;
        let other = Alphabet::build(kind, Normalization::default(), ["xyz"]).unwrap();
        let error = Fusion::new(read(ARPA), &other, None, FusionOptions::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the run writes with none of the language model's words (a, ab, …): its symbols are \"xyz\". \
             Train one on the run's transcripts: sori lm train --run RUN --out FILE.arpa"
        );
    }
}
