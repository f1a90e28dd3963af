//! Listings, page by page.

use std::collections::VecDeque;
use std::sync::Arc;

use cabotage_core::{
    ETag, Error, ErrorKind, Key, ListItem, ListScope, ListStream, ObjectInfo, Operation, PageGuard, RawKey,
    Result, Tier, Timestamp, UploadId, UploadInfo,
};
use cabotage_http::Call;
use cabotage_providers::Profile;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use http::Method;

use crate::client::Client;
use crate::wire::STANDARD;
use crate::xml::Element;

/// Where the next page begins.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Place {
    Start,
    Token(String),
    /// Listings of versions and uploads: after that key, and in it after that id.
    Marker {
        key: String,
        id: Option<String>,
    },
}

/// One page.
struct Page<T> {
    items: Vec<T>,
    /// How many entries the reply held, those included that are no items.
    entries: usize,
    /// Where the next begins.
    next: Option<Place>,
}

/// What is listed.
trait Pages: Send + Sync + 'static {
    type Item: Send + 'static;

    /// Asks for one page.
    fn page(&mut self, place: Place) -> impl Future<Output = Result<Page<Self::Item>>> + Send;
}

struct Cursor<P: Pages> {
    pages: P,
    ready: VecDeque<P::Item>,
    next: Option<Place>,
    guard: PageGuard,
}

/// All items of all pages, until the guard objects.
fn stream<P: Pages>(pages: P) -> BoxStream<'static, Result<P::Item>> {
    let cursor =
        Cursor { pages, ready: VecDeque::new(), next: Some(Place::Start), guard: PageGuard::default() };
    futures::stream::try_unfold(cursor, |mut cursor| async move {
        loop {
            if let Some(item) = cursor.ready.pop_front() {
                return Ok(Some((item, cursor)));
            }
            let Some(place) = cursor.next.take() else { return Ok(None) };
            let page = cursor.pages.page(place).await?;
            cursor.guard.check(page.entries, page.next.as_ref())?;
            cursor.ready = page.items.into();
            cursor.next = page.next;
        }
    })
    .boxed()
}

fn listing_broken(why: &str) -> Error {
    Error::new(ErrorKind::ListingBroken, format!("the server lists {why}")).during(Operation::List)
}

/// Lists objects; with `versions` older ones too.
pub(crate) fn objects(client: Arc<Client>, scope: ListScope) -> ListStream {
    stream(Objects { client, scope, last: None })
}

struct Objects {
    client: Arc<Client>,
    scope: ListScope,
    /// The last item of the page before.
    last: Option<String>,
}

impl Pages for Objects {
    type Item = ListItem;

    async fn page(&mut self, place: Place) -> Result<Page<ListItem>> {
        let (call, root) = match self.scope.versions {
            true => (self.versions(place), "ListVersionsResult"),
            false => (self.current(place), "ListBucketResult"),
        };
        let client = Arc::clone(&self.client);
        client.send_xml(call, root, |root| self.read(root)).await
    }
}

impl Objects {
    /// What a page says.
    fn read(&mut self, root: &Element<'_>) -> Result<Page<ListItem>> {
        let names = Names::of(root);
        let mut next = self.next(root, &names)?;
        let held = held(root);
        let listed = merge(entries(root, &names, self.client.profile)?, prefixes(root, &names)?);
        self.remember(&listed)?;
        let mut items = Vec::with_capacity(listed.len());
        for item in listed {
            let Some(name) = name_of(&item) else {
                items.push(item);
                continue;
            };
            if !name.starts_with(&self.scope.prefix) {
                return Err(listing_broken("keys outside the prefix"));
            }
            if self.scope.until.as_ref().is_some_and(|until| name >= until.as_str()) {
                next = None;
                break;
            }
            if !self.is_before(&item, name) {
                items.push(item);
            }
        }
        Ok(Page { items, entries: held, next })
    }

    /// A page that ends where the one before ended is that page again, whatever its marker says (seen on servers that
    /// encode markers twice).
    fn remember(&mut self, listed: &[ListItem]) -> Result<()> {
        let Some(last) = listed.last().and_then(name_of) else { return Ok(()) };
        if !self.scope.versions && self.last.as_deref() == Some(last) {
            return Err(listing_broken("the same page again and again"));
        }
        self.last = Some(last.to_owned());
        Ok(())
    }

    fn current(&self, place: Place) -> Call {
        let mut call = self
            .client
            .bucket(Operation::List, Method::GET)
            .query("list-type", "2")
            .query("encoding-type", "url");
        match (place, &self.scope.after) {
            (Place::Token(token), _) => call = call.query("continuation-token", &token),
            (_, Some(after)) => call = call.query("start-after", after.as_str()),
            _ => {}
        }
        self.narrowed(call)
    }

    fn versions(&self, place: Place) -> Call {
        let mut call =
            self.client.bucket(Operation::List, Method::GET).flag("versions").query("encoding-type", "url");
        match (place, &self.scope.after) {
            (Place::Marker { key, id }, _) => {
                call = call.query("key-marker", &key);
                if let Some(id) = id {
                    call = call.query("version-id-marker", &id);
                }
            }
            (_, Some(after)) => call = call.query("key-marker", after.as_str()),
            _ => {}
        }
        self.narrowed(call)
    }

    fn narrowed(&self, mut call: Call) -> Call {
        if !self.scope.prefix.is_empty() {
            call = call.query("prefix", &self.scope.prefix);
        }
        match self.scope.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty()) {
            Some(delimiter) => call.query("delimiter", delimiter),
            None => call,
        }
    }

    fn next(&self, root: &Element<'_>, names: &Names) -> Result<Option<Place>> {
        if !root.is_true("IsTruncated") {
            return Ok(None);
        }
        if self.scope.versions {
            return marker(root, names, "NextKeyMarker", "NextVersionIdMarker").map(Some);
        }
        match root.get("NextContinuationToken").filter(|token| !token.is_empty()) {
            Some(token) => Ok(Some(Place::Token(token.to_owned()))),
            None => Err(listing_broken("a part, and doesn't tell how to go on")),
        }
    }

    /// Whether a server that doesn't know `start-after` listed what comes before it.
    fn is_before(&self, item: &ListItem, name: &str) -> bool {
        let Some(after) = self.scope.after.as_ref().map(Key::as_str) else { return false };
        let holds_later = matches!(item, ListItem::Prefix(_)) && after.starts_with(name);
        name <= after && !holds_later
    }
}

/// How many elements of a page stand for something in the bucket.
fn held(root: &Element<'_>) -> usize {
    let entry = |name: &str| matches!(name, "Contents" | "Version" | "DeleteMarker" | "CommonPrefixes");
    root.children.iter().filter(|child| entry(child.name)).count()
}

fn entries(root: &Element<'_>, names: &Names, profile: &Profile) -> Result<Vec<ListItem>> {
    let mut items = Vec::with_capacity(root.children.len());
    for entry in &root.children {
        let older = match entry.name {
            "Contents" => false,
            "Version" => !entry.is_true("IsLatest"),
            _ => continue,
        };
        items.push(match names.key(entry.need("Key")?) {
            Err(raw) => ListItem::BadKey(raw),
            Ok(key) if older => ListItem::Version(object(entry, key, profile)?),
            Ok(key) => ListItem::Object(object(entry, key, profile)?),
        });
    }
    Ok(items)
}

fn object(entry: &Element<'_>, key: Key, profile: &Profile) -> Result<ObjectInfo> {
    let mut info = ObjectInfo::new(key, entry.number("Size")?);
    info.etag = entry.get("ETag").filter(|etag| !etag.is_empty()).map(ETag::new);
    info.version = entry.get("VersionId").filter(|id| *id != "null").map(str::to_owned);
    info.modified = time(entry, "LastModified");
    let name = entry.get("StorageClass").filter(|class| !class.is_empty()).unwrap_or(STANDARD);
    info.tier = Some(Tier { name: name.to_owned(), class: profile.tier_class(name) });
    Ok(info)
}

fn time(entry: &Element<'_>, name: &str) -> Option<Timestamp> {
    entry.get(name)?.trim().parse().ok()
}

fn prefixes(root: &Element<'_>, names: &Names) -> Result<Vec<ListItem>> {
    let mut items = Vec::new();
    for group in root.all("CommonPrefixes") {
        for prefix in group.all("Prefix") {
            items.push(match names.key(&prefix.text) {
                Ok(key) => ListItem::Prefix(key),
                Err(raw) => ListItem::BadKey(raw),
            });
        }
    }
    Ok(items)
}

fn name_of(item: &ListItem) -> Option<&str> {
    match item {
        ListItem::Object(info) | ListItem::Version(info) => Some(info.key.as_str()),
        ListItem::Prefix(key) => Some(key.as_str()),
        ListItem::BadKey(_) => None,
    }
}

/// Objects and groups of one page in one order; each keeps its own, so that disorder stays visible.
fn merge(objects: Vec<ListItem>, groups: Vec<ListItem>) -> Vec<ListItem> {
    if groups.is_empty() {
        return objects;
    }
    let mut out = Vec::with_capacity(objects.len() + groups.len());
    let mut groups = groups.into_iter().peekable();
    for object in objects {
        while groups.peek().is_some_and(|group| name_of(group) < name_of(&object)) {
            out.extend(groups.next());
        }
        out.push(object);
    }
    out.extend(groups);
    out
}

/// How names are written in a reply.
struct Names {
    encoded: bool,
}

impl Names {
    /// By what the server says, not by what was asked of it.
    fn of(root: &Element<'_>) -> Self {
        Self { encoded: root.get("EncodingType").is_some_and(|kind| kind.eq_ignore_ascii_case("url")) }
    }

    fn key(&self, text: &str) -> Result<Key, RawKey> {
        if !self.encoded || !text.contains(['%', '+']) {
            return Key::new(text).map_err(|_| RawKey::new(Vec::new()));
        }
        let bytes = self.bytes(text);
        match String::from_utf8(bytes) {
            Ok(text) => Key::new(text).map_err(|_| RawKey::new(Vec::new())),
            Err(error) => Err(RawKey::new(error.into_bytes())),
        }
    }

    /// Of URL-encoding as in forms: AWS writes a space as `+`, and a plus as `%2B`; RGW writes `%20`.
    fn bytes(&self, text: &str) -> Vec<u8> {
        if !self.encoded {
            return text.as_bytes().to_vec();
        }
        percent_encoding::percent_decode_str(&text.replace('+', " ")).collect()
    }

    fn text(&self, text: &str) -> Result<String> {
        String::from_utf8(self.bytes(text))
            .map_err(|_| listing_broken("a part, and tells how to go on in bytes that are not UTF-8"))
    }
}

fn marker(root: &Element<'_>, names: &Names, key: &str, id: &str) -> Result<Place> {
    let key = names.text(root.get(key).unwrap_or_default())?;
    let id = root.get(id).filter(|id| !id.is_empty()).map(str::to_owned);
    if key.is_empty() {
        return Err(listing_broken("a part, and doesn't tell how to go on"));
    }
    Ok(Place::Marker { key, id })
}

/// Uploads that are open under the prefix.
pub(crate) fn uploads(client: Arc<Client>, prefix: &str) -> BoxStream<'static, Result<UploadInfo>> {
    stream(Uploads { client, prefix: prefix.to_owned() })
}

struct Uploads {
    client: Arc<Client>,
    prefix: String,
}

impl Pages for Uploads {
    type Item = UploadInfo;

    /// Names are asked for as they are: with `encoding-type=url`, Ceph RGW 16 encodes keys without saying so, and leaves
    /// the marker as it is. Names that are no key are left out: nothing can be done about their uploads here.
    async fn page(&mut self, place: Place) -> Result<Page<UploadInfo>> {
        let mut call = self.client.bucket(Operation::Upload, Method::GET).flag("uploads");
        if !self.prefix.is_empty() {
            call = call.query("prefix", &self.prefix);
        }
        if let Place::Marker { key, id } = place {
            call = call.query("key-marker", &key);
            if let Some(id) = id {
                call = call.query("upload-id-marker", &id);
            }
        }
        let client = Arc::clone(&self.client);
        client.send_xml(call, "ListMultipartUploadsResult", |root| self.read(root)).await
    }
}

impl Uploads {
    fn read(&self, root: &Element<'_>) -> Result<Page<UploadInfo>> {
        let names = Names::of(root);
        let mut found = Vec::new();
        for entry in root.all("Upload") {
            let Ok(key) = names.key(entry.need("Key")?) else { continue };
            if key.as_str().starts_with(&self.prefix) {
                let id = UploadId(entry.need("UploadId")?.to_owned());
                found.push(UploadInfo { key, id, started: time(entry, "Initiated") });
            }
        }
        let next = if root.is_true("IsTruncated") {
            Some(marker(root, &names, "NextKeyMarker", "NextUploadIdMarker")?)
        } else {
            None
        };
        Ok(Page { items: found, entries: root.all("Upload").count(), next })
    }
}

/// What a page says, for fuzzing: every reply is read or refused, and nothing that was read gets lost on the way.
#[cfg(fuzzing)]
pub(crate) fn fuzz(document: &[u8]) {
    let Ok(root) = crate::xml::parse(document) else { return };
    let names = Names::of(&root);
    let _ = marker(&root, &names, "NextKeyMarker", "NextVersionIdMarker");
    let profile = cabotage_providers::find("ceph");
    let entries = profile.and_then(|profile| entries(&root, &names, profile));
    if let (Ok(objects), Ok(groups)) = (entries, prefixes(&root, &names)) {
        let count = objects.len() + groups.len();
        assert_eq!(merge(objects, groups).len(), count);
    }
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
