//! `--delete`: what it takes away, and each thing that keeps it from doing so.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use cabotage_core::{ErrorKind, Key, Operation, Storage as _};
use cabotage_engine::{Adopt, DeletePolicy, Ending, KeysFile, Options, Selection};
use cabotage_layers::{Effect, Faults, KeyMatch, Rule};
use common::{Bench, get, keys, put};

const OBJECTS: usize = 40;

fn name(i: usize) -> String {
    format!("k{i:03}")
}

/// Forty objects that were moved.
async fn moved() -> Bench {
    let bench = Bench::new();
    for i in 0..OBJECTS {
        put(&bench.source, &name(i), format!("content {i:03}")).await;
    }
    assert_eq!(bench.run().await.ending, Ending::Complete);
    bench
}

async fn remove(bench: &Bench, from: usize, count: usize) {
    for i in from..from + count {
        bench.source.delete(&Key::new(name(i)).unwrap(), Default::default()).await.unwrap();
    }
}

fn delete(bench: &Bench) -> Options {
    Options { delete: Some(DeletePolicy::default()), ..bench.options() }
}

#[tokio::test]
async fn what_the_source_no_longer_has_is_deleted_and_nothing_else() {
    let bench = moved().await;
    put(&bench.destination, "foreign", "not ours").await;
    remove(&bench, 3, 2).await;
    let dry = bench.run_with(Options { dry_run: true, ..delete(&bench) }).await;
    let deletion = dry.deletion.as_ref().unwrap();
    assert_eq!((deletion.planned.objects, deletion.deleted.objects), (2, 0), "{dry}");
    assert_eq!(keys(&bench.destination).await.len(), OBJECTS + 1, "a dry run deleted something");
    let manifest = bench.state.path().join("manifest");
    let report = bench.run_with(Options { manifest: Some(manifest.clone()), ..delete(&bench) }).await;
    let deletion = report.deletion.as_ref().unwrap();
    assert_eq!((deletion.deleted.objects, deletion.deleted.bytes), (2, 22), "{report}");
    assert_eq!((report.ending, report.left_behind()), (Ending::Complete, 0), "{report}");
    let left = keys(&bench.destination).await;
    assert_eq!(left.len(), OBJECTS - 2 + 1);
    assert!(left.contains(&"foreign".to_owned()) && !left.contains(&name(3)) && !left.contains(&name(4)));
    let lines = std::fs::read_to_string(manifest).unwrap();
    assert_eq!(lines.lines().filter(|line| line.contains(r#""class":"deleted""#)).count(), 2, "{lines}");
    let again = bench.run_with(delete(&bench)).await;
    assert_eq!(
        (again.pass.gone.objects, again.deletion.unwrap().candidates.objects),
        (0, 0),
        "the rows are gone"
    );
    put(&bench.source, &name(3), "back").await;
    assert_eq!(bench.run().await.objects.verified, 1);
}

#[tokio::test]
async fn what_somebody_changed_at_the_destination_stays() {
    let bench = moved().await;
    remove(&bench, 0, 2).await;
    put(&bench.destination, &name(0), "edited there").await;
    let report = bench.run_with(delete(&bench)).await;
    let deletion = report.deletion.as_ref().unwrap();
    assert_eq!((deletion.conflicts, deletion.deleted.objects), (1, 1), "{report}");
    assert_eq!(report.ending, Ending::Incomplete);
    assert_eq!(get(&bench.destination, &name(0)).await.unwrap(), b"edited there");
}

/// It is changed between the listing and the delete.
#[tokio::test]
async fn what_somebody_changes_meanwhile_stays() {
    let mut bench = moved().await;
    remove(&bench, 0, 1).await;
    let changed = Rule::new(Operation::Delete, Effect::Fail(ErrorKind::PreconditionFailed))
        .keys(KeyMatch::Exactly(name(0)));
    bench.destination_faults = Some(Faults::new([changed]));
    let report = bench.run_with(delete(&bench)).await;
    assert_eq!(
        (report.deletion.as_ref().unwrap().conflicts, report.ending),
        (1, Ending::Incomplete),
        "{report}"
    );
    bench.destination_faults = None;
    let report = bench.run_with(delete(&bench)).await;
    assert_eq!(report.deletion.as_ref().unwrap().deleted.objects, 1, "the row had to stay: {report}");
}

/// A listing that leaves objects out, which a head still finds.
#[tokio::test]
async fn what_the_source_still_has_is_kept_though_it_is_not_listed() {
    let mut bench = moved().await;
    let cut = Rule::new(Operation::List, Effect::TruncateBody(OBJECTS as u64 - 1));
    bench.source_faults = Some(Faults::new([cut]));
    let report = bench.run_with(delete(&bench)).await;
    let deletion = report.deletion.as_ref().unwrap();
    assert_eq!(
        (deletion.kept, deletion.deleted.objects, report.ending),
        (1, 0, Ending::Incomplete),
        "{report}"
    );
    assert_eq!(keys(&bench.destination).await.len(), OBJECTS);
}

#[tokio::test]
async fn without_a_404_nothing_goes() {
    for kind in [ErrorKind::PermissionDenied, ErrorKind::BucketNotFound, ErrorKind::Timeout] {
        let mut bench = moved().await;
        remove(&bench, 7, 1).await;
        let head = Rule::new(Operation::Head, Effect::Fail(kind)).keys(KeyMatch::Exactly(name(7)));
        bench.source_faults = Some(Faults::new([head]));
        let report = bench.run_with(delete(&bench)).await;
        let deletion = report.deletion.as_ref().unwrap();
        assert_eq!((deletion.kept, deletion.deleted.objects), (1, 0), "{kind:?}: {report}");
        assert!(get(&bench.destination, &name(7)).await.is_some());
    }
}

#[tokio::test]
async fn a_listing_that_fails_deletes_nothing() {
    for side in ["source", "destination"] {
        let mut bench = moved().await;
        remove(&bench, 0, 1).await;
        let cut = Faults::new([Rule::new(Operation::List, Effect::CutBody(30))]);
        if side == "source" {
            bench.source_faults = Some(cut);
        } else {
            bench.destination_faults = Some(cut);
        }
        let report = bench.run_with(delete(&bench)).await;
        assert_eq!(report.ending, Ending::Stopped, "{side}: {report}");
        let deletion = report.deletion.as_ref().unwrap();
        assert_eq!(deletion.deleted.objects, 0, "{side}: {report}");
        assert!(deletion.blocked.is_some(), "{side}: {report}");
        assert_eq!(keys(&bench.destination).await.len(), OBJECTS);
    }
}

#[tokio::test]
async fn a_source_that_shrank_is_left_alone_unless_told() {
    let bench = moved().await;
    remove(&bench, 0, 3).await;
    let report = bench.run_with(delete(&bench)).await;
    assert_eq!(
        (report.ending, keys(&bench.destination).await.len()),
        (Ending::Incomplete, OBJECTS),
        "{report}"
    );
    assert!(report.to_string().contains("--max-shrink"), "{report}");
    let told = Some(DeletePolicy { max_shrink: 8, ..DeletePolicy::default() });
    let report = bench.run_with(Options { delete: told, ..bench.options() }).await;
    assert_eq!(
        (report.ending, keys(&bench.destination).await.len()),
        (Ending::Complete, OBJECTS - 3),
        "{report}"
    );
}

#[tokio::test]
async fn more_than_the_most_deletes_nothing_at_all() {
    let bench = moved().await;
    remove(&bench, 0, 2).await;
    let most =
        |max| Options { delete: Some(DeletePolicy { max, ..DeletePolicy::default() }), ..bench.options() };
    let report = bench.run_with(most(1)).await;
    assert_eq!(
        (report.ending, keys(&bench.destination).await.len()),
        (Ending::Incomplete, OBJECTS),
        "{report}"
    );
    assert!(report.to_string().contains("--max-delete 2"), "{report}");
    let report = bench.run_with(most(2)).await;
    assert_eq!(report.deletion.as_ref().unwrap().deleted.objects, 2, "{report}");
}

#[tokio::test]
async fn a_selection_bounds_deletion_too() {
    let bench = moved().await;
    remove(&bench, 0, 1).await;
    remove(&bench, 39, 1).await;
    let mut options = delete(&bench);
    options.selection = Selection::new(&[], &["k039".into()], None).unwrap();
    options.ledger.allowed.change_job = true;
    let report = bench.run_with(options).await;
    assert_eq!(report.deletion.as_ref().unwrap().deleted.objects, 1, "{report}");
    assert!(
        get(&bench.destination, &name(39)).await.is_some()
            && get(&bench.destination, &name(0)).await.is_none()
    );
}

#[tokio::test]
async fn part_of_a_source_is_no_ground_to_delete() {
    let bench = moved().await;
    let refused = bench.try_run(Options { max_objects: Some(1), ..delete(&bench) }).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidConfig);
    let mut options = delete(&bench);
    options.selection.keys_from =
        Some(KeysFile { path: bench.state.path().join("keys"), null_separated: false });
    assert_eq!(bench.try_run(options).await.unwrap_err().kind(), ErrorKind::InvalidConfig);
}

#[tokio::test]
async fn what_was_adopted_for_its_size_was_never_put_there() {
    let bench = moved().await;
    put(&bench.source, "there", "aaaa").await;
    put(&bench.destination, "there", "bbbb").await;
    bench.run_with(Options { adopt: Some(Adopt::Size), ..bench.options() }).await;
    bench.source.delete(&Key::new("there").unwrap(), Default::default()).await.unwrap();
    let report = bench.run_with(delete(&bench)).await;
    assert_eq!(report.deletion.as_ref().unwrap().adopted, 1, "{report}");
    assert_eq!(get(&bench.destination, "there").await.unwrap(), b"bbbb");
}

/// It died after the delete and before the ledger forgot.
#[tokio::test]
async fn what_is_nowhere_any_more_is_forgotten() {
    let bench = moved().await;
    remove(&bench, 5, 1).await;
    bench.destination.delete(&Key::new(name(5)).unwrap(), Default::default()).await.unwrap();
    let report = bench.run_with(delete(&bench)).await;
    assert_eq!(
        (report.deletion.as_ref().unwrap().forgotten, report.ending),
        (1, Ending::Complete),
        "{report}"
    );
    let again = bench.run_with(delete(&bench)).await;
    assert_eq!(again.deletion.unwrap().forgotten, 0);
}

#[tokio::test]
async fn what_the_destination_does_not_list_and_has_is_not_forgotten() {
    let mut bench = moved().await;
    remove(&bench, 3, 1).await;
    bench.destination_faults = Some(Faults::new([Rule::new(Operation::List, Effect::TruncateBody(0))]));
    let report = bench.run_with(delete(&bench)).await;
    let deletion = report.deletion.as_ref().unwrap();
    assert_eq!((deletion.kept, deletion.forgotten, report.ending), (1, 0, Ending::Incomplete), "{report}");
    bench.destination_faults = None;
    let report = bench.run_with(delete(&bench)).await;
    assert_eq!(report.deletion.unwrap().deleted.objects, 1);
}

#[tokio::test]
async fn a_delete_that_fails_keeps_the_row_for_the_next_pass() {
    let mut bench = moved().await;
    remove(&bench, 5, 1).await;
    let denied = Rule::new(Operation::Delete, Effect::Fail(ErrorKind::PermissionDenied))
        .keys(KeyMatch::Exactly(name(5)));
    bench.destination_faults = Some(Faults::new([denied]));
    let report = bench.run_with(delete(&bench)).await;
    assert_eq!(
        (report.deletion.as_ref().unwrap().failed, report.ending),
        (1, Ending::Incomplete),
        "{report}"
    );
    bench.destination_faults = None;
    let report = bench.run_with(delete(&bench)).await;
    assert_eq!(
        (report.deletion.as_ref().unwrap().deleted.objects, report.ending),
        (1, Ending::Complete),
        "{report}"
    );
}
