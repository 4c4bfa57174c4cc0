//! `sori lm`: estimates and uses language models.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;
use sori_datasets::text::jamo;
use sori_datasets::{AlphabetKind, Normalization, Part, Target};

use super::options::{Common, SettingArgs};
use super::output::{print, print_json, remark};
use crate::data::Data;
use crate::data::open::training_texts;
use crate::decode::{HIGHEST_ORDER, NgramCounts, NgramModel, SPACE_TOKEN, TokenKind};
use crate::show::text::thousands;
use crate::{Error, Result, RunFolder, Settings};

/// The model whose settings define the writing of transcripts without a run.
const RECOGNISER: &str = "deep_speech2";

#[derive(Subcommand)]
pub(super) enum LmCommand {
    /// Estimate a language model from transcripts or text
    Train(LmTrainArgs),
    /// Say how probable sentences are by a language model
    Score(LmScoreArgs),
}

#[derive(Args)]
#[group(id = "source", required = true, multiple = true)]
pub(super) struct LmTrainArgs {
    /// Learn from the transcripts of this corpus's training part, such as librispeech:DIR; may be
    /// given several times. Where the corpus has no validation part, the one that a run with these
    /// settings sets aside is left out
    #[arg(long, value_name = "SPEC", group = "source")]
    data: Vec<String>,
    /// Learn from this file of one sentence a line; may be given several times
    #[arg(long, value_name = "FILE", group = "source")]
    text: Vec<PathBuf>,
    /// Learn from the transcripts that this run learned from, and write all texts as it does
    #[arg(long, value_name = "RUN", group = "source", conflicts_with_all = ["config", "set"])]
    run: Option<PathBuf>,
    /// Tokens of the longest n-grams, from 1 to 5
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=HIGHEST_ORDER as i64))]
    order: u8,
    /// What a token is
    #[arg(long, value_enum)]
    kind: TokenKind,
    /// The ARPA file to write
    #[arg(long, value_name = "FILE.arpa")]
    out: PathBuf,
    #[command(flatten)]
    settings: SettingArgs,
}

#[derive(Args)]
pub(super) struct LmScoreArgs {
    /// The language model
    #[arg(value_name = "FILE.arpa")]
    model: PathBuf,
    /// The sentences, one on each line
    #[arg(long, value_name = "FILE")]
    text: PathBuf,
    /// What a token of the model is
    #[arg(long, value_enum, default_value = "words")]
    kind: TokenKind,
    /// Write the sentences as this run does
    #[arg(long, value_name = "RUN", conflicts_with_all = ["config", "set"])]
    run: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingArgs,
}

pub(super) fn run(common: &Common, command: &LmCommand) -> Result<()> {
    match command {
        LmCommand::Train(args) => train(common, args),
        LmCommand::Score(args) => score(common, args),
    }
}

/// The normalisation of texts before they become tokens.
struct Writing {
    normalization: Normalization,
    symbols: AlphabetKind,
    kind: TokenKind,
}

impl Writing {
    fn of_settings(settings: Settings, kind: TokenKind) -> Self {
        let text = settings.text.unwrap_or_default();
        Self {
            normalization: text.normalization,
            symbols: text.kind,
            kind,
        }
    }

    fn of_run(run: &RunFolder, kind: TokenKind) -> Result<Self> {
        match run.task().alphabet() {
            Some(alphabet) => Ok(Self {
                normalization: alphabet.normalization().clone(),
                symbols: alphabet.kind(),
                kind,
            }),
            None => Err(Error::Run {
                path: run.path().to_path_buf(),
                reason: "a language model is for transcripts, and its model writes none"
                    .to_string(),
            }),
        }
    }

    fn apply(&self, text: &str) -> String {
        let text = self.normalization.apply(text);
        match (self.kind, self.symbols) {
            (TokenKind::Characters, AlphabetKind::Jamo) => jamo(&text).into_iter().collect(),
            _ => text,
        }
    }
}

/// The settings of a run on `spec`, with the requested changes.
fn settings(spec: &str, changes: &SettingArgs) -> Result<Settings> {
    // No recording is read, so the sample rate does not matter.
    let settings = changes.apply(Settings::new(RECOGNISER, spec, 16_000)?)?;
    settings.check()?;
    Ok(settings)
}

/// Longer lines are no sentences, and could fill the memory.
const LONGEST_LINE: u64 = 1 << 20;

/// Calls `each` with every line of a text file that is not blank.
fn for_each_line(path: &Path, mut each: impl FnMut(&str) -> Result<()>) -> Result<()> {
    let file = File::open(path).map_err(Error::io("cannot read", path))?;
    let mut reader = BufReader::new(file);
    let mut bytes = Vec::new();
    let mut number = 0;
    loop {
        bytes.clear();
        let read = (&mut reader)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut bytes)
            .map_err(Error::io("cannot read", path))?;
        if read == 0 {
            return Ok(());
        }
        number += 1;
        if read as u64 == LONGEST_LINE {
            return Err(Error::Line {
                path: path.to_path_buf(),
                line: number,
                reason: format!(
                    "the line is longer than {LONGEST_LINE} bytes; one sentence a line was expected"
                ),
            });
        }
        let line = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let line = std::str::from_utf8(line).map_err(|_| Error::Line {
            path: path.to_path_buf(),
            line: number,
            reason: "the line is not text in UTF-8; one sentence a line was expected".to_string(),
        })?;
        if !line.trim().is_empty() {
            each(line.trim())?;
        }
    }
}

fn train(common: &Common, args: &LmTrainArgs) -> Result<()> {
    super::output::require_folder_of(&args.out)?;
    let run = args.run.as_deref().map(RunFolder::open).transpose()?;
    let mut counts = NgramCounts::new(usize::from(args.order))?;
    // A text that is empty after normalisation is skipped.
    let mut add = |writing: &Writing, text: &str| {
        let text = writing.apply(text);
        if text.is_empty() {
            return Ok(());
        }
        counts.add(writing.kind.tokens(&text))
    };
    let written = |spec: &str| match &run {
        Some(run) => Writing::of_run(run, args.kind),
        None => Ok(Writing::of_settings(
            settings(spec, &args.settings)?,
            args.kind,
        )),
    };
    if let Some(run) = &run {
        let writing = Writing::of_run(run, args.kind)?;
        let data = Data::of_run(run)?;
        for item in data.part(Part::Train) {
            if let Target::Text(text) = &item.target {
                add(&writing, text)?;
            }
        }
    }
    for spec in &args.data {
        let writing = written(spec)?;
        let mut settings = settings(spec, &args.settings)?;
        settings.data.skip_bad = common.skip_bad;
        for text in training_texts(&settings)? {
            add(&writing, &text)?;
        }
    }
    for path in &args.text {
        let writing = written("")?;
        for_each_line(path, |text| add(&writing, text))?;
    }
    let (sentences, tokens) = (counts.num_sentences(), counts.num_tokens());
    let estimate = counts.estimate()?;
    let discounts = estimate.discounts();
    let fallback: Vec<usize> = (1..=discounts.len())
        .filter(|order| discounts[order - 1].fallback)
        .collect();
    if !fallback.is_empty() {
        let orders: Vec<String> = fallback.iter().map(usize::to_string).collect();
        remark(&format!(
            "too few or too even counts to tell the discounts of order {}: 0.5, 1 and 1.5 are taken",
            orders.join(", ")
        ));
    }
    estimate.write(&args.out)?;
    let ngrams = estimate.num_ngrams();
    if common.json {
        let discounts: Vec<[f32; 3]> = discounts
            .iter()
            .map(|discounts| discounts.amounts.map(|amount| amount as f32))
            .collect();
        return print_json(&json!({
            "out": args.out.display().to_string(), "kind": args.kind, "order": args.order, "sentences": sentences,
            "tokens": tokens, "ngrams": ngrams, "discounts": discounts, "fallback": fallback,
        }));
    }
    let ngrams: Vec<String> = ngrams.into_iter().map(thousands).collect();
    print(&format!(
        "{}: {} n-grams of orders 1 to {}, from {} sentences of {} {}",
        args.out.display(),
        ngrams.join(" + "),
        args.order,
        thousands(sentences),
        thousands(tokens),
        match args.kind {
            TokenKind::Words => "words",
            TokenKind::Characters => "characters",
        },
    ))
}

fn score(common: &Common, args: &LmScoreArgs) -> Result<()> {
    let writing = match &args.run {
        Some(run) => Writing::of_run(&RunFolder::open(run)?, args.kind)?,
        None => Writing::of_settings(settings("", &args.settings)?, args.kind),
    };
    let model = NgramModel::read(&args.model)?;
    if args.kind == TokenKind::Words && model.token(SPACE_TOKEN).is_some() {
        return Err(Error::Input(format!(
            "{}: it is a model of characters, as {SPACE_TOKEN} is one of its tokens; ask it with \
             --kind characters",
            args.model.display()
        )));
    }
    let (mut sentences, mut tokens, mut unknown) = (0_usize, 0_usize, 0_usize);
    let (mut total, mut total_unknown) = (0.0, 0.0);
    for_each_line(&args.text, |line| {
        let text = writing.apply(line);
        let mut context = model.start();
        let mut sum = 0.0;
        let mut missing = Vec::new();
        let parts = args.kind.tokens(&text);
        for part in &parts {
            let token = model.token(part);
            let (log10, next) = model.score(context, token.unwrap_or(model.unknown()));
            if token.is_none() {
                missing.push(*part);
                total_unknown += log10;
            }
            sum += log10;
            context = next;
        }
        sum += model.end(context);
        sentences += 1;
        tokens += parts.len() + 1;
        unknown += missing.len();
        total += sum;
        if common.json {
            return print_json(&json!({
                "event": "sentence", "text": text, "log10": sum, "tokens": parts.len() + 1, "unknown": missing,
            }));
        }
        let missing = match missing.as_slice() {
            [] => String::new(),
            missing => format!("  (unknown: {})", missing.join(", ")),
        };
        common.tell(&format!("{sum:>9.3}  {text}{missing}"))
    })?;
    if sentences == 0 {
        return Err(Error::Input(format!(
            "{}: there is no sentence in it; one a line was expected",
            args.text.display()
        )));
    }
    let perplexity = |log10: f64, tokens: usize| 10f64.powf(-log10 / tokens as f64);
    let all = perplexity(total, tokens);
    let known = perplexity(total - total_unknown, tokens - unknown);
    if common.json {
        return print_json(&json!({
            "sentences": sentences, "tokens": tokens, "unknown": unknown, "log10": total,
            "perplexity": all, "perplexity_known": known,
        }));
    }
    print(&format!(
        "perplexity {all:.3}, without unknown tokens {known:.3}; {} sentences, {} tokens with their \
         ends, {} unknown",
        thousands(sentences),
        thousands(tokens),
        thousands(unknown)
    ))
}
