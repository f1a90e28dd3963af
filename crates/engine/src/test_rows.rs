//! Rows of the ledger for tests.

use cabotage_core::Timestamp;

use crate::{Row, Verdict};

/// A row of that name, of an object that one run has verified.
pub(crate) fn row(name: &str) -> Row {
    Row {
        name: name.to_owned(),
        source_etag: None,
        source_modified: None,
        size: 1,
        sha256: None,
        destination_etag: None,
        destination_version: None,
        attributes: None,
        verdict: Verdict::ServerChecked,
        losses: vec![],
        in_sidecar: false,
        run: 1,
        finished: Timestamp::UNIX_EPOCH,
        attempts: 1,
        started: Timestamp::UNIX_EPOCH,
        destination_attributes: None,
    }
}
