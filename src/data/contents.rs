//! Hashes of the files of recordings, which tell whether a recording has changed since its run began.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rayon::prelude::*;
use sori_datasets::Item;

use crate::{Error, Result};

/// Files that are hashed at a time.
const AT_ONCE: usize = 256;
/// Progress is shown from then on.
const SOON: Duration = Duration::from_secs(1);

/// Sixteen hexadecimal digits for each recording, which depend on the contents of its files alone. A
/// synthesised recording has none. Each file is read once, however many recordings are cut from it.
/// `progress` receives the number of files read and the total, if it takes long.
///
/// # Errors
/// When a file cannot be read, or `stop` is set meanwhile.
pub(crate) fn contents(
    items: &[&Item],
    stop: &AtomicBool,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<String>> {
    let mut paths: Vec<&Path> = items.iter().flat_map(|item| paths_of(item)).collect();
    paths.sort_unstable();
    paths.dedup();
    let started = Instant::now();
    let mut hashes = HashMap::with_capacity(paths.len());
    for group in paths.chunks(AT_ONCE) {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Input(
                "interrupted while reading the recordings".to_string(),
            ));
        }
        let hashed = group.par_iter().map(|&path| Ok((path, hash(path)?)));
        hashes.extend(hashed.collect::<Result<Vec<(&Path, blake3::Hash)>>>()?);
        if started.elapsed() > SOON {
            progress(hashes.len(), paths.len());
        }
    }
    Ok(items
        .iter()
        .map(|item| {
            let paths = paths_of(item);
            if paths.is_empty() {
                return String::new();
            }
            let mut hasher = blake3::Hasher::new();
            for path in paths {
                hasher.update(hashes[path].as_bytes());
            }
            hasher.finalize().to_hex()[..16].to_owned()
        })
        .collect())
}

fn paths_of(item: &Item) -> Vec<&Path> {
    let files = item.source.files().into_iter();
    files.map(|(path, _)| path).collect()
}

fn hash(path: &Path) -> Result<blake3::Hash> {
    let cannot = Error::io("cannot read", path);
    let mut hasher = blake3::Hasher::new();
    File::open(path)
        .and_then(|file| hasher.update_reader(file).map(|_| ()))
        .map_err(cannot)?;
    Ok(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use sori_datasets::{Part, Segment, Source, Target};

    use super::*;

    fn contents(items: &[&Item]) -> Result<Vec<String>> {
        super::contents(items, &AtomicBool::new(false), &mut |_, _| ())
    }

    #[test]
    fn a_recording_is_another_if_one_of_its_files_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let item = |source| Item {
            id: "a".to_string(),
            source,
            target: Target::Class(0),
            part: Part::Train,
            group: None,
            domain: None,
        };
        let whole = item(Source::File(path.clone()));
        let part = item(Source::Segment(Segment {
            path: path.clone(),
            start_ms: 0,
            length_ms: 10,
        }));
        std::fs::write(&path, b"one").unwrap();
        let first = contents(&[&whole, &part]).unwrap();
        assert_eq!(first[0], first[1]);
        assert_eq!(first[0].len(), 16);
        std::fs::write(&path, b"two").unwrap();
        assert_ne!(contents(&[&whole]).unwrap()[0], first[0]);
        let gone = item(Source::File(PathBuf::from("not-there.wav")));
        assert!(contents(&[&gone]).is_err());
    }
}
