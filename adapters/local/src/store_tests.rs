use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{FileExt as _, symlink};
use std::path::{Path, PathBuf};

use cabotage_core::{
    ContentHeaders, ErrorKind as K, ListItem, PayloadSource, Probe as _, ReadRange, StorageExt as _, Support,
    Tags, WriteMode,
};
use futures::future::join_all;
use tempfile::TempDir;

use super::*;

pub(crate) const HOSTILE: &[&str] = &[
    "a",
    "a/b",
    "a/b/c",
    "a//b",
    "a/",
    "/a",
    "/",
    "//",
    ".",
    "..",
    "./x",
    "../other/k",
    "a/../c",
    "c",
    "a b+c%2F?#&=é😀",
    "~{}",
    "~{+}",
    "a~{dir}",
    "a~{dir}/b",
    "a~{file}",
    "nul\0nul",
    "new\nline",
    "tab\t\u{1b}[31m",
    ".cabotage",
    ".cabotage/tmp/x",
    ".CABOTAGE/attributes",
    "x/.cabotage",
    "back\\slash",
    "e\u{301}",
    "\u{e9}",
    "CASE",
    "case",
    " lead",
    "trail ",
    "-rf",
    "*",
    "\"quoted\"",
    "'",
    "$HOME",
    "con",
    "nul.txt",
    "\u{202e}rtl",
];

pub(crate) fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

pub(crate) fn kind<T: fmt::Debug>(result: Result<T>) -> K {
    result.unwrap_err().kind()
}

pub(crate) fn mode(mode: WriteMode) -> WriteOptions {
    WriteOptions { mode, ..WriteOptions::default() }
}

pub(crate) struct Folder {
    outer: TempDir,
    pub store: LocalStore,
}

impl Folder {
    pub fn root(&self) -> PathBuf {
        self.outer.path().join("root")
    }

    /// Whether files can have extended attributes here (tmpfs can since Linux 6.6).
    pub fn has_xattrs(&self) -> bool {
        let probe = fs::File::create(self.outer.path().join("probe")).unwrap();
        fs::remove_file(self.outer.path().join("probe")).unwrap();
        let flags = rustix::fs::XattrFlags::empty();
        self.store.disk.use_xattrs && rustix::fs::fsetxattr(&probe, "user.probe", b"x", flags).is_ok()
    }

    /// What is below the root, relative, sorted; without the files of attributes.
    pub fn objects(&self) -> Vec<String> {
        let mut files = self.files();
        files.retain(|path| !path.starts_with(".cabotage/attributes") && path != ".cabotage");
        files
    }

    /// What is below the root, relative, sorted.
    pub fn files(&self) -> Vec<String> {
        fn below(dir: &Path, base: &Path, out: &mut Vec<String>) {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                out.push(path.strip_prefix(base).unwrap().to_string_lossy().into_owned());
                if path.is_dir() && !path.is_symlink() {
                    below(&path, base, out);
                }
            }
        }
        let mut out = Vec::new();
        below(&self.root(), &self.root(), &mut out);
        out.sort();
        out
    }
}

pub(crate) async fn folder() -> Folder {
    let outer = TempDir::new().unwrap();
    let config = LocalConfig { root: outer.path().join("root"), create: true, ..Default::default() };
    Folder { store: LocalStore::open(config).await.unwrap(), outer }
}

/// A folder on a file system without extended attributes, as far as the adapter knows.
pub(crate) async fn without_xattrs() -> Folder {
    let outer = TempDir::new().unwrap();
    let mut disk =
        Disk::open(&LocalConfig { root: outer.path().join("root"), create: true, ..Default::default() })
            .unwrap();
    disk.use_xattrs = false;
    Folder { store: LocalStore::new(disk), outer }
}

pub(crate) async fn listed(store: &LocalStore, scope: ListScope) -> Vec<String> {
    let items: Vec<ListItem> = store.list(scope).try_collect().await.unwrap();
    let name = |item: ListItem| match item {
        ListItem::Object(info) => info.key.as_str().to_owned(),
        ListItem::Prefix(prefix) => format!("[{}]", prefix.as_str()),
        ListItem::BadKey(raw) => format!("bad {}", raw.display()),
        ListItem::Version(_) => panic!("no versions"),
    };
    items.into_iter().map(name).collect()
}

pub(crate) fn attributes() -> Attributes {
    Attributes {
        headers: ContentHeaders { content_type: Some("text/plain".into()), ..ContentHeaders::default() },
        metadata: [("Owner_Id".into(), "ü x".into())].into(),
        tags: Some([("a".into(), "b".into())].into()),
    }
}

pub(crate) fn with_attributes(attributes: Attributes) -> WriteOptions {
    WriteOptions { attributes, ..WriteOptions::default() }
}

pub(crate) async fn read_attributes(store: &LocalStore, name: &str) -> Attributes {
    store.head(&key(name), Detail::WithTags).await.unwrap().attributes.unwrap()
}

#[tokio::test]
async fn hostile_keys_live_side_by_side() {
    for backwards in [false, true] {
        let folder = folder().await;
        fs::create_dir(folder.outer.path().join("other")).unwrap();
        fs::write(folder.outer.path().join("other/k"), "untouched").unwrap();
        let long =
            ["x".repeat(300), "é".repeat(400) + "/" + &"y".repeat(600), "x".repeat(240), "x".repeat(255)];
        let mut names: Vec<String> = HOSTILE.iter().map(|name| (*name).to_owned()).chain(long).collect();
        if backwards {
            names.reverse();
        }
        for name in &names {
            let options = WriteOptions { mode: WriteMode::Create, ..with_attributes(attributes()) };
            let written = folder.store.write(&key(name), Payload::from_bytes(name.clone()), options).await;
            written.unwrap_or_else(|error| panic!("{name:?}: {error}"));
        }
        for name in &names {
            assert_eq!(folder.store.read_all(&key(name), 9_999).await.unwrap(), name.as_bytes(), "{name:?}");
            assert_eq!(read_attributes(&folder.store, name).await, attributes());
        }
        let mut sorted = names.clone();
        sorted.sort();
        assert_eq!(listed(&folder.store, ListScope::default()).await, sorted);
        assert_eq!(fs::read_to_string(folder.outer.path().join("other/k")).unwrap(), "untouched");
        assert_eq!(fs::read_dir(folder.outer.path()).unwrap().count(), 2);
        for name in &names {
            folder.store.delete(&key(name), DeleteOptions::default()).await.unwrap();
            assert_eq!(kind(folder.store.head(&key(name), Detail::Basic).await), K::NotFound);
        }
        assert_eq!(folder.files(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn ordinary_names_are_ordinary_files() {
    let folder = folder().await;
    folder.store.put(&key("data 1/50% off.txt"), "x".into()).await.unwrap();
    assert_eq!(folder.files(), ["data 1", "data 1/50% off.txt"]);
    fs::write(folder.root().join("data 1/mine"), "y").unwrap();
    assert_eq!(folder.store.read_all(&key("data 1/mine"), 9).await.unwrap(), "y");
    let found = read_attributes(&folder.store, "data 1/mine").await;
    assert_eq!(found, Attributes { tags: Some(Tags::new()), ..Attributes::default() });
}

#[tokio::test]
async fn links_and_special_files_are_named_and_not_followed() {
    let folder = folder().await;
    let outside = folder.outer.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("f"), "safe").unwrap();
    symlink(&outside, folder.root().join("link")).unwrap();
    symlink(outside.join("f"), folder.root().join("file")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(folder.root().join("socket")).unwrap();
    let not_utf8 = std::ffi::OsString::from_vec(b"bad\xff".to_vec());
    fs::create_dir(folder.root().join(&not_utf8)).unwrap();
    fs::write(folder.root().join(&not_utf8).join("x"), "").unwrap();
    fs::write(folder.root().join("odd~{41}"), "").unwrap();
    folder.store.put(&key("ok"), "x".into()).await.unwrap();
    let names = listed(&folder.store, ListScope::default()).await;
    assert_eq!(names, ["bad bad\\xff/x", "bad file", "bad link", "bad odd~{41}", "ok", "bad socket"]);
    assert_eq!(listed(&folder.store, ListScope::prefix("link/f")).await, Vec::<String>::new());
    assert_eq!(listed(&folder.store, ListScope::prefix("link/")).await, ["bad link"]);
    for name in ["link/f", "file", "socket", "odd~{41}"] {
        assert_eq!(kind(folder.store.read_all(&key(name), 9).await), K::NotFound, "{name}");
        folder.store.delete(&key(name), DeleteOptions::default()).await.unwrap();
    }
    for name in ["link/f", "link/new", "file", "socket"] {
        assert_eq!(kind(folder.store.put(&key(name), "evil".into()).await), K::KeyRejected, "{name}");
    }
    assert_eq!(fs::read_to_string(outside.join("f")).unwrap(), "safe");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert!(folder.root().join("file").is_symlink());
}

#[tokio::test]
async fn an_own_folder_that_is_a_link_is_not_used() {
    let folder = folder().await;
    symlink(folder.outer.path(), folder.root().join(".cabotage")).unwrap();
    assert!(folder.store.put(&key("k"), "x".into()).await.is_err());
    assert_eq!(fs::read_dir(folder.outer.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn preconditions() {
    let store = folder().await;
    let store = &store.store;
    let body = || Payload::from_bytes("x");
    let stale = ETag::new("stale");
    assert_eq!(kind(store.write(&key("k"), body(), mode(WriteMode::IfMatch(stale))).await), K::NotFound);
    let first = store.write(&key("k"), body(), mode(WriteMode::Create)).await.unwrap().etag.unwrap();
    assert_eq!(store.head(&key("k"), Detail::Basic).await.unwrap().etag, Some(first.clone()));
    assert_eq!(kind(store.write(&key("k"), body(), mode(WriteMode::Create)).await), K::PreconditionFailed);
    let pinned = || mode(WriteMode::IfMatch(first.clone()));
    let second = store.write(&key("k"), body(), pinned()).await.unwrap().etag.unwrap();
    assert_ne!(first, second);
    assert_eq!(kind(store.write(&key("k"), body(), pinned()).await), K::PreconditionFailed);
    let old = ReadOptions::pinned(None, Some(first.clone()));
    assert_eq!(kind(store.read(&key("k"), old).await), K::PreconditionFailed);
    let old = || DeleteOptions { if_match: Some(first.clone()), ..DeleteOptions::default() };
    assert_eq!(kind(store.delete(&key("k"), old()).await), K::PreconditionFailed);
    store
        .delete(&key("k"), DeleteOptions { if_match: Some(second), ..DeleteOptions::default() })
        .await
        .unwrap();
    assert_eq!(kind(store.delete(&key("k"), old()).await), K::NotFound);
    store.delete(&key("k"), DeleteOptions::default()).await.unwrap();
    let tiered = WriteOptions { tier: Some("HOT".into()), ..WriteOptions::default() };
    assert_eq!(kind(store.write(&key("k"), body(), tiered).await), K::Unsupported);
}

#[tokio::test]
async fn only_one_of_many_creators_wins() {
    let folder = folder().await;
    let k = key("a/k");
    let create =
        |n: usize| folder.store.write(&k, Payload::from_bytes(n.to_string()), mode(WriteMode::Create));
    let results = join_all((0..24).map(create)).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    let lost = results.into_iter().filter_map(Result::err);
    assert!(lost.into_iter().all(|error| error.kind() == K::PreconditionFailed));
    assert_eq!(folder.files(), ["a", "a/k"]);
}

#[tokio::test]
async fn files_and_folders_of_one_name_at_once() {
    let folder = folder().await;
    let names: Vec<Key> = (0..40).map(|n| key(&"d/".repeat(n % 8 + 1)[..n % 8 * 2 + 1])).collect();
    let rounds = names.iter().map(|k| async {
        folder.store.put(k, k.as_str().to_owned().into()).await?;
        folder.store.delete(k, DeleteOptions::default()).await?;
        folder.store.put(k, k.as_str().to_owned().into()).await
    });
    for result in join_all(rounds).await {
        result.unwrap();
    }
    for k in &names {
        assert_eq!(folder.store.read_all(k, 99).await.unwrap(), k.as_str());
    }
    assert_eq!(listed(&folder.store, ListScope::default()).await.len(), 8);
}

#[tokio::test]
async fn nothing_is_left_of_what_failed() {
    let folder = folder().await;
    let wrong = Payload::hashed(vec!["x".into()], Sha256([1; 32]));
    assert_eq!(
        kind(folder.store.write(&key("a/k"), wrong, WriteOptions::default()).await),
        K::DigestMismatch
    );
    assert_eq!(folder.store.wrong_digest(&key("p")).await.unwrap(), Support::Enforced);
    let open: PayloadSource =
        Arc::new(|| Box::pin(async { Ok(futures::stream::iter([Ok(Bytes::from_static(b"abc"))]).boxed()) }));
    for len in [2, 4] {
        let body = Payload::Replayable { len, open: Arc::clone(&open) };
        assert_eq!(kind(folder.store.write(&key("k"), body, WriteOptions::default()).await), K::Truncated);
    }
    assert_eq!(folder.files(), Vec::<String>::new());
    let body = Payload::Replayable { len: 3, open };
    folder.store.write(&key("k"), body, WriteOptions::default()).await.unwrap();
    assert_eq!(folder.store.read_all(&key("k"), 9).await.unwrap(), "abc");
    assert_eq!(folder.files(), ["k"]);
}

#[tokio::test]
async fn a_dropped_write_leaves_the_old_object() {
    let folder = folder().await;
    folder.store.put(&key("k"), "old".into()).await.unwrap();
    let open: PayloadSource = Arc::new(|| {
        let first = futures::stream::iter([Ok(Bytes::from(vec![7; 2 * GATHER]))]);
        Box::pin(async move { Ok(first.chain(futures::stream::pending()).boxed()) })
    });
    let body = Payload::Replayable { len: u64::MAX, open };
    let k = key("k");
    let mut write = folder.store.write(&k, body, WriteOptions::default());
    while !folder.root().join(".cabotage/tmp").exists() {
        assert!(futures::poll!(&mut write).is_pending());
        tokio::task::yield_now().await;
    }
    drop(write);
    while folder.root().join(".cabotage").exists() {
        tokio::task::yield_now().await;
    }
    assert_eq!(folder.store.read_all(&k, 9).await.unwrap(), "old");
    assert_eq!(folder.files(), ["k"]);
}

#[tokio::test]
async fn what_a_dead_process_left_is_removed_and_what_a_living_one_holds_is_not() {
    let folder = folder().await;
    let tmp = folder.root().join(".cabotage/tmp");
    fs::create_dir_all(&tmp).unwrap();
    fs::write(tmp.join("Stage-dead"), "x").unwrap();
    let living = fs::File::create(tmp.join("Stage-living")).unwrap();
    living.lock().unwrap();
    folder.store.put(&key("k"), "x".into()).await.unwrap();
    assert_eq!(folder.files(), [".cabotage", ".cabotage/tmp", ".cabotage/tmp/Stage-living", "k"]);
    assert_eq!(listed(&folder.store, ListScope::default()).await, ["k"]);
    drop(living);
    folder.store.put(&key("k"), "x".into()).await.unwrap();
    assert_eq!(folder.files(), ["k"]);
}

#[tokio::test]
async fn an_etag_changes_with_any_change() {
    let folder = folder().await;
    folder.store.put(&key("k"), "abc".into()).await.unwrap();
    let path = folder.root().join("k");
    let mut seen = vec![folder.store.head(&key("k"), Detail::Basic).await.unwrap().etag.unwrap()];
    type Change = fn(&Path);
    let changes: [Change; 3] = [
        |path| fs::write(path, "abd").unwrap(),
        |path| {
            let modified = fs::metadata(path).unwrap().modified().unwrap();
            fs::write(path, "abe").unwrap();
            fs::File::open(path).unwrap().set_modified(modified).unwrap();
        },
        |path| fs::rename(path, path.with_extension("x")).and_then(|()| fs::write(path, "abe")).unwrap(),
    ];
    for change in changes {
        next_tick();
        change(&path);
        let etag = folder.store.head(&key("k"), Detail::Basic).await.unwrap().etag.unwrap();
        assert!(!seen.contains(&etag));
        seen.push(etag);
    }
}

#[tokio::test]
async fn ranges() {
    let folder = folder().await;
    let all: Vec<u8> = (0..=250).cycle().take(1_300_007).collect();
    let size = all.len() as u64;
    folder.store.put(&key("k"), all.clone().into()).await.unwrap();
    folder.store.put(&key("empty"), Bytes::new()).await.unwrap();
    for (range, meant) in [
        (None, 0..1_300_007),
        (Some(ReadRange::Bounded { start: 3, end: size + 9 }), 3..1_300_007),
        (Some(ReadRange::Bounded { start: 500_000, end: 600_000 }), 500_000..600_000),
        (Some(ReadRange::Bounded { start: 5, end: 6 }), 5..6),
        (Some(ReadRange::Suffix(5)), 1_300_002..1_300_007),
        (Some(ReadRange::From(700_000)), 700_000..1_300_007),
    ] {
        let body = folder.store.read(&key("k"), ReadOptions::pinned(range, None)).await.unwrap();
        let told = usize::try_from(body.range.start).unwrap()..usize::try_from(body.range.end).unwrap();
        assert_eq!((told, body.info.size), (meant.clone(), size));
        let bytes: Vec<Bytes> = body.stream.try_collect().await.unwrap();
        assert!(bytes.concat() == all[meant], "{range:?}");
    }
    assert_eq!(folder.store.read_all(&key("empty"), 0).await.unwrap(), "");
    let none = ReadOptions::pinned(Some(ReadRange::From(0)), None);
    assert_eq!(kind(folder.store.read(&key("empty"), none).await), K::PreconditionFailed);
    let version = ReadOptions { version: Some("1".into()), ..ReadOptions::default() };
    assert_eq!(kind(folder.store.read(&key("k"), version).await), K::Unsupported);
}

/// Lets the clock of the file system tick, which takes up to 10 ms on older kernels.
fn next_tick() {
    std::thread::sleep(Duration::from_millis(20));
}

/// Begins to read a large file, changes it, and reads on; whether the bytes were those of before.
async fn changed_meanwhile(change: impl FnOnce(&Path)) -> Result<bool> {
    let folder = folder().await;
    folder.store.put(&key("k"), vec![1; 2_000_000].into()).await.unwrap();
    let mut body = folder.store.read(&key("k"), ReadOptions::default()).await.unwrap();
    let mut got = body.stream.try_next().await.unwrap().unwrap().to_vec();
    next_tick();
    change(&folder.root().join("k"));
    while let Some(chunk) = body.stream.try_next().await? {
        got.extend_from_slice(&chunk);
    }
    Ok(got == vec![1; 2_000_000])
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_read() {
    let open = |path: &Path| fs::OpenOptions::new().write(true).open(path).unwrap();
    let written = changed_meanwhile(|path| open(path).write_all_at(b"new", 1_999_000).unwrap()).await;
    assert_eq!(kind(written), K::SourceChanged);
    let behind = changed_meanwhile(|path| open(path).write_all_at(b"new", 0).unwrap()).await;
    assert_eq!(kind(behind), K::SourceChanged);
    assert_eq!(kind(changed_meanwhile(|path| open(path).set_len(600_000).unwrap()).await), K::SourceChanged);
    let replaced = changed_meanwhile(|path| {
        fs::write(path.with_extension("new"), "new").unwrap();
        fs::rename(path.with_extension("new"), path).unwrap();
    });
    assert!(replaced.await.unwrap(), "the old object, whole");
    assert!(changed_meanwhile(|path| fs::remove_file(path).unwrap()).await.unwrap());
}

#[tokio::test]
async fn opening() {
    let outer = TempDir::new().unwrap();
    let open = |name: &str, create| {
        LocalStore::open(LocalConfig { root: outer.path().join(name), create, ..Default::default() })
    };
    assert_eq!(kind(open("none", false).await), K::BucketNotFound);
    fs::write(outer.path().join("file"), "x").unwrap();
    assert_eq!(kind(open("file", false).await), K::InvalidConfig);
    assert_eq!(kind(open("file", true).await), K::InvalidConfig);
    open("new/deep", true).await.unwrap();
    symlink(outer.path().join("new"), outer.path().join("link")).unwrap();
    let (one, two) = (open("new/deep", false).await.unwrap(), open("link/deep", false).await.unwrap());
    assert_eq!(one.id(), two.id());
    assert!(one.to_string().starts_with("file:///"), "{one}");
}
