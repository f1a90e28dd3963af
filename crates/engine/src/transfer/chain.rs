//! Hashing: a part for itself, and the whole in the order of its parts, in one pass over the bytes where it can be.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cabotage_core::{Error, ErrorKind, Result, Sha256, Sha256Hasher};
use tokio::sync::oneshot;

use crate::content_sha256::ContentHasher;

/// How long a part that was read waits for its turn. One pass for both digests costs three quarters of two; beyond this a
/// slow part before it would keep it from being sent.
const PATIENCE: Duration = Duration::from_millis(100);

/// A part's place in the chain that computes the digest of the whole.
pub(super) struct Turn {
    pub mine: oneshot::Receiver<ContentHasher>,
    pub next: oneshot::Sender<ContentHasher>,
}

/// A part's digest, and how it stands with the digest of the whole.
pub(super) struct Hashed {
    pub sha256: Sha256,
    pub whole: Whole,
}

/// How a part stands with the digest of the whole.
pub(super) enum Whole {
    /// It is in it; the state after it, where one can be kept. Or it was in it before, or there is none, or it never will
    /// be in it, since an earlier part failed.
    Done(Option<Vec<u8>>),
    /// Its turn has not come yet.
    Waits(Turn),
}

impl Whole {
    /// Adds the part when its turn comes, and gives the state after it.
    pub(super) async fn finish(self, chunks: Arc<[Bytes]>) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Done(state) => Ok(state),
            Self::Waits(Turn { mine, next }) => {
                let Ok(mut hasher) = mine.await else { return Ok(None) };
                let work = move || {
                    chunks.iter().for_each(|chunk| hasher.update(chunk));
                    hasher
                };
                Ok(hand_on(aside(work).await?, next))
            }
        }
    }
}

/// Hashes a part, and adds it to the whole at the same time if its turn comes soon.
pub(super) async fn hash_part(chunks: Arc<[Bytes]>, turn: Option<Turn>) -> Result<Hashed> {
    let Some(mut turn) = turn else { return alone(chunks, Whole::Done(None)).await };
    match tokio::time::timeout(PATIENCE, &mut turn.mine).await {
        Ok(Ok(whole)) => together(chunks, whole, turn.next).await,
        Ok(Err(_)) => alone(chunks, Whole::Done(None)).await,
        Err(_) => alone(chunks, Whole::Waits(turn)).await,
    }
}

async fn alone(chunks: Arc<[Bytes]>, whole: Whole) -> Result<Hashed> {
    Ok(Hashed { sha256: aside(move || Sha256::of_chunks(&chunks)).await?, whole })
}

async fn together(
    chunks: Arc<[Bytes]>,
    mut whole: ContentHasher,
    next: oneshot::Sender<ContentHasher>,
) -> Result<Hashed> {
    let work = move || {
        let mut part = Sha256Hasher::default();
        if whole.is_unused() {
            chunks.iter().for_each(|chunk| part.update(chunk));
            return (part.clone().finish(), ContentHasher::Whole(part));
        }
        chunks.iter().for_each(|chunk| whole.update_with(&mut part, chunk));
        (part.finish(), whole)
    };
    let (sha256, whole) = aside(work).await?;
    Ok(Hashed { sha256, whole: Whole::Done(hand_on(whole, next)) })
}

/// Gives the whole's digest to the next part, and tells its state. The receiver is gone only when the whole transfer has
/// failed.
fn hand_on(whole: ContentHasher, next: oneshot::Sender<ContentHasher>) -> Option<Vec<u8>> {
    let state = whole.state();
    let _ = next.send(whole);
    state
}

/// On a thread of its own: the network's have other work.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::new(ErrorKind::Internal, "hashing was cut off").caused_by(error))
}

pub(super) fn closed<E>(_: E) -> Error {
    Error::new(ErrorKind::Internal, "the chain of parts was cut")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ContentSha256, DigestForm};

    fn whole(text: &str) -> ContentHasher {
        let mut hasher = ContentHasher::new(DigestForm::Whole);
        hasher.update(text.as_bytes());
        hasher
    }

    fn chunks(text: &'static str) -> Arc<[Bytes]> {
        [Bytes::from_static(text.as_bytes())].into()
    }

    #[tokio::test(start_paused = true)]
    async fn in_turn_both_digests_come_at_once() {
        let (first, mine) = oneshot::channel();
        let (next, second) = oneshot::channel();
        first.send(whole("")).unwrap();
        let hashed = hash_part(chunks("ab"), Some(Turn { mine, next })).await.unwrap();
        assert_eq!(hashed.sha256, Sha256::of(b"ab"));
        assert!(matches!(hashed.whole, Whole::Done(Some(_))));
        let (next, end) = oneshot::channel();
        let hashed = hash_part(chunks("cd"), Some(Turn { mine: second, next })).await.unwrap();
        assert_eq!(hashed.sha256, Sha256::of(b"cd"));
        assert!(matches!(hashed.whole, Whole::Done(Some(_))));
        assert_eq!(end.await.unwrap().finish(), ContentSha256::whole(Sha256::of(b"abcd")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_whose_turn_is_late_is_hashed_before_it_and_added_in_it() {
        let (first, mine) = oneshot::channel();
        let (next, end) = oneshot::channel();
        let hashed = hash_part(chunks("cd"), Some(Turn { mine, next })).await.unwrap();
        assert_eq!(hashed.sha256, Sha256::of(b"cd"));
        assert!(matches!(hashed.whole, Whole::Waits(_)));
        first.send(whole("ab")).unwrap();
        let state = hashed.whole.finish(chunks("cd")).await.unwrap().unwrap();
        assert_eq!(Sha256Hasher::from_state(&state).unwrap().finish(), Sha256::of(b"abcd"));
        assert_eq!(end.await.unwrap().finish(), ContentSha256::whole(Sha256::of(b"abcd")));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_part_that_failed_there_is_no_whole() {
        for waits in [false, true] {
            let (first, mine) = oneshot::channel();
            let (next, end) = oneshot::channel();
            let mut first = Some(first).filter(|_| waits);
            let hashed = hash_part(chunks("cd"), Some(Turn { mine, next })).await.unwrap();
            assert_eq!(hashed.sha256, Sha256::of(b"cd"));
            drop(first.take());
            assert_eq!(hashed.whole.finish(chunks("cd")).await.unwrap(), None);
            assert!(end.await.is_err());
        }
    }
}
