//! Tests of the documentation's commands.

use std::path::{Path, PathBuf};

use sori_datasets::Spec;
use sori_models::catalogue;

use clap::error::ErrorKind;

use super::*;
use crate::Settings;

/// The `sori` commands of a page: those of its blocks of shell commands, with variables inserted, and
/// those between backquotes.
fn commands(page: &str) -> Vec<Vec<String>> {
    let mut lines = Vec::new();
    let mut variables = Vec::new();
    for (index, part) in page.split("```").enumerate() {
        if index % 2 == 0 {
            let quoted = part.split('`').skip(1).step_by(2);
            lines.extend(quoted.map(|code| code.replace('\n', " ")));
        } else if let Some(block) = part.strip_prefix("sh\n") {
            lines.extend(block.replace("\\\n", " ").lines().map(String::from));
        }
    }
    let mut commands = Vec::new();
    for mut line in lines {
        if let Some((name, value)) = line.split_once("='")
            && name.chars().all(char::is_alphabetic)
        {
            variables.push((format!("${name}"), value.trim_end_matches('\'').to_owned()));
            continue;
        }
        for (name, value) in &variables {
            line = line.replace(name, value);
        }
        let words = shlex::split(&line).unwrap_or_default();
        let parts = words.split(|word| ["|", "&&", ";"].contains(&word.as_str()));
        commands.extend(
            parts
                .filter(|part| part.len() > 1 && part[0] == "sori")
                .map(<[String]>::to_vec),
        );
    }
    commands
}

/// A command line as `main` reads it.
fn parsed(
    words: impl IntoIterator<Item = impl Into<std::ffi::OsString> + Clone>,
) -> std::result::Result<Cli, clap::Error> {
    Cli::from_arg_matches(&command::parse(whole_command(), words)?)
}

/// Checks that a command can be run, if the recordings and runs it names exist.
fn check(words: &[String]) -> Result<()> {
    let cli = match parsed(words) {
        Ok(cli) => cli,
        Err(error) if error.kind() == ErrorKind::DisplayHelp => return Ok(()),
        Err(error) => return Err(Error::Input(error.to_string())),
    };
    let settings = |model: &str, run: &run_args::RunArgs| {
        let specs = [&run.data, &run.valid_data, &run.test_data];
        for spec in specs.into_iter().flatten() {
            spec.parse::<Spec>()?;
        }
        let data = run.data.as_deref().unwrap_or("synth:dtmf");
        run.settings_over(&cli.common, Settings::new(model, data, 16_000)?, data)
    };
    match &cli.command {
        Command::Train(args) => match &args.model {
            Some(model) => settings(model, &args.run).map(drop),
            None => Ok(()),
        },
        Command::Compare(args) => {
            let base = settings(&args.model, &args.run)?;
            args.ways(&base).map(drop)
        }
        Command::Tune(args) => settings(&args.model, &args.run).map(drop),
        Command::Settings(args) => match &args.model {
            Some(model) => settings(model, &args.run).map(drop),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

#[test]
fn the_commands_of_the_pages_can_be_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
        .map(PathBuf::from)
        .to_vec();
    for folder in ["docs", "docs/decisions", "docs/course", "docs/course/ko"] {
        let entries = std::fs::read_dir(root.join(folder)).unwrap();
        let paths = entries.map(|entry| Path::new(folder).join(entry.unwrap().file_name()));
        pages.extend(paths.filter(|path| path.extension().is_some_and(|it| it == "md")));
    }
    let mut checked = 0;
    let mut wrong = Vec::new();
    for page in pages {
        let text = std::fs::read_to_string(root.join(&page)).unwrap();
        let page = page.display();
        for words in commands(&text) {
            // Only named, without arguments.
            if words.len() == 2 || words[2..] == ["train"] || words[2..] == ["RUN"] {
                continue;
            }
            if words.iter().any(|word| word == "x=1") {
                // An example of an error, which lists all settings.
                assert!(check(&words).is_err());
                continue;
            }
            if let Err(error) = check(&words) {
                wrong.push(format!("{page}: {}: {error}", words.join(" ")));
            }
            checked += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > 100, "{checked}");
}

/// The code, commands, outputs and equations of a page: its blocks between fences.
fn blocks(page: &str) -> Vec<&str> {
    page.split("```").skip(1).step_by(2).collect()
}

/// The pages of the course, in English and in Korean, with their names.
fn course() -> Vec<(String, [String; 2])> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/course");
    let names = std::fs::read_dir(&folder).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let pages = names.filter(|name| name.ends_with(".md"));
    let read = |path: PathBuf| std::fs::read_to_string(&path).unwrap();
    pages
        .map(|name| {
            let texts = [folder.join(&name), folder.join("ko").join(&name)].map(read);
            (name, texts)
        })
        .collect()
}

#[test]
fn the_korean_course_has_the_code_and_outputs_of_the_english_one() {
    let pages = course();
    assert_eq!(pages.len(), 11);
    for (name, [english, korean]) in pages {
        assert_eq!(blocks(&english), blocks(&korean), "{name}");
    }
}

#[test]
fn the_code_the_course_quotes_stands_in_the_lecture_notebook() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/lecture_notebook/walk");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let sources: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| words(&std::fs::read_to_string(entry.unwrap().path()).unwrap()))
        .collect();
    let mut quoted = 0;
    for (name, [english, _]) in course() {
        let blocks = blocks(&english).into_iter();
        for code in blocks.filter_map(|block| block.strip_prefix("rust,ignore\n")) {
            let code = words(code);
            assert!(
                sources.iter().any(|it| it.contains(&code)),
                "{name}: {code}"
            );
            quoted += 1;
        }
    }
    assert_eq!(quoted, 3);
}

/// The lines between two marks of a page.
fn marked<'a>(page: &'a str, mark: &str) -> &'a str {
    let begin = format!("<!-- {mark}:begin -->\n");
    let from = page.find(&begin).unwrap() + begin.len();
    &page[from..from + page[from..].find(&format!("<!-- {mark}:end -->")).unwrap()]
}

#[test]
fn the_readme_lists_the_zoo() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("README.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let mut table = "| name | what it is | paper |\n|---|---|---|\n".to_string();
    for card in catalogue() {
        table.push_str(&format!(
            "| `{}` | {}. {} | [{}]({}) |\n",
            card.name, card.title, card.summary, card.paper, card.paper_url
        ));
    }
    let found = marked(&page, "zoo");
    if std::env::var_os("WRITE_PAGES").is_some() {
        return std::fs::write(&path, page.replace(found, &table)).unwrap();
    }
    assert!(
        found == table,
        "the table of README.md is not the registry's; WRITE_PAGES=1 makes this test write it"
    );
}

#[test]
fn values_of_a_recipe_give_way_to_what_contradicts_them() {
    let plain = Settings::new("cnn1d", "synth:dtmf", 8000).unwrap();
    let recipe = "train.best_by = 'last'\naugment.mix.probability = 0.5\naugment.spec_augment.probability = 0.8";
    let start = plain.with_toml(recipe, "recipe").unwrap();
    let with = |sets: &[&str]| {
        let words = sets.iter().flat_map(|set| ["--set", set]);
        let words = ["sori", "train", "cnn1d"].into_iter().chain(words);
        let cli = parsed(words).unwrap();
        let Command::Train(args) = &cli.command else {
            unreachable!("the command is train")
        };
        args.run
            .settings_over(&cli.common, start.clone(), "synth:dtmf")
    };
    let waits = with(&["patience=3"]).unwrap();
    assert_eq!(waits.train.best_by, crate::settings::BestBy::Metric);
    let hides = with(&["adversary_weight=0.1"]).unwrap();
    assert_eq!(hides.augment.mix.probability, 0.0);
    let unmasked = with(&["normalize=none"]).unwrap();
    assert_eq!(unmasked.augment.spec_augment.probability, 0.0);
    // What was asked for is not changed.
    let error = with(&["patience=3", "best_by=last"])
        .unwrap_err()
        .to_string();
    assert!(error.contains("train.best_by"), "{error}");
    let error = with(&["adversary_weight=0.1", "augment.mix.probability=0.5"]);
    assert!(error.unwrap_err().to_string().contains("augment.mix"));
    assert_eq!(with(&["epochs=3"]).unwrap().augment, start.augment);
}

#[test]
fn a_wrong_command_is_found() {
    let page = "```sh\nX='--set epochs=3'\nsori train cnn1d $X \\\n  --set hop=3 # so\n```\n`sori train cnn1d`";
    let found = commands(page);
    assert_eq!(found[0][3..], ["--set", "epochs=3", "--set", "hop=3"]);
    assert!(check(&found[0]).unwrap_err().to_string().contains("hop"));
    check(&found[1]).unwrap();
}

#[test]
fn the_examples_of_the_help_can_be_run() {
    let mut checked = 0;
    let mut left = vec![whole_command()];
    while let Some(command) = left.pop() {
        left.extend(command.get_subcommands().cloned());
        let Some(help) = command.get_after_help() else {
            continue;
        };
        let help = help.to_string().replace(" \\\n    ", " ");
        for line in help.lines().filter(|line| line.starts_with("  ")) {
            // What an example does stands behind it.
            let line = line.trim().split("  ").next().unwrap().to_string();
            for words in commands(&format!("```sh\n{line}\n```")) {
                if words.iter().any(|word| word == "--config") {
                    // The file is made by the command before it.
                    continue;
                }
                check(&words).unwrap_or_else(|error| panic!("{line}: {error}"));
                checked += 1;
            }
        }
    }
    assert!(checked > 25, "{checked}");
}

#[test]
fn the_command_line_is_consistent() {
    whole_command().debug_assert();
}

#[test]
fn general_options_are_taken_where_they_do_nothing() {
    let cli = parsed(["sori", "--json", "models", "--threads", "2", "--skip-bad"]).unwrap();
    assert!(cli.common.json && cli.common.skip_bad);
    assert_eq!(cli.common.threads, Some(2));
    let cli = parsed(["sori", "data", "fetch", "--backend", "ndarray"]).unwrap();
    assert!(cli.common.backend.is_some());
}

#[test]
fn an_option_that_is_a_setting_is_said_to_be_one() {
    for (option, said) in [
        ("--dropout", "'--set model.dropout=…'"),
        ("--workers=2", "'--set train.workers=…'"),
        ("--num-mels", "'--set features.num_mels=…'"),
    ] {
        let error = parsed(["sori", "train", "cnn1d", option, "0.3"]).err();
        let error = error.unwrap().to_string();
        assert!(error.contains(said), "{error}");
    }
    let cli = parsed(["sori", "train", "cnn1d", "--lr", "0.1", "--batch-size", "8"]).unwrap();
    let Command::Train(args) = &cli.command else {
        unreachable!("the command is train")
    };
    let start = Settings::new("cnn1d", "synth:dtmf", 8000).unwrap();
    let settings = args.run.settings_over(&cli.common, start, "synth:dtmf");
    let train = settings.unwrap().train;
    assert_eq!((train.learning_rate, train.batch_size), (0.1, 8));
}
