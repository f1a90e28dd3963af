//! What can be recorded in the ledger.

use cabotage_core::Result;

use super::writer::Change;
use crate::{DonePart, HashMark, Intent, Ledger, OpenUpload, Row, RunKind, Trouble};

/// Changes. Each is durable when its call returns.
impl Ledger {
    /// Records that a write begins; replaces an older intent of that name.
    ///
    /// # Errors
    /// `TooLarge` for a size above 2⁶³−1, else as every change: `NoSpace`, `LedgerCorrupt`, `LedgerHeld` when another
    /// program writes to the file for long.
    pub async fn intend(&self, intent: Intent) -> Result<()> {
        self.check_size(intent.size)?;
        self.change(Change::Intend(intent)).await
    }

    /// Records that an object is done, and forgets its intent and its trouble in the same transaction.
    ///
    /// # Errors
    /// As [`intend`](Self::intend).
    pub async fn record(&self, row: Row) -> Result<()> {
        self.check_size(row.size)?;
        self.change(Change::Record(row)).await
    }

    /// Forgets an intent: nothing was written. Without effect when there is none.
    ///
    /// # Errors
    /// As [`intend`](Self::intend).
    pub async fn drop_intent(&self, name: &str) -> Result<()> {
        self.change(Change::DropIntent(name.to_owned())).await
    }

    /// Forgets an object and its trouble: it was deleted at the destination. Without effect when there is none.
    ///
    /// # Errors
    /// As [`intend`](Self::intend).
    pub async fn forget(&self, name: &str) -> Result<()> {
        self.change(Change::Forget(name.to_owned())).await
    }

    /// Records an upload, to be called before its first part is sent; replaces an older one of that name and its parts.
    ///
    /// # Errors
    /// As [`intend`](Self::intend).
    pub async fn upload_started(&self, upload: OpenUpload) -> Result<()> {
        self.check_size(upload.size.max(upload.part_size))?;
        self.change(Change::UploadStarted(upload)).await
    }

    /// Records that the destination took a part of that object's upload and, with it, how far the digest of the whole has
    /// got. A mark behind the one that is there is left out.
    ///
    /// # Errors
    /// As [`intend`](Self::intend).
    pub async fn part_done(&self, name: &str, part: DonePart, mark: Option<HashMark>) -> Result<()> {
        self.check_size(part.size)?;
        self.change(Change::PartDone(name.to_owned(), part, mark)).await
    }

    /// Forgets an upload and its parts: it was completed or aborted. Without effect when there is none.
    ///
    /// # Errors
    /// As [`intend`](Self::intend).
    pub async fn upload_ended(&self, name: &str) -> Result<()> {
        self.change(Change::UploadEnded(name.to_owned())).await
    }

    /// Records the latest trouble with an object; replaces an older one.
    ///
    /// # Errors
    /// As [`intend`](Self::intend).
    pub async fn trouble(&self, trouble: Trouble) -> Result<()> {
        self.troubles(vec![trouble], Vec::new()).await
    }

    /// Records troubles and forgets those of the names in `settled`, in one transaction.
    ///
    /// # Errors
    /// As [`intend`](Self::intend).
    pub async fn troubles(&self, found: Vec<Trouble>, settled: Vec<String>) -> Result<()> {
        for trouble in &found {
            self.check_size(trouble.size)?;
        }
        self.change(Change::Troubles(found, settled)).await
    }

    /// Forgets troubles of runs before that one: it has looked at every object that there is.
    ///
    /// # Errors
    /// As [`intend`](Self::intend).
    pub async fn forget_troubles_before(&self, run: i64) -> Result<()> {
        self.change(Change::ForgetTroublesBefore(run)).await
    }

    /// Records that a run begins and gives its number, from 1. Neither the command's text nor the settings (JSON) may
    /// hold a secret. Settings other than those of the run before are logged.
    ///
    /// # Errors
    /// As [`intend`](Self::intend).
    pub async fn start_run(&self, kind: RunKind, command: &str, settings: &str) -> Result<i64> {
        self.apply(Change::StartRun(kind, command.to_owned(), settings.to_owned())).await
    }

    /// Records how far a run has got: JSON.
    ///
    /// # Errors
    /// As [`intend`](Self::intend).
    pub async fn save_progress(&self, run: i64, progress: String) -> Result<()> {
        self.change(Change::SaveProgress(run, progress)).await
    }

    /// Records how a run ended, with its report: JSON without names of objects.
    ///
    /// # Errors
    /// As [`intend`](Self::intend).
    pub async fn finish_run(&self, run: i64, outcome: &str, report: Option<String>) -> Result<()> {
        self.change(Change::FinishRun(run, outcome.to_owned(), report)).await
    }

    /// Marks the job as closed, and logs it. Without effect on a job that is closed.
    ///
    /// # Errors
    /// As [`intend`](Self::intend).
    pub async fn close_job(&self) -> Result<()> {
        self.change(Change::CloseJob).await
    }

    /// Takes that mark back, and logs it. Without effect on a job that is open.
    ///
    /// # Errors
    /// As [`intend`](Self::intend).
    pub async fn reopen_job(&self) -> Result<()> {
        self.change(Change::ReopenJob).await
    }
}
