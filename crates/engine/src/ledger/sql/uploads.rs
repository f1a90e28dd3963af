//! Uploads in parts, and the parts that are there.

use cabotage_core::{ETag, UploadId};
use rusqlite::{Connection, OptionalExtension as _, Result, Row as SqlRow, params};

use super::values::{etag_at, moment_at, name_at, needed_digest_at, signed, size_at};
use crate::{DonePart, HashMark, OpenUpload};

/// Replaces an older upload of that name; its parts are those of another upload.
pub(in crate::ledger) fn put_upload(conn: &Connection, upload: &OpenUpload) -> Result<()> {
    drop_upload(conn, &upload.name)?;
    let sql = "INSERT INTO upload (name, upload_id, source_etag, size, part_size, options, started, hashed_parts, \
         hashed_state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    conn.prepare_cached(sql)?.execute(params![
        upload.name.as_bytes(),
        upload.id.0,
        upload.source_etag.as_ref().map(ETag::bare),
        signed(upload.size),
        signed(upload.part_size),
        &upload.options.0[..],
        upload.started.as_millisecond(),
        upload.hashed.as_ref().map(|mark| mark.parts),
        upload.hashed.as_ref().map(|mark| &mark.state),
    ])?;
    Ok(())
}

pub(in crate::ledger) fn drop_upload(conn: &Connection, name: &str) -> Result<()> {
    conn.prepare_cached("DELETE FROM part WHERE name = ?1")?.execute([name.as_bytes()])?;
    conn.prepare_cached("DELETE FROM upload WHERE name = ?1")?.execute([name.as_bytes()]).map(|_| ())
}

pub(in crate::ledger) fn put_part(conn: &Connection, name: &str, part: &DonePart) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO part (name, number, size, etag, sha256) VALUES (?1, ?2, ?3, ?4, ?5)";
    conn.prepare_cached(sql)?.execute(params![
        name.as_bytes(),
        part.number,
        signed(part.size),
        part.etag.as_ref().map(ETag::bare),
        &part.sha256.0[..],
    ])?;
    Ok(())
}

/// A mark never goes back.
pub(in crate::ledger) fn put_mark(conn: &Connection, name: &str, mark: &HashMark) -> Result<()> {
    let sql = "UPDATE upload SET hashed_parts = ?2, hashed_state = ?3 \
         WHERE name = ?1 AND coalesce(hashed_parts, 0) < ?2";
    conn.prepare_cached(sql)?.execute(params![name.as_bytes(), mark.parts, mark.state]).map(|_| ())
}

const COLUMNS: &str =
    "name, upload_id, source_etag, size, part_size, options, started, hashed_parts, hashed_state";

pub(in crate::ledger) fn uploads(conn: &Connection) -> Result<Vec<OpenUpload>> {
    let sql = format!("SELECT {COLUMNS} FROM upload ORDER BY name");
    conn.prepare_cached(&sql)?.query_map([], upload_of)?.collect()
}

pub(in crate::ledger) fn upload(conn: &Connection, name: &str) -> Result<Option<OpenUpload>> {
    let sql = format!("SELECT {COLUMNS} FROM upload WHERE name = ?1");
    conn.prepare_cached(&sql)?.query_row([name.as_bytes()], upload_of).optional()
}

pub(in crate::ledger) fn parts(conn: &Connection, name: &str) -> Result<Vec<DonePart>> {
    conn.prepare_cached("SELECT number, size, etag, sha256 FROM part WHERE name = ?1 ORDER BY number")?
        .query_map([name.as_bytes()], |row| {
            Ok(DonePart {
                number: row.get(0)?,
                size: size_at(row, 1)?,
                etag: etag_at(row, 2)?,
                sha256: needed_digest_at(row, 3)?,
            })
        })?
        .collect()
}

fn upload_of(row: &SqlRow<'_>) -> Result<OpenUpload> {
    let (parts, state) = (row.get::<_, Option<u32>>(7)?, row.get::<_, Option<Vec<u8>>>(8)?);
    Ok(OpenUpload {
        name: name_at(row, 0)?,
        id: UploadId(row.get(1)?),
        source_etag: etag_at(row, 2)?,
        size: size_at(row, 3)?,
        part_size: size_at(row, 4)?,
        options: needed_digest_at(row, 5)?,
        started: moment_at(row, 6)?,
        hashed: parts.zip(state).map(|(parts, state)| HashMark { parts, state }),
    })
}
