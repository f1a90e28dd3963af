use cabotage_core::{ETag, Key, Sha256, Tier, TierClass};

use super::super::record::{Content, Origin, Original, Stored};
use super::*;
use crate::ToldSha256;

fn known(content: &[u8]) -> ContentSha256 {
    ContentSha256::whole(Sha256::of(content))
}

fn now() -> ObjectInfo {
    let mut info = ObjectInfo::new(Key::new("k").unwrap(), 1);
    info.etag = Some(ETag::new("e"));
    info.tier = Some(Tier { name: "STANDARD".into(), class: TierClass::Default });
    info.attributes = Some(Attributes {
        metadata: [("owner-id".to_owned(), "1".to_owned())].into(),
        tags: Some(Tags::new()),
        ..Attributes::default()
    });
    info
}

fn record() -> Record {
    let mut original = now();
    original.tier = Some(Tier { name: "Cool".into(), class: TierClass::Infrequent });
    original.attributes = Some(Attributes {
        metadata: [("Owner_Id".to_owned(), "1".to_owned())].into(),
        tags: Some([("a".to_owned(), "b".to_owned())].into()),
        ..Attributes::default()
    });
    let source = Origin { store: "s".into(), key: "k".into(), etag: None };
    let content = Content { size: 1, sha256: ToldSha256::of(Some(known(b"x"))), etag: Some(ETag::new("e")) };
    let key = Key::new("k").unwrap();
    Record::new(&key, source, content, Original::of(&original), Stored::of(&now()), Vec::new())
}

#[test]
fn only_the_content_of_then() {
    let whole = apply(&record(), &now(), None);
    assert_eq!((whole.losses.len(), whole.content), (0, Some(known(b"x"))));
    assert!(apply(&record(), &now(), Some(known(b"x"))).content.is_some());
    let larger = ObjectInfo { size: 2, ..now() };
    for (info, content) in [(larger, None), (now(), Some(known(b"y")))] {
        let restored = apply(&record(), &info, content);
        assert_eq!((restored.info, restored.losses.len(), restored.content), (info, 1, None));
    }
    let composite = ContentSha256::of_parts(1, [Sha256::of(b"y")]);
    let restored = apply(&record(), &now(), Some(composite));
    assert_eq!(restored.content, Some(known(b"x")), "another form tells nothing: who copies compares");
    let touched = ObjectInfo { etag: Some(ETag::new("f")), ..now() };
    assert!(apply(&record(), &touched, None).content.is_some(), "an ETag changes with attributes, too");
}

#[test]
fn part_by_part() {
    let change = |change: fn(&mut ObjectInfo)| {
        let mut info = now();
        change(&mut info);
        let restored = apply(&record(), &info, None);
        let details: Vec<_> = restored.losses.into_iter().map(|loss| loss.detail).collect();
        let attributes = restored.info.attributes.unwrap();
        let name = attributes.metadata.into_keys().next().unwrap();
        (name, attributes.tags.map(|tags| tags.len()), restored.info.tier.unwrap().name, details.join(", "))
    };
    let expected = |name: &str, tags, tier: &str, why: &str| (name.into(), tags, tier.into(), why.into());
    assert_eq!(change(|_| ()), expected("Owner_Id", Some(1), "Cool", ""));
    assert_eq!(
        change(|info| info.attributes.as_mut().unwrap().metadata = [("x".to_owned(), "1".to_owned())].into()),
        expected("x", Some(1), "Cool", "its metadata was changed since")
    );
    assert_eq!(
        change(|info| {
            let tags = [("t".to_owned(), "1".to_owned()), ("u".to_owned(), "1".to_owned())].into();
            info.attributes.as_mut().unwrap().tags = Some(tags);
        }),
        expected("Owner_Id", Some(2), "Cool", "its tags were changed since")
    );
    assert_eq!(
        change(|info| info.attributes.as_mut().unwrap().tags = None),
        expected("Owner_Id", None, "Cool", ""),
        "unknown stays unknown"
    );
    assert_eq!(
        change(|info| info.tier = Some(Tier { name: "GLACIER".into(), class: TierClass::Archive })),
        expected("Owner_Id", Some(1), "GLACIER", "its tier was changed since")
    );
}
