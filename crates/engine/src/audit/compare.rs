//! What follows from what is known of a content: a pure function.

use cabotage_core::{Algorithm, DigestScope, ObjectInfo};

use super::proof::{Finding, FindingKind, Mark, Marks, Proof};
use crate::decide::{is_as_written, is_content_unchanged};
use crate::{ContentSha256, Row, Verdict};

/// An object that both ends list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair<'a> {
    pub source: &'a ObjectInfo,
    pub destination: &'a ObjectInfo,
    pub row: Option<&'a Row>,
}

/// What was read of it now, in the form in which the ledger has it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Read {
    pub source: Option<ContentSha256>,
    pub destination: Option<ContentSha256>,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// The contents are equal.
    Proven(Proof),
    /// They differ, or it can't be told.
    Found(Finding, Option<Marks>),
}

/// Judges.
///
/// The source's content is what was read of it, else the ledger's SHA-256 if the source still lists the state that was
/// copied. The destination's is what was read of it, else what the ledger says was written if the listing shows that
/// very state. Where one of the two is unknown, what both ends publish is compared, then the sizes.
///
/// | source | destination | result |
/// |---|---|---|
/// | known | equal to it | proven; unread and `stored-unread`: not proven |
/// | known | other | content or size differs |
/// | changed since it was copied | as written | source changed |
/// | any | read, and not what was written | content or size differs |
/// | any | other size than was written | size differs |
/// | any | other ETag than was written, unread | ETag changed |
/// | not in the ledger | sizes differ | size differs |
/// | not in the ledger | published digests equal, other | proven, content differs |
/// | not in the ledger | nothing comparable | not proven |
pub(super) fn judge(pair: Pair<'_>, read: Read) -> Judgement {
    let written = pair.row.filter(|row| is_as_written(pair.destination, row));
    let copied = pair.row.filter(|row| is_content_unchanged(pair.source, row));
    let recorded = pair.row.and_then(|row| row.sha256);
    let source = read.source.or(copied.and_then(|row| row.sha256));
    let stored = read.destination.or(written.and_then(|row| row.sha256));
    if let (Some(source), Some(stored)) = (source, stored)
        && source == stored
    {
        return equal(pair, read);
    }
    // What was read at the destination is not what the ledger says was written.
    if let (Some(stored), Some(recorded)) = (read.destination, recorded)
        && stored != recorded
    {
        return differs(pair, source.unwrap_or(recorded), stored);
    }
    match pair.row.filter(|row| row.sha256.is_some()) {
        Some(row) if row.source_etag.is_none() => {
            unproven("the ledger knows what is at the destination as spoilt or outdated: migrate again")
        }
        Some(row) => by_row(pair, row, read, source.zip(stored)),
        None => match source.zip(stored) {
            Some((source, stored)) => differs(pair, source, stored),
            None => by_what_is_told(pair),
        },
    }
}

fn equal(pair: Pair<'_>, read: Read) -> Judgement {
    let unread = pair.row.is_some_and(|row| row.verdict == Verdict::StoredUnread);
    let proof = match (read.source.is_some(), read.destination.is_some()) {
        (true, true) => Proof::ReadRead,
        (false, true) => Proof::LedgerRead,
        (_, false) if unread => {
            return unproven(
                "stored on a server that was not seen to check digests, and never read since: --destination-content read proves it",
            );
        }
        (true, false) => Proof::ReadListing,
        (false, false) => Proof::LedgerListing,
    };
    Judgement::Proven(proof)
}

/// The ledger has a digest, and source and destination are not known to be equal.
fn by_row(pair: Pair<'_>, row: &Row, read: Read, known: Option<(ContentSha256, ContentSha256)>) -> Judgement {
    let (there, etag) = (pair.destination, |info: &ObjectInfo| info.etag.clone());
    if there.size != row.size {
        let text = format!("{} bytes at the destination, {} were written", there.size, row.size);
        let found = Finding::new(FindingKind::SizeDiffers, text);
        return Judgement::Found(found, etag_marks(row, there));
    }
    if read.destination.is_none() && etag(there) != row.destination_etag {
        let shown = |etag: Option<cabotage_core::ETag>| etag.map_or("none".into(), |etag| etag.to_string());
        let text = format!(
            "written anew at the destination since this job wrote it (ETag {}, recorded {}); not read: --destination-content read tells whether the content is the same",
            shown(etag(there)),
            shown(row.destination_etag.clone())
        );
        return Judgement::Found(Finding::new(FindingKind::EtagChanged, text), etag_marks(row, there));
    }
    if !is_content_unchanged(pair.source, row) {
        let text = "the source has changed since it was copied: the next pass moves it";
        return Judgement::Found(Finding::new(FindingKind::SourceChanged, text), None);
    }
    match known {
        Some((source, stored)) => differs(pair, source, stored),
        None => unproven("neither end's content is known"),
    }
}

fn differs(pair: Pair<'_>, expected: ContentSha256, stored: ContentSha256) -> Judgement {
    let (source, there) = (pair.source.size, pair.destination.size);
    let finding = if source == there {
        let text = format!("SHA-256 {stored} at the destination, {expected} expected");
        Finding::new(FindingKind::ContentDiffers, text)
    } else {
        Finding::new(
            FindingKind::SizeDiffers,
            format!("{there} bytes at the destination, {source} at the source"),
        )
    };
    let marks = Marks { expected: Mark::Sha256(expected), found: Mark::Sha256(stored) };
    Judgement::Found(finding, Some(marks))
}

fn etag_marks(row: &Row, there: &ObjectInfo) -> Option<Marks> {
    let (expected, found) = row.destination_etag.as_ref().zip(there.etag.as_ref())?;
    Some(Marks { expected: Mark::ETag(expected.bare().into()), found: Mark::ETag(found.bare().into()) })
}

/// Nothing of the content is in the ledger.
fn by_what_is_told(pair: Pair<'_>) -> Judgement {
    let (source, there) = (pair.source, pair.destination);
    if source.size != there.size {
        let text = format!("{} bytes at the destination, {} at the source", there.size, source.size);
        return Judgement::Found(Finding::new(FindingKind::SizeDiffers, text), None);
    }
    match published(source, there) {
        Some(true) => Judgement::Proven(Proof::Published),
        Some(false) => {
            let text = "both ends publish a digest of the content, and they differ";
            Judgement::Found(Finding::new(FindingKind::ContentDiffers, text), None)
        }
        None => Judgement::Proven(Proof::Size),
    }
}

/// Whether digests that both ends publish are equal; none where nothing can be compared.
///
/// An ETag of 32 hexadecimal digits is the MD5 on S3 for an object that was written in one request and is not encrypted
/// by a key of the customer's or of KMS. That can't be told from a listing, so an equal value is taken as proof, since
/// it can't come about by chance, and another proves nothing.
fn published(source: &ObjectInfo, destination: &ObjectInfo) -> Option<bool> {
    let whole = |info: &ObjectInfo, algorithm: Algorithm| {
        let found = info.digests.iter().find(|d| d.algorithm == algorithm && d.scope == DigestScope::Whole);
        found.map(|digest| digest.value.clone())
    };
    let both = [Algorithm::Sha256, Algorithm::Md5, Algorithm::Crc64Nvme, Algorithm::Crc32c]
        .into_iter()
        .find_map(|algorithm| whole(source, algorithm).zip(whole(destination, algorithm)));
    if let Some((source, destination)) = both {
        return Some(source == destination);
    }
    let md5 = |info: &ObjectInfo| whole(info, Algorithm::Md5).or_else(|| md5_of_etag(info));
    let (source, destination) = (md5(source)?, md5(destination)?);
    (source == destination).then_some(true)
}

fn md5_of_etag(info: &ObjectInfo) -> Option<Vec<u8>> {
    let value = hex::decode(info.etag.as_ref()?.bare()).ok()?;
    (value.len() == 16).then_some(value)
}

fn unproven(text: &str) -> Judgement {
    Judgement::Found(Finding::new(FindingKind::NotProven, text), None)
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
