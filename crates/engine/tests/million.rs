//! A ledger of a million rows: opened, gone on from and reported within a fixed amount of memory.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

mod million_store;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use cabotage_engine::{Ending, Job, LedgerReader, Options, Side, Stop};
use million_store::{DESTINATION_ETAG, Listed, OBJECTS, SOURCE_ETAG};

const STATE: &str = "CABOTAGE_TEST_MILLION_STATE";
/// Bytes.
const MEMORY_MAX: u64 = 200 << 20;

/// Of so many objects at each end.
fn job(state: &Path, objects: u64) -> Job {
    let side = |name: &str| Side {
        store: Arc::new(Listed::new(name, objects)),
        probe: None,
        prefix: String::new(),
        label: name.into(),
        place: None,
        throttle: Default::default(),
    };
    Job { source: side("source"), destination: side("destination"), options: Options::new(state.to_owned()) }
}

/// The rows as a run that copied all of it would have left them, made by SQLite alone.
fn fill(ledger: &Path) {
    let conn = rusqlite::Connection::open(ledger).unwrap();
    conn.execute_batch(&format!(
        "PRAGMA synchronous = OFF;
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {OBJECTS} - 1)
         INSERT INTO object (name, source_etag, source_modified, size, sha256, destination_etag, attributes, verdict, run,
             finished, attempts, started, destination_attributes)
         SELECT CAST(printf('folder-%03d/study/series/object-%09d.dcm', i / 1000, i) AS BLOB), '{SOURCE_ETAG}', 1700000000,
             1000, randomblob(32), '{DESTINATION_ETAG}', randomblob(32), 'server-checked', 1, 1700000000000, 1,
             1700000000000, randomblob(32) FROM n;"
    ))
    .unwrap();
}

/// Highest resident set of this process so far, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
}

/// Run by the next test in a process of its own; does nothing otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(state) = std::env::var(STATE) else { return };
    let begun = Instant::now();
    let job = job(Path::new(&state), OBJECTS);
    let report = cabotage_engine::run(job, Stop::default(), Arc::default(), Arc::new(()));
    let report = Box::pin(report).await.unwrap();
    assert_eq!((report.objects.skipped, report.objects.listed), (OBJECTS, OBJECTS), "{report}");
    assert_eq!(report.ending, Ending::Complete, "{report}");
    let ledger = LedgerReader::open(Path::new(&report.ledger.unwrap())).unwrap();
    assert_eq!(ledger.counts().unwrap().objects[0].1.objects, OBJECTS);
    let peak = peak();
    eprintln!("peak of {} MiB, {:.1} s", peak >> 20, begun.elapsed().as_secs_f64());
    assert!(peak < MEMORY_MAX, "{} MiB", peak >> 20);
}

#[tokio::test]
async fn a_million_rows_are_resumed_in_little_memory() {
    let state = tempfile::tempdir().unwrap();
    // Makes the ledger.
    let first = cabotage_engine::run(job(state.path(), 0), Stop::default(), Arc::default(), Arc::new(()));
    let ledger = Box::pin(first).await.unwrap().ledger.unwrap();
    let size = || std::fs::metadata(&ledger).unwrap().len();
    let empty = size();
    fill(Path::new(&ledger));
    let per_row = (size() - empty) / OBJECTS;
    eprintln!("{per_row} bytes a row");
    assert!(
        (200..=400).contains(&per_row),
        "LEDGER.md and the forecast say otherwise: {per_row} bytes a row"
    );
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(STATE, state.path())
        .output()
        .unwrap();
    eprintln!("{}", String::from_utf8_lossy(&child.stderr));
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
}
