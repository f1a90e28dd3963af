//! Listings in the order of keys.
//!
//! The order of keys is not that of names: `a-`, `a/x`, `a0`. So everything found waits in a heap under the smallest
//! key that it can hold; the smallest is taken out, and a folder is then opened and its entries put in. What waits is
//! what lies beside the path to the current key, about 200 bytes an entry, and of each folder on that path no more than
//! [`MOST`] entries: the first ones, and what comes after them when those have been told.

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
use crate::waiting::{First, Folder, Node, Place, Rest, What};

/// Most items that one turn on a blocking thread brings.
const BATCH: usize = 256;

/// Most entries of one folder that wait at a time. A larger folder is read once for each so many: a million files
/// sixteen times.
const MOST: usize = 65_536;

/// A listing on its way.
struct Walk {
    disk: Arc<Disk>,
    scope: ListScope,
    waiting: BinaryHeap<Node>,
    /// Most entries of one folder that are taken at a time.
    most: usize,
    /// The group of the delimiter that was told last.
    group: Option<String>,
    /// The key that was told last.
    last: Option<Key>,
}

pub(crate) fn list(disk: &Arc<Disk>, scope: ListScope) -> ListStream {
    told(Walk::new(disk, scope, MOST))
}

fn told(walk: Walk) -> ListStream {
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
    fn new(disk: &Arc<Disk>, scope: ListScope, most: usize) -> Self {
        let root = Node { bound: String::new(), what: What::Folder(Folder::default()) };
        let waiting = BinaryHeap::from([root]);
        Self { disk: Arc::clone(disk), scope, waiting, most, group: None, last: None }
    }

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
            let held = if let What::Rest(rest) = &node.what { &rest.bound } else { &node.bound };
            if self.group.as_ref().is_some_and(|group| held.starts_with(group.as_str())) {
                continue;
            }
            match node.what {
                What::Folder(folder) => {
                    if let Err(error) = self.expand(&node.bound, &folder) {
                        return Some(Err(error));
                    }
                }
                What::Rest(rest) => {
                    if let Err(error) = self.take(&rest.bound, &rest.folder, Some(rest.last)) {
                        return Some(Err(error));
                    }
                }
                What::Bad { path, why } => {
                    let shown = display_text(&self.disk.shown(&path));
                    tracing::warn!(path = %shown, "listed as a bad key: {why}");
                    return Some(Ok(ListItem::BadKey(RawKey::new(path))));
                }
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
        self.take(bound, folder, None)
    }

    /// Puts in the first that a folder holds after that place, and where the rest begins.
    fn take(&mut self, bound: &str, folder: &Folder, after: Option<Place>) -> Result<()> {
        let mut first = First::new(self.most, after);
        match self.read(bound, folder, &mut first) {
            Ok(()) => {
                let (nodes, last) = first.into_nodes();
                self.waiting.extend(nodes);
                if let Some(last) = last {
                    let (bound, folder) = (bound.to_owned(), folder.clone());
                    let what = What::Rest(Box::new(Rest { folder, bound, last: last.clone() }));
                    self.waiting.push(Node { bound: last.bound, what });
                }
                Ok(())
            }
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if !folder.path.is_empty() => Ok(()),
            Err(Errno::ACCESS | Errno::PERM) if !folder.path.is_empty() => {
                let path = [&folder.path, &b"/"[..]].concat();
                let what = What::Bad { path, why: "a folder that can't be read" };
                self.waiting.extend(self.held(bound.to_owned(), what));
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
                let what = What::Bad { path, why: "a symbolic link or special file" };
                self.waiting.extend(self.held(below.clone(), what));
            }
        }
    }

    fn read(&self, bound: &str, folder: &Folder, first: &mut First) -> Result<(), Errno> {
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
            if own {
                continue;
            }
            let (bound, what) = found(bound, folder, &shared, name, kind);
            if let Some(node) = self.held(bound, what) {
                first.offer(node);
            }
        }
        Ok(())
    }

    /// The node, if the scope can hold something of it.
    fn held(&self, bound: String, what: What) -> Option<Node> {
        let below = matches!(what, What::Folder(_));
        self.holds(&bound, below).then_some(Node { bound, what })
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

/// What an entry of a folder is, and the smallest key that it can hold.
fn found(bound: &str, folder: &Folder, shared: &Arc<[u8]>, name: &[u8], kind: Kind) -> (String, What) {
    let known = std::str::from_utf8(name).ok().filter(|_| !folder.bad);
    let parsed = known.and_then(|text| parse(text).map(|(piece, mark)| (text, piece, mark)));
    let Some((text, piece, mark)) = parsed else {
        return no_key(bound, folder, name, kind, "a name that is no key's");
    };
    let whole = format!("{bound}{piece}");
    let mut pieces = folder.pieces.clone();
    pieces.push(text.to_owned());
    let top = folder.start == 0;
    let is_form = |mark| names(&whole[folder.start..], top, mark) == pieces;
    match (kind, mark) {
        (Kind::Folder, Mark::More) => {
            let path = join(&folder.path, name);
            (whole, What::Folder(Folder { path, pieces, start: folder.start, bad: false }))
        }
        (Kind::Folder, Mark::Plain | Mark::Dir) if is_form(mark) => {
            let path = join(&folder.path, name);
            let start = whole.len() + 1;
            (whole + "/", What::Folder(Folder { path, start, ..Folder::default() }))
        }
        (Kind::File, Mark::Plain | Mark::File) if is_form(mark) => {
            (whole, What::File { folder: Arc::clone(shared), name: name.into() })
        }
        (Kind::Special, _) => no_key(bound, folder, name, kind, "a symbolic link or special file"),
        _ => no_key(bound, folder, name, kind, "a name that is no key's"),
    }
}

/// Something without a key; in a folder, everything below it.
fn no_key(bound: &str, folder: &Folder, name: &[u8], kind: Kind, why: &'static str) -> (String, What) {
    let path = join(&folder.path, name);
    let bound = format!("{bound}{}", String::from_utf8_lossy(name));
    match kind {
        Kind::Folder => (bound + "/", What::Folder(Folder { path, bad: true, ..Folder::default() })),
        _ => (bound, What::Bad { path, why }),
    }
}

fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() }
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
