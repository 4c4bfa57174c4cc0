//! `sori settings`: what can be set, what it means, and what a run would begin with.

use clap::Args;
use console::{Term, measure_text_width};
use sori_models::ModelConfig;

use super::options::Common;
use super::output::{print, print_json, remark};
use super::run_args::RunArgs;
use crate::settings::listing::{meaning, plain};
use crate::settings::{Setting, Source, listing, shared_listing};
use crate::{Error, Result};

#[derive(Args)]
pub(super) struct SettingsArgs {
    /// The architecture, as in `sori models` [default: what all models share]
    pub(super) model: Option<String>,
    /// Only settings with this in their name; several of them are given one after another
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    pub(super) run: RunArgs,
}

/// The widest that text is shown.
const WIDEST: usize = 100;
/// The column that the source of a value is in.
const SOURCE_COLUMN: usize = 48;

pub(super) fn run(common: &Common, args: &SettingsArgs) -> Result<()> {
    let settings = match &args.model {
        None if args.run.is_given() => {
            return Err(Error::Input(
                "these options are for a model: `sori settings MODEL` takes those of `sori train MODEL`"
                    .to_string(),
            ));
        }
        None => shared_listing()?,
        Some(model) => of_model(common, args, model)?,
    };
    let named = |setting: &Setting| {
        let mut names = args.names.iter();
        args.names.is_empty() || names.any(|name| setting.key.contains(name.as_str()))
    };
    let settings: Vec<Setting> = settings.into_iter().filter(named).collect();
    if settings.is_empty() {
        return Err(Error::Input(format!(
            "no setting has {} in its name",
            args.names.join(" or ")
        )));
    }
    if common.json {
        return settings.iter().try_for_each(print_json);
    }
    let model = args.model.as_deref().unwrap_or("mlp");
    show(&settings, &ModelConfig::from_name(model)?)
}

/// What `sori train` with these options would begin with.
fn of_model(common: &Common, args: &SettingsArgs, model: &str) -> Result<Vec<Setting>> {
    let (layers, corpus) = args.run.layers(common, model)?;
    let mut settings = listing(&layers)?;
    for setting in &mut settings {
        if setting.key == "data.train" && args.run.data.is_some() {
            setting.source = Source::Given;
        }
    }
    if args.run.data.is_none() && !common.quiet {
        remark(&format!(
            "for {}; --data SPEC says what a run on other recordings begins with",
            corpus.spec
        ));
    }
    Ok(settings)
}

/// Prints the settings in groups, each with its source, meaning and range.
fn show(settings: &[Setting], model: &ModelConfig) -> Result<()> {
    let width = Term::stdout()
        .size_checked()
        .map_or(WIDEST, |(_, width)| usize::from(width).min(WIDEST));
    let mut text = String::new();
    let mut group = "";
    for setting in settings {
        let (above, _) = setting.key.rsplit_once('.').unwrap_or_default();
        if above != group {
            group = above;
            let what = meaning(model, above).map_or_else(String::new, plain);
            let gap = if text.is_empty() { "" } else { "\n" };
            text.push_str(&format!("{gap}[{above}]  {what}\n"));
        }
        let assigned = format!("{} = {}", setting.key, setting.value);
        let gap = SOURCE_COLUMN.saturating_sub(measure_text_width(&assigned) + 2);
        let gap = " ".repeat(gap.max(2));
        text.push_str(&format!("  {assigned}{gap}({})\n", setting.source));
        let about = format!("{} Allowed: {}.", setting.meaning, setting.allowed);
        for line in filled(&about, width.saturating_sub(6).max(20)) {
            text.push_str(&format!("      {line}\n"));
        }
    }
    print(text.trim_end())
}

/// The lines of a text that are at most `width` wide, unless a word is wider.
fn filled(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if measure_text_width(line) + 1 + measure_text_width(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines
}
