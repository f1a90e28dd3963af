//! One report of the last runs of all shards, as one run over the same objects would have given it.

use std::collections::BTreeMap;

use cabotage_core::{Rates, Support, Timestamp, Traffic};

use crate::report::{Counts, FailureGroup, Guards, Levels, LossCount};
use crate::{
    Amount, Deletion, Ending, Endpoint, Endpoints, Limited, Pass, Remnants, Report, RunRecord, ShardNumber,
    UploadCounts,
};

/// The report of a shard's last run.
pub(crate) struct ShardReport {
    pub shard: ShardNumber,
    pub report: Report,
}

/// What runs that were killed had done, and the run after them has skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Killed {
    pub objects: u64,
    pub bytes: u64,
    pub started: Timestamp,
    /// Whether nothing was done before them.
    pub first: bool,
}

impl Report {
    /// That of a recorded run, without names of objects; none where the run was killed, or has another kind of report.
    #[must_use]
    pub fn of_run(run: &RunRecord) -> Option<Self> {
        serde_json::from_str(run.report.as_deref()?).ok()
    }
}

impl ShardReport {
    /// None where it has none.
    pub(crate) fn of(shard: ShardNumber, last: Option<&RunRecord>, killed: Option<Killed>) -> Option<Self> {
        let mut report = Report::of_run(last?)?;
        if let Some(killed) = killed {
            killed.add_to(&mut report);
        }
        Some(Self { shard, report })
    }
}

impl Killed {
    /// Where the run after them has counted what they did itself.
    pub(crate) fn counted(self) -> Self {
        Self { objects: 0, bytes: 0, first: false, ..self }
    }

    /// As if the run after them had done it.
    fn add_to(self, report: &mut Report) {
        let objects = self.objects.min(report.objects.skipped);
        report.started = report.started.min(self.started);
        report.objects.skipped -= objects;
        report.objects.verified += objects;
        report.objects_copied += objects;
        report.bytes_copied += self.bytes;
        if self.first {
            let Pass { new, unchanged, .. } = &mut report.pass;
            let (objects, bytes) = (objects.min(unchanged.objects), self.bytes.min(unchanged.bytes));
            *new = amount(*new, Amount { objects, bytes });
            *unchanged = Amount { objects: unchanged.objects - objects, bytes: unchanged.bytes - bytes };
        }
    }
}

/// All of them as one; none of none.
pub(crate) fn merged(shards: &[ShardReport]) -> Option<Report> {
    let mut all = shards.first()?.report.clone();
    let stopped: Vec<_> = shards
        .iter()
        .filter_map(|shard| Some(format!("shard {}: {}", shard.shard, shard.report.stopped.as_ref()?)))
        .collect();
    let blocked: Vec<_> = shards
        .iter()
        .filter_map(|shard| {
            let reason = shard.report.deletion.as_ref()?.blocked.as_ref()?;
            Some(format!("shard {}: {reason}", shard.shard))
        })
        .collect();
    for shard in shards.iter().skip(1) {
        add(&mut all, &shard.report);
    }
    if let Some(deletion) = &mut all.deletion {
        deletion.blocked = (!blocked.is_empty()).then(|| blocked.join("; "));
    }
    all.stopped = (!stopped.is_empty()).then(|| stopped.join("; "));
    all.next.clear();
    Some(all)
}

fn add(all: &mut Report, other: &Report) {
    all.started = all.started.min(other.started);
    all.ended = all.ended.max(other.ended);
    all.dry_run |= other.dry_run;
    all.ending = worse(all.ending, other.ending);
    all.listing_complete &= other.listing_complete;
    all.objects = counts(all.objects, other.objects);
    all.levels = levels(all.levels, other.levels);
    all.pass = pass(all.pass, other.pass);
    all.deletion = match (all.deletion.take(), &other.deletion) {
        (Some(all), Some(other)) => Some(deletion(&all, other)),
        (all, other) => all.or_else(|| other.clone()),
    };
    all.remnants = both(all.remnants, other.remnants, remnants);
    all.guards = both(all.guards, other.guards, guards);
    all.uploads = uploads(all.uploads, other.uploads);
    all.endpoints = Endpoints {
        source: endpoint(all.endpoints.source, other.endpoints.source),
        destination: endpoint(all.endpoints.destination, other.endpoints.destination),
    };
    for (sum, more) in [
        (&mut all.bytes_listed, other.bytes_listed),
        (&mut all.bytes_copied, other.bytes_copied),
        (&mut all.objects_copied, other.objects_copied),
        (&mut all.bytes_planned, other.bytes_planned),
        (&mut all.excluded, other.excluded),
        (&mut all.gone_from_source, other.gone_from_source),
        (&mut all.destination_only, other.destination_only),
    ] {
        *sum += more;
    }
    each(&mut all.losses, &other.losses, |sum, more| {
        *sum = LossCount {
            accepted: sum.accepted + more.accepted,
            sidecar: sum.sidecar + more.sidecar,
            refused: sum.refused + more.refused,
        };
    });
    each(&mut all.failures, &other.failures, |sum: &mut FailureGroup, more| sum.count += more.count);
}

fn each<K: Ord + Clone, V: Default>(
    all: &mut BTreeMap<K, V>,
    other: &BTreeMap<K, V>,
    add: impl Fn(&mut V, &V),
) {
    other.iter().for_each(|(name, more)| add(all.entry(name.clone()).or_default(), more));
}

fn both<T>(one: Option<T>, other: Option<T>, add: impl Fn(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(add(one, other)),
        (one, other) => one.or(other),
    }
}

/// As one run: what differs counts before what stopped it.
fn worse(one: Ending, other: Ending) -> Ending {
    if [one, other].contains(&Ending::Mismatch) { Ending::Mismatch } else { one.max(other) }
}

fn counts(a: Counts, b: Counts) -> Counts {
    Counts {
        listed: a.listed + b.listed,
        verified: a.verified + b.verified,
        stored_unread: a.stored_unread + b.stored_unread,
        skipped: a.skipped + b.skipped,
        failed: a.failed + b.failed,
        refused: a.refused + b.refused,
        deferred: a.deferred + b.deferred,
        conflicts: a.conflicts + b.conflicts,
        vanished: a.vanished + b.vanished,
        planned: a.planned + b.planned,
        unfinished: a.unfinished + b.unfinished,
    }
}

fn levels(a: Levels, b: Levels) -> Levels {
    Levels {
        server_checked: a.server_checked + b.server_checked,
        read_back: a.read_back + b.read_back,
        adopted_size: a.adopted_size + b.adopted_size,
        stored_unread: a.stored_unread + b.stored_unread,
    }
}

fn amount(a: Amount, b: Amount) -> Amount {
    Amount { objects: a.objects + b.objects, bytes: a.bytes + b.bytes }
}

fn pass(a: Pass, b: Pass) -> Pass {
    Pass {
        new: amount(a.new, b.new),
        changed: amount(a.changed, b.changed),
        attributes: amount(a.attributes, b.attributes),
        unchanged: amount(a.unchanged, b.unchanged),
        gone: amount(a.gone, b.gone),
    }
}

fn deletion(a: &Deletion, b: &Deletion) -> Deletion {
    Deletion {
        candidates: amount(a.candidates, b.candidates),
        deleted: amount(a.deleted, b.deleted),
        planned: amount(a.planned, b.planned),
        forgotten: a.forgotten + b.forgotten,
        kept: a.kept + b.kept,
        conflicts: a.conflicts + b.conflicts,
        adopted: a.adopted + b.adopted,
        failed: a.failed + b.failed,
        examples: Vec::new(),
        blocked: None,
    }
}

fn remnants(a: Remnants, b: Remnants) -> Remnants {
    Remnants {
        snapshots: a.snapshots + b.snapshots,
        versions: a.versions + b.versions,
        deleted: a.deleted + b.deleted,
    }
}

/// What not all of them have seen enforced is not enforced.
fn guards(a: Guards, b: Guards) -> Guards {
    let least = |a, b| if a == Support::Enforced { b } else { a };
    Guards {
        digest: least(a.digest, b.digest),
        create: least(a.create, b.create),
        if_match: least(a.if_match, b.if_match),
    }
}

fn uploads(a: UploadCounts, b: UploadCounts) -> UploadCounts {
    UploadCounts {
        went_on: a.went_on + b.went_on,
        parts_kept: a.parts_kept + b.parts_kept,
        bytes_kept: a.bytes_kept + b.bytes_kept,
        digests_from_state: a.digests_from_state + b.digests_from_state,
        digests_from_start: a.digests_from_start + b.digests_from_start,
        bytes_read_again: a.bytes_read_again + b.bytes_read_again,
        begun_anew: a.begun_anew + b.begun_anew,
        aborted: a.aborted + b.aborted,
        left_open: a.left_open + b.left_open,
        may_be_open: a.may_be_open + b.may_be_open,
    }
}

/// Requests are summed up. They ran at the same time: what they waited for is that of the one that waited longest.
fn endpoint(a: Endpoint, b: Endpoint) -> Endpoint {
    Endpoint {
        outages: a.outages.max(b.outages),
        outage_seconds: a.outage_seconds.max(b.outage_seconds),
        traffic: both(a.traffic, b.traffic, traffic),
        limits: a.limits.zip(b.limits).map(|(a, b)| limited(a, b)),
    }
}

fn traffic(a: Traffic, b: Traffic) -> Traffic {
    Traffic {
        requests: a.requests + b.requests,
        retries: a.retries + b.retries,
        throttled: a.throttled + b.throttled,
        limit: both(a.limit, b.limit, u32::min),
        lowest_limit: both(a.lowest_limit, b.lowest_limit, u32::min),
        waited_millis: a.waited_millis + b.waited_millis,
        renewals: a.renewals + b.renewals,
    }
}

/// Each kept to its own limits: all together to their sum, where all were limited.
fn limited(a: Limited, b: Limited) -> Limited {
    let requests = |a: Option<u32>, b: Option<u32>| a.zip(b).map(|(a, b)| a.saturating_add(b));
    Limited {
        rates: Rates {
            bytes: a.rates.bytes.zip(b.rates.bytes).map(|(a, b)| a.saturating_add(b)),
            requests: requests(a.rates.requests, b.rates.requests),
            reads: requests(a.rates.reads, b.rates.reads),
            writes: requests(a.rates.writes, b.rates.writes),
        },
        waited_millis: a.waited_millis.max(b.waited_millis),
    }
}

#[cfg(test)]
#[path = "report_merged_tests.rs"]
mod tests;
