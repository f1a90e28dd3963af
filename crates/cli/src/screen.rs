//! Standard error: lines, above the progress bar where there is one.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::ProgressBar;

/// Standard error, shared by messages, logs and the progress bar. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Screen(Arc<Mutex<Option<ProgressBar>>>);

impl Screen {
    /// Whether a human sits before it.
    pub(crate) fn is_terminal() -> bool {
        io::stderr().is_terminal()
    }

    /// Prints one line. A standard error that can't be written is passed over: there is nowhere to say so.
    pub(crate) fn line(&self, text: &str) {
        self.write(format!("{text}\n").as_bytes());
    }

    /// From now on lines go above that bar.
    pub(crate) fn attach(&self, bar: ProgressBar) {
        *self.lock() = Some(bar);
    }

    /// Removes the bar.
    pub(crate) fn detach(&self) {
        if let Some(bar) = self.lock().take() {
            bar.finish_and_clear();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<ProgressBar>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, bytes: &[u8]) {
        let write = || {
            let mut stderr = io::stderr().lock();
            let _ = stderr.write_all(bytes);
        };
        match &*self.lock() {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}
