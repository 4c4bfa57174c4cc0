//! Options of a download.

use std::time::Duration;

/// Options of a download.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// An address to download from instead of the published one: that of a folder that holds
    /// the archives under their names, or that of the archive itself if there is only one. The
    /// published checksum still has to be met.
    pub from: Option<String>,
    /// How often in a row a download is taken up again after it was cut off. It counts from the
    /// start when at least 1 MiB has arrived in between. It is also how often a download may
    /// begin anew because the server did not send the rest.
    pub retries: u32,
    /// Time before it is taken up again for the first time; it doubles each time, up to 30 s.
    pub first_pause: Duration,
    /// How long a server may send nothing before the connection counts as cut off.
    pub idle_timeout: Duration,
    /// Keeps the archives once they are unpacked. Those that were put there by hand are always kept.
    pub keep_archives: bool,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            from: None,
            retries: 5,
            first_pause: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(60),
            keep_archives: false,
        }
    }
}
