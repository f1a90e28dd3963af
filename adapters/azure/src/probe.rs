//! What the server is and what it enforces.

use async_trait::async_trait;
use cabotage_core::{
    Access, AccessStream, Capabilities, ErrorKind, Key, ListItem, Operation, Payload, Probe, RemnantStream,
    Result, Support, Traffic, Versioning, WriteOptions, settle_digest_probe,
};
use http::Method;
use http::header::{HeaderName, SERVER};

use crate::access;
use crate::auth::Pass;
use crate::capabilities::{Server, capabilities};
use crate::list::PageRequest;
use crate::page;
use crate::remnants;
use crate::store::AzureStore;
use crate::tags::TagAccess;
use crate::wire::{Wire, text};

const HIERARCHICAL: HeaderName = HeaderName::from_static("x-ms-is-hns-enabled");

/// MD5 of something else than the probe's body.
const OTHER_MD5: &str = "AAAAAAAAAAAAAAAAAAAAAA==";

/// Asks the server what it is, and whether listings may tell tags. A server that refuses to tell is taken for the
/// service, without a hierarchical namespace.
pub(crate) async fn ask(wire: &Wire) -> Result<(Capabilities, TagAccess)> {
    let keyed = matches!(wire.pass().await?, Pass::Key(_));
    let mut server = Server { keyed, ..Server::default() };
    let call = wire
        .container_call(Operation::Open, Method::GET)
        .query("restype", "account")
        .query("comp", "properties");
    match wire.send(call).await {
        Ok(reply) => {
            server.azurite = text(&reply.headers, &SERVER).is_some_and(|name| name.starts_with("Azurite"));
            server.hierarchical = text(&reply.headers, &HIERARCHICAL).is_some_and(|told| told == "true");
        }
        Err(error) if is_answer(error.kind()) => {}
        Err(error) => return Err(error),
    }
    let access = TagAccess::default();
    if server.hierarchical {
        access.absent();
    } else {
        server.lists_tags = lists_tags(wire, &access).await?;
    }
    Ok((capabilities(&server), access))
}

async fn lists_tags(wire: &Wire, access: &TagAccess) -> Result<bool> {
    let call = wire
        .container_call(Operation::Open, Method::GET)
        .query("restype", "container")
        .query("comp", "list")
        .query("maxresults", "1")
        .query("include", "metadata,tags");
    match wire.send(call).await {
        Ok(reply) => {
            page::parse(&reply.bytes(1024 * 1024).await?)?;
            access.readable();
            Ok(true)
        }
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Unsupported) => {
            access.denied();
            Ok(false)
        }
        Err(error) if is_answer(error.kind()) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the server answered, if only to refuse.
fn is_answer(kind: ErrorKind) -> bool {
    use ErrorKind as K;
    matches!(
        kind,
        K::NotFound
            | K::BucketNotFound
            | K::PermissionDenied
            | K::AccountDenied
            | K::Unauthenticated
            | K::Unsupported
            | K::KeyRejected
            | K::PreconditionFailed
    )
}

#[async_trait]
impl Probe for AzureStore {
    async fn wrong_digest(&self, key: &Key) -> Result<Support> {
        self.0.capabilities.accepts(key)?;
        let body = Payload::from_bytes("probe");
        let options = WriteOptions::default();
        let written = self.0.put_blob(Operation::Probe, key, body, &options, OTHER_MD5).await.map(drop);
        let written = match written {
            // It was stored, and the reply tells the true MD5.
            Err(error)
                if error.kind() == ErrorKind::DigestMismatch && error.fact("status") != Some("400") =>
            {
                Ok(())
            }
            written => written,
        };
        settle_digest_probe(self, key, written).await
    }

    /// `On` where a listing tells a version's id; the service's data plane says nothing else of versioning.
    async fn versioning(&self) -> Result<Versioning> {
        if self.0.tags.none() {
            // An account with a hierarchical namespace keeps no versions.
            return Ok(Versioning::Off);
        }
        let request = PageRequest { prefix: "", delimiter: None, marker: None, include: "versions", most: 1 };
        let told = match self.0.page(&request).await {
            Ok(page) => page.items.iter().any(|item| match item {
                ListItem::Object(info) | ListItem::Version(info) => info.version.is_some(),
                ListItem::Prefix(_) | ListItem::BadKey(_) => false,
            }),
            Err(error) if is_answer(error.kind()) && error.kind() != ErrorKind::BucketNotFound => false,
            Err(error) => return Err(error.during(Operation::Probe)),
        };
        Ok(if told { Versioning::On } else { Versioning::Unknown })
    }

    fn remnants(&self, prefix: &str) -> Option<RemnantStream> {
        Some(remnants::list(&self.0, prefix))
    }

    fn access_lists(&self, prefix: &str) -> Option<AccessStream> {
        access::list(&self.0, prefix)
    }

    fn traffic(&self) -> Option<Traffic> {
        Some(self.0.wire.http().traffic())
    }

    async fn clock_skew(&self) -> Result<Option<i64>> {
        Ok(self.0.wire.http().skew())
    }

    fn right(&self, access: Access) -> &'static str {
        match access {
            Access::List => "Storage Blob Data Reader: …/containers/blobs/read (SAS: l)",
            Access::Read => "Storage Blob Data Reader: …/containers/blobs/read (SAS: r)",
            Access::ReadTags => "Storage Blob Data Owner: …/containers/blobs/tags/read (SAS: t)",
            Access::Write => "Storage Blob Data Contributor: …/containers/blobs/write (SAS: c, w)",
            Access::WriteTags => "Storage Blob Data Owner: …/containers/blobs/tags/write (SAS: t)",
            Access::Delete => "Storage Blob Data Contributor: …/containers/blobs/delete (SAS: d)",
        }
    }
}
