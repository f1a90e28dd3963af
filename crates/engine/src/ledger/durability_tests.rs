//! What was told is on disk, and not told before.

use std::task::Poll;

use cabotage_core::Result;
use futures::future::BoxFuture;
use futures::{FutureExt as _, poll};
use rusqlite::Connection;
use tempfile::TempDir;

use super::schema::{number, open_for_writing};
use super::tests::{file, intent, job, made, open, row, upload};
use super::*;

/// Every commit waits until the disk has it, not only the operating system: 2 is FULL.
#[tokio::test]
async fn a_commit_waits_for_the_disk() {
    let dir = made(1).await;
    let conn = open_for_writing(&file(&dir), &job(), &job()).unwrap();
    assert_eq!(number(&conn, "synchronous").unwrap(), 2);
    assert_eq!(number(&conn, "fullfsync").unwrap(), 1);
    let mode: String = conn.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

/// As long as another program's lock keeps the writer from committing, no change returns.
#[tokio::test]
async fn no_change_returns_before_its_commit() {
    let dir = TempDir::new().unwrap();
    let ledger = open(&dir);
    ledger.upload_started(upload("large")).await.unwrap();
    let other = Connection::open(ledger.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let part =
        DonePart { number: 1, size: 5 << 20, etag: None, sha256: cabotage_core::Sha256::of(b"a part") };
    let changes: Vec<(&str, BoxFuture<'_, Result<()>>)> = vec![
        ("intend", ledger.intend(intent("a")).boxed()),
        ("record", ledger.record(row("a")).boxed()),
        ("drop_intent", ledger.drop_intent("b").boxed()),
        ("forget", ledger.forget("c").boxed()),
        ("upload_started", ledger.upload_started(upload("d")).boxed()),
        ("part_done", ledger.part_done("large", part, None).boxed()),
        ("upload_ended", ledger.upload_ended("large").boxed()),
        ("close_job", ledger.close_job().boxed()),
    ];
    let mut waiting = Vec::new();
    for (what, mut change) in changes {
        // The first look asks the writer, whom another thread may serve before the second.
        for _ in 0..100 {
            assert!(matches!(poll!(&mut change), Poll::Pending), "{what} has returned");
            tokio::task::yield_now().await;
        }
        waiting.push(change);
    }
    other.execute_batch("ROLLBACK").unwrap();
    for change in waiting {
        change.await.unwrap();
    }
}
