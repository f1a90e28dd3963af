//! One of the three inputs of a join, read ahead.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use cabotage_core::{RawKey, Result, display_key};
use futures::future::FutureExt as _;
use futures::{Stream, StreamExt as _};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use super::{BATCH, defect};

/// Batches read ahead of the join: about 2,000 items.
pub(super) const AHEAD: usize = 8;

/// Something with a name relative to the prefixes.
pub(super) trait Named {
    fn name(&self) -> &str;
}

pub(super) enum Entry<V> {
    Value(V),
    Bad(RawKey),
}

/// Where a range ends, as the tasks that read ahead see it: what lies behind need not be read.
pub(super) struct Limit(Mutex<Option<Arc<str>>>);

impl Limit {
    pub(super) fn new(through: Option<Arc<str>>) -> Self {
        Self(Mutex::new(through))
    }

    pub(super) fn lower(&self, through: Arc<str>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(through);
    }

    fn is_before(&self, name: &str) -> bool {
        let through = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        through.as_deref().is_some_and(|through| through < name)
    }

    /// Whether the last of them lies behind the end.
    fn is_passed<V: Named>(&self, chunk: &[Result<Entry<V>>]) -> bool {
        let last = chunk.iter().rev().find_map(|entry| match entry {
            Ok(Entry::Value(value)) => Some(value.name()),
            _ => None,
        });
        last.is_some_and(|name| self.is_before(name))
    }
}

/// Hands on what a stream gives, in batches of what comes at once.
///
/// A stream that has nothing ready has a request under way, which may stand in a queue with others: for credentials, for its turn at a
/// slow server. Those behind it wait until it is polled again. So it is polled on while the reader has no room.
async fn forward<V: Named>(
    entries: impl Stream<Item = Result<Entry<V>>>,
    sender: mpsc::Sender<Vec<Result<Entry<V>>>>,
    limit: Arc<Limit>,
) {
    let mut entries = std::pin::pin!(entries.fuse());
    let mut batch = Vec::new();
    while let Some(entry) = entries.next().await {
        batch.push(entry);
        let mut room = None;
        while batch.len() < BATCH && room.is_none() {
            tokio::select! {
                biased;
                next = entries.next() => match next {
                    Some(entry) => batch.push(entry),
                    None => break,
                },
                permit = sender.reserve() => room = Some(permit),
            }
        }
        // Without room nothing is under way: the stream's last word was an entry, or its end.
        let room = match room {
            Some(room) => room,
            None => sender.reserve().await,
        };
        let Ok(room) = room else { return };
        let passed = limit.is_passed(&batch);
        room.send(std::mem::take(&mut batch));
        if passed {
            return;
        }
    }
}

/// Read ahead by a task, with the first value that was not joined yet.
pub(super) struct Input<V> {
    what: &'static str,
    batches: mpsc::Receiver<Vec<Result<Entry<V>>>>,
    ready: std::vec::IntoIter<Result<Entry<V>>>,
    head: Option<V>,
    last: Option<Arc<str>>,
    ended: bool,
    task: AbortOnDropHandle<()>,
}

impl<V: Named + Send + 'static> Input<V> {
    /// Reads a stream of names after that one.
    pub(super) fn new(
        what: &'static str,
        entries: impl Stream<Item = Result<Entry<V>>> + Send + 'static,
        after: Option<Arc<str>>,
        limit: &Arc<Limit>,
    ) -> Self {
        let (sender, batches) = mpsc::channel(AHEAD);
        let limit = Arc::clone(limit);
        let task = tokio::spawn(forward(entries, sender, limit).in_current_span());
        let task = AbortOnDropHandle::new(task);
        Self { what, batches, ready: Vec::new().into_iter(), head: None, last: after, ended: false, task }
    }

    /// Ready when the head is there, or the input has ended; with a bad key that came on the way.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<RawKey>>> {
        while self.head.is_none() && !self.ended {
            match self.ready.next() {
                Some(entry) => match entry? {
                    Entry::Bad(key) => return Poll::Ready(Ok(Some(key))),
                    Entry::Value(value) => self.put(value)?,
                },
                None => match ready!(self.batches.poll_recv(cx)) {
                    Some(batch) => self.ready = batch.into_iter(),
                    None => ready!(self.poll_end(cx))?,
                },
            }
        }
        Poll::Ready(Ok(None))
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
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let ended = ready!(self.task.poll_unpin(cx));
        ended.map_err(|error| defect(format!("{} was cut off", self.what)).caused_by(error))?;
        self.ended = true;
        Poll::Ready(Ok(()))
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.head.as_ref().map(Named::name)
    }

    /// The head, if it has that name.
    pub(super) fn take(&mut self, name: &Arc<str>) -> Option<V> {
        let value = self.head.take_if(|value| value.name() == &**name)?;
        self.last = Some(Arc::clone(name));
        Some(value)
    }

    /// Whether it told all that it has, and all of it was taken. One that was left where the range ends has a head, which is
    /// behind that.
    pub(super) fn is_exhausted(&self) -> bool {
        self.head.is_none() && self.ended
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::stream;
    use tokio::sync::Mutex as Turns;

    use super::*;

    impl Named for String {
        fn name(&self) -> &str {
            self
        }
    }

    /// The reader takes nothing until it had its turn, for which the listing's next request stands before it.
    #[tokio::test]
    async fn a_request_under_way_keeps_nobody_waiting_for_its_turn() {
        let turns = Arc::new(Turns::new(()));
        let others = Arc::clone(&turns);
        let pages = stream::unfold(0, move |page| {
            let turns = Arc::clone(&others);
            async move {
                let _turn = turns.lock().await;
                tokio::task::yield_now().await;
                let names = ["a", "b"].map(|name| Ok(Entry::Value(format!("{page:03}{name}"))));
                (page < 100).then(|| (stream::iter(names), page + 1))
            }
        });
        let (sender, mut batches) = mpsc::channel(1);
        let task = tokio::spawn(forward(pages.flatten(), sender, Arc::new(Limit::new(None))));
        let reading = async {
            let mut names = 0;
            loop {
                for _ in 0..10 {
                    drop(turns.lock().await);
                    tokio::task::yield_now().await;
                }
                let Some(batch) = batches.recv().await else { return names };
                names += batch.len();
            }
        };
        assert_eq!(tokio::time::timeout(Duration::from_secs(60), reading).await.unwrap(), 200);
        task.await.unwrap();
    }
}
