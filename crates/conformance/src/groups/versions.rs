//! Versions: where a store keeps them, each can be listed, read and deleted by its id; elsewhere none is taken for another.

use std::sync::Arc;

use bytes::Bytes;
use cabotage_core::{DeleteOptions, ErrorKind, Key, ListItem, ListScope, ReadOptions};

use crate::check::{Verdict, fails};
use crate::{Failure, Outcome, Place, Trial};

pub(super) fn trials() -> Vec<Trial> {
    trials! { "versions": read_by_id, listed, hidden_by_a_delete, deleted_by_id, never_mistaken }
}

/// Writes these one after another; gives the ids. Ends the trial where the store tells none.
macro_rules! write_versions {
    ($place:expr, $key:expr, $contents:expr) => {{
        let mut ids = Vec::new();
        for content in $contents {
            let written = $place.put(&$key, *content).await?;
            let Some(id) = written.version else {
                return Outcome::skipped("the store keeps no versions: a write tells none");
            };
            ids.push(id);
        }
        ids
    }};
}

async fn read(place: &Place, key: &Key, id: &str) -> cabotage_core::Result<Bytes> {
    place.get_with(key, ReadOptions { version: Some(id.to_owned()), ..ReadOptions::default() }).await
}

async fn delete(place: &Place, key: &Key, id: &str) -> cabotage_core::Result<()> {
    let options = DeleteOptions { version: Some(id.to_owned()), ..DeleteOptions::default() };
    place.store.delete(key, options).await
}

/// Name, id and whether it is the current one, in the listing's order; without this place's prefix.
async fn all(place: &Place) -> Result<Vec<(String, String, bool)>, Failure> {
    let scope = ListScope { versions: true, ..ListScope::prefix(&place.prefix) };
    let mut found = Vec::new();
    for item in place.items(scope).await? {
        let (info, current) = match item {
            ListItem::Object(info) => (info, true),
            ListItem::Version(info) => (info, false),
            other => return Err(Failure::new(format!("the listing of versions tells {other:?}"))),
        };
        let name = info.key.as_str()[place.prefix.len()..].to_owned();
        let id = info.version.ok_or_else(|| Failure::new(format!("{name} is listed without its version")))?;
        found.push((name, id, current));
    }
    Ok(found)
}

async fn read_by_id(place: Arc<Place>) -> Verdict {
    let key = place.key("a b+c%2F/\u{e9}")?;
    let contents = ["one", "two", "three"];
    let ids = write_versions!(place, key, &contents);
    for (id, content) in ids.iter().zip(contents) {
        same!(read(&place, &key, id).await?, content, "the content of version {id}");
    }
    same!(place.get(&key).await?, "three", "the content of the current version");
    same!(place.head(&key).await?.version.as_ref(), ids.last(), "the version that a head tells");
    Ok(Outcome::Passed)
}

/// Each once, the names in order, exactly one of a name the current one.
async fn listed(place: Arc<Place>) -> Verdict {
    let mut wanted = Vec::new();
    for (name, contents) in [("a", &["1", "2", "3"][..]), ("b/c", &["4"]), ("b/d", &["5", "6"])] {
        let key = place.key(name)?;
        let ids = write_versions!(place, key, contents);
        let last = ids.len() - 1;
        wanted.extend(ids.into_iter().enumerate().map(|(i, id)| (name.to_owned(), id, i == last)));
    }
    let found = all(&place).await?;
    let names: Vec<&String> = found.iter().map(|(name, ..)| name).collect();
    check!(names.is_sorted(), "the names of versions are out of order: {names:?}");
    let mut sorted = found.clone();
    sorted.sort();
    wanted.sort();
    same!(sorted, wanted, "names, versions and which is current");
    same!(place.all_names().await?, ["a", "b/c", "b/d"], "the names listed without versions");
    Ok(Outcome::Passed)
}

/// A delete without an id hides the object and keeps what it was.
async fn hidden_by_a_delete(place: Arc<Place>) -> Verdict {
    let key = place.key("hidden")?;
    let ids = write_versions!(place, key, &["one", "two"]);
    place.remove(&key).await?;
    check!(!place.exists(&key).await?, "a deleted object is found");
    same!(place.all_names().await?.len(), 0, "how many names are listed after the delete");
    let left: Vec<_> = all(&place).await?.into_iter().map(|(_, id, current)| (id, current)).collect();
    same!(left.len(), 2, "how many versions are listed after the delete");
    check!(left.iter().all(|(id, current)| ids.contains(id) && !current), "after the delete: {left:?}");
    same!(read(&place, &key, &ids[1]).await?, "two", "the content of a version of a deleted object");
    place.put(&key, "three").await?;
    same!(place.get(&key).await?, "three", "the content written after the delete");
    Ok(Outcome::Passed)
}

/// A delete with an id takes that version away for good, and what was before it is the current one.
async fn deleted_by_id(place: Arc<Place>) -> Verdict {
    let key = place.key("versioned")?;
    let ids = write_versions!(place, key, &["one", "two", "three"]);
    delete(&place, &key, &ids[1]).await?;
    fails(read(&place, &key, &ids[1]).await, "reading a deleted version")?;
    same!(place.get(&key).await?, "three", "the content after an older version was deleted");
    delete(&place, &key, &ids[2]).await?;
    same!(place.get(&key).await?, "one", "the content after the current version was deleted");
    delete(&place, &key, &ids[0]).await?;
    check!(!place.exists(&key).await?, "the object is there after all its versions were deleted");
    same!(all(&place).await?.len(), 0, "how many versions are left");
    Ok(Outcome::Passed)
}

/// Whatever becomes of a request for a version that there isn't, the object is neither given in its place nor deleted.
async fn never_mistaken(place: Arc<Place>) -> Verdict {
    let key = place.key("x")?;
    place.put(&key, "content").await?;
    for id in ["2026-11-25T10:00:00.0000000Z", "no-such-version"] {
        let error = fails(read(&place, &key, id).await, format!("reading version {id}"))?;
        let known = [ErrorKind::NotFound, ErrorKind::Unsupported, ErrorKind::PreconditionFailed];
        check!(known.contains(&error.kind()), "reading version {id}: {error:?}");
        if let Err(error) = delete(&place, &key, id).await {
            check!(known.contains(&error.kind()), "deleting version {id}: {error:?}");
        }
        same!(place.get(&key).await?, "content", "the content after version {id} was to be deleted");
    }
    Ok(Outcome::Passed)
}
