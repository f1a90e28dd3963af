//! Listings in the order of keys.
//!
//! The order of keys is not that of names: `a-`, `a/x`, `a0`. So everything found waits in a heap under the smallest
//! key that it can hold; the smallest is taken out, and a folder is then opened and its entries put in. What waits is
//! what lies beside the path to the current key, about 100 bytes an entry.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;

use cabotage_core::{
    Error, ErrorKind, Key, ListItem, ListScope, ListStream, Operation, RawKey, Result, display_text,
};
use futures::StreamExt as _;
use rustix::fs::FileType;
use rustix::io::Errno;

use crate::disk::{Disk, Kind, entries, file_stat, kind, kind_of, stat};
use crate::error::failed;
use crate::names::{Forms, Mark, OWN, names, parse};
use crate::read::info;
use crate::store::blocking;

/// Most items that one turn on a blocking thread brings.
const BATCH: usize = 256;

/// Something that waits.
#[derive(Debug)]
struct Node {
    /// The smallest key that it can hold.
    bound: String,
    what: What,
}

#[derive(Debug)]
enum What {
    Folder(Folder),
    /// A file of that name in a folder.
    File {
        folder: Arc<[u8]>,
        name: Box<[u8]>,
    },
    /// A path that is no key's.
    Bad(Vec<u8>),
}

#[derive(Debug, Default)]
struct Folder {
    path: Vec<u8>,
    /// Names of the folders that a long segment has been cut into so far.
    pieces: Vec<String>,
    /// Length of the bound without that segment.
    start: usize,
    /// Below a name that is no key's: nothing in here has a key.
    bad: bool,
}

impl What {
    /// At equal bounds folders come first, since what they hold is not known yet.
    fn rank(&self) -> u8 {
        match self {
            Self::Folder(_) => 0,
            Self::File { .. } => 1,
            Self::Bad(_) => 2,
        }
    }
}

impl Ord for Node {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = |node: &Self| node.what.rank();
        self.bound.cmp(&other.bound).then_with(|| order(self).cmp(&order(other))).reverse()
    }
}

impl PartialOrd for Node {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Node {}

/// A listing on its way.
struct Walk {
    disk: Arc<Disk>,
    scope: ListScope,
    waiting: BinaryHeap<Node>,
    /// The group of the delimiter that was told last.
    group: Option<String>,
    /// The key that was told last.
    last: Option<Key>,
}

pub(crate) fn list(disk: &Arc<Disk>, scope: ListScope) -> ListStream {
    let root = Node { bound: String::new(), what: What::Folder(Folder::default()) };
    let waiting = BinaryHeap::from([root]);
    let walk = Walk { disk: Arc::clone(disk), scope, waiting, group: None, last: None };
    futures::stream::unfold(Some(walk), |walk| async move {
        let mut walk = walk?;
        let turn = blocking(move || {
            let items = walk.batch();
            Ok((items, walk))
        });
        match turn.await {
            Ok((items, _)) if items.is_empty() => None,
            Ok((items, walk)) => Some((futures::stream::iter(items), Some(walk))),
            Err(error) => Some((futures::stream::iter(vec![Err(error)]), None)),
        }
    })
    .flatten()
    .boxed()
}

impl Walk {
    fn batch(&mut self) -> Vec<Result<ListItem>> {
        let mut items = Vec::new();
        while items.len() < BATCH
            && let Some(item) = self.next()
        {
            if item.is_err() {
                self.waiting.clear();
            }
            items.push(item.map_err(|error| error.during(Operation::List)));
        }
        items
    }

    fn next(&mut self) -> Option<Result<ListItem>> {
        while let Some(node) = self.waiting.pop() {
            if self.group.as_ref().is_some_and(|group| node.bound.starts_with(group.as_str())) {
                continue;
            }
            match node.what {
                What::Folder(folder) => {
                    if let Err(error) = self.expand(&node.bound, &folder) {
                        return Some(Err(error));
                    }
                }
                What::Bad(path) => return Some(Ok(ListItem::BadKey(RawKey::new(path)))),
                What::File { folder, name } => match self.file(node.bound, &folder, &name) {
                    Ok(None) => {}
                    Ok(Some(item)) => return Some(Ok(item)),
                    Err(error) => return Some(Err(error)),
                },
            }
        }
        None
    }

    /// Puts in what a folder holds.
    fn expand(&mut self, bound: &str, folder: &Folder) -> Result<()> {
        let next_segment = match folder.bad || !folder.pieces.is_empty() {
            true => None,
            false => self.scope.prefix.strip_prefix(bound).and_then(|rest| rest.split_once('/')),
        };
        if let Some((segment, _)) = next_segment {
            let segment = segment.to_owned();
            self.enter(bound, folder, &segment);
            return Ok(());
        }
        match self.read(bound, folder) {
            Ok(()) => Ok(()),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if !folder.path.is_empty() => Ok(()),
            Err(Errno::ACCESS | Errno::PERM) if !folder.path.is_empty() => {
                self.bad(bound.to_owned(), [&folder.path, &b"/"[..]].concat(), "a folder that can't be read");
                Ok(())
            }
            Err(errno) => Err(self.failed(errno, &folder.path)),
        }
    }

    /// The prefix names the next folder: nothing else need be looked at.
    fn enter(&mut self, bound: &str, folder: &Folder, segment: &str) {
        let forms = Forms::folder(segment, bound.is_empty());
        let below = format!("{bound}{segment}/");
        for names in [forms.plain, forms.other] {
            let path = join(&folder.path, names.join("/").as_bytes());
            let special = || {
                let parent = self.disk.folder(&folder.path);
                parent
                    .is_ok_and(|dir| kind(&dir, names[0].as_bytes()).is_ok_and(|kind| kind == Kind::Special))
            };
            if self.disk.folder(&path).is_ok() {
                let start = below.len();
                let what = What::Folder(Folder { path, start, ..Folder::default() });
                self.waiting.push(Node { bound: below.clone(), what });
            } else if special() {
                self.bad(below.clone(), path, "a symbolic link or special file");
            }
        }
    }

    fn read(&mut self, bound: &str, folder: &Folder) -> Result<(), Errno> {
        let dir = self.disk.folder(&folder.path)?;
        let shared: Arc<[u8]> = folder.path.as_slice().into();
        for entry in entries(&dir)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            let kind = match entry.file_type() {
                FileType::RegularFile => Kind::File,
                FileType::Directory => Kind::Folder,
                FileType::Unknown => match stat(&dir, name) {
                    Ok(stat) => kind_of(&stat),
                    Err(_) => continue,
                },
                _ => Kind::Special,
            };
            let own = folder.path.is_empty() && name == OWN.as_bytes() && kind == Kind::Folder;
            if !own {
                self.put(bound, folder, &shared, name, kind);
            }
        }
        Ok(())
    }

    fn put(&mut self, bound: &str, folder: &Folder, shared: &Arc<[u8]>, name: &[u8], kind: Kind) {
        let known = std::str::from_utf8(name).ok().filter(|_| !folder.bad);
        let parsed = known.and_then(|text| parse(text).map(|(piece, mark)| (text, piece, mark)));
        let Some((text, piece, mark)) = parsed else {
            return self.put_bad(bound, folder, name, kind, "a name that is no key's");
        };
        let whole = format!("{bound}{piece}");
        let mut pieces = folder.pieces.clone();
        pieces.push(text.to_owned());
        let top = folder.start == 0;
        let is_form = |mark| names(&whole[folder.start..], top, mark) == pieces;
        match (kind, mark) {
            (Kind::Folder, Mark::More) => {
                let path = join(&folder.path, name);
                let what = What::Folder(Folder { path, pieces, start: folder.start, bad: false });
                self.push(Node { bound: whole, what });
            }
            (Kind::Folder, Mark::Plain | Mark::Dir) if is_form(mark) => {
                let path = join(&folder.path, name);
                let (bound, start) = (whole.clone() + "/", whole.len() + 1);
                self.push(Node { bound, what: What::Folder(Folder { path, start, ..Folder::default() }) });
            }
            (Kind::File, Mark::Plain | Mark::File) if is_form(mark) => {
                let what = What::File { folder: Arc::clone(shared), name: name.into() };
                self.push(Node { bound: whole, what });
            }
            (Kind::Special, _) => self.put_bad(bound, folder, name, kind, "a symbolic link or special file"),
            _ => self.put_bad(bound, folder, name, kind, "a name that is no key's"),
        }
    }

    /// Something without a key; in a folder, everything below it.
    fn put_bad(&mut self, bound: &str, folder: &Folder, name: &[u8], kind: Kind, why: &str) {
        let path = join(&folder.path, name);
        let bound = format!("{bound}{}", String::from_utf8_lossy(name));
        match kind {
            Kind::Folder => {
                let (bound, bad) = (bound + "/", true);
                self.push(Node { bound, what: What::Folder(Folder { path, bad, ..Folder::default() }) });
            }
            _ => self.bad(bound, path, why),
        }
    }

    fn bad(&mut self, bound: String, path: Vec<u8>, why: &str) {
        if self.holds(&bound, false) {
            let shown = display_text(&self.disk.shown(&path));
            tracing::warn!(path = %shown, "listed as a bad key: {why}");
        }
        self.push(Node { bound, what: What::Bad(path) });
    }

    fn push(&mut self, node: Node) {
        if self.holds(&node.bound, matches!(node.what, What::Folder(_))) {
            self.waiting.push(node);
        }
    }

    /// Whether a key that is the bound, or (`below`) begins with it, can be in the scope.
    fn holds(&self, bound: &str, below: bool) -> bool {
        let ListScope { prefix, after, until, .. } = &self.scope;
        let prefixed = bound.starts_with(prefix.as_str()) || (below && prefix.starts_with(bound));
        let late = after
            .as_ref()
            .is_none_or(|after| bound > after.as_str() || (below && after.as_str().starts_with(bound)));
        prefixed && late && until.as_ref().is_none_or(|until| bound < until.as_str())
    }

    fn file(&mut self, bound: String, folder: &[u8], name: &[u8]) -> Result<Option<ListItem>> {
        let key = Key::new(bound)?;
        if let Some(group) = self.group_of(&key) {
            let prefix = Key::new(group.as_str())?;
            self.group = Some(group);
            return Ok(Some(ListItem::Prefix(prefix)));
        }
        let path = join(folder, name);
        if self.last.as_ref() == Some(&key) {
            tracing::warn!(path = %display_text(&self.disk.shown(&path)), "another file has the same key");
            return Ok(Some(ListItem::BadKey(RawKey::new(path))));
        }
        let item = self.object(&key, &path)?;
        if item.is_some() {
            self.last = Some(key);
        }
        Ok(item)
    }

    fn group_of(&self, key: &Key) -> Option<String> {
        let delimiter = self.scope.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty())?;
        let start = self.scope.prefix.len();
        let at = key.as_str().get(start..)?.find(delimiter)?;
        Some(key.as_str()[..start + at + delimiter.len()].to_owned())
    }

    /// `None` when it has gone. Attributes that can't be read are not told.
    fn object(&self, key: &Key, path: &[u8]) -> Result<Option<ListItem>> {
        let file = match self.disk.file(path) {
            Ok(file) => file,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            Err(Errno::ACCESS | Errno::PERM) => return self.unreadable(key, path),
            Err(errno) => return Err(self.failed(errno, path)),
        };
        let state = match file_stat(&file) {
            Ok(stat) => self.disk.state(&stat),
            Err(_) => return Ok(None),
        };
        let mut told = info(key, &state);
        match self.disk.attributes(&file, key, &state) {
            Ok(attributes) => told.attributes = Some(attributes),
            Err(error) => tracing::warn!(%error, "attributes can't be read"),
        }
        Ok(Some(ListItem::Object(told)))
    }

    fn unreadable(&self, key: &Key, path: &[u8]) -> Result<Option<ListItem>> {
        let split = path.iter().rposition(|b| *b == b'/');
        let (folder, name) = split.map_or((&b""[..], path), |at| (&path[..at], &path[at + 1..]));
        let found = self.disk.folder(folder).and_then(|dir| stat(&dir, name));
        Ok(found.ok().map(|stat| ListItem::Object(info(key, &self.disk.state(&stat)))))
    }

    fn failed(&self, errno: Errno, path: &[u8]) -> Error {
        let error = failed(errno, &self.disk.shown(path));
        match error.kind() {
            ErrorKind::NotFound => error.into_kind(ErrorKind::BucketNotFound),
            _ => error,
        }
    }
}

fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() }
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
