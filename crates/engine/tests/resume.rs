//! Uploads in parts that go on from the parts of an earlier attempt or run.

#![allow(clippy::unwrap_used, clippy::panic)]
#![allow(clippy::cast_possible_truncation, reason = "sizes of a test's object")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use cabotage_core::{
    ErrorKind, Key, Operation, PartSlot, Payload, Sha256Hasher, Storage as _, Upload, UploadInfo,
    WriteOptions,
};
use cabotage_engine::{Ending, Options, Report, UploadCounts};
use cabotage_layers::{Calls, Effect, Faults, Rule};
use common::{Bench, assert_equal, put};
use futures::TryStreamExt as _;
use rusqlite::Connection;

const MIB: u64 = 1 << 20;
/// What the plan makes of a budget of 16 MiB.
const PART: u64 = 2 * MIB;
const PARTS: u64 = 6;

/// An object of six parts, of which the last is short.
async fn large() -> Bench {
    let bench = Bench::with(|c| c.limits.part_min = MIB);
    put(&bench.source, "k", content(1)).await;
    bench
}

fn content(seed: u64) -> Vec<u8> {
    let size = (PARTS - 1) * PART + 5;
    (0..size).map(|at| (at.wrapping_mul(0x9e37_79b9).wrapping_add(seed * at * at) >> 13) as u8).collect()
}

fn options(bench: &Bench) -> Options {
    Options { part_threshold: MIB, memory: 16 * MIB, concurrency: 1, ..bench.options() }
}

fn from_call(operation: Operation, call: u64, effect: Effect) -> Option<Faults> {
    Some(Faults::new(vec![Rule::new(operation, effect).calls(Calls::From(call))]))
}

/// A run that ends when the destination has taken so many parts.
async fn died_after(bench: &mut Bench, parts: u64) {
    bench.destination_faults =
        from_call(Operation::WritePart, parts + 1, Effect::Fail(ErrorKind::Unauthenticated));
    let report = bench.run_with(options(bench)).await;
    assert_eq!((report.ending, report.objects.unfinished), (Ending::Stopped, 1), "{report}");
    assert_eq!(report.uploads, UploadCounts { left_open: 1, ..UploadCounts::default() }, "{report}");
    assert_eq!(open_uploads(bench).await.len(), 1);
}

async fn open_uploads(bench: &Bench) -> Vec<UploadInfo> {
    bench.destination.list_uploads("").try_collect().await.unwrap()
}

/// What the next run did: its report, parts sent, ranges read.
struct Next {
    report: Report,
    sent: u64,
    read: u64,
}

async fn next_with(bench: &mut Bench, options: Options) -> Next {
    let (to, from) = (Faults::default(), Faults::default());
    (bench.destination_faults, bench.source_faults) = (Some(to.clone()), Some(from.clone()));
    let report = bench.run_with(options).await;
    assert_eq!((report.ending, report.objects.verified), (Ending::Complete, 1), "{report}");
    assert_equal(bench).await;
    assert_eq!(open_uploads(bench).await, [], "{report}");
    Next { report, sent: to.calls(Operation::WritePart), read: from.calls(Operation::Read) }
}

async fn next(bench: &mut Bench) -> Next {
    next_with(bench, options(bench)).await
}

/// Begun anew: everything is sent.
async fn next_anew(bench: &mut Bench) {
    let Next { report, sent, read } = next(bench).await;
    assert_eq!((sent, read), (PARTS, PARTS), "{report}");
    assert_eq!(report.uploads, UploadCounts { begun_anew: 1, ..UploadCounts::default() }, "{report}");
}

fn counts(parts_kept: u64, from_state: bool, read_again: u64) -> UploadCounts {
    UploadCounts {
        went_on: 1,
        parts_kept,
        bytes_kept: parts_kept * PART,
        digests_from_state: u64::from(from_state),
        digests_from_start: u64::from(!from_state),
        bytes_read_again: read_again * PART,
        ..UploadCounts::default()
    }
}

fn ledger(bench: &Bench) -> Connection {
    let files = std::fs::read_dir(bench.state.path()).unwrap();
    let mut paths = files.map(|entry| entry.unwrap().path());
    Connection::open(paths.find(|path| path.extension().is_some_and(|e| e == "sqlite")).unwrap()).unwrap()
}

#[tokio::test]
async fn an_upload_goes_on_from_its_parts() {
    let mut bench = large().await;
    died_after(&mut bench, 3).await;
    let Next { report, sent, read } = next(&mut bench).await;
    assert_eq!(report.uploads, counts(3, true, 0), "{report}");
    assert_eq!((sent, read), (PARTS - 3, PARTS - 3), "neither sent nor read again");
    let text = report.to_string();
    assert!(text.contains("went on") && text.contains("from 3 parts (6.0 MiB)"), "{text}");
    let reads = Faults::default();
    bench.source_faults = Some(reads.clone());
    let again = bench.run_with(options(&bench)).await;
    assert_eq!(reads.calls(Operation::Read), 0, "what is verified and unchanged is not read");
    assert_eq!((again.objects.skipped, again.uploads), (1, UploadCounts::default()), "{again}");
}

#[tokio::test]
async fn a_run_that_was_cut_off_goes_on_too() {
    let mut bench = large().await;
    let waits = Effect::Delay(Duration::from_secs(600));
    bench.destination_faults = from_call(Operation::WritePart, 4, waits);
    let faults = bench.destination_faults.clone().unwrap();
    let at_the_fourth = async {
        while faults.calls(Operation::WritePart) < 4 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        ended = bench.try_run(options(&bench)) => panic!("{ended:?}"),
        () = at_the_fourth => {}
    }
    let Next { report, sent, read } = loop {
        // Tasks of the run that was cut off may still hold the ledger for a moment.
        match bench.try_run(Options { dry_run: true, ..options(&bench) }).await {
            Ok(_) => break next(&mut bench).await,
            Err(error) if error.kind() == ErrorKind::LedgerHeld => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!((sent, read), (PARTS - 3, PARTS - 3), "{report}");
    assert_eq!(report.uploads, counts(3, true, 0), "{report}");
}

#[tokio::test]
async fn many_parts_at_once_go_on() {
    for parts in 1..PARTS {
        let mut bench = large().await;
        let at_once = |bench: &Bench| Options { concurrency: 4, ..options(bench) };
        bench.destination_faults =
            from_call(Operation::WritePart, parts + 1, Effect::Fail(ErrorKind::Unauthenticated));
        let died = bench.run_with(at_once(&bench)).await;
        assert_eq!(died.ending, Ending::Stopped, "{died}");
        let with = at_once(&bench);
        let Next { report, sent, .. } = next_with(&mut bench, with).await;
        assert_eq!(sent + report.uploads.parts_kept, PARTS, "{report}");
    }
}

#[tokio::test]
async fn a_damaged_state_makes_it_read_again() {
    for damage in
        ["hashed_state = zeroblob(40)", "hashed_state = NULL", "hashed_parts = 2", "hashed_parts = 99"]
    {
        let mut bench = large().await;
        died_after(&mut bench, 3).await;
        assert_eq!(ledger(&bench).execute(&format!("UPDATE upload SET {damage}"), []).unwrap(), 1);
        let Next { report, sent, read } = next(&mut bench).await;
        assert_eq!(report.uploads, counts(3, false, 3), "{damage}: {report}");
        assert_eq!((sent, read), (PARTS - 3, PARTS), "{damage}");
    }
}

#[tokio::test]
async fn parts_beyond_the_state_are_read_and_not_sent() {
    let mut bench = large().await;
    died_after(&mut bench, 4).await;
    let mut hasher = Sha256Hasher::default();
    hasher.update(&content(1)[..PART as usize]);
    let moved = "UPDATE upload SET hashed_parts = 1, hashed_state = ?1";
    assert_eq!(ledger(&bench).execute(moved, [hasher.state()]).unwrap(), 1);
    let Next { report, sent, read } = next(&mut bench).await;
    assert_eq!(report.uploads, counts(4, true, 3), "{report}");
    assert_eq!((sent, read), (PARTS - 4, PARTS - 1));
}

#[tokio::test]
async fn a_part_that_the_server_has_otherwise_is_sent_again() {
    let mut bench = large().await;
    died_after(&mut bench, 3).await;
    let (key, id) = (Key::new("k").unwrap(), open_uploads(&bench).await[0].id.clone());
    let upload = bench.destination.resume_upload(&key, &id, WriteOptions::default()).await.unwrap();
    let other = Payload::from_bytes(vec![0; PART as usize]);
    upload.part(PartSlot { number: 2, offset: PART }, other).await.unwrap();
    let Next { report, sent, read } = next(&mut bench).await;
    assert_eq!(report.uploads, counts(2, true, 0), "{report}");
    assert_eq!((sent, read), (PARTS - 2, PARTS - 2));
}

/// The server's upload has parts 1 and 3 alone, as after a loss.
async fn lose_part_2(bench: &Bench) -> Arc<dyn Upload> {
    let key = Key::new("k").unwrap();
    let old = open_uploads(bench).await[0].id.clone();
    let upload = bench.destination.start_upload(&key, WriteOptions::default()).await.unwrap();
    let ledger = ledger(bench);
    ledger.execute("UPDATE upload SET upload_id = ?1", [&upload.id().0]).unwrap();
    for number in [1, 3] {
        let start = (number as usize - 1) * PART as usize;
        let body = Payload::from_bytes(content(1)[start..start + PART as usize].to_vec());
        let part = upload.part(PartSlot { number, offset: start as u64 }, body).await.unwrap();
        let etag = part.etag.unwrap();
        ledger.execute("UPDATE part SET etag = ?1 WHERE number = ?2", (etag.bare(), number)).unwrap();
    }
    let old = bench.destination.resume_upload(&key, &old, WriteOptions::default()).await.unwrap();
    old.abort().await.unwrap();
    upload
}

#[tokio::test]
async fn a_part_that_the_server_has_lost_is_sent_again() {
    let mut bench = large().await;
    died_after(&mut bench, 3).await;
    lose_part_2(&bench).await;
    let Next { report, sent, read } = next(&mut bench).await;
    assert_eq!(report.uploads, counts(2, true, 0), "{report}");
    assert_eq!((sent, read), (PARTS - 2, PARTS - 2));
}

#[tokio::test]
async fn an_upload_that_the_server_does_not_know_begins_anew() {
    let mut bench = large().await;
    died_after(&mut bench, 3).await;
    let (key, id) = (Key::new("k").unwrap(), open_uploads(&bench).await[0].id.clone());
    let upload = bench.destination.resume_upload(&key, &id, WriteOptions::default()).await.unwrap();
    upload.abort().await.unwrap();
    next_anew(&mut bench).await;
}

#[tokio::test]
async fn a_source_that_changed_begins_anew() {
    let mut bench = large().await;
    died_after(&mut bench, 3).await;
    put(&bench.source, "k", content(2)).await;
    next_anew(&mut bench).await;
}

#[tokio::test]
async fn a_source_that_changes_under_its_etag_begins_anew() {
    let mut bench = large().await;
    let flipped = Rule::new(Operation::Read, Effect::FlipByte(9)).calls(Calls::OfAll(2));
    bench.source_faults = Some(Faults::new(vec![flipped]));
    died_after(&mut bench, 3).await;
    ledger(&bench).execute("UPDATE upload SET hashed_state = NULL", []).unwrap();
    let Next { report, sent, .. } = next(&mut bench).await;
    assert_eq!(sent, PARTS, "{report}");
    assert_eq!(report.uploads.went_on, 1, "until the other bytes were found: {report}");
}

#[tokio::test]
async fn another_part_size_begins_anew() {
    let mut bench = large().await;
    died_after(&mut bench, 3).await;
    let larger = Options { memory: 32 * MIB, ..options(&bench) };
    let Next { report, sent, .. } = next_with(&mut bench, larger).await;
    assert_eq!((sent, report.uploads.begun_anew, report.uploads.went_on), (3, 1, 0), "{report}");
}

#[tokio::test]
async fn a_retry_goes_on_from_the_parts_that_were_sent() {
    let mut bench = large().await;
    let lost = Rule::new(Operation::WritePart, Effect::Fail(ErrorKind::Timeout)).calls(Calls::OfAll(4));
    let faults = Faults::new(vec![lost]);
    bench.destination_faults = Some(faults.clone());
    let report = bench.run_with(options(&bench)).await;
    assert_eq!((report.objects.verified, report.uploads), (1, counts(3, true, 0)), "{report}");
    assert_eq!(faults.calls(Operation::WritePart), PARTS + 1);
    assert_equal(&bench).await;
    assert_eq!(open_uploads(&bench).await, []);
}

#[tokio::test]
async fn a_failed_object_keeps_its_upload_for_the_next_run() {
    let mut bench = large().await;
    bench.destination_faults = from_call(Operation::WritePart, 4, Effect::Fail(ErrorKind::Timeout));
    let report = bench.run_with(options(&bench)).await;
    assert_eq!((report.objects.failed, report.uploads.left_open), (1, 1), "{report}");
    let Next { report, sent, .. } = next(&mut bench).await;
    assert_eq!((sent, report.uploads.parts_kept), (PARTS - 3, 3), "{report}");
}

#[tokio::test]
async fn an_upload_that_can_not_go_on_is_aborted_at_once() {
    let mut bench = large().await;
    bench.destination_faults = from_call(Operation::WritePart, 4, Effect::Fail(ErrorKind::PermissionDenied));
    let report = bench.run_with(options(&bench)).await;
    assert_eq!((report.objects.failed, report.uploads), (1, UploadCounts::default()), "{report}");
    assert_eq!(open_uploads(&bench).await, []);
}

#[tokio::test(start_paused = true)]
async fn an_upload_whose_start_was_not_answered_is_aborted_though_the_object_is_refused() {
    let call = |call, effect| Rule::new(Operation::Upload, effect).calls(Calls::OfAll(call));
    for looked_again in [None, Some(ErrorKind::Timeout)] {
        let mut bench = large().await;
        let mut rules = vec![
            call(1, Effect::FailAfter(ErrorKind::Timeout)),
            // Uploads are listed, and another is started.
            call(2, Effect::Fail(ErrorKind::PermissionDenied)),
            call(3, Effect::Fail(ErrorKind::PermissionDenied)),
        ];
        rules.extend(looked_again.map(|kind| call(4, Effect::Fail(kind))));
        bench.destination_faults = Some(Faults::new(rules));
        let report = bench.run_with(options(&bench)).await;
        assert_eq!((report.objects.failed, report.uploads.may_be_open), (1, 1), "{report}");
        assert!(report.to_string().contains("may be open"), "{report}");
        assert_eq!(open_uploads(&bench).await.len(), usize::from(looked_again.is_some()));
        bench.destination_faults = None;
        let report = bench.run_with(options(&bench)).await;
        assert_eq!((report.objects.verified, open_uploads(&bench).await.len()), (1, 0), "{report}");
    }
}

#[tokio::test]
async fn what_nothing_needs_any_more_is_aborted_at_the_end() {
    let mut bench = large().await;
    died_after(&mut bench, 3).await;
    bench.destination_faults = None;
    bench.source.delete(&Key::new("k").unwrap(), Default::default()).await.unwrap();
    put(&bench.source, "a", "small").await;
    put(&bench.source, "b", "small").await;
    let part = bench.run_with(Options { max_objects: Some(1), ..options(&bench) }).await;
    assert_eq!((part.uploads.left_open, part.uploads.aborted), (1, 0), "not all was seen: {part}");
    assert_eq!(open_uploads(&bench).await.len(), 1);
    let report = bench.run_with(options(&bench)).await;
    assert_eq!(report.uploads, UploadCounts { aborted: 1, ..UploadCounts::default() }, "{report}");
    assert_eq!(open_uploads(&bench).await, []);
}
