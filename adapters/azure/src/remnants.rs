//! Snapshots, older versions and soft-deleted blobs: what List Blobs tells only when it is asked to.

use std::sync::Arc;

use cabotage_core::{Error, ErrorKind, Key, Operation, Remnant, RemnantKind, RemnantStream, Result};
use futures::{StreamExt as _, TryStreamExt as _};
use percent_encoding::percent_decode_str;

use crate::list::{PAGE_BLOBS, PageRequest};
use crate::markers::Markers;
use crate::store::Inner;
use crate::xml::{self, Visit, broken};

/// An account with a hierarchical namespace keeps no versions, and refuses to be asked for them.
const FLAT: &str = "snapshots,versions,deleted";
const HIERARCHICAL: &str = "snapshots,deleted";

/// Lists them, page by page, in requests of its own: without metadata and tags, a page is small.
pub(crate) fn list(inner: &Arc<Inner>, prefix: &str) -> RemnantStream {
    let pager = Pager {
        inner: inner.clone(),
        prefix: prefix.to_owned(),
        next: Some(None),
        markers: Markers::default(),
    };
    futures::stream::try_unfold(pager, |pager| async move {
        pager.next().await.map_err(|error| error.during(Operation::List))
    })
    .map_ok(|found| futures::stream::iter(found).map(Ok))
    .try_flatten()
    .boxed()
}

struct Pager {
    inner: Arc<Inner>,
    prefix: String,
    /// The marker of the next page, the first having none; `None` after the last.
    next: Option<Option<String>>,
    markers: Markers,
}

impl Pager {
    async fn next(mut self) -> Result<Option<(Vec<Remnant>, Self)>> {
        let Some(marker) = self.next.take() else { return Ok(None) };
        let request = PageRequest {
            prefix: &self.prefix,
            delimiter: None,
            marker: marker.as_deref(),
            include: if self.inner.tags.none() { HIERARCHICAL } else { FLAT },
            most: PAGE_BLOBS,
        };
        let page = parse(&self.inner.page_document(&request).await?)?;
        if let Some(stray) = page.found.iter().find(|item| !item.key.as_str().starts_with(&self.prefix)) {
            let error = Error::new(ErrorKind::ListingBroken, "the server listed a name outside the prefix");
            return Err(error.on(&stray.key));
        }
        self.markers.check(page.next.as_deref())?;
        self.next = page.next.map(Some);
        Ok(Some((page.found, self)))
    }
}

#[derive(Debug, Default)]
struct Page {
    found: Vec<Remnant>,
    next: Option<String>,
}

/// # Errors
/// `Protocol` for anything but a whole listing.
fn parse(document: &[u8]) -> Result<Page> {
    let mut page = Page::default();
    let mut draft = Draft::default();
    let mut listing = false;
    xml::walk(document, |visit| {
        match visit {
            Visit::Open { path: ["EnumerationResults", "Blobs", "Blob"] } => draft = Draft::default(),
            Visit::Close { path: ["EnumerationResults", "Blobs", "Blob"], .. } => {
                page.found.extend(std::mem::take(&mut draft).remnant());
            }
            Visit::Close { path: ["EnumerationResults", "Blobs", "Blob", name], text, encoded } => {
                draft.set(name, text, encoded);
            }
            Visit::Close { path: ["EnumerationResults", "NextMarker"], text, .. } => {
                page.next = Some(text.to_owned()).filter(|marker| !marker.is_empty());
            }
            Visit::Close { path: ["EnumerationResults"], .. } => listing = true,
            Visit::Open { .. } | Visit::Close { .. } => {}
        }
        Ok(())
    })?;
    if listing { Ok(page) } else { Err(broken("is no listing")) }
}

/// What a blob's elements say, as far as it matters here (REST reference, "List Blobs").
#[derive(Default)]
struct Draft {
    name: Vec<u8>,
    snapshot: bool,
    deleted: bool,
    version: bool,
    current: bool,
}

impl Draft {
    fn set(&mut self, name: &str, text: &str, encoded: bool) {
        match name {
            "Name" if encoded => self.name = percent_decode_str(text).collect(),
            "Name" => self.name = text.as_bytes().to_vec(),
            "Snapshot" => self.snapshot = !text.is_empty(),
            "Deleted" => self.deleted = text == "true",
            "VersionId" => self.version = !text.is_empty(),
            "IsCurrentVersion" => self.current = text == "true",
            _ => {}
        }
    }

    /// What was deleted counts as such, whatever it was before. A name that is no key is told by the main listing.
    fn remnant(self) -> Option<Remnant> {
        let kind = match self {
            Self { deleted: true, .. } => RemnantKind::Deleted,
            Self { snapshot: true, .. } => RemnantKind::Snapshot,
            Self { version: true, current: false, .. } => RemnantKind::Version,
            _ => return None,
        };
        let key = Key::new(std::str::from_utf8(&self.name).ok()?).ok()?;
        Some(Remnant { key, kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the REST reference shows a page with `include=snapshots,versions,deleted`; no emulator has the latter two.
    const PAGE: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
        <EnumerationResults ServiceEndpoint=\"https://account.blob.core.windows.net/\" ContainerName=\"c\"><Blobs>\
        <Blob><Name>a</Name><Snapshot>2026-11-24T21:52:48.1234567Z</Snapshot><Properties/></Blob>\
        <Blob><Name>a</Name><Snapshot>2026-11-25T21:52:48.1234567Z</Snapshot><Deleted>true</Deleted><Properties/></Blob>\
        <Blob><Name>a</Name><VersionId>2026-11-20T10:00:00.0000000Z</VersionId><Properties/></Blob>\
        <Blob><Name>a</Name><VersionId>2026-11-21T10:00:00.0000000Z</VersionId>\
        <IsCurrentVersion>true</IsCurrentVersion><Properties/></Blob>\
        <Blob><Name>b</Name><Deleted>true</Deleted><Properties><DeletedTime>Tue, 24 Nov 2026 21:52:48 GMT</DeletedTime>\
        <RemainingRetentionDays>6</RemainingRetentionDays></Properties></Blob>\
        <Blob><Name>c</Name><Deleted>false</Deleted><Properties/></Blob>\
        </Blobs><NextMarker>m</NextMarker></EnumerationResults>";

    #[test]
    fn each_remnant_is_of_one_kind() {
        let page = parse(PAGE.as_bytes()).unwrap();
        let found: Vec<_> = page.found.iter().map(|remnant| (remnant.key.as_str(), remnant.kind)).collect();
        use RemnantKind::{Deleted, Snapshot, Version};
        assert_eq!(found, [("a", Snapshot), ("a", Deleted), ("a", Version), ("b", Deleted)]);
        assert_eq!(page.next.as_deref(), Some("m"));
        for broken in [&PAGE.as_bytes()[..PAGE.len() - 5], b"<Error/>"] {
            assert_eq!(parse(broken).unwrap_err().kind(), ErrorKind::Protocol);
        }
    }
}
