//! What must hold after the dust has settled.

use std::collections::BTreeMap;
use std::path::Path;

use cabotage_core::{Key, ListItem, ListScope, ObjectInfo, Storage as _, UploadInfo};
use cabotage_engine::{Overwrite, Report};
use futures::TryStreamExt as _;

use crate::check::{Line, is_out_of_sight, lines, objects};
use crate::deletes;
use crate::ledger::Ledger;
use crate::sky::{End, Sky};
use crate::stir::{bytes, look, now};

pub fn check(sky: &Sky, report: &Report, manifest: &Path, ledger: &Ledger) {
    let lines: BTreeMap<String, Line> =
        lines(manifest).into_iter().map(|line| (line.key.clone(), line)).collect();
    let source = source(sky);
    if !report.listing_complete || report.objects.listed != source.len() as u64 {
        sky.violation(format!("{} objects are at the source:\n{report}", source.len()));
    }
    if report.objects_copied > 0 {
        sky.violation(format!("the dust has settled, and objects are still copied:\n{report}"));
    }
    for name in source {
        match lines.get(&name) {
            Some(line) => object(sky, &name, line),
            None => sky.violation(format!("{name:?} is at the source and the report doesn't name it")),
        }
    }
    nothing_is_left(sky, ledger);
    deletes::settled(sky, report, ledger);
}

fn source(sky: &Sky) -> Vec<String> {
    let items: Vec<ListItem> = now(sky.source.list(ListScope::default()).try_collect()).unwrap();
    let name = |item| match item {
        ListItem::Object(info) => sky.name_of(End::Source, info.key.as_str()).map(str::to_owned),
        _ => None,
    };
    items.into_iter().filter_map(name).collect()
}

/// One object of the source is at the destination, or the report says why it isn't.
fn object(sky: &Sky, name: &str, line: &Line) {
    let key = sky.destination_key(name);
    let there = key.as_ref().and_then(|key| look(&sky.destination, key));
    let foreign = key.as_ref().is_some_and(|key| {
        is_strangers(sky, key, there.as_ref())
            || is_out_of_sight(sky, key.as_str(), there.as_ref().and_then(|there| there.etag.as_ref()))
    });
    let equal = || {
        let stored = key.as_ref().and_then(|key| bytes(&sky.destination, key));
        stored.is_some() && stored == sky.source_key(name).and_then(|key| bytes(&sky.source, &key))
    };
    let fine = match line.class.as_str() {
        "verified" | "skipped" => equal(),
        "conflict" => foreign || sky.plan.overwrite == Overwrite::Never,
        "refused" => !sky.plan.accept_all,
        "failed" => match line.kind.as_deref() {
            Some("key-rejected") => key.is_none(),
            Some("too-large") => true,
            // An object that was adopted for its size and has other bytes.
            Some("verify-mismatch") => foreign,
            _ => false,
        },
        _ => false,
    };
    if !fine {
        sky.violation(format!(
            "{name:?} ends so: {line:?}, at the destination: {there:?}, a stranger's: {foreign}"
        ));
    }
}

fn is_strangers(sky: &Sky, key: &Key, there: Option<&ObjectInfo>) -> bool {
    let books = sky.books();
    books
        .foreign
        .get(key.as_str())
        .is_some_and(|foreign| there.is_some_and(|there| there.etag == foreign.etag))
}

/// Neither probe objects nor open uploads, but for the stranger's.
fn nothing_is_left(sky: &Sky, ledger: &Ledger) {
    for (key, info) in objects(sky) {
        let name = sky.name_of(End::Destination, key.as_str());
        let known = name.is_some_and(|name| sky.books().knows(name));
        if !known && !is_strangers(sky, &key, Some(&info)) {
            sky.violation(format!("{key:?} is at the destination, and nobody had such an object"));
        }
    }
    let open: Vec<UploadInfo> = now(sky.destination.list_uploads("").try_collect()).unwrap();
    let (strangers, mut left): (Vec<_>, Vec<_>) =
        open.iter().partition(|upload| upload.key.as_str().ends_with("zz-stranger"));
    let books = sky.books();
    left.retain(|upload| !books.open_uploads_told || !books.denied.contains(upload.key.as_str()));
    drop(books);
    if !left.is_empty() || !ledger.uploads.is_empty() {
        sky.violation(format!("uploads are left open: {left:?}, in the ledger: {:?}", ledger.uploads));
    }
    if strangers.is_empty() {
        sky.violation("a stranger's upload is gone".to_owned());
    }
}
