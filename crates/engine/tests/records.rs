//! What runs leave in the ledger beside rows: troubles and their own records.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::path::Path;

use cabotage_core::{Attributes, ErrorKind, LossName, MetadataNames, Operation};
use cabotage_engine::{Class, LedgerReader, Options, RunKind, Trouble};
use cabotage_layers::{Calls, Effect, Faults, KeyMatch, Rule};
use common::{Bench, put, put_with};

fn reader(ledger: Option<&str>) -> LedgerReader {
    LedgerReader::open(Path::new(ledger.unwrap())).unwrap()
}

fn reading_fails(key: &str, kind: ErrorKind) -> Faults {
    let rule = Rule::new(Operation::Read, Effect::Fail(kind)).keys(KeyMatch::Exactly(key.into()));
    Faults::new(vec![rule.calls(Calls::Every)])
}

fn told(troubles: &[Trouble]) -> Vec<(&str, Class, &str)> {
    troubles.iter().map(|trouble| (trouble.name.as_str(), trouble.class, trouble.kind.as_str())).collect()
}

fn owned() -> Attributes {
    Attributes { metadata: [("data_owner".to_owned(), "v".to_owned())].into(), ..Attributes::default() }
}

#[tokio::test]
async fn troubles_are_kept_until_the_object_is_done_or_gone() {
    let mut bench = Bench::with(|c| c.metadata.names = MetadataNames::LowerCaseHyphen);
    put_with(&bench.source, "a/lossy", "1", owned()).await;
    put(&bench.source, "b/foreign", "2").await;
    put(&bench.destination, "b/foreign", "other").await;
    put(&bench.source, "c/denied", "3").await;
    put(&bench.source, "d/fine", "4").await;
    bench.source_faults = Some(reading_fails("c/denied", ErrorKind::PermissionDenied));
    let first = bench.run().await;
    let troubles = reader(first.ledger.as_deref()).troubles_after(None, 10).unwrap();
    let expected = [
        ("a/lossy", Class::Refused, ""),
        ("b/foreign", Class::Conflict, "destination-conflict"),
        ("c/denied", Class::Failed, "permission-denied"),
    ];
    assert_eq!(told(&troubles), expected);
    assert!(troubles[0].message.contains("--accept-loss"), "{:?}", troubles[0]);
    assert_eq!(troubles[0].losses, [LossName::MetadataNameChanged]);
    assert_eq!((troubles[0].attempts, troubles[1].attempts, troubles[2].attempts), (1, 0, 1));
    assert!(troubles.iter().all(|trouble| trouble.run == 1 && trouble.source_etag.is_some()));

    bench.source_faults = None;
    let dry = bench.run_with(Options { dry_run: true, ..bench.options() }).await;
    assert_eq!(
        reader(dry.ledger.as_deref()).troubles_after(None, 10).unwrap().len(),
        3,
        "a dry run only looks"
    );

    use cabotage_core::{DeleteOptions, Key, Storage as _};
    bench.source.delete(&Key::new("b/foreign").unwrap(), DeleteOptions::default()).await.unwrap();
    let second = bench.run().await;
    let troubles = reader(second.ledger.as_deref()).troubles_after(None, 10).unwrap();
    assert_eq!(told(&troubles), [("a/lossy", Class::Refused, "")], "one done, one gone");
    assert_eq!(troubles[0].run, 3);
}

/// An object that failed in one run and is found unchanged in the next, which ends early.
#[tokio::test]
async fn a_skipped_object_has_no_trouble_any_more() {
    let mut bench = Bench::new();
    for name in ["a", "b"] {
        put(&bench.source, name, name).await;
    }
    bench.run().await;
    bench.destination_faults = Some(reading_fails("a", ErrorKind::PermissionDenied));
    let read_back = Options { verify: cabotage_engine::Verify::ReadBack, ..bench.options() };
    let second = bench.run_with(read_back).await;
    let troubles = reader(second.ledger.as_deref()).troubles_after(None, 9).unwrap();
    assert_eq!(told(&troubles), [("a", Class::Failed, "permission-denied")]);
    put(&bench.source, "c", "c").await;
    put(&bench.source, "d", "d").await;
    let third = bench.run_with(Options { max_objects: Some(1), ..bench.options() }).await;
    assert!(!third.listing_complete);
    assert_eq!(reader(third.ledger.as_deref()).troubles_after(None, 9).unwrap(), []);
}

#[tokio::test]
async fn a_run_leaves_its_record() {
    let mut bench = Bench::new();
    put(&bench.source, "secret-name", "1").await;
    put(&bench.source, "other", "2").await;
    bench.source_faults = Some(reading_fails("secret-name", ErrorKind::PermissionDenied));
    let report = bench.run().await;
    let dry = bench.run_with(Options { dry_run: true, concurrency: 3, ..bench.options() }).await;
    let reader = reader(dry.ledger.as_deref());
    let runs = reader.runs().unwrap();
    let kinds: Vec<_> = runs.iter().map(|run| (run.kind, run.outcome.as_deref().unwrap())).collect();
    assert_eq!(kinds, [(RunKind::Pass, "incomplete"), (RunKind::DryRun, "complete")]);
    assert_eq!((runs[0].pid, runs[0].finished.is_some()), (std::process::id(), true));
    let kept: serde_json::Value = serde_json::from_str(runs[0].report.as_ref().unwrap()).unwrap();
    assert_eq!(kept["objects"]["failed"], 1);
    assert_eq!(kept["failures"]["permission-denied"]["count"], 1);
    assert!(serde_json::to_string(&report).unwrap().contains("secret-name"), "the report itself names it");
    assert!(!kept.to_string().contains("secret-name"), "{kept}");
    assert!(runs[0].settings.contains("\"concurrency\":8"), "{}", runs[0].settings);
    let changes = reader.changes().unwrap();
    assert_eq!(changes.iter().map(|change| change.what.as_str()).collect::<Vec<_>>(), ["frozen", "settings"]);
    assert!(changes[1].after.as_ref().unwrap().contains("\"concurrency\":3"));
}

#[tokio::test]
async fn a_row_tells_attempts_and_attributes() {
    let mut bench = Bench::new();
    put_with(&bench.source, "k", "1", owned()).await;
    let rule =
        Rule::new(Operation::Write, Effect::Fail(ErrorKind::Timeout)).keys(KeyMatch::Exactly("k".into()));
    bench.destination_faults = Some(Faults::new(vec![rule.calls(Calls::OfKey(1))]));
    let report = bench.run().await;
    let row = reader(report.ledger.as_deref()).row("k").unwrap().unwrap();
    assert!(row.attempts == 2 && row.started < row.finished, "{row:?}");
    assert_eq!(row.destination_attributes, Some(owned().digest()));
    assert_eq!(row.attributes, row.destination_attributes);
}
