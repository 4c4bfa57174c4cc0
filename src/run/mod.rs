//! The run folder: everything needed to resume, use and understand a run.
//!
//! ```text
//! config.toml          the resolved settings
//! alphabet.json        for transcripts: the symbols, and the normalisation of text
//! run.json             version, task, model, labels, split sizes, seed, backend, parameters
//! splits.json          the recordings of each part
//! skipped.jsonl        recordings left out, and why
//! metrics.jsonl        one line per epoch
//! events.out.tfevents.sori  the same for TensorBoard, if it was asked for
//! checkpoints/         last.safetensors (with optimizer state), best.safetensors
//! result.json          metrics of the best checkpoint, once the run has ended
//! confusion.csv        for classes; rows: true class, columns: predicted class
//! tags.csv             for tags: average precision, area under the curve and threshold of each
//! transcripts.csv      for transcripts: the target and the transcript of each recording, worst first
//! values.csv           for quantities: the target and the estimate of each recording, worst first
//! patches.csv          for patches: grid means of each patch of the part, and of as many generated
//! ```
//!
//! A packed run has `config.toml`, `alphabet.json`, `run.json` and `best.safetensors`.

pub(crate) mod best;
pub(crate) mod checkpoint;
pub(crate) mod claim;
pub(crate) mod folder;
pub(crate) mod info;
pub(crate) mod log;
mod pack;
pub(crate) mod records;
pub(crate) mod splits;
mod tensorboard;
pub(crate) mod zoo;

pub use best::load_weights;
pub use folder::RunFolder;
pub use info::{Imported, RunInfo, SplitSizes};
pub use records::{EpochRecord, RunResult};
pub use zoo::{Figure, Pretrained, pretrained};
