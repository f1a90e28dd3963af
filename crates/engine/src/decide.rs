//! What to do with one object: a pure function.

use cabotage_core::{ETag, ObjectInfo, Sha256, TierClass, WriteMode};

use crate::{Adopt, Change, Intent, Overwrite, Row, Verdict, Verify};

/// What is known of one name.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts<'a> {
    /// At the source.
    pub source: Option<&'a ObjectInfo>,
    /// At the destination.
    pub destination: Option<&'a ObjectInfo>,
    /// What the ledger says was done.
    pub row: Option<&'a Row>,
    /// What the ledger says a run began and didn't finish.
    pub intent: Option<&'a Intent>,
}

/// What the user allows and demands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Policy {
    pub overwrite: Overwrite,
    pub adopt: Option<Adopt>,
    pub verify: Verify,
    /// Look at each unchanged object whose listing doesn't tell its attributes.
    pub check_attributes: bool,
}

/// Why an object is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConflictReason {
    /// An object that this ledger didn't write.
    Foreign,
    /// Ours once, changed by someone since.
    Changed,
    /// Ours, but `--overwrite never`.
    Never,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Copy, under that mode.
    Copy(WriteMode),
    /// Unchanged and proven by the row.
    Skip(Verdict),
    /// Unchanged, but the row's proof is below the demanded level and can't be raised without reading back.
    Keep(Verdict),
    /// Unchanged; read back, since that is demanded and was not done.
    ReadBack,
    /// The same content; its attributes are other ones, or may be: they are compared, and set without the bytes.
    Attributes,
    /// A run died between write and row: find out whether what is there is ours.
    Recognise,
    /// Compare with what is there, as told by `--adopt`.
    Adopt(Adopt),
    /// Leave alone.
    Conflict(ConflictReason),
    /// Archived at the source.
    Defer,
    /// In the ledger, and no longer at the source.
    Gone,
    /// Only at the destination: none of our business.
    Ignore,
}

/// Decides.
///
/// | source | destination | row | intent | decision |
/// |---|---|---|---|---|
/// | – | any | yes | any | Gone |
/// | – | any | no | any | Ignore |
/// | yes | as in row | unchanged | no | Skip; below the demanded level: ReadBack or Keep |
/// | yes | as in row | unchanged | yes | Attributes |
/// | yes | as in row | unchanged, attributes not listed and to be checked | any | Attributes |
/// | yes | as in row | attributes or time changed, content not | any | Attributes |
/// | archived | any | not current | any | Defer |
/// | yes | – | any | any | Copy(Create) |
/// | yes | as in row | content changed | any | Copy(IfMatch); `never`: Conflict(Never) |
/// | yes | as in row, adopted for its size | unchanged | any | ReadBack or Keep |
/// | yes | as in row, adopted for its size | changed in any way | no | adopt; `always`: Copy(IfMatch); else Conflict(Foreign) |
/// | yes | not as in row | any | yes | Recognise |
/// | yes | not as in row | yes | no | adopt; `always`: Copy(IfMatch); else Conflict(Changed) |
/// | yes | yes | no | no | adopt; `always`: Copy(IfMatch); else Conflict(Foreign) |
pub(crate) fn decide(facts: Facts<'_>, policy: Policy) -> Decision {
    let Some(source) = facts.source else {
        return if facts.row.is_some() { Decision::Gone } else { Decision::Ignore };
    };
    let ours = facts.destination.zip(facts.row).filter(|(there, row)| is_as_written(there, row));
    let is_foreign = facts.row.is_none_or(|row| row.verdict == Verdict::AdoptedSize);
    if let Some((_, row)) = ours {
        let unsure = facts.intent.is_some() || (policy.check_attributes && told(source).is_none());
        match difference(source, row) {
            Change::Unchanged if is_foreign || !unsure => return unchanged(row.verdict, policy.verify),
            Change::Unchanged | Change::Attributes if !is_foreign => return Decision::Attributes,
            _ => {}
        }
    }
    if source.tier.as_ref().is_some_and(|tier| tier.class == TierClass::Archive) {
        return Decision::Defer;
    }
    let Some(there) = facts.destination else { return Decision::Copy(WriteMode::Create) };
    if ours.is_some() && !is_foreign {
        return match policy.overwrite {
            Overwrite::Never => Decision::Conflict(ConflictReason::Never),
            Overwrite::Ours | Overwrite::Always => Decision::Copy(replacing(there.etag.as_ref())),
        };
    }
    if facts.intent.is_some() {
        return Decision::Recognise;
    }
    foreign(there, if is_foreign { ConflictReason::Foreign } else { ConflictReason::Changed }, policy)
}

/// Whether the destination's object is the one that the row records.
pub(crate) fn is_as_written(there: &ObjectInfo, row: &Row) -> bool {
    there.etag.is_some() && there.etag == row.destination_etag && there.size == row.size
}

/// How the source's object differs from what the ledger knows of it.
pub(crate) fn change(source: &ObjectInfo, row: Option<&Row>) -> Change {
    row.map_or(Change::New, |row| difference(source, row))
}

/// How the source's object differs from the one that the row records. Equal ETags of one object mean equal content.
/// Times matter where an attribute edit keeps the ETag (S3's copy of an object onto itself), the attributes' digest where
/// it keeps both (Azure's Set Blob Tags).
fn difference(source: &ObjectInfo, row: &Row) -> Change {
    if source.etag.is_none() || source.etag != row.source_etag || source.size != row.size {
        return Change::Changed;
    }
    let same_attributes =
        told(source).is_none_or(|digest| row.attributes.is_none_or(|known| known == digest));
    if same_attributes && is_same_time(source, row) { Change::Unchanged } else { Change::Attributes }
}

/// Whether the source's content is in the state that the row records, and was not written since.
pub(crate) fn is_content_unchanged(source: &ObjectInfo, row: &Row) -> bool {
    source.etag.is_some()
        && source.etag == row.source_etag
        && source.size == row.size
        && is_same_time(source, row)
}

/// Whether it was last written when the row says. Times count in whole seconds, since a head tells no more.
pub(crate) fn is_same_time(source: &ObjectInfo, row: &Row) -> bool {
    let seconds = |time: Option<cabotage_core::Timestamp>| time.map(|t| t.as_second());
    seconds(source.modified) == seconds(row.source_modified)
}

/// Digest of the attributes, where they are all told.
pub(crate) fn told(source: &ObjectInfo) -> Option<Sha256> {
    source.attributes.as_ref().filter(|a| a.tags.is_some()).map(cabotage_core::Attributes::digest)
}

fn unchanged(verdict: Verdict, demanded: Verify) -> Decision {
    match demanded {
        demanded if verdict.at_least(demanded.demands()) => Decision::Skip(verdict),
        Verify::ReadBack => Decision::ReadBack,
        Verify::ServerChecked => Decision::Keep(verdict),
    }
}

fn foreign(there: &ObjectInfo, reason: ConflictReason, policy: Policy) -> Decision {
    if policy.overwrite == Overwrite::Always {
        return Decision::Copy(replacing(there.etag.as_ref()));
    }
    match policy.adopt {
        Some(adopt) => Decision::Adopt(adopt),
        None => Decision::Conflict(reason),
    }
}

/// The mode that replaces exactly what was listed.
pub(crate) fn replacing(etag: Option<&ETag>) -> WriteMode {
    etag.map_or(WriteMode::Replace, |etag| WriteMode::IfMatch(etag.clone()))
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
