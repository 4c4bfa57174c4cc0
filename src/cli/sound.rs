//! Live sound, on its way from the thread that reads it.

use std::sync::mpsc::Receiver;

use crate::Result;

/// Pieces of sound, until it ends or fails.
pub(super) type Sound = Receiver<Result<Vec<f32>>>;

/// Number of pieces that may wait for the model. Then the reader waits too.
pub(super) const WAITING: usize = 16;
