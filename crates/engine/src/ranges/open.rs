//! What is joined: two listings and the ledger, from any name on.

use std::path::Path;
use std::sync::Arc;

use cabotage_core::{
    Capabilities, Key, ListItem, ListOrder, ListScope, ListStream, Operation, Result, Storage,
};
use futures::future::ready;
use futures::stream::{BoxStream, StreamExt as _, TryStreamExt as _};

use super::{Division, MOST, Sources, in_span};
use crate::join::{Inputs, Joined, Span};
use crate::ledger::row_stream;
use crate::order::{SpillOptions, in_byte_order};
use crate::{Ledger, Side};

/// Rows of the ledger read at once.
const ROWS: usize = 1_000;

/// Both ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends<'a> {
    pub source: &'a Side,
    pub destination: &'a Side,
}

/// Both listings and the ledger, by name; in several ranges at once, unless the names have to come in one order.
///
/// Only names of the span. A store that lists only from the beginning, or in no order, or without asking a server for pages, is read as one range.
pub(crate) fn joined(
    ends: Ends<'_>,
    ledger: Ledger,
    state_dir: &Path,
    ordered: bool,
    span: Span,
) -> BoxStream<'static, Result<Joined>> {
    let (source, destination) = (Listing::of(ends.source, &span), Listing::of(ends.destination, &span));
    let pages = source.page().zip(destination.page()).filter(|_| !ordered);
    let division = pages.map_or(Division::NONE, |(a, b)| Division { most: MOST, page: a.max(b) });
    let mut spill = SpillOptions::in_folder(state_dir);
    spill.held /= division.most;
    in_span(Listings { source, destination, ledger, spill }, division, span)
}

struct Listings {
    source: Listing,
    destination: Listing,
    ledger: Ledger,
    spill: SpillOptions,
}

impl Sources for Listings {
    fn open(&self, after: Option<&str>) -> Inputs {
        let Self { source, destination, ledger, spill } = self;
        Inputs {
            source: source.open(after, spill),
            source_prefix: source.prefix.clone(),
            destination: destination.open(after, spill),
            destination_prefix: destination.prefix.clone(),
            rows: row_stream(ledger.clone(), after, ROWS).boxed(),
        }
    }

    fn takes(&self, after: &str) -> bool {
        self.source.takes(after) && self.destination.takes(after)
    }
}

/// One end's listing.
struct Listing {
    store: Arc<dyn Storage>,
    prefix: String,
    label: String,
    /// Which names are wanted.
    span: Span,
}

impl Listing {
    fn of(side: &Side, span: &Span) -> Self {
        let (prefix, label) = (side.prefix.clone(), side.label.clone());
        Self { store: Arc::clone(&side.store), prefix, label, span: span.clone() }
    }

    /// Names that a page tells, where listings are pages and can begin at any name.
    fn page(&self) -> Option<usize> {
        let Capabilities { list_order, list_after, list_page, .. } = self.store.capabilities();
        list_page.filter(|_| *list_after && *list_order != ListOrder::None)
    }

    fn key(&self, name: &str) -> Result<Key> {
        Key::new(format!("{}{name}", self.prefix))
    }

    /// A store may refuse to begin after a name that it couldn't hold.
    fn takes(&self, name: &str) -> bool {
        self.key(name).is_ok_and(|key| self.store.capabilities().accepts(&key).is_ok())
    }

    /// Whether the store lists the same names after that one as the bytes of names tell.
    fn begins_at(&self, name: &str) -> bool {
        let order = self.store.capabilities().list_order;
        order.goes_on_as_bytes_after(name) && self.takes(name)
    }

    /// What lies under the prefix after that name, by the bytes of the names. Where the store can't begin there, what it lists
    /// before is passed over.
    fn open(&self, after: Option<&str>, spill: &SpillOptions) -> ListStream {
        let order = self.store.capabilities().list_order;
        let (prefix, label) = (&self.prefix, self.label.clone());
        let begin = after.filter(|name| self.begins_at(name)).and_then(|name| self.key(name).ok());
        let span = Span { after: after.map(Arc::from), through: self.span.through.clone() };
        let passed = begin.is_none() && after.is_some();
        let listed = self.store.list(ListScope { after: begin, ..ListScope::prefix(prefix) });
        let listed = listed.map_err(move |error| error.during(Operation::List).about(&label)).boxed();
        let length = prefix.len();
        // Names that are no keys have no place in a join: here alone it can be told whose they are.
        let wanted = move |item: &ListItem| match item {
            ListItem::BadKey(raw) => span.holds(raw.as_bytes().get(length..).unwrap_or_default()),
            ListItem::Object(info) if passed => info
                .key
                .as_str()
                .get(length..)
                .is_none_or(|name| span.after.as_deref().is_none_or(|after| name > after)),
            _ => true,
        };
        in_byte_order(listed, order, prefix.clone(), spill.clone())
            .try_filter(move |item| ready(wanted(item)))
            .boxed()
    }
}
