//! Listings, a page at a time, so that a listing sees what is written behind its place while it goes on.

use std::ops::Bound;

use cabotage_core::{Key, ListItem, ListOrder, ListScope, ListStream, Result};
use futures::StreamExt as _;

use crate::object::{Object, Told};
use crate::state::{Place, State};
use crate::store::MemoryStore;

/// Most objects looked at under the lock at once.
const PAGE: usize = 256;

struct Cursor {
    store: MemoryStore,
    scope: ListScope,
    /// Where the next page begins; `None` at the end.
    next: Option<Bound<Place>>,
    /// The group that was told last.
    folded: Option<String>,
}

pub(crate) fn list(store: &MemoryStore, scope: ListScope) -> ListStream {
    let order = store.state().order;
    let next = Some(start(&scope, order));
    let cursor = Cursor { store: store.clone(), scope, next, folded: None };
    futures::stream::unfold(cursor, |mut cursor| async move {
        let items = cursor.page()?;
        Some((futures::stream::iter(items), cursor))
    })
    .flatten()
    .boxed()
}

fn start(scope: &ListScope, order: ListOrder) -> Bound<Place> {
    let after = scope.after.as_ref().map(|after| Place::of(after.as_str(), order));
    let prefix = (order != ListOrder::None).then(|| Place::of(&scope.prefix, order));
    match (after, prefix) {
        (Some(after), Some(prefix)) if prefix > after => Bound::Included(prefix),
        (Some(after), _) => Bound::Excluded(after),
        (None, Some(prefix)) => Bound::Included(prefix),
        (None, None) => Bound::Unbounded,
    }
}

impl Cursor {
    fn page(&mut self) -> Option<Vec<Result<ListItem>>> {
        let store = self.store.clone();
        let state = store.state();
        let from = self.next.take()?;
        let mut items = Vec::new();
        for (seen, (key, object)) in state.from(from).enumerate() {
            if self.is_past(&state, key) {
                return Some(items);
            }
            items.extend(self.item(key, object).map(Ok));
            if seen + 1 == PAGE {
                self.next = Some(Bound::Excluded(Place::of(key.as_str(), state.order)));
                break;
            }
        }
        Some(items)
    }

    /// Whether no later key can belong to the listing.
    fn is_past(&self, state: &State, key: &Key) -> bool {
        let outside = !key.as_str().starts_with(&self.scope.prefix);
        match state.order {
            ListOrder::None => false,
            ListOrder::Utf16 => outside,
            ListOrder::Bytes => outside || self.scope.until.as_ref().is_some_and(|until| key >= until),
        }
    }

    fn item(&mut self, key: &Key, object: &Object) -> Option<ListItem> {
        let rest = key.as_str().strip_prefix(&self.scope.prefix)?;
        if self.scope.until.as_ref().is_some_and(|until| key >= until) {
            return None;
        }
        let delimiter = self.scope.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
        if let Some((delimiter, at)) = delimiter.and_then(|d| rest.find(d).map(|at| (d, at))) {
            let group = &key.as_str()[..self.scope.prefix.len() + at + delimiter.len()];
            if self.folded.as_deref() == Some(group) {
                return None;
            }
            self.folded = Some(group.to_owned());
            return Key::new(group).ok().map(ListItem::Prefix);
        }
        let capabilities = self.store.rules();
        let told = match (capabilities.list_attributes, capabilities.list_tags) {
            (false, _) => Told::Nothing,
            (true, false) => Told::AllButTags,
            (true, true) => Told::All,
        };
        Some(ListItem::Object(object.info(key, told)))
    }
}
