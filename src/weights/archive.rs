//! Members of wheels and other zip archives, unpacked within limits.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use zip::ZipArchive;

use super::stored::bad;
use crate::{Error, Result};

/// The largest member that is unpacked, in bytes.
const MAX_MEMBER: u64 = 4 << 30;
/// A member larger than this must not have been packed to less than a share of its size.
const SUSPICIOUS: u64 = 64 << 20;
/// Weights hardly pack; 100 times is for files made to fill a disk.
const MAX_RATIO: u64 = 100;
/// Members that an error lists.
const LISTED: usize = 12;

/// A file of weights on this machine, and where it came from.
pub(super) struct Located {
    name: String,
    path: PathBuf,
    archive: Option<(PathBuf, String, TempDir)>,
}

/// Finds `file`, which may be `ARCHIVE#MEMBER`; the member is unpacked to a temporary file.
///
/// # Errors
/// When it is not there, or the member is not a plain file within the limits.
pub(super) fn locate(file: &Path) -> Result<Located> {
    let name = file.display().to_string();
    if file.is_file() {
        if let Some(members) = members(file) {
            return Err(bad(
                &name,
                format!(
                    "this is an archive; say which file of it, as {name}#MEMBER: {}",
                    listed(&members)
                ),
            ));
        }
        return Ok(Located {
            name,
            path: file.to_path_buf(),
            archive: None,
        });
    }
    let Some((archive, member)) = name.split_once('#') else {
        let reason = match file.is_dir() {
            true => "this is a folder; name the file of weights in it",
            false => "there is no such file",
        };
        return Err(bad(&name, reason));
    };
    let archive = PathBuf::from(archive);
    let folder =
        tempfile::tempdir().map_err(Error::io("cannot make", Path::new("a temporary folder")))?;
    let path = unpack(&archive, member, folder.path(), &name)?;
    let member = member.to_string();
    Ok(Located {
        name,
        path,
        archive: Some((archive, member, folder)),
    })
}

impl Located {
    /// The file as it was named.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where it can be read.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A file in the same folder, or in the same folder of the archive, whose name has `suffix` in place of
    /// `.index`.
    pub(super) fn beside(&self, suffix: &str) -> Result<PathBuf> {
        let swap = |name: &str| {
            let stem = name.strip_suffix(".index").unwrap_or(name);
            format!("{stem}{suffix}")
        };
        match &self.archive {
            None => {
                let name = self.path.file_name().unwrap_or_default().to_string_lossy();
                Ok(self.path.with_file_name(swap(&name)))
            }
            Some((archive, member, folder)) => {
                let member = swap(member);
                let name = format!("{}#{member}", archive.display());
                unpack(archive, &member, folder.path(), &name)
            }
        }
    }
}

/// The members of a zip archive that is not a file of PyTorch; none of another file.
fn members(path: &Path) -> Option<Vec<String>> {
    let mut file = File::open(path).ok()?;
    let mut head = [0; 2];
    file.read_exact(&mut head).ok()?;
    if head != *b"PK" {
        return None;
    }
    let archive = ZipArchive::new(file).ok()?;
    let names = names_of(&archive);
    let is_torch = names
        .iter()
        .any(|name| name == "data.pkl" || name.ends_with("/data.pkl"));
    (!is_torch).then_some(names)
}

/// The members whose names are texts.
fn names_of(archive: &ZipArchive<File>) -> Vec<String> {
    let names = archive.file_names().filter_map(std::result::Result::ok);
    names.map(|name| name.into_owned()).collect()
}

/// The members that could be files of weights, or else all of them.
fn listed(members: &[String]) -> String {
    let ends = [".index", ".safetensors", ".pt", ".pth", ".onnx"];
    let weights = members
        .iter()
        .filter(|name| ends.iter().any(|end| name.ends_with(end)));
    let mut names: Vec<&String> = weights.collect();
    if names.is_empty() {
        names = members.iter().collect();
    }
    names.sort();
    let more = names.len().saturating_sub(LISTED);
    names.truncate(LISTED);
    let names: Vec<&str> = names.into_iter().map(String::as_str).collect();
    match more {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// Unpacks a member into `folder`. Errors call it `name`.
fn unpack(archive: &Path, member: &str, folder: &Path, name: &str) -> Result<PathBuf> {
    let file = File::open(archive).map_err(Error::io("cannot open", archive))?;
    let mut zip = ZipArchive::new(file).map_err(|e| {
        bad(
            &archive.display().to_string(),
            format!("this is no zip archive: {e}"),
        )
    })?;
    if zip.index_for_name(member).is_none() {
        let mut names = names_of(&zip);
        names.sort();
        return Err(bad(
            name,
            format!("the archive has no such file; it has {}", listed(&names)),
        ));
    }
    let mut packed = zip
        .by_name(member)
        .map_err(|e| bad(name, format!("it cannot be unpacked: {e}")))?;
    if packed.is_symlink() {
        return Err(bad(name, "it is a link, which is not followed"));
    }
    if !packed.is_file() {
        return Err(bad(name, "it is a folder; name a file in it"));
    }
    let (size, small) = (packed.size(), packed.compressed_size());
    let unpacks_too_far = || {
        bad(
            name,
            format!(
                "it unpacks from {small} to {size} bytes or more; at most {MAX_MEMBER} are unpacked, and \
                 above {SUSPICIOUS} at most {MAX_RATIO} times what it is packed to"
            ),
        )
    };
    let limit = MAX_MEMBER.min(SUSPICIOUS.max(small.saturating_mul(MAX_RATIO)));
    if size > limit {
        return Err(unpacks_too_far());
    }
    let path = folder.join(Path::new(member).file_name().unwrap_or_default());
    let mut out = File::create(&path).map_err(Error::io("cannot write", &path))?;
    // What the archive says of the size may be wrong.
    let copied = io::copy(&mut Read::by_ref(&mut packed).take(limit + 1), &mut out);
    let copied = copied.map_err(|e| bad(name, format!("it cannot be unpacked: {e}")))?;
    if copied > limit {
        return Err(unpacks_too_far());
    }
    Ok(path)
}
