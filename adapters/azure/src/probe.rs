//! What the server is and what it enforces.

use std::sync::Arc;

use async_trait::async_trait;
use cabotage_core::{
    Access, AccessStream, Capabilities, ErrorKind, Key, ListItem, Operation, Payload, Probe, RemnantStream,
    RequestMeter, Result, Support, Timestamp, Traffic, Versioning, WriteOptions, settle_digest_probe,
};
use http::Method;
use http::header::{HeaderName, SERVER};

use crate::access;
use crate::auth::Pass;
use crate::capabilities::{Server, capabilities};
use crate::list::PageRequest;
use crate::page::{self, Page};
use crate::remnants;
use crate::store::AzureStore;
use crate::tags::TagAccess;
use crate::wire::{Wire, start_from, text};

const HIERARCHICAL: HeaderName = HeaderName::from_static("x-ms-is-hns-enabled");

/// MD5 of something else than the probe's body.
const OTHER_MD5: &str = "AAAAAAAAAAAAAAAAAAAAAA==";

const TAGS: &str = "metadata,tags";

/// Asks the server what it is, whether listings may tell tags, and whether they can begin at any name. A server that refuses to tell is taken for the
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
        ask_listings(wire, &access, &mut server).await?;
    }
    Ok((capabilities(&server), access))
}

/// A name that comes after nearly all: the last syllable of Hangul.
const FAR: &str = "\u{d7a3}";

/// Finds out by one page whether listings tell tags, and whether they begin where they are told to.
async fn ask_listings(wire: &Wire, access: &TagAccess, server: &mut Server) -> Result<()> {
    let page = match first_page(wire, TAGS, Some(FAR)).await {
        // A version or a parameter that it doesn't know, or no tags: without the first, the second shows.
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::KeyRejected) => {
            first_page(wire, TAGS, None).await
        }
        told => told.inspect(|page| server.lists_from = begins_there(page)),
    };
    match page {
        Ok(_) => {
            access.readable();
            server.lists_tags = true;
        }
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Unsupported) => {
            access.denied();
            let page = first_page(wire, "metadata", Some(FAR)).await;
            server.lists_from = page.is_ok_and(|page| begins_there(&page));
        }
        Err(error) if is_answer(error.kind()) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

async fn first_page(wire: &Wire, include: &str, from: Option<&str>) -> Result<Page> {
    let call = wire
        .container_call(Operation::Open, Method::GET)
        .query("restype", "container")
        .query("comp", "list")
        .query("maxresults", "1")
        .query("include", include);
    let call = from.into_iter().fold(call, start_from);
    page::parse(&wire.send(call).await?.bytes(1024 * 1024).await?)
}

/// Whether nothing is listed that comes before. An empty container tells nothing; then too a listing is right, since what
/// it tells before its place is passed over, if slow.
fn begins_there(page: &Page) -> bool {
    page.items.iter().all(|item| match item {
        ListItem::Object(info) | ListItem::Version(info) => info.key.as_str() >= FAR,
        ListItem::Prefix(key) => key.as_str() >= FAR,
        ListItem::BadKey(_) => true,
    })
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
        let request = PageRequest {
            prefix: "",
            delimiter: None,
            marker: None,
            from: None,
            include: "versions",
            most: 1,
        };
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

    fn meter(&self) -> Option<Arc<RequestMeter>> {
        Some(self.0.wire.http().meter())
    }

    fn credentials_until(&self) -> Option<Timestamp> {
        self.0.wire.credentials_until()
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
