use super::*;

fn attributes(metadata: &[(&str, &str)], tags: &[(&str, &str)]) -> Attributes {
    let own =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    Attributes { metadata: own(metadata), tags: Some(own(tags)), ..Attributes::default() }
}

fn shape(attributes: &Attributes) -> Option<Shape> {
    Shape::of(&WriteOptions { attributes: attributes.clone(), ..WriteOptions::default() }, false)
}

#[test]
fn values_differ_within_a_shape_and_names_do_not() {
    let first = shape(&attributes(&[("owner", "a b")], &[("t", "1")])).unwrap();
    assert_eq!(shape(&attributes(&[("owner", "other")], &[("t", "2")])), Some(first));
    for other in [
        attributes(&[("Owner", "a")], &[("t", "1")]),
        attributes(&[("owner", "a"), ("x", "1")], &[("t", "1")]),
        attributes(&[("owner", "a")], &[("u", "1")]),
        attributes(&[("owner", "a")], &[]),
        attributes(&[], &[("owner", "a"), ("t", "1")]),
    ] {
        assert_ne!(shape(&other), Some(first), "{other:?}");
        assert!(shape(&other).is_some(), "{other:?}");
    }
    let mut typed = attributes(&[("owner", "a")], &[("t", "1")]);
    typed.headers.content_type = Some("text/plain".into());
    assert_ne!(shape(&typed), Some(first));
    let options = WriteOptions { attributes: attributes(&[], &[]), ..WriteOptions::default() };
    assert_ne!(Shape::of(&options, true), Shape::of(&options, false));
    let tiered = WriteOptions { tier: Some("STANDARD_IA".into()), ..options.clone() };
    assert_ne!(Shape::of(&tiered, false), Shape::of(&options, false));
}

#[test]
fn what_a_server_may_change_has_no_shape() {
    for value in ["", " a", "a ", "a  b", "é", "a\tb"] {
        assert_eq!(shape(&attributes(&[("n", value)], &[])), None, "{value:?}");
        assert_eq!(shape(&attributes(&[], &[("n", value)])), None, "{value:?}");
    }
    assert_eq!(shape(&attributes(&[("n", &"x".repeat(BYTES))], &[])), None);
}

#[test]
fn a_shape_is_proven_by_what_came_back_exactly() {
    let sent = attributes(&[("n", "1")], &[]);
    let shape = shape(&sent).unwrap();
    let proven = Proven::default();
    assert_eq!(proven.stored(shape, &sent), None);
    let mut stored = sent.clone();
    stored.headers.content_type = Some("binary/octet-stream".into());
    proven.note(shape, &sent, &stored);
    let next = attributes(&[("n", "2")], &[]);
    let known = proven.stored(shape, &next).unwrap();
    assert_eq!(known.headers.content_type.as_deref(), Some("binary/octet-stream"));
    assert_eq!(known.metadata, next.metadata);
}

#[test]
fn one_loss_spoils_the_shape_for_good() {
    let sent = attributes(&[("n", "1")], &[("t", "1")]);
    let shape = shape(&sent).unwrap();
    for stored in [
        attributes(&[("n", "2")], &[("t", "1")]),
        attributes(&[("N", "1")], &[("t", "1")]),
        attributes(&[("n", "1")], &[]),
        Attributes { tags: None, ..sent.clone() },
        attributes(&[("n", "1"), ("extra", "1")], &[("t", "1")]),
    ] {
        let proven = Proven::default();
        proven.note(shape, &sent, &sent);
        assert!(proven.stored(shape, &sent).is_some());
        proven.note(shape, &sent, &stored);
        assert_eq!(proven.stored(shape, &sent), None, "{stored:?}");
        proven.note(shape, &sent, &sent);
        assert_eq!(proven.stored(shape, &sent), None, "{stored:?}");
    }
}
