//! A file of weights in any of the formats: names and shapes at once, values when they are asked for.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use burn::tensor::{DType, TensorData};

use super::archive::{Located, locate};
use super::facts::Facts;
use super::stored::{Element, Place, Span, Stored, Tensors, bad};
use super::{onnx, pytorch, safetensors, tensorflow};
use crate::{Error, Result};

/// More dimensions than any tensor of a network has.
const MAX_DIMENSIONS: usize = 16;

/// The format of a file of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    PyTorch,
    Safetensors,
    TensorFlow,
    Onnx,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PyTorch => "PyTorch",
            Self::Safetensors => "safetensors",
            Self::TensorFlow => "a TensorFlow checkpoint",
            Self::Onnx => "ONNX",
        })
    }
}

/// A file of weights. Only names and shapes are in memory.
pub(crate) struct WeightFile {
    /// The file as it was named, with the member of an archive.
    name: String,
    pub(crate) format: Format,
    tensors: Tensors,
    /// What the file says of the run that it was exported from.
    pub(crate) facts: Option<Facts>,
    /// What was unpacked; removed when this is dropped.
    _located: Located,
}

impl WeightFile {
    /// Opens `file`, a file of weights, or `ARCHIVE#MEMBER`, one within a wheel or another zip archive.
    ///
    /// # Errors
    /// When there is no such file or member, it has none of the formats, or it is damaged: the error
    /// names the file and, where there is one, the tensor.
    pub(crate) fn open(file: &Path) -> Result<Self> {
        let located = locate(file)?;
        let name = located.name().to_string();
        let path = located.path().to_path_buf();
        let format = format_of(&path, &name)?;
        let (tensors, facts) = match format {
            Format::PyTorch => (pytorch::tensors(&path, &name)?, None),
            Format::Safetensors => safetensors::tensors(&path, &name)?,
            Format::Onnx => (onnx::tensors(&path, &name)?, None),
            Format::TensorFlow => (tensorflow::tensors(&located, &name)?, None),
        };
        let file = Self {
            name,
            format,
            tensors,
            facts,
            _located: located,
        };
        for (tensor, stored) in &file.tensors {
            file.check(tensor, stored)?;
        }
        if file.tensors.is_empty() {
            return Err(bad(&file.name, "there is no tensor in it"));
        }
        Ok(file)
    }

    /// The file as it was named, with the member of an archive.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The names of the tensors, sorted.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The shape of the tensor `name`.
    pub(crate) fn shape(&self, name: &str) -> Option<Vec<usize>> {
        let shape = self.tensors.get(name)?.shape.iter();
        // Checked when the file was opened.
        Some(shape.map(|&size| size as usize).collect())
    }

    /// Whether the tensor `name` is a weight by what the file says: floats, and no constant of a computation.
    pub(crate) fn is_weight(&self, name: &str) -> bool {
        let stored = self.tensors.get(name);
        stored.is_some_and(|stored| stored.element.dtype().is_some() && !stored.is_constant)
    }

    /// The values of the tensor `name`, in single precision.
    ///
    /// # Errors
    /// When there is no such tensor, it cannot be read, or it holds anything but finite numbers.
    pub(crate) fn read(&self, name: &str) -> Result<Vec<f32>> {
        let stored = self
            .tensors
            .get(name)
            .ok_or_else(|| self.of(name, "it is not there"))?;
        let Some(dtype) = stored.element.dtype() else {
            let Element::Other(kind, _) = stored.element else {
                return Err(self.of(name, "it holds no numbers"));
            };
            return Err(self.of(name, &format!("it holds {kind}, where weights are floats")));
        };
        let bytes = match &stored.place {
            Place::Torch(tensor) => tensor.read(),
            Place::Bytes(file, span, crc) => read_span(file, *span).and_then(|bytes| {
                let whole = crc.is_none_or(|crc| crc == super::sstable::masked_crc32c(&bytes));
                let damaged = || io::Error::other("its checksum is not that of its values");
                whole.then_some(bytes).ok_or_else(damaged)
            }),
        };
        let bytes = bytes.map_err(|e| self.of(name, &e.to_string()))?;
        let count: usize = self.shape(name).unwrap_or_default().iter().product();
        if Some(bytes.len() as u64) != stored.element.size().map(|size| size * count as u64) {
            return Err(self.of(name, "its values are cut short"));
        }
        let data = TensorData::from_bytes_vec(bytes, [count], dtype).convert_dtype(DType::F32);
        let values: Vec<f32> = data.iter::<f32>().collect();
        match values.iter().find(|value| !value.is_finite()) {
            None => Ok(values),
            Some(value) => Err(self.of(
                name,
                &format!("it holds {value}, which is no finite number"),
            )),
        }
    }

    /// Checks that a tensor's shape is one, and that of its values in the file.
    fn check(&self, name: &str, stored: &Stored) -> Result<()> {
        let shape = &stored.shape;
        if shape.len() > MAX_DIMENSIONS {
            let reason = format!("it has {} dimensions", shape.len());
            return Err(self.of(name, &reason));
        }
        let too_large = || self.of(name, &format!("no file holds its shape {shape:?}"));
        let count = shape.iter().try_fold(1u64, |product, &size| {
            usize::try_from(size).ok()?;
            product.checked_mul(size)
        });
        let count = count.ok_or_else(too_large)?;
        let Some(size) = stored.element.size() else {
            return Ok(());
        };
        let bytes = count.checked_mul(size).ok_or_else(too_large)?;
        if let Place::Bytes(file, span, _) = &stored.place {
            let length = file.metadata().map_err(|e| bad(&self.name, &e))?.len();
            let end = span.start.checked_add(span.len).ok_or_else(too_large)?;
            if end > length {
                let reason = format!(
                    "the file is cut short: it ends at byte {length}, and this tensor at {end}"
                );
                return Err(self.of(name, &reason));
            }
            if bytes != span.len {
                let reason = format!(
                    "its shape {shape:?} takes {bytes} bytes, and the file has {}",
                    span.len
                );
                return Err(self.of(name, &reason));
            }
        }
        Ok(())
    }

    /// The error of a tensor.
    fn of(&self, tensor: &str, reason: &str) -> Error {
        bad(&self.name, format!("tensor {tensor}: {reason}"))
    }
}

fn read_span(file: &File, span: Span) -> io::Result<Vec<u8>> {
    let mut file = file;
    file.seek(SeekFrom::Start(span.start))?;
    let mut bytes = Vec::new();
    file.take(span.len).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The format that a file has by its first and last bytes.
fn format_of(path: &Path, name: &str) -> Result<Format> {
    let read = || -> io::Result<(Vec<u8>, Vec<u8>, u64)> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut head = Vec::new();
        Read::by_ref(&mut file).take(512).read_to_end(&mut head)?;
        file.seek(SeekFrom::Start(length.saturating_sub(8)))?;
        let mut tail = Vec::new();
        file.take(8).read_to_end(&mut tail)?;
        Ok((head, tail, length))
    };
    let (head, tail, length) = read().map_err(|e| bad(name, format!("cannot read it: {e}")))?;
    if length == 0 {
        return Err(bad(name, "the file is empty"));
    }
    let ends_in = |extension: &str| {
        let path = PathBuf::from(name);
        path.extension().is_some_and(|found| found == extension)
    };
    // First, because the length of its header may begin with any byte.
    let header = head.first_chunk().map(|first| u64::from_le_bytes(*first));
    if head.get(8) == Some(&b'{') && header.is_some_and(|header| header < length) {
        return Ok(Format::Safetensors);
    }
    if head.starts_with(b"PK") || head.starts_with(&[0x80]) || head.get(257..262) == Some(b"ustar")
    {
        return Ok(Format::PyTorch);
    }
    if tail == super::sstable::MAGIC.to_le_bytes() {
        return Ok(Format::TensorFlow);
    }
    if head.get(8) == Some(&b'{') {
        return Ok(Format::Safetensors);
    }
    // A model of ONNX begins with its version, field 1.
    if head.first() == Some(&0x08) || ends_in("onnx") {
        return Ok(Format::Onnx);
    }
    let cut = match () {
        () if ends_in("index") => "TensorFlow checkpoint's index",
        () if ends_in("safetensors") => "safetensors file",
        () if ends_in("pt") || ends_in("pth") => "PyTorch file",
        () => {
            return Err(bad(
                name,
                "this is no file of weights; PyTorch's .pt and .pth, safetensors, the .index of a \
                 TensorFlow 2 checkpoint, and ONNX are read, also within a wheel or zip as ARCHIVE#MEMBER",
            ));
        }
    };
    Err(bad(
        name,
        format!("this is not a whole {cut}; its first or last bytes are not those of one"),
    ))
}
