//! Failures of SQLite and of the file system, by what the user can do about them.

use std::io;
use std::path::Path;

use cabotage_core::{Error, ErrorKind, Operation};
use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_WRITE};

pub(super) const HELP_CORRUPT: &str = "restore the file from a backup, or make it anew from both ends with \
     `cabotage ledger rebuild SOURCE DESTINATION`, which keeps the damaged one beside it";
const HELP_SPACE: &str = "free some space and run again: what is recorded stays valid";
const HELP_ACCESS: &str =
    "check the owner and the permissions of the state folder, or name another with --state";
const HELP_BUSY: &str = "close the other program that has the file open for writing, and run again";
const HELP_DISK: &str = "check the disk that holds the state folder; what is recorded stays valid";
const HELP_DEFECT: &str = "please report this with the text above";

/// A failure that can be told to many callers.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    kind: ErrorKind,
    message: String,
    help: &'static str,
}

impl Failure {
    /// What went wrong inside SQLite while the ledger was `doing` that.
    pub(super) fn of(doing: &str, error: &rusqlite::Error) -> Self {
        let (kind, help) = classify(error);
        Self { kind, message: format!("{doing} failed: {error}"), help }
    }

    pub(super) fn corrupt(message: String) -> Self {
        Self { kind: ErrorKind::LedgerCorrupt, message, help: HELP_CORRUPT }
    }

    /// Somebody else has the file in use.
    pub(super) fn busy(message: &str) -> Self {
        Self { kind: ErrorKind::LedgerHeld, message: message.to_owned(), help: HELP_BUSY }
    }

    pub(super) fn conflict(message: String, help: &'static str) -> Self {
        Self { kind: ErrorKind::LedgerConflict, message, help }
    }

    /// The failure of the ledger in that file.
    pub(super) fn at(&self, path: &Path) -> Error {
        Error::new(self.kind, &self.message)
            .during(Operation::Ledger)
            .about(path.to_string_lossy())
            .help(self.help)
    }
}

/// The kind of a failure of SQLite, and what to do about it.
fn classify(error: &rusqlite::Error) -> (ErrorKind, &'static str) {
    let rusqlite::Error::SqliteFailure(code, _) = error else {
        return match error {
            // A value that is not of its column's type: someone else has written to the file.
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..) => (ErrorKind::LedgerCorrupt, HELP_CORRUPT),
            _ => (ErrorKind::Internal, HELP_DEFECT),
        };
    };
    match code.code {
        ErrorCode::DiskFull => (ErrorKind::NoSpace, HELP_SPACE),
        // Growing the shared-memory index and writing past a quota report no SQLITE_FULL.
        ErrorCode::SystemIoFailure
            if matches!(code.extended_code, SQLITE_IOERR_SHMSIZE | SQLITE_IOERR_WRITE) =>
        {
            (ErrorKind::NoSpace, "free some space (or raise the quota), check the disk, and run again")
        }
        ErrorCode::SystemIoFailure => (ErrorKind::LedgerCorrupt, HELP_DISK),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => (ErrorKind::LedgerCorrupt, HELP_CORRUPT),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
            (ErrorKind::LedgerHeld, HELP_BUSY)
        }
        ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => {
            (ErrorKind::InvalidConfig, HELP_ACCESS)
        }
        _ => (ErrorKind::Internal, HELP_DEFECT),
    }
}

/// The failure of an operation of the file system on `path`.
pub(super) fn of_io(doing: &str, path: &Path, error: io::Error) -> Error {
    let (kind, help) = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (ErrorKind::NoSpace, HELP_SPACE),
        _ => (ErrorKind::InvalidConfig, HELP_ACCESS),
    };
    Error::new(kind, format!("{doing} failed: {error}"))
        .during(Operation::Ledger)
        .about(path.to_string_lossy())
        .help(help)
        .caused_by(error)
}
