use std::sync::Arc;
use std::sync::atomic::Ordering as Atomic;

use cabotage_core::{
    Algorithm, Attributes, Digest, DigestScope, ETag, ObjectForm, ObjectInfo, RawKey, Tags, Tier, TierClass,
    Timestamp,
};
use futures::{TryStreamExt as _, stream};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use tempfile::TempDir;

use super::*;

/// Characters around which the two orders differ, and some others.
const ALPHABET: [char; 9] =
    ['a', '/', 'é', '\u{D7FF}', '\u{E000}', '\u{FF5E}', '\u{FFFF}', '\u{10000}', '\u{10FFFF}'];

fn object(key: &str) -> ListItem {
    ListItem::Object(ObjectInfo::new(Key::new(key).unwrap(), 1))
}

fn listing<S: AsRef<str>>(keys: &[S]) -> ListStream {
    stream::iter(keys.iter().map(|key| Ok(object(key.as_ref()))).collect::<Vec<_>>()).boxed()
}

fn name(item: &ListItem) -> String {
    match item {
        ListItem::BadKey(key) => key.display(),
        other => key_of(other).unwrap().as_str().to_owned(),
    }
}

async fn collect(stream: ListStream) -> Result<Vec<String>> {
    stream.map_ok(|item| name(&item)).try_collect().await
}

fn random_keys(random: &mut StdRng, count: usize) -> Vec<String> {
    let mut keys: Vec<String> = (0..count)
        .map(|_| {
            let len = random.random_range(1..6);
            (0..len).map(|_| ALPHABET[random.random_range(0..ALPHABET.len())]).collect()
        })
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn by_utf16(keys: &[String]) -> Vec<String> {
    let mut keys = keys.to_vec();
    keys.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
    keys
}

fn spill(held: usize, dir: &TempDir) -> SpillOptions {
    SpillOptions { held, ..SpillOptions::in_folder(dir.path()) }
}

#[test]
fn utf16_order_is_that_of_code_units() {
    let mut random = StdRng::seed_from_u64(1);
    let keys = random_keys(&mut random, 300);
    for a in &keys {
        for b in &keys {
            assert_eq!(utf16_order(a, b), a.encode_utf16().cmp(b.encode_utf16()), "{a:?} {b:?}");
        }
    }
}

#[tokio::test]
async fn any_order_comes_out_by_bytes() {
    let dir = TempDir::new().unwrap();
    for seed in 0..60 {
        let mut random = StdRng::seed_from_u64(seed);
        let count = random.random_range(0..200);
        let keys = random_keys(&mut random, count);
        let mut shuffled = keys.clone();
        shuffled.shuffle(&mut random);
        for held in [0, 1, 3, SpillOptions::HELD] {
            for (order, listed) in [
                (ListOrder::Bytes, &keys),
                (ListOrder::Utf16, &by_utf16(&keys)),
                (ListOrder::None, &shuffled),
            ] {
                let sorted = in_byte_order(listing(listed), order, String::new(), spill(held, &dir));
                assert_eq!(collect(sorted).await.unwrap(), keys, "seed {seed}, {order:?}, held {held}");
            }
        }
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "temporary files have no name");
}

/// Enough runs to be merged twice, so that open files and buffers stay bounded.
#[tokio::test]
async fn many_runs_are_merged() {
    let dir = TempDir::new().unwrap();
    let mut keys: Vec<String> = (0..3_000).map(|n| format!("{n:05}")).collect();
    let sorted = keys.clone();
    keys.shuffle(&mut StdRng::seed_from_u64(5));
    let out = in_byte_order(listing(&keys), ListOrder::None, String::new(), spill(1, &dir));
    assert_eq!(collect(out).await.unwrap(), sorted);
}

async fn most_held(keys: &[String]) -> usize {
    let sorter = Sorter::new(listing(keys), ListOrder::Utf16, SpillOptions::default());
    let most = Arc::clone(&sorter.most_held);
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    assert_eq!(collect(sorter.into_stream().boxed()).await.unwrap(), sorted);
    most.load(Atomic::Relaxed)
}

#[tokio::test]
async fn little_is_held_back() {
    let plain: Vec<String> = (0..5_000).map(|n| format!("é/{n:05}\u{FF5E}")).collect();
    assert_eq!(most_held(&plain).await, 1);
    // Each folder's keys wait only for the rest of that folder's keys with such a character in that place.
    let mixed: Vec<String> =
        (0..1_000).flat_map(|n| [format!("{n:05}/\u{1F600}"), format!("{n:05}/\u{FF5E}")]).collect();
    assert_eq!(most_held(&mixed).await, 2);
}

#[tokio::test]
async fn a_broken_listing_stops() {
    let cases: [(ListOrder, &[&str], usize, &str); 8] = [
        (ListOrder::Bytes, &["a", "b", "b"], 2, "names b twice"),
        (ListOrder::Bytes, &["a", "c", "b"], 2, "b comes after c"),
        (ListOrder::Bytes, &["\u{10000}", "\u{E000}"], 1, "backwards"),
        (ListOrder::Utf16, &["a", "b", "b"], 2, "names b twice"),
        (ListOrder::Utf16, &["a", "c", "b"], 2, "b comes after c"),
        (ListOrder::Utf16, &["\u{E000}", "\u{10000}"], 1, "backwards"),
        (ListOrder::Utf16, &["\u{10000}", "\u{10000}"], 0, "twice"),
        (ListOrder::None, &["b", "a", "b", "c"], 2, "names b twice"),
    ];
    let dir = TempDir::new().unwrap();
    for (order, keys, before, text) in cases {
        for held in [1, 100] {
            let items: Vec<_> =
                in_byte_order(listing(keys), order, String::new(), spill(held, &dir)).collect().await;
            let (last, first) = items.split_last().unwrap();
            assert!(
                first.iter().all(Result::is_ok) && first.len() == before,
                "{order:?} {keys:?}: {items:?}"
            );
            let error = last.as_ref().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ListingBroken);
            assert!(error.to_string().contains(text) && error.advice().is_some(), "{error}");
        }
    }
}

#[tokio::test]
async fn a_key_outside_the_prefix_stops() {
    for order in [ListOrder::Bytes, ListOrder::Utf16, ListOrder::None] {
        let listed = listing(&["data/a", "data\n", "data/b"]);
        let error =
            collect(in_byte_order(listed, order, "data/".into(), SpillOptions::default())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ListingBroken);
        assert!(error.to_string().contains("data\\n") && error.to_string().contains("data/"), "{error}");
    }
}

#[tokio::test]
async fn an_error_ends_it() {
    for order in [ListOrder::Bytes, ListOrder::Utf16, ListOrder::None] {
        let items = [Ok(object("a")), Err(Error::new(ErrorKind::Timeout, "late")), Ok(object("b"))];
        let listed =
            in_byte_order(stream::iter(items).boxed(), order, String::new(), SpillOptions::default());
        let items: Vec<_> = listed.collect().await;
        assert_eq!(items.last().unwrap().as_ref().unwrap_err().kind(), ErrorKind::Timeout);
        assert_eq!(items.iter().filter(|item| item.is_err()).count(), 1);
        assert!(!items.iter().flatten().any(|item| name(item) == "b"), "{order:?}");
    }
}

#[tokio::test]
async fn bad_keys_pass_at_once() {
    for order in [ListOrder::Utf16, ListOrder::None] {
        let bad = ListItem::BadKey(RawKey::new(*b"\xff"));
        let items = [Ok(object("\u{1F600}")), Ok(bad), Ok(object("\u{FF5E}"))];
        let listed =
            in_byte_order(stream::iter(items).boxed(), order, String::new(), SpillOptions::default());
        assert_eq!(collect(listed).await.unwrap(), ["\\xff", "\u{FF5E}", "\u{1F600}"]);
    }
}

/// Everything that an item can hold survives the temporary file.
#[tokio::test]
async fn items_on_disk_come_back_whole() {
    let dir = TempDir::new().unwrap();
    let tagged = Attributes { tags: Some(Tags::new()), ..Attributes::default() };
    let full = ObjectInfo {
        key: Key::new("line\nbreak\0\u{1F600}").unwrap(),
        size: u64::MAX,
        etag: Some(ETag::new("\"\"odd\"\"")),
        version: Some("v".into()),
        modified: Some(Timestamp::new(1_700_000_000, 123_456_789).unwrap()),
        attributes: Some(Attributes { metadata: [("N".into(), "\u{1b}".into())].into(), ..tagged }),
        tier: Some(Tier { name: "Archive".into(), class: TierClass::Archive }),
        digests: vec![Digest {
            algorithm: Algorithm::Crc64Nvme,
            scope: DigestScope::Composite { parts: 3 },
            value: vec![0, 255],
        }],
        form: ObjectForm::AppendBlob,
        uncarried: [("expires".to_owned(), "0".to_owned())].into(),
    };
    let older = ObjectInfo { version: Some("u".into()), ..full.clone() };
    let known =
        ObjectInfo { attributes: Some(Attributes::default()), ..ObjectInfo::new(Key::new("z").unwrap(), 0) };
    let items = vec![
        object("a"),
        ListItem::Object(full),
        ListItem::Version(older),
        ListItem::Prefix(Key::new("m/").unwrap()),
        ListItem::Object(known),
    ];
    let listed = stream::iter(items.clone().into_iter().map(Ok)).boxed();
    let out: Vec<_> =
        in_byte_order(listed, ListOrder::None, String::new(), spill(1, &dir)).try_collect().await.unwrap();
    assert_eq!(out, items);
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_told() {
    let options = SpillOptions { held: 1, ..SpillOptions::in_folder("/nonexistent/folder") };
    let listed = in_byte_order(listing(&["a", "b", "c"]), ListOrder::None, String::new(), options);
    let error = collect(listed).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert_eq!(error.fact("folder"), Some("/nonexistent/folder"));
}
