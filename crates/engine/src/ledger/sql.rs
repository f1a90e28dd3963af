//! The statements, and the way of each type into a row and back.

use cabotage_core::{ETag, LossName, Sha256, Timestamp, UploadId};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Result, Row as SqlRow, params};

use super::{Intent, Row};
use crate::Verdict;

const COLUMNS: &str = "name, source_etag, source_modified, source_modified_nanos, size, sha256, destination_etag, \
     destination_version, attributes, verdict, losses, run, finished";

pub(super) fn put_row(conn: &Connection, row: &Row) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO object (name, source_etag, source_modified, source_modified_nanos, size, \
         sha256, destination_etag, destination_version, attributes, verdict, losses, run, finished) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    let losses: Vec<_> = row.losses.iter().map(|loss| loss.as_str()).collect();
    conn.prepare_cached(sql)?.execute(params![
        row.name.as_bytes(),
        row.source_etag.as_ref().map(ETag::bare),
        row.source_modified.map(Timestamp::as_second),
        row.source_modified.map_or(0, Timestamp::subsec_nanosecond),
        signed(row.size),
        row.sha256.as_ref().map(|digest| &digest.0[..]),
        row.destination_etag.as_ref().map(ETag::bare),
        row.destination_version,
        row.attributes.as_ref().map(|digest| &digest.0[..]),
        row.verdict.as_str(),
        losses.join(","),
        row.run,
        row.finished.as_millisecond(),
    ])?;
    Ok(())
}

pub(super) fn put_intent(conn: &Connection, intent: &Intent) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO intent (name, source_etag, size, sha256, multipart, started) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    conn.prepare_cached(sql)?.execute(params![
        intent.name.as_bytes(),
        intent.source_etag.as_ref().map(ETag::bare),
        signed(intent.size),
        intent.sha256.as_ref().map(|digest| &digest.0[..]),
        intent.multipart,
        intent.started.as_millisecond(),
    ])?;
    Ok(())
}

pub(super) fn drop_intent(conn: &Connection, name: &str) -> Result<()> {
    conn.prepare_cached("DELETE FROM intent WHERE name = ?1")?.execute([name.as_bytes()]).map(|_| ())
}

pub(super) fn put_upload(conn: &Connection, name: &str, id: &UploadId) -> Result<()> {
    conn.prepare_cached("INSERT OR REPLACE INTO upload (name, upload_id) VALUES (?1, ?2)")?
        .execute(params![name.as_bytes(), id.0])
        .map(|_| ())
}

pub(super) fn drop_upload(conn: &Connection, name: &str) -> Result<()> {
    conn.prepare_cached("DELETE FROM upload WHERE name = ?1")?.execute([name.as_bytes()]).map(|_| ())
}

pub(super) fn start_run(conn: &Connection, command: &str) -> Result<i64> {
    conn.prepare_cached("INSERT INTO run (program, command, started) VALUES (?1, ?2, ?3)")?
        .execute(params![env!("CARGO_PKG_VERSION"), command, Timestamp::now().as_millisecond()])?;
    Ok(conn.last_insert_rowid())
}

pub(super) fn finish_run(conn: &Connection, run: i64, outcome: &str) -> Result<()> {
    conn.prepare_cached("UPDATE run SET finished = ?2, outcome = ?3 WHERE id = ?1")?
        .execute(params![run, Timestamp::now().as_millisecond(), outcome])
        .map(|_| ())
}

/// Rows by the bytes of their names, from the one after that name.
pub(super) fn rows_after(conn: &Connection, after: Option<&str>, limit: usize) -> Result<Vec<Row>> {
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

pub(super) fn row(conn: &Connection, name: &str) -> Result<Option<Row>> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM object WHERE name = ?1"))?
        .query_row([name.as_bytes()], row_of)
        .optional()
}

pub(super) fn intents(conn: &Connection) -> Result<Vec<Intent>> {
    conn.prepare_cached(
        "SELECT name, source_etag, size, sha256, multipart, started FROM intent ORDER BY name",
    )?
    .query_map([], intent_of)?
    .collect()
}

pub(super) fn uploads(conn: &Connection) -> Result<Vec<(String, UploadId)>> {
    conn.prepare_cached("SELECT name, upload_id FROM upload ORDER BY name")?
        .query_map([], |row| Ok((name_at(row, 0)?, UploadId(row.get(1)?))))?
        .collect()
}

fn row_of(row: &SqlRow<'_>) -> Result<Row> {
    Ok(Row {
        name: name_at(row, 0)?,
        source_etag: etag_at(row, 1)?,
        source_modified: modified_at(row, 2, 3)?,
        size: size_at(row, 4)?,
        sha256: digest_at(row, 5)?,
        destination_etag: etag_at(row, 6)?,
        destination_version: row.get(7)?,
        attributes: digest_at(row, 8)?,
        verdict: verdict_at(row, 9)?,
        losses: losses_at(row, 10)?,
        run: row.get(11)?,
        finished: moment_at(row, 12)?,
    })
}

fn intent_of(row: &SqlRow<'_>) -> Result<Intent> {
    Ok(Intent {
        name: name_at(row, 0)?,
        source_etag: etag_at(row, 1)?,
        size: size_at(row, 2)?,
        sha256: digest_at(row, 3)?,
        multipart: row.get(4)?,
        started: moment_at(row, 5)?,
    })
}

/// Sizes are checked before they come here; see [`super::handle`].
fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

fn unreadable(index: usize, kind: Type, what: impl Into<String>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(index, kind, what.into().into())
}

fn name_at(row: &SqlRow<'_>, index: usize) -> Result<String> {
    String::from_utf8(row.get(index)?).map_err(|_| unreadable(index, Type::Blob, "a name is no UTF-8"))
}

fn etag_at(row: &SqlRow<'_>, index: usize) -> Result<Option<ETag>> {
    let bare = row.get::<_, Option<String>>(index)?;
    // In quotes, of which a pair is taken off: the bare value may itself begin and end with one.
    Ok(bare.map(|bare| ETag::new(&format!("\"{bare}\""))))
}

fn size_at(row: &SqlRow<'_>, index: usize) -> Result<u64> {
    u64::try_from(row.get::<_, i64>(index)?)
        .map_err(|_| unreadable(index, Type::Integer, "a size is negative"))
}

fn digest_at(row: &SqlRow<'_>, index: usize) -> Result<Option<Sha256>> {
    Ok(row.get::<_, Option<[u8; 32]>>(index)?.map(Sha256))
}

fn modified_at(row: &SqlRow<'_>, seconds: usize, nanos: usize) -> Result<Option<Timestamp>> {
    let Some(second) = row.get::<_, Option<i64>>(seconds)? else { return Ok(None) };
    Timestamp::new(second, row.get(nanos)?)
        .map(Some)
        .map_err(|e| unreadable(seconds, Type::Integer, e.to_string()))
}

fn moment_at(row: &SqlRow<'_>, index: usize) -> Result<Timestamp> {
    Timestamp::from_millisecond(row.get(index)?).map_err(|e| unreadable(index, Type::Integer, e.to_string()))
}

fn verdict_at(row: &SqlRow<'_>, index: usize) -> Result<Verdict> {
    let name: String = row.get(index)?;
    Verdict::from_name(&name)
        .ok_or_else(|| unreadable(index, Type::Text, format!("no verdict is named '{name}'")))
}

fn losses_at(row: &SqlRow<'_>, index: usize) -> Result<Vec<LossName>> {
    let names: String = row.get(index)?;
    let parse = |name: &str| name.parse().map_err(|_| format!("no loss is named '{name}'"));
    names
        .split(',')
        .filter(|name| !name.is_empty())
        .map(|name| parse(name).map_err(|what| unreadable(index, Type::Text, what)))
        .collect()
}
