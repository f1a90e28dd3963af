//! Attributes between two stores: what is sent, and what came back.

use std::collections::BTreeMap;

use cabotage_core::{
    Attributes, Capabilities, ContentHeaders, Loss, LossName, ObjectInfo, Timestamp, display_text,
};

/// The metadata name under which the time of the last write is kept, as rclone does.
pub(crate) const MTIME: &str = "mtime";

/// What of an object's attributes a destination can hold: the rest was named as losses before and accepted.
pub(crate) fn fit(source: &Attributes, destination: &Capabilities) -> Attributes {
    let mut fitted = Attributes::default();
    for (name, value) in source.headers.entries() {
        let mut one = Attributes::default();
        one.headers.set(name, value.map(str::to_owned));
        if value.is_some() && destination.attribute_losses(&one).is_empty() {
            fitted.headers.set(name, value.map(str::to_owned));
        }
    }
    for (name, value) in &source.metadata {
        let one = Attributes { metadata: [(name.clone(), value.clone())].into(), ..Attributes::default() };
        if destination.attribute_losses(&one).iter().all(|loss| is_renaming(destination, name, loss)) {
            fitted.metadata.insert(name.clone(), value.clone());
        }
    }
    drop_colliding(&mut fitted, destination);
    let total: usize = fitted.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if destination.metadata.max_bytes.is_some_and(|max| total > max) {
        fitted.metadata.clear();
    }
    let holds = |tag: (&String, &String)| {
        let tags = Some([(tag.0.clone(), tag.1.clone())].into());
        destination.attribute_losses(&Attributes { tags, ..Attributes::default() }).is_empty()
    };
    fitted.tags = source.tags.as_ref().map(|tags| {
        let held = tags.iter().filter(|tag| holds(*tag)).take(destination.tags.max);
        held.map(|(key, value)| (key.clone(), value.clone())).collect()
    });
    fitted
}

/// A loss of the name only, with which the entry can still be sent.
fn is_renaming(destination: &Capabilities, name: &str, loss: &Loss) -> bool {
    loss.name == LossName::MetadataNameCase
        || (loss.name == LossName::MetadataNameChanged && destination.metadata.kept_name(name).is_some())
}

/// Of names that fall together at the destination, only the first in byte order is sent.
fn drop_colliding(fitted: &mut Attributes, destination: &Capabilities) {
    let mut seen = std::collections::BTreeSet::new();
    fitted.metadata.retain(|name, _| {
        destination
            .metadata
            .kept_name(name)
            .is_some_and(|kept| seen.insert(destination.metadata.folded(kept)))
    });
}

/// The time of the last write: that kept in metadata, else the store's own.
pub(crate) fn modified(info: &ObjectInfo) -> Option<Timestamp> {
    let kept = info.attributes.as_ref().and_then(|attributes| {
        attributes
            .metadata
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(MTIME))
            .and_then(|(_, value)| parse_mtime(value))
    });
    kept.or(info.modified)
}

/// rclone's form: seconds since 1970 with a fraction, or RFC 3339.
fn parse_mtime(value: &str) -> Option<Timestamp> {
    if let Ok(time) = value.parse::<Timestamp>() {
        return Some(time);
    }
    let (seconds, fraction) = value.split_once('.').unwrap_or((value, ""));
    let digits: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    let nanos: i32 = digits.parse().ok()?;
    let sign = if value.starts_with('-') { -1 } else { 1 };
    Timestamp::new(seconds.parse().ok()?, sign * nanos).ok()
}

/// Seconds since 1970 with nine digits of fraction, as rclone's S3 backend writes it.
pub(crate) fn format_mtime(time: Timestamp) -> String {
    let (seconds, nanos) = (time.as_second(), time.subsec_nanosecond());
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    format!("{sign}{}.{:09}", seconds.unsigned_abs(), nanos.unsigned_abs())
}

/// What came back otherwise than it was sent. What the server added of its own is no loss.
pub(crate) fn compare(sent: &Attributes, stored: &Attributes, destination: &Capabilities) -> Vec<Loss> {
    let mut losses = Vec::new();
    compare_headers(&sent.headers, &stored.headers, &mut losses);
    let folded: BTreeMap<String, (&String, &String)> =
        stored.metadata.iter().map(|(name, value)| (name.to_ascii_lowercase(), (name, value))).collect();
    for (name, value) in &sent.metadata {
        let expected = destination.metadata.kept_name(name).unwrap_or_else(|| name.clone());
        let shown = display_text(name);
        match folded.get(&expected.to_ascii_lowercase()) {
            None => {
                losses.push(Loss::new(LossName::MetadataNameChanged, format!("{shown} did not come back")));
            }
            Some((_, back)) if *back != value => {
                losses.push(Loss::new(
                    LossName::MetadataValueChanged,
                    format!("the value of {shown} came back changed"),
                ));
            }
            Some((back, _)) if **back != expected => {
                losses.push(Loss::new(LossName::MetadataNameCase, format!("{shown} came back as {back}")));
            }
            Some(_) => {}
        }
    }
    if let Some(tags) = sent.tags.as_ref().filter(|tags| !tags.is_empty()) {
        compare_tags(tags, stored, &mut losses);
    }
    losses
}

/// What servers give to objects that were written without a content type.
const DEFAULT_TYPES: &[&str] = &["application/octet-stream", "binary/octet-stream"];

/// Whether there are more headers, metadata or tags than were sent. A server's default content type counts as none, nor does
/// the time of the last write, which an earlier run may have kept.
pub(crate) fn holds_more(sent: &Attributes, stored: &Attributes) -> bool {
    let tags = |attributes: &Attributes| attributes.tags.as_ref().map_or(0, BTreeMap::len);
    let is_default = |value: &str| DEFAULT_TYPES.contains(&value);
    let headers = sent.headers.entries().into_iter().zip(stored.headers.entries());
    let more_headers = headers
        .into_iter()
        .any(|((_, sent), (_, stored))| sent.is_none() && stored.is_some_and(|v| !is_default(v)));
    let metadata = |attributes: &Attributes| {
        attributes.metadata.keys().filter(|name| !name.eq_ignore_ascii_case(MTIME)).count()
    };
    more_headers || metadata(stored) > metadata(sent) || tags(stored) > tags(sent)
}

fn compare_headers(sent: &ContentHeaders, stored: &ContentHeaders, losses: &mut Vec<Loss>) {
    for ((name, sent), (_, stored)) in sent.entries().into_iter().zip(stored.entries()) {
        if sent.is_some() && sent != stored {
            losses.push(Loss::new(
                LossName::HeaderDropped,
                format!("{name} came back as {}", stored.unwrap_or("nothing")),
            ));
        }
    }
}

fn compare_tags(sent: &cabotage_core::Tags, stored: &Attributes, losses: &mut Vec<Loss>) {
    for (key, value) in sent {
        match stored.tags.as_ref().map(|tags| tags.get(key)) {
            None => losses.push(Loss::new(LossName::TagDropped, format!("tag {key} can't be read back"))),
            Some(None) => {
                losses.push(Loss::new(LossName::TagDropped, format!("tag {key} did not come back")));
            }
            Some(Some(back)) if back != value => {
                losses.push(Loss::new(LossName::TagDropped, format!("tag {key} came back changed")));
            }
            Some(Some(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cabotage_core::{MetadataNames, MetadataRules, TagRules};

    fn attributes(metadata: &[(&str, &str)], tags: &[(&str, &str)]) -> Attributes {
        let own =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Attributes { metadata: own(metadata), tags: Some(own(tags)), ..Attributes::default() }
    }

    fn rgw() -> Capabilities {
        let metadata = MetadataRules {
            names: MetadataNames::LowerCaseHyphen,
            header_values: true,
            ..Default::default()
        };
        let tags = TagRules { max: 1, key_max: 128, value_max: 256, ..Default::default() };
        Capabilities { metadata, tags, headers: Capabilities::all_headers(), ..Default::default() }
    }

    #[test]
    fn what_cannot_be_held_is_not_sent() {
        let source = attributes(
            &[("a-b", "1"), ("a_b", "2"), ("c_d", "3"), ("bad\n", "4"), ("e", "x\ny")],
            &[("t", "1"), ("u", "2")],
        );
        let sent = fit(&source, &rgw());
        assert_eq!(sent, attributes(&[("a-b", "1"), ("c_d", "3")], &[("t", "1")]));
        assert_eq!(fit(&sent, &rgw()), sent);
    }

    #[test]
    fn what_comes_back_changed_is_named() {
        let sent = attributes(&[("Owner_id", "1"), ("b", "2")], &[("t", "1")]);
        assert_eq!(
            compare(
                &sent,
                &attributes(&[("owner-id", "1"), ("b", "2"), ("extra", "x")], &[("t", "1")]),
                &rgw()
            ),
            []
        );
        let names = |stored: Attributes| {
            compare(&sent, &stored, &rgw()).iter().map(|l| l.name.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(
            names(attributes(&[("owner-id", "1")], &[("t", "2")])),
            ["metadata-name-changed", "tag-dropped"]
        );
        assert_eq!(
            names(attributes(&[("owner-id", "0"), ("B", "2")], &[("t", "1")])),
            ["metadata-name-case", "metadata-value-changed"].iter().rev().copied().collect::<Vec<_>>()
        );
    }

    #[test]
    fn what_was_not_sent_is_more() {
        let sent = attributes(&[("a", "1")], &[("t", "1")]);
        assert!(!holds_more(&sent, &sent));
        assert!(holds_more(&sent, &attributes(&[("a", "1"), ("b", "1")], &[("t", "1")])));
        assert!(holds_more(&sent, &attributes(&[("a", "1")], &[("t", "1"), ("u", "1")])));
        for (content_type, more) in [("binary/octet-stream", false), ("text/plain", true)] {
            let mut stored = sent.clone();
            stored.headers.content_type = Some(content_type.into());
            assert_eq!(holds_more(&sent, &stored), more, "{content_type}");
        }
    }

    #[test]
    fn a_server_default_is_no_loss() {
        let mut stored = Attributes::default();
        stored.headers.content_type = Some("binary/octet-stream".into());
        assert_eq!(compare(&Attributes::default(), &stored, &rgw()), []);
        let mut sent = Attributes::default();
        sent.headers.content_type = Some("text/plain".into());
        assert_eq!(compare(&sent, &stored, &rgw())[0].name, LossName::HeaderDropped);
    }

    #[test]
    fn mtime_reads_back() {
        for nanos in [0, 1_700_000_000_123_456_789, -1_500_000_000, -500_000_000] {
            let time = Timestamp::from_nanosecond(nanos).unwrap();
            assert_eq!(parse_mtime(&format_mtime(time)), Some(time), "{nanos}");
        }
        assert_eq!(
            format_mtime(Timestamp::from_nanosecond(1_700_000_000_120_000_000).unwrap()),
            "1700000000.120000000"
        );
        assert_eq!(parse_mtime("2026-01-02T03:04:05Z").unwrap().as_second(), 1_767_323_045);
        assert_eq!(parse_mtime("x"), None);
    }
}
