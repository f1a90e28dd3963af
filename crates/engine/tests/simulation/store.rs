//! The two stores as a run sees them: a store in memory below a sky.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cabotage_core::{
    Access, Attributes, ByteStream, Capabilities, DeleteOptions, Detail, ETag, Error, ErrorKind, Key,
    ListItem, ListScope, ListStream, ObjectBody, ObjectInfo, Operation, Payload, PresignMethod, Presigned,
    Probe, ReadOptions, Result, Storage, StoreId, Support, Upload, UploadId, UploadInfo, Versioning,
    WriteOptions, Written,
};
use cabotage_memory::MemoryStore;
use futures::stream::{BoxStream, StreamExt as _};

use crate::content::flipped;
use crate::dice::Dice;
use crate::sky::{Counted, Counting, End, Luck, Sky};
use crate::stir::look;
use crate::upload::SkyUpload;

/// A store below a sky.
#[derive(Clone)]
pub struct SkyStore {
    pub end: End,
    pub inner: MemoryStore,
    pub sky: Arc<Sky>,
}

impl SkyStore {
    pub fn new(end: End, sky: &Arc<Sky>) -> Self {
        let inner = match end {
            End::Source => sky.source.clone(),
            End::Destination => sky.destination.clone(),
        };
        Self { end, inner, sky: Arc::clone(sky) }
    }

    pub async fn begin(&self, operation: Operation, key: &str) -> Result<Luck> {
        self.sky.begin(self.end, operation, key).await
    }

    /// As `begin`, of a call about uploads that are open.
    pub async fn begin_with_upload(&self, operation: Operation, key: &str) -> Result<Luck> {
        let begun = self.begin(operation, key).await;
        if begun.as_ref().is_err_and(|error| error.kind() == ErrorKind::PermissionDenied) {
            self.sky.books().denied.insert(key.to_owned());
        }
        begun
    }

    /// Nothing ever writes to the source, nothing writes in a dry run.
    fn expect_writable(&self, operation: Operation, key: &Key, dry: bool) {
        if self.end == End::Source || dry {
            self.sky.violation(format!("{operation:?} of {key:?} at the {:?}, dry run: {dry}", self.end));
        }
    }

    /// The run has changed what is under that key.
    pub fn run_changed(&self, key: &Key, before: Option<&ObjectInfo>) {
        let name = self.sky.name_of(End::Destination, key.as_str()).unwrap_or_default();
        if let Some(etag) = look(&self.inner, key).and_then(|now| now.etag) {
            self.sky.books().written.insert(etag.bare().to_owned());
        }
        let lost = self.sky.books().run_changed(key.as_str(), name, before);
        if let Some(foreign) = lost {
            self.sky
                .violation(format!("a stranger's object {key:?} of {} bytes is lost", foreign.bytes.len()));
        }
    }

    /// What was true of the key before its last change, if that is what is told now.
    fn as_before(&self, key: &Key, luck: &mut Luck) -> Option<Option<ObjectInfo>> {
        let stale = self.end == End::Destination && luck.dice.chance(luck.storm.lie);
        let previous = self.sky.books().previous.get(key.as_str()).cloned().filter(|_| stale)?;
        self.sky.note(|| format!("  ... and {key:?} is told as it was before"));
        Some(previous)
    }

    /// What is told of an object: what was true before, else the truth, but for phantoms.
    fn told(
        &self,
        key: &Key,
        truth: Result<ObjectInfo>,
        before: Option<Option<ObjectInfo>>,
    ) -> Result<ObjectInfo> {
        if let Some(before) = before {
            return before.ok_or_else(|| Error::new(ErrorKind::NotFound, "no such object"));
        }
        let phantom = || self.sky.books().phantoms.get(key.as_str()).cloned();
        match truth {
            Err(error) if error.kind() == ErrorKind::NotFound && self.end == End::Destination => {
                phantom().ok_or(error)
            }
            truth => truth,
        }
    }
}

impl fmt::Debug for SkyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SkyStore({:?})", self.end)
    }
}

impl fmt::Display for SkyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// Bytes that are counted as long as anybody holds them.
struct Held {
    bytes: Bytes,
    _counting: Counting,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for SkyStore {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn id(&self) -> &StoreId {
        self.inner.id()
    }

    fn list(&self, scope: ListScope) -> ListStream {
        let prefix = scope.prefix.clone();
        let (store, listing) = (self.clone(), self.inner.list(scope));
        futures::stream::once(async move {
            let mut luck = match store.begin(Operation::List, &prefix).await {
                Ok(luck) => luck,
                Err(error) => return futures::stream::iter(vec![Err(error)]).boxed(),
            };
            let breaks = luck.dice.chance(luck.storm.fault / 2.0);
            let end = if breaks { usize::try_from(luck.dice.below(8)).unwrap() } else { usize::MAX };
            let broken = Error::new(ErrorKind::Interrupted, "simulated").during(Operation::List);
            let last = futures::stream::iter(breaks.then_some(Err(broken)));
            let luck = Arc::new(std::sync::Mutex::new(luck));
            let items = listing.filter_map(move |item| {
                store.sky.note_answer(store.end, Operation::List);
                let item = store.listed(item, &mut luck.lock().unwrap());
                async move {
                    // Others get their turn, as between pages.
                    tokio::task::yield_now().await;
                    item
                }
            });
            items.take(end).chain(last).boxed()
        })
        .flatten()
        .boxed()
    }

    async fn head(&self, key: &Key, detail: Detail) -> Result<ObjectInfo> {
        let _counting = self.sky.count(Counted::Heads, 1);
        let mut luck = self.begin(Operation::Head, key.as_str()).await?;
        let truth = self.inner.head(key, detail).await;
        let before = if self.sky.plan.guarded { self.as_before(key, &mut luck) } else { None };
        if before.is_some() {
            self.sky.books().told_as_before(key.as_str());
        }
        let told = self.told(key, truth, before);
        let gone = told.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound);
        let told = self.sky.finish(luck, Operation::Head, told).await;
        if gone {
            self.sky.told_gone(self.end, key);
        }
        told
    }

    async fn read(&self, key: &Key, options: ReadOptions) -> Result<ObjectBody> {
        let mut luck = self.begin(Operation::Read, key.as_str()).await?;
        let read = self.inner.read(key, options).await;
        let mut dice = Dice::new(luck.dice.below(u64::MAX), "body");
        let storm = luck.storm.clone();
        let mut body = self.sky.finish(luck, Operation::Read, read).await?;
        let len = body.range.end - body.range.start;
        if dice.chance(storm.fault / 2.0) {
            body.stream = broken(body.stream, dice.below(len + 1), dice.chance(0.3)).boxed();
        }
        body.stream = match self.end {
            End::Source => self.counted(body.stream),
            End::Destination if dice.chance(storm.lie / 2.0) => {
                self.sky.note(|| format!("  ... and {key:?} is given out wrong"));
                self.sky.books().misread.insert(key.as_str().to_owned());
                body.stream.map(move |chunk| chunk.map(|chunk| flipped(&mut dice, &chunk))).boxed()
            }
            End::Destination => body.stream,
        };
        Ok(body)
    }

    async fn write(&self, key: &Key, body: Payload, options: WriteOptions) -> Result<Written> {
        let _counting = self.sky.count(Counted::Writes, 1);
        let mut luck = self.begin(Operation::Write, key.as_str()).await?;
        self.expect_writable(Operation::Write, key, luck.storm.dry_run);
        let before = look(&self.inner, key);
        let written = self.write_somehow(key, body, options, before.as_ref(), &mut luck).await;
        if written.is_ok()
            && look(&self.inner, key).map(|info| info.etag) != before.as_ref().map(|b| b.etag.clone())
        {
            self.run_changed(key, before.as_ref());
        }
        self.sky.finish(luck, Operation::Write, written).await
    }

    async fn start_upload(&self, key: &Key, options: WriteOptions) -> Result<Arc<dyn Upload>> {
        let luck = self.begin(Operation::Upload, key.as_str()).await?;
        self.expect_writable(Operation::Upload, key, luck.storm.dry_run);
        let mode = options.mode.clone();
        let started = self.inner.start_upload(key, options).await;
        let started = started.map(|upload| SkyUpload::shared(self, key, upload, mode));
        self.sky.finish(luck, Operation::Upload, started).await
    }

    async fn resume_upload(
        &self,
        key: &Key,
        id: &UploadId,
        options: WriteOptions,
    ) -> Result<Arc<dyn Upload>> {
        let luck = self.begin_with_upload(Operation::Upload, key.as_str()).await?;
        let mode = options.mode.clone();
        let resumed = self.inner.resume_upload(key, id, options).await;
        let resumed = resumed.map(|upload| SkyUpload::shared(self, key, upload, mode));
        self.sky.finish(luck, Operation::Upload, resumed).await
    }

    fn list_uploads(&self, prefix: &str) -> BoxStream<'static, Result<UploadInfo>> {
        let (store, prefix) = (self.clone(), prefix.to_owned());
        futures::stream::once(async move {
            match store.begin_with_upload(Operation::Upload, &prefix).await {
                Ok(_) => store.inner.list_uploads(&prefix),
                Err(error) => futures::stream::iter(vec![Err(error)]).boxed(),
            }
        })
        .flatten()
        .boxed()
    }

    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        let luck = self.begin(Operation::Delete, key.as_str()).await?;
        self.expect_writable(Operation::Delete, key, luck.storm.dry_run);
        let before = look(&self.inner, key);
        let deleted = self.inner.delete(key, options).await;
        if let (Ok(()), Some(before)) = (&deleted, &before) {
            self.sky.deleted(key, before, &luck.storm);
            self.run_changed(key, Some(before));
        }
        self.sky.finish(luck, Operation::Delete, deleted).await
    }

    async fn delete_many(&self, keys: Vec<Key>) -> Vec<(Key, Result<()>)> {
        let mut out = Vec::new();
        for key in keys {
            let deleted = self.delete(&key, DeleteOptions::default()).await;
            out.push((key, deleted));
        }
        out
    }

    async fn copy_within(
        &self,
        from: &Key,
        _from_etag: Option<&ETag>,
        _to: &Key,
        _options: WriteOptions,
    ) -> Result<Written> {
        Err(Error::new(ErrorKind::Unsupported, "not simulated").on(from))
    }

    async fn set_attributes(
        &self,
        key: &Key,
        attributes: &Attributes,
        if_match: Option<&ETag>,
    ) -> Result<Written> {
        let luck = self.begin(Operation::SetAttributes, key.as_str()).await?;
        self.expect_writable(Operation::SetAttributes, key, luck.storm.dry_run);
        let before = look(&self.inner, key);
        let set = self.inner.set_attributes(key, attributes, if_match).await;
        if let Ok(written) = &set {
            self.run_changed(key, before.as_ref());
            let before = before.as_ref().and_then(|before| before.etag.as_ref());
            self.sky.books().retagged(before, written.etag.as_ref());
        }
        self.sky.finish(luck, Operation::SetAttributes, set).await
    }

    async fn presign(&self, key: &Key, _method: PresignMethod, _expires: Duration) -> Result<Presigned> {
        Err(Error::new(ErrorKind::Unsupported, "not simulated").on(key))
    }
}

impl SkyStore {
    fn listed(&self, item: Result<ListItem>, luck: &mut Luck) -> Option<Result<ListItem>> {
        match item {
            Ok(ListItem::Object(info)) => {
                let key = info.key.clone();
                let before = self.as_before(&key, luck);
                self.told(&key, Ok(info), before).ok().map(|info| Ok(ListItem::Object(info)))
            }
            item => Some(item),
        }
    }

    fn counted(&self, stream: ByteStream) -> ByteStream {
        let sky = Arc::clone(&self.sky);
        let held = move |bytes: Bytes| {
            let _counting = sky.count(Counted::Bytes, bytes.len() as u64);
            Bytes::from_owner(Held { bytes, _counting })
        };
        stream.map(move |chunk| chunk.map(&held)).boxed()
    }
}

/// Ends after that many bytes: silently, or with an error.
fn broken(
    stream: ByteStream,
    after: u64,
    silently: bool,
) -> impl futures::Stream<Item = Result<Bytes>> + Send {
    let mut left = usize::try_from(after).unwrap();
    let error = Error::new(ErrorKind::Interrupted, "simulated").during(Operation::Read);
    let cut = stream.filter_map(move |chunk| {
        let chunk = chunk.map(|mut chunk| {
            chunk.truncate(left);
            left -= chunk.len();
            chunk
        });
        async move { Some(chunk).filter(|chunk| !matches!(chunk, Ok(bytes) if bytes.is_empty())) }
    });
    cut.chain(futures::stream::iter((!silently).then_some(Err(error))))
}

#[async_trait]
impl Probe for SkyStore {
    async fn wrong_digest(&self, key: &Key) -> Result<Support> {
        let luck = self.begin(Operation::Probe, key.as_str()).await?;
        self.expect_writable(Operation::Probe, key, luck.storm.dry_run);
        let answer = self.inner.wrong_digest(key).await;
        let answer = if self.sky.plan.probe_lies { answer.map(|_| Support::Enforced) } else { answer };
        self.sky.finish(luck, Operation::Probe, answer).await
    }

    async fn versioning(&self) -> Result<Versioning> {
        Ok(Versioning::Off)
    }

    async fn clock_skew(&self) -> Result<Option<i64>> {
        Ok(None)
    }

    fn right(&self, access: Access) -> &'static str {
        self.inner.right(access)
    }
}
