//! What format 3 brought: digests of parts' digests.

use cabotage_core::Sha256;
use rusqlite::Connection;
use tempfile::TempDir;

use super::format_2_tests::shape;
use super::tests::{file, intent, job, made, open, row};
use super::*;
use crate::ContentSha256;

/// A file as the program before format 3 left it.
fn made_by_format_2(dir: &TempDir) {
    let conn = Connection::open(file(dir)).unwrap();
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
    conn.execute_batch(include_str!("schema_2.sql")).unwrap();
    conn.execute_batch(include_str!("views_2.sql")).unwrap();
    conn.execute(
        "INSERT INTO job (id, source, destination, created, program) VALUES (1, ?1, ?2, 1700000000000, '0.1.0')",
        [job().source, job().destination],
    )
    .unwrap();
    conn.execute_batch(
        "INSERT INTO object (name, size, sha256, verdict, run, finished)
             VALUES (CAST('done' AS BLOB), 5, zeroblob(32), 'server-checked', 1, 1700000001234);
         INSERT INTO intent VALUES (CAST('left' AS BLOB), 'e', 7, zeroblob(32), 1, 1700000002000);
         INSERT INTO upload (name, upload_id, size, part_size, options, started, hashed_parts, hashed_state)
             VALUES (CAST('left' AS BLOB), 'id', 9, 5, zeroblob(32), 1700000002000, 1, x'01');
         INSERT INTO part VALUES (CAST('left' AS BLOB), 1, 5, 'p', zeroblob(32));",
    )
    .unwrap();
    conn.pragma_update(None, "application_id", schema::APPLICATION_ID).unwrap();
    conn.pragma_update(None, "user_version", 2).unwrap();
}

#[tokio::test]
async fn a_ledger_of_format_2_is_converted() {
    let dir = TempDir::new().unwrap();
    made_by_format_2(&dir);
    let ledger = open(&dir);
    let of_bytes = Some(ContentSha256::whole(Sha256([0; 32])));
    assert_eq!(ledger.row("done").await.unwrap().unwrap().sha256, of_bytes);
    assert_eq!(ledger.intents().await.unwrap()[0].sha256, of_bytes);
    let upload = ledger.upload("left").await.unwrap().unwrap();
    assert_eq!((upload.part_size, upload.hashed.map(|mark| mark.parts)), (5, Some(1)), "it goes on");
    assert_eq!(ledger.parts("left").await.unwrap().len(), 1);
    ledger.close().await.unwrap();
    let fresh = made(0).await;
    assert_eq!(shape(&file(&dir)), shape(&file(&fresh)), "a converted file is as a new one");
}

#[tokio::test]
async fn a_digest_of_parts_comes_back_with_their_size_and_is_shown_apart() {
    let dir = TempDir::new().unwrap();
    let ledger = open(&dir);
    let of_parts = ContentSha256::of_parts(16 << 20, [Sha256::of(b"a part")]);
    let large = Row { sha256: Some(of_parts), ..row("large") };
    ledger.record(large.clone()).await.unwrap();
    ledger.record(row("small")).await.unwrap();
    ledger.intend(Intent { sha256: Some(of_parts), ..intent("next") }).await.unwrap();
    assert_eq!(ledger.rows_after(None, 9).await.unwrap(), [large, row("small")]);
    assert_eq!(ledger.intents().await.unwrap()[0].sha256, Some(of_parts));
    ledger.close().await.unwrap();
    let conn = Connection::open(file(&dir)).unwrap();
    let shown = |name: &str| {
        let sql = "SELECT sha256, composite_sha256, part_size FROM objects WHERE name = ?1";
        let columns = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        conn.query_row::<(String, String, Option<i64>), _, _>(sql, [name], columns).unwrap()
    };
    assert_eq!(shown("large"), (String::new(), of_parts.value.to_hex(), Some(16 << 20)));
    assert_eq!(shown("small"), (Sha256::of(b"small").to_hex(), String::new(), None));
}
