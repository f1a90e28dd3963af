//! Listings.

use futures::stream::BoxStream;

use crate::{Key, ObjectInfo, RawKey, Result};

/// What to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListScope {
    /// Only keys that begin with this; empty means all. Not a folder: `a` also finds `ab`.
    pub prefix: String,
    /// Keys that have this text after the prefix are folded into [`ListItem::Prefix`].
    pub delimiter: Option<String>,
    /// Only keys after this one, in the listing's order, exclusive.
    pub after: Option<Key>,
    /// Only keys before this one, in byte order, exclusive.
    pub until: Option<Key>,
    /// Older versions too.
    pub versions: bool,
}

impl ListScope {
    /// All objects whose keys begin with the prefix.
    #[must_use]
    pub fn prefix(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..Self::default() }
    }
}

/// One item of a listing.
#[derive(Clone, Debug, PartialEq)]
pub enum ListItem {
    /// An object.
    Object(ObjectInfo),
    /// A folded group of keys, ending in the delimiter.
    Prefix(Key),
    /// An older version of an object.
    Version(ObjectInfo),
    /// A name that is no key: an item like others, never the end of the listing.
    BadKey(RawKey),
}

/// A listing. After an error nothing follows.
pub type ListStream = BoxStream<'static, Result<ListItem>>;
