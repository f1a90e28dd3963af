//! Writes confirmed together: one listing of the destination tells size and ETag of many objects, where a head tells
//! those of one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cabotage_core::{Capabilities, Key, ListItem, ListOrder, ListScope, ObjectInfo, Storage};
use futures::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tracing::Instrument as _;

/// Objects that wait at most; each holds what was prepared for it, 1 to 2 KiB.
const WAITING: usize = 4_000;
/// Objects of a batch at most: those that wait hold more memory than is gained by larger ones.
const BATCH: usize = 500;
/// How long the first of a batch waits for others.
const PATIENCE: Duration = Duration::from_millis(200);
/// Listings at once.
const AT_ONCE: usize = 2;

/// Asks for many what a head asks for one. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Confirming(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    questions: mpsc::UnboundedSender<Question>,
    room: Arc<Semaphore>,
    task: AbortHandle,
}

#[derive(Debug)]
struct Question {
    key: Key,
    answer: oneshot::Sender<Option<ObjectInfo>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An object's turn to wait; gives its room back when dropped.
#[derive(Debug)]
pub(crate) struct Waiting {
    told: oneshot::Receiver<Option<ObjectInfo>>,
    _room: OwnedSemaphorePermit,
}

impl Waiting {
    /// What a listing that began after the question told of the object; `None`: nothing, so look at it.
    pub(crate) async fn told(self) -> Option<ObjectInfo> {
        self.told.await.ok().flatten()
    }
}

impl Confirming {
    /// For a destination whose listings come by requests, in byte order, from any key on; else none.
    pub(crate) fn start(store: &Arc<dyn Storage>, prefix: &str) -> Option<Self> {
        let page = page(store.capabilities())?;
        let (questions, receiver) = mpsc::unbounded_channel();
        let batches = Batches { store: Arc::clone(store), prefix: prefix.to_owned(), page };
        let task = tokio::spawn(batches.answer(receiver).in_current_span()).abort_handle();
        Some(Self(Arc::new(Inner { questions, room: Arc::new(Semaphore::new(WAITING)), task })))
    }

    /// Takes a question as soon as there is room for it.
    pub(crate) async fn ask(&self, key: &Key) -> Option<Waiting> {
        let room = Arc::clone(&self.0.room).acquire_owned().await.ok()?;
        let (answer, told) = oneshot::channel();
        self.0.questions.send(Question { key: key.clone(), answer }).ok()?;
        Some(Waiting { told, _room: room })
    }
}

fn page(capabilities: &Capabilities) -> Option<usize> {
    let by_key = capabilities.list_order == ListOrder::Bytes && capabilities.list_after;
    capabilities.list_page.filter(|_| by_key)
}

type Batch = BTreeMap<Key, Vec<oneshot::Sender<Option<ObjectInfo>>>>;

#[derive(Clone, Debug)]
struct Batches {
    store: Arc<dyn Storage>,
    prefix: String,
    page: usize,
}

impl Batches {
    async fn answer(self, mut questions: mpsc::UnboundedReceiver<Question>) {
        let mut listings = JoinSet::new();
        while let Some(batch) = self.collect(&mut questions).await {
            while listings.len() >= AT_ONCE {
                listings.join_next().await;
            }
            listings.spawn(self.clone().list(batch).in_current_span());
        }
        while listings.join_next().await.is_some() {}
    }

    /// Enough questions for a listing, or what came within the patience.
    async fn collect(&self, questions: &mut mpsc::UnboundedReceiver<Question>) -> Option<Batch> {
        let first = questions.recv().await?;
        let mut batch = Batch::from([(first.key, vec![first.answer])]);
        let end = tokio::time::Instant::now() + PATIENCE;
        while batch.len() < BATCH.min(self.page) {
            match tokio::time::timeout_at(end, questions.recv()).await {
                Ok(Some(question)) => batch.entry(question.key).or_default().push(question.answer),
                Ok(None) | Err(_) => break,
            }
        }
        Some(batch)
    }

    /// Answers from one listing, as far as it gets in as many keys as two pages hold beside those asked for. What it doesn't
    /// tell has no answer.
    async fn list(self, mut batch: Batch) {
        let mut left = batch.len() + 2 * self.page;
        while let (Some(first), true) = (batch.keys().next().cloned(), left > 0) {
            let scope = ListScope { after: before(&first), ..ListScope::prefix(&self.prefix) };
            let mut listing = self.store.list(scope).take(left);
            let mut strays = 0;
            while let Some(item) = listing.next().await {
                let info = match item {
                    Ok(ListItem::Object(info)) => info,
                    Ok(_) => continue,
                    Err(error) => {
                        tracing::debug!(%error, "writes can't be confirmed by a listing");
                        return;
                    }
                };
                left -= 1;
                batch = batch.split_off(&info.key);
                match batch.remove(&info.key) {
                    Some(waiting) => {
                        strays = 0;
                        waiting.into_iter().for_each(|answer| drop(answer.send(Some(info.clone()))));
                    }
                    None => strays += 1,
                }
                // The next one asked for is not in sight: start again right before it.
                if batch.is_empty() || strays >= self.page {
                    break;
                }
            }
            if strays < self.page {
                return;
            }
        }
    }
}

/// A key shortly before that one, in byte order.
fn before(key: &Key) -> Option<Key> {
    let text = key.as_str();
    let last = text.chars().next_back()?;
    let stem = &text[..text.len() - last.len_utf8()];
    let earlier = match last {
        '!'..='~' => format!("{stem}{}~", char::from(last as u8 - 1)),
        _ => stem.to_owned(),
    };
    Key::new(earlier).ok()
}

#[cfg(test)]
#[path = "confirm_tests.rs"]
mod tests;
