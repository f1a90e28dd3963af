//! Listings: complete, in the declared order, bounded as asked.

use std::sync::Arc;

use cabotage_core::{Detail, Key, ListItem, ListOrder, ListScope};
use futures::{StreamExt as _, TryStreamExt as _};

use crate::check::Verdict;
use crate::place::{Place, random_name};
use crate::{Failure, Outcome, Trial};

pub(super) fn trials() -> Vec<Trial> {
    trials! { "listing":
        order, nothing, empty_prefix, prefix_is_a_key, prefix_is_literal, after, until, after_and_until,
        delimiter, delimiter_in_a_folder, items_are_told, stopped_early, many_objects,
    }
}

/// Names around the slash, beyond ASCII, and supplementary characters beside U+E000–U+FFFF.
const MIXED: &[&str] = &[
    "a",
    "a-",
    "a/",
    "a/b",
    "a0",
    "A",
    "Z",
    "b",
    "\u{e9}",
    "e\u{301}",
    "\u{6570}",
    "\u{e000}",
    "\u{ff5e}",
    "\u{fffd}",
    "\u{10000}",
    "\u{1F600}",
    "a\u{1F600}",
    "a\u{ff5e}",
    "a b",
    "a+b",
    "a%b",
    "~",
];

/// The names in the order that the store declares.
fn sorted(order: ListOrder, mut names: Vec<String>) -> Vec<String> {
    match order {
        ListOrder::Utf16 => names.sort_by_cached_key(|name| name.encode_utf16().collect::<Vec<_>>()),
        ListOrder::Bytes | ListOrder::None => names.sort(),
    }
    names
}

/// What a listing told, brought to an order if the store declares none.
fn told(place: &Place, names: Vec<String>) -> Vec<String> {
    match place.capabilities().list_order {
        ListOrder::None => sorted(ListOrder::None, names),
        ListOrder::Bytes | ListOrder::Utf16 => names,
    }
}

async fn plant(place: &Place, names: &[&str]) -> Result<Vec<String>, Failure> {
    let mut held = Vec::new();
    for name in names {
        if place.capabilities().accepts(&place.key(name)?).is_ok() {
            held.push((*name).to_owned());
        }
    }
    place.put_many(held.clone()).await?;
    Ok(sorted(place.capabilities().list_order, held))
}

async fn expect(place: &Place, scope: ListScope, wanted: &[String], what: &str) -> Result<(), Failure> {
    same!(told(place, place.names(scope).await?), wanted, "{what}");
    Ok(())
}

async fn order(place: Arc<Place>) -> Verdict {
    let wanted = plant(&place, MIXED).await?;
    expect(&place, ListScope::prefix(&place.prefix), &wanted, "the names in the declared order").await?;
    Ok(Outcome::Passed)
}

async fn nothing(place: Arc<Place>) -> Verdict {
    expect(&place, ListScope::prefix(&place.prefix), &[], "a prefix that no key has").await?;
    Ok(Outcome::Passed)
}

/// The empty prefix tells the whole store, so also what is here.
async fn empty_prefix(place: Arc<Place>) -> Verdict {
    let key = place.key("somewhere")?;
    place.put(&key, "x").await?;
    let found = place.store.list(ListScope::default()).try_any(|item| {
        let hit = matches!(&item, ListItem::Object(info) if info.key == key);
        async move { hit }
    });
    check!(found.await?, "a listing of the whole store doesn't tell {key:?}");
    Ok(Outcome::Passed)
}

/// A prefix is no folder: the key itself and its neighbours belong to it.
async fn prefix_is_a_key(place: Arc<Place>) -> Verdict {
    plant(&place, &["x", "x/y", "x-", "xz", "y"]).await?;
    for (prefix, wanted) in
        [("x", &["x", "x-", "x/y", "xz"][..]), ("x/", &["x/y"]), ("xz", &["xz"]), ("z", &[])]
    {
        let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
        let scope = ListScope::prefix(format!("{}{prefix}", place.prefix));
        expect(&place, scope, &wanted, prefix).await?;
    }
    Ok(Outcome::Passed)
}

/// Characters that mean something in a query mean nothing in a prefix.
async fn prefix_is_literal(place: Arc<Place>) -> Verdict {
    let awkward =
        ["a b/1", "a+b/1", "a%2Fb/1", "a%b/1", "a&b=c/1", "a?b/1", "a#b/1", "a<b>\"'/1", "\u{e9}\u{1F600}/1"];
    let held = plant(&place, &awkward).await?;
    for name in &held {
        let prefix = name.trim_end_matches('1');
        let scope = ListScope::prefix(format!("{}{prefix}", place.prefix));
        expect(&place, scope, std::slice::from_ref(name), prefix).await?;
    }
    Ok(Outcome::Passed)
}

fn position(order: ListOrder, name: &str) -> Vec<u16> {
    match order {
        ListOrder::Utf16 => name.encode_utf16().collect(),
        ListOrder::Bytes | ListOrder::None => name.bytes().map(u16::from).collect(),
    }
}

/// `after` is exclusive, whether or not such a key exists.
async fn after(place: Arc<Place>) -> Verdict {
    let order = place.capabilities().list_order;
    if order == ListOrder::None {
        return Outcome::skipped("the store declares no order of listings");
    }
    let all = plant(&place, MIXED).await?;
    let absent = ["a-x", "!", "\u{10ffff}z", "a\u{ff5e}0"].map(str::to_owned);
    for mark in all.iter().chain(&absent) {
        let after = place.key(mark)?;
        if place.capabilities().accepts(&after).is_err() {
            continue;
        }
        let start = position(order, mark);
        let wanted: Vec<_> = all.iter().filter(|name| position(order, name) > start).cloned().collect();
        let scope = ListScope { after: Some(after), ..ListScope::prefix(&place.prefix) };
        expect(&place, scope, &wanted, &format!("names after {mark:?}")).await?;
    }
    Ok(Outcome::Passed)
}

/// `until` is exclusive and counts in bytes, whatever the listing's order.
async fn until(place: Arc<Place>) -> Verdict {
    let all = plant(&place, MIXED).await?;
    for mark in all.iter().map(String::as_str).chain(["a-x", "!", "zz"]) {
        let wanted: Vec<_> = all.iter().filter(|name| name.as_str() < mark).cloned().collect();
        let scope = ListScope { until: Some(place.key(mark)?), ..ListScope::prefix(&place.prefix) };
        expect(&place, scope, &wanted, &format!("names until {mark:?}")).await?;
    }
    Ok(Outcome::Passed)
}

async fn after_and_until(place: Arc<Place>) -> Verdict {
    if place.capabilities().list_order == ListOrder::None {
        return Outcome::skipped("the store declares no order of listings");
    }
    plant(&place, &["a", "b", "c", "d", "e"]).await?;
    for (after, until, wanted) in
        [("a", "d", &["b", "c"][..]), ("b", "c", &[]), ("0", "z", &["a", "b", "c", "d", "e"])]
    {
        let scope = ListScope {
            after: Some(place.key(after)?),
            until: Some(place.key(until)?),
            ..ListScope::prefix(&place.prefix)
        };
        let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
        expect(&place, scope, &wanted, &format!("between {after} and {until}")).await?;
    }
    Ok(Outcome::Passed)
}

fn folded(prefix: String) -> ListScope {
    ListScope { delimiter: Some("/".into()), ..ListScope::prefix(prefix) }
}

/// The listing as `o:name` for objects and `p:name` for groups, sorted.
async fn shape(place: &Place, scope: ListScope) -> Result<Vec<String>, Failure> {
    let mut out = Vec::new();
    for item in place.items(scope).await? {
        let (sign, key) = match item {
            ListItem::Object(info) => ("o", info.key),
            ListItem::Prefix(key) => ("p", key),
            other => return Err(Failure::new(format!("the listing tells {other:?}"))),
        };
        out.push(format!("{sign}:{}", key.as_str().strip_prefix(&place.prefix).unwrap_or("?")));
    }
    out.sort();
    Ok(out)
}

async fn delimiter(place: Arc<Place>) -> Verdict {
    plant(&place, &["a", "a/b", "a/c/d", "b/e", "c", "a-/x"]).await?;
    let found = shape(&place, folded(place.prefix.clone())).await?;
    same!(found, ["o:a", "o:c", "p:a-/", "p:a/", "p:b/"], "the folded listing");
    Ok(Outcome::Passed)
}

/// Groups under a prefix that ends in the delimiter, or in the middle of a name, or twice in the delimiter.
async fn delimiter_in_a_folder(place: Arc<Place>) -> Verdict {
    plant(&place, &["d/a", "d/b/1", "d/b/2", "dx/1"]).await?;
    let inside = shape(&place, folded(format!("{}d/", place.prefix))).await?;
    same!(inside, ["o:d/a", "p:d/b/"], "folded under d/");
    let beside = shape(&place, folded(format!("{}d", place.prefix))).await?;
    same!(beside, ["p:d/", "p:dx/"], "folded under d");
    let double = place.key("d//x")?;
    if place.capabilities().accepts(&double).is_ok() {
        place.put(&double, "x").await?;
        let inside = shape(&place, folded(format!("{}d/", place.prefix))).await?;
        same!(inside, ["o:d/a", "p:d//", "p:d/b/"], "folded under d/ with an empty segment");
    }
    Ok(Outcome::Passed)
}

/// A listing's size, ETag, time and attributes are those of a head.
async fn items_are_told(place: Arc<Place>) -> Verdict {
    let key = place.key("told")?;
    place.put(&key, "seven b").await?;
    place.put(&place.key("empty")?, "").await?;
    let items = place.items(ListScope::prefix(key.as_str())).await?;
    let [ListItem::Object(listed)] = items.as_slice() else {
        return Err(Failure::new(format!("wanted one object, the listing tells {items:?}")));
    };
    let head = place.store.head(&key, Detail::WithTags).await?;
    same!(listed.size, 7, "the listed size");
    same!(listed.etag, head.etag, "the listed ETag against that of a head");
    check!(listed.modified.is_some(), "the listing tells no time of the last write");
    let seconds = |info: &cabotage_core::ObjectInfo| info.modified.map(cabotage_core::Timestamp::as_second);
    same!(seconds(listed), seconds(&head), "the listed time against that of a head");
    match (&listed.attributes, &head.attributes, place.capabilities().list_attributes) {
        (Some(listed), Some(head), true) => {
            same!(listed.headers, head.headers, "the listed headers");
            same!(listed.metadata, head.metadata, "the listed metadata");
        }
        (listed, head, true) => {
            return Err(Failure::new(format!("attributes listed {listed:?}, head {head:?}")));
        }
        (_, _, false) => {}
    }
    Ok(Outcome::Passed)
}

/// A listing may be dropped after its first item, and the next one begins anew.
async fn stopped_early(place: Arc<Place>) -> Verdict {
    let wanted = plant(&place, &["a", "b", "c"]).await?;
    for _ in 0..2 {
        let first = place.store.list(ListScope::prefix(&place.prefix)).next().await;
        check!(matches!(first, Some(Ok(ListItem::Object(_)))), "the first item is {first:?}");
    }
    expect(&place, ListScope::prefix(&place.prefix), &wanted, "a listing after two that were dropped")
        .await?;
    Ok(Outcome::Passed)
}

/// More than two pages; then counts at and around exact multiples of a page.
async fn many_objects(place: Arc<Place>) -> Verdict {
    const MANY: usize = 2_100;
    let word = random_name();
    let name = |i: usize| format!("{word}-{i:05}");
    place.put_many((0..MANY).map(name)).await?;
    let all: Vec<String> = (0..MANY).map(name).collect();
    expect(&place, ListScope::prefix(&place.prefix), &all, "all of many objects").await?;
    if place.capabilities().list_order != ListOrder::None {
        for mark in [999, 1_000, 1_999] {
            let scope =
                ListScope { after: Some(place.key(&name(mark))?), ..ListScope::prefix(&place.prefix) };
            expect(&place, scope, &all[mark + 1..], &format!("many objects after number {mark}")).await?;
        }
    }
    for left in [2_001, 2_000, 1_999, 1_001, 1_000, 999] {
        let now = place.all_names().await?.len();
        let gone: Result<Vec<Key>, _> = (left..now).map(|i| place.key(&name(i))).collect();
        for (_, removed) in place.store.delete_many(gone?).await {
            removed?;
        }
        expect(&place, ListScope::prefix(&place.prefix), &all[..left], &format!("{left} objects")).await?;
    }
    Ok(Outcome::Passed)
}
