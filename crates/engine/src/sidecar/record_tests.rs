use super::*;
use crate::ContentSha256;

fn record(key: &Key) -> Record {
    let source = Origin { store: "s".into(), key: "k".into(), etag: None };
    let content = Content {
        size: 1,
        sha256: ToldSha256::of(Some(ContentSha256::whole(Sha256::of(b"x")))),
        etag: Some(ETag::new("e")),
    };
    Record::new(key, source, content, Original::default(), Stored::default(), Vec::new())
}

#[test]
fn reads_back_and_belongs_to_one_key() {
    for key in ["k", "a\nb", "\u{202e}é😀", "\"}", &"x".repeat(1024)] {
        let key = Key::new(key).unwrap();
        let json = record(&key).to_json().unwrap();
        assert_eq!(Record::parse(&json, &key).unwrap(), record(&key));
        let error = Record::parse(&json, &Key::new("other").unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    }
}

#[test]
fn what_is_none_is_refused() {
    let key = Key::new("k").unwrap();
    let json = String::from_utf8(record(&key).to_json().unwrap()).unwrap();
    for (bytes, why) in [
        ("", "no sidecar"),
        ("{}", "no sidecar"),
        ("[]", "no sidecar"),
        (r#"{"cabotage":"sidecars","format":1,"data":"x"}"#, "no sidecar"),
        (r#"{"cabotage":"sidecar","format":1}"#, "damaged"),
        (&json.replace("\"format\": 1", "\"format\": 2"), "format 2"),
        (&json[..json.len() / 2], "no sidecar"),
    ] {
        let error = Record::parse(bytes.as_bytes(), &key).unwrap_err();
        assert!(error.to_string().contains(why), "{bytes}: {error}");
    }
    assert!(LocationFile::parse(json.as_bytes()).is_err());
}

#[test]
fn places_are_short_and_distinct() {
    let places: std::collections::BTreeSet<_> =
        ["a", "A", "a/", "../a", "ca/978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb.json"]
            .map(|key| place_of(&Key::new(key).unwrap()))
            .into();
    assert_eq!(places.len(), 5);
    for place in places {
        assert_eq!((place.len(), place.matches('/').count()), (70, 1), "{place}");
        assert!(place.bytes().all(|b| b.is_ascii_hexdigit() || b"/.json".contains(&b)), "{place}");
    }
    let a = "ca/978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb.json";
    assert_eq!(place_of(&Key::new("a").unwrap()), a, "places are part of the format");
}
