//! Uploads in parts.

use std::collections::BTreeMap;

use cabotage_core::Timestamp;
use hyper::Request;
use hyper::body::Incoming;
use md5::{Digest as _, Md5};

use super::answer::{self, Answer, Refusal, each, escape, inner, unescape};
use super::body::receive;
use super::objects::{allow, kept, tags_of, with_etag};
use super::query::Target;
use super::store::{Object, OpenUpload, Part, Store, lock};

const UNKNOWN: (u16, &str) = (404, "NoSuchUpload");

fn unknown() -> Refusal {
    Refusal::new(UNKNOWN.0, UNKNOWN.1)
}

fn id(target: &Target) -> &str {
    target.get("uploadId").unwrap_or_default()
}

pub(super) fn start(store: &Store, target: &Target, request: &Request<Incoming>) -> Result<Answer, Refusal> {
    let bucket = store.bucket(&target.bucket)?;
    let mut bucket = lock(&bucket);
    bucket.started += 1;
    let id = format!("u{}", bucket.started);
    let upload = OpenUpload {
        key: target.key.clone(),
        kept: kept(request.headers()),
        tags: tags_of(request.headers()),
        started: Timestamp::now(),
        parts: BTreeMap::new(),
    };
    bucket.uploads.insert(id.clone(), upload);
    let (name, key) = (escape(&target.bucket), escape(&target.key));
    Ok(answer::xml(
        200,
        &format!(
            "<InitiateMultipartUploadResult><Bucket>{name}</Bucket><Key>{key}</Key><UploadId>{id}</UploadId>\
             </InitiateMultipartUploadResult>"
        ),
    ))
}

pub(super) async fn part(
    store: &Store,
    target: &Target,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    let bucket = store.bucket(&target.bucket)?;
    let number = target.get("partNumber").and_then(|number| number.parse().ok());
    let number: u32 = number.ok_or(Refusal::new(400, "InvalidArgument"))?;
    let body = receive(request).await?;
    let mut bucket = lock(&bucket);
    let upload = bucket.uploads.get_mut(id(target)).ok_or_else(unknown)?;
    upload.parts.insert(number, Part { chunks: body.chunks, size: body.len, md5: body.md5 });
    Ok(with_etag(answer::empty(200), &hex::encode(body.md5)))
}

pub(super) async fn complete(
    store: &Store,
    target: &Target,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    let headers = request.headers().clone();
    let bucket = store.bucket(&target.bucket)?;
    let body = receive(request).await?.joined();
    let body = String::from_utf8(body).map_err(|_| Refusal::new(400, "MalformedXML"))?;
    let mut bucket = lock(&bucket);
    allow(&headers, bucket.objects.get(&target.key))?;
    let upload = bucket.uploads.get(id(target)).ok_or_else(unknown)?;
    let (mut chunks, mut size, mut md5, mut count) = (Vec::new(), 0, Md5::new(), 0_u32);
    for named in each(&body, "Part") {
        let number = inner(named, "PartNumber").and_then(|number| number.trim().parse::<u32>().ok());
        let part = number.and_then(|number| upload.parts.get(&number));
        let part = part.ok_or(Refusal::new(400, "InvalidPart"))?;
        let etag = inner(named, "ETag").map(unescape).unwrap_or_default();
        if etag.trim().trim_matches('"') != hex::encode(part.md5) {
            return Err(Refusal::new(400, "InvalidPart"));
        }
        chunks.extend(part.chunks.iter().cloned());
        size += part.size;
        md5.update(part.md5);
        count += 1;
    }
    let etag = format!("{}-{count}", hex::encode(md5.finalize()));
    let object = Object {
        chunks: chunks.into(),
        size,
        etag: etag.clone(),
        modified: Timestamp::now(),
        kept: upload.kept.clone(),
        tags: upload.tags.clone(),
    };
    bucket.uploads.remove(id(target));
    bucket.objects.insert(target.key.clone(), object);
    let (name, key) = (escape(&target.bucket), escape(&target.key));
    Ok(answer::xml(
        200,
        &format!(
            "<CompleteMultipartUploadResult><Bucket>{name}</Bucket><Key>{key}</Key><ETag>&quot;{etag}&quot;</ETag>\
             </CompleteMultipartUploadResult>"
        ),
    ))
}

pub(super) fn abort(store: &Store, target: &Target) -> Result<Answer, Refusal> {
    let bucket = store.bucket(&target.bucket)?;
    let gone = lock(&bucket).uploads.remove(id(target));
    gone.map(|_| answer::empty(204)).ok_or_else(unknown)
}

pub(super) fn list(store: &Store, target: &Target) -> Result<Answer, Refusal> {
    let bucket = store.bucket(&target.bucket)?;
    let prefix = target.get("prefix").unwrap_or_default();
    let uploads: String = lock(&bucket)
        .uploads
        .iter()
        .filter(|(_, upload)| upload.key.starts_with(prefix))
        .map(|(id, upload)| {
            let (key, started) = (escape(&upload.key), upload.started);
            format!(
                "<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>{started:.3}</Initiated></Upload>"
            )
        })
        .collect();
    let name = escape(&target.bucket);
    Ok(answer::xml(
        200,
        &format!(
            "<ListMultipartUploadsResult><Bucket>{name}</Bucket><IsTruncated>false</IsTruncated>{uploads}\
             </ListMultipartUploadsResult>"
        ),
    ))
}

pub(super) fn parts(store: &Store, target: &Target) -> Result<Answer, Refusal> {
    let bucket = store.bucket(&target.bucket)?;
    let bucket = lock(&bucket);
    let upload = bucket.uploads.get(id(target)).ok_or_else(unknown)?;
    let parts: String = upload
        .parts
        .iter()
        .map(|(number, part)| {
            let (etag, size) = (hex::encode(part.md5), part.size);
            format!(
                "<Part><PartNumber>{number}</PartNumber><ETag>&quot;{etag}&quot;</ETag><Size>{size}</Size></Part>"
            )
        })
        .collect();
    Ok(answer::xml(
        200,
        &format!("<ListPartsResult><IsTruncated>false</IsTruncated>{parts}</ListPartsResult>"),
    ))
}
