//! Runs for other programs: weights as safetensors, networks as ONNX.
//!
//! ```text
//! run folder
//!   │  facts.rs        what a file says of the run: labels, alphabet, rate, settings
//!   ├─ tensors.rs      parameters by Sori's names or PyTorch's (src/weights/twin.rs) → safetensors.rs
//!   └─ graphs.rs       the network's own description (models/src/onnx), its inputs and outputs
//!        │  front_end.rs   the features, ahead of it
//!        ▼
//!      model_file.rs   ONNX's messages, by protobuf.rs
//! ```

mod facts;
mod front_end;
mod graphs;
mod model_file;
mod protobuf;
mod safetensors;
mod tensors;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use burn::tensor::backend::{AutodiffBackend, Backend};
use serde::Serialize;
use sori_models::onnx::Port;
use sori_models::{Architecture, ModelConfig};

use crate::backend::{Job, run_on};
use crate::file::write_atomically;
use crate::run::folder::RunFolder;
use crate::{BackendName, Error, Result};

/// What a run is exported as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    /// Safetensors with Sori's own names and layouts.
    Safetensors,
    /// Safetensors with the names and layouts of the architecture's PyTorch twin.
    PytorchNames,
    /// ONNX, from waveforms or from features.
    Onnx {
        /// Whether the features are computed inside.
        with_features: bool,
    },
}

/// A file that was written.
#[derive(Debug, Serialize)]
pub struct Written {
    /// The file.
    pub file: PathBuf,
    /// Its size in bytes.
    pub bytes: usize,
    /// Tensors of safetensors, nodes of a graph.
    pub parts: usize,
    /// The inputs of a graph.
    pub inputs: Vec<&'static str>,
    /// The outputs of a graph.
    pub outputs: Vec<&'static str>,
}

/// Writes the best checkpoint of a run of the zoo to the file `out`; see [`export_as`].
///
/// ```no_run
/// use sori::{BackendName, Export, RunFolder, export};
///
/// let run = RunFolder::open("runs/mine".as_ref())?;
/// let onnx = Export::Onnx { with_features: true };
/// export(&run, onnx, "mine.onnx".as_ref(), BackendName::default())?;
/// # Ok::<(), sori::Error>(())
/// ```
///
/// # Errors
/// Those of [`export_as`].
pub fn export(
    run: &RunFolder,
    export: Export,
    out: &Path,
    backend: BackendName,
) -> Result<Vec<Written>> {
    struct Work<'a>(&'a RunFolder, Export, &'a Path);
    impl Job for Work<'_> {
        type Output = Result<Vec<Written>>;

        fn run<B: AutodiffBackend>(self, device: &B::Device) -> Self::Output {
            export_as::<ModelConfig, B::InnerBackend>(self.0, self.1, self.2, device)
        }
    }
    run_on(backend, Work(run, export, out))?
}

/// Writes the best checkpoint of a run to the file `out`. Several graphs go to files beside it that are named after
/// it and them, such as `x.listen.onnx`. All are made before the first is written, and each replaces what was
/// there.
///
/// # Errors
/// When the run has no checkpoint yet, cannot be exported so, or a file cannot be written.
pub fn export_as<A: Architecture, B: Backend>(
    run: &RunFolder<A>,
    export: Export,
    out: &Path,
    device: &B::Device,
) -> Result<Vec<Written>> {
    let best = run.best::<B>(device)?;
    let files = match export {
        Export::Safetensors | Export::PytorchNames => {
            let as_pytorch = export == Export::PytorchNames;
            let (bytes, parts) = tensors::file(run, &best.task, as_pytorch)?;
            let written = Written {
                file: out.to_path_buf(),
                bytes: bytes.len(),
                parts,
                inputs: Vec::new(),
                outputs: Vec::new(),
            };
            vec![(written, bytes)]
        }
        Export::Onnx { with_features } => {
            let graphs = graphs::graphs(run, &best, with_features)?;
            let facts = facts::facts(run, &best.task)?;
            let several = graphs.len() > 1;
            let names = |ports: &[Port]| ports.iter().map(|port| port.name).collect();
            let files = graphs.iter().map(|graph| {
                let bytes = model_file::bytes(graph, &facts)?;
                let written = Written {
                    file: match several {
                        true => beside(out, graph.name()),
                        false => out.to_path_buf(),
                    },
                    bytes: bytes.len(),
                    parts: graph.nodes().len(),
                    inputs: names(graph.inputs()),
                    outputs: names(graph.outputs()),
                };
                Ok((written, bytes))
            });
            files.collect::<Result<Vec<_>>>()?
        }
    };
    for (written, bytes) in &files {
        write_atomically(&written.file, bytes)?;
    }
    Ok(files.into_iter().map(|(written, _)| written).collect())
}

/// `x.onnx` as `x.NAME.onnx`.
fn beside(out: &Path, name: &str) -> PathBuf {
    let stem = out.file_stem().unwrap_or_default().to_string_lossy();
    let extension = out.extension().unwrap_or("onnx".as_ref());
    out.with_file_name(format!("{stem}.{name}.{}", extension.to_string_lossy()))
}

/// The error of a run that cannot be exported so.
fn refuse<A: Architecture>(run: &RunFolder<A>, reason: impl std::fmt::Display) -> Error {
    Error::run(run.path(), format!("{}: {reason}", run.info().model))
}
