//! The ARPA format of n-gram models, read line by line.
//!
//! ```text
//! \data\
//! ngram 1=4
//! ngram 2=3
//!
//! \1-grams:
//! -0.9   word    -0.3        log10 probability, tokens, log10 back-off weight (may be missing)
//! …
//! \end\
//! ```

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::context::{Context, ContextNode, ROOT};
use super::model::NgramModel;
use super::table::{Gram, NgramTable};
use super::token::{BEGIN, END, TokenId, UNKNOWN};
use super::vocabulary::Vocabulary;

use crate::error::{Error, Result};

/// Longer lines are not ARPA, and could fill the memory.
const LONGEST_LINE: u64 = 1 << 20;

/// The log-probability of a token that has none in the file, as in KenLM, or a probability of 0.
const UNKNOWN_LOG10: f32 = -100.0;

/// The lines of a file.
struct Lines<'a> {
    path: &'a Path,
    reader: BufReader<File>,
    buffer: Vec<u8>,
    /// The number of the line in `buffer`.
    number: usize,
    /// Whether to read `buffer` again.
    again: bool,
}

impl<'a> Lines<'a> {
    fn error(&self, reason: impl Into<String>) -> Error {
        // An error in an empty file names line 1.
        Error::line(self.path, self.number.max(1), reason)
    }

    /// Goes to the next line that is not blank; false at the end of the file.
    fn advance(&mut self) -> Result<bool> {
        if std::mem::take(&mut self.again) {
            return Ok(true);
        }
        loop {
            self.buffer.clear();
            let read = (&mut self.reader)
                .take(LONGEST_LINE)
                .read_until(b'\n', &mut self.buffer)
                .map_err(Error::io("cannot read", self.path))?;
            if read == 0 {
                return Ok(false);
            }
            self.number += 1;
            if read as u64 == LONGEST_LINE {
                return Err(self.error(format!(
                    "the line is longer than {LONGEST_LINE} bytes; a line of an ARPA file is one \
                     n-gram"
                )));
            }
            if self.number == 1 && self.buffer.starts_with(b"\x1f\x8b") {
                return Err(self.error("the file is compressed by gzip; unpack it with gunzip"));
            }
            if !self.buffer.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    /// The line, without blanks around it.
    fn text(&self) -> Result<&str> {
        let text = std::str::from_utf8(&self.buffer)
            .map_err(|_| self.error("the line is not text in UTF-8"))?;
        Ok(text.trim_matches([' ', '\t', '\r', '\n']))
    }

    /// Goes to the next line, which must exist.
    fn expect(&mut self, what: &str) -> Result<&str> {
        if !self.advance()? {
            return Err(self.error(format!(
                "the file ends here, before {what}; it is cut short, as an ARPA file ends with \\end\\"
            )));
        }
        self.text()
    }

    fn number(&self, text: &str, what: &str) -> Result<f32> {
        match text.parse::<f32>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(self.error(format!(
                "the {what} is `{text}`; a finite number was expected, such as -1.25"
            ))),
        }
    }
}

impl NgramModel {
    /// Reads an ARPA file.
    ///
    /// # Errors
    /// When the file cannot be read, or is not an ARPA file; the error then names the line. A file is
    /// refused for counts that differ from those of `\data\`, missing sections, values that are not
    /// numbers, positive log-probabilities, tokens that are not 1-grams, n-grams that occur twice or
    /// whose prefix is not in the model, and a missing `<s>`, `</s>` or `\end\`.
    pub fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("cannot read", path))?;
        let metadata = file.metadata().map_err(Error::io("cannot read", path))?;
        let mut lines = Lines {
            path,
            reader: BufReader::with_capacity(1 << 16, file),
            buffer: Vec::new(),
            number: 0,
            again: false,
        };
        let counts = counts(&mut lines)?;
        // An n-gram takes at least `0 a\n`, so a wrong count cannot make the reader allocate too much.
        let most = usize::try_from(metadata.len() / 4).unwrap_or(usize::MAX);
        let mut building = Building::new(&counts, most);
        for order in 1..=counts.len() {
            building.section(&mut lines, order, &counts)?;
        }
        let last = lines.expect("\\end\\")?;
        if last != "\\end\\" {
            let found = last.to_string();
            return Err(lines.error(format!(
                "`{found}` stands where \\end\\ was expected, behind the {}-grams",
                counts.len()
            )));
        }
        if lines.advance()? {
            return Err(lines.error("something stands behind \\end\\, which is the last line"));
        }
        Ok(building.finish())
    }
}

/// Reads `\data\` and the number of n-grams of each order.
fn counts(lines: &mut Lines) -> Result<Vec<usize>> {
    // Anything before `\data\` is a remark.
    loop {
        if !lines.advance()? {
            return Err(lines.error(
                "there is no line \\data\\; an ARPA file begins with it and the count of each \
                 order's n-grams",
            ));
        }
        // A remark may be in another encoding.
        if lines.buffer.trim_ascii() == b"\\data\\" {
            break;
        }
    }
    let mut counts = Vec::new();
    loop {
        let line = lines.expect("its counts")?;
        if line.starts_with('\\') && !counts.is_empty() {
            lines.again = true;
            return Ok(counts);
        }
        let found = || -> Option<(usize, usize)> {
            let (order, count) = line.strip_prefix("ngram")?.split_once('=')?;
            Some((order.trim().parse().ok()?, count.trim().parse().ok()?))
        };
        match found() {
            Some((order, count)) if order == counts.len() + 1 => counts.push(count),
            _ => {
                let line = line.to_string();
                return Err(lines.error(format!(
                    "`{line}` stands where `ngram {}=` and a count were expected",
                    counts.len() + 1
                )));
            }
        }
    }
}

/// A partly read model. Each n-gram has its own next context until all are read.
struct Building {
    order: usize,
    vocabulary: Vocabulary,
    unigrams: Vec<Gram>,
    longer: NgramTable,
    contexts: Vec<ContextNode>,
}

impl Building {
    fn new(counts: &[usize], most: usize) -> Self {
        let sum = |counts: &[usize]| {
            let sum = counts
                .iter()
                .fold(0, |sum: usize, &n| sum.saturating_add(n));
            sum.min(most)
        };
        let order = counts.len();
        Self {
            order,
            vocabulary: Vocabulary::default(),
            unigrams: Vec::new(),
            longer: NgramTable::with_capacity(sum(&counts[1..])),
            contexts: Vec::with_capacity(sum(&counts[..order.max(2) - 1]) + 2),
        }
    }

    /// Reads the n-grams of an order.
    fn section(&mut self, lines: &mut Lines, order: usize, counts: &[usize]) -> Result<()> {
        let header = format!("\\{order}-grams:");
        let found = lines.expect(&header)?;
        if found != header {
            let found = found.to_string();
            return Err(lines.error(format!(
                "`{found}` stands where {header} was expected, as \\data\\ counts n-grams up to \
                 order {}",
                self.order
            )));
        }
        if order == 1 {
            self.contexts.push(ContextNode::new(0.0, ROOT));
        }
        let mut count = 0;
        let mut tokens = Vec::with_capacity(order);
        loop {
            lines.expect(if order == self.order {
                "\\end\\"
            } else {
                "the next section"
            })?;
            // A line of an n-gram begins with a number.
            if lines.buffer.trim_ascii_start().starts_with(b"\\") {
                lines.again = true;
                break;
            }
            self.line(lines, order, &mut tokens)?;
            count += 1;
        }
        let promised = counts[order - 1];
        if count != promised {
            return Err(lines.error(format!(
                "{count} {order}-grams end here; `ngram {order}={promised}` in \\data\\ says there \
                 are {promised}"
            )));
        }
        if order == 1 {
            self.check_markers(lines)?;
        }
        Ok(())
    }

    /// Reads one n-gram.
    fn line(&mut self, lines: &Lines, order: usize, tokens: &mut Vec<u32>) -> Result<()> {
        let text = lines.text()?;
        let mut fields = text.split([' ', '\t']).filter(|field| !field.is_empty());
        // Some programs give `<s>`, which is never predicted, the logarithm of 0.
        let log10 = match fields.next().unwrap_or_default() {
            "-inf" => UNKNOWN_LOG10,
            field => lines.number(field, "log10 probability")?,
        };
        if log10 > 0.0 {
            return Err(lines.error(format!(
                "the log10 probability is {log10}; it must be at most 0"
            )));
        }
        tokens.clear();
        for _ in 0..order {
            let Some(field) = fields.next() else {
                return Err(lines.error(format!(
                    "`{text}` has too few tokens; a {order}-gram has {order}"
                )));
            };
            tokens.push(self.token(lines, order, field)?);
        }
        let backoff = match fields.next() {
            Some(field) => lines.number(field, "back-off weight")?,
            None => 0.0,
        };
        if fields.next().is_some() {
            return Err(lines.error(format!(
                "`{text}` has too many fields; a {order}-gram is a log10 probability, {order} \
                 token(s) and at most a back-off weight"
            )));
        }
        if order == self.order && backoff != 0.0 {
            return Err(lines.error(format!(
                "the back-off weight is {backoff}; n-grams of the highest order ({order}) have none"
            )));
        }
        if u32::try_from(self.contexts.len() + 2).is_err() {
            return Err(lines.error(format!(
                "there are more n-grams than can be numbered ({})",
                u32::MAX
            )));
        }
        let Some((&token, prefix)) = tokens.split_last() else {
            return Ok(());
        };
        let node = self.contexts.len() as u32;
        if prefix.is_empty() {
            self.unigrams.push(Gram { log10, next: node });
            self.contexts.push(ContextNode::new(backoff, ROOT));
            return Ok(());
        }
        let Some(context) = self.context(prefix) else {
            let prefix: Vec<_> = prefix.iter().map(|&t| self.vocabulary.text(t)).collect();
            return Err(lines.error(format!(
                "`{text}` begins with `{}`, which is not among the {}-grams; the n-gram before \
                 the last token must be in the model",
                prefix.join(" "),
                order - 1
            )));
        };
        let suffix = self.known_suffix(context, token);
        let gram = Gram {
            log10,
            next: if order < self.order { node } else { suffix },
        };
        if !self.longer.insert(context, token, gram) {
            return Err(lines.error(format!(
                "`{text}` is there twice; each {order}-gram has one line"
            )));
        }
        self.contexts[context as usize].filter |= ContextNode::bit(token);
        if order < self.order {
            self.contexts.push(ContextNode::new(backoff, suffix));
        }
        Ok(())
    }

    fn token(&mut self, lines: &Lines, order: usize, field: &str) -> Result<u32> {
        // Some models write it in capitals.
        let text = if field == "<UNK>" { UNKNOWN } else { field };
        if order > 1 {
            return self.vocabulary.find(text).ok_or_else(|| {
                lines.error(format!(
                    "`{field}` is not among the 1-grams, which are all tokens of the model"
                ))
            });
        }
        let known = self.vocabulary.len();
        let token = self.vocabulary.insert(text);
        if self.vocabulary.len() == known {
            return Err(lines.error(format!(
                "the 1-gram `{field}` is there twice; each has one line"
            )));
        }
        Ok(token)
    }

    /// Checks the tokens that every model has.
    fn check_markers(&mut self, lines: &Lines) -> Result<()> {
        for marker in [BEGIN, END] {
            if self.vocabulary.find(marker).is_none() {
                return Err(lines.error(format!(
                    "{marker} is not among the 1-grams, which end here; a model needs {BEGIN} and \
                     {END}, the begin and the end of a sentence"
                )));
            }
        }
        if self.vocabulary.find(UNKNOWN).is_none() {
            self.vocabulary.insert(UNKNOWN);
            self.unigrams.push(Gram {
                log10: UNKNOWN_LOG10,
                next: self.contexts.len() as u32,
            });
            self.contexts.push(ContextNode::new(0.0, ROOT));
        }
        Ok(())
    }

    /// The context of an n-gram's tokens.
    fn context(&self, tokens: &[u32]) -> Option<u32> {
        let (&first, rest) = tokens.split_first()?;
        rest.iter()
            .try_fold(self.unigrams[first as usize].next, |context, &token| {
                Some(self.longer.get(context, token)?.next)
            })
    }

    /// The longest known n-gram that is a proper suffix of `context` and `token`, ending in `token`.
    fn known_suffix(&self, context: u32, token: u32) -> u32 {
        let mut context = self.contexts[context as usize].suffix;
        while context != ROOT {
            let node = self.contexts[context as usize];
            if node.may_have(token)
                && let Some(gram) = self.longer.get(context, token)
            {
                return gram.next;
            }
            context = node.suffix;
        }
        self.unigrams[token as usize].next
    }

    fn finish(mut self) -> NgramModel {
        // A context without continuations or back-off weight is equivalent to its suffix. Suffixes
        // come first, so one pass shortens all.
        let shortest = |contexts: &[ContextNode], context: u32| {
            let node = contexts[context as usize];
            if node.filter != 0 || node.backoff != 0.0 {
                context
            } else {
                node.suffix
            }
        };
        for at in 0..self.contexts.len() {
            let suffix = self.contexts[at].suffix;
            self.contexts[at].suffix = shortest(&self.contexts, suffix);
        }
        for gram in self.unigrams.iter_mut().chain(self.longer.grams_mut()) {
            gram.next = shortest(&self.contexts, gram.next);
        }
        let token = |text| TokenId(self.vocabulary.find(text).unwrap_or_default());
        let (begin, end, unknown) = (token(BEGIN), token(END), token(UNKNOWN));
        NgramModel {
            order: self.order,
            start: Context(self.unigrams[begin.0 as usize].next),
            begin,
            end,
            unknown,
            vocabulary: self.vocabulary,
            unigrams: self.unigrams,
            longer: self.longer,
            contexts: self.contexts,
        }
    }
}
