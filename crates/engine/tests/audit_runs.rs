//! Comparisons as runs: what they may touch, how they end, how samples take turns.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use cabotage_core::{ErrorKind, Operation};
use cabotage_engine::{
    Audit, AuditOptions, AuditReport, Ending, Event, FindingKind, JobIdentity, Ledger, Proof, RunKind,
    Selection, SourceContent, Stop,
};
use cabotage_layers::{Effect, Faults, Rule};
use common::auditing::{READ, audit, by_listing, delete, moved, named, options, try_audit};
use common::{Bench, Events, keys, put};

#[tokio::test]
async fn neither_end_is_ever_written_to_and_the_ledger_keeps_its_rows() {
    let mut bench = moved().await;
    put(&bench.destination, "a", "spoilt").await;
    delete(&bench.destination, "b").await;
    let faults = Faults::new([]);
    (bench.source_faults, bench.destination_faults) = (Some(faults.clone()), Some(faults.clone()));
    for options in [
        options(&bench),
        AuditOptions { source_content: SourceContent::Read, destination_content: READ, ..options(&bench) },
    ] {
        audit(&bench, options).await;
    }
    let harmless = [Operation::List, Operation::Head, Operation::Read];
    let log = faults.log();
    assert!(log.iter().all(|(operation, _)| harmless.contains(operation)), "{log:?}");
    let again = bench.run().await;
    assert_eq!((again.objects.skipped, again.objects.conflicts, again.objects_copied), (3, 1, 1), "{again}");
}

#[tokio::test]
async fn beside_a_run_it_is_refused() {
    let mut bench = moved().await;
    put(&bench.source, "new", "x").await;
    let slow = Rule::new(Operation::Read, Effect::Delay(Duration::from_millis(200)));
    bench.source_faults = Some(Faults::new([slow]));
    let faults = bench.source_faults.clone().unwrap();
    let beside = async {
        while faults.calls(Operation::Read) == 0 {
            tokio::task::yield_now().await;
        }
        try_audit(&bench, options(&bench)).await.unwrap_err()
    };
    let (report, refused) = tokio::join!(bench.run(), beside);
    assert_eq!((refused.kind(), report.ending), (ErrorKind::LedgerHeld, Ending::Complete));
}

#[tokio::test]
async fn the_selection_is_for_both_ends() {
    let bench = moved().await;
    delete(&bench.destination, "a").await;
    put(&bench.destination, "foreign", "x").await;
    let selection = Selection::new(&["[b-e]".into()], &["e".into()], None).unwrap();
    let report = audit(&bench, AuditOptions { selection, ..options(&bench) }).await;
    assert_eq!((report.ending, report.objects.proven, report.excluded), (Ending::Complete, 3, 3), "{report}");
}

#[tokio::test]
async fn a_stop_tells_what_was_compared_until_then() {
    let mut bench = moved().await;
    let slow = Rule::new(Operation::Read, Effect::Delay(Duration::from_millis(50)));
    bench.destination_faults = Some(Faults::new([slow]));
    let stop = Stop::default();
    let job = bench.job(bench.options());
    let options = AuditOptions { concurrency: 1, destination_content: READ, ..options(&bench) };
    let audit = Audit { source: job.source, destination: job.destination, options };
    let faults = bench.destination_faults.clone().unwrap();
    let stopping = async {
        while faults.calls(Operation::Read) < 2 {
            tokio::task::yield_now().await;
        }
        stop.drain.cancel();
    };
    let running = cabotage_engine::audit(audit, stop.clone(), Arc::default(), Arc::new(()));
    let (report, ()) = tokio::join!(running, stopping);
    let report = report.unwrap();
    assert_eq!((report.ending, report.listing_complete), (Ending::Interrupted, false), "{report}");
    assert!((1..5).contains(&report.objects.proven), "what was in flight is finished: {report}");
}

#[tokio::test]
async fn findings_are_told_as_they_come_and_hostile_names_are_escaped() {
    let bench = Bench::new();
    put(&bench.source, "a\u{1b}[31m\n", "x").await;
    let events = Arc::new(Events::default());
    let job = bench.job(bench.options());
    let manifest = bench.state.path().join("m.ndjson");
    let options = AuditOptions { manifest: Some(manifest.clone()), ..options(&bench) };
    let audit = Audit { source: job.source, destination: job.destination, options };
    let report =
        cabotage_engine::audit(audit, Stop::default(), Arc::default(), Arc::<Events>::clone(&events))
            .await
            .unwrap();
    assert!(report.to_string().contains("a\\u{1b}[31m\\n: "), "{report}");
    let events = events.0.lock().unwrap();
    let told = |event: &Event| matches!(event, Event::Finding { name, kind: FindingKind::Missing, .. } if name == "a\\u{1b}[31m\\n");
    assert!(events.iter().any(told), "{events:?}");
    let line: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(manifest).unwrap()).unwrap();
    assert_eq!((&line["key"], &line["result"]), (&"a\u{1b}[31m\n".into(), &"different".into()), "{line}");
    assert_eq!(line["findings"][0]["kind"], "missing");
}

#[tokio::test]
async fn many_objects_under_prefixes_in_a_small_budget() {
    let mut bench = Bench::new();
    (bench.source_prefix, bench.destination_prefix) = ("in/".into(), "out/".into());
    for number in 0..600 {
        put(&bench.source, &format!("in/{number}"), vec![7_u8; 5_000]).await;
    }
    bench.run().await;
    put(&bench.destination, "out/333", vec![8_u8; 5_000]).await;
    let both = AuditOptions {
        source_content: SourceContent::Read,
        destination_content: READ,
        memory: 16 << 20,
        concurrency: 64,
        ..options(&bench)
    };
    let report = audit(&bench, both).await;
    named(&report, FindingKind::ContentDiffers, "333");
    assert_eq!((report.objects.proven, report.bytes_read), (599, 600 * 10_000), "{report}");
    assert_eq!(keys(&bench.destination).await.len(), 600);
}

fn sample(bench: &Bench, percent: &str) -> AuditOptions {
    AuditOptions { destination_content: format!("sample:{percent}%").parse().unwrap(), ..options(bench) }
}

/// The names that were read at the destination, in a run of its own.
async fn sampled(bench: &mut Bench, options: AuditOptions) -> (AuditReport, Vec<String>) {
    let faults = Faults::new([]);
    bench.destination_faults = Some(faults.clone());
    let report = audit(bench, options).await;
    let log = faults.log().into_iter();
    let mut read: Vec<_> = log.filter(|(op, _)| *op == Operation::Read).map(|(_, key)| key).collect();
    read.sort();
    (report, read)
}

#[tokio::test]
async fn four_samples_of_a_quarter_read_every_object_exactly_once() {
    let mut bench = Bench::new();
    for number in 0..100 {
        put(&bench.source, &format!("{number:03}"), vec![1_u8; 10]).await;
    }
    bench.run().await;
    let mut all = Vec::new();
    for number in 1..=4 {
        let quarter = sample(&bench, "25");
        let (report, read) = sampled(&mut bench, quarter).await;
        let turn = report.sample.unwrap();
        assert_eq!((turn.number, turn.of, report.ending), (number, 4, Ending::Complete), "{report}");
        assert!(report.to_string().contains(&format!("sample {number} of 4 read whole")), "{report}");
        assert_eq!(report.proven_by(Proof::LedgerRead), read.len() as u64, "{report}");
        assert_eq!(report.proven_by(Proof::LedgerListing), 100 - read.len() as u64, "{report}");
        assert!(read.len() > 10, "{read:?}");
        all.extend(read);
        // None of these is a turn of that sample: another run, another share, another selection.
        bench.run().await;
        let half = sample(&bench, "50");
        audit(&bench, half).await;
        let selection = Selection::new(&["0*".into()], &[], None).unwrap();
        let narrow = AuditOptions { selection, ..sample(&bench, "25") };
        audit(&bench, narrow).await;
    }
    all.sort();
    assert_eq!(all, keys(&bench.source).await, "each once");
    let quarter = sample(&bench, "25");
    assert_eq!(sampled(&mut bench, quarter).await.0.sample.unwrap().number, 1, "from the start again");
}

#[tokio::test]
async fn a_turn_that_was_not_finished_comes_again() {
    let mut bench = moved().await;
    bench.source_faults = Some(Faults::new([Rule::new(Operation::List, Effect::CutBody(2))]));
    let stopped = audit(&bench, sample(&bench, "50")).await;
    assert_eq!((stopped.ending, stopped.sample.unwrap().number), (Ending::Stopped, 1), "{stopped}");
    bench.source_faults = None;
    assert_eq!(audit(&bench, sample(&bench, "50")).await.sample.unwrap().number, 1);
    assert_eq!(audit(&bench, sample(&bench, "50")).await.sample.unwrap().number, 2);
}

#[tokio::test]
async fn the_ledger_keeps_the_run_without_names() {
    let bench = moved().await;
    put(&bench.destination, "added-secretly", "x").await;
    let report = by_listing(&bench).await;
    let job = bench.job(bench.options());
    let place = |side: &cabotage_engine::Side| format!("{}/{}", side.store.id().0, side.prefix);
    let identity = JobIdentity { source: place(&job.source), destination: place(&job.destination) };
    let ledger = Ledger::open(bench.state.path(), &identity).unwrap();
    let runs = ledger.runs().await.unwrap();
    let record = runs.iter().find(|run| run.id == report.run).unwrap();
    assert_eq!((record.kind, record.outcome.as_deref()), (RunKind::Verify, Some("mismatch")));
    let stored = record.report.as_deref().unwrap();
    assert!(stored.contains("\"extra\"") && !stored.contains("added-secretly"), "{stored}");
    assert!(record.finished.is_some());
}
