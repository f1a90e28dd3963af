//! Where a listing that broke off goes on.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use cabotage_core::{Key, ListItem, ListOrder, ListScope};

/// What a listing has given so far: told to the store as `after`, so that nothing comes twice and nothing is left out.
///
/// `after` follows the listing's own order, in bytes or in UTF-16. An unordered listing has no place to go on at once it
/// has given something, and one of versions may stop between two versions of a key: both can't go on. Memory grows with
/// the names that are no keys, 8 bytes each.
#[derive(Debug)]
pub(crate) struct Place {
    scope: ListScope,
    order: ListOrder,
    last: Option<Key>,
    folded: Option<Key>,
    bad: HashSet<u64>,
    hasher: RandomState,
    resumed: bool,
}

impl Place {
    pub(crate) fn new(scope: ListScope, order: ListOrder) -> Self {
        let (bad, hasher) = (HashSet::new(), RandomState::new());
        Self { scope, order, last: None, folded: None, bad, hasher, resumed: false }
    }

    /// What is still to be listed.
    pub(crate) fn scope(&self) -> ListScope {
        let after = self.last.clone().or_else(|| self.scope.after.clone());
        ListScope { after, ..self.scope.clone() }
    }

    /// Whether the listing can go on from here.
    pub(crate) fn is_known(&self) -> bool {
        let untouched = self.last.is_none() && self.bad.is_empty();
        untouched || (self.order != ListOrder::None && !self.scope.versions)
    }

    /// From now on items may come a second time.
    pub(crate) fn resume(&mut self) {
        self.resumed = true;
    }

    /// Takes note of an item; false when it was given before the listing broke off.
    ///
    /// A folded group comes again when keys of it follow the place; a name that is no key has no place in the order.
    pub(crate) fn takes(&mut self, item: &ListItem) -> bool {
        match item {
            ListItem::Object(info) | ListItem::Version(info) => {
                self.last = Some(info.key.clone());
                true
            }
            ListItem::Prefix(key) => {
                let again = self.resumed && self.folded.as_ref() == Some(key);
                self.last = Some(key.clone());
                self.folded = Some(key.clone());
                !again
            }
            ListItem::BadKey(raw) => self.bad.insert(self.hasher.hash_one(raw.as_bytes())) || !self.resumed,
        }
    }
}

#[cfg(test)]
#[path = "resume_list_tests.rs"]
mod tests;
