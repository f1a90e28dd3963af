//! Writes, copies and deletes of whole objects.

use std::sync::atomic::Ordering;

use cabotage_core::{
    Attributes, Capabilities, DeleteOptions, ETag, Error, ErrorKind, Key, Md5, ObjectInfo, Operation,
    Payload, Result, Support, Tags, WriteMode, WriteOptions, Written,
};
use cabotage_http::{Call, Reply, encode_component, encode_path};
use http::Method;
use http::header::{HeaderName, IF_MATCH};

use crate::client::Client;
use crate::condition::{Quotes, with_etag};
use crate::error::{demands_md5, of_element, root_of};
use crate::wire::Digests;
use crate::xml::{self, Element};
use crate::{tags, wire};

const COPY_SOURCE_IF_MATCH: HeaderName = HeaderName::from_static("x-amz-copy-source-if-match");

impl Client {
    /// What HEAD tells; tags stay unknown.
    pub(crate) async fn head(&self, key: &Key) -> Result<ObjectInfo> {
        let mut call = self.object(Operation::Head, Method::HEAD, key);
        if self.profile.integrity.published_checksums {
            call = call.text_header("x-amz-checksum-mode", "ENABLED")?;
        }
        let reply = match self.send(self.keyed(call)?).await {
            Ok(reply) => reply,
            Err(error) => return Err(self.explain_key(key, error).await),
        };
        self.saw_key_work(&reply.headers);
        let size = reply
            .content_length()
            .ok_or_else(|| Error::new(ErrorKind::Protocol, "the server doesn't tell the object's length"))?;
        wire::info(key, size, &reply.headers, self.profile)
    }

    /// The object with its tags, unless the right to read them is missing.
    pub(crate) async fn head_with_tags(&self, key: &Key) -> Result<ObjectInfo> {
        let mut info = self.head(key).await?;
        let known = info.attributes.as_ref().is_some_and(|attributes| attributes.tags.is_some());
        if known {
            return Ok(info);
        }
        match self.read_tags(key).await {
            Ok(tags) => set_tags(&mut info, tags),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
            Err(error) => return Err(error),
        }
        Ok(info)
    }

    /// A server that has no tags, or none for this object, gives none.
    async fn read_tags(&self, key: &Key) -> Result<Tags> {
        if self.profile.tags_max == 0 {
            return Ok(Tags::new());
        }
        let call = self.object(Operation::ReadTags, Method::GET, key).flag("tagging");
        match self.send_xml(call, "Tagging", tags::read).await {
            Err(error) if matches!(error.fact("code"), Some("NoSuchTagSet" | "NotImplemented")) => {
                Ok(Tags::new())
            }
            read => read,
        }
    }

    /// Sets the tags. An empty set goes as such where the server takes one: after DeleteObjectTagging, Ceph RGW 16 lists the
    /// object with an empty ETag.
    pub(crate) async fn write_tags(&self, operation: Operation, key: &Key, tags: &Tags) -> Result<()> {
        let call = self.object(operation, Method::PUT, key).flag("tagging");
        match self.send(wire::with_checked_text(call, tags::document(tags)?)?).await {
            Err(error) if tags.is_empty() && error.kind() != ErrorKind::NotFound => {
                let call = self.object(operation, Method::DELETE, key).flag("tagging");
                self.send(call).await.map(drop)
            }
            done => done.map(drop),
        }
    }

    pub(crate) async fn put(
        &self,
        rules: &Capabilities,
        key: &Key,
        body: Payload,
        options: &WriteOptions,
    ) -> Result<Written> {
        wire::check_options(rules, key, options)?;
        if body.len() > rules.limits.single_max {
            let message = format!(
                "the body has {} bytes, more than {} of one request",
                body.len(),
                rules.limits.single_max
            );
            return Err(Error::new(ErrorKind::TooLarge, message).help("write it in parts"));
        }
        let support = match options.mode {
            WriteMode::Create => self.profile.conditions.create,
            _ => self.profile.conditions.if_match,
        };
        let mode = self.sendable(key, &options.mode, support).await?;
        let mut reply = self.put_once(key, &body, options, &mode).await;
        if reply.as_ref().is_err_and(|error| self.is_new_demand(error)) {
            reply = self.put_once(key, &body, options, &mode).await;
        }
        match reply {
            Ok(reply) => wire::written(&reply.headers),
            Err(error) => self.written_unheard(rules, key, &body, options, error).await,
        }
    }

    async fn put_once(
        &self,
        key: &Key,
        body: &Payload,
        options: &WriteOptions,
        mode: &WriteMode,
    ) -> Result<Reply> {
        let digests = self.digests(body).await?;
        let build = || {
            let call = self.keyed(self.object(Operation::Write, Method::PUT, key))?;
            let call = wire::with_attributes(call, &options.attributes)?;
            let call = wire::with_tags(call, &options.attributes)?;
            let call = wire::with_class(call, options.tier.as_deref())?;
            wire::with_payload(call, body.clone(), &digests)
        };
        self.send_if(mode, build).await
    }

    /// The digests that go with a body.
    pub(crate) async fn digests(&self, body: &Payload) -> Result<Digests> {
        wire::digests_of(body, self.wants_md5.load(Ordering::Relaxed)).await
    }

    /// Whether a write was refused because its MD5 is missing, and goes with it from now on: so buckets with an Object
    /// Lock have it on AWS.
    pub(crate) fn is_new_demand(&self, error: &Error) -> bool {
        demands_md5(error) && !self.wants_md5.swap(true, Ordering::Relaxed)
    }

    /// A create-only write that was sent more than once and then failed its condition may have met itself: an earlier
    /// attempt was stored, and its reply got lost. The object that is there then has these bytes (its ETag is their
    /// MD5) and this metadata; else the error stays.
    async fn written_unheard(
        &self,
        rules: &Capabilities,
        key: &Key,
        body: &Payload,
        options: &WriteOptions,
        error: Error,
    ) -> Result<Written> {
        let repeated = error.kind() == ErrorKind::PreconditionFailed && error.fact("attempts").is_some();
        let Payload::Buffered { chunks, len, .. } = body else { return Err(error) };
        if !repeated || options.mode != WriteMode::Create {
            return Err(error);
        }
        let Ok(found) = self.head(key).await else { return Err(error) };
        let sent = options.attributes.metadata.iter();
        let sent =
            sent.filter_map(|(name, value)| Some((rules.metadata.kept_name(name)?, value.clone()))).collect();
        let etag = ETag::new(&hex::encode(Md5::of_chunks(chunks).0));
        let same = found.size == *len && found.etag == Some(etag);
        if same && found.attributes.is_some_and(|attributes| attributes.metadata == sent) {
            return Ok(Written { etag: found.etag, version: found.version });
        }
        Err(error)
    }

    /// The condition as it can be sent: one that the server rejects is checked here, which is no guard against a race.
    pub(crate) async fn sendable(&self, key: &Key, mode: &WriteMode, support: Support) -> Result<WriteMode> {
        if support == Support::Rejected {
            self.check_mode(key, mode).await?;
            return Ok(WriteMode::Replace);
        }
        Ok(mode.clone())
    }

    async fn check_mode(&self, key: &Key, mode: &WriteMode) -> Result<()> {
        match mode {
            WriteMode::Replace => Ok(()),
            WriteMode::Create => match self.head(key).await {
                Ok(_) => Err(not_met("there is an object of that name")),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
            },
            WriteMode::IfMatch(etag) => expect_etag(&self.head(key).await?, etag),
        }
    }

    /// Copies with the source's attributes, unless others are given. The destination's condition is checked by a head
    /// before: CopyObject's own is neither old nor widespread. So is the source's where the server is not known to enforce
    /// it (Ceph RGW 16 ignores it).
    pub(crate) async fn copy(
        &self,
        rules: &Capabilities,
        from: &Key,
        from_etag: Option<&ETag>,
        to: &Key,
        options: &WriteOptions,
    ) -> Result<Written> {
        wire::check_options(rules, to, options)?;
        self.check_mode(to, &options.mode).await?;
        if let Some(etag) = from_etag.filter(|_| self.profile.conditions.copy_source != Support::Enforced) {
            expect_etag(&self.head(from).await?, etag)?;
        }
        let replace = options.attributes != Attributes::default();
        let class = options.tier.as_deref();
        let copied =
            self.copy_request(from, from_etag, to, replace.then_some(&options.attributes), class).await?;
        if let Some(tags) = options.attributes.tags.as_ref().filter(|_| replace) {
            self.write_tags(Operation::Copy, to, tags).await?;
        }
        Ok(copied)
    }

    async fn copy_request(
        &self,
        from: &Key,
        from_etag: Option<&ETag>,
        to: &Key,
        attributes: Option<&Attributes>,
        class: Option<&str>,
    ) -> Result<Written> {
        let source = format!("/{}/{}", encode_component(&self.bucket), encode_path(from.as_str()));
        let call = self.object(Operation::Copy, Method::PUT, to).text_header("x-amz-copy-source", &source)?;
        let mut call = self.source_keyed(self.keyed(wire::with_class(call, class)?)?)?;
        if let Some(attributes) = attributes {
            call =
                wire::with_attributes(call.text_header("x-amz-metadata-directive", "REPLACE")?, attributes)?;
        }
        if let Some(etag) = from_etag {
            call = with_etag(call, &COPY_SOURCE_IF_MATCH, etag, Quotes::With)?;
        }
        let reply = self.send(call).await?;
        let version = wire::version(&reply.headers)?;
        let body = reply.bytes(xml::MAX_REPLY).await?;
        let root = root_of(&body, "CopyObjectResult")?;
        Ok(Written { etag: root.get("ETag").map(ETag::new), version })
    }

    /// Copies the object onto itself with other attributes, in its storage class and in the state that was seen.
    pub(crate) async fn replace_attributes(
        &self,
        rules: &Capabilities,
        key: &Key,
        attributes: &Attributes,
        if_match: Option<&ETag>,
    ) -> Result<Written> {
        wire::check_attributes(rules, attributes)?;
        let seen = self.head(key).await?;
        if let Some(etag) = if_match {
            expect_etag(&seen, etag)?;
        }
        if seen.size > self.profile.limits.copy_max {
            let max = self.profile.limits.copy_max;
            let message = format!("the object has {} bytes, more than the {max} of a copy", seen.size);
            return Err(Error::new(ErrorKind::Unsupported, message).help("write it again"));
        }
        let kept = match &attributes.tags {
            Some(tags) => Some(tags.clone()),
            None => self.tags_to_restore(key).await?,
        };
        let class = seen.tier.as_ref().map(|tier| tier.name.as_str()).filter(|name| *name != wire::STANDARD);
        let written = self.copy_request(key, seen.etag.as_ref(), key, Some(attributes), class).await?;
        if let Some(tags) = kept {
            self.write_tags(Operation::SetAttributes, key, &tags).await?;
        }
        Ok(written)
    }

    /// Tags that a copy might lose; none where they can't be read.
    async fn tags_to_restore(&self, key: &Key) -> Result<Option<Tags>> {
        match self.read_tags(key).await {
            Ok(tags) => Ok(Some(tags).filter(|tags| !tags.is_empty())),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn remove(&self, key: &Key, options: &DeleteOptions) -> Result<()> {
        if let Some(version) = &options.version {
            let call = self.object(Operation::Delete, Method::DELETE, key).query("versionId", version);
            return self.send_removal(call).await;
        }
        let Some(etag) = &options.if_match else {
            return self.send_removal(self.object(Operation::Delete, Method::DELETE, key)).await;
        };
        let seen = self.head(key).await?;
        expect_etag(&seen, etag)?;
        let enforced = self.profile.conditions.delete == Support::Enforced;
        let call = self.object(Operation::Delete, Method::DELETE, key);
        if !enforced {
            return self.send_removal(call).await;
        }
        let (form, _) = self.form.candidates();
        self.send(with_etag(call, &IF_MATCH, etag, form)?).await.map(drop)
    }

    /// A missing object is no error, as S3 has it; some servers answer 404 all the same.
    async fn send_removal(&self, call: Call) -> Result<()> {
        match self.send(call).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            done => done.map(drop),
        }
    }

    /// Deletes at most as many keys as one request takes; those that the reply doesn't speak of stay `None`.
    pub(crate) async fn remove_together(&self, keys: &[Key]) -> Result<Vec<Option<Result<()>>>> {
        let Some(body) = delete_document(keys) else { return Ok(keys.iter().map(|_| None).collect()) };
        let call = self.bucket(Operation::Delete, Method::POST).flag("delete");
        let call = wire::with_checked_text(call, body)?;
        let outcomes = |root: &Element<'_>| Ok(keys.iter().map(|key| outcome(root, key)).collect());
        self.send_xml(call, "DeleteResult", outcomes).await
    }
}

fn set_tags(info: &mut ObjectInfo, tags: Tags) {
    if let Some(attributes) = &mut info.attributes {
        attributes.tags = Some(tags);
    }
}

fn not_met(what: &str) -> Error {
    Error::new(ErrorKind::PreconditionFailed, what)
}

fn expect_etag(seen: &ObjectInfo, etag: &ETag) -> Result<()> {
    if seen.etag.as_ref() == Some(etag) { Ok(()) } else { Err(not_met("the object is in another state")) }
}

/// The body of DeleteObjects; `None` when XML can't carry a name.
fn delete_document(keys: &[Key]) -> Option<String> {
    let mut out = String::from("<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for key in keys {
        out.push_str(&format!("<Object><Key>{}</Key></Object>", xml::escape(key.as_str())?));
    }
    out.push_str("</Delete>");
    Some(out)
}

fn outcome(root: &Element<'_>, key: &Key) -> Option<Result<()>> {
    let entry = root.children.iter().find(|entry| entry.get("Key") == Some(key.as_str()))?;
    if entry.name == "Deleted" {
        return Some(Ok(()));
    }
    let error = of_element(entry);
    Some(if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// Whether DeleteObjects can carry that name.
pub(crate) fn fits_xml(key: &Key) -> bool {
    xml::escape(key.as_str()).is_some()
}

/// The length that a GET's reply must have.
pub(crate) fn need_length(length: Option<u64>, expected: Option<u64>) -> Result<u64> {
    match (length, expected) {
        (Some(length), Some(expected)) if length != expected => {
            let message = format!("the server announces {length} bytes instead of {expected}");
            Err(Error::new(ErrorKind::Protocol, message))
        }
        (Some(length), _) => Ok(length),
        (None, _) => Err(Error::new(ErrorKind::Protocol, "the server doesn't tell the body's length")),
    }
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
