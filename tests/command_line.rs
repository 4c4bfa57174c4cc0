//! The transcripts in `command_line/` show what a person sees. Run again, they must be the same.
//! `OVERWRITE=1 cargo test --test command_line` rewrites them. Read them before committing.
//!
//! A block of a transcript is a command after `$ `, its exit code after `? ` unless that is 0, and its
//! output on both streams. `[..]` stands for any text within a line, `...` for any number of lines. The
//! commands of `NAME.trycmd` run one after another in a copy of the folder `NAME.in`.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::process::Command;
use std::thread;

#[test]
fn the_command_line_says_what_its_transcripts_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/command_line");
    let mut transcripts: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "trycmd"))
        .collect();
    transcripts.sort();
    assert!(!transcripts.is_empty());
    let failures: Vec<String> = thread::scope(|scope| {
        let running: Vec<_> = transcripts
            .iter()
            .map(|path| scope.spawn(|| check(path)))
            .collect();
        let each = running.into_iter();
        each.flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Runs the commands of a transcript and returns the differences.
fn check(transcript: &Path) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    copy(&transcript.with_extension("in"), folder.path());
    let text = fs::read_to_string(transcript).unwrap();
    let mut lines = text.lines();
    let mut anew = Vec::new();
    let mut failures = Vec::new();
    while let Some(line) = lines.next() {
        anew.push(line.to_string());
        if line != "```" {
            continue;
        }
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let command = block[0].strip_prefix("$ ").unwrap();
        let code = block.get(1).and_then(|line| line.strip_prefix("? "));
        let mut says = &block[1 + usize::from(code.is_some())..];
        while let [rest @ .., ""] = says {
            says = rest;
        }
        let (found_code, found) = run(command, folder.path());
        let found: Vec<&str> = found.trim_end().lines().collect();
        let same = matches(says, &found);
        if !same || found_code != code.unwrap_or("0") {
            failures.push(format!(
                "{}: $ {command}\n--- says\n{}\n--- exits with {found_code}, prints\n{}\n",
                transcript.file_name().unwrap().display(),
                block[1..].join("\n"),
                found.join("\n"),
            ));
        }
        anew.push(block[0].to_string());
        if found_code != "0" {
            anew.push(format!("? {found_code}"));
        }
        if same {
            anew.extend(says.iter().map(ToString::to_string));
        } else {
            // Lines that still match keep their `[..]`.
            anew.extend(found.iter().map(|line| {
                let kept = says.iter().find(|says| line_matches(says, line));
                kept.unwrap_or(line).to_string()
            }));
        }
        anew.extend([String::new(), "```".to_string()]);
    }
    if std::env::var_os("OVERWRITE").is_some() {
        fs::write(transcript, anew.join("\n") + "\n").unwrap();
    }
    failures
}

/// The exit code of a command, and its output on both streams.
fn run(command: &str, folder: &Path) -> (String, String) {
    let words = shlex::split(command).unwrap();
    assert_eq!(words[0], "sori", "{command}");
    let (mut reader, writer) = io::pipe().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sori"));
    command
        .args(&words[1..])
        .current_dir(folder)
        .stdout(writer.try_clone().unwrap())
        .stderr(writer);
    let mut child = command.spawn().unwrap();
    // It holds the writing ends. Until they close, the reader waits forever.
    drop(command);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    let code = child.wait().unwrap().code();
    (code.map_or("none".to_string(), |c| c.to_string()), text)
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

fn matches(says: &[&str], lines: &[&str]) -> bool {
    match (says, lines) {
        ([], lines) => lines.is_empty(),
        (["...", says @ ..], lines) => {
            (0..=lines.len()).any(|skipped| matches(says, &lines[skipped..]))
        }
        ([first, says @ ..], [line, lines @ ..]) => {
            line_matches(first, line) && matches(says, lines)
        }
        _ => false,
    }
}

fn line_matches(says: &str, line: &str) -> bool {
    match says.split_once("[..]") {
        None => says == line,
        Some((start, rest)) => line.strip_prefix(start).is_some_and(|line| {
            line.char_indices()
                .map(|(at, _)| at)
                .chain([line.len()])
                .any(|at| line_matches(rest, &line[at..]))
        }),
    }
}

#[test]
fn a_wildcard_stands_for_any_text() {
    assert!(line_matches("a[..]c[..]", "abcbcd"));
    assert!(!line_matches("a[..]c", "abcbcd"));
    assert!(matches(&["a", "...", "z"], &["a", "b", "c", "z"]));
    assert!(!matches(&["a", "...", "z"], &["a", "b", "c"]));
}
