//! Whole passes of the engine over names that nobody stores: listings, join, decision, ledger and report without a wire.
#![allow(missing_docs, clippy::unwrap_used, reason = "criterion's macros; a bench fails by panicking")]

use std::sync::Arc;

use acceptance::synthetic::{Destination, Dialect, Namespace, Shape, fill_ledger, job};
use cabotage_engine::{Counts, Job, Stop};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const OBJECTS: u64 = 20_480;

async fn run(job: Job) -> Counts {
    let run = cabotage_engine::run(job, Stop::default(), Arc::default(), Arc::new(()));
    Box::pin(run).await.unwrap().objects
}

fn passes(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut group = criterion.benchmark_group("pass");
    group.sample_size(10).throughput(Throughput::Elements(OBJECTS));
    for (shape, dialect) in [(Shape::Flat, Dialect::S3), (Shape::Hostile, Dialect::Azure)] {
        let namespace = Namespace::new(shape, OBJECTS, 1);
        let state = tempfile::tempdir().unwrap();
        let (full, empty) = (Destination::full(namespace), Destination::empty(namespace));
        let unchanged = || job(namespace, dialect, &full, state.path());
        runtime.block_on(fill_ledger(namespace, &unchanged())).unwrap();
        group.bench_function(format!("{}, all unchanged", shape.name()), |bench| {
            bench.iter(|| assert_eq!(runtime.block_on(run(unchanged())).skipped, OBJECTS));
        });
        let fresh = tempfile::tempdir().unwrap();
        group.bench_function(format!("{}, all new, dry run", shape.name()), |bench| {
            bench.iter(|| {
                let mut job = job(namespace, dialect, &empty, fresh.path());
                job.options.dry_run = true;
                assert_eq!(runtime.block_on(run(job)).planned, OBJECTS);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, passes);
criterion_main!(benches);
