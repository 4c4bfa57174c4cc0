//! Public corpora, from their names to their folders: download, check, unpack.
//!
//! [`fetch`] leaves a corpus in `INTO/NAME`. On the way there it uses, beside that folder:
//!
//! | | |
//! |---|---|
//! | `FILE.part`, `FILE.part.json` | what has arrived of an archive, and of which version of it |
//! | `FILE` | an archive that is whole |
//! | `FILE.json` | a note that it was downloaded, rather than put there by hand |
//! | `FILE.damaged` | an archive that could not be unpacked, or has changed since it was downloaded |
//! | `NAME.unpacking` | the corpus, while it is being unpacked |
//! | `NAME.lock` | an empty file, locked while a download is under way; it stays |
//!
//! `NAME` itself appears by a rename, when everything is in it: a folder of that name with the file
//! [`MARKER`] in it is a whole corpus. Whatever interrupts a download, the next one goes on from
//! what is there. An archive that was put beside the folder by hand is used like one that was
//! downloaded, and never deleted.
//!
//! Servers and archives are not trusted. Beside the corpus, only plain files are written, and none
//! through a link. Below it, an archive makes files and folders within it and nothing else. What is
//! taken of an archive follows from its size in the catalogue, [`PublicArchive::bytes`]:
//!
//! | | at most |
//! |---|---|
//! | the download | 2 times that size and 16 MiB |
//! | what it is unpacked to | 4 times that size and 16 MiB |
//! | entries | one for each 8 KiB of that size, and 10,000 |
//! | name and headers of an entry of a tar file | 64 KiB |
//! | the directory of a zip file | 128 bytes for each of these entries, and 256 KiB |
//!
//! ```no_run
//! use std::ops::ControlFlow;
//! use std::path::Path;
//! use sori_fetch::{FetchError, FetchOptions, corpus, fetch};
//!
//! let options = FetchOptions::default();
//! let folder = fetch("yesno", Path::new("data"), &options, &mut |_| ControlFlow::Continue(()))?;
//! println!("{}", corpus("yesno")?.spec(&folder)); // yesno:data/yesno/waves_yesno
//! # Ok::<(), FetchError>(())
//! ```

/// The examples of the package's README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod archives;
mod attempt;
mod bounds;
mod catalogue;
mod connection;
mod download;
mod entry_name;
mod error;
mod fetch;
mod files;
mod marker;
mod options;
mod partial;
mod progress;
mod shown;
mod unpack;
#[cfg(test)]
mod unpack_faults;
mod unpack_tar;
mod unpack_zip;
mod unpacker;
mod verify;

pub use catalogue::{ArchiveFormat, CATALOGUE, Checksum, NOT_OFFERED, PublicArchive, PublicCorpus};
pub use error::{FetchError, Result};
pub use fetch::{corpus, fetch, fetch_corpus};
pub use marker::MARKER;
pub use options::FetchOptions;
pub use progress::{FetchProgress, OnProgress};
