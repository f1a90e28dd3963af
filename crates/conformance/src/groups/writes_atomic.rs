//! A write leaves the old object or the new one, whatever becomes of its body and of its future.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use cabotage_core::{ByteStream, Error, ErrorKind, Key, Payload, Result, WriteOptions};
use futures::{FutureExt as _, StreamExt as _};
use tokio::sync::Notify;

use super::reads::pattern;
use crate::check::{Verdict, fails};
use crate::{Failure, Outcome, Place, Trial};

pub(super) fn trials() -> Vec<Trial> {
    trials! { "writes":
        replayable, replayable_in_pieces, body_too_short, body_too_long, body_that_breaks, dropped_in_the_body,
        dropped_over_an_object, dropped_anywhere,
    }
}

/// A body that gives these pieces at each opening.
fn pieces(len: u64, pieces: Vec<Result<Bytes, ErrorKind>>) -> Payload {
    let open = move || {
        let pieces = pieces.clone();
        let items =
            pieces.into_iter().map(|piece| piece.map_err(|kind| Error::new(kind, "the body broke off")));
        let stream: ByteStream = futures::stream::iter(items.collect::<Vec<_>>()).boxed();
        async move { Ok(stream) }.boxed()
    };
    Payload::Replayable { len, open: Arc::new(open) }
}

async fn write(place: &Place, key: &Key, payload: Payload) -> Result<()> {
    place.store.write(key, payload, WriteOptions::default()).await.map(drop)
}

async fn replayable(place: Arc<Place>) -> Verdict {
    let key = place.key("replayable")?;
    write(&place, &key, pieces(7, vec![Ok("content".into())])).await?;
    same!(place.get(&key).await?, "content", "the content");
    write(&place, &key, pieces(0, vec![])).await?;
    same!(place.get(&key).await?, "", "the empty content");
    Ok(Outcome::Passed)
}

async fn replayable_in_pieces(place: Arc<Place>) -> Verdict {
    let key = place.key("replayable")?;
    let content = pattern(2_000_003);
    let parts = content.chunks(99_991).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    write(&place, &key, pieces(2_000_003, parts)).await?;
    check!(place.get(&key).await? == content, "two million bytes in pieces come back changed");
    Ok(Outcome::Passed)
}

/// A body that must make the write fail: nothing appears, and an old object stays.
async fn spoilt(place: &Place, payload: Payload, what: &str) -> Verdict {
    let fresh = place.key("fresh")?;
    fails(write(place, &fresh, payload.clone()).await, what)?;
    check!(!place.exists(&fresh).await?, "{what} made an object");
    let over = place.key("over")?;
    place.put(&over, "old content").await?;
    fails(write(place, &over, payload).await, what)?;
    same!(place.get(&over).await?, "old content", "the content after {what}");
    same!(place.all_names().await?, ["over"], "the names after {what}");
    Ok(Outcome::Passed)
}

async fn body_too_short(place: Arc<Place>) -> Verdict {
    spoilt(&place, pieces(11, vec![Ok("too short".into())]), "a body that ends early").await
}

async fn body_too_long(place: Arc<Place>) -> Verdict {
    spoilt(&place, pieces(3, vec![Ok("too".into()), Ok(" long".into())]), "a body that goes on too long")
        .await
}

async fn body_that_breaks(place: Arc<Place>) -> Verdict {
    let broken = vec![Ok(pattern(100_000)), Err(ErrorKind::SourceChanged)];
    spoilt(&place, pieces(200_000, broken), "a body that breaks off").await
}

/// A body of two million bytes that stops for ever after half of them, having said so.
fn stuck(reached: &Arc<Notify>) -> Payload {
    let reached = Arc::clone(reached);
    let open = move || {
        let reached = Arc::clone(&reached);
        let half = futures::stream::iter([Ok(pattern(1_000_000))]);
        let rest = futures::stream::poll_fn(move |_| {
            reached.notify_one();
            Poll::Pending
        });
        let stream: ByteStream = half.chain(rest).boxed();
        async move { Ok(stream) }.boxed()
    };
    Payload::Replayable { len: 2_000_000, open: Arc::new(open) }
}

/// Writes a stuck body and drops the write once half of the body was taken.
async fn drop_halfway(place: &Place, key: &Key) -> Result<(), Failure> {
    let reached = Arc::new(Notify::new());
    tokio::select! {
        result = write(place, key, stuck(&reached)) => {
            fails(result, "a write whose body never ends")?;
            Err(Failure::new("a write ended while its body was going on"))
        }
        () = reached.notified() => Ok(()),
    }
}

async fn dropped_in_the_body(place: Arc<Place>) -> Verdict {
    let key = place.key("dropped")?;
    drop_halfway(&place, &key).await?;
    settle().await;
    check!(!place.exists(&key).await?, "a dropped write made an object");
    place.put(&key, "later").await?;
    same!(place.get(&key).await?, "later", "the content after a write that came later");
    same!(place.all_names().await?, ["dropped"], "the names");
    Ok(Outcome::Passed)
}

async fn dropped_over_an_object(place: Arc<Place>) -> Verdict {
    let key = place.key("dropped")?;
    place.put(&key, "old content").await?;
    drop_halfway(&place, &key).await?;
    settle().await;
    same!(place.get(&key).await?, "old content", "the content after a dropped overwrite");
    same!(place.all_names().await?, ["dropped"], "the names");
    Ok(Outcome::Passed)
}

/// Lets a server notice that its peer is gone.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

/// Drops overwrites after ever more time; each time the object is whole, the old one or the new.
async fn dropped_anywhere(place: Arc<Place>) -> Verdict {
    let key = place.key("dropped")?;
    let states = [pattern(600_000), Bytes::from(vec![7; 700_000])];
    write(&place, &key, Payload::from_bytes(states[0].clone())).await?;
    for round in 0..24_u32 {
        let next = states[round as usize % 2].clone();
        let patience = Duration::from_micros(u64::from(round * round * 50));
        if let Ok(result) =
            tokio::time::timeout(patience, write(&place, &key, Payload::from_bytes(next))).await
        {
            result?;
        }
        let found = place.get(&key).await;
        let found =
            found.map_err(|error| Failure::from(error).within(format!("after dropping write {round}")))?;
        check!(
            states.contains(&found),
            "after dropping write {round} the object is {} bytes of neither",
            found.len()
        );
    }
    same!(place.all_names().await?, ["dropped"], "the names");
    Ok(Outcome::Passed)
}
