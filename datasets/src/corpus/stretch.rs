//! The part of a file that a line of a manifest is about.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::audio;

/// Lengths in manifests are rounded, often to hundredths: by so much one may differ from the file's.
const ROUNDED_S: f64 = 0.01;

/// The stretch of a file that NeMo's `offset` and `duration` name; all of it without them.
#[derive(Clone, Copy, Default)]
pub(super) struct Stretch {
    pub(super) offset_s: Option<f64>,
    pub(super) duration_s: Option<f64>,
}

impl Stretch {
    /// Its beginning and its length in milliseconds; none if it is the whole file. `lengths_s` keeps
    /// the lengths of files that several lines name.
    pub(super) fn cut(
        self,
        file: &Path,
        lengths_s: &mut HashMap<PathBuf, f64>,
    ) -> Result<Option<(u64, u64)>, String> {
        for (name, value, least) in [
            ("offset", self.offset_s, 0.0),
            ("duration", self.duration_s, f64::MIN_POSITIVE),
        ] {
            if value.is_some_and(|value| !value.is_finite() || value < least) {
                return Err(format!(
                    "\"{name}\" is {}; it must be a number of seconds{}",
                    value.unwrap_or_default(),
                    if least > 0.0 {
                        " above 0"
                    } else {
                        ", 0 or more"
                    }
                ));
            }
        }
        let begin_s = self.offset_s.unwrap_or(0.0);
        // A missing file is told of by whoever needs it.
        if (begin_s == 0.0 && self.duration_s.is_none()) || !file.is_file() {
            return Ok(None);
        }
        let whole_s = match lengths_s.get(file) {
            Some(&known) => known,
            None => {
                let found = audio::length_s(file).map_err(|error| error.to_string())?;
                lengths_s.insert(file.to_owned(), found);
                found
            }
        };
        let end_s = self.duration_s.map_or(whole_s, |length| begin_s + length);
        if begin_s >= whole_s || end_s > whole_s + ROUNDED_S {
            let to = self.duration_s.map_or_else(
                || "the end".to_owned(),
                |length| format!("{} s", begin_s + length),
            );
            return Err(format!(
                "its part of the file, from {begin_s} s to {to}, is beyond its end: it has {whole_s} s"
            ));
        }
        if begin_s == 0.0 && end_s > whole_s - ROUNDED_S {
            return Ok(None);
        }
        // The last millisecond that is there as a whole.
        let whole_ms = (whole_s * 1000.0 + 1e-6).floor();
        let begin_ms = (begin_s * 1000.0).round();
        let length_ms = ((end_s * 1000.0).round().min(whole_ms) - begin_ms).max(0.0);
        if length_ms < 1.0 {
            return Err("its part of the file is shorter than a millisecond".into());
        }
        Ok(Some((begin_ms as u64, length_ms as u64)))
    }
}
