//! Ledgers under the name that earlier versions gave them, which held the address of the server.

use std::path::{Path, PathBuf};

use cabotage_core::{Result, Timestamp};

use super::error::{Failure, of_io};
use super::lock::Lock;
use super::schema;

/// Gives a job's ledger its new name, where there is one under the former name and none under the new. The caller holds
/// the lock of the new name; that of the former is held meanwhile.
///
/// SQLite's log is moved into the file first, so that one rename moves all: whatever ends the process, the ledger is whole
/// under the one name or under the other.
///
/// # Errors
/// `LedgerHeld` when a run of an earlier version has it open; `LedgerCorrupt`; `InvalidConfig` when it can't be renamed.
pub(super) fn take_over(former: &Path, now: &Path) -> Result<()> {
    if now.exists() || !former.exists() || former == now {
        return Ok(());
    }
    let _lock = Lock::take(&former.with_extension("lock"))?;
    put_away_log(former)?;
    std::fs::rename(former, now).map_err(|e| of_io("renaming the ledger", former, e))?;
    remove_log(former);
    tracing::info!(from = %former.display(), to = %now.display(), "the ledger has got its new name");
    Ok(())
}

/// Renames a ledger that may be damaged: SQLite is not asked. What it keeps beside the file goes along first, so that no
/// new ledger can find it.
///
/// # Errors
/// `LedgerHeld`; `InvalidConfig` when it can't be renamed.
pub(super) fn put_aside(path: &Path) -> Result<PathBuf> {
    let _lock = Lock::take(&path.with_extension("lock"))?;
    let now = Timestamp::now().strftime("%Y%m%dT%H%M%S").to_string();
    let names = (0..).map(|n| if n == 0 { format!("old-{now}") } else { format!("old-{now}-{n}") });
    let free = names.map(|name| path.with_extension(name)).find(|aside| !aside.exists());
    let aside = free.unwrap_or_else(|| path.with_extension("old"));
    for side in ["-wal", "-shm", ""] {
        let from = beside(path, side);
        if from.exists() {
            std::fs::rename(&from, beside(&aside, side))
                .map_err(|e| of_io("putting the ledger aside", &from, e))?;
        }
    }
    Ok(aside)
}

/// Moves SQLite's log into the file, so that the file alone is the ledger.
///
/// # Errors
/// `LedgerHeld` when somebody who reads it doesn't let that happen; `LedgerCorrupt`; `NoSpace`.
pub(super) fn put_away_log(path: &Path) -> Result<()> {
    let conn = schema::connect(path)?;
    let moving = |e: rusqlite::Error| Failure::of("moving the ledger's log into it", &e).at(path);
    let busy: bool =
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(moving)?;
    if busy {
        return Err(Failure::busy("the ledger's log can't be moved into it while somebody reads it").at(path));
    }
    conn.close().map_err(|(_, error)| moving(error))
}

/// Removes the log of a ledger into which it was moved: empty, and not there at all unless somebody looks into the ledger at this
/// moment.
pub(super) fn remove_log(path: &Path) {
    for side in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(beside(path, side));
    }
}

/// A file of SQLite's beside the database.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
