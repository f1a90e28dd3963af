//! Objects that are not done, and counts.

use cabotage_core::ETag;
use rusqlite::{Connection, OptionalExtension as _, Result, Row as SqlRow, params};

use super::values::{
    class_at, etag_at, losses_at, losses_text, moment_at, name_at, signed, size_at, verdict_at,
};
use crate::{Count, LedgerCounts, Trouble};

const COLUMNS: &str = "name, class, kind, message, losses, size, source_etag, attempts, run, at";

pub(in crate::ledger) fn put_trouble(conn: &Connection, trouble: &Trouble) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO trouble (name, class, kind, message, losses, size, source_etag, attempts, run, \
         at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    conn.prepare_cached(sql)?.execute(params![
        trouble.name.as_bytes(),
        trouble.class.as_str(),
        trouble.kind,
        trouble.message,
        losses_text(&trouble.losses),
        signed(trouble.size),
        trouble.source_etag.as_ref().map(ETag::bare),
        trouble.attempts,
        trouble.run,
        trouble.at.as_millisecond(),
    ])?;
    Ok(())
}

pub(in crate::ledger) fn drop_trouble(conn: &Connection, name: &str) -> Result<()> {
    conn.prepare_cached("DELETE FROM trouble WHERE name = ?1")?.execute([name.as_bytes()]).map(|_| ())
}

pub(in crate::ledger) fn drop_troubles_before(conn: &Connection, run: i64) -> Result<()> {
    conn.prepare_cached("DELETE FROM trouble WHERE run < ?1")?.execute([run]).map(|_| ())
}

pub(in crate::ledger) fn troubles_after(
    conn: &Connection,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Trouble>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    match after {
        Some(name) => conn
            .prepare_cached(&format!("SELECT {COLUMNS} FROM trouble WHERE name > ?1 ORDER BY name LIMIT ?2"))?
            .query_map(params![name.as_bytes(), limit], trouble_of)?
            .collect(),
        None => conn
            .prepare_cached(&format!("SELECT {COLUMNS} FROM trouble ORDER BY name LIMIT ?1"))?
            .query_map([limit], trouble_of)?
            .collect(),
    }
}

pub(in crate::ledger) fn trouble(conn: &Connection, name: &str) -> Result<Option<Trouble>> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM trouble WHERE name = ?1"))?
        .query_row([name.as_bytes()], trouble_of)
        .optional()
}

pub(in crate::ledger) fn has_troubles(conn: &Connection) -> Result<bool> {
    conn.query_row("SELECT EXISTS (SELECT 1 FROM trouble)", [], |row| row.get(0))
}

/// Reads every row of the objects and of the troubles.
pub(in crate::ledger) fn counts(conn: &Connection) -> Result<LedgerCounts> {
    let mut objects = conn
        .prepare_cached("SELECT verdict, count(*), total(size) FROM object GROUP BY verdict")?
        .query_map([], |row| Ok((verdict_at(row, 0)?, count_at(row, 1)?)))?
        .collect::<Result<Vec<_>>>()?;
    objects.sort_unstable_by_key(|(verdict, _)| *verdict);
    let troubles = conn
        .prepare_cached(
            "SELECT class, kind, count(*), total(size) FROM trouble GROUP BY class, kind ORDER BY 1, 2",
        )?
        .query_map([], |row| Ok((class_at(row, 0)?, row.get(1)?, count_at(row, 2)?)))?
        .collect::<Result<_>>()?;
    let number = |table: &str| -> Result<u64> {
        conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| size_at(row, 0))
    };
    Ok(LedgerCounts { objects, troubles, uploads: number("upload")?, intents: number("intent")? })
}

/// A number of objects, and beside it their bytes: as a float, since SQLite's integer sums fail past 2⁶³.
fn count_at(row: &SqlRow<'_>, index: usize) -> Result<Count> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a sum of lengths")]
    let bytes = row.get::<_, f64>(index + 1)? as u64;
    Ok(Count { objects: size_at(row, index)?, bytes })
}

fn trouble_of(row: &SqlRow<'_>) -> Result<Trouble> {
    Ok(Trouble {
        name: name_at(row, 0)?,
        class: class_at(row, 1)?,
        kind: row.get(2)?,
        message: row.get(3)?,
        losses: losses_at(row, 4)?,
        size: size_at(row, 5)?,
        source_etag: etag_at(row, 6)?,
        attempts: row.get(7)?,
        run: row.get(8)?,
        at: moment_at(row, 9)?,
    })
}
