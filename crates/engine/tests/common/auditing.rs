//! Comparisons of a bench's two ends.

use std::sync::Arc;

use cabotage_core::{Attributes, DeleteOptions, Key, Storage as _};
use cabotage_engine::{Audit, AuditOptions, AuditReport, DestinationContent, Ending, FindingKind, Stop};
use cabotage_memory::MemoryStore;

use super::{Bench, put, put_with};

pub const READ: DestinationContent = DestinationContent::Read;

pub fn options(bench: &Bench) -> AuditOptions {
    AuditOptions { concurrency: 8, ..AuditOptions::new(bench.state.path().to_owned()) }
}

pub async fn try_audit(bench: &Bench, options: AuditOptions) -> cabotage_core::Result<AuditReport> {
    let job = bench.job(bench.options());
    let audit = Audit { source: job.source, destination: job.destination, options };
    cabotage_engine::audit(audit, Stop::default(), Arc::default(), Arc::new(())).await
}

pub async fn audit(bench: &Bench, options: AuditOptions) -> AuditReport {
    let report = try_audit(bench, options).await.unwrap();
    let o = report.objects;
    assert_eq!(o.listed, o.proven + o.different + o.not_proven, "{report}");
    report
}

pub async fn by_listing(bench: &Bench) -> AuditReport {
    audit(bench, options(bench)).await
}

pub async fn by_reading(bench: &Bench) -> AuditReport {
    audit(bench, AuditOptions { destination_content: READ, ..options(bench) }).await
}

pub fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

pub async fn delete(store: &MemoryStore, name: &str) {
    store.delete(&key(name), DeleteOptions::default()).await.unwrap();
}

pub fn attributes(value: &str) -> Attributes {
    let pair = |name: &str| [(name.to_owned(), value.to_owned())].into();
    Attributes { metadata: pair("owner"), tags: Some(pair("project")), ..Attributes::default() }
}

/// Five objects, moved: `a` to `d` of ten bytes, `e` with attributes.
pub async fn moved() -> Bench {
    moved_by(Bench::new()).await
}

pub async fn moved_by(bench: Bench) -> Bench {
    for name in ["a", "b", "c", "d"] {
        put(&bench.source, name, format!("content of {name}").into_bytes()).await;
    }
    put_with(&bench.source, "e", "content of e", attributes("x")).await;
    let report = bench.run().await;
    assert_eq!(report.ending, Ending::Complete, "{report}");
    bench
}

/// The finding's only example, which names that object.
#[track_caller]
pub fn named(report: &AuditReport, kind: FindingKind, name: &str) {
    assert_eq!(report.found(kind), 1, "{kind:?}: {report}");
    let example = &report.findings[&kind].examples[0];
    assert!(example.starts_with(&format!("{name}: ")), "{example}");
    let ending = if kind.is_difference() { Ending::Mismatch } else { Ending::Incomplete };
    assert_eq!(report.ending, ending, "{report}");
}
