//! One name's journey: read, judge, compare attributes, look again before a difference is told.

use std::sync::Arc;

use cabotage_core::{Disposition, Error, ErrorKind, ObjectInfo, Result, Scope, disposition};

use super::attributes::attributes;
use super::compare::{Judgement, Pair, judge};
use super::context::Context;
use super::proof::{Examined, Finding, FindingKind, Proof};
use super::read::{is_there, read, source_moved_on, why_missing};
use crate::Row;
use crate::attempts::{ATTEMPTS, back_off};
use crate::join::Candidate;

/// Compares what is known of one name; none where neither end has it.
///
/// # Errors
/// What keeps any object from being compared: no right to the bucket, an endpoint that is down.
pub(super) async fn examine(context: &Context, candidate: Candidate) -> Result<Option<Examined>> {
    let Candidate { name, source, destination, row } = candidate;
    match (source, destination) {
        (None, None) => Ok(None),
        (None, Some(there)) => Ok(Some(extra(name, &there, row.as_ref()))),
        (Some(source), destination) => {
            context.progress.listed(source.size);
            let row = row.as_ref();
            with_retries(context, &name, &source, destination.as_ref(), row).await.map(Some)
        }
    }
}

fn extra(name: Arc<str>, there: &ObjectInfo, row: Option<&Row>) -> Examined {
    let text = if row.is_some() {
        "this job wrote it, and the source no longer has it"
    } else {
        "only the destination has it, and this job didn't write it"
    };
    let examined = Examined { at_source: false, ours: row.is_some(), ..Examined::new(name, there.size) };
    examined.with(Finding::new(FindingKind::Extra, text))
}

/// As a migration does: a failure of the environment is tried again, one of the object is its finding.
async fn with_retries(
    context: &Context,
    name: &Arc<str>,
    source: &ObjectInfo,
    destination: Option<&ObjectInfo>,
    row: Option<&Row>,
) -> Result<Examined> {
    let mut attempt = 1;
    loop {
        let error = match once(context, name, source, destination, row).await {
            Ok(examined) => return Ok(examined),
            Err(error) => error,
        };
        match disposition(error.kind(), Scope::Object) {
            Disposition::Retry if attempt < ATTEMPTS => {
                tracing::debug!(%error, attempt, "trying again");
                back_off(attempt).await;
                attempt += 1;
            }
            Disposition::StopRun | Disposition::PauseEndpoint => return Err(error),
            _ => return Ok(Examined::new(Arc::clone(name), source.size).with(failed(&error))),
        }
    }
}

fn failed(error: &Error) -> Finding {
    match error.kind() {
        ErrorKind::SourceChanged => Finding { kind: FindingKind::SourceChanged, ..Finding::failed(error) },
        _ => Finding::failed(error),
    }
}

async fn once(
    context: &Context,
    name: &Arc<str>,
    source: &ObjectInfo,
    destination: Option<&ObjectInfo>,
    row: Option<&Row>,
) -> Result<Examined> {
    let examined = match destination {
        Some(destination) => compare(context, name, source, destination, row).await?,
        None => missing(context, name, source, row).await?,
    };
    let differs = examined.findings.iter().any(|finding| finding.kind.is_difference());
    if differs && source_moved_on(context, source).await? {
        let text = "the source's object changed while it was compared";
        let changed = Finding::new(FindingKind::SourceChanged, text);
        return Ok(Examined::new(Arc::clone(name), source.size).with(changed));
    }
    Ok(examined)
}

async fn missing(
    context: &Context,
    name: &Arc<str>,
    source: &ObjectInfo,
    row: Option<&Row>,
) -> Result<Examined> {
    let finding = if is_there(context, name).await? {
        let text = "the destination's listing doesn't show it, and a head does: it came meanwhile, or the listing lags";
        Finding::new(FindingKind::NotProven, text)
    } else {
        Finding::new(FindingKind::Missing, why_missing(row))
    };
    Ok(Examined::new(Arc::clone(name), source.size).with(finding))
}

async fn compare(
    context: &Context,
    name: &Arc<str>,
    source: &ObjectInfo,
    destination: &ObjectInfo,
    row: Option<&Row>,
) -> Result<Examined> {
    let read = read(context, name, source, destination, row).await?;
    let mut examined = Examined::new(Arc::clone(name), source.size);
    examined.sha256 = read.destination.or(read.source).or(row.and_then(|row| row.sha256));
    match judge(Pair { source, destination, row }, read) {
        Judgement::Proven(proof) => {
            examined.proof = Some(proof);
            if proof == Proof::Size {
                examined.findings.push(Finding::new(FindingKind::NotProven, why_unproven(row)));
            }
        }
        Judgement::Found(finding, marks) => {
            examined.findings.push(finding);
            examined.marks = marks;
        }
    }
    if examined.findings.iter().any(|finding| finding.kind == FindingKind::SourceChanged) {
        return Ok(examined);
    }
    let compared = attributes(context, source, destination, row).await?;
    examined.attributes = Some(compared.proof);
    examined.findings.extend(compared.findings);
    examined.losses = compared.losses;
    Ok(examined)
}

fn why_unproven(row: Option<&Row>) -> &'static str {
    if row.is_some() {
        "taken as moved for its size alone (--adopt size): only reading both ends proves it"
    } else {
        "not in the ledger: name and size are equal, nothing else is known; reading both ends proves it"
    }
}
