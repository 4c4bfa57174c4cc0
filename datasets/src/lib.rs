//! Audio corpora, decoding, resampling and features: files in, numbers out.
//!
//! Each step from a file to an example is a module, and each result of a step is a type:
//!
//! ```text
//! path ─audio→ Waveform ─features→ Features [frames, bins] ─pipeline→ Example
//! ```
//!
//! A [`Spec`] names a corpus, [`Corpus::open`] lists its recordings, and a [`Pipeline`] turns each
//! into an [`Example`]. An [`Alphabet`] turns transcripts into symbols and back. Every [`Error`] names
//! the file or field it is about.
//!
//! ```
//! use std::ops::ControlFlow;
//! use sori_datasets::{Corpus, FeatureConfig, Part, Pipeline, prefetch_with, scan};
//!
//! let mut corpus = Corpus::open(&"synth:dtmf?size=32".parse()?)?;
//! corpus.set_aside_valid(0.1, 0);
//!
//! let config = FeatureConfig { sample_rate_hz: 8000, ..FeatureConfig::default() };
//! let pipeline = Pipeline::new(config)?;
//! let (items, seen) = scan(&corpus.items, &pipeline, 2, false, |_| ControlFlow::Continue(()))?;
//! assert_eq!(seen.frames.iter().max(), Some(&101));
//!
//! let train: Vec<_> = items.into_iter().filter(|item| item.part == Part::Train).collect();
//! let loader = pipeline.loader()?;
//! let examples = prefetch_with(train, 2, 8, move || loader.clone(), |loader, item| loader.load(&item));
//! for example in examples {
//!     assert_eq!(example?.features.bins, 40);
//! }
//! # Ok::<(), sori_datasets::Error>(())
//! ```

/// The examples of the package's README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod audio;
pub mod augment;
mod box_muller;
pub mod cache;
pub mod corpus;
mod draw;
mod error;
pub mod features;
mod files;
mod finite;
pub mod item;
mod level;
mod memory;
mod named;
mod part;
pub mod pipeline;
pub mod prefetch;
mod printable;
mod scan;
mod spelling;
pub mod synth;
pub mod text;

pub use audio::Waveform;
pub use augment::{AugmentConfig, Augmentation, Augmenter};
pub use cache::FeatureCache;
pub use corpus::{Corpus, GroupProposal, OpenOptions, Spec, Whole};
pub use error::{Error, Result};
pub use features::{
    BinStats, FeatureConfig, FeatureExtractor, FeatureKind, FeatureStream, Features, SoundFeatures,
};
pub use item::{
    Item, Joined, Mixture, Piece, Rejected, Segment, Source, Target, TargetKind, Voice,
};
pub use memory::AudioMemory;
pub use part::Part;
pub use pipeline::{Example, FeatureLoader, MixedFeatures, Pipeline};
pub use prefetch::{Prefetch, prefetch, prefetch_with};
pub use printable::printable;
pub use scan::{Scan, scan};
pub use spelling::composed;
pub use text::{Alphabet, AlphabetKind, Normalization};
