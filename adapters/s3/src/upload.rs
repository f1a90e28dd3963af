//! Multipart uploads.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cabotage_core::{
    Capabilities, Disposition, ETag, Error, ErrorKind, Key, Md5, Operation, PartInfo, PartSlot, Payload,
    Result, Scope, Support, Upload, UploadId, WriteMode, WriteOptions, Written, disposition,
};
use cabotage_http::{Repeat, Reply};
use http::Method;
use http::header::ETAG;

use crate::client::Client;
use crate::error::root_of;
use crate::{wire, xml};

/// How often CompleteMultipartUpload is sent when it fails with status 200, which the HTTP client can't see.
const COMPLETE_ATTEMPTS: u32 = 4;

/// A handle on an open upload.
///
/// Tags given at the start are dropped by some servers (Ceph RGW 16). Where the profile doesn't prove that they arrive,
/// they are set after completion: for a moment the object has none, and a process that dies in between leaves it so;
/// completing again from the recorded id sets them.
struct S3Upload {
    client: Arc<Client>,
    key: Key,
    id: UploadId,
    mode: WriteMode,
    /// Tags still to be set once the object is there.
    tags: Option<cabotage_core::Tags>,
}

pub(crate) async fn start(
    client: Arc<Client>,
    rules: &Capabilities,
    key: &Key,
    options: WriteOptions,
) -> Result<Arc<dyn Upload>> {
    wire::check_options(rules, key, &options)?;
    let call = client.object(Operation::Upload, Method::POST, key).flag("uploads");
    let mut call = wire::with_attributes(call, &options.attributes)?;
    if client.profile.upload_tags == Support::Enforced {
        call = wire::with_tags(call, &options.attributes)?;
    }
    let call = client.keyed(wire::with_class(call, options.tier.as_deref())?)?;
    // Sent again after a lost reply it would leave an upload that nobody knows of.
    let call = call.repeat(Repeat::IfNotTaken);
    let id_of = |root: &xml::Element<'_>| Ok(UploadId(root.need("UploadId")?.to_owned()));
    let id = client.send_xml(call, "InitiateMultipartUploadResult", id_of).await?;
    if id.0.is_empty() {
        return Err(Error::new(ErrorKind::Protocol, "the server gives the upload no id"));
    }
    Ok(Arc::new(S3Upload::new(client, key, id, options)))
}

pub(crate) fn resume(
    client: Arc<Client>,
    key: &Key,
    id: &UploadId,
    options: WriteOptions,
) -> Arc<dyn Upload> {
    Arc::new(S3Upload::new(client, key, id.clone(), options))
}

impl S3Upload {
    fn new(client: Arc<Client>, key: &Key, id: UploadId, options: WriteOptions) -> Self {
        let late = client.profile.upload_tags != Support::Enforced;
        let tags = options.attributes.tags.filter(|tags| late && !tags.is_empty());
        Self { client, key: key.clone(), id, mode: options.mode, tags }
    }

    async fn send_part(&self, slot: PartSlot, body: Payload) -> Result<PartInfo> {
        let limits = self.client.profile.limits;
        if slot.number == 0 || slot.number > limits.parts_max {
            let message = format!("part {} is none of 1 to {}", slot.number, limits.parts_max);
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let size = body.len();
        if size > limits.part_max {
            let message = format!("the part has {size} bytes, more than the {} allowed", limits.part_max);
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let mut reply = self.send_body(slot, &body).await;
        if reply.as_ref().is_err_and(|error| self.client.is_new_demand(error)) {
            reply = self.send_body(slot, &body).await;
        }
        let reply = reply?;
        let etag = reply.headers.get(ETAG).and_then(|value| value.to_str().ok()).map(ETag::new);
        if etag.is_none() {
            return Err(Error::new(ErrorKind::Protocol, "the server gives the part no ETag"));
        }
        Ok(PartInfo { number: slot.number, size, etag })
    }

    async fn send_body(&self, slot: PartSlot, body: &Payload) -> Result<Reply> {
        let digests = self.client.digests(body).await?;
        let call = self
            .client
            .object(Operation::WritePart, Method::PUT, &self.key)
            .query("partNumber", &slot.number.to_string())
            .query("uploadId", &self.id.0);
        let call = self.client.keyed(call)?;
        self.client.send(wire::with_payload(call, body.clone(), &digests)?).await
    }

    async fn list_parts(&self) -> Result<Vec<PartInfo>> {
        let mut parts = Vec::new();
        let mut marker: Option<u64> = None;
        loop {
            let mut call =
                self.client.object(Operation::Upload, Method::GET, &self.key).query("uploadId", &self.id.0);
            if let Some(marker) = marker {
                call = call.query("part-number-marker", &marker.to_string());
            }
            let (page, next) = self.client.send_xml(call, "ListPartsResult", page_of_parts).await?;
            parts.extend(page);
            let Some(next) = next else {
                parts.sort_by_key(|part| part.number);
                return Ok(parts);
            };
            if marker.is_some_and(|marker| next <= marker) {
                return Err(Error::new(ErrorKind::ListingBroken, "the server lists the same parts again"));
            }
            marker = Some(next);
        }
    }

    async fn finish(&self, parts: &[PartInfo]) -> Result<Written> {
        let document = complete_document(parts)?;
        let support = self.client.profile.conditions.complete;
        let mode = self.client.sendable(&self.key, &self.mode, support).await?;
        let written = match self.complete_patiently(&mode, &document).await {
            Err(error) if error.kind() == ErrorKind::NotFound => self.completed_before(parts, error).await?,
            done => self.with_true_etag(parts, done?).await?,
        };
        if let Some(tags) = &self.tags {
            self.client.write_tags(Operation::Complete, &self.key, tags).await?;
        }
        Ok(written)
    }

    async fn complete_patiently(&self, mode: &WriteMode, document: &str) -> Result<Written> {
        let mut attempt = 1;
        loop {
            let done = self.complete_once(mode, document).await;
            let again = done.as_ref().is_err_and(|error| {
                error.fact("status").is_none()
                    && error.fact("code").is_some()
                    && disposition(error.kind(), Scope::Object) == Disposition::Retry
            });
            if !again || attempt == COMPLETE_ATTEMPTS {
                return done;
            }
            tokio::time::sleep(Duration::from_millis(200) * 2_u32.pow(attempt)).await;
            attempt += 1;
        }
    }

    async fn complete_once(&self, mode: &WriteMode, document: &str) -> Result<Written> {
        let reply = self
            .client
            .send_if(mode, || {
                let call = self.client.object(Operation::Complete, Method::POST, &self.key);
                wire::with_text(call.query("uploadId", &self.id.0), document.to_owned())
            })
            .await?;
        let version = wire::version(&reply.headers)?;
        let body = reply.bytes(xml::MAX_REPLY).await?;
        let root = root_of(&body, "CompleteMultipartUploadResult")?;
        Ok(Written { etag: root.get("ETag").map(ETag::new), version })
    }

    /// The ETag in the reply can be missing, empty (Ceph RGW 16) or a constant (`00` at some); unless it is the one that
    /// S3 makes of these parts', the object is asked.
    async fn with_true_etag(&self, parts: &[PartInfo], written: Written) -> Result<Written> {
        if written.etag.is_some() && written.etag == multipart_etag(parts) {
            return Ok(written);
        }
        let info = self.client.head(&self.key).await?;
        Ok(Written { etag: info.etag, version: written.version.or(info.version) })
    }

    /// An upload that is gone may have been completed before, by a request whose reply was lost: then the object has
    /// the ETag that S3 makes of these parts' (MD5 of their MD5s, and their number).
    async fn completed_before(&self, parts: &[PartInfo], error: Error) -> Result<Written> {
        let Some(expected) = multipart_etag(parts) else { return Err(error) };
        match self.client.head(&self.key).await {
            Ok(info) if info.etag.as_ref() == Some(&expected) => {
                Ok(Written { etag: info.etag, version: info.version })
            }
            _ => Err(error),
        }
    }
}

/// The parts of a page, and after which number the next page begins.
fn page_of_parts(root: &xml::Element<'_>) -> Result<(Vec<PartInfo>, Option<u64>)> {
    let parts = root.all("Part").map(part_info).collect::<Result<_>>()?;
    let next = if root.is_true("IsTruncated") { Some(root.number("NextPartNumberMarker")?) } else { None };
    Ok((parts, next))
}

fn part_info(part: &xml::Element<'_>) -> Result<PartInfo> {
    let number = u32::try_from(part.number("PartNumber")?)
        .map_err(|_| Error::new(ErrorKind::Protocol, "a part's number is too large"))?;
    Ok(PartInfo { number, size: part.number("Size")?, etag: part.get("ETag").map(ETag::new) })
}

fn complete_document(parts: &[PartInfo]) -> Result<String> {
    let mut out = String::from("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for part in parts {
        let etag =
            part.etag.as_ref().and_then(|etag| xml::escape(&etag.quoted())).ok_or_else(|| {
                Error::new(ErrorKind::Internal, format!("part {} has no ETag", part.number))
            })?;
        out.push_str(&format!("<Part><PartNumber>{}</PartNumber><ETag>{etag}</ETag></Part>", part.number));
    }
    out.push_str("</CompleteMultipartUpload>");
    Ok(out)
}

/// `None` when a part's ETag is no MD5.
fn multipart_etag(parts: &[PartInfo]) -> Option<ETag> {
    let mut all = Vec::with_capacity(parts.len() * 16);
    for part in parts {
        let digest: [u8; 16] = hex::decode(part.etag.as_ref()?.bare()).ok()?.try_into().ok()?;
        all.extend_from_slice(&digest);
    }
    let digest = Md5::of_chunks(&[all.into()]);
    Some(ETag::new(&format!("{}-{}", hex::encode(digest.0), parts.len())))
}

impl fmt::Debug for S3Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Upload").field("key", &self.key).field("id", &self.id).finish_non_exhaustive()
    }
}

#[async_trait]
impl Upload for S3Upload {
    fn id(&self) -> &UploadId {
        &self.id
    }

    async fn parts(&self) -> Result<Vec<PartInfo>> {
        self.list_parts().await.map_err(|error| error.during(Operation::Upload).on(&self.key))
    }

    async fn part(&self, slot: PartSlot, body: Payload) -> Result<PartInfo> {
        let sent = self.send_part(slot, body).await;
        sent.map_err(|error| {
            error.during(Operation::WritePart).on(&self.key).with("part", slot.number.to_string())
        })
    }

    async fn complete(&self, parts: &[PartInfo]) -> Result<Written> {
        self.finish(parts).await.map_err(|error| error.during(Operation::Complete).on(&self.key))
    }

    async fn abort(&self) -> Result<()> {
        let call =
            self.client.object(Operation::Abort, Method::DELETE, &self.key).query("uploadId", &self.id.0);
        match self.client.send(call).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.on(&self.key)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(number: u32, etag: &str) -> PartInfo {
        PartInfo { number, size: 1, etag: Some(ETag::new(etag)) }
    }

    #[test]
    fn the_etag_of_parts() {
        let parts =
            [part(1, "900150983cd24fb0d6963f7d28e17f72"), part(2, "900150983cd24fb0d6963f7d28e17f72")];
        let etag = multipart_etag(&parts).unwrap();
        assert!(etag.bare().ends_with("-2") && etag.bare().len() == 34, "{etag}");
        assert_ne!(multipart_etag(&parts[..1]).unwrap(), etag);
        assert_eq!(multipart_etag(&[part(1, "00")]), None);
    }

    #[test]
    fn the_parts_on_the_wire() {
        let document = complete_document(&[part(1, "a"), part(2, "\"b\"")]).unwrap();
        let root = xml::parse(document.as_bytes()).unwrap();
        let sent: Vec<_> = root.all("Part").map(|part| read_part(&with_size(part))).collect();
        assert_eq!(sent, [part(1, "a"), part(2, "b")]);
        let nameless = PartInfo { number: 1, size: 1, etag: None };
        assert_eq!(complete_document(&[nameless]).unwrap_err().kind(), ErrorKind::Internal);
    }

    fn read_part(document: &str) -> PartInfo {
        part_info(&xml::parse(document.as_bytes()).unwrap()).unwrap()
    }

    fn with_size(part: &xml::Element<'_>) -> String {
        format!(
            "<Part><PartNumber>{}</PartNumber><ETag>{}</ETag><Size>1</Size></Part>",
            part.get("PartNumber").unwrap(),
            part.get("ETag").unwrap().replace('"', "&quot;")
        )
    }
}
