//! Objects: get, put, delete, tags.

use std::ops::Range;
use std::sync::Arc;

use cabotage_core::Timestamp;
use hyper::body::Incoming;
use hyper::header::{CONTENT_RANGE, ETAG, HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED};
use hyper::{Method, Request, Response};

use super::answer::{self, Answer, Refusal, each, escape, inner, unescape};
use super::body::{Chunks, receive};
use super::query::Target;
use super::store::{Bucket, Kept, Object, Store, lock};

/// Content headers that are kept.
const CONTENT: [&str; 5] =
    ["content-type", "content-encoding", "content-language", "content-disposition", "cache-control"];

/// What of a request's headers is kept with the object.
pub(super) fn kept(headers: &HeaderMap) -> Arc<Kept> {
    let keeps = |name: &HeaderName| {
        let name = name.as_str();
        name.starts_with("x-amz-meta-") || CONTENT.contains(&name)
    };
    let mut kept: Kept = headers
        .iter()
        .filter(|(name, _)| keeps(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    kept.retain(|(name, value)| name != "content-encoding" || value != "aws-chunked");
    Arc::new(kept)
}

/// The tags that came as a header.
pub(super) fn tags_of(headers: &HeaderMap) -> Option<Arc<str>> {
    let text = headers.get("x-amz-tagging")?.to_str().ok()?;
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    let decode = |text: &str| escape(&percent_encoding::percent_decode_str(text).decode_utf8_lossy());
    let tags: String = pairs
        .map(|(key, value)| format!("<Tag><Key>{}</Key><Value>{}</Value></Tag>", decode(key), decode(value)))
        .collect();
    Some(tags.into())
}

/// Whether the request's preconditions hold for what is there.
pub(super) fn allow(headers: &HeaderMap, there: Option<&Object>) -> Result<(), Refusal> {
    let is = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let matches = |etag: &str| there.is_some_and(|there| etag.trim_matches('"') == there.etag);
    match (is("if-match"), is("if-none-match")) {
        (Some(_), _) if there.is_none() => Err(Refusal::new(404, "NoSuchKey")),
        (Some(etag), _) if etag != "*" && !matches(etag) => Err(Refusal::new(412, "PreconditionFailed")),
        (_, Some("*")) if there.is_some() => Err(Refusal::new(412, "PreconditionFailed")),
        _ => Ok(()),
    }
}

fn find<'a>(bucket: &'a Bucket, key: &str) -> Result<&'a Object, Refusal> {
    bucket.objects.get(key).ok_or(Refusal::new(404, "NoSuchKey"))
}

pub(super) fn get(store: &Store, target: &Target, request: &Request<Incoming>) -> Result<Answer, Refusal> {
    let bucket = store.bucket(&target.bucket)?;
    let object = find(&lock(&bucket), &target.key)?.clone();
    allow(request.headers(), Some(&object))?;
    let range = range(request.headers(), object.size)?;
    let (status, bytes) = match &range {
        Some(range) => (206, range.clone()),
        None => (200, 0..object.size),
    };
    let mut answer = Response::new(if request.method() == Method::HEAD {
        Chunks::default()
    } else {
        Chunks::range(&object.chunks, &bytes)
    });
    *answer.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    let headers = answer.headers_mut();
    headers.extend(object.kept.iter().cloned());
    let mut set = |name: HeaderName, text: String| {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    };
    set(ETAG, format!("\"{}\"", object.etag));
    set(LAST_MODIFIED, http_date(object.modified));
    if range.is_some() {
        set(CONTENT_RANGE, format!("bytes {}-{}/{}", bytes.start, bytes.end - 1, object.size));
    }
    if request.method() == Method::HEAD {
        set(hyper::header::CONTENT_LENGTH, (bytes.end - bytes.start).to_string());
    }
    Ok(answer)
}

fn http_date(time: Timestamp) -> String {
    jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&time).unwrap_or_default()
}

fn range(headers: &HeaderMap, size: u64) -> Result<Option<Range<u64>>, Refusal> {
    let Some(text) = headers.get("range").and_then(|value| value.to_str().ok()) else { return Ok(None) };
    let invalid = Refusal::new(416, "InvalidRange");
    let (first, last) = text.strip_prefix("bytes=").and_then(|text| text.split_once('-')).ok_or(invalid)?;
    let number = |text: &str| text.parse::<u64>().map_err(|_| invalid);
    let range = match (first, last) {
        ("", last) => size.saturating_sub(number(last)?)..size,
        (first, "") => number(first)?..size,
        (first, last) => number(first)?..(number(last)? + 1).min(size),
    };
    if range.is_empty() { Err(invalid) } else { Ok(Some(range)) }
}

pub(super) async fn put(
    store: &Store,
    target: &Target,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    let headers = request.headers().clone();
    if headers.contains_key("x-amz-copy-source") {
        return Err(Refusal::new(501, "NotImplemented"));
    }
    let bucket = store.bucket(&target.bucket)?;
    let body = receive(request).await?;
    let etag = hex::encode(body.md5);
    let object = Object {
        chunks: body.chunks,
        size: body.len,
        etag: etag.clone(),
        modified: Timestamp::now(),
        kept: kept(&headers),
        tags: tags_of(&headers),
    };
    let mut bucket = lock(&bucket);
    allow(&headers, bucket.objects.get(&target.key))?;
    bucket.objects.insert(target.key.clone(), object);
    Ok(with_etag(answer::empty(200), &etag))
}

pub(super) fn with_etag(mut answer: Answer, etag: &str) -> Answer {
    if let Ok(value) = HeaderValue::from_str(&format!("\"{etag}\"")) {
        answer.headers_mut().insert(ETAG, value);
    }
    answer
}

pub(super) fn delete(store: &Store, target: &Target, request: &Request<Incoming>) -> Result<Answer, Refusal> {
    let bucket = store.bucket(&target.bucket)?;
    let mut bucket = lock(&bucket);
    allow(request.headers(), bucket.objects.get(&target.key))?;
    bucket.objects.remove(&target.key);
    Ok(answer::empty(204))
}

pub(super) async fn delete_many(
    store: &Store,
    target: &Target,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    let bucket = store.bucket(&target.bucket)?;
    let body =
        String::from_utf8(receive(request).await?.joined()).map_err(|_| Refusal::new(400, "MalformedXML"))?;
    let mut bucket = lock(&bucket);
    let mut deleted = String::new();
    for key in each(&body, "Key").into_iter().map(unescape) {
        bucket.objects.remove(&key);
        deleted.push_str(&format!("<Deleted><Key>{}</Key></Deleted>", escape(&key)));
    }
    Ok(answer::xml(200, &format!("<DeleteResult>{deleted}</DeleteResult>")))
}

pub(super) fn tags(store: &Store, target: &Target) -> Result<Answer, Refusal> {
    let bucket = store.bucket(&target.bucket)?;
    let tags = find(&lock(&bucket), &target.key)?.tags.clone();
    let tags = tags.as_deref().unwrap_or_default();
    Ok(answer::xml(200, &format!("<Tagging><TagSet>{tags}</TagSet></Tagging>")))
}

pub(super) async fn set_tags(
    store: &Store,
    target: &Target,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    let bucket = store.bucket(&target.bucket)?;
    let body = receive(request).await?.joined();
    let body = String::from_utf8(body).map_err(|_| Refusal::new(400, "MalformedXML"))?;
    let tags = inner(&body, "TagSet").unwrap_or_default();
    let mut bucket = lock(&bucket);
    let object = bucket.objects.get_mut(&target.key).ok_or(Refusal::new(404, "NoSuchKey"))?;
    object.tags = Some(tags.into());
    Ok(answer::empty(200))
}
