//! Names of entries to paths below a folder.

use std::path::{Component, Path, PathBuf};

/// Longest name of an entry, in bytes, and longest name of a file or folder in it. The latter is
/// what file systems take.
const NAME_BYTES: usize = 1024;
const PART_BYTES: usize = 255;
/// Most folders in which a file may lie.
const DEPTH: usize = 32;

/// The path below `folder` that an entry's name stands for, or what is wrong with the name.
pub(crate) fn path_below(folder: &Path, name: &str) -> Result<PathBuf, &'static str> {
    if name.len() > NAME_BYTES {
        return Err("has a name of more than 1024 bytes");
    }
    let mut path = folder.to_owned();
    // The folders, and the name in the last of them.
    let mut parts = 0;
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err("leads out of the corpus's folder");
            }
        }
        parts += 1;
    }
    if parts > DEPTH + 1 {
        return Err("lies in more than 32 folders");
    }
    if name.contains(['\\', '\0']) || name.split('/').any(is_another_on_windows) {
        return Err("has a name that is another on other systems");
    }
    if name.split('/').any(|part| part.len() > PART_BYTES) {
        return Err("has a part of more than 255 bytes in its name");
    }
    Ok(path)
}

/// Whether Windows takes this for a device, for a stream of another file, or for a name without
/// the dots and spaces at its end.
fn is_another_on_windows(part: &str) -> bool {
    if matches!(part, "" | "." | "..") {
        return false;
    }
    if part.contains(':') || part.ends_with(['.', ' ']) {
        return true;
    }
    let stem = part.split('.').next().unwrap_or(part).trim_end();
    let upper = stem.to_ascii_uppercase();
    match upper.as_str() {
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" => true,
        _ => upper
            .strip_prefix("COM")
            .or(upper.strip_prefix("LPT"))
            .is_some_and(|port| {
                let mut characters = port.chars();
                matches!(
                    (characters.next(), characters.next()),
                    (Some('0'..='9' | '¹' | '²' | '³'), None)
                )
            }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_taken_as_they_are() {
        for name in [
            "toy/one.wav",
            "./toy/one.wav",
            "toy/",
            ".github/x",
            "..x",
            "toy/console",
            "com/lpt",
            "company1",
            "con-1.wav",
            "소리.wav",
        ] {
            let found = path_below(Path::new("into"), name);
            assert!(found.is_ok_and(|path| path.starts_with("into")), "{name}");
        }
    }

    #[test]
    fn names_that_are_others_elsewhere_are_refused() {
        for name in [
            "NUL",
            "toy/con.wav",
            "aux .txt",
            "Com1.wav",
            "lpt9",
            "com²",
            "toy./a",
            "a ",
            "a:b",
            "a\\b",
            "a\0b",
        ] {
            let found = path_below(Path::new("into"), name);
            assert!(
                found.is_err_and(|reason| reason.contains("another on other systems")),
                "{name}"
            );
        }
    }

    #[test]
    fn names_without_end_are_refused() {
        for (name, reason) in [
            ("a/".repeat(600), "1024"),
            ("a/".repeat(34), "32 folders"),
            ("a".repeat(256), "255"),
        ] {
            let found = path_below(Path::new("into"), &name);
            assert!(found.is_err_and(|found| found.contains(reason)), "{reason}");
        }
    }
}
