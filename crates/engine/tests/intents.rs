//! What an earlier run left behind between a write and its row.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::Arc;

use cabotage_core::{
    Access, ETag, ErrorKind, Key, Operation, Probe, Result, Sha256, Storage as _, Support, Timestamp,
    Versioning,
};
use cabotage_engine::{Adopt, ContentSha256, Ending, Intent, JobIdentity, Ledger, Options, Overwrite, Stop};
use cabotage_layers::{Calls, Effect, Faults, KeyMatch, Rule};
use cabotage_memory::MemoryStore;
use common::{Bench, assert_equal, get, put};
use futures::TryStreamExt as _;

async fn ledger(bench: &Bench) -> Ledger {
    let identity = JobIdentity { source: "memory:source/".into(), destination: "memory:destination/".into() };
    let file = Ledger::file(bench.state.path(), &identity);
    bench.try_run(Options { dry_run: true, ..bench.options() }).await.unwrap();
    assert!(file.exists(), "the identity is that of the bench's runs");
    Ledger::open(bench.state.path(), &identity).unwrap()
}

/// As after a run that died when it had begun to write that content under that name.
async fn begun(bench: &Bench, name: &str, content: &str) {
    let sha256 = Some(ContentSha256::whole(Sha256::of(content.as_bytes())));
    leave(bench, name, content, Intent { sha256, ..intent() }).await;
}

fn intent() -> Intent {
    Intent {
        name: String::new(),
        source_etag: Some(ETag::new("earlier")),
        size: 0,
        sha256: None,
        multipart: false,
        started: Timestamp::now(),
    }
}

async fn leave(bench: &Bench, name: &str, content: &str, intent: Intent) {
    let ledger = ledger(bench).await;
    ledger.intend(Intent { name: name.into(), size: content.len() as u64, ..intent }).await.unwrap();
    ledger.close().await.unwrap();
}

async fn intents(bench: &Bench) -> Vec<Intent> {
    let ledger = ledger(bench).await;
    let intents = ledger.intents().await.unwrap();
    ledger.close().await.unwrap();
    intents
}

fn on_write(key: &str, calls: Calls, kind: ErrorKind) -> Faults {
    let rule = Rule::new(Operation::Write, Effect::Fail(kind)).keys(KeyMatch::Exactly(key.into()));
    Faults::new(vec![rule.calls(calls)])
}

#[tokio::test]
async fn a_second_death_before_the_replacement_is_written_makes_no_conflict() {
    let mut bench = Bench::new();
    put(&bench.source, "k", "new").await;
    put(&bench.destination, "k", "old").await;
    begun(&bench, "k", "old").await;
    // The run ends with the intent of the new content recorded, and the old content in its place.
    bench.destination_faults = Some(on_write("k", Calls::Every, ErrorKind::Unauthenticated));
    let died = bench.run().await;
    assert_eq!((died.ending, died.objects.unfinished), (Ending::Stopped, 1), "{died}");
    bench.destination_faults = None;
    let report = bench.run().await;
    assert_eq!((report.objects.verified, report.objects.conflicts), (1, 0), "{report}");
    assert_equal(&bench).await;
}

#[tokio::test]
async fn overwrite_never_replaces_not_even_what_an_earlier_run_had_begun() {
    let bench = Bench::new();
    put(&bench.source, "k", "new").await;
    put(&bench.destination, "k", "old").await;
    begun(&bench, "k", "old").await;
    let never = Options { overwrite: Overwrite::Never, ..bench.options() };
    let report = bench.run_with(never).await;
    assert_eq!((report.objects.conflicts, report.objects_copied), (1, 0), "{report}");
    assert_eq!(get(&bench.destination, "k").await.unwrap(), b"old");
    let report = bench.run().await;
    assert_eq!(
        (report.objects.conflicts, report.objects_copied),
        (0, 1),
        "it is still known as ours: {report}"
    );
}

#[tokio::test]
async fn what_the_user_allows_holds_where_an_earlier_run_was_about_to_write() {
    for (overwrite, adopt, stored, counts) in [
        (Overwrite::Ours, None, "foreign", (1, 0, 0)),
        (Overwrite::Always, None, "content", (0, 1, 0)),
        (Overwrite::Ours, Some(Adopt::Size), "foreign", (0, 0, 1)),
        (Overwrite::Ours, Some(Adopt::Content), "foreign", (1, 0, 0)),
    ] {
        let bench = Bench::new();
        put(&bench.source, "k", "content").await;
        put(&bench.destination, "k", "foreign").await;
        begun(&bench, "k", "content").await;
        let report = bench.run_with(Options { overwrite, adopt, ..bench.options() }).await;
        let o = &report.objects;
        assert_eq!((o.conflicts, o.verified, o.stored_unread), counts, "{overwrite:?} {adopt:?}: {report}");
        assert_eq!(get(&bench.destination, "k").await.unwrap(), stored.as_bytes());
    }
}

#[tokio::test]
async fn an_intent_is_forgotten_when_nothing_can_have_been_written() {
    let mut bench = Bench::new();
    put(&bench.source, "k", "content").await;
    begun(&bench, "gone from the source, never written", "x").await;
    bench.destination_faults = Some(on_write("k", Calls::Every, ErrorKind::PermissionDenied));
    let report = bench.run().await;
    assert_eq!(report.failures_of(ErrorKind::PermissionDenied), 1, "{report}");
    assert_eq!(intents(&bench).await, []);
}

#[tokio::test]
async fn an_intent_stays_while_its_write_may_have_succeeded() {
    let mut bench = Bench::new();
    put(&bench.source, "k", "content").await;
    let rule = |operation, calls, effect| {
        Rule::new(operation, effect).keys(KeyMatch::Exactly("k".into())).calls(calls)
    };
    bench.destination_faults = Some(Faults::new(vec![
        rule(Operation::Write, Calls::OfKey(1), Effect::FailAfter(ErrorKind::Timeout)),
        rule(Operation::Head, Calls::Every, Effect::Fail(ErrorKind::PermissionDenied)),
    ]));
    let report = bench.run().await;
    assert_eq!(report.objects.failed, 1, "{report}");
    bench.destination_faults = None;
    let report = bench.run().await;
    assert_eq!((report.objects.verified, report.objects.conflicts), (1, 0), "{report}");
    assert_eq!(report.objects_copied, 0, "it had arrived: {report}");
}

#[tokio::test]
async fn only_an_upload_that_started_with_its_intent_is_taken_as_this_jobs_own() {
    for (age, open) in [(0, 0), (7_200, 1)] {
        let bench = Bench::new();
        let key = cabotage_core::Key::new("k").unwrap();
        bench.destination.start_upload(&key, Default::default()).await.unwrap();
        let started = Timestamp::from_second(Timestamp::now().as_second() - age).unwrap();
        leave(&bench, "k", "content", Intent { multipart: true, started, ..intent() }).await;
        bench.run().await;
        let left: Vec<_> = bench.destination.list_uploads("").try_collect().await.unwrap();
        assert_eq!(left.len(), open, "an upload of now, and an intent of {age} s ago");
    }
}

/// A destination whose clock is an hour ahead of this machine's.
#[derive(Debug)]
struct HourAhead(MemoryStore);

#[async_trait::async_trait]
impl Probe for HourAhead {
    async fn wrong_digest(&self, key: &Key) -> Result<Support> {
        self.0.wrong_digest(key).await
    }
    async fn versioning(&self) -> Result<Versioning> {
        self.0.versioning().await
    }
    async fn clock_skew(&self) -> Result<Option<i64>> {
        Ok(Some(3_600))
    }
    fn right(&self, access: Access) -> &'static str {
        self.0.right(access)
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_is_intended_by_the_clock_of_the_destination() {
    let mut bench = Bench::new();
    put(&bench.source, "k", vec![1; 6 << 20]).await;
    let unanswered = Rule::new(Operation::Upload, Effect::FailAfter(ErrorKind::Timeout));
    let then = Rule::new(Operation::Upload, Effect::Fail(ErrorKind::Timeout));
    bench.destination_faults = Some(Faults::new(vec![unanswered.calls(Calls::OfAll(1)), then]));
    let mut job = bench.job(Options { part_threshold: 5 << 20, ..bench.options() });
    job.destination.probe = Some(Arc::new(HourAhead(bench.destination.clone())));
    let report = cabotage_engine::run(job, Stop::default(), Arc::default(), Arc::new(())).await.unwrap();
    assert_eq!(report.objects.failed, 1, "{report}");
    let ahead = intents(&bench).await[0].started.as_second() - Timestamp::now().as_second();
    assert!((3_500..=3_600).contains(&ahead), "{ahead} s");
}
