//! What was lost, put back: the original in place of what the store in the middle made of it.

use cabotage_core::{Attributes, Loss, LossName, Metadata, ObjectInfo, Tags};

use super::record::Record;
use crate::ContentSha256;

/// An object as it was, and what of that could not be put back.
#[derive(Clone, Debug)]
pub(crate) struct Restored {
    /// The original where it still holds, else what the store tells now.
    pub info: ObjectInfo,
    /// What was not put back, and why.
    pub losses: Vec<Loss>,
    /// The content for which this holds; `None`: nothing was put back.
    pub content: Option<ContentSha256>,
}

/// Puts back.
///
/// | size, and SHA-256 where known | what is stored now | that part becomes |
/// |---|---|---|
/// | another than recorded | any | as it is now, all of it; named |
/// | as recorded | as right after the write | the original |
/// | as recorded | changed since | as it is now; named |
///
/// Parts are each content header, all metadata, all tags, and the tier. Tags that can't be read now stay unknown.
///
/// Before the copy the SHA-256 is seldom known, or known in another form: the result says for which content it holds, and who copies compares that
/// with what was read. The ETag decides nothing, since setting attributes changes it on some stores.
pub(super) fn apply(record: &Record, now: &ObjectInfo, content: Option<ContentSha256>) -> Restored {
    let recorded = record.content.sha256.read();
    let is_known_other =
        |of: &ContentSha256| content.is_some_and(|content| content.form == of.form && content != *of);
    if now.size != record.content.size || recorded.as_ref().is_none_or(is_known_other) {
        let why = "its content is not the one for which the sidecar was written";
        return Restored { info: now.clone(), losses: vec![not_restored(why)], content: None };
    }
    let mut losses = Vec::new();
    let (original, told) = (&record.original, now.attributes.clone().unwrap_or_default());
    let mut info = ObjectInfo {
        attributes: Some(attributes(record, &told, &mut losses)),
        uncarried: original.uncarried.clone(),
        modified: original.modified,
        form: original.form,
        ..now.clone()
    };
    if record.stored.has_tier(now.tier.as_ref()) {
        info.tier = original.tier.clone();
    } else {
        losses.push(not_restored("its tier was changed since"));
    }
    Restored { info, losses, content: recorded }
}

fn not_restored(why: &str) -> Loss {
    Loss::new(LossName::OriginalNotRestored, why)
}

fn attributes(record: &Record, now: &Attributes, losses: &mut Vec<Loss>) -> Attributes {
    let (original, stored) = (&record.original.attributes, &record.stored);
    let mut merged = original.clone();
    for ((name, now), (_, stored)) in now.headers.entries().into_iter().zip(stored.headers.entries()) {
        if now != stored {
            merged.headers.set(name, now.map(str::to_owned));
            losses.push(not_restored(&format!("its {name} was changed since")));
        }
    }
    merged.metadata = part(
        stored.has_metadata(&now.metadata),
        &original.metadata,
        &now.metadata,
        "its metadata was changed since",
        losses,
    );
    merged.tags = tags(record, now.tags.as_ref(), losses);
    merged
}

fn part(as_stored: bool, original: &Metadata, now: &Metadata, why: &str, losses: &mut Vec<Loss>) -> Metadata {
    if as_stored {
        return original.clone();
    }
    losses.push(not_restored(why));
    now.clone()
}

fn tags(record: &Record, now: Option<&Tags>, losses: &mut Vec<Loss>) -> Option<Tags> {
    let now = now?;
    let Some(original) = record.original.attributes.tags.as_ref() else { return Some(now.clone()) };
    Some(part(record.stored.has_tags(now), original, now, "its tags were changed since", losses))
}

#[cfg(test)]
#[path = "restore_tests.rs"]
mod tests;
