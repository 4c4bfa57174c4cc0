//! Ctrl-C stops a run after a checkpoint.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

static STOP: AtomicBool = AtomicBool::new(false);

/// The flag that makes training write a checkpoint and stop.
pub(crate) fn stop_flag() -> &'static AtomicBool {
    &STOP
}

/// The flag that Ctrl-C and termination signals set. Training then writes a checkpoint and
/// stops. A second Ctrl-C ends the process at once. The first call installs the handler.
pub fn stop_on_interrupt() -> &'static AtomicBool {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        // Without a handler Ctrl-C just kills, and the last checkpoint counts.
        let _ = ctrlc::set_handler(|| {
            if STOP.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
        });
    });
    stop_flag()
}
