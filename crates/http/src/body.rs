//! A request's body on its way.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use cabotage_core::{ByteStream, Error, ErrorKind, Result, Throttle};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::CallBody;

/// Longest piece handed to the connection at once, so that a slow line shows progress. Slicing copies nothing.
const PIECE: usize = 64 * 1024;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// One attempt's body: exactly as long as declared, or an error.
pub(crate) struct OutBody {
    source: Source,
    /// What the source gave and isn't sent yet.
    ready: Bytes,
    /// Bytes to be sent, those in `ready` included.
    left: u64,
    watch: Arc<Watch>,
    throttle: Throttle,
    /// The piece that goes out next, and what it waits for.
    next: Option<(usize, Option<Pin<Box<Sleep>>>)>,
}

enum Source {
    Chunks {
        chunks: Arc<[Bytes]>,
        next: usize,
    },
    /// The last piece is held back until the stream has ended, so that no body goes out whose source gives more.
    Stream {
        stream: ByteStream,
        last: Option<Bytes>,
    },
}

impl OutBody {
    /// Opens the body for one attempt.
    pub(crate) async fn open(body: &CallBody, throttle: Throttle) -> Result<(Self, Arc<Watch>)> {
        let left = body.len();
        let source = match body {
            CallBody::Replay { len, open } if *len > 0 => {
                Source::Stream { stream: open().await?, last: None }
            }
            CallBody::Chunks(chunks) => Source::Chunks { chunks: Arc::clone(chunks), next: 0 },
            CallBody::Empty | CallBody::Replay { .. } => Source::Chunks { chunks: Arc::from([]), next: 0 },
        };
        let watch = Arc::new(Watch::new(left == 0));
        let ready = Bytes::new();
        Ok((Self { source, ready, left, watch: Arc::clone(&watch), throttle, next: None }, watch))
    }

    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let unread = self.left;
        match &mut self.source {
            Source::Chunks { chunks, next } => {
                self.ready = chunks.get(*next).cloned().unwrap_or_default();
                *next += 1;
            }
            Source::Stream { stream, last } => self.ready = ready!(poll_piece(stream, last, unread, cx))?,
        }
        Poll::Ready(Ok(()))
    }

    /// How many of the bytes in `ready` may go out, once they may.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        let Self { next, throttle, ready, watch, .. } = self;
        let (size, sleep) = next.get_or_insert_with(|| {
            let size = throttle.piece(PIECE).min(ready.len());
            let at = throttle.bytes(size as u64, Instant::now().into_std()).map(Instant::from_std);
            // Waiting for one's turn is no lack of progress.
            at.inspect(|at| watch.held_until(*at));
            (size, at.map(|at| Box::pin(sleep_until(at))))
        });
        if let Some(sleep) = sleep {
            ready!(sleep.as_mut().poll(cx));
        }
        let size = *size;
        *next = None;
        Poll::Ready(size)
    }
}

/// The next piece of a stream that has `unread` bytes to give.
fn poll_piece(
    stream: &mut ByteStream,
    last: &mut Option<Bytes>,
    unread: u64,
    cx: &mut Context<'_>,
) -> Poll<Result<Bytes>> {
    loop {
        match (ready!(stream.as_mut().poll_next(cx)), last.take()) {
            (Some(Err(error)), _) => return Poll::Ready(Err(error)),
            (Some(Ok(piece)), held) if piece.is_empty() => *last = held,
            (Some(Ok(_)), Some(_)) => return Poll::Ready(Err(wrong_length("more"))),
            (Some(Ok(piece)), None) if piece.len() as u64 > unread => {
                return Poll::Ready(Err(wrong_length("more")));
            }
            (Some(Ok(piece)), None) if piece.len() as u64 == unread => *last = Some(piece),
            (Some(Ok(piece)), None) => return Poll::Ready(Ok(piece)),
            (None, Some(piece)) => return Poll::Ready(Ok(piece)),
            (None, None) => return Poll::Ready(Err(wrong_length("fewer"))),
        }
    }
}

fn wrong_length(what: &str) -> Error {
    Error::new(ErrorKind::Truncated, format!("the source gave {what} bytes than it declared"))
}

impl Body for OutBody {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = self.get_mut();
        while this.left > 0 && this.ready.is_empty() {
            if let Err(error) = ready!(this.fill(cx)) {
                return Poll::Ready(Some(Err(this.watch.fail(error))));
            }
        }
        if this.left == 0 {
            return Poll::Ready(None);
        }
        let size = ready!(this.poll_turn(cx));
        let piece = this.ready.split_to(size);
        this.left = this.left.saturating_sub(piece.len() as u64);
        this.watch.moved(this.left == 0);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// What is known of a body on its way: when it last moved, whether all of it is handed over, why it broke off.
pub(crate) struct Watch {
    moved: Mutex<Instant>,
    done: AtomicBool,
    error: Mutex<Option<Error>>,
}

impl Watch {
    fn new(done: bool) -> Self {
        Self { moved: Mutex::new(Instant::now()), done: AtomicBool::new(done), error: Mutex::new(None) }
    }

    /// Starts counting anew.
    pub(crate) fn touch(&self) {
        self.held_until(Instant::now());
    }

    /// Starts counting at that moment, or at a later one that was told before.
    fn held_until(&self, at: Instant) {
        let mut moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        *moved = at.max(*moved);
    }

    fn moved(&self, done: bool) {
        self.touch();
        self.done.store(done, Ordering::Release);
    }

    fn fail(&self, error: Error) -> Fault {
        let text = error.message().to_owned();
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        text.into()
    }

    /// Why the body broke off, if it did on this side.
    pub(crate) fn take_error(&self) -> Option<Error> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether the whole body was handed over.
    pub(crate) fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }

    /// Ends when nothing moved for too long: `idle` while the body goes out, `reply` after it.
    pub(crate) async fn expired(&self, idle: Duration, reply: Duration) {
        loop {
            let moved = *self.moved.lock().unwrap_or_else(PoisonError::into_inner);
            let deadline = moved + if self.is_done() { reply } else { idle };
            if deadline <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(deadline).await;
        }
    }
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
