//! Runs over a namespace: the copy, and passes over a ledger that was filled without one.

use std::path::Path;
use std::sync::Arc;

use cabotage_core::{Probe, Result, Sha256, Storage, Timestamp};
use cabotage_engine::{ContentSha256, Job, JobIdentity, Ledger, Options, Row, RunKind, Side, Verdict};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{Destination, Dialect, Namespace, Source};

/// Rows that wait for their commit together.
const TOGETHER: usize = 4_000;

/// The job that brings the namespace to that destination.
#[must_use]
pub fn job(namespace: Namespace, dialect: Dialect, destination: &Destination, state: &Path) -> Job {
    let side = |store: Arc<dyn Storage>, probe: Option<Arc<dyn Probe>>| {
        let label = store.to_string();
        Side { store, probe, prefix: String::new(), label, place: None, throttle: Default::default() }
    };
    let source = Arc::new(Source::new(namespace, dialect));
    let destination = Arc::new(destination.clone());
    Job {
        source: side(source, None),
        destination: side(Arc::clone(&destination) as _, Some(destination)),
        options: Options::new(state.to_owned()),
    }
}

/// Records each object of the namespace as a run that copied all of it would have.
///
/// # Errors
/// Those of the ledger.
pub async fn fill_ledger(namespace: Namespace, job: &Job) -> Result<()> {
    let identity = JobIdentity::between(&job.source, &job.destination);
    let ledger = Ledger::open(&job.options.state_dir, &identity)?;
    let run = ledger.start_run(RunKind::Pass, "synthetic", "{}").await?;
    let rows = stream::iter((0..namespace.objects()).map(|i| row(namespace, i, run)));
    rows.map(|row| async { ledger.record(row?).await })
        .buffer_unordered(TOGETHER)
        .try_for_each(|()| async { Ok(()) })
        .await?;
    ledger.finish_run(run, "complete", None).await?;
    ledger.close().await
}

fn row(namespace: Namespace, i: u64, run: i64) -> Result<Row> {
    let (source, destination) = (namespace.at_source(i)?, namespace.at_destination(i)?);
    let attributes = namespace.attributes(i).digest();
    let now = Timestamp::now();
    Ok(Row {
        name: namespace.name(i),
        source_etag: source.etag,
        source_modified: source.modified,
        size: source.size,
        sha256: Some(ContentSha256::whole(Sha256::of(&namespace.content(i)))),
        destination_etag: destination.etag,
        destination_version: None,
        attributes: Some(attributes),
        verdict: Verdict::ServerChecked,
        losses: Vec::new(),
        in_sidecar: false,
        run,
        finished: now,
        attempts: 1,
        started: now,
        destination_attributes: Some(attributes),
    })
}
