use cabotage_core::{Operation, Tags};
use http::Method;

use super::*;

fn rules(provider: &str) -> Capabilities {
    crate::capabilities::of(cabotage_providers::find(provider).unwrap(), None)
}

fn key() -> Key {
    Key::new("k").unwrap()
}

fn metadata_of(pairs: &[(&str, &str)]) -> Attributes {
    let metadata = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    Attributes { metadata, ..Attributes::default() }
}

#[test]
fn what_cannot_be_held_is_refused() {
    let ceph = rules("ceph");
    let eleven: Tags = (0..11).map(|i| (format!("k{i}"), String::new())).collect();
    for (attributes, fits) in [
        (metadata_of(&[("Owner_Id", "x"), ("b", "é  y")]), true),
        (metadata_of(&[("a_b", "1"), ("a-b", "2")]), false),
        (metadata_of(&[("A", "1"), ("a", "2")]), false),
        (metadata_of(&[("a b", "1")]), false),
        (metadata_of(&[("a", "x\ny")]), false),
        (metadata_of(&[("a", " x")]), false),
        (metadata_of(&[("a", &"x".repeat(15_001))]), false),
        (Attributes { tags: Some(eleven), ..Attributes::default() }, false),
    ] {
        let options = WriteOptions { attributes: attributes.clone(), ..WriteOptions::default() };
        let result = check_options(&ceph, &key(), &options);
        assert_eq!(result.is_ok(), fits, "{attributes:?}");
    }
    let tiered = WriteOptions { tier: Some("Hot".into()), ..WriteOptions::default() };
    assert_eq!(check_options(&ceph, &key(), &tiered).unwrap_err().kind(), ErrorKind::Unsupported);
    let long = Key::new("x".repeat(1025)).unwrap();
    let error = check_options(&ceph, &long, &WriteOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyRejected);
}

#[test]
fn attributes_on_the_wire_and_back() {
    let mut attributes = metadata_of(&[("owner", "Zo\u{eb} \u{1F600}"), ("e", "")]);
    attributes.headers.content_type = Some("text/plain; charset=utf-8".into());
    attributes.headers.cache_control = Some("no-cache".into());
    let call = Call::new(Operation::Write, Method::PUT, "/k");
    let mut headers = with_attributes(call, &attributes).unwrap().headers;
    headers.insert("etag", "\"abc\"".parse().unwrap());
    headers.insert("last-modified", "Tue, 24 Nov 2026 21:49:13 GMT".parse().unwrap());
    headers.insert("x-amz-version-id", "null".parse().unwrap());
    let profile = cabotage_providers::find("ceph").unwrap();
    headers.insert("x-amz-tagging-count", "1".parse().unwrap());
    let counted = super::info(&key(), 5, &headers, profile).unwrap();
    assert_eq!(counted.attributes, Some(attributes.clone()), "which tags there are is not told");
    headers.remove("x-amz-tagging-count");
    let info = info(&key(), 5, &headers, profile).unwrap();
    attributes.tags = Some(Tags::new());
    assert_eq!(info.attributes, Some(attributes));
    assert_eq!(info.etag, Some(ETag::new("abc")));
    assert_eq!(info.version, None);
    assert_eq!(info.modified.unwrap().to_string(), "2026-11-24T21:49:13Z");
    assert_eq!(info.tier.unwrap(), Tier { name: "STANDARD".into(), class: TierClass::Default });
}

#[test]
fn what_cannot_be_read_is_an_error_not_a_loss() {
    let profile = cabotage_providers::generic().unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-meta-a", HeaderValue::from_bytes(b"\xe9").unwrap());
    assert_eq!(info(&key(), 0, &headers, profile).unwrap_err().kind(), ErrorKind::Unsupported);
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-missing-meta", "2".parse().unwrap());
    assert_eq!(info(&key(), 0, &headers, profile).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn an_archived_object_that_was_restored_is_readable() {
    let profile = cabotage_providers::find("aws").unwrap();
    let class = |restore: Option<&str>| {
        let mut headers = HeaderMap::new();
        headers.insert(STORAGE_CLASS, "GLACIER".parse().unwrap());
        if let Some(restore) = restore {
            headers.insert(RESTORE, restore.parse().unwrap());
        }
        info(&key(), 0, &headers, profile).unwrap().tier.unwrap().class
    };
    assert_eq!(class(None), TierClass::Archive);
    assert_eq!(class(Some("ongoing-request=\"true\"")), TierClass::Archive);
    assert_eq!(class(Some("ongoing-request=\"false\", expiry-date=\"x\"")), TierClass::Infrequent);
}

#[test]
fn headers_that_are_not_carried_are_told() {
    let mut headers = HeaderMap::new();
    headers.insert("expires", "Thu, 01 Dec 2026 16:00:00 GMT".parse().unwrap());
    headers.insert("x-amz-website-redirect-location", "/elsewhere".parse().unwrap());
    let profile = cabotage_providers::find("ceph").unwrap();
    let told = info(&key(), 1, &headers, profile).unwrap().uncarried;
    let told: Vec<_> = told.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        told,
        [("expires", "Thu, 01 Dec 2026 16:00:00 GMT"), ("x-amz-website-redirect-location", "/elsewhere")]
    );
}

#[test]
fn published_digests() {
    let value = BASE64.encode(Sha256::of(b"").0);
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-checksum-sha256", value.parse().unwrap());
    assert_eq!(digests(&headers)[0].scope, DigestScope::Whole);
    headers.insert("x-amz-checksum-sha256", format!("{value}-3").parse().unwrap());
    assert_eq!(digests(&headers)[0].scope, DigestScope::Composite { parts: 3 });
    headers.insert("x-amz-checksum-sha256", "bm9wZQ==".parse().unwrap());
    assert!(digests(&headers).is_empty());
}

#[test]
fn ranges() {
    use ReadRange::{Bounded, From, Suffix};
    for (range, header) in [
        (Bounded { start: 2, end: 5 }, Some("bytes=2-4")),
        (From(7), Some("bytes=7-")),
        (Suffix(3), Some("bytes=-3")),
        (Bounded { start: 5, end: 5 }, None),
        (Suffix(0), None),
    ] {
        assert_eq!(range_header(range).ok().as_deref(), header, "{range:?}");
    }
    let told = |text: &str, asked| {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_RANGE, text.parse().unwrap());
        content_range(&headers, asked)
    };
    assert_eq!(told("bytes 2-4/10", Bounded { start: 2, end: 5 }).unwrap(), (2..5, 10));
    assert_eq!(told("bytes 7-9/10", Suffix(3)).unwrap(), (7..10, 10));
    for (text, asked) in [
        ("bytes 0-4/10", Bounded { start: 2, end: 5 }),
        ("bytes 2-3/10", Bounded { start: 2, end: 5 }),
        ("bytes 2-4/*", Bounded { start: 2, end: 5 }),
        ("bytes 2-18446744073709551615/10", From(2)),
        ("2-4/10", Bounded { start: 2, end: 5 }),
    ] {
        assert_eq!(told(text, asked).unwrap_err().kind(), ErrorKind::Protocol, "{text}");
    }
    assert_eq!(content_range(&HeaderMap::new(), From(0)).unwrap_err().kind(), ErrorKind::Protocol);
}

#[test]
fn dates() {
    let time: Timestamp = "2026-11-24T21:49:13.7Z".parse().unwrap();
    assert_eq!(format_http_date(time).as_deref(), Some("Tue, 24 Nov 2026 21:49:13 GMT"));
}
