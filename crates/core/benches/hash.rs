//! The digest of a body as it passes: in chunks as a network brings them, and its state kept after each part.
#![allow(missing_docs, reason = "criterion's macros")]

use bytes::Bytes;
use cabotage_core::{Sha256, Sha256Hasher};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const CHUNK: usize = 64 << 10;
const CHUNKS: usize = 128;

fn hash(criterion: &mut Criterion) {
    let chunks = vec![Bytes::from(vec![7; CHUNK]); CHUNKS];
    let mut group = criterion.benchmark_group("hash");
    group.throughput(Throughput::Bytes((CHUNK * CHUNKS) as u64));
    group.bench_function("a part of 8 MiB in chunks of 64 KiB", |bench| {
        bench.iter(|| Sha256::of_chunks(&chunks));
    });
    group.finish();
    let mut hasher = Sha256Hasher::default();
    hasher.update(&chunks[0]);
    criterion.bench_function("hash/state kept and gone on from", |bench| {
        bench.iter(|| Sha256Hasher::from_state(&hasher.state()));
    });
}

criterion_group!(benches, hash);
criterion_main!(benches);
