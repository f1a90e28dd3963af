//! What the ledger keeps of a run: its settings, how far it has got, how it ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cabotage_core::Result;
use serde::Serialize;
use serde_json::Value;
use tokio_util::task::AbortOnDropHandle;

use crate::context::Context;
use crate::ledger::{free_space, missing_for};
use crate::pace::Pace;
use crate::{
    Adopt, Ending, Event, Invocation, Ledger, Observer, Options, Overwrite, PartsDigest, Progress, Report,
    RunKind, Snapshot, Verify,
};

/// How often the ledger is told how far a run has got.
const EVERY: Duration = Duration::from_secs(5);

/// What may differ from run to run of one job, for the ledger. Nothing secret.
#[derive(Serialize)]
struct Settings<'a> {
    concurrency: usize,
    memory: u64,
    part_threshold: u64,
    max_objects: Option<u64>,
    overwrite: &'static str,
    adopt: Option<&'static str>,
    verify: &'static str,
    digest: &'static str,
    some_names: bool,
    check_attributes: bool,
    delete_at_most: Option<u64>,
    delete_max_shrink: Option<u32>,
    retry_of: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt_of: Option<&'a str>,
    typed: Option<&'a Invocation>,
}

/// The settings as JSON.
pub(crate) fn settings(options: &Options) -> String {
    let settings = Settings {
        concurrency: options.concurrency,
        memory: options.memory,
        part_threshold: options.part_threshold,
        max_objects: options.max_objects,
        overwrite: match options.overwrite {
            Overwrite::Never => "never",
            Overwrite::Ours => "ours",
            Overwrite::Always => "always",
        },
        adopt: options.adopt.map(|adopt| match adopt {
            Adopt::Content => "content",
            Adopt::Size => "size",
        }),
        verify: match options.verify {
            Verify::ServerChecked => "server-checked",
            Verify::ReadBack => "read-back",
        },
        digest: match options.digest {
            PartsDigest::Whole => "whole",
            PartsDigest::Composite => "composite",
        },
        some_names: options.selection.keys_from.is_some(),
        check_attributes: options.check_attributes,
        delete_at_most: options.delete.map(|policy| policy.max),
        delete_max_shrink: options.delete.map(|policy| policy.max_shrink),
        retry_of: options.retry_of,
        attempt_of: options.attempt_of.as_deref(),
        typed: options.invocation.as_ref(),
    };
    json(&settings)
}

/// What a run with those options is for.
pub(crate) fn kind(options: &Options) -> RunKind {
    match options {
        Options { dry_run: true, .. } => RunKind::DryRun,
        Options { ledger, .. } if ledger.rebuild => RunKind::Rebuild,
        Options { retry_of: Some(_), .. } => RunKind::Retry,
        _ => RunKind::Pass,
    }
}

/// The first run of the submission that this one is an attempt of; itself where it is of none.
pub(crate) async fn first_attempt(ledger: &Ledger, options: &Options, run: i64) -> Result<i64> {
    let Some(wanted) = &options.attempt_of else { return Ok(run) };
    let runs = ledger.runs().await?;
    let attempts = runs.iter().filter(|earlier| earlier.attempt_of().as_ref() == Some(wanted));
    Ok(attempts.map(|earlier| earlier.id).min().unwrap_or(run))
}

/// Tells the ledger every few seconds how far the run has got, until it is dropped.
pub(crate) fn keep_progress(ledger: Ledger, run: i64, progress: Arc<Progress>) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut pace = Pace::default();
        loop {
            let kept = pace.note(Instant::now(), progress.snapshot());
            if let Err(error) = ledger.save_progress(run, json(&kept)).await {
                tracing::debug!(%error, "the progress could not be recorded");
            }
            tokio::time::sleep(EVERY).await;
        }
    }))
}

/// Tells the user, once, when the rows of what is listed won't fit on the disk; until it is dropped.
pub(crate) fn watch_space(context: &Context, observer: Arc<dyn Observer>) -> AbortOnDropHandle<()> {
    let (progress, folder) = (Arc::clone(&context.progress), context.options.state_dir.clone());
    AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            if let Some(text) = lack_of_space(&progress.snapshot(), free_space(&folder)) {
                observer.event(&Event::Warning(text));
                return;
            }
            tokio::time::sleep(EVERY).await;
        }
    }))
}

/// What to tell when the rows of the objects listed and not done need more than is free.
fn lack_of_space(snapshot: &Snapshot, free: Option<u64>) -> Option<String> {
    let missing = missing_for(snapshot.listed.saturating_sub(snapshot.done), free?)?;
    Some(format!(
        "the ledger needs about {} MiB more than the disk of the state folder has left: the run will stop, cleanly, when it \
         is full",
        missing.div_ceil(1 << 20)
    ))
}

/// How a run ended, as the ledger keeps it.
pub(crate) fn outcome(ending: Ending) -> String {
    let ending = serde_json::to_value(ending).unwrap_or_default();
    ending.as_str().unwrap_or_default().to_owned()
}

/// The report as the ledger keeps it: JSON without names of objects, which texts of failures hold.
pub(crate) fn stored(report: &Report, stopped_by: Option<String>) -> String {
    let mut value = serde_json::to_value(report).unwrap_or_default();
    remove_examples(&mut value);
    if let Some(fields) = value.as_object_mut() {
        fields.insert("stopped".into(), stopped_by.into());
        fields.remove("next");
    }
    value.to_string()
}

/// Examples are the only places of a report that hold names of objects.
fn remove_examples(value: &mut Value) {
    let Some(fields) = value.as_object_mut() else { return };
    fields.remove("examples");
    fields.values_mut().for_each(remove_examples);
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_counted_for_what_is_still_to_come() {
        let snapshot = Snapshot { listed: 3_000_000, done: 1_000_000, ..Snapshot::default() };
        assert_eq!(lack_of_space(&snapshot, Some(1 << 40)), None);
        assert_eq!(lack_of_space(&snapshot, None), None, "where the system doesn't tell");
        let text = lack_of_space(&snapshot, Some(64 << 20)).unwrap();
        assert!(text.contains("763 MiB more"), "{text}");
    }
}
