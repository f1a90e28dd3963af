//! Attributes as headers, headers as an object.

use std::ops::Range;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use cabotage_core::{
    Algorithm, Attributes, Capabilities, ContentHeaders, Digest, DigestScope, ETag, Error, ErrorKind, Key,
    LossName, Md5, Md5Hasher, Metadata, ObjectInfo, Payload, ReadRange, Result, Sha256, Sha256Hasher, Tags,
    Tier, TierClass, Timestamp, WriteOptions, Written, display_text,
};
use cabotage_http::Call;
use cabotage_providers::Profile;
use futures::TryStreamExt as _;
use http::header::{CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, LAST_MODIFIED};

use crate::sign::CONTENT_SHA256;
use crate::tags;

const METADATA: &str = "x-amz-meta-";
const STORAGE_CLASS: &str = "x-amz-storage-class";
const VERSION: &str = "x-amz-version-id";
const RESTORE: &str = "x-amz-restore";
const CONTENT_MD5: &str = "content-md5";

/// The class of an object that tells none.
pub(crate) const STANDARD: &str = "STANDARD";

/// Whether the store holds all that the options ask for.
///
/// Names of metadata may be changed as [`Capabilities`] declares; they may not fall together.
///
/// # Errors
/// `KeyRejected`, and `Unsupported` for attributes and tiers, naming the first that can't be held.
pub(crate) fn check_options(rules: &Capabilities, key: &Key, options: &WriteOptions) -> Result<()> {
    rules.accepts(key)?;
    check_attributes(rules, &options.attributes)?;
    match options.tier.as_deref().filter(|tier| !rules.tiers.known.contains_key(*tier)) {
        Some(tier) => {
            let known: Vec<&str> = rules.tiers.known.keys().map(String::as_str).collect();
            let message = format!("there is no storage class {tier}");
            Err(Error::new(ErrorKind::Unsupported, message).help(format!("known are {}", known.join(", "))))
        }
        None => Ok(()),
    }
}

/// The part of [`check_options`] about attributes.
pub(crate) fn check_attributes(rules: &Capabilities, attributes: &Attributes) -> Result<()> {
    let renamed = |name: LossName| matches!(name, LossName::MetadataNameCase | LossName::MetadataNameChanged);
    if let Some(loss) = rules.attribute_losses(attributes).iter().find(|loss| !renamed(loss.name)) {
        return Err(Error::new(ErrorKind::Unsupported, &loss.detail).with("loss", loss.name.as_str()));
    }
    let mut seen = std::collections::BTreeSet::new();
    for name in attributes.metadata.keys() {
        let shown = display_text(name);
        let Some(kept) = rules.metadata.kept_name(name) else {
            return Err(Error::new(ErrorKind::Unsupported, format!("{shown} can't be the name of metadata")));
        };
        if !seen.insert(kept.to_ascii_lowercase()) {
            let message = format!("the metadata name {shown} falls together with another");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
    }
    Ok(())
}

/// Adds content headers and metadata; values go out as the UTF-8 that they are.
pub(crate) fn with_attributes(mut call: Call, attributes: &Attributes) -> Result<Call> {
    for (name, value) in attributes.headers.entries() {
        if let Some(value) = value {
            call = call.text_header(name, value)?;
        }
    }
    for (name, value) in &attributes.metadata {
        call = call.text_header(&format!("{METADATA}{name}"), value)?;
    }
    Ok(call)
}

/// Adds tags, unless there are none.
pub(crate) fn with_tags(call: Call, attributes: &Attributes) -> Result<Call> {
    match attributes.tags.as_ref().filter(|tags| !tags.is_empty()) {
        Some(tags) => call.text_header("x-amz-tagging", &tags::header(tags)),
        None => Ok(call),
    }
}

/// Adds the storage class, if one is asked for.
pub(crate) fn with_class(call: Call, class: Option<&str>) -> Result<Call> {
    match class {
        Some(class) => call.text_header(STORAGE_CLASS, class),
        None => Ok(call),
    }
}

/// What goes with a body so that the server can check it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digests {
    pub(crate) sha256: Sha256,
    pub(crate) md5: Option<Md5>,
}

/// Adds a body, its SHA-256, which is signed and so checked by the server, and its MD5 if there is one.
pub(crate) fn with_payload(call: Call, body: Payload, digests: &Digests) -> Result<Call> {
    let value = HeaderValue::from_str(&digests.sha256.to_hex())
        .map_err(|error| Error::new(ErrorKind::Internal, "a digest is no header").caused_by(error))?;
    let call = match digests.md5 {
        Some(md5) => call.text_header(CONTENT_MD5, &BASE64.encode(md5.0))?,
        None => call,
    };
    Ok(call.header(CONTENT_SHA256, value).body(body))
}

/// Adds a small body with its SHA-256.
pub(crate) fn with_text(call: Call, text: String) -> Result<Call> {
    let digest = Sha256::of(text.as_bytes()).to_hex();
    Ok(call.text_header(CONTENT_SHA256.as_str(), &digest)?.body(text))
}

/// Adds a small body with its SHA-256 and the Content-MD5 that DeleteObjects and tagging want.
pub(crate) fn with_checked_text(call: Call, text: String) -> Result<Call> {
    let md5 = Md5::of_chunks(&[text.clone().into()]);
    with_text(call.text_header(CONTENT_MD5, &BASE64.encode(md5.0))?, text)
}

/// The digests that go with a body: the SHA-256 of a buffer as its maker claims it, so that the server checks the claim.
pub(crate) async fn digests_of(body: &Payload, with_md5: bool) -> Result<Digests> {
    if let Payload::Buffered { sha256, chunks, .. } = body {
        let md5 = if with_md5 { Some(md5_of(chunks.clone()).await?) } else { None };
        return Ok(Digests { sha256: *sha256, md5 });
    }
    let mut stream = body.open().await?;
    let mut sha256 = Sha256Hasher::default();
    let mut md5 = with_md5.then(Md5Hasher::default);
    let mut len = 0;
    while let Some(chunk) = stream.try_next().await? {
        len += chunk.len() as u64;
        sha256.update(&chunk);
        if let Some(md5) = &mut md5 {
            md5.update(&chunk);
        }
    }
    if len == body.len() {
        return Ok(Digests { sha256: sha256.finish(), md5: md5.map(Md5Hasher::finish) });
    }
    let message = format!("the body has {len} bytes, {} were declared", body.len());
    Err(Error::new(ErrorKind::Truncated, message))
}

/// On a thread for blocking work: bodies are large.
async fn md5_of(chunks: Arc<[Bytes]>) -> Result<Md5> {
    tokio::task::spawn_blocking(move || Md5::of_chunks(&chunks))
        .await
        .map_err(|error| Error::new(ErrorKind::Internal, "hashing was cut off").caused_by(error))
}

/// What a finished write tells in its headers.
pub(crate) fn written(headers: &HeaderMap) -> Result<Written> {
    Ok(Written {
        etag: text(headers, ETAG.as_str())?.map(|etag| ETag::new(&etag)),
        version: version(headers)?,
    })
}

/// The version, where the bucket keeps versions.
pub(crate) fn version(headers: &HeaderMap) -> Result<Option<String>> {
    Ok(text(headers, VERSION)?.filter(|version| version != "null"))
}

/// The object that a reply to HEAD or GET describes.
///
/// # Errors
/// `Unsupported` for a header or metadata that isn't UTF-8, and for metadata that the server can't tell.
pub(crate) fn info(key: &Key, size: u64, headers: &HeaderMap, profile: &Profile) -> Result<ObjectInfo> {
    if headers.contains_key("x-amz-missing-meta") {
        let message = "the object has metadata that the server can't express as headers";
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    let mut content = ContentHeaders::default();
    for (name, _) in ContentHeaders::default().entries() {
        content.set(name, text(headers, name)?);
    }
    let mut info = ObjectInfo::new(key.clone(), size);
    info.etag = text(headers, ETAG.as_str())?.map(|etag| ETag::new(&etag));
    info.version = version(headers)?;
    info.modified = text(headers, LAST_MODIFIED.as_str())?.as_deref().and_then(http_date);
    // Who counts tags tells nothing where there are none.
    let untagged = profile.tag_count && !headers.contains_key("x-amz-tagging-count");
    let tags = untagged.then(Tags::new);
    info.attributes = Some(Attributes { headers: content, metadata: metadata(headers)?, tags });
    info.tier = Some(tier(headers, profile)?);
    info.digests = digests(headers);
    for name in UNCARRIED {
        if let Some(value) = text(headers, name)? {
            info.uncarried.insert(name.to_owned(), value);
        }
    }
    Ok(info)
}

/// Headers that S3 keeps with an object (PutObject's reference) and that the contract doesn't carry.
const UNCARRIED: [&str; 2] = ["expires", "x-amz-website-redirect-location"];

fn metadata(headers: &HeaderMap) -> Result<Metadata> {
    let mut metadata = Metadata::new();
    for name in headers.keys() {
        if let Some(short) = name.as_str().strip_prefix(METADATA) {
            metadata.insert(short.to_owned(), text(headers, name.as_str())?.unwrap_or_default());
        }
    }
    Ok(metadata)
}

/// A header's value as it came; values of a name that comes more than once, joined by a comma.
fn text(headers: &HeaderMap, name: &str) -> Result<Option<String>> {
    let mut all: Option<String> = None;
    for value in headers.get_all(name) {
        let value = std::str::from_utf8(value.as_bytes()).map_err(|_| {
            let message = format!("the header {name} holds bytes that are not UTF-8");
            Error::new(ErrorKind::Unsupported, message)
        })?;
        all = Some(match all {
            Some(before) => format!("{before},{value}"),
            None => value.to_owned(),
        });
    }
    Ok(all)
}

/// The class; that of an archived object that has been restored is readable.
fn tier(headers: &HeaderMap, profile: &Profile) -> Result<Tier> {
    let name = text(headers, STORAGE_CLASS)?.unwrap_or_else(|| STANDARD.to_owned());
    let restored = text(headers, RESTORE)?.is_some_and(|state| state.contains("ongoing-request=\"false\""));
    let class = match profile.tier_class(&name) {
        TierClass::Archive if restored => TierClass::Infrequent,
        class => class,
    };
    Ok(Tier { name, class })
}

fn digests(headers: &HeaderMap) -> Vec<Digest> {
    let known = [
        ("x-amz-checksum-sha256", Algorithm::Sha256, 32),
        ("x-amz-checksum-crc64nvme", Algorithm::Crc64Nvme, 8),
        ("x-amz-checksum-crc32c", Algorithm::Crc32c, 4),
    ];
    let composite = headers.get("x-amz-checksum-type").is_some_and(|kind| kind == "COMPOSITE");
    known
        .iter()
        .filter_map(|(name, algorithm, len)| digest(headers, name, *algorithm, *len, composite))
        .collect()
}

/// `base64`, or `base64-parts` for a digest of the parts' digests.
fn digest(
    headers: &HeaderMap,
    name: &str,
    algorithm: Algorithm,
    len: usize,
    composite: bool,
) -> Option<Digest> {
    let text = headers.get(name)?.to_str().ok()?;
    let (text, parts) = match text.rsplit_once('-') {
        Some((text, parts)) => (text, Some(parts.parse().ok()?)),
        None => (text, None),
    };
    if composite && parts.is_none() {
        return None;
    }
    let scope = parts.map_or(DigestScope::Whole, |parts| DigestScope::Composite { parts });
    let value = BASE64.decode(text).ok().filter(|value| value.len() == len)?;
    Some(Digest { algorithm, scope, value })
}

fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// As in `If-Modified-Since`: RFC 9110 §5.6.7, whole seconds.
pub(crate) fn format_http_date(time: Timestamp) -> Option<String> {
    let time = Timestamp::from_second(time.as_second()).ok()?;
    jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok()
}

/// A range as the Range header has it.
///
/// # Errors
/// `PreconditionFailed` for a range that holds nothing, which the header can't express.
pub(crate) fn range_header(range: ReadRange) -> Result<String> {
    match range {
        ReadRange::Bounded { start, end } if start < end => Ok(format!("bytes={start}-{}", end - 1)),
        ReadRange::From(start) => Ok(format!("bytes={start}-")),
        ReadRange::Suffix(last) if last > 0 => Ok(format!("bytes=-{last}")),
        _ => Err(Error::new(ErrorKind::PreconditionFailed, "the range holds nothing")),
    }
}

/// Which bytes a 206 carries, and the object's size.
///
/// # Errors
/// `Protocol` when Content-Range is missing, malformed, or tells other bytes than were asked for.
pub(crate) fn content_range(headers: &HeaderMap, asked: ReadRange) -> Result<(Range<u64>, u64)> {
    let text = headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let wrong =
        |why: &str| Error::new(ErrorKind::Protocol, format!("the server's Content-Range '{text}' {why}"));
    let parsed = || {
        let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let last: u64 = last.parse().ok()?;
        Some((first.parse().ok()?..last.checked_add(1)?, size.parse::<u64>().ok()?))
    };
    let (range, size) = parsed().ok_or_else(|| wrong("can't be read"))?;
    match asked.within(size) {
        Ok(expected) if expected == range => Ok((range, size)),
        _ => Err(wrong("isn't what was asked for")),
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
