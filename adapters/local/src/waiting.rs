//! What a listing has found and not told yet, in the order of keys.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// Something that waits.
#[derive(Debug)]
pub(crate) struct Node {
    /// The smallest key that it can hold.
    pub bound: String,
    pub what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    Folder(Folder),
    /// What a folder holds beyond that place: it is read again when its turn comes.
    Rest(Box<Rest>),
    /// A file of that name in a folder.
    File {
        folder: Arc<[u8]>,
        name: Box<[u8]>,
    },
    /// A path that is no key's.
    Bad {
        path: Vec<u8>,
        why: &'static str,
    },
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Folder {
    pub path: Vec<u8>,
    /// Names of the folders that a long segment has been cut into so far.
    pub pieces: Vec<String>,
    /// Length of the bound without that segment.
    pub start: usize,
    /// Below a name that is no key's: nothing in here has a key.
    pub bad: bool,
}

/// A folder of which a part has been taken.
#[derive(Debug)]
pub(crate) struct Rest {
    pub folder: Folder,
    /// The folder's own bound.
    pub bound: String,
    /// The last that was taken.
    pub last: Place,
}

/// Where a node stands among all others of one folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub bound: String,
    rank: u8,
    name: Vec<u8>,
}

impl Node {
    pub fn place(&self) -> Place {
        Place { bound: self.bound.clone(), rank: self.what.rank(), name: self.what.name().to_vec() }
    }

    fn is_after(&self, place: &Place) -> bool {
        let (bound, rank, name) = (self.bound.as_str(), self.what.rank(), self.what.name());
        (bound, rank, name) > (place.bound.as_str(), place.rank, place.name.as_slice())
    }
}

impl What {
    /// At equal bounds folders come first, since what they hold is not known yet.
    fn rank(&self) -> u8 {
        match self {
            Self::Folder(_) | Self::Rest(_) => 0,
            Self::File { .. } => 1,
            Self::Bad { .. } => 2,
        }
    }

    /// What tells two of one bound and rank apart.
    fn name(&self) -> &[u8] {
        match self {
            Self::Folder(folder) => &folder.path,
            Self::Rest(rest) => &rest.folder.path,
            Self::File { name, .. } => name,
            Self::Bad { path, .. } => path,
        }
    }
}

/// The smallest is the greatest, as a heap wants it.
impl Ord for Node {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_bound = self.bound.cmp(&other.bound);
        let rest = || (self.what.rank(), self.what.name()).cmp(&(other.what.rank(), other.what.name()));
        by_bound.then_with(rest).reverse()
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

/// The first nodes of a folder, and no more than so many, whatever it holds.
pub(crate) struct First {
    most: usize,
    /// Only what comes after it.
    after: Option<Place>,
    /// The last on top.
    held: BinaryHeap<std::cmp::Reverse<Node>>,
    /// Whether some were left out.
    more: bool,
}

impl First {
    pub fn new(most: usize, after: Option<Place>) -> Self {
        Self { most, after, held: BinaryHeap::new(), more: false }
    }

    pub fn offer(&mut self, node: Node) {
        if self.after.as_ref().is_some_and(|after| !node.is_after(after)) {
            return;
        }
        self.held.push(std::cmp::Reverse(node));
        if self.held.len() > self.most {
            self.held.pop();
            self.more = true;
        }
    }

    /// The nodes, and the place of the last of them when others follow.
    pub fn into_nodes(self) -> (impl Iterator<Item = Node>, Option<Place>) {
        let last = self.held.peek().filter(|_| self.more).map(|node| node.0.place());
        (self.held.into_iter().map(|node| node.0), last)
    }
}
