//! Faults of bodies and listings.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use cabotage_core::{
    ByteStream, Error, ErrorKind, ListStream, Operation, Payload, PayloadSource, Result, Sha256,
};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};

use super::{Effect, Faults, Plan};

impl Faults {
    /// The stream, broken off when all is down.
    pub(super) fn interrupt<T: Send + 'static>(
        &self,
        operation: Operation,
        stream: BoxStream<'static, Result<T>>,
    ) -> BoxStream<'static, Result<T>> {
        let faults = self.clone();
        let broken = move |kind| Error::new(kind, "a scripted outage").during(operation);
        let items = stream.map(move |item| match faults.down() {
            // A body on its way knows only that its connection broke.
            Some(_) if operation == Operation::Read => Err(broken(ErrorKind::Interrupted)),
            Some(kind) => Err(broken(kind)),
            None => item,
        });
        let until_it_breaks = items.scan(false, |over, item| {
            let ended = std::mem::replace(over, item.is_err());
            std::future::ready((!ended).then_some(item))
        });
        until_it_breaks.boxed()
    }
}

impl Plan {
    /// The body as it arrives under this plan.
    pub(super) fn spoil(&self, stream: ByteStream) -> ByteStream {
        self.effects.iter().fold(stream, |stream, effect| match effect {
            Effect::FlipByte(at) | Effect::StoreFlipped(at) => flip(stream, *at),
            Effect::TruncateBody(at) => first_bytes(stream, *at),
            Effect::CutBody(at) => {
                let cut = self.error(ErrorKind::Interrupted);
                first_bytes(stream, *at).chain(futures::stream::iter([Err(cut)])).boxed()
            }
            _ => stream,
        })
    }

    /// The body as it is sent under this plan.
    pub(super) async fn spoil_payload(&self, body: Payload) -> Result<Payload> {
        let touched = |effect: &Effect| {
            matches!(
                effect,
                Effect::FlipByte(_) | Effect::StoreFlipped(_) | Effect::TruncateBody(_) | Effect::CutBody(_)
            )
        };
        if !self.effects.iter().any(touched) {
            return Ok(body);
        }
        match &body {
            Payload::Buffered { len, sha256, .. } => {
                let chunks: Vec<Bytes> = self.spoil(body.open().await?).try_collect().await?;
                let digested = self.effects.iter().any(|e| matches!(e, Effect::StoreFlipped(_)));
                let sha256 = if digested { Sha256::of_chunks(&chunks) } else { *sha256 };
                Ok(Payload::Buffered { chunks: chunks.into(), len: *len, sha256 })
            }
            Payload::Replayable { len, open } => {
                let plan = Arc::new(Self { operation: self.operation, effects: self.effects.clone() });
                let open = Arc::clone(open);
                let spoiled: PayloadSource = Arc::new(move || {
                    let (plan, opening) = (Arc::clone(&plan), open());
                    let reopened: BoxFuture<'static, Result<ByteStream>> =
                        Box::pin(async move { Ok(plan.spoil(opening.await?)) });
                    reopened
                });
                Ok(Payload::Replayable { len: *len, open: spoiled })
            }
        }
    }

    /// The listing as it arrives under this plan; `again` lists from the start.
    pub(super) fn spoil_listing(&self, listing: ListStream, again: impl Fn() -> ListStream) -> ListStream {
        self.effects.iter().fold(listing, |listing, effect| match effect {
            Effect::TruncateBody(at) => listing.take(items(*at)).boxed(),
            Effect::CutBody(at) => {
                let cut = self.error(ErrorKind::Interrupted);
                listing.take(items(*at)).chain(futures::stream::iter([Err(cut)])).boxed()
            }
            Effect::ListAgain(at) => listing.take(items(*at)).chain(again()).boxed(),
            _ => listing,
        })
    }
}

fn items(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

/// The place in a chunk of `len` bytes that begins at `start`, if it lies within.
fn place(at: u64, start: u64, len: usize) -> Option<usize> {
    usize::try_from(at.checked_sub(start)?).ok().filter(|place| *place < len)
}

fn flip(stream: ByteStream, at: u64) -> ByteStream {
    let mut start = 0;
    stream
        .map_ok(move |chunk| {
            let found = place(at, start, chunk.len());
            start += chunk.len() as u64;
            let Some(found) = found else { return chunk };
            let mut spoiled = BytesMut::from(&chunk[..]);
            spoiled[found] ^= 0xff;
            spoiled.freeze()
        })
        .boxed()
}

fn first_bytes(stream: ByteStream, most: u64) -> ByteStream {
    futures::stream::unfold((stream, most), |(mut stream, left)| async move {
        if left == 0 {
            return None;
        }
        let chunk = stream.next().await?.map(|chunk| {
            let taken = place(left, 0, chunk.len()).unwrap_or(chunk.len());
            chunk.slice(..taken)
        });
        let taken = chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        Some((chunk, (stream, left - taken)))
    })
    .boxed()
}
