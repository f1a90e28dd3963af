use cabotage_core::{Storage as _, StorageExt as _};
use futures::TryStreamExt as _;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng as _, SeedableRng as _};

use super::*;
use crate::store::LocalStore;
use crate::store::tests::{HOSTILE, folder};

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

async fn listed(store: &LocalStore, scope: ListScope) -> Vec<String> {
    names_of(store.list(scope)).await
}

async fn names_of(listing: ListStream) -> Vec<String> {
    let items: Vec<ListItem> = listing.try_collect().await.unwrap();
    let name = |item: ListItem| match item {
        ListItem::Object(info) => info.key.as_str().to_owned(),
        ListItem::Prefix(prefix) => format!("[{}]", prefix.as_str()),
        other => panic!("{other:?}"),
    };
    items.into_iter().map(name).collect()
}

/// What a listing of those keys has to tell.
fn meant(sorted: &[String], scope: &ListScope) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for name in sorted {
        let late = scope.after.as_ref().is_none_or(|after| name.as_str() > after.as_str());
        let early = scope.until.as_ref().is_none_or(|until| name.as_str() < until.as_str());
        let Some(rest) = name.strip_prefix(&scope.prefix).filter(|_| late && early) else { continue };
        let told = match scope.delimiter.as_ref().and_then(|d| rest.find(d.as_str()).map(|at| at + d.len())) {
            Some(end) => format!("[{}]", &name[..scope.prefix.len() + end]),
            None => name.clone(),
        };
        if out.last() != Some(&told) {
            out.push(told);
        }
    }
    out
}

#[tokio::test]
async fn any_scope_over_any_keys() {
    let mut random = StdRng::seed_from_u64(11);
    let folder = folder().await;
    let mut names: Vec<String> = HOSTILE.iter().map(|name| (*name).to_owned()).collect();
    for stem in ["a", "a-", "a0", "b/c", "x", &"x".repeat(250), &"x".repeat(500)] {
        for tail in ["", "/", "/1", "/1/2", "!", "0", "y", "/~{x"] {
            names.push(format!("{stem}{tail}"));
        }
    }
    names.sort();
    names.dedup();
    let mut shuffled = names.clone();
    shuffled.shuffle(&mut random);
    for name in &shuffled {
        folder.store.put(&key(name), name.clone().into()).await.unwrap();
    }
    assert_eq!(listed(&folder.store, ListScope::default()).await, names);
    for _ in 0..600 {
        let mut bound = || {
            let name = names.choose(&mut random).unwrap();
            random.random_bool(0.4).then(|| key(name))
        };
        let (after, until) = (bound(), bound());
        let name = names.choose(&mut random).unwrap();
        let ends: Vec<usize> = name.char_indices().map(|(at, _)| at).chain([name.len()]).collect();
        let prefix = name[..*ends.choose(&mut random).unwrap()].to_owned();
        let delimiter = ["/", "x", "~{"].choose(&mut random).filter(|_| random.random_bool(0.5));
        let scope = ListScope {
            prefix,
            delimiter: delimiter.map(|d| (*d).to_owned()),
            after,
            until,
            versions: false,
        };
        assert_eq!(listed(&folder.store, scope.clone()).await, meant(&names, &scope), "{scope:?}");
        let most = random.random_range(1..6);
        let in_passes = told(Walk::new(&folder.store.disk, scope.clone(), most));
        assert_eq!(names_of(in_passes).await, meant(&names, &scope), "{most} at a time: {scope:?}");
    }
}

/// However much a folder holds, no more of it waits than was said, for each folder on the way.
#[tokio::test]
async fn a_large_folder_is_listed_in_order_with_few_entries_held() {
    let folder = folder().await;
    let root = folder.store.disk.path.clone();
    let mut names: Vec<String> =
        (0..3_000_u32).map(|n| format!("{:08x}", n.wrapping_mul(0x9E37_79B9))).collect();
    names.extend((0..500).map(|n| format!("80/{n:03}-{}", n * 7 % 100)));
    std::fs::create_dir(root.join("80")).unwrap();
    for name in &names {
        std::fs::write(root.join(name), "").unwrap();
    }
    std::os::unix::fs::symlink("80", root.join("40-link")).unwrap();
    names.sort();
    for (most, passes_hold) in [(1, 4), (64, 130), (10_000, 3_502)] {
        let mut walk = Walk::new(&folder.store.disk, ListScope::default(), most);
        let (mut listed, mut bad, mut held) = (Vec::new(), 0, 0);
        while let Some(item) = walk.next() {
            held = held.max(walk.waiting.len());
            match item.unwrap() {
                ListItem::Object(info) => listed.push(info.key.as_str().to_owned()),
                ListItem::BadKey(_) => bad += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((listed == names, bad), (true, 1), "{most} at a time: {} listed", listed.len());
        assert!(held <= passes_hold, "{most} at a time: {held} were held");
    }
}

/// What is created, renamed or removed between two looks at a folder neither ends the listing nor repeats a name.
#[tokio::test]
async fn a_folder_that_changes_between_two_looks() {
    let folder = folder().await;
    let root = folder.store.disk.path.clone();
    for n in 0..100 {
        std::fs::write(root.join(format!("{n:03}")), "").unwrap();
    }
    let mut walk = Walk::new(&folder.store.disk, ListScope::default(), 10);
    let mut listed = Vec::new();
    while let Some(item) = walk.next() {
        let ListItem::Object(info) = item.unwrap() else { panic!("an object") };
        if listed.len() == 5 {
            for n in (0..100).step_by(2) {
                std::fs::remove_file(root.join(format!("{n:03}"))).unwrap();
            }
            std::fs::write(root.join("000a"), "").unwrap();
            std::fs::write(root.join("050a"), "").unwrap();
        }
        listed.push(info.key.as_str().to_owned());
    }
    assert!(listed.is_sorted_by(|a, b| a < b), "{listed:?}");
    assert!((0..100).filter(|n| n % 2 == 1).all(|n| listed.contains(&format!("{n:03}"))));
    assert!(listed.contains(&"050a".to_owned()) && listed.len() < 60, "{listed:?}");
}

/// By hand: how much memory a million files of one folder take. `CABOTAGE_MANY` names an empty folder.
#[tokio::test]
#[ignore = "takes a million files"]
async fn a_million_files() {
    let root = std::env::var_os("CABOTAGE_MANY").expect("CABOTAGE_MANY names a folder");
    let root = std::path::PathBuf::from(root);
    for n in 0..1_000_000_u32 {
        std::fs::write(root.join(format!("{:08x}", n.wrapping_mul(0x9E37_79B9))), "").unwrap();
    }
    let store =
        LocalStore::open(crate::LocalConfig { root, create: false, ..Default::default() }).await.unwrap();
    let mut listing = store.list(ListScope::default());
    let (mut last, mut count) = (None, 0_u32);
    while let Some(item) = listing.try_next().await.unwrap() {
        let ListItem::Object(info) = item else { panic!("an object") };
        assert!(last < Some(info.key.clone()));
        last = Some(info.key);
        count += 1;
    }
    assert_eq!(count, 1_000_000);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    println!("{peak}");
}

#[tokio::test]
async fn long_listings_come_in_turns() {
    let folder = folder().await;
    let root = folder.store.disk.path.clone();
    let mut names = Vec::new();
    for n in 0..BATCH * 2 + 10 {
        let name = format!("d{}/f{n}", n % 3);
        std::fs::create_dir_all(root.join(format!("d{}", n % 3))).unwrap();
        std::fs::write(root.join(&name), "").unwrap();
        names.push(name);
    }
    std::fs::create_dir_all(root.join("empty/empty")).unwrap();
    names.sort();
    assert_eq!(listed(&folder.store, ListScope::default()).await, names);
    let mut listing = folder.store.list(ListScope::default());
    listing.try_next().await.unwrap().unwrap();
    std::fs::remove_dir_all(root.join("d2")).unwrap();
    let rest: Vec<ListItem> = listing.try_collect().await.unwrap();
    let left = names.iter().filter(|name| !name.starts_with("d2")).count();
    assert!(rest.len() >= left - 1 && rest.len() < names.len(), "{}", rest.len());
}

#[tokio::test]
async fn a_key_in_two_places_is_told_once() {
    let folder = folder().await;
    let root = folder.store.disk.path.clone();
    std::fs::create_dir_all(root.join("a~{dir}")).unwrap();
    std::fs::create_dir_all(root.join("a")).unwrap();
    for (path, text) in [("a/b", "plain"), ("a~{dir}/b", "other"), ("a~{dir}/c", "other")] {
        std::fs::write(root.join(path), text).unwrap();
    }
    let items: Vec<ListItem> = folder.store.list(ListScope::default()).try_collect().await.unwrap();
    assert_eq!(items.len(), 3);
    assert_eq!(items.iter().filter(|item| matches!(item, ListItem::BadKey(_))).count(), 1);
    assert_eq!(folder.store.read_all(&key("a/b"), 9).await.unwrap(), "plain");
    assert_eq!(folder.store.read_all(&key("a/c"), 9).await.unwrap(), "other");
}

#[tokio::test]
async fn a_root_that_has_gone_is_an_error() {
    let folder = folder().await;
    std::fs::remove_dir_all(&folder.store.disk.path).unwrap();
    let listed: Result<Vec<ListItem>> = folder.store.list(ListScope::default()).try_collect().await;
    assert!(listed.is_ok_and(|items| items.is_empty()), "the open folder is empty");
    let error = folder.store.put(&key("k"), "x".into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BucketNotFound);
}
