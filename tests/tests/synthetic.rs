//! Namespaces of every shape through a whole run: the copy, and the pass after it that finds nothing to do.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use acceptance::synthetic::{Destination, Dialect, Namespace, Shape, fill_ledger, job};
use cabotage_engine::{Ending, Job, Report, Stop};

/// Objects that are copied, of each shape.
const COPIED: u64 = 5_000;
/// Objects that are decided over, of each shape.
const DECIDED: u64 = 50_000;
const SEED: u64 = 1;

async fn run(job: Job) -> Report {
    let run = cabotage_engine::run(job, Stop::default(), Arc::default(), Arc::new(()));
    Box::pin(run).await.unwrap()
}

/// Hostile ones are told as Azure does, so that names have to be put in order on the way.
fn dialect(shape: Shape) -> Dialect {
    if shape == Shape::Hostile { Dialect::Azure } else { Dialect::S3 }
}

async fn copy(shape: Shape) {
    let state = tempfile::tempdir().unwrap();
    let namespace = Namespace::new(shape, COPIED, SEED);
    let destination = Destination::empty(namespace);
    let job = || job(namespace, dialect(shape), &destination, state.path());
    let report = run(job()).await;
    assert_eq!((report.objects.verified, report.ending), (namespace.objects(), Ending::Complete), "{report}");
    assert_eq!(destination.count(), namespace.objects());
    assert!(!destination.has_strays().await, "something is left beside the objects");
    let again = run(job()).await;
    assert_eq!((again.objects.skipped, again.ending), (namespace.objects(), Ending::Complete), "{again}");
}

async fn decide(shape: Shape) {
    let state = tempfile::tempdir().unwrap();
    let namespace = Namespace::new(shape, DECIDED, SEED);
    let destination = Destination::full(namespace);
    let job = || job(namespace, dialect(shape), &destination, state.path());
    fill_ledger(namespace, &job()).await.unwrap();
    let report = run(job()).await;
    assert_eq!((report.objects.skipped, report.ending), (namespace.objects(), Ending::Complete), "{report}");
    assert_eq!((report.objects.listed, report.objects_copied), (namespace.objects(), 0), "{report}");
}

macro_rules! shapes {
    ($($name:ident: $shape:expr;)*) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread")]
            async fn copied_and_proven() {
                Box::pin(super::copy($shape)).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn decided() {
                Box::pin(super::decide($shape)).await;
            }
        }
    )*};
}

shapes! {
    flat: acceptance::synthetic::Shape::Flat;
    deep: acceptance::synthetic::Shape::Deep;
    skewed: acceptance::synthetic::Shape::Skewed;
    hostile: acceptance::synthetic::Shape::Hostile;
}
