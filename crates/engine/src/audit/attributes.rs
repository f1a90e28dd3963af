//! Attributes of both ends, as far as they are told.

use std::collections::BTreeSet;

use cabotage_core::{
    Attributes, Detail, Loss, LossName, ObjectInfo, Result, Sha256, StorageExt as _, display_text,
};

use super::context::{Context, changed_meanwhile};
use super::options::AttributeCheck;
use super::proof::{AttributeProof, Finding, FindingKind};
use super::read::source_changed;
use crate::attributes::{MTIME, compare, fit};
use crate::{Row, Side, Verdict};

/// What a comparison of attributes gave.
#[derive(Clone, Debug)]
pub(super) struct Compared {
    pub proof: AttributeProof,
    pub findings: Vec<Finding>,
    /// Losses that are accepted.
    pub losses: Vec<LossName>,
}

/// Attributes of one end.
struct Told {
    attributes: Attributes,
    by_head: bool,
}

/// Compares what a migration would have sent with what the destination tells.
///
/// # Errors
/// Those of heads; `SourceChanged` and `PreconditionFailed` when an end is no longer in the state that was listed.
pub(super) async fn attributes(
    context: &Context,
    source: &ObjectInfo,
    destination: &ObjectInfo,
    row: Option<&Row>,
) -> Result<Compared> {
    let (at_source, at_destination) = tokio::try_join!(
        told(context, &context.source, source, || source_changed(&source.key)),
        told(context, &context.destination, destination, || {
            changed_meanwhile("the destination's object", &destination.key)
        })
    )?;
    Ok(match (at_source, at_destination) {
        (Some(source), Some(stored)) => weigh(context, source, stored, row),
        _ => {
            let losses = row.map(|row| row.losses.clone()).unwrap_or_default();
            Compared { proof: AttributeProof::None, findings: Vec::new(), losses }
        }
    })
}

/// As the listing tells it if it tells all, else by a head, unless listings have to do.
async fn told(
    context: &Context,
    side: &Side,
    listed: &ObjectInfo,
    changed: impl Fn() -> cabotage_core::Error,
) -> Result<Option<Told>> {
    let holds_tags = side.store.capabilities().tags.max > 0;
    let of_listing = listed.attributes.clone();
    let is_whole = of_listing.as_ref().is_some_and(|attributes| attributes.tags.is_some() || !holds_tags);
    if is_whole || context.options.attributes == AttributeCheck::Listing {
        return Ok(of_listing.map(|attributes| Told { attributes, by_head: false }));
    }
    let found =
        side.store.find(&listed.key, Detail::WithTags).await.map_err(|error| error.on(&listed.key))?;
    let info = found.filter(|found| found.etag == listed.etag).ok_or_else(changed)?;
    Ok(info.attributes.map(|attributes| Told { attributes, by_head: true }))
}

fn weigh(context: &Context, source: Told, stored: Told, row: Option<&Row>) -> Compared {
    let by_head = source.by_head || stored.by_head;
    let (mut sent, stored) = (source.attributes, stored.attributes);
    let holds_tags = |side: &Side| side.store.capabilities().tags.max > 0;
    let whole_at_source = sent.tags.is_some() || !holds_tags(&context.source);
    let whole_there = stored.tags.is_some() || !holds_tags(&context.destination);
    let source_changed = whole_at_source && is_other(row.and_then(|row| row.attributes), &sent);
    let changed_there = whole_there && is_other(recorded(row), &stored);
    let proof = match (whole_at_source && whole_there, by_head) {
        (false, _) => AttributeProof::WithoutTags,
        (true, true) => AttributeProof::Heads,
        (true, false) => AttributeProof::Listings,
    };
    let mut findings = Vec::new();
    if proof == AttributeProof::WithoutTags {
        sent.tags = None;
        if context.options.attributes == AttributeCheck::Head {
            let text = "tags can't be read with the rights at hand";
            findings.push(Finding::new(FindingKind::NotProven, text));
        }
    }
    let accepted = accepted(context, row);
    let (losses, differences): (Vec<_>, Vec<_>) =
        differences(context, &sent, &stored).into_iter().partition(|loss| accepted.contains(&loss.name));
    let differ = |text: String| Finding::new(FindingKind::AttributeDiffers, text);
    let mut found: Vec<_> =
        differences.iter().map(|loss| differ(format!("{}: {}", loss.name, loss.detail))).collect();
    found.extend(added(&sent, &stored).into_iter().map(differ));
    if changed_there && found.is_empty() {
        found.push(differ("not as the destination told them after the write".into()));
    }
    if source_changed && !changed_there && !found.is_empty() {
        let text = "the source's attributes have changed since it was copied: the next pass moves them";
        found = vec![Finding::new(FindingKind::SourceChanged, text)];
    }
    findings.extend(found);
    let mut losses: BTreeSet<LossName> = losses.into_iter().map(|loss| loss.name).collect();
    losses.extend(row.iter().flat_map(|row| row.losses.iter().copied()));
    Compared { proof, findings, losses: losses.into_iter().collect() }
}

/// Whether a digest is known, and those attributes have another.
fn is_other(then: Option<Sha256>, now: &Attributes) -> bool {
    then.is_some_and(|then| then != now.digest())
}

/// What the destination told after the write; what was adopted for its size was not written.
fn recorded(row: Option<&Row>) -> Option<Sha256> {
    row.filter(|row| row.verdict != Verdict::AdoptedSize)?.destination_attributes
}

/// What could not be held, and what could and is not there.
fn differences(context: &Context, sent: &Attributes, stored: &Attributes) -> BTreeSet<Loss> {
    let rules = context.destination.store.capabilities();
    let mut losses: BTreeSet<Loss> = rules.attribute_losses(sent).into_iter().collect();
    losses.extend(compare(&fit(sent, rules), stored, rules));
    losses
}

/// Those that the ledger recorded when the object was written; of an object that this job didn't write, what a migration
/// lets pass by default.
fn accepted(context: &Context, row: Option<&Row>) -> BTreeSet<LossName> {
    let mut accepted = context.options.accept_losses.clone();
    match row.filter(|row| row.verdict != Verdict::AdoptedSize) {
        Some(row) => accepted.extend(row.losses.iter().copied()),
        None => accepted.extend(LossName::ALL.iter().copied().filter(|name| name.accepted_by_default())),
    }
    accepted
}

/// Metadata and tags that only the destination has. `mtime` is what `--keep-mtime` adds; headers may be the server's
/// own.
fn added(sent: &Attributes, stored: &Attributes) -> Vec<String> {
    let folded = |name: &str| name.to_ascii_lowercase().replace('_', "-");
    let names: BTreeSet<String> = sent.metadata.keys().map(|name| folded(name)).collect();
    let text = |what: &str, name: &str| format!("{what} {} is at the destination alone", display_text(name));
    let is_added = |name: &&String| !name.eq_ignore_ascii_case(MTIME) && !names.contains(&folded(name));
    let mut added: Vec<_> =
        stored.metadata.keys().filter(is_added).map(|name| text("metadata", name)).collect();
    if let (Some(sent), Some(stored)) = (&sent.tags, &stored.tags) {
        added.extend(stored.keys().filter(|key| !sent.contains_key(*key)).map(|key| text("tag", key)));
    }
    added
}
