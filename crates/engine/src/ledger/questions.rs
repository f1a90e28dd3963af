//! What can be asked of the ledger.

use cabotage_core::{Result, Timestamp};

use super::sql;
use crate::{DonePart, Intent, Ledger, LedgerCounts, LoggedChange, OpenUpload, Row, RunRecord, Trouble};

/// Questions. Each sees what was recorded before it was asked, and fails with `LedgerCorrupt` when the file is damaged.
impl Ledger {
    /// Up to `limit` rows by the bytes of their names, from the first after that name (exclusive).
    ///
    /// # Errors
    /// `LedgerCorrupt` when the file is damaged, and other failures of SQLite.
    pub async fn rows_after(&self, after: Option<&str>, limit: usize) -> Result<Vec<Row>> {
        let after = after.map(str::to_owned);
        self.ask(move |conn| sql::rows_after(conn, after.as_deref(), limit)).await
    }

    /// The row of that name.
    ///
    /// # Errors
    /// As [`rows_after`](Self::rows_after).
    pub async fn row(&self, name: &str) -> Result<Option<Row>> {
        let name = name.to_owned();
        self.ask(move |conn| sql::row(conn, &name)).await
    }

    /// All intents, by name. At the start of a run: those left by a run that died.
    ///
    /// # Errors
    /// As [`rows_after`](Self::rows_after).
    pub async fn intents(&self) -> Result<Vec<Intent>> {
        self.ask(sql::intents).await
    }

    /// All uploads that were started and not ended, by name.
    ///
    /// # Errors
    /// As [`rows_after`](Self::rows_after).
    pub async fn uploads(&self) -> Result<Vec<OpenUpload>> {
        self.ask(sql::uploads).await
    }

    /// The upload of that name that was started and not ended.
    ///
    /// # Errors
    /// As [`rows_after`](Self::rows_after).
    pub async fn upload(&self, name: &str) -> Result<Option<OpenUpload>> {
        let name = name.to_owned();
        self.ask(move |conn| sql::upload(conn, &name)).await
    }

    /// The parts of that object's open upload that the destination has taken, by number.
    ///
    /// # Errors
    /// As [`rows_after`](Self::rows_after).
    pub async fn parts(&self, name: &str) -> Result<Vec<DonePart>> {
        let name = name.to_owned();
        self.ask(move |conn| sql::parts(conn, &name)).await
    }

    /// Up to `limit` troubles by the bytes of their names, from the first after that name (exclusive).
    ///
    /// # Errors
    /// As [`rows_after`](Self::rows_after).
    pub async fn troubles_after(&self, after: Option<&str>, limit: usize) -> Result<Vec<Trouble>> {
        let after = after.map(str::to_owned);
        self.ask(move |conn| sql::troubles_after(conn, after.as_deref(), limit)).await
    }

    /// Whether there is any trouble.
    ///
    /// # Errors
    /// As [`rows_after`](Self::rows_after).
    pub async fn has_troubles(&self) -> Result<bool> {
        self.ask(sql::has_troubles).await
    }

    /// All runs, the oldest first.
    ///
    /// # Errors
    /// As [`rows_after`](Self::rows_after).
    pub async fn runs(&self) -> Result<Vec<RunRecord>> {
        self.ask(sql::runs).await
    }

    /// The log of changes, the oldest first.
    ///
    /// # Errors
    /// As [`rows_after`](Self::rows_after).
    pub async fn changes(&self) -> Result<Vec<LoggedChange>> {
        self.ask(sql::changes).await
    }

    /// When the job was closed, if it is.
    ///
    /// # Errors
    /// As [`rows_after`](Self::rows_after).
    pub async fn closed(&self) -> Result<Option<Timestamp>> {
        self.ask(sql::closed).await
    }

    /// Counts what is there: reads every row, a second or so for each million.
    ///
    /// # Errors
    /// As [`rows_after`](Self::rows_after).
    pub async fn counts(&self) -> Result<LedgerCounts> {
        self.ask(sql::counts).await
    }
}
