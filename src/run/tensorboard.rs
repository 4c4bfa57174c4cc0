//! TensorBoard's file of a run: its measurements per epoch, beside `metrics.jsonl`.
//!
//! The file is a sequence of records, each framed by its length and masked checksums (CRC-32C), as TensorFlow's
//! `TFRecord`s are. Each record is a message `Event` of protocol buffers. What stands in it follows from
//! `metrics.jsonl` alone, so that a resumed run writes the file that an uninterrupted one does.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::claim::INFO;
use super::records::EpochRecord;
use crate::file::write_atomically;
use crate::{Error, Result};

/// The file's name. TensorBoard reads files with `tfevents` in theirs.
const NAME: &str = "events.out.tfevents.sori";
/// The version of the format, in the first record.
const VERSION: &str = "brain.Event:2";

/// Appends the measurements of an epoch to the file of the run folder `run`.
///
/// # Errors
/// When it cannot be written.
pub(super) fn append(run: &Path, record: &EpochRecord) -> Result<()> {
    let path = path(run);
    let bytes = epoch(began(run), record);
    let mut file = OpenOptions::new().append(true).open(&path);
    if let Err(error) = &file
        && error.kind() == ErrorKind::NotFound
    {
        // It was removed meanwhile.
        write_atomically(&path, &version(began(run)))?;
        file = OpenOptions::new().append(true).open(&path);
    }
    file.and_then(|mut file| file.write_all(&bytes))
        .map_err(Error::io("cannot write", &path))
}

/// Makes the file of the run folder `run` hold these epochs and no others. What it has of them stays, because
/// TensorBoard may be reading it.
///
/// # Errors
/// When it cannot be read or written.
pub(super) fn keep(run: &Path, epochs: &[EpochRecord]) -> Result<()> {
    let path = path(run);
    let began = began(run);
    let mut wanted = version(began);
    for record in epochs {
        wanted.extend(epoch(began, record));
    }
    let found = match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        found => found.map_err(Error::io("cannot read", &path))?,
    };
    if !found.starts_with(&wanted) {
        return write_atomically(&path, &wanted);
    }
    let file = OpenOptions::new().write(true).open(&path);
    file.and_then(|file| file.set_len(wanted.len() as u64))
        .map_err(Error::io("cannot write", &path))
}

fn path(run: &Path) -> PathBuf {
    run.join(NAME)
}

/// When the run began, in seconds since 1970.
fn began(run: &Path) -> f64 {
    let modified = fs::metadata(run.join(INFO)).and_then(|file| file.modified());
    let since = modified
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0.0, |since| since.as_secs_f64())
}

/// The first record.
fn version(began: f64) -> Vec<u8> {
    let mut event = Vec::new();
    put_double(&mut event, 1, began);
    put_bytes(&mut event, 3, VERSION.as_bytes());
    framed(&event)
}

/// The record of an epoch.
fn epoch(began: f64, record: &EpochRecord) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, value) in scalars(record) {
        let mut scalar = Vec::new();
        put_bytes(&mut scalar, 1, tag.as_bytes());
        put_key(&mut scalar, 2, FIXED_32);
        scalar.extend((value as f32).to_le_bytes());
        put_bytes(&mut summary, 1, &scalar);
    }
    let mut event = Vec::new();
    put_double(&mut event, 1, began + record.seconds);
    put_key(&mut event, 2, VARINT);
    put_varint(&mut event, record.epoch as u64);
    put_bytes(&mut event, 5, &summary);
    framed(&event)
}

/// The measurements of an epoch under the names that TensorBoard groups them by.
fn scalars(record: &EpochRecord) -> Vec<(String, f64)> {
    let mut scalars = vec![
        ("learning_rate".to_string(), record.learning_rate),
        ("loss/train".to_string(), record.train_loss),
    ];
    let measured = [
        ("train/accuracy", record.train_accuracy),
        ("train/blank", record.train_blank),
        ("train/domain_accuracy", record.train_domain_accuracy),
        ("speed/items_per_second", Some(record.items_per_second)),
        ("speed/waited", Some(record.waited)),
    ];
    for (tag, value) in measured {
        scalars.extend(value.map(|value| (tag.to_string(), value)));
    }
    // Once the validation part is learned from, nothing is measured on it.
    if !record.joined {
        scalars.push(("loss/valid".to_string(), record.valid_loss));
        let metrics = record.valid.0.iter();
        scalars.extend(metrics.map(|(name, value)| (format!("valid/{name}"), *value)));
    }
    scalars
}

/// A record: its length, that checked, its content, and that checked.
fn framed(content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u64).to_le_bytes();
    let checked = |bytes: &[u8]| masked(crc32c::crc32c(bytes)).to_le_bytes();
    [&length[..], &checked(&length), content, &checked(content)].concat()
}

/// A checksum as these files keep it, so that one of data with checksums in them is no special one.
fn masked(checksum: u32) -> u32 {
    checksum.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The kinds of fields in protocol buffers.
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const BYTES: u64 = 2;
const FIXED_32: u64 = 5;

fn put_key(message: &mut Vec<u8>, field: u64, kind: u64) {
    put_varint(message, (field << 3) | kind);
}

fn put_double(message: &mut Vec<u8>, field: u64, value: f64) {
    put_key(message, field, FIXED_64);
    message.extend(value.to_le_bytes());
}

fn put_bytes(message: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_key(message, field, BYTES);
    put_varint(message, bytes.len() as u64);
    message.extend(bytes);
}

fn put_varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::metrics::Metrics;

    const BEGAN: f64 = 1_700_000_000.25;

    /// The measurements of `tests/golden/event_file.py`.
    fn epochs() -> [EpochRecord; 2] {
        let first = EpochRecord {
            epoch: 1,
            step: 12,
            learning_rate: 0.001,
            train_loss: 2.5,
            train_accuracy: Some(0.25),
            train_blank: None,
            train_domain_accuracy: None,
            valid_loss: 2.25,
            valid: Metrics::new([("accuracy", 0.5), ("macro_f1", 0.3)]),
            joined: false,
            best: true,
            seconds: 1.5,
            items_per_second: 640.0,
            waited: 0.125,
        };
        let second = EpochRecord {
            epoch: 300,
            learning_rate: 1e-7,
            train_loss: 0.01,
            train_accuracy: Some(1.0),
            joined: true,
            seconds: 90.0,
            items_per_second: 655.5,
            waited: 0.0,
            ..first.clone()
        };
        [first, second]
    }

    #[test]
    fn the_file_is_the_one_that_tensorboard_writes() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/event_file.tfevents");
        let mut written = version(BEGAN);
        for record in epochs() {
            written.extend(epoch(BEGAN, &record));
        }
        assert_eq!(written, fs::read(golden).unwrap());
    }

    #[test]
    fn a_resumed_run_has_each_epoch_once() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        fs::write(run.join(INFO), "{}").unwrap();
        let [first, second] = epochs();
        keep(run, &[]).unwrap();
        append(run, &first).unwrap();
        append(run, &second).unwrap();
        let whole = fs::read(path(run)).unwrap();
        // Stopped between its measurements and its checkpoint, a run trains its last epoch once more.
        keep(run, std::slice::from_ref(&first)).unwrap();
        assert!(whole.starts_with(&fs::read(path(run)).unwrap()));
        append(run, &second).unwrap();
        assert_eq!(fs::read(path(run)).unwrap(), whole);
        // Cut short, or removed.
        fs::write(path(run), &whole[..whole.len() - 5]).unwrap();
        keep(run, &[first.clone(), second.clone()]).unwrap();
        assert_eq!(fs::read(path(run)).unwrap(), whole);
        fs::remove_file(path(run)).unwrap();
        append(run, &second).unwrap();
        keep(run, &[first, second]).unwrap();
        assert_eq!(fs::read(path(run)).unwrap(), whole);
    }
}
