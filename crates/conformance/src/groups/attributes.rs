//! Attributes: what a store declares to hold comes back; what it can't hold is refused, never dropped.

use std::sync::Arc;

use cabotage_core::{
    Attributes, Capabilities, ContentHeaders, Detail, ErrorKind, LossName, Metadata, ReadOptions, Tags,
};

use crate::check::{Verdict, refused};
use crate::{Failure, Outcome, Place, Trial};

pub(super) fn trials() -> Vec<Trial> {
    trials! { "attributes":
        everything, none, replaced_whole, each_header, metadata_names, metadata_values, unholdable_is_refused,
        tags, tags_awkward, too_many_tags, encoded_body_as_stored, told_with_the_body,
    }
}

/// Something of every kind that the store declares to hold.
pub(super) fn full(capabilities: &Capabilities) -> Attributes {
    let mut headers = ContentHeaders::default();
    for (name, value) in [
        ("content-type", "text/x-conformance; charset=utf-8"),
        ("content-encoding", "x-none"),
        ("content-language", "fr-BE"),
        ("content-disposition", "attachment; filename=\"a b.txt\""),
        ("cache-control", "private, max-age=77"),
    ] {
        if capabilities.headers.contains(name) {
            headers.set(name, Some(value.to_owned()));
        }
    }
    let mut metadata =
        Metadata::from([("owner".into(), "someone".into()), ("purpose2".into(), "a trial".into())]);
    if capabilities.metadata.max_bytes == Some(0) {
        metadata.clear();
    }
    let tags = Tags::from([("project".into(), "cabotage".into()), ("stage".into(), "one two".into())]);
    Attributes { headers, metadata, tags: (capabilities.tags.max >= 2).then_some(tags) }
}

/// Compares what came back with what was given, under what the store declares. A header that the object didn't have
/// may come back as the server's default; unknown tags are no tags only where the store has none.
pub(super) fn compare(
    capabilities: &Capabilities,
    given: &Attributes,
    found: Option<&Attributes>,
) -> Result<(), Failure> {
    let found = found.ok_or_else(|| Failure::new("a head tells no attributes"))?;
    for ((name, given), (_, found)) in given.headers.entries().into_iter().zip(found.headers.entries()) {
        let default = given.is_none() && name == "content-type";
        check!(default || given == found, "{name}: found {found:?}, wanted {given:?}");
    }
    let kept = given.metadata.iter().map(|(name, value)| {
        (capabilities.metadata.kept_name(name).unwrap_or_else(|| name.clone()), value.clone())
    });
    same!(found.metadata, kept.collect::<Metadata>(), "the metadata");
    if capabilities.tags.max > 0 {
        same!(found.tags, Some(given.tags.clone().unwrap_or_default()), "the tags");
    }
    Ok(())
}

async fn round_trip(place: &Place, name: &str, attributes: &Attributes) -> Result<(), Failure> {
    let key = place.key(name)?;
    place.put_with(&key, "content", attributes).await?;
    let info = place.store.head(&key, Detail::WithTags).await?;
    compare(place.capabilities(), attributes, info.attributes.as_ref())?;
    same!(place.get(&key).await?, "content", "the content");
    Ok(())
}

/// Refused as unsupported if the store declares a loss of more than a name's spelling, else held.
async fn held_or_refused(place: &Place, name: &str, attributes: &Attributes) -> Result<(), Failure> {
    let losses = place.capabilities().attribute_losses(attributes);
    let spelling =
        |loss: LossName| matches!(loss, LossName::MetadataNameCase | LossName::MetadataNameChanged);
    let lost = losses.iter().any(|loss| !spelling(loss.name));
    let nameless =
        attributes.metadata.keys().any(|name| place.capabilities().metadata.kept_name(name).is_none());
    if !lost && !nameless {
        return round_trip(place, name, attributes).await.map_err(|f| f.within(format!("{attributes:?}")));
    }
    let key = place.key(name)?;
    let write = place.put_with(&key, "content", attributes).await;
    refused(write, &[ErrorKind::Unsupported], format!("writing {attributes:?}, which loses {losses:?}"))?;
    check!(!place.exists(&key).await?, "a write refused for its attributes made an object");
    Ok(())
}

fn with_metadata(name: &str, value: &str) -> Attributes {
    Attributes { metadata: Metadata::from([(name.to_owned(), value.to_owned())]), ..Attributes::default() }
}

fn with_tags<N: Into<String>>(tags: impl IntoIterator<Item = (N, N)>) -> Attributes {
    let tags: Tags = tags.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    Attributes { tags: Some(tags), ..Attributes::default() }
}

async fn everything(place: Arc<Place>) -> Verdict {
    round_trip(&place, "full", &full(place.capabilities())).await?;
    Ok(Outcome::Passed)
}

async fn none(place: Arc<Place>) -> Verdict {
    round_trip(&place, "none", &Attributes::default()).await?;
    Ok(Outcome::Passed)
}

async fn replaced_whole(place: Arc<Place>) -> Verdict {
    let every = full(place.capabilities());
    let other = match place.capabilities().metadata.max_bytes {
        Some(0) => Attributes::default(),
        _ => with_metadata("other", "x"),
    };
    for attributes in [&every, &Attributes::default(), &every, &other, &every] {
        round_trip(&place, "same", attributes).await?;
    }
    Ok(Outcome::Passed)
}

async fn each_header(place: Arc<Place>) -> Verdict {
    let values =
        ["application/x-one", "a;b=\"c d\"", "caf\u{e9}", "two\r\nlines: x", " blanks ", "tab\there"];
    for (header, _) in ContentHeaders::default().entries() {
        for (i, value) in values.iter().enumerate() {
            let mut attributes = Attributes::default();
            attributes.headers.set(header, Some((*value).to_owned()));
            // Beyond ASCII and with tabs, a server may refuse a value that a header could carry.
            if i == 2 || i == 5 {
                held_or_any_refusal(&place, &format!("{header}-{i}"), &attributes).await?;
            } else {
                held_or_refused(&place, &format!("{header}-{i}"), &attributes).await?;
            }
        }
    }
    Ok(Outcome::Passed)
}

/// Held exactly or not stored at all, whatever the store declares.
async fn held_or_any_refusal(place: &Place, name: &str, attributes: &Attributes) -> Result<(), Failure> {
    let key = place.key(name)?;
    let Err(error) = place.put_with(&key, "content", attributes).await else {
        let info = place.store.head(&key, Detail::WithTags).await?;
        let compared = compare(place.capabilities(), attributes, info.attributes.as_ref());
        return compared.map_err(|failure| failure.within(format!("{attributes:?} was accepted")));
    };
    refused(Err::<(), _>(error), &[ErrorKind::Unsupported], format!("writing {attributes:?}"))?;
    check!(!place.exists(&key).await?, "a write refused for its attributes made an object");
    Ok(())
}

async fn metadata_names(place: Arc<Place>) -> Verdict {
    let names = [
        "plain",
        "MixedCase",
        "under_score",
        "hy-phen",
        "dot.ted",
        "digit9",
        "9first",
        "a b",
        "caf\u{e9}",
        "x:y",
        "",
    ];
    for (i, name) in names.iter().enumerate() {
        held_or_refused(&place, &format!("name-{i}"), &with_metadata(name, "value")).await?;
    }
    Ok(Outcome::Passed)
}

async fn metadata_values(place: Arc<Place>) -> Verdict {
    let long = "v".repeat(1_500);
    let values = [
        "plain",
        "two  spaces",
        "=?UTF-8?Q?a?=",
        "100%25+plus",
        "a,b;c=\"d\"",
        "caf\u{e9} \u{1F600}",
        " blank first",
        "blank last ",
        "line\nfeed",
        "carriage\rreturn",
        "nul\0",
        "esc\u{1b}[0m",
        "",
        long.as_str(),
    ];
    for (i, value) in values.iter().enumerate() {
        held_or_refused(&place, &format!("value-{i}"), &with_metadata("name", value)).await?;
    }
    Ok(Outcome::Passed)
}

/// More than the declared limit of metadata.
async fn unholdable_is_refused(place: Arc<Place>) -> Verdict {
    let Some(max) = place.capabilities().metadata.max_bytes else {
        return Outcome::skipped("the store declares no limit of metadata");
    };
    held_or_refused(&place, "too-large", &with_metadata("name", &"v".repeat(max))).await?;
    Ok(Outcome::Passed)
}

async fn tags(place: Arc<Place>) -> Verdict {
    let rules = &place.capabilities().tags;
    if rules.max == 0 {
        held_or_refused(&place, "tagged", &with_tags([("a", "b")])).await?;
        return Ok(Outcome::Passed);
    }
    let most = rules.max.min(10);
    let many = (0..most).map(|i| (format!("key {i}"), format!("value {i}")));
    round_trip(&place, "tagged", &with_tags(many)).await?;
    let (key, value) = ("k".repeat(rules.key_max.min(128)), "v".repeat(rules.value_max.min(256)));
    round_trip(&place, "tagged-long", &with_tags([(key, value)])).await?;
    round_trip(&place, "tagged-empty", &with_tags([("empty", "")])).await?;
    Ok(Outcome::Passed)
}

async fn tags_awkward(place: Arc<Place>) -> Verdict {
    let texts = [
        "a b",
        "a+b",
        "a=b",
        "a/b:c.d-e_f",
        "a&b",
        "a%20b",
        "a@b",
        "caf\u{e9}",
        "<a>",
        "\u{1F600}",
        "q\"'",
        "l\nf",
    ];
    for (i, text) in texts.iter().enumerate() {
        held_or_refused(&place, &format!("tag-{i}"), &with_tags([(*text, "value")])).await?;
        held_or_refused(&place, &format!("tag-value-{i}"), &with_tags([("key", *text)])).await?;
    }
    Ok(Outcome::Passed)
}

async fn too_many_tags(place: Arc<Place>) -> Verdict {
    let Some(count) = place.capabilities().tags.max.checked_add(1).filter(|count| *count <= 1_000) else {
        return Outcome::skipped("the store declares no limit of tags");
    };
    let tags = (0..count).map(|i| (format!("key{i}"), "v".to_owned()));
    held_or_refused(&place, "too-many", &with_tags(tags)).await?;
    Ok(Outcome::Passed)
}

/// A body that says it is compressed is returned as stored, never decoded.
async fn encoded_body_as_stored(place: Arc<Place>) -> Verdict {
    if !place.capabilities().headers.contains("content-encoding") {
        return Outcome::skipped("the store declares that it holds no Content-Encoding");
    }
    // An empty gzip stream (RFC 1952).
    const GZIP: [u8; 20] = [31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let key = place.key("packed.gz")?;
    let mut attributes = Attributes::default();
    attributes.headers.content_encoding = Some("gzip".into());
    let options = cabotage_core::WriteOptions { attributes: attributes.clone(), ..Default::default() };
    place.store.write(&key, cabotage_core::Payload::from_bytes(GZIP.to_vec()), options).await?;
    same!(place.get(&key).await?, GZIP[..], "the content");
    let info = place.store.head(&key, Detail::WithTags).await?;
    same!(info.size, GZIP.len() as u64, "the size");
    compare(place.capabilities(), &attributes, info.attributes.as_ref())?;
    Ok(Outcome::Passed)
}

/// A read tells the headers and metadata that a head tells.
async fn told_with_the_body(place: Arc<Place>) -> Verdict {
    let key = place.key("told")?;
    place.put_with(&key, "content", &full(place.capabilities())).await?;
    let head =
        place.head(&key).await?.attributes.ok_or_else(|| Failure::new("a head tells no attributes"))?;
    let body = place.store.read(&key, ReadOptions::default()).await?.info.attributes;
    let body = body.ok_or_else(|| Failure::new("a read tells no attributes"))?;
    same!(body.headers, head.headers, "the headers told with the body");
    same!(body.metadata, head.metadata, "the metadata told with the body");
    Ok(Outcome::Passed)
}
