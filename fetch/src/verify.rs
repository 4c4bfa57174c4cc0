//! Checksums of files.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use md5::Md5;
use sha2::{Digest, Sha256};

use crate::catalogue::Checksum;
use crate::error::{FetchError, Result};
use crate::progress::{FetchProgress, OnProgress};

const CHUNK_BYTES: usize = 1 << 20;

/// A file's size and checksums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Digests {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    pub(crate) md5: String,
}

impl Digests {
    /// The checksum of this file by the algorithm of the published one, if they differ.
    pub(crate) fn unmet(&self, published: Option<Checksum>) -> Option<&str> {
        let (found, expected) = match published? {
            Checksum::Sha256(digits) => (&self.sha256, digits),
            Checksum::Md5(digits) => (&self.md5, digits),
        };
        (!found.eq_ignore_ascii_case(expected)).then_some(found)
    }
}

/// Reads the file at `path` from beginning to end; `file` is how it is named to `progress`.
pub(crate) fn digests(
    file: &str,
    path: &Path,
    mut opened: File,
    progress: &mut OnProgress<'_>,
) -> Result<Digests> {
    let failed = |error| FetchError::io("read", path, error);
    let total = opened.metadata().map_err(failed)?.len();
    let mut sha256 = Sha256::new();
    let mut md5 = Md5::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut bytes = 0;
    loop {
        if progress(FetchProgress::Verifying { file, bytes, total }).is_break() {
            return Err(FetchError::Stopped);
        }
        let read = match opened.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(error)),
        };
        sha256.update(&chunk[..read]);
        md5.update(&chunk[..read]);
        bytes += read as u64;
    }
    Ok(Digests {
        bytes,
        sha256: hexadecimal(&sha256.finalize()),
        md5: hexadecimal(&md5.finalize()),
    })
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

    use std::ops::ControlFlow;

    use super::*;

    #[test]
    fn checksums_are_those_of_the_standards_examples() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        let opened = File::open(&path).unwrap();
        let go_on = &mut |_: FetchProgress<'_>| ControlFlow::Continue(());
        let found = digests("abc", &path, opened, go_on).unwrap();
        assert_eq!(found.bytes, 3);
        // FIPS 180-2, appendix B.1, and RFC 1321, appendix A.5.
        assert_eq!(
            found.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(found.md5, "900150983cd24fb0d6963f7d28e17f72");
        let met = Checksum::Md5("900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(found.unmet(Some(met)), None);
        assert_eq!(found.unmet(None), None);
        let other = Checksum::Sha256("00");
        assert_eq!(found.unmet(Some(other)), Some(found.sha256.as_str()));
    }
}
