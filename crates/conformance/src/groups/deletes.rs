//! Deleting: exactly that object, exactly that state, many at once.

use std::sync::Arc;

use cabotage_core::{DeleteOptions, ErrorKind, Key};

use crate::check::{Verdict, refused};
use crate::{Failure, Outcome, Place, Trial};

pub(super) fn trials() -> Vec<Trial> {
    trials! { "deletes":
        one, missing, if_match_current, if_match_stale, if_match_missing, many, many_none, many_awkward,
    }
}

async fn one(place: Arc<Place>) -> Verdict {
    let (key, beside) = (place.key("x")?, place.key("xy")?);
    place.put(&key, "gone").await?;
    place.put(&beside, "stays").await?;
    place.remove(&key).await?;
    refused(place.get(&key).await, &[ErrorKind::NotFound], "reading a deleted object")?;
    refused(place.head(&key).await, &[ErrorKind::NotFound], "a head of a deleted object")?;
    same!(place.all_names().await?, ["xy"], "the names left");
    same!(place.get(&beside).await?, "stays", "the content beside it");
    Ok(Outcome::Passed)
}

async fn missing(place: Arc<Place>) -> Verdict {
    place.remove(&place.key("never-there")?).await?;
    let below = place.key("folder/x")?;
    place.put(&below, "stays").await?;
    place.remove(&place.key("folder")?).await?;
    same!(place.get(&below).await?, "stays", "what is under the deleted name");
    Ok(Outcome::Passed)
}

async fn delete_state(place: &Place, key: &Key, old: bool) -> Result<cabotage_core::Result<()>, Failure> {
    place.put(key, "one").await?;
    let first = place.head(key).await?.etag;
    place.put(key, "two").await?;
    let second = place.head(key).await?.etag;
    let if_match = if old { first } else { second };
    Ok(place.store.delete(key, DeleteOptions { if_match, ..DeleteOptions::default() }).await)
}

async fn if_match_current(place: Arc<Place>) -> Verdict {
    let key = place.key("x")?;
    delete_state(&place, &key, false).await??;
    check!(!place.exists(&key).await?, "the object is there after it was deleted under its current ETag");
    Ok(Outcome::Passed)
}

async fn if_match_stale(place: Arc<Place>) -> Verdict {
    let key = place.key("x")?;
    let deleted = delete_state(&place, &key, true).await?;
    refused(deleted, &[ErrorKind::PreconditionFailed], "deleting under a stale If-Match")?;
    same!(place.get(&key).await?, "two", "the content");
    Ok(Outcome::Passed)
}

async fn if_match_missing(place: Arc<Place>) -> Verdict {
    let other = place.key("other")?;
    place.put(&other, "x").await?;
    let if_match = place.head(&other).await?.etag;
    let deleted = place
        .store
        .delete(&place.key("missing")?, DeleteOptions { if_match, ..DeleteOptions::default() })
        .await;
    let kinds = [ErrorKind::NotFound, ErrorKind::PreconditionFailed];
    refused(deleted, &kinds, "deleting nothing under If-Match")?;
    Ok(Outcome::Passed)
}

/// Results come in the order of the keys; a missing one is no error.
async fn many(place: Arc<Place>) -> Verdict {
    place.put_many(["a", "b", "c", "d"].map(str::to_owned)).await?;
    let names = ["d", "missing", "a", "c"];
    let keys: Result<Vec<Key>, _> = names.into_iter().map(|name| place.key(name)).collect();
    let keys = keys?;
    let results = place.store.delete_many(keys.clone()).await;
    let told: Vec<Key> = results.iter().map(|(key, _)| key.clone()).collect();
    same!(told, keys, "the order of the results");
    for (_, result) in results {
        result?;
    }
    same!(place.all_names().await?, ["b"], "the names left");
    Ok(Outcome::Passed)
}

async fn many_none(place: Arc<Place>) -> Verdict {
    same!(place.store.delete_many(Vec::new()).await.len(), 0, "how many results no keys give");
    Ok(Outcome::Passed)
}

/// Names that a request body has to escape; their look-alikes stay.
async fn many_awkward(place: Arc<Place>) -> Verdict {
    let awkward =
        ["a&b", "a<b>", "\"a'", " a ", "a  b", "a%2Fb", "x/../y", "caf\u{e9}\u{1F600}", "t\tn\nr\r", "]]>"];
    let alike = ["a&amp;b", "ab", "a", "a b", "a/b", "y", "cafe\u{301}", "tnr", "t n r ", "&quot;a"];
    let mut goes = Vec::new();
    let mut stays = Vec::new();
    for (names, keys) in [(awkward, &mut goes), (alike, &mut stays)] {
        for name in names {
            let key = place.key(name)?;
            if place.capabilities().accepts(&key).is_ok() {
                place.put(&key, name).await?;
                keys.push(key);
            }
        }
    }
    for (key, result) in place.store.delete_many(goes.clone()).await {
        result.map_err(|error| Failure::from(error).within(format!("deleting {key:?}")))?;
    }
    for key in &goes {
        check!(!place.exists(key).await?, "{key:?} is there after it was deleted with others");
    }
    for key in &stays {
        check!(place.exists(key).await?, "{key:?} is gone, and nobody deleted it");
    }
    Ok(Outcome::Passed)
}
