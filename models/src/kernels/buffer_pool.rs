//! A pool of buffers.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Buffers that wait for their next use, the one given back last at the end.
pub(crate) struct Pool<T>(Mutex<Vec<Vec<T>>>);

impl<T> Pool<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<Vec<T>>> {
        // Nothing panics while the lock is held, and any list of buffers is a valid one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
