use super::*;

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

#[test]
fn many_deletes_in_one_request() {
    let keys = [key("a&b"), key("c\r\n"), key("\u{1F600}")];
    let document = delete_document(&keys).unwrap();
    let root = xml::parse(document.as_bytes()).unwrap();
    let named: Vec<_> = root.all("Object").map(|object| object.get("Key").unwrap()).collect();
    assert_eq!(named, ["a&b", "c\r\n", "\u{1F600}"]);
    assert!(delete_document(&[key("\u{1}")]).is_none());
    assert!(!fits_xml(&key("a\u{1}")) && fits_xml(&key("a\n")));
}

#[test]
fn outcomes_of_many_deletes() {
    let reply = b"<DeleteResult><Deleted><Key>a</Key></Deleted>\
        <Error><Key>b</Key><Code>AccessDenied</Code><Message>no</Message></Error>\
        <Error><Key>c</Key><Code>NoSuchKey</Code></Error></DeleteResult>";
    let root = xml::parse(reply).unwrap();
    assert!(outcome(&root, &key("a")).unwrap().is_ok());
    assert_eq!(outcome(&root, &key("b")).unwrap().unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert!(outcome(&root, &key("c")).unwrap().is_ok(), "what isn't there is deleted");
    assert!(outcome(&root, &key("d")).is_none(), "no word is no success");
}

#[test]
fn lengths() {
    assert_eq!(need_length(Some(3), Some(3)).unwrap(), 3);
    assert_eq!(need_length(Some(3), None).unwrap(), 3);
    assert!(need_length(Some(3), Some(4)).is_err());
    assert!(need_length(None, Some(4)).is_err());
}
