//! Every name is held exactly, or refused by name; and no other name is touched.

use std::collections::{BTreeSet, VecDeque};

use cabotage_core::{Detail, ErrorKind, Key, ListScope, WriteOptions};

use crate::check::{Verdict, refused};
use crate::hostile::confusions;
use crate::place::{Place, random_name};
use crate::{Failure, Outcome, Trial, hostile_keys};

pub(super) fn trials() -> Vec<Trial> {
    let mut all: Vec<Trial> = hostile_keys()
        .into_iter()
        .map(|hostile| {
            Trial::new("keys", hostile.class, move |place| {
                Box::pin(async move {
                    let key = hostile.under(&place.prefix);
                    let name = key.strip_prefix(&place.prefix).unwrap_or(&key).to_owned();
                    held_or_refused(&place, &place.prefix, &name).await
                })
            })
        })
        .collect();
    all.extend(AT_ROOT.iter().map(|(class, text)| {
        Trial::new("keys", *class, move |place| {
            let name = text.replace('R', &random_name());
            Box::pin(async move { held_or_refused(&place, "", &name).await })
        })
    }));
    all.extend(trials! { "keys": prefix_neighbours, file_and_folder, folder_and_file, the_whole_table });
    all
}

/// Names that matter at the root of a store; `R` stands for a random word.
const AT_ROOT: &[(&str, &str)] = &[
    ("root-slash-first", "/R"),
    ("root-slash-first-double", "//R/k"),
    ("root-dots-leaving", "../R/k"),
    ("root-dots-inside", "R/../c-R"),
    ("root-dots-leaving-inside", "R/../../c-R"),
    ("root-dot-first", "./R"),
    ("root-percent-dots", "%2e%2e/R/k"),
    ("root-slash-last", "R/"),
];

/// Plants every name that careless software could take for this one, then writes, reads, lists and deletes the name
/// and looks at the others after each step.
async fn held_or_refused(place: &Place, prefix: &str, name: &str) -> Verdict {
    let key = place.outside(&format!("{prefix}{name}"))?;
    check!(!place.exists_leniently(&key).await?, "{key:?} exists before it is written");
    let mut others = Vec::new();
    for other in confusions(prefix, name) {
        let other = place.outside(&other)?;
        if place.capabilities().accepts(&other).is_ok() {
            place.put(&other, format!("content of {}", other.as_str())).await?;
            others.push(other);
        }
    }
    untouched(place, &others, "planting names like it").await?;
    if let Err(error) = place.capabilities().accepts(&key) {
        same!(error.kind(), ErrorKind::KeyRejected, "the kind of what accepts() says of {key:?}");
        is_refused(place, &key).await?;
    } else {
        is_held(place, &key, &others).await?;
    }
    untouched(place, &others, "all").await?;
    Ok(Outcome::Passed)
}

async fn is_refused(place: &Place, key: &Key) -> Result<(), Failure> {
    let rejected = [ErrorKind::KeyRejected];
    refused(place.put(key, "never").await, &rejected, "writing a name that accepts() refuses")?;
    if place.capabilities().uploads {
        refused(place.upload(key).await, &rejected, "starting an upload of a name that accepts() refuses")?;
    }
    let absent = [ErrorKind::KeyRejected, ErrorKind::NotFound];
    refused(place.head(key).await, &absent, "a head of a name that accepts() refuses")?;
    refused(place.get(key).await, &absent, "reading a name that accepts() refuses")?;
    Ok(())
}

async fn is_held(place: &Place, key: &Key, others: &[Key]) -> Result<(), Failure> {
    place.put(key, "first").await?;
    place.put(key, "the content").await?;
    let info = place.store.head(key, Detail::WithTags).await?;
    same!(info.key, *key, "the key that a head tells");
    same!(info.size, 11, "the size that a head tells");
    same!(place.get(key).await?, "the content", "the content of {key:?}");
    is_listed(place, key, others).await?;
    untouched(place, others, "writing").await?;
    place.remove(key).await?;
    check!(!place.exists(key).await?, "{key:?} is there after it was deleted");
    Ok(())
}

/// With the name itself as prefix the listing tells exactly the names that begin so.
async fn is_listed(place: &Place, key: &Key, others: &[Key]) -> Result<(), Failure> {
    let wanted: BTreeSet<&str> =
        others.iter().chain([key]).map(Key::as_str).filter(|name| name.starts_with(key.as_str())).collect();
    let items = place.items(ListScope::prefix(key.as_str())).await?;
    let mut found = BTreeSet::new();
    for item in &items {
        let cabotage_core::ListItem::Object(info) = item else {
            return Err(Failure::new(format!("listing {key:?} tells {item:?}")));
        };
        found.insert(info.key.as_str());
    }
    same!(found, wanted, "the names listed under {key:?}");
    same!(found.len(), items.len(), "how many items the listing tells");
    Ok(())
}

async fn untouched(place: &Place, others: &[Key], after: &str) -> Result<(), Failure> {
    for other in others {
        let wanted = format!("content of {}", other.as_str());
        let found = place
            .get(other)
            .await
            .map_err(|e| Failure::from(e).within(format!("after {after}, {other:?}")))?;
        check!(
            found == wanted,
            "after {after}, {other:?} has other content: {:?}",
            String::from_utf8_lossy(&found)
        );
    }
    Ok(())
}

impl Place {
    async fn exists_leniently(&self, key: &Key) -> Result<bool, Failure> {
        match self.head(key).await {
            Ok(_) => Ok(true),
            Err(error) if [ErrorKind::NotFound, ErrorKind::KeyRejected].contains(&error.kind()) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Names of which one is the beginning of another, and which sort around the slash.
const NEIGHBOURS: &[&str] = &["a", "a-", "a/", "a/b", "a//", "a//b", "a/b/", "a/b/c", "a0", "a.", "A", "aa"];

/// Writes the names in that order, then deletes them one by one, from either end; the others stay each time.
async fn coexist(place: &Place, names: &[&str]) -> Verdict {
    for from_the_front in [true, false] {
        let mut keys = VecDeque::new();
        for name in names {
            let key = place.key(name)?;
            if place.capabilities().accepts(&key).is_ok() {
                place.put(&key, format!("content of {}", key.as_str())).await?;
                keys.push_back(key);
            }
        }
        while let Some(key) = if from_the_front { keys.pop_front() } else { keys.pop_back() } {
            place.remove(&key).await?;
            check!(!place.exists(&key).await?, "{key:?} is there after it was deleted");
            untouched(place, keys.make_contiguous(), &format!("deleting {key:?}")).await?;
            same!(place.all_names().await?.len(), keys.len(), "how many names are left");
        }
    }
    Ok(Outcome::Passed)
}

async fn prefix_neighbours(place: std::sync::Arc<Place>) -> Verdict {
    coexist(&place, NEIGHBOURS).await
}

/// A key that is a folder of others, written after them.
async fn folder_and_file(place: std::sync::Arc<Place>) -> Verdict {
    coexist(&place, &["x/y/z", "x/y", "x", "x/", "x/y/"]).await
}

/// The same, written before them.
async fn file_and_folder(place: std::sync::Arc<Place>) -> Verdict {
    coexist(&place, &["x/y/", "x/", "x", "x/y", "x/y/z"]).await
}

/// All names of the table that the store accepts, side by side in one place.
async fn the_whole_table(place: std::sync::Arc<Place>) -> Verdict {
    let mut keys = BTreeSet::new();
    for hostile in hostile_keys() {
        let key = Key::new(hostile.under(&place.prefix))?;
        if place.capabilities().accepts(&key).is_ok() {
            keys.insert(key);
        }
    }
    for key in &keys {
        let content = format!("content of {}", key.as_str());
        let written =
            place.store.write(key, cabotage_core::Payload::from_bytes(content), WriteOptions::default());
        written.await?;
    }
    let listed: BTreeSet<String> = place.all_names().await?.into_iter().collect();
    let wanted: BTreeSet<String> =
        keys.iter().map(|key| key.as_str()[place.prefix.len()..].to_owned()).collect();
    let missing: Vec<_> = wanted.difference(&listed).collect();
    let foreign: Vec<_> = listed.difference(&wanted).collect();
    check!(missing.is_empty() && foreign.is_empty(), "not listed: {missing:?}; listed instead: {foreign:?}");
    untouched(&place, &keys.iter().cloned().collect::<Vec<_>>(), "writing the whole table").await?;
    let removed = place.store.delete_many(keys.into_iter().collect()).await;
    for (key, result) in removed {
        result.map_err(|e| Failure::from(e).within(format!("deleting {key:?} with many others")))?;
    }
    same!(place.all_names().await?, Vec::<String>::new(), "what is left");
    Ok(Outcome::Passed)
}
