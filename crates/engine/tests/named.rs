//! Runs over a list of names.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::Arc;

use cabotage_core::ErrorKind;
use cabotage_engine::{Event, KeysFile, Stop};
use common::{Bench, Events, keys, put};

/// Runs over that list; gives the report and the warnings.
async fn run(bench: &Bench, list: &[u8]) -> (cabotage_core::Result<cabotage_engine::Report>, Vec<String>) {
    let path = bench.state.path().join("list");
    std::fs::write(&path, list).unwrap();
    let mut options = bench.options();
    options.selection.keys_from = Some(KeysFile { path, null_separated: false });
    let events = Arc::new(Events::default());
    let observer: Arc<dyn cabotage_engine::Observer> = events.clone();
    let report = cabotage_engine::run(bench.job(options), Stop::default(), Arc::default(), observer).await;
    let events = std::mem::take(&mut *events.0.lock().unwrap());
    let warnings = events.into_iter().filter_map(|event| match event {
        Event::Warning(text) => Some(text),
        _ => None,
    });
    (report, warnings.collect())
}

#[tokio::test]
async fn a_name_that_is_listed_again_is_taken_once() {
    let bench = Bench::new();
    for name in ["a", "b", "c d", "not named"] {
        put(&bench.source, name, name.to_owned()).await;
    }
    let (report, warnings) = run(&bench, b"b\na\n\nnowhere\nb\nc d\nnowhere\nb\n").await;
    let report = report.unwrap();
    assert_eq!((report.objects.listed, report.objects.verified, report.objects.failed), (4, 3, 1));
    assert_eq!(keys(&bench.destination).await, ["a", "b", "c d"]);
    assert!(warnings.iter().any(|text| text.starts_with("3 lines repeat a name")), "{warnings:?}");
    let (again, warnings) = run(&bench, b"a\nb\n").await;
    assert_eq!(again.unwrap().objects.skipped, 2);
    assert!(!warnings.iter().any(|text| text.contains("repeat")), "{warnings:?}");
}

#[tokio::test]
async fn a_list_that_is_no_text_stops_the_run_before_an_object_moves() {
    let bench = Bench::new();
    put(&bench.source, "a", "content").await;
    let (report, _) = run(&bench, b"a\n\xff\n").await;
    assert_eq!(report.unwrap_err().kind(), ErrorKind::InvalidConfig);
    assert!(keys(&bench.destination).await.is_empty());
}
