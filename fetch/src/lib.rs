//! Public corpora, from their names to their folders: download, check, unpack.
//!
//! [`fetch`] leaves a corpus in `INTO/NAME`. On the way there it uses, beside that folder:
//!
//! | | |
//! |---|---|
//! | `FILE.part`, `FILE.part.json` | what has arrived of an archive, and of which version of it |
//! | `FILE` | an archive that is whole |
//! | `FILE.damaged` | an archive without a published checksum that could not be unpacked |
//! | `NAME.unpacking` | the corpus, while it is being unpacked |
//! | `NAME.lock` | an empty file, locked while a download is under way; it stays |
//!
//! `NAME` itself appears by a rename, when everything is in it: a folder of that name with the file
//! [`MARKER`] in it is a whole corpus. Whatever interrupts a download, the next one goes on from
//! what is there. An archive that was put beside the folder by hand is used like one that was
//! downloaded.
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

mod catalogue;
mod connection;
mod download;
mod error;
mod fetch;
mod files;
mod marker;
mod options;
mod partial;
mod progress;
mod unpack;
mod verify;

pub use catalogue::{ArchiveFormat, CATALOGUE, Checksum, NOT_OFFERED, PublicArchive, PublicCorpus};
pub use error::{FetchError, Result};
pub use fetch::{corpus, fetch, fetch_corpus};
pub use marker::MARKER;
pub use options::FetchOptions;
pub use progress::{FetchProgress, OnProgress};
