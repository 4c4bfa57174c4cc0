//! Writes checkpoints while training goes on.

use std::thread::{self, JoinHandle};

use crate::Result;

/// Writes one checkpoint after another on a thread. Dropping it waits for the write in progress.
#[derive(Default)]
pub(super) struct Writer(Option<JoinHandle<Result<()>>>);

impl Writer {
    /// Waits for what was given before, and begins with `work`.
    ///
    /// # Errors
    /// When what was given before could not be written.
    pub(super) fn begin(
        &mut self,
        work: impl FnOnce() -> Result<()> + Send + 'static,
    ) -> Result<()> {
        self.wait()?;
        self.0 = Some(thread::spawn(work));
        Ok(())
    }

    /// Waits until all is written.
    ///
    /// # Errors
    /// When it could not be written.
    pub(super) fn wait(&mut self) -> Result<()> {
        match self.0.take().map(JoinHandle::join) {
            Some(Ok(written)) => written,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(()),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(writing) = self.0.take() {
            // Whoever drops it early returns another error.
            let _ = writing.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, mpsc};

    use super::*;
    use crate::Error;

    #[test]
    fn it_writes_one_after_another_and_all_before_it_is_dropped() {
        let written = Arc::new(AtomicUsize::new(0));
        let mut writer = Writer::default();
        for expected in 0..3 {
            let written = Arc::clone(&written);
            let work = move || {
                assert_eq!(written.fetch_add(1, Ordering::SeqCst), expected);
                Ok(())
            };
            writer.begin(work).unwrap();
        }
        drop(writer);
        assert_eq!(written.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn it_does_not_wait_for_what_it_begins_and_says_later_what_failed() {
        let mut writer = Writer::default();
        let (sender, receiver) = mpsc::channel();
        let work = move || {
            receiver.recv().unwrap();
            Err(Error::Input("the disk is full".to_string()))
        };
        writer.begin(work).unwrap();
        sender.send(()).unwrap();
        let error = writer.begin(|| Ok(())).unwrap_err().to_string();
        assert!(error.contains("the disk is full"), "{error}");
        writer.wait().unwrap();
    }
}
