//! Runs in which something goes wrong.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use cabotage_core::{ErrorKind, Operation, Storage as _};
use cabotage_engine::{Ending, Options, Progress, Stop, Verify};
use cabotage_layers::{Calls, Effect, Faults, KeyMatch, Rule};
use common::{Bench, Events, assert_equal, get, keys, put};

async fn filled(objects: usize) -> Bench {
    let bench = Bench::with(|c| c.limits.part_min = 1 << 20);
    for i in 0..objects {
        put(&bench.source, &format!("k{i:04}"), format!("content {i}")).await;
    }
    bench
}

fn on_key(operation: Operation, key: &str, calls: Calls, effect: Effect) -> Rule {
    Rule::new(operation, effect).keys(KeyMatch::Exactly(key.into())).calls(calls)
}

#[tokio::test]
async fn passing_troubles_are_overcome() {
    let mut bench = filled(6).await;
    bench.source_faults = Some(Faults::new(vec![
        on_key(Operation::Read, "k0000", Calls::OfKey(1), Effect::Fail(ErrorKind::Timeout)),
        on_key(Operation::Read, "k0001", Calls::OfKey(1), Effect::CutBody(3)),
        on_key(Operation::Read, "k0002", Calls::OfKey(1), Effect::TruncateBody(3)),
        on_key(Operation::Head, "k0003", Calls::OfKey(1), Effect::Fail(ErrorKind::Unavailable)),
    ]));
    bench.destination_faults = Some(Faults::new(vec![
        on_key(Operation::Write, "k0004", Calls::OfKey(1), Effect::FailAfter(ErrorKind::Timeout)),
        on_key(Operation::Write, "k0005", Calls::OfKey(1), Effect::FlipByte(2)),
    ]));
    let report = bench.run().await;
    assert_eq!((report.objects.verified, report.ending), (6, Ending::Complete), "{report}");
    assert_equal(&bench).await;
}

#[tokio::test]
async fn a_lasting_failure_fails_its_object_only() {
    let mut bench = filled(5).await;
    let rule = on_key(Operation::Read, "k0002", Calls::Every, Effect::Fail(ErrorKind::PermissionDenied));
    bench.source_faults = Some(Faults::new(vec![rule]));
    let report = bench.run().await;
    assert_eq!(
        (report.objects.verified, report.objects.failed, report.ending),
        (4, 1, Ending::Incomplete),
        "{report}"
    );
    assert_eq!(report.failures_of(ErrorKind::PermissionDenied), 1);
}

#[tokio::test]
async fn what_is_missing_at_the_destination_has_not_vanished() {
    for (calls, ending, verified) in
        [(Calls::OfKey(1), Ending::Complete, 3), (Calls::Every, Ending::Incomplete, 2)]
    {
        let mut bench = filled(3).await;
        let rule = on_key(Operation::Write, "k0001", calls, Effect::Fail(ErrorKind::NotFound));
        bench.destination_faults = Some(Faults::new(vec![rule]));
        let report = bench.run().await;
        let objects = &report.objects;
        assert_eq!((objects.vanished, objects.verified, report.ending), (0, verified, ending), "{report}");
    }
}

#[tokio::test]
async fn wrong_credentials_stop_the_run() {
    let mut bench = filled(50).await;
    let rule = Rule::new(Operation::Write, Effect::Fail(ErrorKind::Unauthenticated)).calls(Calls::From(20));
    bench.destination_faults = Some(Faults::new(vec![rule]));
    let report = bench.run().await;
    assert_eq!(report.ending, Ending::Stopped, "{report}");
    assert!(report.objects.unfinished > 0 && report.objects.verified > 0, "{report}");
    assert_eq!(report.objects.sum(), report.objects.listed);
}

#[tokio::test]
async fn a_store_that_lies_is_found_out() {
    let mut bench = filled(3).await;
    bench.destination_faults = Some(Faults::new(vec![
        on_key(Operation::Write, "k0001", Calls::Every, Effect::LieStored),
        on_key(Operation::Write, "k0002", Calls::Every, Effect::StoreFlipped(1)),
    ]));
    let report = bench.run_with(Options { verify: Verify::ReadBack, ..bench.options() }).await;
    assert_eq!(
        (report.objects.verified, report.objects.failed, report.ending),
        (1, 2, Ending::Mismatch),
        "{report}"
    );
    assert_eq!(
        keys(&bench.destination).await,
        ["k0000"],
        "a damaged object doesn't stay under its final name"
    );
}

#[tokio::test]
async fn a_write_that_only_says_it_was_done_is_found_out_by_its_etag() {
    let mut bench = filled(2).await;
    bench.run().await;
    put(&bench.source, "k0001", "CONTENT 1").await;
    let rule = on_key(Operation::Write, "k0001", Calls::Every, Effect::LieStored);
    bench.destination_faults = Some(Faults::new(vec![rule]));
    let report = bench.run().await;
    assert_eq!(
        (report.objects.skipped, report.objects.failed, report.ending),
        (1, 1, Ending::Mismatch),
        "{report}"
    );
}

#[tokio::test]
async fn a_crash_at_any_moment_loses_nothing_and_is_no_conflict() {
    for round in 0..25_u64 {
        let mut bench = filled(40).await;
        put(&bench.source, "a-large", vec![7_u8; 5 << 20]).await;
        let slow = |operation| Rule::new(operation, Effect::Delay(Duration::from_millis(1)));
        // The head after the write is the moment between a write and its row.
        let slowed = [Operation::Write, Operation::WritePart, Operation::Complete, Operation::Head];
        bench.destination_faults = Some(Faults::new(slowed.map(slow).to_vec()));
        let options =
            || Options { part_threshold: 1 << 20, memory: 16 << 20, concurrency: 4, ..bench.options() };
        let run = bench.try_run(options());
        let crashed = tokio::time::timeout(Duration::from_millis(4 + 2 * round), run).await;
        let report = loop {
            // Tasks of the crashed run may still hold the ledger for a moment.
            match bench.try_run(options()).await {
                Ok(report) => break report,
                Err(error) if error.kind() == ErrorKind::LedgerHeld => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(
            (report.objects.conflicts, report.ending),
            (0, Ending::Complete),
            "round {round}: {report}"
        );
        assert_eq!(report.objects.listed, 41);
        if crashed.is_ok() {
            assert_eq!(report.objects_copied, 0, "round {round}");
        }
        assert_equal(&bench).await;
        use futures::TryStreamExt as _;
        let open: Vec<_> = bench.destination.list_uploads("").try_collect().await.unwrap();
        assert!(open.is_empty(), "round {round}: {open:?}");
    }
}

#[tokio::test]
async fn a_stop_finishes_what_is_in_flight() {
    let mut bench = filled(200).await;
    let delay = Rule::new(Operation::Write, Effect::Delay(Duration::from_millis(50)));
    bench.destination_faults = Some(Faults::new(vec![delay]));
    let (stop, progress) = (Stop::default(), Arc::new(Progress::default()));
    let observer = Arc::new(Events::default());
    let run = cabotage_engine::run(bench.job(bench.options()), stop.clone(), Arc::clone(&progress), observer);
    let stopping = async {
        while progress.snapshot().done < 5 {
            tokio::task::yield_now().await;
        }
        stop.drain.cancel();
    };
    let (report, ()) = tokio::join!(run, stopping);
    let report = report.unwrap();
    assert_eq!((report.ending, report.objects.unfinished), (Ending::Interrupted, 0), "{report}");
    assert!(report.objects.verified > 0 && report.objects.verified < 200, "{report}");
    let rest = bench.run().await;
    assert_eq!(rest.objects.skipped, report.objects.verified, "{rest}");
    assert_eq!((rest.objects.listed, rest.ending), (200, Ending::Complete), "{rest}");
}

#[tokio::test]
async fn a_source_that_changes_is_read_again() {
    let mut bench = filled(1).await;
    let rule = on_key(Operation::Read, "k0000", Calls::OfKey(1), Effect::Fail(ErrorKind::PreconditionFailed));
    bench.source_faults = Some(Faults::new(vec![rule]));
    let report = bench.run().await;
    assert_eq!((report.objects.verified, report.ending), (1, Ending::Complete), "{report}");
}

#[tokio::test]
async fn an_object_that_appears_meanwhile_is_a_conflict() {
    let mut bench = filled(2).await;
    // The destination says that something is there only when the write comes.
    let rule = on_key(Operation::Write, "k0001", Calls::Every, Effect::Fail(ErrorKind::PreconditionFailed));
    bench.destination_faults = Some(Faults::new(vec![rule]));
    put(&bench.destination, "other", "x").await;
    let report = bench.run().await;
    assert_eq!((report.objects.verified, report.objects.failed), (1, 1), "{report}");
    assert!(get(&bench.destination, "k0001").await.is_none());
}

#[tokio::test]
async fn a_listing_that_repeats_stops_the_run() {
    let mut bench = filled(50).await;
    bench.source_faults = Some(Faults::new(vec![Rule::new(Operation::List, Effect::ListAgain(20))]));
    let result = bench.try_run(bench.options()).await;
    let text = match result {
        Ok(report) => {
            assert_eq!(report.ending, Ending::Stopped, "{report}");
            report.stopped.unwrap()
        }
        Err(error) => error.to_string(),
    };
    assert!(text.contains("listing"), "{text}");
}

#[tokio::test]
async fn a_run_that_is_refused_leaves_the_manifest_alone() {
    let mut bench = filled(3).await;
    let slow = Rule::new(Operation::Write, Effect::Delay(Duration::from_secs(600)));
    bench.destination_faults = Some(Faults::new(vec![slow]));
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    std::fs::write(&second, "kept").unwrap();
    let with = |path: &std::path::Path| Options { manifest: Some(path.to_owned()), ..bench.options() };
    let refused = async {
        while !first.exists() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        bench.try_run(with(&second)).await.unwrap_err()
    };
    let error = tokio::select! {
        ended = bench.try_run(with(&first)) => panic!("{ended:?}"),
        error = refused => error,
    };
    assert_eq!(error.kind(), ErrorKind::LedgerHeld, "{error}");
    assert_eq!(std::fs::read_to_string(&second).unwrap(), "kept");
}

#[tokio::test]
async fn an_object_whose_task_breaks_down_is_not_forgotten() {
    let bench = filled(5).await;
    let mut job = bench.job(bench.options());
    job.source.store = Arc::new(common::panics::Panics(bench.source.clone(), "k0002"));
    let run = cabotage_engine::run(job, Stop::default(), Arc::default(), Arc::new(Events::default()));
    let report = run.await.unwrap();
    assert_eq!((report.objects.verified, report.ending), (4, Ending::Stopped), "{report}");
    assert!(report.stopped.unwrap().contains("sums"));
}
