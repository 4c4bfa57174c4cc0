//! Estimation of n-gram models by interpolated modified Kneser–Ney smoothing ([Chen and Goodman
//! 1998](https://dash.harvard.edu/handle/1/25104739)), as `lmplz` of KenLM does it ([Heafield et al.
//! 2013](https://aclanthology.org/P13-2121/)).

use std::fmt::Write;
use std::path::Path;

use super::context::ROOT;
use super::table::{Gram, NgramTable};
use super::token::{BEGIN, END, UNKNOWN};
use super::vocabulary::Vocabulary;
use crate::error::{Error, Result};
use crate::file::write_atomically;

/// The highest order estimated.
pub const HIGHEST_ORDER: usize = 5;

/// The numbers of the tokens every vocabulary begins with, as in `lmplz`.
const UNKNOWN_TOKEN: u32 = 0;
const BEGIN_TOKEN: u32 = 1;
const END_TOKEN: u32 = 2;

/// The discounts subtracted from the counts of one order's n-grams.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Discounts {
    /// For n-grams counted once, twice, and more often.
    pub amounts: [f64; 3],
    /// Whether these are the fallback, used if there are too few counts.
    pub fallback: bool,
}

impl Discounts {
    /// The values of `lmplz --discount_fallback`.
    const FALLBACK: Self = Self {
        amounts: [0.5, 1.0, 1.5],
        fallback: true,
    };

    /// Chen and Goodman's equation 26, from the numbers of n-grams counted once to four times. It is
    /// in single precision to be out of range where KenLM is. 0, which KenLM takes, counts as out of
    /// range too, since a context of such n-grams alone would leave nothing for the others.
    fn of(counts_of_counts: [u64; 4]) -> Self {
        if counts_of_counts[..3].contains(&0) {
            return Self::FALLBACK;
        }
        let [n1, n2, ..] = counts_of_counts;
        let y = n1 as f32 / (n1 as f64 + 2.0 * n2 as f64) as f32;
        let mut amounts = [0.0; 3];
        for (at, amount) in amounts.iter_mut().enumerate() {
            let count = (at + 1) as f32;
            let [these, more] = [counts_of_counts[at], counts_of_counts[at + 1]];
            let discount = count - (count + 1.0) * y * more as f32 / these as f32;
            if discount <= 0.0 || discount > count {
                return Self::FALLBACK;
            }
            *amount = f64::from(discount);
        }
        Self {
            amounts,
            fallback: false,
        }
    }

    fn get(&self, count: u64) -> f64 {
        match count {
            0 => 0.0,
            1..=3 => self.amounts[count as usize - 1],
            _ => self.amounts[2],
        }
    }
}

/// An n-gram of the sentences, as a node of a tree whose root is the empty one.
#[derive(Clone, Copy, Default)]
struct ContextNode {
    /// The n-gram without its last token.
    parent: u32,
    token: u32,
    /// The n-gram without its first token.
    suffix: u32,
    order: u32,
    /// Whether it begins with the beginning of a sentence.
    begins: bool,
    /// The number of its occurrences.
    count: u64,
    /// The number of different tokens it follows.
    extensions: u64,
}

/// Counts of the n-grams of sentences, from which a model is estimated.
///
/// Memory grows with the number of different n-grams. Larger texts need `lmplz`,
/// whose files [`NgramModel`](crate::decode::NgramModel) reads.
pub struct NgramCounts {
    order: usize,
    vocabulary: Vocabulary,
    nodes: Vec<ContextNode>,
    /// Nodes by (parent, token).
    children: NgramTable,
    num_sentences: usize,
    num_tokens: usize,
}

impl NgramCounts {
    /// Counts of n-grams up to `order`, still empty.
    ///
    /// # Errors
    /// Unless `order` is from 1 to 5.
    pub fn new(order: usize) -> Result<Self> {
        if !(1..=HIGHEST_ORDER).contains(&order) {
            return Err(Error::Input(format!(
                "the order of an n-gram model is {order}; it must be from 1 to {HIGHEST_ORDER}"
            )));
        }
        let mut vocabulary = Vocabulary::default();
        for text in [UNKNOWN, BEGIN, END] {
            vocabulary.insert(text);
        }
        let mut counts = Self {
            order,
            vocabulary,
            nodes: vec![ContextNode::default()],
            children: NgramTable::default(),
            num_sentences: 0,
            num_tokens: 0,
        };
        // These are in every model.
        for token in [UNKNOWN_TOKEN, BEGIN_TOKEN] {
            counts.child(ROOT, token)?;
        }
        Ok(counts)
    }

    /// Number of sentences counted.
    pub fn num_sentences(&self) -> usize {
        self.num_sentences
    }

    /// Number of tokens counted, without the ends of sentences.
    pub fn num_tokens(&self) -> usize {
        self.num_tokens
    }

    /// Counts the n-grams of a sentence.
    ///
    /// # Errors
    /// When a token is one of `<s>`, `</s>` and `<unk>`, empty, or has a blank or a line break in
    /// it; nothing is counted then.
    pub fn add<'a>(&mut self, sentence: impl IntoIterator<Item = &'a str>) -> Result<()> {
        let sentence: Vec<&str> = sentence.into_iter().collect();
        for token in &sentence {
            let reason = match *token {
                BEGIN | END | UNKNOWN | "<UNK>" => "a model's own, which no text may have",
                "" => "empty",
                token if token.contains([' ', '\t', '\r', '\n']) => {
                    "not one token: it has a blank in it"
                }
                _ => continue,
            };
            return Err(Error::Input(format!(
                "the token `{token}` of sentence {} is {reason}; take it out",
                self.num_sentences + 1
            )));
        }
        self.num_sentences += 1;
        self.num_tokens += sentence.len();
        // The n-grams that end in the previous token, longest first.
        let mut before = vec![self.child(ROOT, BEGIN_TOKEN)?, ROOT];
        for text in sentence.into_iter().chain([END]) {
            let token = self.vocabulary.insert(text);
            if before.len() > self.order {
                before.remove(0);
            }
            for node in &mut before {
                *node = self.child(*node, token)?;
                self.nodes[*node as usize].count += 1;
            }
            before.push(ROOT);
        }
        Ok(())
    }

    /// The n-gram of `parent` and `token`.
    fn child(&mut self, parent: u32, token: u32) -> Result<u32> {
        if let Some(found) = self.children.get(parent, token) {
            return Ok(found.next);
        }
        let suffix = match parent {
            ROOT => ROOT,
            _ => self.child(self.nodes[parent as usize].suffix, token)?,
        };
        let node = u32::try_from(self.nodes.len()).map_err(|_| {
            Error::Input(format!(
                "the sentences have more n-grams than can be numbered ({}); take fewer, or a lower \
                 order",
                u32::MAX
            ))
        })?;
        let parent_node = self.nodes[parent as usize];
        self.nodes.push(ContextNode {
            parent,
            token,
            suffix,
            order: parent_node.order + 1,
            begins: parent_node.begins || (parent == ROOT && token == BEGIN_TOKEN),
            ..ContextNode::default()
        });
        // It follows one more token.
        self.nodes[suffix as usize].extensions += 1;
        let gram = Gram {
            log10: 0.0,
            next: node,
        };
        self.children.insert(parent, token, gram);
        Ok(node)
    }

    /// The probabilities of the n-grams counted.
    ///
    /// # Errors
    /// When no sentence was counted.
    pub fn estimate(self) -> Result<NgramEstimate> {
        if self.num_sentences == 0 {
            return Err(Error::Input(
                "there is no sentence to estimate an n-gram model from".to_string(),
            ));
        }
        let adjusted: Vec<u64> = self.nodes.iter().map(|node| self.adjusted(node)).collect();
        let discounts = self.discounts(&adjusted);
        // For each context, sums of the adjusted counts of its continuations, and of their discounts.
        let mut totals = vec![0; self.nodes.len()];
        let mut taken = vec![0.0; self.nodes.len()];
        for (node, &count) in self.nodes.iter().zip(&adjusted).skip(1) {
            totals[node.parent as usize] += count;
            taken[node.parent as usize] += discounts[node.order as usize - 1].get(count);
        }
        let share = |context: u32| taken[context as usize] / totals[context as usize] as f64;
        // The model predicts the unknown and the end, not the beginning.
        let num_said = self.nodes.iter().filter(|node| node.order == 1).count() - 1;
        let uniform = 1.0 / num_said as f64;
        let mut probabilities = vec![uniform; self.nodes.len()];
        let mut grams: Vec<Vec<Estimated>> = vec![Vec::new(); self.order];
        for (at, node) in self.nodes.iter().enumerate().skip(1) {
            let discount = discounts[node.order as usize - 1].get(adjusted[at]);
            let own = (adjusted[at] as f64 - discount) / totals[node.parent as usize] as f64;
            // A suffix comes before its n-gram, so its probability is known.
            let lower = probabilities[node.suffix as usize];
            probabilities[at] = own + share(node.parent) * lower;
            if node.order == 1 && node.token == BEGIN_TOKEN {
                probabilities[at] = 1.0;
            }
            let backoff = if totals[at] == 0 {
                1.0
            } else {
                share(at as u32)
            };
            grams[node.order as usize - 1].push(Estimated {
                tokens: self.tokens(at as u32),
                log10: probabilities[at].log10().min(0.0) as f32,
                backoff: backoff.log10() as f32,
            });
        }
        // Sorted by text, so that the order of the sentences has no effect.
        let mut by_text: Vec<u32> = (0..self.vocabulary.len() as u32).collect();
        by_text.sort_by_key(|&token| (token > END_TOKEN, self.vocabulary.text(token)));
        let mut rank = vec![0; by_text.len()];
        for (place, &token) in by_text.iter().enumerate() {
            rank[token as usize] = place;
        }
        for grams in &mut grams {
            grams.sort_by_key(|gram| gram.tokens.map(|token| rank[token as usize]));
        }
        Ok(NgramEstimate {
            vocabulary: self.vocabulary,
            discounts,
            grams,
        })
    }

    /// The adjusted count of an n-gram: its occurrences for n-grams of the highest order and for those
    /// that begin a sentence, and otherwise the number of different tokens before it.
    fn adjusted(&self, node: &ContextNode) -> u64 {
        match node.order as usize {
            1 if node.token == BEGIN_TOKEN => 0,
            order if order == self.order || node.begins => node.count,
            _ => node.extensions,
        }
    }

    fn discounts(&self, adjusted: &[u64]) -> Vec<Discounts> {
        let mut counts = adjusted.to_vec();
        // When `lmplz` counts counts, it takes the raw counts of the n-grams that end its sorted
        // list. That is an error of one count in each order, reproduced here to match its numbers.
        let mut last = self.last().map_or(ROOT, |last| {
            if self.nodes[last as usize].order as usize == self.order {
                self.nodes[last as usize].suffix
            } else {
                last
            }
        });
        while last != ROOT {
            counts[last as usize] = self.nodes[last as usize].count;
            last = self.nodes[last as usize].suffix;
        }
        let mut counts_of_counts = vec![[0; 4]; self.order];
        for (node, &count) in self.nodes.iter().zip(&counts).skip(1) {
            if (1..=4).contains(&count) {
                counts_of_counts[node.order as usize - 1][count as usize - 1] += 1;
            }
        }
        counts_of_counts.into_iter().map(Discounts::of).collect()
    }

    /// The last of the n-grams that nothing precedes, sorted by their last tokens, then by the
    /// earlier ones.
    fn last(&self) -> Option<u32> {
        let longest = |node: &ContextNode| node.order as usize == self.order || node.begins;
        let backwards = |at: u32| {
            let mut tokens = self.tokens(at);
            let order = self.nodes[at as usize].order as usize;
            tokens[..order].reverse();
            // The beginning of a sentence has more beginnings before it.
            tokens[order..].fill(BEGIN_TOKEN);
            tokens
        };
        (1..self.nodes.len() as u32)
            .filter(|&at| longest(&self.nodes[at as usize]))
            .max_by_key(|&at| backwards(at))
    }

    /// The tokens of an n-gram, first to last, padded with zeros.
    fn tokens(&self, node: u32) -> [u32; HIGHEST_ORDER] {
        let mut tokens = [0; HIGHEST_ORDER];
        let mut node = self.nodes[node as usize];
        while node.order > 0 {
            tokens[node.order as usize - 1] = node.token;
            node = self.nodes[node.parent as usize];
        }
        tokens
    }
}

#[derive(Clone)]
struct Estimated {
    tokens: [u32; HIGHEST_ORDER],
    log10: f32,
    backoff: f32,
}

/// An estimated n-gram model.
pub struct NgramEstimate {
    vocabulary: Vocabulary,
    discounts: Vec<Discounts>,
    grams: Vec<Vec<Estimated>>,
}

impl NgramEstimate {
    /// The discounts of each order, starting at 1.
    pub fn discounts(&self) -> &[Discounts] {
        &self.discounts
    }

    /// The number of n-grams of each order, starting at 1.
    pub fn num_ngrams(&self) -> Vec<usize> {
        self.grams.iter().map(Vec::len).collect()
    }

    /// The model in the ARPA format. Equal counts give equal bytes.
    pub fn to_arpa(&self) -> String {
        // Writing to a string cannot fail.
        let mut text = String::from("\\data\\\n");
        for (at, grams) in self.grams.iter().enumerate() {
            let _ = writeln!(text, "ngram {}={}", at + 1, grams.len());
        }
        for (at, grams) in self.grams.iter().enumerate() {
            let order = at + 1;
            let _ = write!(text, "\n\\{order}-grams:\n");
            for gram in grams {
                // Adding zero turns `-0` into `0`.
                let _ = write!(text, "{}", gram.log10 + 0.0);
                for (at, &token) in gram.tokens[..order].iter().enumerate() {
                    text.push(if at == 0 { '\t' } else { ' ' });
                    text.push_str(self.vocabulary.text(token));
                }
                if order < self.grams.len() {
                    let _ = write!(text, "\t{}", gram.backoff + 0.0);
                }
                text.push('\n');
            }
        }
        text.push_str("\n\\end\\\n");
        text
    }

    /// Writes the model to `path` in the ARPA format, atomically.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_atomically(path, self.to_arpa().as_bytes())
    }
}
