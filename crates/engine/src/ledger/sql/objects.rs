//! Objects that are done, and writes that were begun.

use cabotage_core::{ETag, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Result, Row as SqlRow, params};

use super::values::{
    content_sha256_at, digest_at, etag_at, in_sidecar_at, kept_losses_text, losses_at, maybe_moment_at,
    modified_at, moment_at, name_at, part_size, signed, size_at, verdict_at,
};
use crate::{Intent, Row};

const COLUMNS: &str = "name, source_etag, source_modified, source_modified_nanos, size, sha256, destination_etag, \
     destination_version, attributes, verdict, losses, run, finished, attempts, started, destination_attributes, \
     sha256_part_size";

pub(in crate::ledger) fn put_row(conn: &Connection, row: &Row) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO object (name, source_etag, source_modified, source_modified_nanos, size, \
         sha256, destination_etag, destination_version, attributes, verdict, losses, run, finished, attempts, \
         started, destination_attributes, sha256_part_size) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
    conn.prepare_cached(sql)?.execute(params![
        row.name.as_bytes(),
        row.source_etag.as_ref().map(ETag::bare),
        row.source_modified.map(Timestamp::as_second),
        row.source_modified.map_or(0, Timestamp::subsec_nanosecond),
        signed(row.size),
        row.sha256.as_ref().map(|sha256| &sha256.value.0[..]),
        row.destination_etag.as_ref().map(ETag::bare),
        row.destination_version,
        row.attributes.as_ref().map(|digest| &digest.0[..]),
        row.verdict.as_str(),
        kept_losses_text(&row.losses, row.in_sidecar),
        row.run,
        row.finished.as_millisecond(),
        row.attempts,
        row.started.as_millisecond(),
        row.destination_attributes.as_ref().map(|digest| &digest.0[..]),
        row.sha256.and_then(part_size),
    ])?;
    Ok(())
}

pub(in crate::ledger) fn drop_row(conn: &Connection, name: &str) -> Result<()> {
    conn.prepare_cached("DELETE FROM object WHERE name = ?1")?.execute([name.as_bytes()]).map(|_| ())
}

pub(in crate::ledger) fn put_intent(conn: &Connection, intent: &Intent) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO intent (name, source_etag, size, sha256, multipart, started, sha256_part_size) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    conn.prepare_cached(sql)?.execute(params![
        intent.name.as_bytes(),
        intent.source_etag.as_ref().map(ETag::bare),
        signed(intent.size),
        intent.sha256.as_ref().map(|sha256| &sha256.value.0[..]),
        intent.multipart,
        intent.started.as_millisecond(),
        intent.sha256.and_then(part_size),
    ])?;
    Ok(())
}

pub(in crate::ledger) fn drop_intent(conn: &Connection, name: &str) -> Result<()> {
    conn.prepare_cached("DELETE FROM intent WHERE name = ?1")?.execute([name.as_bytes()]).map(|_| ())
}

/// Rows by the bytes of their names, from the one after that name.
pub(in crate::ledger) fn rows_after(
    conn: &Connection,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Row>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    match after {
        Some(name) => conn
            .prepare_cached(&format!("SELECT {COLUMNS} FROM object WHERE name > ?1 ORDER BY name LIMIT ?2"))?
            .query_map(params![name.as_bytes(), limit], row_of)?
            .collect(),
        None => conn
            .prepare_cached(&format!("SELECT {COLUMNS} FROM object ORDER BY name LIMIT ?1"))?
            .query_map([limit], row_of)?
            .collect(),
    }
}

pub(in crate::ledger) fn row(conn: &Connection, name: &str) -> Result<Option<Row>> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM object WHERE name = ?1"))?
        .query_row([name.as_bytes()], row_of)
        .optional()
}

pub(in crate::ledger) fn intents(conn: &Connection) -> Result<Vec<Intent>> {
    conn.prepare_cached(
        "SELECT name, source_etag, size, sha256, multipart, started, sha256_part_size FROM intent ORDER BY name",
    )?
    .query_map([], intent_of)?
    .collect()
}

fn row_of(row: &SqlRow<'_>) -> Result<Row> {
    let finished = moment_at(row, 12)?;
    Ok(Row {
        name: name_at(row, 0)?,
        source_etag: etag_at(row, 1)?,
        source_modified: modified_at(row, 2, 3)?,
        size: size_at(row, 4)?,
        sha256: content_sha256_at(row, 5, 16)?,
        destination_etag: etag_at(row, 6)?,
        destination_version: row.get(7)?,
        attributes: digest_at(row, 8)?,
        verdict: verdict_at(row, 9)?,
        losses: losses_at(row, 10)?,
        in_sidecar: in_sidecar_at(row, 10)?,
        run: row.get(11)?,
        finished,
        attempts: row.get(13)?,
        started: maybe_moment_at(row, 14)?.unwrap_or(finished),
        destination_attributes: digest_at(row, 15)?,
    })
}

fn intent_of(row: &SqlRow<'_>) -> Result<Intent> {
    Ok(Intent {
        name: name_at(row, 0)?,
        source_etag: etag_at(row, 1)?,
        size: size_at(row, 2)?,
        sha256: content_sha256_at(row, 3, 6)?,
        multipart: row.get(4)?,
        started: moment_at(row, 5)?,
    })
}
