//! No key leaves the root, whatever it holds and whatever has been planted in the tree.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use cabotage_core::*;
use futures::TryStreamExt as _;
use tempfile::TempDir;

use crate::{LocalConfig, LocalStore};

/// All below a folder: links with their targets, files with their content.
fn everything(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut out = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let told = if path.is_symlink() {
                format!("-> {}", fs::read_link(&path).unwrap().display())
            } else if path.is_dir() {
                folders.push(path.clone());
                "folder".to_owned()
            } else {
                fs::read_to_string(&path).unwrap()
            };
            out.insert(path, told);
        }
    }
    out
}

/// Folders and files that lie beside the root under names which careless software would reach.
fn outside(outer: &Path) {
    for folder in ["other", "c", "outside/deep", "etc", ".cabotage"] {
        fs::create_dir_all(outer.join(folder)).unwrap();
        fs::write(outer.join(folder).join("k"), "outside").unwrap();
        fs::write(outer.join(folder).join("f"), "outside").unwrap();
    }
    fs::write(outer.join("x"), "outside").unwrap();
    fs::write(outer.join("k"), "outside").unwrap();
}

fn names() -> Vec<String> {
    let mut names: Vec<String> =
        cabotage_conformance::hostile_keys().iter().map(|hostile| hostile.under("")).collect();
    for name in
        ["../../x", "../x", "..", "../", "/../x", "a/../../x", "/etc/passwd", "//etc/k", "..\\x", ".//../x"]
    {
        names.push(name.to_owned());
    }
    for link in ["link", "far", "self", "dangling", "file"] {
        names.push(link.to_owned());
        for tail in ["/f", "/../f", "//f", "/deep/k", "/new", "/"] {
            names.push(format!("{link}{tail}"));
        }
    }
    let (long, wide) = ("s".repeat(300), "\u{1F600}".repeat(75));
    for name in
        [long.clone(), format!("{long}/{long}"), format!("../{long}"), wide, format!("{long}/../../x")]
    {
        names.push(name);
    }
    names.sort();
    names.dedup();
    names
}

fn plant(root: &Path) {
    for (link, to) in [
        ("link", "../outside"),
        ("far", "/"),
        ("self", "."),
        ("dangling", "../missing"),
        ("file", "../outside/f"),
    ] {
        symlink(to, root.join(link)).unwrap();
    }
}

async fn store(root: &Path) -> LocalStore {
    LocalStore::open(LocalConfig { root: root.to_owned(), create: true, ..Default::default() }).await.unwrap()
}

async fn write(store: &LocalStore, key: &Key, content: &str) -> Result<()> {
    let content = Payload::from_bytes(content.to_owned());
    store.write(key, content, WriteOptions::default()).await.map(drop)
}

/// Writes, reads, copies, lists and deletes under every name; each one is held by its own name or refused.
async fn try_all(store: &LocalStore) -> (Vec<String>, Vec<String>) {
    let (mut held, mut refused) = (Vec::new(), Vec::new());
    for name in names() {
        let key = Key::new(name.as_str()).unwrap();
        assert!(store.read_all(&key, 100).await.is_err(), "{name:?} is there before it was written");
        match write(store, &key, &name).await {
            Ok(()) => held.push(name),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::KeyRejected, "{name:?}: {error}");
                refused.push(name);
            }
        }
    }
    (held, refused)
}

async fn listed(store: &LocalStore) -> Vec<String> {
    let items: Vec<ListItem> = store.list(ListScope::default()).try_collect().await.unwrap();
    let objects = items.into_iter().filter_map(|item| match item {
        ListItem::Object(info) => Some(info.key.as_str().to_owned()),
        _ => None,
    });
    objects.collect()
}

#[tokio::test]
async fn no_key_leaves_the_root() {
    for planted in [false, true] {
        let outer = TempDir::new().unwrap();
        outside(outer.path());
        let root = outer.path().join("a/root");
        let store = store(&root).await;
        if planted {
            plant(&root);
        }
        let beside = |outer: &Path| {
            let mut all = everything(outer);
            all.retain(|path, told| !path.starts_with(&root) || told.starts_with("->"));
            all
        };
        let before = beside(outer.path());
        let (held, refused) = try_all(&store).await;
        if planted {
            assert!(
                refused.iter().all(|name| ["link", "far", "self", "dangling", "file"]
                    .iter()
                    .any(|l| name.starts_with(l))),
                "{refused:?}"
            );
            assert!(refused.len() >= 30, "{refused:?}");
        } else {
            assert_eq!(refused, Vec::<String>::new());
        }
        assert_eq!(listed(&store).await, held);
        let copied = Key::new("copied").unwrap();
        for name in &held {
            let key = Key::new(name.as_str()).unwrap();
            assert_eq!(store.read_all(&key, 4_096).await.unwrap(), *name, "no two keys share a file");
            store.copy_within(&key, None, &copied, WriteOptions::default()).await.unwrap();
        }
        for name in held.iter().chain(&refused) {
            store.delete(&Key::new(name.as_str()).unwrap(), DeleteOptions::default()).await.ok();
        }
        assert_eq!(listed(&store).await, ["copied"]);
        assert_eq!(beside(outer.path()), before, "something outside of the root, or a link, was changed");
    }
}
