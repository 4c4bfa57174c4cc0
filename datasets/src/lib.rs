//! Audio corpora, decoding, resampling and features: files in, numbers out.
//!
//! Each step from a file to what a model sees is a module, and each thing between two steps a
//! type:
//!
//! ```text
//! path ─audio→ Waveform ─features→ Features [frames, bins] ─pipeline→ Example
//! ```
//!
//! A [`Spec`] names a corpus, [`Corpus::open`] lists its recordings, and a [`Pipeline`] turns each
//! into an [`Example`]. Where the right answer is what was spoken, an [`Alphabet`] turns it into
//! symbols and back. What can go wrong with a file comes back as an [`Error`] that names it.
//!
//! ```
//! use sori_datasets::corpus::{Corpus, Part};
//! use sori_datasets::{FeatureConfig, Pipeline, prefetch_with, scan};
//!
//! let mut corpus = Corpus::open(&"synth:dtmf?size=32".parse()?)?;
//! corpus.set_aside_valid(0.1, 0);
//!
//! let config = FeatureConfig { sample_rate_hz: 8000, ..FeatureConfig::default() };
//! let pipeline = Pipeline::new(config)?;
//! use std::ops::ControlFlow;
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

pub mod audio;
pub mod augment;
pub mod cache;
pub mod corpus;
mod draw;
mod error;
pub mod features;
#[cfg(feature = "fetch")]
pub mod fetch;
mod level;
mod named;
pub mod pipeline;
pub mod prefetch;
pub mod spec;
pub mod synth;
pub mod text;

pub use audio::{AudioMemory, Waveform};
pub use augment::{AugmentConfig, Augmentation, Augmenter};
pub use cache::FeatureCache;
pub use corpus::{
    Corpus, Item, Joined, Mixture, OpenOptions, Part, Piece, Rejected, Segment, Source, Target,
    TaskKind, Voice,
};
pub use error::{Error, Result};
pub use features::{
    BinStats, FeatureConfig, FeatureExtractor, FeatureKind, FeatureStream, Features,
};
pub use pipeline::{Example, Loader, MixedFeatures, Pipeline, Scan, scan};
pub use prefetch::{Prefetch, prefetch, prefetch_with};
pub use spec::Spec;
pub use text::{Alphabet, AlphabetKind, Normalization};
