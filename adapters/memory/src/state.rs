//! What is behind the lock: objects in listing order, open uploads, the counter of ETags.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use cabotage_core::{
    DeleteOptions, ETag, Error, ErrorKind, Key, ListOrder, PartInfo, Result, Support, Tags, Timestamp,
    WriteMode,
};

use crate::object::Object;

/// A key's place in a listing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Empty in byte order, else what is compared before the key.
    rank: Vec<u16>,
    name: String,
}

impl Place {
    /// Of that name, in that order. Without an order names are scattered, always in the same way.
    pub fn of(name: &str, order: ListOrder) -> Self {
        let rank = match order {
            ListOrder::Bytes => Vec::new(),
            ListOrder::Utf16 => name.encode_utf16().collect(),
            ListOrder::None => {
                let mixed =
                    name.bytes().fold(0x9dc5_u16, |hash, b| (hash ^ u16::from(b)).wrapping_mul(0x0193));
                vec![mixed]
            }
        };
        Self { rank, name: name.to_owned() }
    }
}

/// An upload that is neither completed nor aborted.
#[derive(Debug)]
pub(crate) struct OpenUpload {
    pub key: Key,
    pub object: Object,
    pub started: Timestamp,
    pub parts: BTreeMap<u32, StoredPart>,
}

/// A part at rest.
#[derive(Clone, Debug)]
pub(crate) struct StoredPart {
    pub info: PartInfo,
    pub offset: u64,
    pub bytes: Bytes,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub order: ListOrder,
    objects: BTreeMap<Place, (Key, Object)>,
    pub uploads: BTreeMap<String, OpenUpload>,
    counter: u64,
}

impl State {
    /// Nothing yet, to be listed in that order.
    pub fn new(order: ListOrder) -> Self {
        Self { order, ..Self::default() }
    }

    /// The same objects, listed in another order.
    pub fn reorder(&mut self, order: ListOrder) {
        self.order = order;
        for (_, (key, object)) in std::mem::take(&mut self.objects) {
            self.objects.insert(Place::of(key.as_str(), order), (key, object));
        }
    }

    /// An ETag or id that was never given before.
    pub fn next_tag(&mut self) -> String {
        self.counter += 1;
        format!("m{:08x}", self.counter)
    }

    pub fn get(&self, key: &Key) -> Result<&Object> {
        let place = Place::of(key.as_str(), self.order);
        self.objects
            .get(&place)
            .map(|(_, object)| object)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "no such object"))
    }

    /// Puts the object in its place under a new ETag, if the mode allows it.
    pub fn put(&mut self, key: &Key, mut object: Object, mode: &WriteMode, how: Support) -> Result<ETag> {
        if how == Support::Rejected && *mode != WriteMode::Replace {
            return Err(Error::new(ErrorKind::Unsupported, "this store takes no preconditions"));
        }
        if how == Support::Enforced {
            self.allow(key, mode)?;
        }
        object.etag = ETag::new(&self.next_tag());
        let etag = object.etag.clone();
        self.objects.insert(Place::of(key.as_str(), self.order), (key.clone(), object));
        Ok(etag)
    }

    pub fn retag(&mut self, key: &Key, tags: Tags) {
        if let Some((_, object)) = self.objects.get_mut(&Place::of(key.as_str(), self.order)) {
            object.attributes.tags = Some(tags);
        }
    }

    fn allow(&self, key: &Key, mode: &WriteMode) -> Result<()> {
        match (mode, self.get(key)) {
            (WriteMode::Replace, _) | (WriteMode::Create, Err(_)) => Ok(()),
            (WriteMode::Create, Ok(_)) => {
                Err(Error::new(ErrorKind::PreconditionFailed, "there is an object of that name already"))
            }
            (WriteMode::IfMatch(etag), found) => found?.expect_etag(etag),
        }
    }

    pub fn delete(&mut self, key: &Key, options: &DeleteOptions) -> Result<()> {
        if options.version.is_some() {
            return Err(Error::new(ErrorKind::Unsupported, "this store keeps no versions"));
        }
        if let Some(etag) = &options.if_match {
            self.get(key)?.expect_etag(etag)?;
        }
        self.objects.remove(&Place::of(key.as_str(), self.order));
        Ok(())
    }

    /// Objects from that place on.
    pub fn from(&self, start: Bound<Place>) -> impl Iterator<Item = &(Key, Object)> {
        self.objects.range((start, Bound::Unbounded)).map(|(_, entry)| entry)
    }
}

impl Object {
    /// `PreconditionFailed` unless it is in that state.
    pub fn expect_etag(&self, etag: &ETag) -> Result<()> {
        if self.etag == *etag {
            return Ok(());
        }
        Err(Error::new(ErrorKind::PreconditionFailed, "the object is no longer in the state asked for")
            .with("etag", self.etag.bare()))
    }
}
