//! Joins the source's listing, the destination's listing and the ledger's rows by name.

use std::future::ready;
use std::sync::Arc;

use cabotage_core::{
    Error, ErrorKind, Key, ListItem, ListStream, ObjectInfo, Operation, RawKey, Result, display_key,
};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::Row;

/// Items handed over at once, and joined before other work gets its turn.
const BATCH: usize = 256;
/// Batches read ahead of the join, per input: about 2,000 items.
const AHEAD: usize = 8;

/// What is known of one name. At least one of the three is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The name relative to the prefixes; may be empty.
    pub name: Arc<str>,
    /// The source's object.
    pub source: Option<ObjectInfo>,
    /// The destination's object.
    pub destination: Option<ObjectInfo>,
    /// The ledger's row.
    pub row: Option<Row>,
}

/// Which of the two listings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinSide {
    /// The source's.
    Source,
    /// The destination's.
    Destination,
}

/// What the join gives.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "nearly all are candidates")]
pub enum Joined {
    /// Everything known of one name.
    Candidate(Candidate),
    /// A name that is no key; it has no place in the order and comes at any time.
    Bad {
        /// Which listing returned it.
        side: JoinSide,
        /// The name.
        key: RawKey,
    },
}

/// Joins three streams that are ordered by the bytes of the relative name: a key without its side's prefix, and a
/// row's name. Candidates come in that order, one per name.
///
/// Each input is read ahead by a task of its own, by about 2,000 items, so that pages are fetched while others are
/// worked on; the tasks end when the stream is dropped. Memory doesn't depend on how many names there are. Versions
/// are skipped. Must be called inside a Tokio runtime.
///
/// # Errors
/// Those of the inputs, in their place in the order; `ListingBroken` when a key is outside its prefix; `Internal` when
/// an input is out of order or holds a folded prefix. After an error nothing follows.
pub fn join(
    source: ListStream,
    source_prefix: String,
    destination: ListStream,
    destination_prefix: String,
    rows: impl Stream<Item = Result<Row>> + Send + 'static,
) -> impl Stream<Item = Result<Joined>> + Send {
    let rows = rows.map_ok(Entry::Value);
    let join = Box::new(Join {
        source: Input::new("the source's listing", listed(source, source_prefix)),
        destination: Input::new("the destination's listing", listed(destination, destination_prefix)),
        rows: Input::new("the ledger's rows", rows),
        over: false,
    });
    stream::unfold(join, |mut join| async move {
        let batch = join.batch().await;
        (!batch.is_empty()).then(|| (stream::iter(batch), join))
    })
    .flatten()
}

struct Join {
    source: Input<Listed>,
    destination: Input<Listed>,
    rows: Input<Row>,
    over: bool,
}

impl Join {
    /// The next results that are at hand, at least one; none at the end. A failure is the last.
    async fn batch(&mut self) -> Vec<Result<Joined>> {
        let mut out = Vec::new();
        while !self.over && out.len() < BATCH && (out.is_empty() || self.is_at_hand()) {
            let next = self.next().await.transpose();
            self.over = next.as_ref().is_none_or(Result::is_err);
            out.extend(next);
        }
        out
    }

    async fn next(&mut self) -> Result<Option<Joined>> {
        if let Some(key) = self.source.fill().await? {
            return Ok(Some(Joined::Bad { side: JoinSide::Source, key }));
        }
        if let Some(key) = self.destination.fill().await? {
            return Ok(Some(Joined::Bad { side: JoinSide::Destination, key }));
        }
        self.rows.fill().await?;
        let names = [self.source.name(), self.destination.name(), self.rows.name()];
        let Some(name) = names.into_iter().flatten().min().map(Arc::<str>::from) else { return Ok(None) };
        Ok(Some(Joined::Candidate(Candidate {
            source: self.source.take(&name).map(|listed| listed.info),
            destination: self.destination.take(&name).map(|listed| listed.info),
            row: self.rows.take(&name),
            name,
        })))
    }

    /// Whether the next result can be told without waiting; if not, what was joined should be handed on first.
    fn is_at_hand(&self) -> bool {
        self.source.is_at_hand() && self.destination.is_at_hand() && self.rows.is_at_hand()
    }
}

/// Something with a name relative to the prefixes.
trait Named {
    fn name(&self) -> &str;
}

impl Named for Row {
    fn name(&self) -> &str {
        &self.name
    }
}

/// A listed object; the first `prefix` bytes of its key are the prefix.
struct Listed {
    info: ObjectInfo,
    prefix: usize,
}

impl Named for Listed {
    fn name(&self) -> &str {
        self.info.key.as_str().get(self.prefix..).unwrap_or_default()
    }
}

enum Entry<V> {
    Value(V),
    Bad(RawKey),
}

/// A listing's items as entries of the join.
fn listed(listing: ListStream, prefix: String) -> impl Stream<Item = Result<Entry<Listed>>> + Send + 'static {
    listing.try_filter_map(move |item| {
        ready(match item {
            ListItem::Object(info) if info.key.as_str().starts_with(&prefix) => {
                Ok(Some(Entry::Value(Listed { info, prefix: prefix.len() })))
            }
            ListItem::Object(info) => Err(outside(&info.key, &prefix)),
            ListItem::BadKey(key) => Ok(Some(Entry::Bad(key))),
            ListItem::Version(_) => Ok(None),
            ListItem::Prefix(key) => Err(defect("a listing without delimiter folded keys").on(&key)),
        })
    })
}

/// One of the three inputs: read ahead by a task, with the first value that was not joined yet.
struct Input<V> {
    what: &'static str,
    batches: mpsc::Receiver<Vec<Result<Entry<V>>>>,
    ready: std::vec::IntoIter<Result<Entry<V>>>,
    head: Option<V>,
    last: Option<Arc<str>>,
    ended: bool,
    task: AbortOnDropHandle<()>,
}

impl<V: Named + Send + 'static> Input<V> {
    fn new(what: &'static str, entries: impl Stream<Item = Result<Entry<V>>> + Send + 'static) -> Self {
        let (sender, batches) = mpsc::channel(AHEAD);
        let task = tokio::spawn(async move {
            let mut chunks = std::pin::pin!(entries.ready_chunks(BATCH));
            while let Some(chunk) = chunks.next().await {
                if sender.send(chunk).await.is_err() {
                    return;
                }
            }
        });
        let task = AbortOnDropHandle::new(task);
        Self { what, batches, ready: Vec::new().into_iter(), head: None, last: None, ended: false, task }
    }

    /// Waits until the head is there, or the input has ended; returns a bad key on the way.
    async fn fill(&mut self) -> Result<Option<RawKey>> {
        while self.head.is_none() && !self.ended {
            match self.ready.next() {
                Some(entry) => match entry? {
                    Entry::Bad(key) => return Ok(Some(key)),
                    Entry::Value(value) => self.put(value)?,
                },
                None => match self.batches.recv().await {
                    Some(batch) => self.ready = batch.into_iter(),
                    None => self.end().await?,
                },
            }
        }
        Ok(None)
    }

    fn put(&mut self, value: V) -> Result<()> {
        if let Some(last) = self.last.as_deref().filter(|last| *last >= value.name()) {
            let (last, name) = (display_key(last), display_key(value.name()));
            return Err(defect(format!("{}: {name} comes after {last}, out of order", self.what)));
        }
        self.head = Some(value);
        Ok(())
    }

    /// The channel has closed: at the end of the input, or because its task broke down, which must not pass for it.
    async fn end(&mut self) -> Result<()> {
        self.ended = true;
        (&mut self.task).await.map_err(|error| defect(format!("{} was cut off", self.what)).caused_by(error))
    }

    fn name(&self) -> Option<&str> {
        self.head.as_ref().map(Named::name)
    }

    /// The head, if it has that name.
    fn take(&mut self, name: &Arc<str>) -> Option<V> {
        let value = self.head.take_if(|value| value.name() == &**name)?;
        self.last = Some(Arc::clone(name));
        Some(value)
    }

    fn is_at_hand(&self) -> bool {
        self.head.is_some() || self.ended || !self.ready.as_slice().is_empty() || !self.batches.is_empty()
    }
}

fn outside(key: &Key, prefix: &str) -> Error {
    let message = format!("the listing of {} returned a key outside it", display_key(prefix));
    Error::new(ErrorKind::ListingBroken, message).during(Operation::List).on(key).help(
        "nothing can be concluded from such a listing: run again, and report it to the store's operator",
    )
}

fn defect(message: impl AsRef<str>) -> Error {
    Error::new(ErrorKind::Internal, message)
        .during(Operation::List)
        .help("please report this with the text above")
}

#[cfg(test)]
#[path = "join_tests.rs"]
mod tests;
