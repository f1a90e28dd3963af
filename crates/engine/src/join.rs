//! Joins the source's listing, the destination's listing and the ledger's rows by name, within one range of names.

mod input;

use std::future::ready;
use std::sync::Arc;
use std::task::{Context, Poll, ready as value_of};

use cabotage_core::{
    Error, ErrorKind, Key, ListItem, ListStream, ObjectInfo, Operation, RawKey, Result, display_key,
};
use futures::stream::BoxStream;
use futures::{Stream, TryStreamExt as _};

use crate::Row;
use input::{Entry, Input, Limit, Named};

/// Items handed over at once, and joined before other work gets its turn.
pub(crate) const BATCH: usize = 256;

/// What is known of one name. At least one of the three is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The name relative to the prefixes; may be empty.
    pub name: Arc<str>,
    /// The source's object.
    pub source: Option<ObjectInfo>,
    /// The destination's object.
    pub destination: Option<ObjectInfo>,
    /// The ledger's row.
    pub row: Option<Row>,
}

/// Which of the two listings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinSide {
    /// The source's.
    Source,
    /// The destination's.
    Destination,
}

/// What the join gives.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "nearly all are candidates")]
pub enum Joined {
    /// Everything known of one name.
    Candidate(Candidate),
    /// A name that is no key; it has no place in the order and comes at any time.
    Bad {
        /// Which listing returned it.
        side: JoinSide,
        /// The name.
        key: RawKey,
    },
}

/// The names of one range: those after the first and up to the second, which belongs to it. `None`: no bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub after: Option<Arc<str>>,
    pub through: Option<Arc<str>>,
}

/// Three streams that begin where a range does. Each is ordered by the bytes of the relative name: a key without its
/// side's prefix, and a row's name. Where they end doesn't matter, if it is not before the range's end.
pub(crate) struct Inputs {
    pub source: ListStream,
    pub source_prefix: String,
    pub destination: ListStream,
    pub destination_prefix: String,
    pub rows: BoxStream<'static, Result<Row>>,
}

/// What an input would still tell after the place where a range is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Over {
    pub source: bool,
    pub destination: bool,
    pub rows: bool,
}

/// The join of a range. Candidates come in the order of names, one per name.
///
/// Each input is read ahead by a task of its own, by about 2,000 items, so that pages are fetched while others are
/// worked on; the tasks end when the join is dropped. Memory doesn't depend on how many names there are. Versions
/// are skipped.
pub(crate) struct Join {
    source: Input<Listed>,
    destination: Input<Listed>,
    rows: Input<Row>,
    span: Span,
    limit: Arc<Limit>,
    position: Option<Arc<str>>,
    over: bool,
}

impl Join {
    /// Begins to read; must be called inside a Tokio runtime.
    pub(crate) fn new(inputs: Inputs, span: Span) -> Self {
        let Inputs { source, source_prefix, destination, destination_prefix, rows } = inputs;
        let limit = Arc::new(Limit::new(span.through.clone()));
        let (after, rows) = (&span.after, rows.map_ok(Entry::Value));
        let (source, destination) = (listed(source, source_prefix), listed(destination, destination_prefix));
        Self {
            source: Input::new("the source's listing", source, after.clone(), &limit),
            destination: Input::new("the destination's listing", destination, after.clone(), &limit),
            rows: Input::new("the ledger's rows", rows, after.clone(), &limit),
            span,
            limit,
            position: None,
            over: false,
        }
    }

    /// The name that was told last.
    pub(crate) fn position(&self) -> Option<&Arc<str>> {
        self.position.as_ref()
    }

    /// Where the range ends.
    pub(crate) fn through(&self) -> Option<&str> {
        self.span.through.as_deref()
    }

    /// Which inputs have nothing after the names that were told.
    pub(crate) fn ended(&self) -> Over {
        let (source, destination) = (self.source.is_exhausted(), self.destination.is_exhausted());
        Over { source, destination, rows: self.rows.is_exhausted() }
    }

    /// Ends the range at that name, and gives what was behind it. `None`, and nothing changes, unless the name lies between
    /// what was told and the present end.
    ///
    /// What was told and where the range ends only change through `&mut self`, so that no name falls between two ranges.
    pub(crate) fn cut(&mut self, at: &Arc<str>) -> Option<Span> {
        let told = self.position.as_deref().or(self.span.after.as_deref()).is_some_and(|told| told >= &**at);
        let outside = self.span.through.as_ref().is_some_and(|through| at >= through);
        if told || outside || self.over {
            return None;
        }
        self.limit.lower(Arc::clone(at));
        Some(Span { after: Some(Arc::clone(at)), through: self.span.through.replace(Arc::clone(at)) })
    }

    /// The next results that are at hand, at least one; none at the end. A failure is the last.
    pub(crate) fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Vec<Result<Joined>>> {
        let mut out = Vec::new();
        while !self.over && out.len() < BATCH {
            let Poll::Ready(next) = self.poll_next(cx) else {
                // What was joined is handed on before an input that keeps others waiting.
                return if out.is_empty() { Poll::Pending } else { Poll::Ready(out) };
            };
            let next = next.transpose();
            self.over = next.as_ref().is_none_or(Result::is_err);
            out.extend(next);
        }
        Poll::Ready(out)
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Joined>>> {
        if let Some(key) = value_of!(self.source.poll_fill(cx))? {
            return Poll::Ready(Ok(Some(Joined::Bad { side: JoinSide::Source, key })));
        }
        if let Some(key) = value_of!(self.destination.poll_fill(cx))? {
            return Poll::Ready(Ok(Some(Joined::Bad { side: JoinSide::Destination, key })));
        }
        value_of!(self.rows.poll_fill(cx))?;
        let names = [self.source.name(), self.destination.name(), self.rows.name()];
        let first = names.into_iter().flatten().min();
        let Some(name) = first.filter(|name| self.through().is_none_or(|through| *name <= through)) else {
            return Poll::Ready(Ok(None));
        };
        let name = Arc::<str>::from(name);
        self.position = Some(Arc::clone(&name));
        Poll::Ready(Ok(Some(Joined::Candidate(Candidate {
            source: self.source.take(&name).map(|listed| listed.info),
            destination: self.destination.take(&name).map(|listed| listed.info),
            row: self.rows.take(&name),
            name,
        }))))
    }
}

impl Named for Row {
    fn name(&self) -> &str {
        &self.name
    }
}

/// A listed object; the first `prefix` bytes of its key are the prefix.
struct Listed {
    info: ObjectInfo,
    prefix: usize,
}

impl Named for Listed {
    fn name(&self) -> &str {
        self.info.key.as_str().get(self.prefix..).unwrap_or_default()
    }
}

/// A listing's items as entries of the join.
fn listed(listing: ListStream, prefix: String) -> impl Stream<Item = Result<Entry<Listed>>> + Send + 'static {
    listing.try_filter_map(move |item| {
        ready(match item {
            ListItem::Object(info) if info.key.as_str().starts_with(&prefix) => {
                Ok(Some(Entry::Value(Listed { info, prefix: prefix.len() })))
            }
            ListItem::Object(info) => Err(outside(&info.key, &prefix)),
            ListItem::BadKey(key) => Ok(Some(Entry::Bad(key))),
            ListItem::Version(_) => Ok(None),
            ListItem::Prefix(key) => Err(defect("a listing without delimiter folded keys").on(&key)),
        })
    })
}

fn outside(key: &Key, prefix: &str) -> Error {
    let message = format!("the listing of {} returned a key outside it", display_key(prefix));
    Error::new(ErrorKind::ListingBroken, message).during(Operation::List).on(key).help(
        "nothing can be concluded from such a listing: run again, and report it to the store's operator",
    )
}

pub(crate) fn defect(message: impl AsRef<str>) -> Error {
    Error::new(ErrorKind::Internal, message)
        .during(Operation::List)
        .help("please report this with the text above")
}

#[cfg(test)]
#[path = "join_tests.rs"]
mod tests;
