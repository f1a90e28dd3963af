//! List Blobs: pages, markers, and what they say of each blob.

use std::cmp::Ordering;
use std::collections::HashSet;

use cabotage_core::{
    Attributes, Error, ErrorKind, Key, ListItem, ListScope, ListStream, ObjectForm, ObjectInfo, Operation,
    RawKey, Result, Tags,
};
use futures::{StreamExt as _, TryStreamExt as _};
use http::Method;
use percent_encoding::percent_decode_str;

use crate::info;
use crate::store::Inner;
use crate::xml::{self, Visit, broken};

/// Largest page that is taken, in bytes: 5,000 blobs with the longest names, metadata and tags, as good as.
const PAGE_BYTES: usize = 96 * 1024 * 1024;

/// Most blobs of a page that the service gives.
pub(crate) const PAGE_BLOBS: u32 = 5000;

/// A page.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) items: Vec<ListItem>,
    /// Where the next page begins; `None` after the last.
    pub(crate) next: Option<String>,
}

/// One request for a page.
#[derive(Clone, Debug)]
pub(crate) struct PageRequest<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) delimiter: Option<&'a str>,
    pub(crate) marker: Option<&'a str>,
    pub(crate) include: &'a str,
    pub(crate) most: u32,
}

impl Inner {
    /// Gets one page. Tags of blobs that have none are known to be none when `include` holds `tags`.
    pub(crate) async fn page(&self, request: &PageRequest<'_>) -> Result<Page> {
        let mut call = self
            .wire
            .container_call(Operation::List, Method::GET)
            .query("restype", "container")
            .query("comp", "list")
            .query("maxresults", &request.most.to_string());
        let optional = [
            ("include", Some(request.include).filter(|include| !include.is_empty())),
            ("prefix", Some(request.prefix).filter(|prefix| !prefix.is_empty())),
            ("delimiter", request.delimiter),
            ("marker", request.marker),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                call = call.query(name, value);
            }
        }
        let document = self.wire.fetch(call, PAGE_BYTES).await?;
        let mut page = parse(&document)?;
        let tags_told = request.include.contains("tags") || self.tags.none();
        for item in &mut page.items {
            if let ListItem::Object(info) | ListItem::Version(info) = item
                && let Some(attributes) = info.attributes.as_mut().filter(|_| tags_told)
            {
                attributes.tags.get_or_insert_default();
            }
        }
        Ok(page)
    }

    /// Gets one page with metadata and tags; without tags where they can't be read.
    async fn page_with_tags(&self, request: &PageRequest<'_>, more: &str) -> Result<Page> {
        let plain = format!("metadata{more}");
        if !self.tags.wanted() {
            return self.page(&PageRequest { include: &plain, ..request.clone() }).await;
        }
        let tagged = format!("metadata,tags{more}");
        match self.page(&PageRequest { include: &tagged, ..request.clone() }).await {
            Ok(page) => {
                self.tags.readable();
                Ok(page)
            }
            Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Unsupported) => {
                let page = self.page(&PageRequest { include: &plain, ..request.clone() }).await?;
                self.tags.denied();
                Ok(page)
            }
            Err(error) => Err(error),
        }
    }
}

/// Lists lazily.
pub(crate) fn list(inner: &std::sync::Arc<Inner>, scope: ListScope) -> ListStream {
    let pager =
        Pager { inner: inner.clone(), scope, marker: None, seen: HashSet::new(), folded: None, done: false };
    futures::stream::try_unfold(pager, |pager| async move {
        pager.next().await.map_err(|error| error.during(Operation::List))
    })
    .map_ok(|items| futures::stream::iter(items).map(Ok))
    .try_flatten()
    .boxed()
}

struct Pager {
    inner: std::sync::Arc<Inner>,
    scope: ListScope,
    marker: Option<String>,
    /// Every marker that came, so that a server that goes in circles is found out.
    seen: HashSet<String>,
    /// The group that was told last, where groups are made here.
    folded: Option<String>,
    done: bool,
}

impl Pager {
    async fn next(mut self) -> Result<Option<(Vec<ListItem>, Self)>> {
        if self.done {
            return Ok(None);
        }
        let request = PageRequest {
            prefix: &self.scope.prefix,
            delimiter: self.scope.delimiter.as_deref().filter(|d| !d.is_empty() && !self.folds()),
            marker: self.marker.as_deref(),
            include: "",
            most: PAGE_BLOBS,
        };
        let more = if self.scope.versions { ",versions" } else { "" };
        let page = self.inner.page_with_tags(&request, more).await?;
        self.advance(page.next)?;
        let mut items = Vec::with_capacity(page.items.len());
        for item in page.items {
            items.extend(self.keep(item)?);
        }
        Ok(Some((items, self)))
    }

    /// The server can't be told `after` and `until`, so groups are made of the keys that pass them.
    fn folds(&self) -> bool {
        self.scope.after.is_some() || self.scope.until.is_some()
    }

    fn advance(&mut self, next: Option<String>) -> Result<()> {
        self.done = next.is_none();
        if let Some(marker) = &next
            && !self.seen.insert(marker.clone())
        {
            let error = Error::new(ErrorKind::ListingBroken, "the server sent the same page marker twice");
            return Err(error.about(self.inner.wire.container()));
        }
        self.marker = next;
        Ok(())
    }

    fn keep(&mut self, item: ListItem) -> Result<Option<ListItem>> {
        let key = match &item {
            ListItem::Object(info) | ListItem::Version(info) => info.key.clone(),
            ListItem::Prefix(key) => key.clone(),
            ListItem::BadKey(_) => return Ok(Some(item)),
        };
        if !key.as_str().starts_with(&self.scope.prefix) {
            let error = Error::new(ErrorKind::ListingBroken, "the server listed a name outside the prefix");
            return Err(error.on(&key));
        }
        if let Some(until) = &self.scope.until
            && key >= *until
        {
            self.done |= ends(&key, until);
            return Ok(None);
        }
        if self.scope.after.as_ref().is_some_and(|after| utf16_order(&key, after) != Ordering::Greater) {
            return Ok(None);
        }
        Ok(self.fold(item, &key))
    }

    fn fold(&mut self, item: ListItem, key: &Key) -> Option<ListItem> {
        if !self.folds() {
            return Some(item);
        }
        let Some(delimiter) = self.scope.delimiter.as_deref().filter(|d| !d.is_empty()) else {
            return Some(item);
        };
        let Some(at) = key.as_str()[self.scope.prefix.len()..].find(delimiter) else { return Some(item) };
        let group = &key.as_str()[..self.scope.prefix.len() + at + delimiter.len()];
        if self.folded.as_deref() == Some(group) {
            return None;
        }
        self.folded = Some(group.to_owned());
        Key::new(group).ok().map(ListItem::Prefix)
    }
}

/// Whether nothing before `until` (in byte order) can follow `key` (in UTF-16 order, `key` being at or past it). The
/// two orders differ only where a supplementary character meets one of U+E000 to U+FFFF.
fn ends(key: &Key, until: &Key) -> bool {
    utf16_order(key, until) != Ordering::Less && until.as_str().chars().all(|c| c <= '\u{ffff}')
}

fn utf16_order(a: &Key, b: &Key) -> Ordering {
    a.as_str().encode_utf16().cmp(b.as_str().encode_utf16())
}

/// Reads a page.
///
/// # Errors
/// `Protocol` for anything but a whole listing.
pub(crate) fn parse(document: &[u8]) -> Result<Page> {
    let mut page = Page::default();
    let mut draft = Draft::default();
    let mut listing = false;
    xml::walk(document, |visit| match visit {
        Visit::Open { path: ["EnumerationResults", "Blobs", "Blob" | "BlobPrefix"] } => {
            draft = Draft::default();
            Ok(())
        }
        Visit::Open { .. } => Ok(()),
        Visit::Close { path: ["EnumerationResults", "Blobs", "Blob"], .. } => {
            page.items.push(std::mem::take(&mut draft).object()?);
            Ok(())
        }
        Visit::Close { path: ["EnumerationResults", "Blobs", "BlobPrefix"], .. } => {
            page.items.push(std::mem::take(&mut draft).prefix());
            Ok(())
        }
        Visit::Close { path: ["EnumerationResults", "Blobs", _, rest @ ..], text, encoded } => {
            draft.set(rest, text, encoded);
            Ok(())
        }
        Visit::Close { path: ["EnumerationResults", "NextMarker"], text, .. } => {
            page.next = Some(text.to_owned()).filter(|marker| !marker.is_empty());
            Ok(())
        }
        Visit::Close { path: ["EnumerationResults"], .. } => {
            listing = true;
            Ok(())
        }
        Visit::Close { .. } => Ok(()),
    })?;
    if listing { Ok(page) } else { Err(broken("is no listing")) }
}

/// A blob of which some elements have been read.
#[derive(Default)]
struct Draft {
    name: Vec<u8>,
    size: Option<u64>,
    etag: Option<String>,
    version: Option<String>,
    /// Versions alone say whether they are the current one.
    current: Option<bool>,
    modified: Option<String>,
    attributes: Attributes,
    tag_key: String,
    md5: Option<String>,
    tier: Option<String>,
    blob_type: Option<String>,
    directory: bool,
}

impl Draft {
    fn set(&mut self, path: &[&str], text: &str, encoded: bool) {
        let value = || Some(text.to_owned()).filter(|text| !text.is_empty());
        match path {
            ["Name"] if encoded => self.name = percent_decode_str(text).collect(),
            ["Name"] => self.name = text.as_bytes().to_vec(),
            ["VersionId"] => self.version = value(),
            ["IsCurrentVersion"] => self.current = Some(text == "true"),
            ["Metadata", name] => drop(self.attributes.metadata.insert((*name).to_owned(), text.to_owned())),
            ["Tags", "TagSet", "Tag", "Key"] => text.clone_into(&mut self.tag_key),
            ["Tags", "TagSet", "Tag", "Value"] => {
                let key = std::mem::take(&mut self.tag_key);
                self.attributes.tags.get_or_insert_with(Tags::new).insert(key, text.to_owned());
            }
            ["Properties", name] => self.set_property(name, value()),
            _ => {}
        }
    }

    fn set_property(&mut self, name: &str, value: Option<String>) {
        match name {
            "Content-Length" => self.size = value.and_then(|value| value.parse().ok()),
            "Etag" => self.etag = value,
            "Last-Modified" => self.modified = value,
            "Content-MD5" => self.md5 = value,
            "AccessTier" => self.tier = value,
            "BlobType" => self.blob_type = value,
            "ResourceType" => self.directory = value.as_deref() == Some("directory"),
            other => drop(self.attributes.headers.set(&other.to_ascii_lowercase(), value)),
        }
    }

    fn object(self) -> Result<ListItem> {
        let Some(key) = key_of(&self.name) else { return Ok(ListItem::BadKey(RawKey::new(self.name))) };
        let size = match self.size {
            Some(size) => size,
            None if self.directory => 0,
            None => return Err(broken("lists a blob without its length").on(&key)),
        };
        let form = match info::form(self.blob_type.as_deref(), &self.attributes.metadata) {
            ObjectForm::Plain if self.directory => ObjectForm::FolderStub,
            form => form,
        };
        let older = self.current == Some(false) || (self.version.is_some() && self.current.is_none());
        let info = ObjectInfo {
            key,
            size,
            etag: self.etag.map(|etag| cabotage_core::ETag::new(&etag)),
            version: self.version,
            modified: self.modified.and_then(|date| info::date_of(&date)),
            attributes: Some(self.attributes),
            tier: self.tier.map(info::tier),
            digests: self.md5.and_then(|md5| info::md5_digest(&md5)).into_iter().collect(),
            form,
        };
        Ok(if older { ListItem::Version(info) } else { ListItem::Object(info) })
    }

    fn prefix(self) -> ListItem {
        key_of(&self.name).map_or_else(|| ListItem::BadKey(RawKey::new(self.name)), ListItem::Prefix)
    }
}

fn key_of(name: &[u8]) -> Option<Key> {
    Key::new(std::str::from_utf8(name).ok()?).ok()
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
