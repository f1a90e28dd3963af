//! Opening, checking and creating the file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cabotage_core::{Result, Timestamp};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior, params};

use super::error::{Failure, of_io};
use super::former::beside;
use super::lock::private_file;
use super::{JobIdentity, sql};

/// The schema that this program writes; `PRAGMA user_version`.
pub(super) const VERSION: i64 = 3;
/// "CABT": marks the file as a ledger; `PRAGMA application_id`.
pub(super) const APPLICATION_ID: i64 = 0x4341_4254;
/// Files up to this size are checked whole on opening; a larger one is checked page by page as it is read.
const CHECKED_WHOLE: u64 = 256 << 20;
const BUSY: Duration = Duration::from_secs(20);

const SCHEMA: &str = include_str!("schema_3.sql");
const VIEWS: &str = include_str!("views_3.sql");
/// What turns a file of format 1 into one of format 2, but for the views.
const FROM_1: &str = include_str!("migrate_1_2.sql");
/// What turns a file of format 2 into one of format 3, but for the views.
const FROM_2: &str = include_str!("migrate_2_3.sql");

/// Opens the file for the writer: creates it where there is none, and checks that it is sound, of a known version
/// and of this job.
pub(super) fn open_for_writing(path: &Path, job: &JobIdentity, former: &JobIdentity) -> Result<Connection> {
    if !path.exists() {
        create_file(path, job)?;
    }
    let mut conn = connect(path)?;
    prepare(&mut conn, path, job, former).map_err(|failure| failure.at(path))?;
    Ok(conn)
}

/// Opens the file a second time, for queries alone.
pub(super) fn open_for_reading(path: &Path) -> Result<Connection> {
    let conn = connect(path)?;
    conn.pragma_update(None, "query_only", true)
        .map_err(|e| Failure::of("opening the ledger", &e).at(path))?;
    Ok(conn)
}

/// Makes the ledger under another name and renames it when it is whole: an empty file under the ledger's name is damage, never
/// a beginning.
fn create_file(path: &Path, job: &JobIdentity) -> Result<()> {
    let (new, conn) = begin(path, job)?;
    conn.close().map_err(|(_, e)| Failure::of("creating the ledger", &e).at(&new))?;
    put_in_place(&new, path)
}

/// Begins a ledger under the name that it has until it is whole. The empty file comes first, so that SQLite gives its side files
/// the same permissions.
pub(super) fn begin(path: &Path, job: &JobIdentity) -> Result<(PathBuf, Connection)> {
    let new = beginning(path)?;
    private_file(&new).map_err(|e| of_io("creating the ledger", &new, e))?;
    let mut conn = connect(&new)?;
    create(&mut conn, job).map_err(|e| Failure::of("creating the ledger", &e).at(&new))?;
    Ok((new, conn))
}

/// The name that a ledger has until it is whole. What is left there is removed.
pub(super) fn beginning(path: &Path) -> Result<PathBuf> {
    let new = path.with_extension("sqlite-new");
    for left in [new.clone(), beside(&new, "-journal"), beside(&new, "-wal"), beside(&new, "-shm")] {
        match std::fs::remove_file(&left) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(of_io("removing what is left of a creation", &left, e));
            }
            _ => {}
        }
    }
    Ok(new)
}

/// Gives a ledger that is whole its name.
pub(super) fn put_in_place(new: &Path, path: &Path) -> Result<()> {
    std::fs::rename(new, path).map_err(|e| of_io("creating the ledger", path, e))?;
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        std::fs::File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|e| of_io("making the new ledger durable", folder, e))?;
    }
    Ok(())
}

pub(super) fn connect(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let settle = |conn: &Connection| -> rusqlite::Result<()> {
        conn.busy_timeout(BUSY)?;
        conn.set_prepared_statement_cache_capacity(32);
        conn.pragma_update(None, "trusted_schema", false)?;
        conn.pragma_update(None, "cell_size_check", true)
    };
    Connection::open_with_flags(path, flags)
        .and_then(|conn| settle(&conn).map(|()| conn))
        .map_err(|e| Failure::of("opening the ledger", &e).at(path))
}

fn prepare(
    conn: &mut Connection,
    path: &Path,
    job: &JobIdentity,
    former: &JobIdentity,
) -> Result<(), Failure> {
    if is_empty(conn).map_err(|e| Failure::of("reading the ledger", &e))? {
        return Err(Failure::corrupt("the ledger is empty: something has cut it off".to_owned()));
    }
    check_version(conn)?;
    check_sound(conn, path)?;
    configure(conn).map_err(|e| Failure::of("preparing the ledger", &e))?;
    check_job(conn, job, former)?;
    convert(conn)
}

/// Brings a file of an older format to this one, in one transaction: a file is of the old format or of the new one.
fn convert(conn: &mut Connection) -> Result<(), Failure> {
    let converting = |e: rusqlite::Error| Failure::of("converting the ledger from an older format", &e);
    let steps = match number(conn, "user_version").map_err(converting)? {
        1 => [FROM_1, FROM_2].as_slice(),
        2 => &[FROM_2],
        _ => return Ok(()),
    };
    let change = |conn: &mut Connection| -> rusqlite::Result<()> {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Exclusive)?;
        steps.iter().try_for_each(|step| tx.execute_batch(step))?;
        tx.execute_batch(VIEWS)?;
        tx.pragma_update(None, "user_version", VERSION)?;
        tx.commit()
    };
    change(conn).map_err(converting)
}

/// Durable commits, readers that don't wait for the writer, and a log that doesn't grow for ever.
fn configure(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    // macOS alone: an fsync that reaches the disk, not only its cache.
    conn.pragma_update(None, "fullfsync", true)?;
    conn.pragma_update(None, "cache_size", -16_384)?;
    conn.pragma_update_and_check(None, "journal_size_limit", 64 << 20, |row| row.get::<_, i64>(0)).map(|_| ())
}

pub(super) fn number(conn: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    conn.pragma_query_value(None, pragma, |row| row.get(0))
}

fn is_empty(conn: &Connection) -> rusqlite::Result<bool> {
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0 && number(conn, "application_id")? == 0 && number(conn, "user_version")? == 0)
}

pub(super) fn check_version(conn: &Connection) -> Result<(), Failure> {
    let reading = |e: rusqlite::Error| Failure::of("reading the ledger's version", &e);
    if number(conn, "application_id").map_err(reading)? != APPLICATION_ID {
        return Err(Failure::conflict(
            "the file is a database, but no ledger of this program".to_owned(),
            "move it away, or name another state folder with --state",
        ));
    }
    match number(conn, "user_version").map_err(reading)? {
        1..=VERSION => Ok(()),
        newer if newer > VERSION => Err(Failure::conflict(
            format!(
                "a newer version of this program wrote the ledger (format {newer}; this one knows up to {VERSION})"
            ),
            "use that version or a newer one; don't delete the file, which tells what is done",
        )),
        other => Err(Failure::corrupt(format!("the ledger says that it has format {other}"))),
    }
}

/// SQLite's own check of every page, for a file small enough.
fn check_sound(conn: &Connection, path: &Path) -> Result<(), Failure> {
    if std::fs::metadata(path).map_or(0, |meta| meta.len()) > CHECKED_WHOLE {
        return Ok(());
    }
    let found: String = conn
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|e| Failure::of("checking the ledger", &e))?;
    if found == "ok" { Ok(()) } else { Err(Failure::corrupt(format!("the ledger is damaged: {found}"))) }
}

fn create(conn: &mut Connection, job: &JobIdentity) -> rusqlite::Result<()> {
    conn.pragma_update(None, "page_size", 8192)?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "fullfsync", true)?;
    let tx = conn.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    tx.execute_batch(SCHEMA)?;
    tx.execute_batch(VIEWS)?;
    tx.execute(
        "INSERT INTO job (id, source, destination, created, program) VALUES (1, ?1, ?2, ?3, ?4)",
        params![job.source, job.destination, Timestamp::now().as_millisecond(), env!("CARGO_PKG_VERSION")],
    )?;
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", VERSION)?;
    tx.commit()
}

/// A ledger that was found under the former name is of the former identity, and gets the new one.
fn check_job(conn: &mut Connection, job: &JobIdentity, former: &JobIdentity) -> Result<(), Failure> {
    let stored = sql::job(conn).optional().map_err(|e| Failure::of("reading the ledger's job", &e))?;
    match stored {
        Some(stored) if stored == *job => Ok(()),
        Some(stored) if stored == *former => conn
            .execute(
                "UPDATE job SET source = ?1, destination = ?2 WHERE id = 1",
                params![job.source, job.destination],
            )
            .map(|_| ())
            .map_err(|e| Failure::of("recording the job", &e)),
        Some(stored) => Err(Failure::conflict(
            format!(
                "the file is the ledger of another job: from {} to {}, not from {} to {}",
                stored.source, stored.destination, job.source, job.destination
            ),
            "somebody has renamed or copied it: give it back its own name, or name another folder with --state",
        )),
        None => Err(Failure::corrupt("the ledger doesn't say to which job it belongs".to_owned())),
    }
}
