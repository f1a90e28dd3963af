use super::*;
use crate::{Tags, Tier};

fn names(capabilities: &Capabilities, attributes: Attributes) -> Vec<&'static str> {
    let mut info = ObjectInfo::new(Key::new("k").unwrap(), 1);
    info.attributes = Some(attributes);
    capabilities.losses(&info).iter().map(|loss| loss.name.as_str()).collect()
}

fn metadata(pairs: &[(&str, &str)]) -> Attributes {
    let metadata = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    Attributes { metadata, ..Attributes::default() }
}

#[test]
fn metadata_names() {
    let rules = |names| Capabilities {
        metadata: MetadataRules { names, ..Default::default() },
        ..Default::default()
    };
    for (kind, name, losses) in [
        (MetadataNames::Kept, "any thing", vec![]),
        (MetadataNames::LowerCase, "owner", vec![]),
        (MetadataNames::LowerCase, "Owner", vec!["metadata-name-case"]),
        (MetadataNames::LowerCase, "own er", vec!["metadata-name-changed"]),
        (MetadataNames::LowerCaseHyphen, "owner_id", vec!["metadata-name-changed"]),
        (MetadataNames::Identifier, "owner-id", vec!["metadata-name-changed"]),
        (MetadataNames::Identifier, "Owner_1", vec![]),
    ] {
        assert_eq!(names(&rules(kind), metadata(&[(name, "v")])), losses, "{kind:?} {name}");
    }
    let hyphen = rules(MetadataNames::LowerCaseHyphen);
    assert_eq!(
        names(&hyphen, metadata(&[("a-b", "1"), ("a_b", "2")])).len(),
        2,
        "the collision is named too"
    );
}

#[test]
fn metadata_values_and_size() {
    let rules = MetadataRules { header_values: true, max_bytes: Some(8), ..Default::default() };
    let capabilities = Capabilities { metadata: rules, ..Default::default() };
    assert_eq!(names(&capabilities, metadata(&[("n", "é ok")])), Vec::<&str>::new());
    assert_eq!(names(&capabilities, metadata(&[("n", "a\nb")])), ["metadata-value-changed"]);
    assert_eq!(names(&capabilities, metadata(&[("n", " a")])), ["metadata-value-changed"]);
    assert_eq!(names(&capabilities, metadata(&[("n", "12345678")])), ["metadata-too-large"]);
}

#[test]
fn tags_headers_tiers() {
    let none = Capabilities::default();
    let tags: Tags = [("k".to_owned(), "v".to_owned())].into();
    assert_eq!(names(&none, Attributes { tags: Some(tags.clone()), ..Default::default() }), ["tag-dropped"]);
    let ten = TagRules {
        max: 10,
        key_max: 128,
        value_max: 256,
        punctuation: Some("+-=._:/".into()),
        ascii_only: false,
    };
    let holds = Capabilities { tags: ten, headers: Capabilities::all_headers(), ..Default::default() };
    assert_eq!(names(&holds, Attributes { tags: Some(tags), ..Default::default() }), Vec::<&str>::new());
    let odd: Tags = [("k!".to_owned(), "v".to_owned())].into();
    assert_eq!(names(&holds, Attributes { tags: Some(odd), ..Default::default() }), ["tag-dropped"]);
    let mut typed = Attributes::default();
    typed.headers.content_type = Some("text/plain".into());
    assert_eq!(names(&none, typed.clone()), ["header-dropped"]);
    assert_eq!(names(&holds, typed), Vec::<&str>::new());
    let mut info = ObjectInfo::new(Key::new("k").unwrap(), 1);
    info.uncarried = [("expires".to_owned(), "0".to_owned())].into();
    assert_eq!(holds.losses(&info)[0], Loss::new(LossName::HeaderDropped, "expires is not carried"));
    info.uncarried.clear();
    info.tier = Some(Tier { name: "Hot".into(), class: TierClass::Default });
    assert_eq!(none.losses(&info)[0].name, LossName::TierMapped);
}

#[test]
fn keys() {
    let azure = KeyRules {
        max_utf16: Some(3),
        max_segments: Some(2),
        refuses_control: true,
        refuses_dot_segments: true,
        ..Default::default()
    };
    let capabilities = Capabilities { keys: azure, ..Default::default() };
    for (key, ok) in [
        ("abc", true),
        ("abcd", false),
        ("😀a", true),
        ("😀ab", false),
        ("a/b", true),
        ("//a", false),
        ("a\u{1}", false),
        ("../", false),
    ] {
        assert_eq!(capabilities.accepts(&Key::new(key).unwrap()).is_ok(), ok, "{key:?}");
    }
}

#[test]
fn keys_by_segment() {
    let rules = KeyRules { refuses_empty_segments: true, max_segment_bytes: Some(4), ..Default::default() };
    let capabilities = Capabilities { keys: rules, ..Default::default() };
    for (key, ok) in [
        ("a/b", true),
        ("abcd/éé", true),
        ("a/abcde", false),
        ("a/ééé", false),
        ("a//b", false),
        ("/a", false),
        ("a/", false),
        ("/", false),
        ("a/../b", true),
    ] {
        assert_eq!(capabilities.accepts(&Key::new(key).unwrap()).is_ok(), ok, "{key:?}");
    }
}

/// Asked of every pair of names of a few characters.
#[test]
fn an_order_goes_on_as_bytes_do_or_says_that_it_does_not() {
    let pieces = ["", "a", "\u{d7ff}", "\u{e000}", "\u{ffff}", "\u{10000}", "\u{10ffff}"];
    let names: Vec<_> = pieces.iter().flat_map(|a| pieces.iter().map(move |b| format!("{a}{b}"))).collect();
    let after = |name: &String, comes: &dyn Fn(&String, &String) -> bool| -> Vec<_> {
        names.iter().filter(|other| comes(name, other)).cloned().collect()
    };
    for name in &names {
        let bytes = after(name, &|name, other| other > name);
        let utf16 = after(name, &|name, other| other.encode_utf16().gt(name.encode_utf16()));
        assert_eq!(ListOrder::Utf16.goes_on_as_bytes_after(name), bytes == utf16, "{name:?}");
        assert!(
            ListOrder::Bytes.goes_on_as_bytes_after(name) && !ListOrder::None.goes_on_as_bytes_after(name)
        );
    }
}
