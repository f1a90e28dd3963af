//! A list item as one line of JSON: the format of the temporary files, read by the process that wrote it alone.

use std::io::{self, BufRead, Write};

use cabotage_core::{
    Algorithm, Attributes, Digest, DigestScope, ETag, Error, ErrorKind, Key, ListItem, Metadata, ObjectForm,
    ObjectInfo, Operation, Result, Tier, Timestamp,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
enum Kind {
    #[serde(rename = "o")]
    Object,
    #[serde(rename = "v")]
    Version,
    #[serde(rename = "p")]
    Prefix,
}

#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(rename = "n")]
    arrival: u64,
    #[serde(rename = "i")]
    kind: Kind,
    #[serde(rename = "k")]
    key: String,
    #[serde(rename = "s", default, skip_serializing_if = "is_zero")]
    size: u64,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    modified: Option<Timestamp>,
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    attributes: Option<Attributes>,
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    tier: Option<Tier>,
    #[serde(rename = "d", default, skip_serializing_if = "Vec::is_empty")]
    digests: Vec<(Algorithm, DigestScope, String)>,
    #[serde(rename = "f", default, skip_serializing_if = "is_plain")]
    form: ObjectForm,
    #[serde(rename = "u", default, skip_serializing_if = "Metadata::is_empty")]
    uncarried: Metadata,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(size: &u64) -> bool {
    *size == 0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_plain(form: &ObjectForm) -> bool {
    *form == ObjectForm::Plain
}

/// Writes an item; a bad key is none that could be ordered and is left out.
pub(super) fn write_line(out: &mut impl Write, item: &ListItem, arrival: u64) -> io::Result<()> {
    let line = match item {
        ListItem::Object(info) => of_info(info, Kind::Object, arrival),
        ListItem::Version(info) => of_info(info, Kind::Version, arrival),
        ListItem::Prefix(key) => of_info(&ObjectInfo::new(key.clone(), 0), Kind::Prefix, arrival),
        ListItem::BadKey(_) => return Ok(()),
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}

/// Reads the next item and its arrival; `text` is room that is used again.
pub(super) fn read_line(file: &mut impl BufRead, text: &mut String) -> Result<Option<(ListItem, u64)>> {
    let lost = |error: io::Error| {
        Error::new(ErrorKind::Internal, format!("a listing sorted on disk can't be read back: {error}"))
            .during(Operation::List)
            .help("check the disk that holds the temporary files, and run again")
    };
    text.clear();
    if file.read_line(text).map_err(lost)? == 0 {
        return Ok(None);
    }
    let line: Line = serde_json::from_str(text).map_err(|error| lost(error.into()))?;
    let (arrival, item) = (line.arrival, item_of(line)?);
    Ok(Some((item, arrival)))
}

fn of_info(info: &ObjectInfo, kind: Kind, arrival: u64) -> Line {
    Line {
        arrival,
        kind,
        key: info.key.as_str().to_owned(),
        size: info.size,
        etag: info.etag.as_ref().map(ETag::quoted),
        version: info.version.clone(),
        modified: info.modified,
        attributes: info.attributes.clone(),
        tier: info.tier.clone(),
        digests: info.digests.iter().map(|d| (d.algorithm, d.scope, hex::encode(&d.value))).collect(),
        form: info.form,
        uncarried: info.uncarried.clone(),
    }
}

fn item_of(line: Line) -> Result<ListItem> {
    let digest = |(algorithm, scope, value): (Algorithm, DigestScope, String)| {
        hex::decode(value).map(|value| Digest { algorithm, scope, value }).map_err(|error| {
            Error::new(ErrorKind::Internal, "a digest sorted on disk can't be read back").caused_by(error)
        })
    };
    let key = Key::new(line.key)?;
    if matches!(line.kind, Kind::Prefix) {
        return Ok(ListItem::Prefix(key));
    }
    let info = ObjectInfo {
        key,
        size: line.size,
        etag: line.etag.as_deref().map(ETag::new),
        version: line.version,
        modified: line.modified,
        attributes: line.attributes,
        tier: line.tier,
        digests: line.digests.into_iter().map(digest).collect::<Result<_>>()?,
        form: line.form,
        uncarried: line.uncarried,
    };
    Ok(match line.kind {
        Kind::Version => ListItem::Version(info),
        Kind::Object | Kind::Prefix => ListItem::Object(info),
    })
}
