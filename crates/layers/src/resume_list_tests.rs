use cabotage_core::{ObjectInfo, RawKey};

use super::*;

fn object(name: &str) -> ListItem {
    ListItem::Object(ObjectInfo::new(Key::new(name).unwrap(), 0))
}

#[test]
fn names_that_are_no_keys_come_once() {
    let bad = ListItem::BadKey(RawKey::new(vec![0xff]));
    let mut place = Place::new(ListScope::prefix("p"), ListOrder::Bytes);
    assert!(place.takes(&object("p1")) && place.takes(&bad));
    assert_eq!(place.scope().after, Some(Key::new("p1").unwrap()));
    place.resume();
    assert!(!place.takes(&bad), "given before");
    assert!(place.takes(&object("p2")));
}

#[test]
fn where_no_listing_can_go_on() {
    let with = |order, versions| {
        let mut place = Place::new(ListScope { versions, ..ListScope::default() }, order);
        assert!(place.is_known(), "nothing was given yet");
        place.takes(&object("a"));
        place.is_known()
    };
    assert!(with(ListOrder::Bytes, false) && with(ListOrder::Utf16, false));
    assert!(!with(ListOrder::None, false) && !with(ListOrder::Bytes, true));
}

#[test]
fn a_listing_that_began_after_a_key_does_so_again() {
    let after = Some(Key::new("k").unwrap());
    let place = Place::new(ListScope { after: after.clone(), ..ListScope::default() }, ListOrder::Bytes);
    assert_eq!(place.scope().after, after);
}
