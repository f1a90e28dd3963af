//! List Blobs: page after page.

use std::cmp::Ordering;
use std::sync::Arc;

use bytes::Bytes;
use cabotage_core::{
    Error, ErrorKind, Key, ListItem, ListOrder, ListScope, ListStream, Operation, PageGuard, Result,
};
use futures::{StreamExt as _, TryStreamExt as _};
use http::Method;

use crate::page::{self, Page};
use crate::store::Inner;
use crate::wire::start_from;

/// Largest page that is taken, in bytes: 5,000 blobs with the longest names, metadata and tags, as good as.
const PAGE_BYTES: usize = 96 * 1024 * 1024;

/// Most blobs of a page that the service gives.
pub(crate) const PAGE_BLOBS: u32 = 5000;

/// One request for a page.
#[derive(Clone, Debug)]
pub(crate) struct PageRequest<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) delimiter: Option<&'a str>,
    pub(crate) marker: Option<&'a str>,
    /// Where the whole listing begins, on each of its pages.
    pub(crate) from: Option<&'a str>,
    pub(crate) include: &'a str,
    pub(crate) most: u32,
}

impl Inner {
    /// Gets one page as XML.
    pub(crate) async fn page_document(&self, request: &PageRequest<'_>) -> Result<Bytes> {
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
        if let Some(name) = request.from {
            call = start_from(call, name);
        }
        self.wire.fetch(call, PAGE_BYTES).await
    }

    /// Gets one page. Tags of blobs that have none are known to be none when `include` holds `tags`.
    pub(crate) async fn page(&self, request: &PageRequest<'_>) -> Result<Page> {
        let document = self.page_document(request).await?;
        let mut page = page::parse(&document)?;
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
pub(crate) fn list(inner: &Arc<Inner>, scope: ListScope) -> ListStream {
    let pager = Pager {
        inner: inner.clone(),
        scope,
        marker: None,
        guard: PageGuard::default(),
        folded: None,
        done: false,
    };
    futures::stream::try_unfold(pager, |pager| async move {
        pager.next().await.map_err(|error| error.during(Operation::List))
    })
    .map_ok(|items| futures::stream::iter(items).map(Ok))
    .try_flatten()
    .boxed()
}

struct Pager {
    inner: Arc<Inner>,
    scope: ListScope,
    marker: Option<String>,
    guard: PageGuard,
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
            from: self.scope.after.as_ref().map(Key::as_str).filter(|_| self.inner.capabilities.list_after),
            include: "",
            most: PAGE_BLOBS,
        };
        let more = if self.scope.versions { ",versions" } else { "" };
        let page = self.inner.page_with_tags(&request, more).await?;
        self.advance(page.items.len(), page.next)?;
        let mut items = Vec::with_capacity(page.items.len());
        for item in page.items {
            items.extend(self.keep(item)?);
        }
        Ok(Some((items, self)))
    }

    /// No server can be told `until`, and only some can be told `after`, so groups are made of the keys that pass them.
    fn folds(&self) -> bool {
        self.scope.after.is_some() || self.scope.until.is_some()
    }

    fn advance(&mut self, entries: usize, next: Option<String>) -> Result<()> {
        self.done = next.is_none();
        self.marker = next;
        let checked = self.guard.check(entries, self.marker.as_ref());
        checked.map_err(|error| error.about(format!("az://{}", self.inner.wire.container())))
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
            let ordered = self.inner.capabilities.list_order == ListOrder::Utf16;
            self.done |= ordered && ends(&key, until);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_nothing_more_can_come() {
        let key = |name: &str| Key::new(name).unwrap();
        for (at, until, expected) in [
            ("b", "b", true),
            ("c", "b", true),
            // UTF-16: the emoji comes before U+FF5E; bytes: after it. U+FF5E, still to come, is before `until`.
            ("\u{1f600}", "\u{1f600}", false),
            ("\u{ff5e}", "\u{ff5e}", true),
        ] {
            assert_eq!(ends(&key(at), &key(until)), expected, "{at} {until}");
        }
        assert_eq!(utf16_order(&key("\u{1f600}"), &key("\u{ff5e}")), Ordering::Less);
    }
}
