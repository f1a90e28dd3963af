//! Copies within the store, attributes set alone: done where declared, refused by name elsewhere.

use std::sync::Arc;

use cabotage_core::{Attributes, Detail, ErrorKind, Metadata, WriteOptions};

use super::attributes::{compare, full};
use crate::check::{Verdict, refused};
use crate::{Outcome, Place, Trial};

pub(super) fn trials() -> Vec<Trial> {
    let mut all = trials! { "copy_within":
        copy, copy_of_a_state, copy_of_nothing, copy_to_awkward_names, copy_of_dot_segments,
    };
    all.extend(trials! { "set_attributes": set, set_in_a_state, set_on_nothing });
    all
}

/// True where the store declares copying; else it has been seen to refuse it by name.
async fn copies(place: &Place) -> Result<bool, crate::Failure> {
    if place.capabilities().copy_within {
        return Ok(true);
    }
    let key = place.key("from")?;
    place.put(&key, "x").await?;
    let copied = place.store.copy_within(&key, None, &place.key("to")?, WriteOptions::default()).await;
    refused(copied, &[ErrorKind::Unsupported], "a copy that the store declares not to do")?;
    Ok(false)
}

fn no_copies() -> Verdict {
    Outcome::skipped("the store declares no copies within it; it refuses them by name")
}

async fn copy(place: Arc<Place>) -> Verdict {
    if !copies(&place).await? {
        return no_copies();
    }
    let (from, to) = (place.key("from")?, place.key("to")?);
    let attributes = full(place.capabilities());
    place.put_with(&from, "content", &attributes).await?;
    place.put(&to, "replaced").await?;
    let written = place.store.copy_within(&from, None, &to, WriteOptions::default()).await?;
    same!(place.get(&to).await?, "content", "the copy's content");
    let info = place.store.head(&to, Detail::WithTags).await?;
    same!(written.etag, info.etag, "the ETag that the copy tells");
    compare(place.capabilities(), &attributes, info.attributes.as_ref())?;
    same!(place.get(&from).await?, "content", "the source's content");
    Ok(Outcome::Passed)
}

async fn copy_of_a_state(place: Arc<Place>) -> Verdict {
    if !copies(&place).await? {
        return no_copies();
    }
    let (from, to) = (place.key("from")?, place.key("to")?);
    place.put(&from, "one").await?;
    let stale = place.head(&from).await?.etag;
    place.put(&from, "two").await?;
    let current = place.head(&from).await?.etag;
    let copied = place.store.copy_within(&from, stale.as_ref(), &to, WriteOptions::default()).await;
    refused(copied, &[ErrorKind::PreconditionFailed], "a copy of a state that is gone")?;
    check!(!place.exists(&to).await?, "a refused copy made an object");
    place.store.copy_within(&from, current.as_ref(), &to, WriteOptions::default()).await?;
    same!(place.get(&to).await?, "two", "the copy's content");
    Ok(Outcome::Passed)
}

async fn copy_of_nothing(place: Arc<Place>) -> Verdict {
    if !copies(&place).await? {
        return no_copies();
    }
    let (from, to) = (place.key("missing")?, place.key("to")?);
    let copied = place.store.copy_within(&from, None, &to, WriteOptions::default()).await;
    refused(copied, &[ErrorKind::NotFound], "a copy of nothing")?;
    Ok(Outcome::Passed)
}

/// A source's name travels in a header or a URL of its own.
async fn copy_to_awkward_names(place: Arc<Place>) -> Verdict {
    if !copies(&place).await? {
        return no_copies();
    }
    for name in ["a b+c%2F?d#e&f", "a//b/", "caf\u{e9}\u{1F600}", "q\"<>'", "?versionId=1"] {
        let (from, to) = (place.key(&format!("from/{name}"))?, place.key(&format!("to/{name}"))?);
        if place.capabilities().accepts(&from).is_err() {
            continue;
        }
        place.put(&from, name).await?;
        place.store.copy_within(&from, None, &to, WriteOptions::default()).await?;
        same!(place.get(&to).await?, name, "the content of {to:?}");
    }
    Ok(Outcome::Passed)
}

/// A source's name with dot segments never stands for another object.
async fn copy_of_dot_segments(place: Arc<Place>) -> Verdict {
    if !copies(&place).await? {
        return no_copies();
    }
    let (from, to, alike) = (place.key("x/../y")?, place.key("to")?, place.key("y")?);
    if place.capabilities().accepts(&from).is_err() {
        return Outcome::skipped("the store declares that it holds no dot segments");
    }
    place.put(&alike, "another object").await?;
    place.put(&from, "content").await?;
    match place.store.copy_within(&from, None, &to, WriteOptions::default()).await {
        Ok(_) => same!(place.get(&to).await?, "content", "the copy's content"),
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            check!(!place.exists(&to).await?, "a refused copy made an object");
            return Outcome::skipped("the store refuses by name to copy from names with dot segments");
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Outcome::Passed)
}

/// True where the store declares it; else it has been seen to refuse it by name.
async fn sets(place: &Place) -> Result<bool, crate::Failure> {
    if place.capabilities().set_attributes {
        return Ok(true);
    }
    let key = place.key("set")?;
    place.put(&key, "x").await?;
    let set = place.store.set_attributes(&key, &Attributes::default(), None).await;
    refused(set, &[ErrorKind::Unsupported], "setting attributes, which the store declares not to do")?;
    Ok(false)
}

fn no_sets() -> Verdict {
    Outcome::skipped("the store declares that it can't set attributes alone; it refuses by name")
}

/// Attributes are replaced whole; the body stays.
async fn set(place: Arc<Place>) -> Verdict {
    if !sets(&place).await? {
        return no_sets();
    }
    let key = place.key("set")?;
    place.put_with(&key, "content", &full(place.capabilities())).await?;
    let other = Attributes {
        metadata: Metadata::from([("other".into(), "value".into())]),
        tags: full(place.capabilities()).tags.map(|_| [("fresh".into(), "tag".into())].into()),
        ..Attributes::default()
    };
    for attributes in [&other, &full(place.capabilities()), &other] {
        let written = place.store.set_attributes(&key, attributes, None).await?;
        let info = place.store.head(&key, Detail::WithTags).await?;
        compare(place.capabilities(), attributes, info.attributes.as_ref())?;
        same!(written.etag, info.etag, "the ETag told against that of a head");
        same!(place.get(&key).await?, "content", "the content");
    }
    Ok(Outcome::Passed)
}

async fn set_in_a_state(place: Arc<Place>) -> Verdict {
    if !sets(&place).await? {
        return no_sets();
    }
    let key = place.key("set")?;
    place.put(&key, "one").await?;
    let stale = place.head(&key).await?.etag;
    place.put(&key, "two").await?;
    let attributes = full(place.capabilities());
    let set = place.store.set_attributes(&key, &attributes, stale.as_ref()).await;
    refused(set, &[ErrorKind::PreconditionFailed], "setting attributes of a state that is gone")?;
    let current = place.head(&key).await?.etag;
    place.store.set_attributes(&key, &attributes, current.as_ref()).await?;
    let info = place.store.head(&key, Detail::WithTags).await?;
    compare(place.capabilities(), &attributes, info.attributes.as_ref())?;
    Ok(Outcome::Passed)
}

async fn set_on_nothing(place: Arc<Place>) -> Verdict {
    if !sets(&place).await? {
        return no_sets();
    }
    let key = place.key("missing")?;
    let set = place.store.set_attributes(&key, &full(place.capabilities()), None).await;
    refused(set, &[ErrorKind::NotFound], "setting attributes of nothing")?;
    check!(!place.exists(&key).await?, "setting attributes of nothing made an object");
    Ok(Outcome::Passed)
}
