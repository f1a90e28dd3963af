//! An object as `AsyncWrite`: nothing is visible before `shutdown`.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use cabotage_core::{Error, ErrorKind, Key, Operation, Result, Storage, WriteOptions, Written};
use futures::FutureExt as _;
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::PollSender;

use crate::reader::io_error;
use crate::writer_task::{self, Piece};

/// How an object is written as a stream.
#[derive(Clone, Debug)]
pub struct WriterOptions {
    /// Attributes, and what may be in the object's place.
    pub write: WriteOptions,
    /// Bytes of a part, kept within the store's limits. What is not longer goes as one write. The store's most parts (often
    /// 10,000) bound the object: 8 MiB reach 78 GiB.
    pub part_size: u64,
    /// Most parts on their way at once. Memory is at most `in_flight + 2` parts.
    pub in_flight: usize,
}

impl Default for WriterOptions {
    /// Replaces what is there; parts of 8 MiB, 4 at once.
    fn default() -> Self {
        Self { write: WriteOptions::default(), part_size: 8 << 20, in_flight: 4 }
    }
}

/// Takes an object's bytes. `shutdown` commits the object, under the conditions of its options; before that nothing is visible,
/// whatever was flushed. Dropped without it, nothing is left: an upload that was started is aborted, by a task that needs the
/// runtime to live on for a moment (on Azure its blocks stay, unseen, until they expire after a week). A failure is told by the next call, with this crate's `Error` as source.
#[derive(Debug)]
pub struct ObjectWriter {
    buffer: Vec<u8>,
    part_size: usize,
    pieces: PollSender<Piece>,
    task: JoinHandle<Result<Written>>,
    state: State,
}

#[derive(Debug)]
enum State {
    Open,
    Committing,
    Done(Written),
    Failed,
}

/// Begins to write an object. Nothing is sent before the first part is full. Must be called inside of a Tokio runtime.
#[must_use]
pub fn writer(store: Arc<dyn Storage>, key: Key, options: WriterOptions) -> ObjectWriter {
    let limits = &store.capabilities().limits;
    let most = limits.part_max.min(limits.single_max).max(1);
    let part_size = options.part_size.max(limits.part_min).clamp(1, most);
    let (sender, receiver) = mpsc::channel(1);
    ObjectWriter {
        buffer: Vec::new(),
        part_size: usize::try_from(part_size).unwrap_or(usize::MAX),
        pieces: PollSender::new(sender),
        task: tokio::spawn(writer_task::run(store, key, options, receiver)),
        state: State::Open,
    }
}

impl ObjectWriter {
    /// What the store told of the object; none before `shutdown` has succeeded.
    #[must_use]
    pub fn written(&self) -> Option<&Written> {
        match &self.state {
            State::Done(written) => Some(written),
            _ => None,
        }
    }

    fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        wrap: fn(bytes::Bytes) -> Piece,
    ) -> Poll<io::Result<()>> {
        if ready!(self.pieces.poll_reserve(context)).is_err() {
            return self.poll_end(context).map(|end| end.and(Err(closed())));
        }
        let piece = wrap(std::mem::take(&mut self.buffer).into());
        Poll::Ready(self.pieces.send_item(piece).map_err(|_| closed()))
    }

    /// What became of it.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let end = ready!(self.task.poll_unpin(context)).unwrap_or_else(|error| {
            Err(Error::new(ErrorKind::Internal, "the task that writes ended").caused_by(error))
        });
        Poll::Ready(match end {
            Ok(written) => {
                self.state = State::Done(written);
                Ok(())
            }
            Err(error) => {
                self.state = State::Failed;
                Err(io_error(error.during(Operation::Write)))
            }
        })
    }
}

fn closed() -> io::Error {
    io::Error::new(
        io::ErrorKind::BrokenPipe,
        "the object takes no more bytes: it was committed or has failed",
    )
}

impl AsyncWrite for ObjectWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !matches!(self.state, State::Open) {
            return Poll::Ready(Err(closed()));
        }
        if self.buffer.len() >= self.part_size && !bytes.is_empty() {
            ready!(self.poll_send(context, Piece::Part))?;
        }
        let taken = bytes.len().min(self.part_size - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    /// Does nothing: bytes are sent part by part, and are visible after `shutdown` only.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.state {
            State::Done(_) => return Poll::Ready(Ok(())),
            State::Failed => return Poll::Ready(Err(closed())),
            State::Committing => {}
            State::Open => {
                ready!(self.poll_send(context, Piece::Last))?;
                self.state = State::Committing;
            }
        }
        self.poll_end(context)
    }
}
