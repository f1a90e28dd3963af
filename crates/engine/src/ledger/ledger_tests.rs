use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use cabotage_core::{ETag, ErrorKind, LossName, Sha256, Timestamp, UploadId};
use futures::TryStreamExt as _;
use futures::future::join_all;
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::{ContentSha256, Verdict};

/// Names on which a careless order, a text type or a terminator goes wrong.
const HOSTILE: [&str; 14] = [
    "",
    "\0",
    "a",
    "a\0",
    "a\0b",
    "A",
    "a//b",
    "../x",
    "a b",
    "'; DROP TABLE object; --",
    "é",
    "e\u{301}",
    "\u{ff5e}",
    "\u{1F600}",
];

pub(super) fn job() -> JobIdentity {
    JobIdentity { source: "memory:source/data/".into(), destination: "memory:destination/".into() }
}

pub(super) fn row(name: &str) -> Row {
    Row {
        name: name.to_owned(),
        source_etag: Some(ETag::new("0x8D")),
        source_modified: Some(Timestamp::new(1_700_000_000, 123_456_789).unwrap()),
        size: 5,
        sha256: Some(ContentSha256::whole(Sha256::of(name.as_bytes()))),
        destination_etag: Some(ETag::new("d41d-3")),
        destination_version: Some("v1".into()),
        attributes: None,
        verdict: Verdict::ServerChecked,
        losses: vec![],
        in_sidecar: false,
        run: 1,
        finished: Timestamp::from_millisecond(1_700_000_001_234).unwrap(),
        attempts: 2,
        started: Timestamp::from_millisecond(1_700_000_000_234).unwrap(),
        destination_attributes: Some(Sha256::of(b"as told")),
    }
}

pub(super) fn upload(name: &str) -> OpenUpload {
    OpenUpload {
        name: name.to_owned(),
        id: UploadId("id-1".into()),
        source_etag: Some(ETag::new("0x8D")),
        size: 100,
        part_size: 30,
        options: Sha256::of(b"options"),
        started: Timestamp::from_millisecond(1_700_000_000_002).unwrap(),
        hashed: None,
    }
}

pub(super) fn intent(name: &str) -> Intent {
    Intent {
        name: name.to_owned(),
        source_etag: Some(ETag::new("0x8D")),
        size: 5,
        sha256: None,
        multipart: true,
        started: Timestamp::from_millisecond(1_700_000_000_001).unwrap(),
    }
}

pub(super) fn open(dir: &TempDir) -> Ledger {
    Ledger::open(dir.path(), &job()).unwrap()
}

pub(super) fn file(dir: &TempDir) -> std::path::PathBuf {
    Ledger::file(dir.path(), &job())
}

/// What opening fails with.
pub(super) fn refusal(dir: &TempDir) -> cabotage_core::Error {
    Ledger::open(dir.path(), &job()).unwrap_err()
}

pub(super) async fn made(rows: usize) -> TempDir {
    let dir = TempDir::new().unwrap();
    let ledger = open(&dir);
    join_all((0..rows).map(|n| ledger.record(row(&format!("{n:05}"))))).await;
    ledger.close().await.unwrap();
    dir
}

#[tokio::test]
async fn every_value_comes_back() {
    let dir = TempDir::new().unwrap();
    let ledger = open(&dir);
    let full = Row {
        source_etag: Some(ETag::new("\"\"odd\"\"")),
        source_modified: Some(Timestamp::MIN),
        size: u64::try_from(i64::MAX).unwrap(),
        attributes: Some(Sha256::of(b"attributes")),
        verdict: Verdict::ReadBack,
        losses: LossName::ALL.to_vec(),
        in_sidecar: true,
        run: 7,
        ..row("full")
    };
    let bare = Row {
        source_etag: None,
        source_modified: None,
        size: 0,
        sha256: None,
        destination_etag: None,
        destination_version: None,
        destination_attributes: None,
        verdict: Verdict::StoredUnread,
        ..row("bare")
    };
    for row in [&full, &bare] {
        ledger.record(row.clone()).await.unwrap();
        assert_eq!(ledger.row(&row.name).await.unwrap().as_ref(), Some(row));
    }
    assert_eq!(ledger.row("none").await.unwrap(), None);
    let known = Intent {
        sha256: Some(ContentSha256::of_parts(5, [Sha256::of(b"x")])),
        multipart: false,
        ..intent("i")
    };
    ledger.intend(intent("i")).await.unwrap();
    ledger.intend(known.clone()).await.unwrap();
    assert_eq!(ledger.intents().await.unwrap(), [known], "the later intent replaces the earlier");
    let error = ledger.record(Row { size: u64::MAX, ..row("huge") }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

#[tokio::test]
async fn rows_come_in_the_order_of_their_bytes() {
    let dir = TempDir::new().unwrap();
    let ledger = open(&dir);
    for name in HOSTILE.iter().rev() {
        ledger.record(row(name)).await.unwrap();
    }
    let mut sorted = HOSTILE.to_vec();
    sorted.sort_unstable();
    let names = |rows: Vec<Row>| rows.into_iter().map(|row| row.name).collect::<Vec<_>>();
    assert_eq!(names(ledger.rows_after(None, 100).await.unwrap()), sorted);
    for (place, name) in sorted.iter().enumerate() {
        assert_eq!(names(ledger.rows_after(Some(name), 100).await.unwrap()), sorted[place + 1..], "{name:?}");
    }
    for page in [1, 2, 14, 15, 1000] {
        let rows: Vec<Row> = row_stream(ledger.clone(), None, page).try_collect().await.unwrap();
        assert_eq!(names(rows), sorted, "pages of {page}");
    }
}

/// Holds the writer up with another program's lock until a thousand changes wait; then two transactions suffice, so
/// that the log stays far below a page for each of them.
#[tokio::test]
async fn changes_that_wait_share_a_transaction() {
    let dir = TempDir::new().unwrap();
    let ledger = open(&dir);
    let other = Connection::open(ledger.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let calls: Vec<_> = (0..1_000)
        .map(|n| {
            let ledger = ledger.clone();
            tokio::spawn(async move { ledger.record(row(&format!("{n:05}"))).await })
        })
        .collect();
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    other.execute_batch("ROLLBACK").unwrap();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(ledger.rows_after(None, 2_000).await.unwrap().len(), 1_000);
    let log = fs::metadata(ledger.path().with_extension("sqlite-wal")).unwrap().len();
    assert!(log < 1 << 20, "{log} bytes of log for 1,000 rows: not grouped");
}

#[tokio::test]
async fn a_failed_commit_is_told_to_all_and_leaves_nothing() {
    let dir = TempDir::new().unwrap();
    let ledger = open(&dir);
    ledger.intend(intent("bad")).await.unwrap();
    let other = Connection::open(ledger.path()).unwrap();
    let trigger = "CREATE TRIGGER refuse BEFORE DELETE ON intent WHEN OLD.name = CAST('bad' AS BLOB) \
         BEGIN SELECT RAISE(ABORT, 'refused by the test'); END; BEGIN IMMEDIATE";
    other.execute_batch(trigger).unwrap();
    let names = ["first", "a", "bad", "b"];
    let calls: Vec<_> = names
        .map(|name| {
            let ledger = ledger.clone();
            tokio::spawn(async move { ledger.record(row(name)).await })
        })
        .into_iter()
        .collect();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    other.execute_batch("ROLLBACK").unwrap();
    let mut recorded = Vec::new();
    for (call, name) in calls.into_iter().zip(names) {
        match call.await.unwrap() {
            Ok(()) => recorded.push(name),
            Err(error) => assert!(error.to_string().contains("refused by the test"), "{error}"),
        }
    }
    // The writer takes what waits when it wakes, from the first alone to all four, and then the rest.
    let possible: [&[&str]; 4] = [&[], &["first"], &["first", "a"], &["b"]];
    assert!(possible.contains(&recorded.as_slice()), "{recorded:?}");
    let found: Vec<_> = ledger.rows_after(None, 10).await.unwrap().into_iter().map(|row| row.name).collect();
    assert_eq!(found, recorded, "what was told is what is there");
    assert_eq!(ledger.intents().await.unwrap(), [intent("bad")], "row and intent change together");
    other.execute_batch("DROP TRIGGER refuse").unwrap();
    ledger.record(row("bad")).await.unwrap();
    assert!(ledger.intents().await.unwrap().is_empty());
}

const CHILD: &str = "CABOTAGE_TEST_LEDGER_CHILD";

/// Run by the next test in a process of its own, which dies without closing; does nothing otherwise.
#[tokio::test]
async fn child_that_dies() {
    let Ok(dir) = std::env::var(CHILD) else { return };
    let ledger = Ledger::open(Path::new(&dir), &job()).unwrap();
    assert_eq!(ledger.start_run(RunKind::Pass, "first", "{}").await.unwrap(), 1);
    ledger.intend(intent("done")).await.unwrap();
    ledger.intend(intent("left")).await.unwrap();
    ledger.upload_started(upload("left")).await.unwrap();
    ledger.record(row("done")).await.unwrap();
    std::process::abort();
}

#[tokio::test]
async fn what_was_told_survives_a_crash() {
    let dir = TempDir::new().unwrap();
    let name = concat!(module_path!(), "::child_that_dies").split_once("::").unwrap().1;
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env(CHILD, dir.path())
        .output()
        .unwrap();
    assert!(!child.status.success(), "the child must die: {child:?}");
    let ledger = open(&dir);
    assert_eq!(ledger.rows_after(None, 10).await.unwrap(), [row("done")]);
    assert_eq!(ledger.intents().await.unwrap(), [intent("left")]);
    assert_eq!(ledger.uploads().await.unwrap(), [upload("left")]);
    ledger.upload_ended("left").await.unwrap();
    ledger.drop_intent("left").await.unwrap();
    assert!(ledger.uploads().await.unwrap().is_empty() && ledger.intents().await.unwrap().is_empty());
    assert_eq!(ledger.start_run(RunKind::Pass, "second", "{}").await.unwrap(), 2);
    ledger.finish_run(2, "complete", None).await.unwrap();
}

#[tokio::test]
async fn one_run_at_a_time() {
    let dir = TempDir::new().unwrap();
    let ledger = open(&dir);
    let error = refusal(&dir);
    assert_eq!(error.kind(), ErrorKind::LedgerHeld);
    let holder = format!("process {} on ", std::process::id());
    assert!(error.to_string().contains(&holder), "{error}");
    let other = JobIdentity { source: "elsewhere".into(), ..job() };
    Ledger::open(dir.path(), &other).unwrap();
    drop(ledger);
    drop(open(&dir));
}

#[tokio::test]
async fn closing_ends_every_handle_and_leaves_one_file() {
    let dir = TempDir::new().unwrap();
    let ledger = open(&dir);
    let other = ledger.clone();
    ledger.record(row("a")).await.unwrap();
    ledger.close().await.unwrap();
    assert!(other.record(row("b")).await.unwrap_err().to_string().contains("closed"));
    assert!(other.row("a").await.is_err());
    assert!(other.close().await.is_err(), "a second close has nothing to close");
    assert!(!file(&dir).with_extension("sqlite-wal").exists());
    assert_eq!(open(&dir).rows_after(None, 9).await.unwrap(), [row("a")]);
}

#[tokio::test]
async fn for_this_user_alone() {
    let dir = TempDir::new().unwrap();
    let state = dir.path().join("deep/state");
    let ledger = Ledger::open(&state, &job()).unwrap();
    ledger.record(row("a")).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    let files: Vec<_> = fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 3, "{files:?}");
    for path in files {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    let dir = made(1).await;
    Connection::open(file(&dir)).unwrap().pragma_update(None, "user_version", schema::VERSION + 1).unwrap();
    let error = refusal(&dir);
    assert_eq!(error.kind(), ErrorKind::LedgerConflict);
    assert!(error.advice().unwrap().contains("newer"), "{error}");
}

#[tokio::test]
async fn another_jobs_ledger_is_refused() {
    let dir = made(1).await;
    let other = JobIdentity { source: "elsewhere\n".into(), ..job() };
    fs::copy(file(&dir), Ledger::file(dir.path(), &other)).unwrap();
    let error = Ledger::open(dir.path(), &other).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerConflict);
    assert!(
        error.to_string().contains(&job().source) && error.to_string().contains("elsewhere\\n"),
        "{error}"
    );
}

#[test]
fn another_programs_database_is_refused() {
    let dir = TempDir::new().unwrap();
    Connection::open(file(&dir)).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert_eq!(refusal(&dir).kind(), ErrorKind::LedgerConflict);
}

#[tokio::test]
async fn damage_is_refused() {
    let overwrite = |path: &Path, at: usize, len: usize| {
        let mut bytes = fs::read(path).unwrap();
        bytes[at..at + len].fill(0xA5);
        fs::write(path, bytes).unwrap();
    };
    type Damage<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, Damage<'_>); 5] = [
        ("empty", &|path| fs::write(path, "").unwrap()),
        ("no database", &|path| {
            fs::write(path, "not a database, but longer than a header is ".repeat(99)).unwrap();
        }),
        ("header", &|path| overwrite(path, 0, 64)),
        ("pages", &|path| overwrite(path, 8 * 8192, 8 * 8192)),
        ("cut off", &|path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }),
    ];
    for (name, damage) in cases {
        let dir = made(2_000).await;
        damage(&file(&dir));
        let error = refusal(&dir);
        assert_eq!(error.kind(), ErrorKind::LedgerCorrupt, "{name}: {error}");
        assert!(error.advice().unwrap().contains("ledger rebuild"), "{name}: {error}");
    }
}

#[tokio::test]
async fn values_that_make_no_sense_are_damage() {
    for (column, value) in
        [("verdict", "'perfect'"), ("losses", "'soul'"), ("sha256", "x'00'"), ("size", "-1"), ("size", "'x'")]
    {
        let dir = made(1).await;
        let sql = format!("UPDATE object SET {column} = {value}");
        Connection::open(file(&dir)).unwrap().execute_batch(&sql).unwrap();
        let error = open(&dir).rows_after(None, 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LedgerCorrupt, "{column}: {error}");
    }
}

#[test]
fn a_folder_that_cannot_be_used_is_told() {
    let dir = TempDir::new().unwrap();
    let in_the_way = dir.path().join("file");
    fs::write(&in_the_way, "").unwrap();
    let error = Ledger::open(&in_the_way, &job()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.advice().unwrap().contains("--state"), "{error}");
}

#[test]
fn failures_by_what_to_do() {
    use rusqlite::ffi;
    for (code, kind) in [
        (ffi::SQLITE_FULL, ErrorKind::NoSpace),
        (ffi::SQLITE_IOERR_SHMSIZE, ErrorKind::NoSpace),
        (ffi::SQLITE_CORRUPT, ErrorKind::LedgerCorrupt),
        (ffi::SQLITE_NOTADB, ErrorKind::LedgerCorrupt),
        (ffi::SQLITE_BUSY, ErrorKind::LedgerHeld),
        (ffi::SQLITE_READONLY, ErrorKind::InvalidConfig),
        (ffi::SQLITE_MISUSE, ErrorKind::Internal),
    ] {
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        assert_eq!(error::Failure::of("testing", &error).at(Path::new("x")).kind(), kind, "{code}");
    }
}

/// The view and the columns that `LEDGER.md` tells an engineer to ask.
#[tokio::test]
async fn a_human_can_ask() {
    let dir = made(1).await;
    let conn = Connection::open(file(&dir)).unwrap();
    let seen: (String, String, String, String) = conn
        .query_row(
            "SELECT name, sha256, source_modified, finished FROM objects WHERE verdict = 'server-checked'",
            [],
            |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)),
        )
        .unwrap();
    let sha = Sha256::of(b"00000").to_hex();
    assert_eq!(seen, ("00000".into(), sha, "2023-11-14 22:13:20".into(), "2023-11-14 22:13:21".into()));
}
