//! Listings that ask List Blobs for something else than objects: in requests of their own, without metadata and tags.

use std::sync::Arc;

use cabotage_core::{Error, ErrorKind, Key, Operation, PageGuard, Result};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use percent_encoding::percent_decode_str;

use crate::list::{PAGE_BLOBS, PageRequest};
use crate::store::Inner;
use crate::xml::{self, Visit, no_listing};

/// A blob of which some elements have been read.
pub(crate) trait Draft: Default + Send + 'static {
    /// What is made of it.
    type Item: Send + 'static;

    /// Takes the text of an element; `path` begins below `Blob`. The name is not among them.
    fn set(&mut self, path: &[&str], text: &str);

    /// What the whole blob says, if it matters.
    ///
    /// # Errors
    /// `Protocol` where something is missing.
    fn finish(self, key: Key) -> Result<Option<Self::Item>>;
}

/// Lists page by page, with that `include`.
pub(crate) fn list<D: Draft>(
    inner: &Arc<Inner>,
    prefix: &str,
    include: &'static str,
) -> BoxStream<'static, Result<D::Item>> {
    let pager = Pager {
        inner: inner.clone(),
        prefix: prefix.to_owned(),
        include,
        next: Some(None),
        guard: PageGuard::default(),
    };
    futures::stream::try_unfold(pager, |pager| async move {
        pager.next::<D>().await.map_err(|error| error.during(Operation::List))
    })
    .map_ok(|found| futures::stream::iter(found).map(Ok))
    .try_flatten()
    .boxed()
}

struct Pager {
    inner: Arc<Inner>,
    prefix: String,
    include: &'static str,
    /// The marker of the next page, the first having none; `None` after the last.
    next: Option<Option<String>>,
    guard: PageGuard,
}

impl Pager {
    async fn next<D: Draft>(mut self) -> Result<Option<(Vec<D::Item>, Self)>> {
        let Some(marker) = self.next.take() else { return Ok(None) };
        let request = PageRequest {
            prefix: &self.prefix,
            delimiter: None,
            marker: marker.as_deref(),
            from: None,
            include: self.include,
            most: PAGE_BLOBS,
        };
        let page = parse::<D>(&self.inner.page_document(&request).await?, &self.prefix)?;
        self.guard.check(page.listed, page.next.as_ref())?;
        self.next = page.next.map(Some);
        Ok(Some((page.found, self)))
    }
}

/// A page.
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) found: Vec<T>,
    /// How many blobs the reply held, those included that nothing was found in.
    pub(crate) listed: usize,
    pub(crate) next: Option<String>,
}

/// Reads a page. A name that is no key is told by the main listing, and left out here.
///
/// # Errors
/// `Protocol` for anything but a whole listing; `ListingBroken` for a name outside the prefix.
pub(crate) fn parse<D: Draft>(document: &[u8], prefix: &str) -> Result<Page<D::Item>> {
    let mut page = Page { found: Vec::new(), listed: 0, next: None };
    let (mut draft, mut name) = (D::default(), Vec::new());
    let mut listing = false;
    xml::walk(document, |visit| {
        match visit {
            Visit::Open { path: ["EnumerationResults", "Blobs", "Blob"] } => {
                (draft, name) = (D::default(), Vec::new());
                page.listed += 1;
            }
            Visit::Close { path: ["EnumerationResults", "Blobs", "Blob", "Name"], text, encoded } => {
                name = if encoded { percent_decode_str(text).collect() } else { text.as_bytes().to_vec() };
            }
            Visit::Close { path: ["EnumerationResults", "Blobs", "Blob"], .. } => {
                if let Some(key) = key_of(&name, prefix)? {
                    page.found.extend(std::mem::take(&mut draft).finish(key)?);
                }
            }
            Visit::Close { path: ["EnumerationResults", "Blobs", "Blob", path @ ..], text, .. } => {
                draft.set(path, text);
            }
            Visit::Close { path: ["EnumerationResults", "NextMarker"], text, .. } => {
                page.next = Some(text.to_owned()).filter(|marker| !marker.is_empty());
            }
            Visit::Close { path: ["EnumerationResults"], .. } => listing = true,
            Visit::Open { .. } | Visit::Close { .. } => {}
        }
        Ok(())
    })?;
    if listing { Ok(page) } else { Err(no_listing()) }
}

fn key_of(name: &[u8], prefix: &str) -> Result<Option<Key>> {
    let Some(key) = std::str::from_utf8(name).ok().and_then(|name| Key::new(name).ok()) else {
        return Ok(None);
    };
    if key.as_str().starts_with(prefix) {
        return Ok(Some(key));
    }
    let error = Error::new(ErrorKind::ListingBroken, "the server listed a name outside the prefix");
    Err(error.on(&key))
}
