//! Estimation of n-gram models by interpolated modified Kneser–Ney smoothing ([Chen and Goodman
//! 1998](https://dash.harvard.edu/handle/1/25104739)), as `lmplz` of KenLM does it ([Heafield et al.
//! 2013](https://aclanthology.org/P13-2121/)).

use std::fmt::Write;
use std::path::Path;

use super::table::{Gram, Table};
use super::vocabulary::Vocabulary;
use super::{BEGIN, END, ROOT, UNKNOWN};
use crate::file::write_atomically;
use crate::{Error, Result};

/// The highest order estimated.
pub const HIGHEST_ORDER: usize = 5;

/// The numbers of the tokens every vocabulary begins with, as `lmplz` has them.
const UNKNOWN_TOKEN: u32 = 0;
const BEGIN_TOKEN: u32 = 1;
const END_TOKEN: u32 = 2;

/// What is taken from the counts of an order's n-grams.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Discounts {
    /// Of n-grams counted once, twice, and more often.
    pub amounts: [f64; 3],
    /// Whether these are the fallback, because counts are too few to tell.
    pub fallback: bool,
}

impl Discounts {
    /// What `lmplz --discount_fallback` takes.
    const FALLBACK: Self = Self {
        amounts: [0.5, 1.0, 1.5],
        fallback: true,
    };

    /// From how many n-grams were counted once, twice, three and four times: Chen and Goodman's
    /// equation 26. In single precision, so that what is out of range is so for KenLM too; 0, which KenLM
    /// takes, is as well, since a context of such n-grams alone would leave nothing for the others.
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
struct Node {
    /// The n-gram without its last token.
    parent: u32,
    token: u32,
    /// The n-gram without its first token.
    suffix: u32,
    order: u32,
    /// Whether its first token is the begin of a sentence.
    begins: bool,
    /// How often it was said.
    count: u64,
    /// After how many tokens it was said.
    extensions: u64,
}

/// Counts the n-grams of sentences; then an estimate of a model can be made of them.
///
/// Memory grows with the number of different n-grams. For texts of which these do not fit there is
/// `lmplz`, whose files [`NgramModel`](super::NgramModel) reads.
pub struct NgramCounts {
    order: usize,
    vocabulary: Vocabulary,
    nodes: Vec<Node>,
    /// Nodes by (parent, token).
    children: Table,
    num_sentences: usize,
    num_tokens: usize,
}

impl NgramCounts {
    /// To count n-grams up to `order`.
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
            nodes: vec![Node::default()],
            children: Table::default(),
            num_sentences: 0,
            num_tokens: 0,
        };
        // In every model, whatever is said.
        for token in [UNKNOWN_TOKEN, BEGIN_TOKEN] {
            counts.child(ROOT, token)?;
        }
        Ok(counts)
    }

    /// How many sentences were counted.
    pub fn num_sentences(&self) -> usize {
        self.num_sentences
    }

    /// How many tokens they had, without the ends of sentences.
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
        // The n-grams that end in the token before, from the longest on.
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
        self.nodes.push(Node {
            parent,
            token,
            suffix,
            order: parent_node.order + 1,
            begins: parent_node.begins || (parent == ROOT && token == BEGIN_TOKEN),
            ..Node::default()
        });
        // It is said after one token more. One token is said after none.
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
        // Of each context, the adjusted counts of what follows it, and what is taken from them.
        let mut totals = vec![0; self.nodes.len()];
        let mut taken = vec![0.0; self.nodes.len()];
        for (node, &count) in self.nodes.iter().zip(&adjusted).skip(1) {
            totals[node.parent as usize] += count;
            taken[node.parent as usize] += discounts[node.order as usize - 1].get(count);
        }
        let share = |context: u32| taken[context as usize] / totals[context as usize] as f64;
        // The unknown and the end are said, the begin is not.
        let num_said = self.nodes.iter().filter(|node| node.order == 1).count() - 1;
        let uniform = 1.0 / num_said as f64;
        let mut probabilities = vec![uniform; self.nodes.len()];
        let mut grams: Vec<Vec<Estimated>> = vec![Vec::new(); self.order];
        for (at, node) in self.nodes.iter().enumerate().skip(1) {
            let discount = discounts[node.order as usize - 1].get(adjusted[at]);
            let own = (adjusted[at] as f64 - discount) / totals[node.parent as usize] as f64;
            // A suffix is counted before what it is a suffix of, so it comes first.
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
        // By their texts, so that the order of the sentences does not show.
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

    /// How much an n-gram counts: of those of the highest order, and those that begin a sentence and
    /// so cannot be said after anything, how often it was said; of the others after how many tokens.
    fn adjusted(&self, node: &Node) -> u64 {
        match node.order as usize {
            1 if node.token == BEGIN_TOKEN => 0,
            order if order == self.order || node.begins => node.count,
            _ => node.extensions,
        }
    }

    fn discounts(&self, adjusted: &[u64]) -> Vec<Discounts> {
        let mut counts = adjusted.to_vec();
        // `lmplz` takes the n-grams that end its sorted list as often as they were said, when it
        // counts counts. That is a slip of one count in each order, followed to have its numbers.
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

    /// The last of the n-grams that nothing is said before, sorted by their last tokens, then by the
    /// ones before.
    fn last(&self) -> Option<u32> {
        let longest = |node: &Node| node.order as usize == self.order || node.begins;
        let backwards = |at: u32| {
            let mut tokens = self.tokens(at);
            let order = self.nodes[at as usize].order as usize;
            tokens[..order].reverse();
            // What begins a sentence has more begins before it.
            tokens[order..].fill(BEGIN_TOKEN);
            tokens
        };
        (1..self.nodes.len() as u32)
            .filter(|&at| longest(&self.nodes[at as usize]))
            .max_by_key(|&at| backwards(at))
    }

    /// The tokens of an n-gram, from the first on, and zeros behind them.
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

/// An n-gram model as estimated.
pub struct NgramEstimate {
    vocabulary: Vocabulary,
    discounts: Vec<Discounts>,
    grams: Vec<Vec<Estimated>>,
}

impl NgramEstimate {
    /// What was taken from the counts of each order, from 1 on.
    pub fn discounts(&self) -> &[Discounts] {
        &self.discounts
    }

    /// How many n-grams there are of each order, from 1 on.
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
                // Not `-0`.
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

    /// Writes the model to `path` in the ARPA format: whole, or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_atomically(path, self.to_arpa().as_bytes())
    }
}
