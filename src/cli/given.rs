//! The recordings that a command line gives: files, folders, patterns such as `'*.wav'`, and standard input.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use sori_datasets::audio::{EXTENSIONS, has_audio_extension};
use tempfile::NamedTempFile;

use crate::{Error, Result};

/// A recording that is given.
pub(super) enum Recording {
    File(PathBuf),
    /// Standard input, kept in a file, because most formats are not read from front to back.
    StandardInput(NamedTempFile),
}

impl Recording {
    /// The file to read.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::StandardInput(file) => file.path(),
        }
    }

    /// What it is called: its path, or `-`.
    pub(super) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::StandardInput(_) => "-".to_string(),
        }
    }

    /// What is said of it, in the words of a person who does not know of the file behind standard input.
    pub(super) fn said(&self, error: &Error) -> String {
        let said = error.to_string();
        match self {
            Self::File(_) => said,
            Self::StandardInput(file) => {
                let path = file.path().display().to_string();
                said.replace(&path, "standard input")
            }
        }
    }
}

/// The recordings that these words name, in the order of the words. Those of a folder, and of the folders
/// in it, are in the order of their paths.
///
/// # Errors
/// When a folder holds no recordings, a pattern finds none, or standard input cannot be read.
pub(super) fn recordings(words: &[PathBuf]) -> Result<Vec<Recording>> {
    let mut found = Vec::new();
    let mut is_read = false;
    for word in words {
        if word.as_os_str() == "-" {
            if std::mem::replace(&mut is_read, true) {
                return Err(Error::Input(
                    "standard input (-) is given twice; it can be read once".to_string(),
                ));
            }
            found.push(Recording::StandardInput(standard_input()?));
        } else if word.is_dir() {
            found.extend(of_folder(word)?.into_iter().map(Recording::File));
        } else if let (false, Some(pattern)) = (word.exists(), pattern(word)) {
            found.extend(of_pattern(pattern)?.into_iter().map(Recording::File));
        } else {
            found.push(Recording::File(word.clone()));
        }
    }
    Ok(found)
}

/// A word as a pattern, if it has what patterns have.
fn pattern(word: &Path) -> Option<&str> {
    word.to_str().filter(|word| word.contains(['*', '?', '[']))
}

fn of_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    look_into(folder, &mut found)?;
    if found.is_empty() {
        return Err(Error::Input(format!(
            "{} holds no recordings (*.{})",
            folder.display(),
            EXTENSIONS.join(", *.")
        )));
    }
    found.sort_unstable();
    Ok(found)
}

/// Adds the recordings of a folder, and of those in it; not of folders that are hidden or links.
fn look_into(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let failed = Error::io("cannot read the folder", folder);
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    for entry in entries.map_err(failed)? {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            look_into(&path, found)?;
        } else if has_audio_extension(&path) && !path.is_dir() {
            found.push(path);
        }
    }
    Ok(())
}

/// The recordings that a pattern finds, and those of folders that it finds.
fn of_pattern(pattern: &str) -> Result<Vec<PathBuf>> {
    let options = glob::MatchOptions {
        require_literal_leading_dot: true,
        ..glob::MatchOptions::new()
    };
    let paths = glob::glob_with(pattern, options).map_err(|error| {
        Error::Input(format!(
            "{pattern}: there is no such file, and as a pattern it is wrong: {error}"
        ))
    })?;
    let mut found = Vec::new();
    for path in paths {
        let path = path.map_err(|error| Error::Input(format!("{pattern}: {error}")))?;
        if path.is_dir() {
            look_into(&path, &mut found)?;
        } else if has_audio_extension(&path) {
            found.push(path);
        }
    }
    // A pattern such as `**` finds a folder and what is in it.
    found.sort_unstable();
    found.dedup();
    if found.is_empty() {
        return Err(Error::Input(format!(
            "{pattern}: no recordings (*.{}) are there",
            EXTENSIONS.join(", *.")
        )));
    }
    Ok(found)
}

/// All that standard input holds.
fn standard_input() -> Result<NamedTempFile> {
    let failed = |error| Error::Io {
        action: "cannot read",
        path: "standard input".into(),
        source: error,
    };
    let mut input = io::stdin().lock();
    if input.is_terminal() {
        return Err(Error::Input(
            "standard input (-) is a terminal; a wav, flac, ogg vorbis, mp3 or m4a file was expected, such as \
             `< new.wav`"
                .to_string(),
        ));
    }
    let mut file = NamedTempFile::new().map_err(failed)?;
    io::copy(&mut input, &mut file).map_err(failed)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(words: &[PathBuf]) -> Vec<String> {
        let found = recordings(words).unwrap();
        let name = |it: &Recording| {
            it.path()
                .file_name()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        };
        found.iter().map(name).collect()
    }

    #[test]
    fn folders_and_patterns_give_their_recordings_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("in/.hidden")).unwrap();
        for name in [
            "b.wav",
            "a.FLAC",
            "notes.txt",
            "in/c.mp3",
            "in/.d.wav",
            "in/.hidden/e.wav",
            "x[1].wav",
        ] {
            std::fs::write(at(name), b"").unwrap();
        }
        let whole = ["a.FLAC", "b.wav", "c.mp3", "x[1].wav"];
        assert_eq!(names(&[folder.path().to_path_buf()]), whole);
        assert_eq!(names(&[at("**")]), ["c.mp3"]);
        assert_eq!(names(&[at("*")]), whole);
        assert_eq!(
            names(&[at("*.wav"), at("b.wav")]),
            ["b.wav", "x[1].wav", "b.wav"]
        );
        // A file of such a name is itself.
        assert_eq!(names(&[at("x[1].wav")]), ["x[1].wav"]);
        // What is not there is found out when it is read.
        assert_eq!(names(&[at("gone.wav")]), ["gone.wav"]);
        for (nothing, says) in [("*.ogg", "no recordings"), ("[", "as a pattern")] {
            let error = recordings(&[at(nothing)]).err().unwrap().to_string();
            assert!(error.contains(says), "{error}");
        }
        std::fs::create_dir(at("empty")).unwrap();
        let error = recordings(&[at("empty")]).err().unwrap().to_string();
        assert!(error.contains("holds no recordings"), "{error}");
    }
}
