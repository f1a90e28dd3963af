//! Many callers at once: whole objects, complete listings.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use cabotage_core::{ErrorKind, ListItem, ListScope, Payload, Support, WriteMode, WriteOptions};
use futures::StreamExt as _;

use super::reads::pattern;
use crate::check::Verdict;
use crate::{Failure, Outcome, Place, Trial};

pub(super) fn trials() -> Vec<Trial> {
    trials! { "concurrency":
        different_keys, one_key, one_creator, readers_of_a_changing_object, listing_while_writing, writes_and_deletes,
    }
}

/// What writer number `i` writes.
fn content(i: u8) -> Bytes {
    vec![i; 10_000 + usize::from(i)].into()
}

fn is_whole(found: &Bytes) -> bool {
    found.first().is_some_and(|first| *found == content(*first))
}

async fn different_keys(place: Arc<Place>) -> Verdict {
    let writes = (0..64_u8).map(|i| {
        let place = &place;
        async move {
            let key = place.key(&format!("k{i:02}"))?;
            place.put(&key, content(i)).await?;
            check!(place.get(&key).await? == content(i), "{key:?} comes back changed");
            Ok(())
        }
    });
    let done: Vec<Result<(), Failure>> = futures::stream::iter(writes).buffer_unordered(32).collect().await;
    done.into_iter().collect::<Result<(), _>>()?;
    same!(place.all_names().await?.len(), 64, "how many names are listed");
    Ok(Outcome::Passed)
}

/// Of many writes of one key the last one stays, whole.
async fn one_key(place: Arc<Place>) -> Verdict {
    let key = place.key("same")?;
    let writes = (0..24).map(|i| place.put(&key, content(i)));
    for written in futures::future::join_all(writes).await {
        written?;
    }
    let found = place.get(&key).await?;
    check!(is_whole(&found), "the object is {} bytes of no one write", found.len());
    same!(place.head(&key).await?.size, found.len() as u64, "the size that a head tells");
    Ok(Outcome::Passed)
}

/// Of many writers that create one key exactly one wins, and the object is its own.
async fn one_creator(place: Arc<Place>) -> Verdict {
    let support = place.capabilities().preconditions.create;
    if support != Support::Enforced {
        return Outcome::skipped(format!("the store declares create-only writes as {support:?}"));
    }
    for round in 0..6 {
        let key = place.key(&format!("folder-{round}/same"))?;
        let create = |i| {
            let options = WriteOptions { mode: WriteMode::Create, ..WriteOptions::default() };
            place.store.write(&key, Payload::from_bytes(content(i)), options)
        };
        let written = futures::future::join_all((0..16).map(create)).await;
        let mut winners = Vec::new();
        for (i, result) in (0..16_u8).zip(written) {
            match result {
                Ok(_) => winners.push(i),
                Err(error) if error.kind() == ErrorKind::PreconditionFailed => {}
                Err(error) => return Err(error.into()),
            }
        }
        same!(winners.len(), 1, "how many of 16 writers created the object");
        check!(place.get(&key).await? == content(winners[0]), "the object is not the winner's");
    }
    Ok(Outcome::Passed)
}

/// Readers of a key that is being overwritten see one state or another, whole.
async fn readers_of_a_changing_object(place: Arc<Place>) -> Verdict {
    let key = place.key("changing")?;
    place.put(&key, content(0)).await?;
    let write = async {
        for i in 1..20 {
            place.put(&key, content(i)).await?;
        }
        Ok::<(), Failure>(())
    };
    let read = async {
        for _ in 0..40 {
            match place.get(&key).await {
                Ok(found) => check!(is_whole(&found), "a reader saw {} bytes of no one write", found.len()),
                // A body that the store can no longer give whole has to say so.
                Err(error) if error.kind() == ErrorKind::SourceChanged => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok::<(), Failure>(())
    };
    futures::future::try_join(write, read).await?;
    Ok(Outcome::Passed)
}

/// A listing tells all that was there before it began and stays, once.
async fn listing_while_writing(place: Arc<Place>) -> Verdict {
    place.put_many((0..200).map(|i| format!("b{i:03}"))).await?;
    let write =
        place.put_many((0..200).map(|i| format!("a{i:03}")).chain((0..200).map(|i| format!("c{i:03}"))));
    let list = async {
        let mut seen = BTreeSet::new();
        for item in place.items(ListScope::prefix(&place.prefix)).await? {
            if let ListItem::Object(info) = item {
                check!(seen.insert(info.key.clone()), "{:?} is listed twice", info.key);
            }
        }
        let settled = seen.iter().filter(|key| key.as_str()[place.prefix.len()..].starts_with('b')).count();
        same!(settled, 200, "how many of the objects that were there are listed");
        Ok::<(), Failure>(())
    };
    let (written, listed) = futures::future::join(write, list).await;
    written?;
    listed?;
    same!(place.all_names().await?.len(), 600, "how many names are listed in the end");
    Ok(Outcome::Passed)
}

/// Writes and deletes of names in one folder don't disturb each other: a folder that one removes and another needs.
async fn writes_and_deletes(place: Arc<Place>) -> Verdict {
    let rounds = (0..12_u8).map(|i| {
        let place = &place;
        async move {
            let key = place.key(&format!("folder/deep/er/{i}"))?;
            for _ in 0..8 {
                let payload = Payload::from_bytes(pattern(500 + usize::from(i)));
                place.store.write(&key, payload, WriteOptions::default()).await?;
                check!(place.exists(&key).await?, "{key:?} is not there after it was written");
                place.remove(&key).await?;
            }
            Ok::<(), Failure>(())
        }
    });
    futures::future::try_join_all(rounds).await?;
    same!(place.all_names().await?.len(), 0, "how many names are left");
    Ok(Outcome::Passed)
}
