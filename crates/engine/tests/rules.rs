//! The rules of a job, frozen by its first run that writes.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::path::Path;

use cabotage_core::{Error, ErrorKind, LossName, StorePlace};
use cabotage_engine::{Ending, Event, Job, JobChanges, LedgerReader, Options, Report, Selection, Stop};
use common::{Bench, Events, put};

fn plain(bench: &Bench) -> Options {
    let mut options = bench.options();
    options.ledger.allowed = JobChanges::default();
    options
}

fn at(bench: &Bench, endpoint: &str, options: Options) -> Job {
    let mut job = bench.job(options);
    let identity = "s3/destination".to_owned();
    job.destination.place = Some(StorePlace { identity, endpoint: endpoint.into() });
    job
}

async fn run(job: Job) -> cabotage_core::Result<Report> {
    cabotage_engine::run(job, Stop::default(), std::sync::Arc::default(), std::sync::Arc::new(())).await
}

fn refused(result: cabotage_core::Result<Report>) -> Error {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerConflict, "{error}");
    error
}

async fn filled() -> Bench {
    let bench = Bench::new();
    for name in ["a.dcm", "b.txt"] {
        put(&bench.source, name, name).await;
    }
    bench
}

fn changes(report: &Report) -> Vec<String> {
    let reader = LedgerReader::open(Path::new(report.ledger.as_ref().unwrap())).unwrap();
    reader.changes().unwrap().into_iter().map(|change| change.what).collect()
}

#[tokio::test]
async fn other_rules_are_refused_with_what_differs_and_let_pass_by_name() {
    let bench = filled().await;
    run(bench.job(plain(&bench))).await.unwrap();
    let mut other = plain(&bench);
    other.accept_losses.insert(LossName::TagDropped);
    other.accept_losses.insert(LossName::MetadataNameCase);
    other.keep_mtime = true;
    other.selection = Selection::new(&["*.dcm".into()], &[], None).unwrap();
    let error = refused(run(bench.job(other.clone())).await);
    for text in [
        "--include was none, is now *.dcm",
        "--accept-loss was none, is now tag-dropped;",
        "--keep-mtime was not given",
    ] {
        assert!(error.to_string().contains(text), "{error}");
    }
    assert!(error.advice().unwrap().contains("--change-job"), "{error}");

    let dry = Options { dry_run: true, ..other.clone() };
    let events = std::sync::Arc::new(Events::default());
    let told = std::sync::Arc::clone(&events);
    cabotage_engine::run(bench.job(dry), Stop::default(), std::sync::Arc::default(), told).await.unwrap();
    let warned = |event: &Event| matches!(event, Event::Warning(text) if text.contains("--include was none"));
    assert!(events.0.lock().unwrap().iter().any(warned), "a dry run tells");
    refused(run(bench.job(other.clone())).await);

    other.ledger.allowed.change_job = true;
    let report = run(bench.job(other.clone())).await.unwrap();
    assert_eq!((report.objects.listed, report.objects.skipped), (1, 1), "{report}");
    assert!(changes(&report).contains(&"job".to_owned()), "{:?}", changes(&report));
    other.ledger.allowed.change_job = false;
    run(bench.job(other)).await.unwrap();
    refused(run(bench.job(plain(&bench))).await);
}

#[tokio::test]
async fn what_is_of_one_run_alone_is_no_rule() {
    let bench = filled().await;
    run(bench.job(plain(&bench))).await.unwrap();
    let list = bench.state.path().join("names");
    std::fs::write(&list, "a.dcm\n").unwrap();
    let mut other = Options { concurrency: 2, memory: 32 << 20, max_objects: Some(9), ..plain(&bench) };
    other.overwrite = cabotage_engine::Overwrite::Always;
    other.accept_losses.insert(LossName::MetadataNameCase);
    other.selection.keys_from = Some(cabotage_engine::KeysFile { path: list, null_separated: false });
    let report = run(bench.job(other)).await.unwrap();
    assert_eq!(report.objects.skipped, 1, "{report}");
    assert!(changes(&report).contains(&"settings".to_owned()));
}

#[tokio::test]
async fn a_dry_run_freezes_nothing() {
    let bench = filled().await;
    let mut dry = Options { dry_run: true, ..plain(&bench) };
    dry.keep_mtime = true;
    run(bench.job(dry)).await.unwrap();
    run(bench.job(plain(&bench))).await.unwrap();
}

#[tokio::test]
async fn another_address_is_refused_and_the_ledger_is_found_all_the_same() {
    let bench = filled().await;
    run(at(&bench, "old:443", plain(&bench))).await.unwrap();
    let error = refused(run(at(&bench, "new:443", plain(&bench))).await);
    assert!(error.to_string().contains("the destination was at old:443, is now at new:443"), "{error}");
    assert!(error.advice().unwrap().contains("--endpoint-moved"), "{error}");
    let mut moved = plain(&bench);
    moved.ledger.allowed = JobChanges { change_job: true, endpoint_moved: false };
    refused(run(at(&bench, "new:443", moved.clone())).await);
    moved.ledger.allowed = JobChanges { change_job: false, endpoint_moved: true };
    let report = run(at(&bench, "new:443", moved)).await.unwrap();
    assert_eq!(report.objects.skipped, 2, "{report}");
    assert!(changes(&report).contains(&"endpoint".to_owned()));
    run(at(&bench, "new:443", plain(&bench))).await.unwrap();
}

/// What earlier versions called the ledger had the server's address in it.
#[tokio::test]
async fn a_ledger_under_its_former_name_goes_on_under_the_new() {
    let bench = filled().await;
    let first = run(bench.job(plain(&bench))).await.unwrap();
    let mut allowed = plain(&bench);
    allowed.ledger.allowed.change_job = true;
    allowed.ledger.allowed.endpoint_moved = true;
    let second = run(at(&bench, "x:443", allowed)).await.unwrap();
    assert_eq!((second.objects.skipped, second.run), (2, Some(2)), "{second}");
    assert_ne!(first.ledger, second.ledger);
    assert!(!Path::new(first.ledger.as_ref().unwrap()).exists());
    let third = run(at(&bench, "x:443", plain(&bench))).await.unwrap();
    assert_eq!((third.objects.skipped, third.run), (2, Some(3)), "{third}");
}

#[tokio::test]
async fn a_rebuilt_ledger_holds_what_both_ends_prove() {
    let bench = filled().await;
    let report = run(bench.job(plain(&bench))).await.unwrap();
    let path = report.ledger.unwrap();
    put(&bench.source, "c.new", "only at the source").await;
    put(&bench.source, "d.other", "one").await;
    put(&bench.destination, "d.other", "two").await;
    put(&bench.destination, "e.foreign", "three").await;
    std::fs::write(&path, "damaged").unwrap();
    let error = run(bench.job(plain(&bench))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerCorrupt);
    assert!(error.advice().unwrap().contains("cabotage ledger rebuild"), "{error}");

    let before = common::keys(&bench.destination).await;
    let mut rebuild = Options { adopt: Some(cabotage_engine::Adopt::Content), ..plain(&bench) };
    rebuild.ledger.rebuild = true;
    let report = run(bench.job(rebuild.clone())).await.unwrap();
    let objects = &report.objects;
    assert_eq!((objects.verified, objects.planned, objects.conflicts), (2, 1, 1), "{report}");
    assert_eq!(report.levels.read_back, 2);
    assert_eq!((report.destination_only, report.objects_copied), (1, 0));
    assert_eq!(common::keys(&bench.destination).await, before, "nothing is written");
    let aside: Vec<_> = std::fs::read_dir(bench.state.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e.to_string_lossy().starts_with("old-")))
        .collect();
    assert_eq!(std::fs::read(&aside[0]).unwrap(), b"damaged", "the damaged one is kept");

    let report = run(bench.job(plain(&bench))).await.unwrap();
    assert_eq!(
        (report.objects.skipped, report.objects.verified, report.objects.conflicts),
        (2, 1, 1),
        "{report}"
    );

    rebuild.adopt = Some(cabotage_engine::Adopt::Size);
    let report = run(bench.job(rebuild)).await.unwrap();
    assert_eq!((report.levels.adopted_size, report.ending), (4, Ending::Incomplete), "{report}");
}

#[tokio::test]
async fn a_backup_is_a_ledger_and_replaces_nothing() {
    let bench = filled().await;
    let report = run(bench.job(plain(&bench))).await.unwrap();
    let reader = LedgerReader::open(Path::new(report.ledger.as_ref().unwrap())).unwrap();
    let file = bench.state.path().join("copy of it");
    reader.backup(&file).unwrap();
    let copy = LedgerReader::open(&file).unwrap();
    assert_eq!(copy.rows_after(None, 9).unwrap(), reader.rows_after(None, 9).unwrap());
    assert_eq!(copy.rows_after(None, 9).unwrap().len(), 2);
    let error = reader.backup(&file).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
    assert_eq!(LedgerReader::open(&file).unwrap().runs().unwrap().len(), 1, "the one that is there stays");
}
