//! What counts as proof, and what must never pass for it.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use cabotage_core::{
    Access, Attributes, ErrorKind, Key, LossName, Operation, Probe, Result, Storage as _, StorageExt as _,
    Support, Versioning,
};
use cabotage_engine::{Adopt, Ending, Options, Progress, Stop, Verify};
use cabotage_layers::{Calls, Effect, Faults, KeyMatch, Rule};
use cabotage_memory::MemoryStore;
use common::{Bench, assert_equal, get, keys, put, put_with};

fn on_key(operation: Operation, key: &str, calls: Calls, effect: Effect) -> Rule {
    Rule::new(operation, effect).keys(KeyMatch::Exactly(key.into())).calls(calls)
}

fn metadata(name: &str, value: &str) -> Attributes {
    Attributes { metadata: [(name.to_owned(), value.to_owned())].into(), ..Attributes::default() }
}

#[tokio::test]
async fn metadata_that_has_no_room_beside_the_time_is_not_dropped_in_silence() {
    let bench = Bench::with(|c| {
        c.metadata.max_bytes = Some(40);
        c.keeps_modified = false;
    });
    put_with(&bench.source, "k", "x", metadata("a", &"v".repeat(30))).await;
    let options = || Options { keep_mtime: true, ..bench.options() };
    let report = bench.run_with(options()).await;
    assert_eq!((report.objects.refused, report.ending), (1, Ending::Incomplete), "{report}");
    let accepting = Options { accept_losses: [LossName::MetadataTooLarge].into(), ..options() };
    let report = bench.run_with(accepting).await;
    assert_eq!(report.losses[&LossName::MetadataTooLarge].accepted, 1, "{report}");
    assert_eq!(report.objects.verified, 1, "{report}");
}

#[tokio::test]
async fn what_read_back_found_spoilt_is_copied_again_by_the_next_run() {
    let mut bench = Bench::new();
    put(&bench.source, "k", "content").await;
    let spoilt = on_key(Operation::Write, "k", Calls::OfKey(1), Effect::StoreFlipped(2));
    bench.destination_faults = Some(Faults::new(vec![spoilt]));
    assert_eq!(bench.run().await.ending, Ending::Complete, "the store says that it is whole");
    let read_back = bench.run_with(Options { verify: Verify::ReadBack, ..bench.options() }).await;
    assert_eq!((read_back.ending, read_back.objects.failed), (Ending::Mismatch, 1), "{read_back}");
    let again = bench.run().await;
    assert_eq!((again.objects_copied, again.objects.skipped), (1, 0), "a broken object is no proof: {again}");
    assert_equal(&bench).await;
}

#[tokio::test]
async fn a_copy_of_ours_that_is_met_unlisted_and_spoilt_is_no_strangers() {
    let mut bench = Bench::new();
    put(&bench.source, "k", "content").await;
    let spoilt = on_key(Operation::Write, "k", Calls::OfKey(1), Effect::StoreFlipped(2));
    bench.destination_faults = Some(Faults::new(vec![spoilt]));
    bench.run().await;
    bench.destination_faults = Some(Faults::new([Rule::new(Operation::List, Effect::TruncateBody(0))]));
    let unlisted = bench.run().await;
    assert_eq!((unlisted.ending, unlisted.objects.failed), (Ending::Mismatch, 1), "{unlisted}");
    bench.destination_faults = None;
    assert_eq!(bench.run().await.objects_copied, 1);
    assert_equal(&bench).await;
}

#[tokio::test(start_paused = true)]
async fn a_guard_is_not_lost_to_a_failure_in_passing() {
    use Effect::{Fail, FailAfter};
    let probe = KeyMatch::StartsWith(".cabotage-probe-".into());
    for write in 1..=4 {
        for effect in [Fail(ErrorKind::Throttled), Fail(ErrorKind::Protocol), FailAfter(ErrorKind::Protocol)]
        {
            let mut bench = Bench::new();
            put(&bench.source, "k", "content").await;
            let what = format!("write {write}: {effect:?}");
            let rule = Rule::new(Operation::Write, effect).keys(probe.clone()).calls(Calls::OfAll(write));
            bench.destination_faults = Some(Faults::new(vec![rule]));
            let guards = bench.run().await.guards.unwrap();
            assert_eq!((guards.create, guards.if_match), (Support::Enforced, Support::Enforced), "{what}");
        }
    }
}

#[tokio::test]
async fn adopted_for_its_size_an_object_has_to_be_equal_in_attributes_to_be_verified() {
    let bench = Bench::new();
    put_with(&bench.source, "k", "content", metadata("a", "1")).await;
    put(&bench.destination, "k", "content").await;
    let adopted = bench.run_with(Options { adopt: Some(Adopt::Size), ..bench.options() }).await;
    assert_eq!(adopted.objects.stored_unread, 1, "{adopted}");
    let read_back = bench.run_with(Options { verify: Verify::ReadBack, ..bench.options() }).await;
    assert_eq!((read_back.objects.refused, read_back.objects.verified), (1, 0), "{read_back}");
}

#[tokio::test]
async fn adopted_for_its_size_an_object_is_still_somebody_elses() {
    let bench = Bench::new();
    put(&bench.source, "k", "content").await;
    put(&bench.destination, "k", "CONTENT").await;
    bench.run_with(Options { adopt: Some(Adopt::Size), ..bench.options() }).await;
    put(&bench.source, "k", "another content").await;
    let report = bench.run().await;
    assert_eq!((report.objects.conflicts, report.objects_copied), (1, 0), "{report}");
    assert_eq!(get(&bench.destination, "k").await.unwrap(), b"CONTENT");
}

#[tokio::test]
async fn a_dry_run_plans_no_move_of_what_would_only_be_read() {
    let bench = Bench::new();
    put(&bench.source, "k", "content").await;
    bench.run().await;
    let options = Options { verify: Verify::ReadBack, dry_run: true, ..bench.options() };
    let report = bench.run_with(options).await;
    assert_eq!((report.objects.planned, report.objects.stored_unread), (0, 1), "{report}");
}

/// Takes wrong digests, and what it was asked to store stays.
#[derive(Debug)]
struct Careless(MemoryStore);

#[async_trait::async_trait]
impl Probe for Careless {
    async fn wrong_digest(&self, key: &Key) -> Result<Support> {
        self.0.put(key, bytes::Bytes::from_static(b"wrong")).await.map(|_| Support::Ignored)
    }
    async fn versioning(&self) -> Result<Versioning> {
        self.0.versioning().await
    }
    async fn clock_skew(&self) -> Result<Option<i64>> {
        self.0.clock_skew().await
    }
    fn right(&self, access: Access) -> &'static str {
        self.0.right(access)
    }
}

#[tokio::test]
async fn without_the_right_to_delete_a_careless_destination_can_still_be_written() {
    let mut bench = Bench::new();
    put(&bench.source, "k", "content").await;
    let denied = Rule::new(Operation::Delete, Effect::Fail(ErrorKind::PermissionDenied));
    bench.destination_faults = Some(Faults::new(vec![denied]));
    let mut job = bench.job(bench.options());
    job.destination.probe = Some(Arc::new(Careless(bench.destination.clone())));
    let report = cabotage_engine::run(job, Stop::default(), Arc::default(), Arc::new(())).await.unwrap();
    assert_eq!(report.objects.stored_unread, 1, "{report}");
    assert_eq!(report.guards.unwrap().create, Support::Enforced, "{report}");
}

#[tokio::test]
async fn losses_are_counted_when_an_object_is_read_back_later() {
    let bench = Bench::with(|c| c.metadata.names = cabotage_core::MetadataNames::LowerCase);
    put_with(&bench.source, "k", "content", metadata("Owner", "1")).await;
    bench.run().await;
    let report = bench.run_with(Options { verify: Verify::ReadBack, ..bench.options() }).await;
    assert_eq!(report.levels.read_back, 1, "{report}");
    assert_eq!(report.losses[&LossName::MetadataNameCase].accepted, 1, "{report}");
}

#[tokio::test]
async fn a_source_that_changes_while_it_is_compared_is_not_taken_as_equal() {
    let mut bench = Bench::new();
    let mut rules = bench.source.capabilities().clone();
    rules.list_attributes = false;
    bench.source = bench.source.with_capabilities(rules);
    put(&bench.source, "k", "one").await;
    put(&bench.destination, "k", "one").await;
    let faults = Faults::new(vec![Rule::new(Operation::Head, Effect::Delay(Duration::from_millis(50)))]);
    bench.source_faults = Some(faults.clone());
    let changing = async {
        while !faults.log().contains(&(Operation::Head, "k".to_owned())) {
            tokio::task::yield_now().await;
        }
        put(&bench.source, "k", "two").await;
    };
    let options = Options { adopt: Some(Adopt::Content), ..bench.options() };
    let (report, ()) = tokio::join!(bench.run_with(options), changing);
    assert_eq!((report.objects.verified, report.objects.conflicts), (0, 1), "{report}");
}

#[tokio::test]
async fn an_equal_object_of_somebody_else_is_not_removed() {
    let mut bench = Bench::new();
    put_with(&bench.source, "k", "content", metadata("a", "1")).await;
    put(&bench.destination, "k", "content").await;
    // It appears after the listing.
    let unseen = Rule::new(Operation::List, Effect::TruncateBody(0));
    bench.destination_faults = Some(Faults::new(vec![unseen]));
    let report = bench.run().await;
    assert_eq!((report.objects.verified, report.objects.refused), (0, 1), "{report}");
    assert_eq!(keys(&bench.destination).await, ["k"], "only what this run wrote may be removed");
}

#[tokio::test]
async fn a_completion_whose_reply_is_lost_is_no_conflict_and_leaves_no_upload() {
    for complete in [Support::Enforced, Support::Ignored] {
        let mut bench = Bench::with(|c| {
            c.limits.part_min = 1 << 20;
            c.preconditions.complete = complete;
        });
        put(&bench.source, "big", vec![7_u8; 5 << 20]).await;
        let lost = on_key(Operation::Complete, "big", Calls::OfKey(1), Effect::FailAfter(ErrorKind::Timeout));
        bench.destination_faults = Some(Faults::new(vec![lost]));
        let options = Options { part_threshold: 1 << 20, memory: 16 << 20, ..bench.options() };
        let report = bench.run_with(options).await;
        assert_eq!((report.objects.verified, report.objects.conflicts), (1, 0), "{complete:?}: {report}");
        assert_equal(&bench).await;
        use futures::TryStreamExt as _;
        let open: Vec<_> = bench.destination.list_uploads("").try_collect().await.unwrap();
        assert!(open.is_empty(), "{complete:?}: {open:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_part_that_fails_fails_its_object_and_not_the_run() {
    for round in 0..20 {
        let mut bench = Bench::with(|c| c.limits.part_min = 1 << 20);
        put(&bench.source, "big", vec![7_u8; 12 << 20]).await;
        put(&bench.source, "small", "x").await;
        // The parts behind the third wait for their turn when it fails.
        let third = |effect| on_key(Operation::Read, "big", Calls::OfKey(3), effect);
        let effects = [Effect::Delay(Duration::from_millis(10)), Effect::Fail(ErrorKind::PermissionDenied)];
        bench.source_faults = Some(Faults::new(effects.map(third)));
        let options = Options { part_threshold: 1 << 20, memory: 16 << 20, ..bench.options() };
        let report = bench.run_with(options).await;
        assert_eq!(
            (report.objects.verified, report.failures_of(ErrorKind::PermissionDenied), report.ending),
            (1, 1, Ending::Incomplete),
            "round {round}: {report}"
        );
    }
}

#[tokio::test]
async fn a_bucket_under_two_names_is_recognised_whichever_lies_in_the_other() {
    for (source, destination, refused) in
        [("", "copy/", true), ("data/", "", true), ("data/", "copy/", false)]
    {
        let mut bench = Bench::new();
        (bench.source_prefix, bench.destination_prefix) = (source.into(), destination.into());
        put(&bench.source, "data/data/x", "inner").await;
        let mut job = bench.job(bench.options());
        let alias = cabotage_layers::Prefix::new(Arc::new(bench.source.clone()), "");
        assert_ne!(alias.id(), bench.source.id());
        job.destination.store = Arc::new(alias);
        job.destination.probe = Some(Arc::new(bench.source.clone()));
        let ended = cabotage_engine::run(job, Stop::default(), Arc::default(), Arc::new(())).await;
        assert_eq!(ended.is_err(), refused, "{source:?} -> {destination:?}: {ended:?}");
        if refused {
            assert_eq!(ended.unwrap_err().kind(), ErrorKind::InvalidConfig);
            assert_eq!(keys(&bench.source).await, ["data/data/x"], "nothing was written to the source");
        }
    }
}

#[tokio::test]
async fn a_name_that_cannot_be_looked_up_fails_alone() {
    let mut bench = Bench::new();
    for key in ["a", "b", "c"] {
        put(&bench.source, key, key.to_owned()).await;
    }
    let denied = on_key(Operation::Head, "b", Calls::Every, Effect::Fail(ErrorKind::PermissionDenied));
    bench.source_faults = Some(Faults::new(vec![denied]));
    let path = bench.state.path().join("keys");
    std::fs::write(&path, "a\nb\nmissing\nc\n").unwrap();
    let file = cabotage_engine::KeysFile { path, null_separated: false };
    let selection = cabotage_engine::Selection::new(&[], &[], Some(file)).unwrap();
    let progress = Arc::new(Progress::default());
    let job = bench.job(Options { selection, ..bench.options() });
    let run = cabotage_engine::run(job, Stop::default(), Arc::clone(&progress), Arc::new(()));
    let report = run.await.unwrap();
    assert_eq!((report.objects.verified, report.objects.failed), (2, 2), "{report}");
    assert_eq!(report.failures_of(ErrorKind::PermissionDenied), 1, "{report}");
    let seen = progress.snapshot();
    assert_eq!((seen.listed, seen.done), (4, 4));
}
