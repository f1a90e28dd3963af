//! What format 2 brought: conversion, troubles, parts, runs, a look from outside.

use std::path::Path;

use cabotage_core::{ETag, ErrorKind, LossName, Sha256, Timestamp, UploadId};
use rusqlite::Connection;
use tempfile::TempDir;

use super::tests::{file, intent, job, made, open, refusal, row, upload};
use super::*;
use crate::{Class, ContentSha256, Verdict};

/// A file as the program before format 2 left it.
fn made_by_format_1(dir: &TempDir) {
    let conn = Connection::open(file(dir)).unwrap();
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
    conn.execute_batch(include_str!("schema_1.sql")).unwrap();
    conn.execute(
        "INSERT INTO job (id, source, destination, created, program) VALUES (1, ?1, ?2, 1700000000000, '0.1.0')",
        [job().source, job().destination],
    )
    .unwrap();
    conn.execute_batch(
        "INSERT INTO run VALUES (1, '0.1.0', 'a -> b', 1700000000000, 1700000001000, 'complete');
         INSERT INTO run VALUES (2, '0.1.0', 'a -> b', 1700000002000, NULL, NULL);
         INSERT INTO object VALUES (CAST('full' AS BLOB), '0x8D', 1700000000, 123456789, 5, zeroblob(32), 'd41d-3', 'v1',
             NULL, 'server-checked', 'tag-dropped', 1, 1700000001234);
         INSERT INTO object VALUES (x'', NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, 'stored-unread', '', 2, 1700000002345);
         INSERT INTO intent VALUES (CAST('left' AS BLOB), 'e', 7, NULL, 1, 1700000002000);
         INSERT INTO upload VALUES (CAST('left' AS BLOB), 'id-1');",
    )
    .unwrap();
    conn.pragma_update(None, "application_id", schema::APPLICATION_ID).unwrap();
    conn.pragma_update(None, "user_version", 1).unwrap();
}

/// Tables, views and columns with their rules, as SQLite understands them.
pub(super) fn shape(path: &Path) -> Vec<String> {
    let conn = Connection::open(path).unwrap();
    let mut names = conn
        .prepare("SELECT type || ' ' || name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY 1")
        .unwrap();
    let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    names
        .into_iter()
        .flat_map(|name| {
            let table = name.split_once(' ').unwrap().1.to_owned();
            let mut columns = conn.prepare(&format!("PRAGMA table_info({table})")).unwrap();
            let columns = columns.query_map([], |row| {
                Ok(format!(
                    "{table}.{} {} {} {:?} {}",
                    row.get::<_, String>(1)?,
                    row.get::<_, String>(2)?,
                    row.get::<_, i64>(3)?,
                    row.get::<_, Option<String>>(4)?,
                    row.get::<_, i64>(5)?
                ))
            });
            let columns: Vec<String> = columns.unwrap().map(Result::unwrap).collect();
            std::iter::once(name).chain(columns)
        })
        .collect()
}

#[tokio::test]
async fn a_ledger_of_format_1_is_converted() {
    let dir = TempDir::new().unwrap();
    made_by_format_1(&dir);
    let ledger = open(&dir);
    let done = ledger.row("full").await.unwrap().unwrap();
    let expected = Row {
        sha256: Some(ContentSha256::whole(Sha256([0; 32]))),
        losses: vec![LossName::TagDropped],
        attempts: 1,
        started: Timestamp::from_millisecond(1_700_000_001_234).unwrap(),
        destination_attributes: None,
        ..row("full")
    };
    assert_eq!(done, expected);
    assert_eq!(ledger.row("").await.unwrap().unwrap().verdict, Verdict::StoredUnread);
    assert_eq!(ledger.intents().await.unwrap().len(), 1);
    let uploads = ledger.uploads().await.unwrap();
    assert_eq!(uploads[0].id, UploadId("id-1".into()));
    assert_eq!((uploads[0].part_size, uploads[0].hashed.as_ref()), (0, None), "nothing to go on from");
    let runs = ledger.runs().await.unwrap();
    assert_eq!((runs.len(), runs[0].kind, runs[1].finished), (2, RunKind::Pass, None));
    assert_eq!(ledger.start_run(RunKind::Pass, "third", "{}").await.unwrap(), 3);
    ledger.close().await.unwrap();
    let fresh = made(0).await;
    assert_eq!(shape(&file(&dir)), shape(&file(&fresh)), "a converted file is as a new one");
    assert_eq!(open(&dir).rows_after(None, 9).await.unwrap().len(), 2, "and is opened again");
}

/// A conversion that fails, in its middle or at its very end, leaves the file as it was.
#[tokio::test]
async fn a_conversion_is_whole_or_not_at_all() {
    for in_the_way in ["trouble", "runs"] {
        let dir = TempDir::new().unwrap();
        made_by_format_1(&dir);
        let conn = Connection::open(file(&dir)).unwrap();
        conn.execute_batch(&format!("CREATE TABLE {in_the_way} (in_the_way)")).unwrap();
        let before = shape(&file(&dir));
        assert_eq!(refusal(&dir).kind(), ErrorKind::Internal);
        assert_eq!(shape(&file(&dir)), before, "{in_the_way}");
        assert_eq!(schema::number(&conn, "user_version").unwrap(), 1);
        conn.execute_batch(&format!("DROP TABLE {in_the_way}")).unwrap();
        drop(conn);
        assert_eq!(open(&dir).rows_after(None, 9).await.unwrap().len(), 2);
    }
}

fn trouble(name: &str) -> Trouble {
    Trouble {
        name: name.into(),
        class: Class::Failed,
        kind: "timeout".into(),
        message: "what happened".into(),
        losses: vec![LossName::TagDropped],
        size: 9,
        source_etag: Some(ETag::new("e")),
        attempts: 3,
        run: 1,
        at: Timestamp::from_millisecond(1_700_000_003_000).unwrap(),
    }
}

#[tokio::test]
async fn troubles_last_until_the_object_is_done() {
    let dir = TempDir::new().unwrap();
    let ledger = open(&dir);
    assert!(!ledger.has_troubles().await.unwrap());
    let later = Trouble { class: Class::Refused, kind: String::new(), run: 2, ..trouble("b") };
    let all = vec![trouble("a"), trouble("b"), later.clone(), trouble("c"), trouble("d")];
    ledger.troubles(all, vec![]).await.unwrap();
    assert_eq!(ledger.troubles_after(None, 2).await.unwrap(), [trouble("a"), later.clone()]);
    assert_eq!(ledger.troubles_after(Some("b"), 9).await.unwrap(), [trouble("c"), trouble("d")]);
    let counts = ledger.counts().await.unwrap();
    let three = Count { objects: 3, bytes: 27 };
    assert_eq!(counts.troubles[0], (Class::Failed, "timeout".into(), three));
    ledger.record(row("a")).await.unwrap();
    ledger.troubles(vec![], vec!["c".into(), "unknown".into()]).await.unwrap();
    assert_eq!(ledger.troubles_after(None, 9).await.unwrap(), [later.clone(), trouble("d")]);
    ledger.forget_troubles_before(2).await.unwrap();
    assert_eq!(ledger.troubles_after(None, 9).await.unwrap(), [later]);
    ledger.forget("b").await.unwrap();
    ledger.forget("a").await.unwrap();
    assert!(!ledger.has_troubles().await.unwrap());
    assert_eq!(ledger.row("a").await.unwrap(), None);
}

#[tokio::test]
async fn finished_parts_and_marks() {
    let dir = TempDir::new().unwrap();
    let ledger = open(&dir);
    let part = |number| DonePart { number, size: 30, etag: Some(ETag::new("p")), sha256: Sha256::of(b"p") };
    let mark = |parts| Some(HashMark { parts, state: vec![u8::try_from(parts).unwrap(); 40] });
    ledger.upload_started(upload("k")).await.unwrap();
    ledger.part_done("k", part(2), mark(2)).await.unwrap();
    ledger.part_done("k", part(1), mark(1)).await.unwrap();
    ledger.part_done("k", part(4), None).await.unwrap();
    ledger.part_done("other", part(1), None).await.unwrap();
    assert_eq!(ledger.parts("k").await.unwrap(), [part(1), part(2), part(4)]);
    assert_eq!(ledger.uploads().await.unwrap()[0].hashed, mark(2), "a mark never goes back");
    let again = OpenUpload { id: UploadId("id-2".into()), ..upload("k") };
    ledger.upload_started(again.clone()).await.unwrap();
    assert_eq!(ledger.parts("k").await.unwrap(), [], "another upload has other parts");
    assert_eq!(ledger.uploads().await.unwrap(), [again]);
    ledger.part_done("k", part(1), None).await.unwrap();
    ledger.upload_ended("k").await.unwrap();
    assert!(ledger.parts("k").await.unwrap().is_empty() && ledger.uploads().await.unwrap().is_empty());
    assert_eq!(ledger.parts("other").await.unwrap(), [part(1)]);
}

#[tokio::test]
async fn runs_and_the_log_of_changes() {
    let dir = TempDir::new().unwrap();
    let ledger = open(&dir);
    for (kind, settings) in
        [(RunKind::Pass, "{\"a\":1}"), (RunKind::DryRun, "{\"a\":1}"), (RunKind::Verify, "{}")]
    {
        ledger.start_run(kind, "a -> b", settings).await.unwrap();
    }
    ledger.save_progress(2, "{\"done\":7}".into()).await.unwrap();
    ledger.finish_run(1, "complete", Some("{\"x\":1}".into())).await.unwrap();
    let reader = LedgerReader::open(&file(&dir)).unwrap();
    let runs = reader.runs().unwrap();
    assert_eq!(runs, ledger.runs().await.unwrap());
    assert_eq!(
        (runs[0].outcome.as_deref(), runs[0].report.as_deref(), runs[0].pid),
        (Some("complete"), Some("{\"x\":1}"), std::process::id())
    );
    assert_eq!((runs[1].kind, runs[1].progress.as_deref()), (RunKind::DryRun, Some("{\"done\":7}")));
    assert!(runs[1].progress_at.is_some() && runs[1].finished.is_none() && !runs[1].host.is_empty());
    assert_eq!(ledger.closed().await.unwrap(), None);
    ledger.close_job().await.unwrap();
    ledger.close_job().await.unwrap();
    assert!(reader.closed().unwrap().is_some());
    ledger.reopen_job().await.unwrap();
    ledger.reopen_job().await.unwrap();
    assert_eq!(ledger.closed().await.unwrap(), None);
    let changes = reader.changes().unwrap();
    let what: Vec<_> = changes.iter().map(|change| change.what.as_str()).collect();
    assert_eq!(what, ["settings", "closed", "reopened"]);
    assert_eq!((changes[0].before.as_deref(), changes[0].after.as_deref()), (Some("{\"a\":1}"), Some("{}")));
}

#[tokio::test]
async fn a_look_from_outside_changes_nothing_and_waits_for_nobody() {
    let dir = made(3).await;
    let reader = LedgerReader::open(&file(&dir)).unwrap();
    let ledger = open(&dir);
    ledger.intend(intent("i")).await.unwrap();
    ledger.upload_started(upload("u")).await.unwrap();
    assert_eq!(reader.rows_after(Some("00000"), 9).unwrap(), [row("00001"), row("00002")]);
    assert_eq!(reader.row("00001").unwrap(), Some(row("00001")));
    assert_eq!(reader.intents().unwrap(), [intent("i")]);
    assert_eq!(reader.uploads().unwrap(), [upload("u")]);
    assert_eq!(reader.job().unwrap(), job());
    let counts = reader.counts().unwrap();
    assert_eq!(counts.objects, [(Verdict::ServerChecked, Count { objects: 3, bytes: 15 })]);
    assert_eq!((counts.uploads, counts.intents, counts.troubles.len()), (1, 1, 0));
    let none = LedgerReader::open(&dir.path().join("none.sqlite")).unwrap_err();
    assert_eq!(none.kind(), ErrorKind::InvalidConfig, "{none}");
    assert!(!dir.path().join("none.sqlite").exists());
    let old = TempDir::new().unwrap();
    made_by_format_1(&old);
    let error = LedgerReader::open(&file(&old)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerConflict);
    assert!(error.advice().unwrap().contains("cabotage migrate"), "{error}");
}

/// The former name, with a log that a run left which died.
#[tokio::test]
async fn a_ledger_gets_its_new_name_with_all_that_is_in_its_log() {
    let dir = TempDir::new().unwrap();
    let kept = TempDir::new().unwrap();
    let ledger = open(&dir);
    ledger.record(row("in the log")).await.unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let name = format!("{}{suffix}", file(&dir).file_name().unwrap().to_string_lossy());
        std::fs::copy(dir.path().join(&name), kept.path().join(&name)).unwrap();
    }
    ledger.close().await.unwrap();
    assert!(std::fs::metadata(former::beside(&file(&kept), "-wal")).unwrap().len() > 0);
    let identity = JobIdentity { source: "s3/source".into(), ..job() };
    let allowed = JobChanges::default();
    let job = LedgerJob { identity, former: job(), rules: FrozenJob::default(), allowed, writes: true };
    let now = Ledger::file(kept.path(), &job.identity);

    let held = lock::Lock::take(&file(&kept).with_extension("lock")).unwrap();
    let error = Ledger::open_job(kept.path(), &job).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerHeld, "a run of an earlier version goes on: {error}");
    drop(held);

    let (ledger, _) = Ledger::open_job(kept.path(), &job).unwrap();
    assert_eq!(ledger.rows_after(None, 9).await.unwrap(), [row("in the log")]);
    assert_eq!(ledger.path(), now);
    ledger.close().await.unwrap();
    let files = std::fs::read_dir(kept.path()).unwrap().map(|entry| entry.unwrap().path());
    let ledgers: Vec<_> = files.filter(|path| path.to_string_lossy().contains("sqlite")).collect();
    assert_eq!(ledgers, std::slice::from_ref(&now), "nothing of it stays under the former name");
    assert_eq!(LedgerReader::open(&now).unwrap().job().unwrap(), job.identity);
    Ledger::open_job(kept.path(), &job).unwrap();
}

/// A crash while the ledger is made leaves no file under its name; what it left under another is taken away.
#[tokio::test]
async fn a_creation_that_was_cut_off_is_begun_anew() {
    let dir = TempDir::new().unwrap();
    std::fs::write(file(&dir).with_extension("sqlite-new"), "half").unwrap();
    let ledger = open(&dir);
    ledger.record(row("a")).await.unwrap();
    assert!(!file(&dir).with_extension("sqlite-new").exists());
}
