//! A complete adapter: objects in memory, with headers, metadata and tags. `docs/adapters.md` walks through it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use cabotage_core::{
    Capabilities, DeleteOptions, Detail, ETag, Error, ErrorKind, Key, ListItem, ListOrder, ListScope,
    ListStream, ObjectBody, ObjectInfo, Operation, Payload, Preconditions, ReadOptions, Result, Sha256,
    Storage, StoreId, Support, TagRules, Timestamp, WriteMode, WriteOptions, Written,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};

type Objects = BTreeMap<Key, (ObjectInfo, Bytes)>;

/// The store.
#[derive(Debug)]
pub struct Shelf {
    id: StoreId,
    rules: Capabilities,
    objects: Mutex<Objects>,
    writes: AtomicU64,
}

impl Shelf {
    /// An empty store.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let enforced = Support::Enforced;
        let id = StoreId(format!("shelf:{name}"));
        // What isn't said here it can't: no uploads in parts, no copies, no tiers, no presigned URLs.
        let rules = Capabilities {
            list_order: ListOrder::Bytes,
            list_after: true,
            list_attributes: true,
            list_tags: true,
            headers: Capabilities::all_headers(),
            tags: TagRules { max: 10, key_max: 128, value_max: 256, ..TagRules::default() },
            preconditions: Preconditions { create: enforced, if_match: enforced, ..Preconditions::default() },
            digest: enforced,
            ..Capabilities::default()
        };
        Self { id, rules, objects: Mutex::default(), writes: AtomicU64::default() }
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn put(&self, key: &Key, body: Payload, mut options: WriteOptions) -> Result<Written> {
        // What can't be held is refused by name, before a byte is read.
        if let Some(loss) = self.rules.attribute_losses(&options.attributes).first() {
            return fail(ErrorKind::Unsupported, &loss.detail);
        }
        if options.tier.is_some() {
            return fail(ErrorKind::Unsupported, "this store has no tiers");
        }
        let chunks: Vec<Bytes> = body.open().await?.try_collect().await?;
        let bytes = Bytes::from(chunks.concat());
        let other = matches!(&body, Payload::Buffered { sha256, .. } if *sha256 != Sha256::of(&bytes));
        if other || bytes.len() as u64 != body.len() {
            return fail(ErrorKind::DigestMismatch, "the body is not the one that was announced");
        }
        options.attributes.tags.get_or_insert_default();
        // Looked at and replaced under one lock, so that the condition holds whoever else writes.
        let mut objects = self.objects();
        allowed(&objects, key, &options.mode)?;
        let etag = Some(ETag::new(&self.writes.fetch_add(1, Ordering::Relaxed).to_string()));
        let info = ObjectInfo {
            etag: etag.clone(),
            modified: Some(Timestamp::now()),
            attributes: Some(options.attributes),
            ..ObjectInfo::new(key.clone(), bytes.len() as u64)
        };
        objects.insert(key.clone(), (info, bytes));
        Ok(Written { etag, version: None })
    }

    #[allow(clippy::cast_possible_truncation, reason = "a range within bytes in memory")]
    fn get(&self, key: &Key, options: &ReadOptions) -> Result<ObjectBody> {
        no_versions(options.version.as_ref())?;
        let (info, bytes) = find(&self.objects(), key)?.clone();
        options.check(&info)?;
        let range = options.range.map_or(Ok(0..info.size), |range| range.within(info.size))?;
        let chunk = bytes.slice(range.start as usize..range.end as usize);
        Ok(ObjectBody { info, range, stream: stream::iter([Ok(chunk)]).boxed() })
    }

    fn remove(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        no_versions(options.version.as_ref())?;
        let mut objects = self.objects();
        if let Some(etag) = options.if_match {
            allowed(&objects, key, &WriteMode::IfMatch(etag))?;
        }
        objects.remove(key);
        Ok(())
    }
}

fn find<'a>(objects: &'a Objects, key: &Key) -> Result<&'a (ObjectInfo, Bytes)> {
    objects.get(key).ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such object"))
}

/// Whether what is in the object's place may be replaced.
fn allowed(objects: &Objects, key: &Key, mode: &WriteMode) -> Result<()> {
    let allowed = match mode {
        WriteMode::Create => !objects.contains_key(key),
        WriteMode::IfMatch(etag) => find(objects, key)?.0.etag.as_ref() == Some(etag),
        WriteMode::Replace => true,
    };
    if allowed { Ok(()) } else { fail(ErrorKind::PreconditionFailed, "another object is in its place") }
}

fn fail<T>(kind: ErrorKind, text: &str) -> Result<T> {
    Err(Error::new(kind, text))
}

fn no_versions(version: Option<&String>) -> Result<()> {
    version.map_or(Ok(()), |_| fail(ErrorKind::Unsupported, "this store keeps no versions"))
}

/// The item that tells of the object: itself, or the group that it is folded into.
fn item(info: &ObjectInfo, scope: &ListScope) -> Option<ListItem> {
    let key = info.key.as_str();
    let rest = key.strip_prefix(&scope.prefix)?;
    let before = scope.after.as_ref().is_some_and(|after| info.key <= *after);
    if before || scope.until.as_ref().is_some_and(|until| info.key >= *until) {
        return None;
    }
    let folded =
        scope.delimiter.as_ref().and_then(|d| Some(key.len() - rest.len() + rest.find(d)? + d.len()));
    match folded {
        Some(end) => Key::new(&key[..end]).ok().map(ListItem::Prefix),
        None => Some(ListItem::Object(info.clone())),
    }
}

impl fmt::Display for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id.0)
    }
}

#[async_trait]
impl Storage for Shelf {
    fn capabilities(&self) -> &Capabilities {
        &self.rules
    }

    fn id(&self) -> &StoreId {
        &self.id
    }

    fn list(&self, scope: ListScope) -> ListStream {
        let objects = self.objects();
        let mut items: Vec<ListItem> = objects.values().filter_map(|(info, _)| item(info, &scope)).collect();
        // Names of one group stand together.
        items.dedup();
        stream::iter(items).map(Ok).boxed()
    }

    async fn head(&self, key: &Key, _: Detail) -> Result<ObjectInfo> {
        Ok(find(&self.objects(), key).map_err(|error| error.during(Operation::Head).on(key))?.0.clone())
    }

    async fn read(&self, key: &Key, options: ReadOptions) -> Result<ObjectBody> {
        self.get(key, &options).map_err(|error| error.during(Operation::Read).on(key))
    }

    async fn write(&self, key: &Key, body: Payload, options: WriteOptions) -> Result<Written> {
        self.put(key, body, options).await.map_err(|error| error.during(Operation::Write).on(key))
    }

    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        self.remove(key, options).map_err(|error| error.during(Operation::Delete).on(key))
    }
}
