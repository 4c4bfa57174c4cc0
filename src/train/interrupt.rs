//! Ctrl-C and termination signals stop a run after a checkpoint.

use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Once};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::{register, register_conditional_shutdown, register_usize};

static STOP: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
/// The signal that set the flag.
static SIGNAL: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// SIGHUP, which a terminal sends when it closes.
const HANGUP: i32 = 1;

#[cfg(unix)]
const SIGNALS: &[i32] = &[SIGINT, SIGTERM, HANGUP];
#[cfg(not(unix))]
const SIGNALS: &[i32] = &[SIGINT, SIGTERM];

/// The flag that makes training write a checkpoint and stop.
pub(crate) fn stop_flag() -> &'static AtomicBool {
    &STOP
}

/// The flag that Ctrl-C and termination signals set. Training then writes a checkpoint and
/// stops. A second such signal ends the process at once. The first call installs the handlers.
pub fn stop_on_interrupt() -> &'static AtomicBool {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        for &signal in SIGNALS {
            if is_nohup(signal) {
                continue;
            }
            // In this order, so that the first signal only sets the flags. Without a handler the signal
            // just kills, and the last checkpoint counts.
            let _ = register_conditional_shutdown(signal, 128 + signal, Arc::clone(&STOP));
            let _ = register_usize(signal, Arc::clone(&SIGNAL), signal as usize);
            let _ = register(signal, Arc::clone(&STOP));
        }
    });
    stop_flag()
}

/// Whether this is SIGHUP in a process that was started with it ignored, as by `nohup`. A script's
/// background process is started with SIGINT ignored too, and is stopped by it all the same.
fn is_nohup(signal: i32) -> bool {
    if signal != HANGUP {
        return false;
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (HANGUP - 1) & 1 == 1)
}

/// The exit status of a process that a signal has stopped: 130 after Ctrl-C, 143 after SIGTERM, 129
/// after SIGHUP.
pub(crate) fn exit_status() -> u8 {
    let signal = match SIGNAL.load(Ordering::Relaxed) {
        0 => SIGINT as usize,
        signal => signal,
    };
    u8::try_from(128 + signal).unwrap_or(1)
}

/// Sets the flag when standard input ends, as it does when the process at its other end is killed.
pub(crate) fn stop_with_stdin() {
    let stop = stop_on_interrupt();
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut bytes = [0; 64];
        while stdin.read(&mut bytes).is_ok_and(|count| count > 0) {}
        // Again and again, because a run that begins clears the flag.
        loop {
            stop.store(true, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(100));
        }
    });
}

/// Lets a file that outgrows the limit of the process (`ulimit -f`) be an error of its write, which
/// names the file, rather than the silent end of the process.
pub(crate) fn fail_writes_beyond_the_size_limit() {
    #[cfg(unix)]
    // Without it the process ends, as before.
    let _ = register(signal_hook::consts::SIGXFSZ, Arc::default());
}
