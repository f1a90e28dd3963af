//! Tiers: a write's tier is told by heads and listings, and a tier that the store doesn't know is refused by name.

use std::sync::Arc;

use cabotage_core::{
    Detail, ErrorKind, Key, ListItem, ListScope, Payload, Result, TierClass, WriteOptions, Written,
};

use super::attributes::{compare, full};
use super::uploads::Cut;
use crate::check::{Verdict, refused};
use crate::{Failure, Outcome, Place, Trial};

pub(super) fn trials() -> Vec<Trial> {
    trials! { "tier":
        told, unknown_is_refused, of_an_upload, replaced, kept_with_new_attributes, of_a_copy,
        archived_is_not_readable,
    }
}

fn with_tier(name: &str) -> WriteOptions {
    WriteOptions { tier: Some(name.to_owned()), ..WriteOptions::default() }
}

async fn put(place: &Place, key: &Key, tier: &str) -> Result<Written> {
    place.store.write(key, Payload::from_bytes("content"), with_tier(tier)).await
}

/// The store's tiers whose objects can be read at once.
fn readable(place: &Place) -> Vec<String> {
    let known = place.capabilities().tiers.known.iter();
    known.filter(|(_, class)| **class != TierClass::Archive).map(|(name, _)| name.clone()).collect()
}

/// Ends the trial where the store declares fewer tiers that can be read at once.
macro_rules! needs_tiers {
    ($place:expr, $count:literal) => {{
        let names = readable(&$place);
        if names.len() < $count {
            return Outcome::skipped(format!("the store declares {} tiers readable at once", names.len()));
        }
        names
    }};
}

async fn tier_of(place: &Place, key: &Key) -> Result<Option<String>, Failure> {
    let tier = place.head(key).await?.tier;
    if let Some(tier) = &tier
        && let Some(class) = place.capabilities().tiers.known.get(&tier.name)
    {
        same!(tier.class, *class, "the class told of {}", tier.name);
    }
    Ok(tier.map(|tier| tier.name))
}

async fn told(place: Arc<Place>) -> Verdict {
    let known: Vec<String> = place.capabilities().tiers.known.keys().cloned().collect();
    if known.is_empty() {
        return Outcome::skipped("the store declares no tiers");
    }
    for name in &known {
        let key = place.key(&format!("in-{name}"))?;
        put(&place, &key, name).await?;
        same!(tier_of(&place, &key).await?.as_ref(), Some(name), "the tier that a head tells");
    }
    for item in place.items(ListScope::prefix(&place.prefix)).await? {
        let ListItem::Object(info) = item else { continue };
        let wanted = info.key.as_str().rsplit('-').next().unwrap_or_default();
        if let Some(tier) = info.tier {
            same!(tier.name, wanted, "the tier that the listing tells");
        }
    }
    Ok(Outcome::Passed)
}

async fn unknown_is_refused(place: Arc<Place>) -> Verdict {
    let (key, over) = (place.key("x")?, place.key("over")?);
    place.put(&over, "old content").await?;
    for name in ["no-such-tier", "", "hot\r\nx-header: y"] {
        if place.capabilities().tiers.known.contains_key(name) {
            continue;
        }
        refused(put(&place, &key, name).await, &[ErrorKind::Unsupported], format!("writing into {name:?}"))?;
        check!(!place.exists(&key).await?, "a write refused for its tier made an object");
        refused(put(&place, &over, name).await, &[ErrorKind::Unsupported], format!("writing into {name:?}"))?;
        if place.capabilities().uploads {
            let started = place.store.start_upload(&key, with_tier(name)).await;
            refused(started, &[ErrorKind::Unsupported], format!("an upload into {name:?}"))?;
        }
    }
    same!(place.get(&over).await?, "old content", "the content after refused writes");
    Ok(Outcome::Passed)
}

async fn of_an_upload(place: Arc<Place>) -> Verdict {
    let names = needs_tiers!(place, 1);
    if !place.capabilities().uploads {
        return Outcome::skipped("the store declares no uploads in parts");
    }
    let cut = Cut::of_three(&place);
    for name in names {
        let key = place.key(&format!("in-{name}"))?;
        let upload = place.store.start_upload(&key, with_tier(&name)).await?;
        let parts = cut.send_all(&upload).await?;
        upload.complete(&parts).await?;
        same!(tier_of(&place, &key).await?, Some(name), "the tier of a completed upload");
        check!(place.get(&key).await? == *cut.content(), "the upload comes back changed");
    }
    Ok(Outcome::Passed)
}

/// A write says which tier the new object is in, wherever the old one was.
async fn replaced(place: Arc<Place>) -> Verdict {
    let names = needs_tiers!(place, 2);
    let key = place.key("moved")?;
    for name in names.iter().chain(names.iter().rev()) {
        put(&place, &key, name).await?;
        same!(tier_of(&place, &key).await?.as_ref(), Some(name), "the tier after an overwrite");
    }
    Ok(Outcome::Passed)
}

async fn kept_with_new_attributes(place: Arc<Place>) -> Verdict {
    let names = needs_tiers!(place, 1);
    if !place.capabilities().set_attributes {
        return Outcome::skipped("the store declares that it can't set attributes alone");
    }
    for name in names {
        let key = place.key(&format!("in-{name}"))?;
        put(&place, &key, &name).await?;
        let attributes = full(place.capabilities());
        place.store.set_attributes(&key, &attributes, None).await?;
        same!(tier_of(&place, &key).await?, Some(name), "the tier after attributes were set");
        let info = place.store.head(&key, Detail::WithTags).await?;
        compare(place.capabilities(), &attributes, info.attributes.as_ref())?;
    }
    Ok(Outcome::Passed)
}

async fn of_a_copy(place: Arc<Place>) -> Verdict {
    let names = needs_tiers!(place, 1);
    if !place.capabilities().copy_within {
        return Outcome::skipped("the store declares no copies within it");
    }
    let from = place.key("from")?;
    place.put(&from, "content").await?;
    for name in names {
        let to = place.key(&format!("in-{name}"))?;
        place.store.copy_within(&from, None, &to, with_tier(&name)).await?;
        same!(tier_of(&place, &to).await?, Some(name), "the copy's tier");
        same!(place.get(&to).await?, "content", "the copy's content");
    }
    let copied = place.store.copy_within(&from, None, &place.key("to")?, with_tier("no-such-tier")).await;
    refused(copied, &[ErrorKind::Unsupported], "a copy into a tier that there isn't")?;
    Ok(Outcome::Passed)
}

/// It is listed and told, `Archived` when it is read, and can be deleted and replaced.
async fn archived_is_not_readable(place: Arc<Place>) -> Verdict {
    let known = &place.capabilities().tiers.known;
    let Some((name, _)) = known.iter().find(|(_, class)| **class == TierClass::Archive) else {
        return Outcome::skipped("the store declares no archive tier");
    };
    let (key, gone) = (place.key("archived")?, place.key("gone")?);
    for key in [&key, &gone] {
        put(&place, key, name).await?;
    }
    same!(place.head(&key).await?.size, 7, "the size of an archived object");
    refused(place.get(&key).await, &[ErrorKind::Archived], "reading an archived object")?;
    place.remove(&gone).await?;
    same!(place.all_names().await?, ["archived"], "the names");
    place.remove(&key).await?;
    place.put(&key, "readable").await?;
    same!(place.get(&key).await?, "readable", "what was written where an archived object was");
    Ok(Outcome::Passed)
}
