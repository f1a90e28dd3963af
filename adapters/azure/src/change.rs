//! Attributes, copies and signed URLs: what changes or lends a blob without its bytes passing through here.

use std::time::Duration;

use cabotage_core::{
    Attributes, DeleteOptions, Detail, ETag, Error, ErrorKind, Key, ObjectInfo, Operation, PresignMethod,
    Presigned, ReadOptions, Result, Secret, Tags, WriteOptions, Written,
};
use cabotage_http::{Call, CallBody, encode_component};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, IF_MATCH};
use http::{HeaderMap, Method};
use reqsign_azure_storage::{ServiceSasResource, ServiceSharedAccessSignature};
use reqsign_core::time::Timestamp;

use crate::attributes::{
    check, check_options, content_headers, metadata_headers, mode_headers, tag_header, tier_header,
};
use crate::auth::Pass;
use crate::body::md5_text;
use crate::store::Inner;
use crate::wire::{BLOB_MD5, etag, text, written};
use crate::xml::{self, Visit};

const COPY_SOURCE: HeaderName = HeaderName::from_static("x-ms-copy-source");
const COPY_STATUS: HeaderName = HeaderName::from_static("x-ms-copy-status");
const SOURCE_IF_MATCH: HeaderName = HeaderName::from_static("x-ms-source-if-match");

/// Largest reply with tags that is taken.
const TAGS_BYTES: usize = 256 * 1024;

/// How long is waited between two looks at a copy that goes on.
const COPY_PAUSE: Duration = Duration::from_secs(1);

/// Longest life of a signed URL.
const PRESIGN_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

impl Inner {
    /// Get Blob Tags; `None` where the right is missing. That is remembered, unless listings tell tags all the same
    /// (Azurite asks for no right there).
    pub(crate) async fn read_tags(&self, key: &Key, version: Option<&str>) -> Result<Option<Tags>> {
        if !self.tags.wanted() {
            return Ok(None);
        }
        let mut call = self.wire.blob_call(Operation::ReadTags, Method::GET, key).query("comp", "tags");
        if let Some(version) = version {
            call = call.query("versionid", version);
        }
        match self.wire.fetch(call, TAGS_BYTES).await {
            Ok(document) => Ok(Some(parse_tags(&document)?)),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                if !self.tags.known() {
                    self.tags.denied();
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn set_tags(&self, key: &Key, tags: &Tags) -> Result<()> {
        let call = self
            .wire
            .blob_call(Operation::SetAttributes, Method::PUT, key)
            .query("comp", "tags")
            .header(CONTENT_TYPE, HeaderValue::from_static("application/xml; charset=UTF-8"))
            .body(CallBody::from(tags_document(tags)));
        self.wire.send(call).await.map(drop)
    }

    /// A request that changes the blob in that state alone, and its new ETag.
    async fn step(&self, call: Call, state: &ETag) -> Result<Written> {
        let reply = self.wire.send(call.text_header(IF_MATCH.as_str(), &state.quoted())?).await?;
        let done = written(&reply.headers);
        if done.etag.is_some() { Ok(done) } else { Err(no_etag()) }
    }
}

fn no_etag() -> Error {
    Error::new(ErrorKind::Protocol, "the reply tells no ETag")
}

fn parse_tags(document: &[u8]) -> Result<Tags> {
    let mut tags = Tags::new();
    let mut key = String::new();
    xml::walk(document, |visit| {
        match visit {
            Visit::Close { path: ["Tags", "TagSet", "Tag", "Key"], text, .. } => text.clone_into(&mut key),
            Visit::Close { path: ["Tags", "TagSet", "Tag", "Value"], text, .. } => {
                tags.insert(std::mem::take(&mut key), text.to_owned());
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(tags)
}

fn tags_document(tags: &Tags) -> String {
    let set: String = tags
        .iter()
        .map(|(key, value)| {
            format!("<Tag><Key>{}</Key><Value>{}</Value></Tag>", xml::escape(key), xml::escape(value))
        })
        .collect();
    format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><Tags><TagSet>{set}</TagSet></Tags>")
}

/// Set Blob Properties, Set Blob Metadata, Set Blob Tags.
pub(crate) async fn set_attributes(
    inner: &Inner,
    key: &Key,
    attributes: &Attributes,
    if_match: Option<&ETag>,
) -> Result<Written> {
    inner.capabilities.accepts(key)?;
    check(&inner.capabilities, attributes)?;
    let pinned = ReadOptions::pinned(None, if_match.cloned());
    let before = inner.head(key, Detail::Basic, &pinned).await?;
    let state = before.etag.clone().ok_or_else(no_etag)?;
    let after = inner.step(properties_call(inner, key, attributes, &before)?, &state).await?;
    let state = after.etag.as_ref().ok_or_else(no_etag)?;
    let call = inner.wire.blob_call(Operation::SetAttributes, Method::PUT, key).query("comp", "metadata");
    let after = inner.step(metadata_headers(call, &attributes.metadata)?, state).await?;
    if let Some(tags) = attributes.tags.as_ref().filter(|_| !inner.tags.none()) {
        inner.set_tags(key, tags).await?;
    }
    Ok(after)
}

/// The request clears whatever it doesn't name, the stored MD5 too; so that is sent again. The empty header is there
/// because a request without any changes nothing.
fn properties_call(inner: &Inner, key: &Key, attributes: &Attributes, before: &ObjectInfo) -> Result<Call> {
    let call = inner.wire.blob_call(Operation::SetAttributes, Method::PUT, key).query("comp", "properties");
    let call = call.text_header("x-ms-blob-cache-control", "")?;
    let mut call = content_headers(call, &attributes.headers)?;
    if let Some(md5) = before.digests.first().and_then(|digest| digest.value.as_slice().try_into().ok()) {
        call = call.text_header(BLOB_MD5.as_str(), &md5_text(cabotage_core::Md5(md5)))?;
    }
    Ok(call)
}

/// Copy Blob, and the wait for its end.
pub(crate) async fn copy(
    inner: &Inner,
    from: &Key,
    from_etag: Option<&ETag>,
    to: &Key,
    options: &WriteOptions,
) -> Result<Written> {
    inner.capabilities.accepts(from)?;
    inner.capabilities.accepts(to)?;
    check_options(&inner.capabilities, options)?;
    if from.as_str().split('/').any(|segment| segment == "." || segment == "..") {
        // Azurite resolves them in x-ms-copy-source, plain or as %2E: another blob would be copied.
        return Err(Error::new(
            ErrorKind::Unsupported,
            "a name with a segment '.' or '..' can't be copied from",
        ));
    }
    let pinned = ReadOptions::pinned(None, from_etag.cloned());
    let source = inner.head(from, Detail::WithTags, &pinned).await?;
    let own = options.attributes != Attributes::default();
    let attributes =
        if own { options.attributes.clone() } else { source.attributes.clone().unwrap_or_default() };
    let reply = inner.wire.send(copy_call(inner, &source, to, options, &attributes).await?).await?;
    let done = written(&reply.headers);
    let done = wait_for_copy(inner, to, &reply.headers, done).await?;
    if !own {
        return Ok(done);
    }
    // The content headers of the source come along whatever is asked, so they are set after.
    set_attributes(inner, to, &attributes, done.etag.as_ref()).await
}

async fn copy_call(
    inner: &Inner,
    source: &ObjectInfo,
    to: &Key,
    options: &WriteOptions,
    attributes: &Attributes,
) -> Result<Call> {
    let mut url = inner.wire.blob_url(&source.key);
    if let Pass::Sas(sas) = inner.wire.pass().await? {
        url = format!("{url}?{}", sas.reveal());
    }
    let mut from = HeaderValue::from_str(&url)
        .map_err(|_| Error::new(ErrorKind::Internal, "the source's URL can't be sent in a header"))?;
    from.set_sensitive(true);
    let mut call = inner.wire.blob_call(Operation::Copy, Method::PUT, to).header(COPY_SOURCE, from);
    if let Some(etag) = &source.etag {
        call = call.text_header(SOURCE_IF_MATCH.as_str(), &etag.quoted())?;
    }
    let call = tag_header(metadata_headers(call, &attributes.metadata)?, attributes.tags.as_ref())?;
    mode_headers(tier_header(call, options.tier.as_deref())?, &options.mode)
}

async fn wait_for_copy(inner: &Inner, to: &Key, headers: &HeaderMap, done: Written) -> Result<Written> {
    let mut status = text(headers, &COPY_STATUS);
    let mut done = done;
    while status.as_deref() == Some("pending") {
        tokio::time::sleep(COPY_PAUSE).await;
        let reply = inner.wire.send(inner.wire.blob_call(Operation::Copy, Method::HEAD, to)).await?;
        status = text(&reply.headers, &COPY_STATUS);
        done.etag = etag(&reply.headers);
    }
    if status.as_deref() == Some("success") {
        return Ok(done);
    }
    // A copy that failed leaves an empty blob.
    inner.delete(to, &DeleteOptions { if_match: done.etag, ..DeleteOptions::default() }).await?;
    Err(Error::new(ErrorKind::Unavailable, "the service gave the copy up"))
}

/// A service SAS, with the blob's name as it is.
pub(crate) async fn presign(
    inner: &Inner,
    key: &Key,
    method: PresignMethod,
    expires_in: Duration,
) -> Result<Presigned> {
    inner.capabilities.accepts(key)?;
    let Pass::Key(account_key) = inner.wire.pass().await? else {
        return Err(Error::new(ErrorKind::Unsupported, "only an account's key can sign URLs")
            .help("open the store with the account's key"));
    };
    if expires_in.as_secs() == 0 || expires_in > PRESIGN_MAX {
        return Err(Error::new(ErrorKind::Unsupported, "a presigned URL lives from 1 second to 7 days"));
    }
    let (permissions, headers) = match method {
        PresignMethod::Get => ("r", Vec::new()),
        PresignMethod::Put => ("cw", vec![("x-ms-blob-type", "BlockBlob".to_owned())]),
    };
    let resource = ServiceSasResource::Blob {
        container: inner.wire.container().to_owned(),
        blob: key.as_str().to_owned(),
    };
    let signature = ServiceSharedAccessSignature::new(
        inner.wire.account().to_owned(),
        account_key.reveal().to_owned(),
        resource,
        permissions.to_owned(),
        Timestamp::now() + expires_in,
    );
    let pairs = signature
        .token()
        .map_err(|_| Error::new(ErrorKind::InvalidConfig, "the account key is not Base64"))?;
    let query: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{name}={}", encode_component(value))).collect();
    let url = format!("{}?{}", inner.wire.blob_url(key), query.join("&"));
    Ok(Presigned { url: Secret::new(url), expires_in, headers })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_read_back() {
        let tags: Tags = [("a b".to_owned(), "c+d".to_owned()), ("k".into(), String::new())].into();
        assert_eq!(parse_tags(tags_document(&tags).as_bytes()).unwrap(), tags);
        assert!(parse_tags(b"<Tags><TagSet>").is_err());
    }
}
