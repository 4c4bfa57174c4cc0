//! Decoders that panic on damaged input.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::path::Path;
use std::sync::Once;

use super::format::{Format, damaged};
use crate::Result;

thread_local! {
    /// Whether this thread is within a decoder.
    static WITHIN: Cell<bool> = const { Cell::new(false) };
}

/// Runs a decoder. Its panic on damaged input becomes an error, and is not reported otherwise: the
/// process's panic hook is called for all other panics alone.
pub(super) fn guarded<T>(
    path: &Path,
    format: Format,
    decode: impl FnOnce() -> Result<T>,
) -> Result<T> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let others = take_hook();
        set_hook(Box::new(move |panic| {
            if !WITHIN.try_with(Cell::get).unwrap_or(false) {
                others(panic);
            }
        }));
    });
    let outer = WITHIN.replace(true);
    let result = catch_unwind(AssertUnwindSafe(decode));
    WITHIN.set(outer);
    result.unwrap_or_else(|_| Err(damaged(path, format, "the file is damaged")))
}
