//! The cut-over: what lets it close a job, and what doesn't.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::Arc;

use cabotage_core::{ErrorKind, Key, Operation, Storage as _, Support};
use cabotage_engine::{DeletePolicy, Ending, Event, Observer, Options, Report, Stop};
use cabotage_layers::{Calls, Effect, Faults, Rule};
use cabotage_memory::MemoryStore;
use common::{Bench, Events, get, put};
use futures::FutureExt as _;

async fn cut_over_watched(bench: &Bench, options: Options, observer: Arc<dyn Observer>) -> Report {
    cabotage_engine::cutover(bench.job(options), Stop::default(), Arc::default(), observer).await.unwrap()
}

async fn cut_over(bench: &Bench) -> Report {
    cut_over_watched(bench, bench.options(), Arc::new(())).await
}

async fn filled() -> Bench {
    let bench = Bench::new();
    for i in 0..30 {
        put(&bench.source, &format!("k{i:03}"), format!("content {i}")).await;
    }
    bench
}

fn closed(report: &Report) -> bool {
    report.cutover.as_ref().is_some_and(|cutover| cutover.closed.is_some())
}

#[tokio::test]
async fn a_cut_over_closes_the_job_and_reopening_goes_on() {
    let bench = filled().await;
    put(&bench.destination, "theirs", "x").await;
    let report = cut_over(&bench).await;
    let cutover = report.cutover.as_ref().unwrap();
    assert_eq!((report.ending, cutover.equal, cutover.extra), (Ending::Complete, 30, 1), "{report}");
    assert!(closed(&report) && report.to_string().contains("The job was closed at"), "{report}");
    let refused = bench.try_run(bench.options()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::LedgerConflict);
    assert!(refused.to_string().contains("--reopen"), "{refused}");
    let stop = Stop::default();
    let again =
        cabotage_engine::cutover(bench.job(bench.options()), stop, Arc::default(), Arc::new(())).await;
    assert_eq!(again.unwrap_err().kind(), ErrorKind::LedgerConflict);
    put(&bench.source, "late", "x").await;
    let reopened = bench.run_with(Options { reopen: true, ..bench.options() }).await;
    assert_eq!((reopened.objects.verified, reopened.ending), (1, Ending::Complete), "{reopened}");
    assert_eq!(bench.run().await.ending, Ending::Complete, "it stays open");
}

/// A dry run only looks.
#[tokio::test]
async fn a_dry_run_reopens_nothing() {
    let bench = filled().await;
    cut_over(&bench).await;
    bench.run_with(Options { reopen: true, dry_run: true, ..bench.options() }).await;
    assert!(bench.try_run(bench.options()).await.is_err());
}

/// Writes to the source after the final pass and before the comparison: when it is told of a deletion, which comes in
/// between.
struct Writer {
    source: MemoryStore,
    destination: MemoryStore,
    kind: &'static str,
    events: Events,
}

impl Observer for Writer {
    fn event(&self, event: &Event) {
        self.events.event(event);
        if !matches!(event, Event::Note(text) if text.contains("were deleted")) {
            return;
        }
        let key = Key::new("k001").unwrap();
        let written = async {
            match self.kind {
                "new" => put(&self.source, "new\u{1b}", "x").await,
                "changed" => put(&self.source, "k001", "changed").await,
                "gone" => self.source.delete(&key, Default::default()).await.unwrap(),
                "missing" => self.destination.delete(&key, Default::default()).await.unwrap(),
                _ => put(&self.destination, "k001", "theirs").await,
            }
        };
        // A store in memory keeps nobody waiting.
        written.now_or_never().unwrap();
    }
}

#[tokio::test]
async fn a_writer_meanwhile_is_named_and_keeps_the_job_open() {
    for kind in ["new", "changed", "gone", "missing", "differing"] {
        let bench = filled().await;
        bench.run().await;
        bench.source.delete(&Key::new("k029").unwrap(), Default::default()).await.unwrap();
        let options = Options { delete: Some(DeletePolicy::default()), ..bench.options() };
        let writer = Arc::new(Writer {
            source: bench.source.clone(),
            destination: bench.destination.clone(),
            kind,
            events: Events::default(),
        });
        let report = cut_over_watched(&bench, options, writer.clone()).await;
        assert_eq!((report.ending, closed(&report)), (Ending::Incomplete, false), "{kind}: {report}");
        let c = report.cutover.as_ref().unwrap();
        let found = [("new", c.new), ("changed", c.changed), ("gone", c.gone), ("missing", c.missing)];
        for (name, count) in found.into_iter().chain([("differing", c.differing)]) {
            assert_eq!(count, u64::from(name == kind), "{kind}: {name}: {report}");
        }
        let name = if kind == "new" { "new\\u{1b}" } else { "k001" };
        assert!(c.examples[0].starts_with(name), "{kind}: {report}");
        let told = writer.events.0.lock().unwrap().clone();
        assert!(told.iter().any(|event| matches!(event, Event::Trouble { name: told, .. } if told == name)));
        // What was written meanwhile is moved by the next one, which closes.
        if ["new", "changed", "missing"].contains(&kind) {
            assert!(closed(&cut_over(&bench).await), "{kind}");
        }
    }
}

#[tokio::test]
async fn what_is_left_at_the_destination_keeps_the_job_open() {
    let bench = filled().await;
    bench.run().await;
    bench.source.delete(&Key::new("k001").unwrap(), Default::default()).await.unwrap();
    let report = cut_over(&bench).await;
    assert_eq!((report.ending, report.cutover.as_ref().unwrap().gone), (Ending::Incomplete, 1), "{report}");
    assert!(!closed(&report) && report.to_string().contains("--delete"), "{report}");
    let options = Options { delete: Some(DeletePolicy::default()), ..bench.options() };
    let report = cut_over_watched(&bench, options, Arc::new(())).await;
    assert!(closed(&report) && get(&bench.destination, "k001").await.is_none(), "{report}");
}

#[tokio::test]
async fn what_is_not_proven_keeps_the_job_open() {
    let bench = Bench::with(|capabilities| capabilities.digest = Support::Ignored);
    put(&bench.source, "k", "x").await;
    let report = cut_over(&bench).await;
    assert_eq!((report.ending, closed(&report)), (Ending::Incomplete, false), "{report}");
    assert!(report.to_string().contains("NOT closed"), "{report}");
}

#[tokio::test]
async fn part_of_a_source_is_no_cut_over() {
    let bench = filled().await;
    for options in
        [Options { dry_run: true, ..bench.options() }, Options { max_objects: Some(3), ..bench.options() }]
    {
        let run = cabotage_engine::cutover(bench.job(options), Stop::default(), Arc::default(), Arc::new(()));
        assert_eq!(run.await.unwrap_err().kind(), ErrorKind::InvalidConfig);
    }
}

#[tokio::test]
async fn a_listing_that_fails_in_the_comparison_keeps_the_job_open() {
    let mut bench = filled().await;
    bench.run().await;
    let cut = Rule::new(Operation::List, Effect::CutBody(3)).calls(Calls::OfAll(2));
    bench.source_faults = Some(Faults::new([cut]));
    let report = cut_over(&bench).await;
    assert_eq!((report.ending, closed(&report)), (Ending::Stopped, false), "{report}");
}
