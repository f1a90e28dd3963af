//! From values of columns to values of the engine, and back.

use cabotage_core::{ETag, LossName, Sha256, Timestamp};
use rusqlite::types::Type;
use rusqlite::{Result, Row as SqlRow};

use crate::{Class, ContentSha256, DigestForm, Verdict};

/// Sizes are checked before they come here.
pub(super) fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

pub(super) fn unreadable(index: usize, kind: Type, what: impl Into<String>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(index, kind, what.into().into())
}

pub(super) fn name_at(row: &SqlRow<'_>, index: usize) -> Result<String> {
    String::from_utf8(row.get(index)?).map_err(|_| unreadable(index, Type::Blob, "a name is no UTF-8"))
}

pub(super) fn etag_at(row: &SqlRow<'_>, index: usize) -> Result<Option<ETag>> {
    Ok(row.get_ref(index)?.as_str_or_null()?.map(ETag::from_bare))
}

pub(super) fn size_at(row: &SqlRow<'_>, index: usize) -> Result<u64> {
    u64::try_from(row.get::<_, i64>(index)?)
        .map_err(|_| unreadable(index, Type::Integer, "a size is negative"))
}

pub(super) fn digest_at(row: &SqlRow<'_>, index: usize) -> Result<Option<Sha256>> {
    Ok(row.get::<_, Option<[u8; 32]>>(index)?.map(Sha256))
}

/// A digest of content, of the parts whose size is in the other column.
pub(super) fn content_sha256_at(
    row: &SqlRow<'_>,
    index: usize,
    part_size: usize,
) -> Result<Option<ContentSha256>> {
    let part_size = match row.get::<_, Option<i64>>(part_size)? {
        Some(_) => Some(size_at(row, part_size)?),
        None => None,
    };
    let form = DigestForm::of_part_size(part_size);
    Ok(digest_at(row, index)?.map(|value| ContentSha256 { value, form }))
}

/// The size of the parts that a digest is of.
pub(super) fn part_size(sha256: ContentSha256) -> Option<i64> {
    sha256.form.part_size().map(signed)
}

pub(super) fn modified_at(row: &SqlRow<'_>, seconds: usize, nanos: usize) -> Result<Option<Timestamp>> {
    let Some(second) = row.get::<_, Option<i64>>(seconds)? else { return Ok(None) };
    Timestamp::new(second, row.get(nanos)?)
        .map(Some)
        .map_err(|e| unreadable(seconds, Type::Integer, e.to_string()))
}

pub(super) fn moment_at(row: &SqlRow<'_>, index: usize) -> Result<Timestamp> {
    Timestamp::from_millisecond(row.get(index)?).map_err(|e| unreadable(index, Type::Integer, e.to_string()))
}

pub(super) fn verdict_at(row: &SqlRow<'_>, index: usize) -> Result<Verdict> {
    let name = row.get_ref(index)?.as_str()?;
    Verdict::from_name(name)
        .ok_or_else(|| unreadable(index, Type::Text, format!("no verdict is named '{name}'")))
}

/// Stands after the names of losses that a sidecar keeps.
const KEPT: &str = "in-sidecar";

pub(super) fn in_sidecar_at(row: &SqlRow<'_>, index: usize) -> Result<bool> {
    Ok(row.get_ref(index)?.as_str()?.split(',').any(|name| name == KEPT))
}

pub(super) fn kept_losses_text(losses: &[LossName], in_sidecar: bool) -> String {
    let text = losses_text(losses);
    if in_sidecar { format!("{text},{KEPT}") } else { text }
}

pub(super) fn losses_at(row: &SqlRow<'_>, index: usize) -> Result<Vec<LossName>> {
    let names = row.get_ref(index)?.as_str()?;
    let parse = |name: &str| name.parse().map_err(|_| format!("no loss is named '{name}'"));
    names
        .split(',')
        .filter(|name| !name.is_empty() && *name != KEPT)
        .map(|name| parse(name).map_err(|what| unreadable(index, Type::Text, what)))
        .collect()
}

pub(super) fn needed_digest_at(row: &SqlRow<'_>, index: usize) -> Result<Sha256> {
    row.get::<_, [u8; 32]>(index).map(Sha256)
}

pub(super) fn maybe_moment_at(row: &SqlRow<'_>, index: usize) -> Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(index)?.map(|_| moment_at(row, index)).transpose()
}

pub(super) fn class_at(row: &SqlRow<'_>, index: usize) -> Result<Class> {
    let name: String = row.get(index)?;
    Class::from_name(&name)
        .ok_or_else(|| unreadable(index, Type::Text, format!("no class is named '{name}'")))
}

pub(super) fn losses_text(losses: &[LossName]) -> String {
    losses.iter().map(|loss| loss.as_str()).collect::<Vec<_>>().join(",")
}
