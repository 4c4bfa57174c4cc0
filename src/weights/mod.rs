//! Weights from other programs: a file of PyTorch, safetensors, TensorFlow or ONNX becomes a run.
//!
//! ```text
//! FILE or FILE#MEMBER
//!   │  archive.rs     a member of a wheel or zip, unpacked within limits
//!   │  safetensors.rs (facts.rs), pytorch.rs, tensorflow.rs (sstable.rs), onnx.rs (protobuf.rs)
//!   ▼
//! WeightFile          file.rs, stored.rs: names and shapes; the values of a tensor when they are asked for
//!   │  names.rs       rules: a parameter's path ↔ the name and the layout of its tensor
//!   │  twin.rs        the rules of PyTorch's layers, for every architecture of the zoo
//!   │  map_file.rs    the rules of a TOML file; published.rs those of published models
//!   ▼
//! Plan                plan.rs: which tensor becomes which parameter, and what does not fit
//!   │  layout.rs      transposes, parts of fused tensors, weight norm, …
//!   ▼
//! run folder          import.rs
//! ```

mod archive;
pub(crate) mod facts;
mod file;
pub(crate) mod import;
pub(crate) mod layout;
mod map_file;
pub(crate) mod names;
mod onnx;
pub(crate) mod plan;
mod protobuf;
pub(crate) mod published;
mod pytorch;
mod safetensors;
mod sstable;
mod stored;
mod tensorflow;
pub(crate) mod twin;

pub(crate) use file::WeightFile;
#[cfg(test)]
pub(crate) use import::sha256;
pub(crate) use names::Names;
pub(crate) use safetensors::FACTS;

#[cfg(test)]
pub(crate) mod tests;
