use super::*;

fn names(encoded: bool) -> Names {
    Names { encoded }
}

#[test]
fn names_are_decoded_only_when_the_server_says_so() {
    for (text, key) in
        [("a%20b", "a b"), ("a+b", "a b"), ("a%2Bb", "a+b"), ("a%252F", "a%2F"), ("%01", "\u{1}")]
    {
        assert_eq!(names(true).key(text).unwrap().as_str(), key);
        assert_eq!(names(false).key(text).unwrap().as_str(), text);
    }
    assert_eq!(names(true).key("a%ff").unwrap_err().as_bytes(), b"a\xff");
    assert!(names(true).key("").is_err());
}

#[test]
fn groups_and_objects_in_one_order() {
    let object = |name: &str| ListItem::Object(ObjectInfo::new(Key::new(name).unwrap(), 0));
    let group = |name: &str| ListItem::Prefix(Key::new(name).unwrap());
    let merged =
        merge(vec![object("a"), object("c0"), object("e")], vec![group("b/"), group("c/"), group("z/")]);
    let order: Vec<_> = merged.iter().map(|item| name_of(item).unwrap()).collect();
    assert_eq!(order, ["a", "b/", "c/", "c0", "e", "z/"]);
}

/// Thousands of pages may hold nothing but delete markers, which are no items.
#[test]
fn a_page_of_delete_markers_is_not_empty() {
    let root = crate::xml::parse(
        b"<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>b</NextKeyMarker>\
          <DeleteMarker><Key>a</Key></DeleteMarker><DeleteMarker><Key>b</Key></DeleteMarker></ListVersionsResult>",
    )
    .unwrap();
    assert_eq!(held(&root), 2);
    assert!(entries(&root, &names(false), cabotage_providers::find("ceph").unwrap()).unwrap().is_empty());
}
