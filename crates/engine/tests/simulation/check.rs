//! What must hold after every run, also one that died in a storm.

use std::collections::BTreeMap;
use std::path::Path;

use cabotage_core::{Attributes, ETag, Key, ListItem, ListScope, ObjectInfo, Sha256, Storage as _, Support};
use cabotage_engine::{Ending, Options, Report};
use futures::TryStreamExt as _;

use crate::books::Version;
use crate::deletes;
use crate::ledger::{Ledger, Row};
use crate::outages;
use crate::plan::Storm;
use crate::sky::{Counted, End, Sky};
use crate::stir::{bytes, look, now};
use crate::world::Ended;

/// Longest piece that is read of an object which is hashed and not moved: such pieces are beside the budget.
const PIECE: u64 = 256 << 10;

/// What a run may have lost sight of by what it was told is a conflict and not an error.
pub fn is_out_of_sight(sky: &Sky, key: &str, etag: Option<&ETag>) -> bool {
    let books = sky.books();
    books.misread.contains(key)
        || books.unsighted.contains(key)
        || etag.is_some_and(|etag| books.spoilt.contains(etag.bare()))
}

pub fn run(sky: &Sky, state: &Path, storm: &Storm, ended: &Ended, manifest: &Path, known: u64) {
    let ledger = Ledger::read(state);
    for (name, row) in &ledger.rows {
        row_is_true(sky, name, row);
    }
    every_object_has_an_owner(sky, &ledger);
    budgets(sky);
    let told = !matches!(ended, Ended::Reported(report) if report.uploads.may_be_open == 0);
    sky.books().open_uploads_told |= told;
    if let Ended::Failed(error) = ended {
        outages::expect_outlasted(sky, storm, error);
    }
    if let Ended::Reported(report) = ended {
        let (removals, lines): (Vec<_>, Vec<_>) = lines(manifest).into_iter().partition(deletes::is_removal);
        sums(sky, storm, report, &lines);
        outages::check(sky, storm, report, &lines);
        deletes::check(sky, storm, report, &removals, known);
    }
}

/// A row says of which source's content it is and what is at the destination, at the level that its verdict claims.
fn row_is_true(sky: &Sky, name: &str, row: &Row) {
    let version = row.source_etag.as_ref().map(|etag| sky.books().versions.get(etag).cloned());
    let sha256 = row.sha256.as_ref().map(|digest| Sha256(digest.as_slice().try_into().unwrap()));
    if let Some(version) = &version {
        let known = version.as_ref().is_some_and(|version| {
            version.name == name
                && version.size == row.size
                && sha256.is_none_or(|sha256| sha256 == version.sha256)
        });
        if !known {
            sky.violation(format!(
                "{name:?}: the row is of no state that the source had: {row:?}, {version:?}"
            ));
        }
    }
    if row.verdict == "server-checked"
        && sky.plan.destination.digest != Support::Enforced
        && !sky.plan.probe_lies
    {
        sky.violation(format!("{name:?} counts as server-checked, and the server checks nothing"));
    }
    let Some(key) = sky.destination_key(name) else { return };
    let Some(there) = look(&sky.destination, &key) else { return };
    // Other bytes of the same length are seen by reading them alone.
    let spoilt = row.destination_etag.as_ref().is_some_and(|etag| {
        let books = sky.books();
        books.spoilt.contains(etag) && !books.shortened.contains(etag)
    });
    if row.source_etag.is_some() && is_as_recorded(&there, row) && there.size != row.size {
        sky.violation(format!("{name:?} has {} bytes: {row:?}", there.size));
    }
    let claims = match row.verdict.as_str() {
        "read-back" => true,
        "server-checked" => !spoilt,
        _ => false,
    };
    if claims && row.source_etag.is_some() && is_as_recorded(&there, row) {
        if bytes(&sky.destination, &key).map(|bytes| Sha256::of(&bytes)) != sha256 {
            sky.violation(format!("{name:?} counts as {} and has other bytes: {row:?}", row.verdict));
        }
        if let Some(version) = version.flatten().filter(|_| !spoilt && loses_nothing(row)) {
            attributes_are_equal(sky, name, &version, &there);
        }
    }
}

fn is_as_recorded(there: &ObjectInfo, row: &Row) -> bool {
    there.etag.as_ref().map(|etag| etag.bare()) == row.destination_etag.as_deref()
}

fn loses_nothing(row: &Row) -> bool {
    row.losses.split(',').all(|loss| loss.is_empty() || loss == "modified-time")
}

fn attributes_are_equal(sky: &Sky, name: &str, version: &Version, there: &ObjectInfo) {
    let mut stored = there.attributes.clone().unwrap_or_default();
    if sky.plan.keep_mtime {
        stored.metadata.remove("mtime");
    }
    let plain = |attributes: &Attributes| {
        (attributes.headers.clone(), attributes.metadata.clone(), attributes.tags.clone().unwrap_or_default())
    };
    if plain(&stored) != plain(&version.attributes) {
        sky.violation(format!(
            "{name:?} lost attributes in silence: {stored:?}, not {:?}",
            version.attributes
        ));
    }
}

/// All objects of the destination, as they truly are.
pub fn objects(sky: &Sky) -> BTreeMap<Key, ObjectInfo> {
    let items: Vec<ListItem> = now(sky.destination.list(ListScope::default()).try_collect()).unwrap();
    let object = |item| match item {
        ListItem::Object(info) => Some((info.key.clone(), info)),
        _ => None,
    };
    items.into_iter().filter_map(object).collect()
}

/// What is at the destination is a stranger's, or the ledger has its row, or at least the intent to write it.
fn every_object_has_an_owner(sky: &Sky, ledger: &Ledger) {
    for (key, info) in objects(sky) {
        let name = sky.name_of(End::Destination, key.as_str()).unwrap_or_default();
        let foreign = sky.books().foreign.get(key.as_str()).is_some_and(|foreign| foreign.etag == info.etag);
        let out_of_sight = is_out_of_sight(sky, key.as_str(), info.etag.as_ref());
        // After a stale listing, an object of ours may have been adopted for its size.
        let recorded = ledger
            .rows
            .get(name)
            .is_some_and(|row| row.verdict == "adopted-size" || is_as_recorded(&info, row));
        if !foreign && !out_of_sight && !recorded && !ledger.intents.contains(name) {
            let row = ledger.rows.get(name);
            sky.violation(format!(
                "{name:?} ({:?}) was written by a run, and the ledger has no word of it: {row:?}",
                info.etag
            ));
        }
    }
}

/// Bytes of bodies in memory, writes and parts at once.
fn budgets(sky: &Sky) {
    let concurrency = sky.plan.concurrency as u64;
    for (counted, most) in [
        (Counted::Bytes, Options::MEMORY_MIN + concurrency * PIECE),
        (Counted::Writes, concurrency),
        (Counted::Parts, concurrency),
    ] {
        let seen = sky.gauge(counted).most;
        if seen > most {
            sky.violation(format!("{counted:?}: {seen} at once, at most {most} are allowed"));
        }
    }
}

/// A line of the manifest.
#[derive(Debug, serde::Deserialize)]
pub struct Line {
    pub key: String,
    pub class: String,
    pub kind: Option<String>,
}

pub fn lines(manifest: &Path) -> Vec<Line> {
    let text = std::fs::read_to_string(manifest).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn sums(sky: &Sky, storm: &Storm, report: &Report, lines: &[Line]) {
    let mut wrong = Vec::new();
    let mut names: Vec<_> = lines.iter().map(|line| line.key.as_str()).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        wrong.push("an object is in two classes".to_owned());
    }
    let counts = serde_json::to_value(report.objects).unwrap();
    for (class, count) in counts.as_object().unwrap() {
        let class = class.replace('_', "-");
        let class = if class == "conflicts" { "conflict" } else { &class };
        let found = lines.iter().filter(|line| class == "listed" || line.class == class).count();
        if *count != found as u64 {
            wrong.push(format!("{class} is {count} in the report and {found} in the manifest"));
        }
    }
    if report.objects.sum() != report.objects.listed {
        wrong.push("the sums differ".to_owned());
    }
    let fine = lines
        .iter()
        .all(|line| matches!(line.class.as_str(), "verified" | "skipped" | "vanished" | "planned"));
    if report.ending == Ending::Complete && (!fine || !report.listing_complete || report.stopped.is_some()) {
        wrong.push("complete, and something isn't".to_owned());
    }
    let mismatch = lines.iter().any(|line| line.kind.as_deref() == Some("verify-mismatch"));
    if mismatch != (report.ending == Ending::Mismatch) {
        wrong.push(format!("a mismatch: {mismatch}, the ending {:?}", report.ending));
    }
    if storm.max_objects.is_some_and(|max| report.objects_copied > max) {
        wrong.push("more objects were copied than asked for".to_owned());
    }
    for text in wrong {
        sky.violation(format!("{text}\n{report}"));
    }
}
