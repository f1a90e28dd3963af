//! The merge-join, in as many ranges of names at once as keep its reader busy.
//!
//! A listing tells its names page after page, and each page waits for the one before. So what is still to be listed is cut
//! in two where the reader waits for it, and both parts are listed at the same time, and so on. A cut may leave a part with
//! nothing in it: that costs a request at each end, and tells where the next cut should be.
//!
//! No more is listed than is taken: while the reader has what to do, nothing is cut, and each range reads ahead within its
//! bounds.

mod choice;
mod open;

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::task::{Context, Poll};

use cabotage_core::{RawKey, Result};
use futures::stream::{BoxStream, StreamExt as _};
use futures::{Stream, future, stream};
use tokio::task::coop;

use crate::join::{Inputs, Join, JoinSide, Joined, Over, Span};
pub(crate) use open::{Ends, joined};

/// Ranges at once.
const MOST: usize = 8;
/// A range is cut when it has told so many pages since it began, or was cut last.
const PAGES: u64 = 3;
/// And not before it has told this part of all that was told: there are at most some hundred cuts to a tenfold of names.
const SHARE: u64 = 128;
/// Cuts in a row that may leave nothing behind them before the range has to go on first.
const TRIES: u32 = 16;

/// What is joined.
pub(crate) trait Sources: Send {
    /// Opens the three inputs after that name.
    fn open(&self, after: Option<&str>) -> Inputs;

    /// Whether both listings can be told to begin after that name.
    fn takes(&self, after: &str) -> bool;
}

/// How a join may be divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Division {
    /// Ranges at once; 1: it isn't.
    pub most: usize,
    /// Names that a page tells.
    pub page: usize,
}

impl Division {
    /// One range.
    pub(crate) const NONE: Self = Self { most: 1, page: 1 };
}

/// All that the three inputs tell within the span, joined: in order within each range, and the ranges as they come.
///
/// Must be polled inside a Tokio runtime. Memory is that of [`MOST`] joins, and 8 bytes for each name that is no key.
///
/// # Errors
/// Those of [`Join`]; after an error nothing follows.
pub(crate) fn in_span(
    sources: impl Sources + 'static,
    division: Division,
    span: Span,
) -> BoxStream<'static, Result<Joined>> {
    batches(Ranges::within(sources, division, span)).flat_map(stream::iter).boxed()
}

fn batches<S: Sources>(ranges: Ranges<S>) -> impl Stream<Item = Vec<Result<Joined>>> + Send {
    stream::unfold(Box::new(ranges), |mut ranges| async move {
        let batch = future::poll_fn(|cx| ranges.poll_batch(cx)).await;
        (!batch.is_empty()).then_some((batch, ranges))
    })
}

struct Range {
    id: u64,
    join: Join,
    /// A name before those that are left.
    witness: Option<Arc<str>>,
    /// Names told since it began, or was cut last.
    told: u64,
    /// Cuts in a row that left nothing behind them.
    tries: u32,
    /// The range that was cut off from it last, while nothing is known of that.
    asks: Option<u64>,
}

struct Ranges<S> {
    sources: S,
    division: Division,
    ranges: Vec<Range>,
    /// Whose turn it is.
    turn: usize,
    begun: u64,
    /// Names told by all.
    told: u64,
    bad: BadKeys,
    over: bool,
    whole: Span,
}

impl<S: Sources> Ranges<S> {
    fn within(sources: S, division: Division, whole: Span) -> Self {
        let (ranges, bad) = (Vec::with_capacity(division.most), BadKeys::default());
        Self { sources, division, ranges, turn: 0, begun: 0, told: 0, bad, over: false, whole }
    }

    /// What the next range has at hand; empty at the end.
    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Vec<Result<Joined>>> {
        if self.begun == 0 {
            let whole = self.whole.clone();
            self.begin(self.sources.open(whole.after.as_deref()), whole, None);
        }
        while !self.over {
            if let Some(batch) = self.poll_ranges(cx) {
                return Poll::Ready(batch);
            }
            if self.ranges.is_empty() {
                self.over = true;
            } else if !coop::has_budget_remaining() || !self.divide() {
                // Without budget they only pretend to have nothing at hand.
                return Poll::Pending;
            }
        }
        Poll::Ready(Vec::new())
    }

    /// What one of them has at hand. Those that have ended are gone.
    fn poll_ranges(&mut self, cx: &mut Context<'_>) -> Option<Vec<Result<Joined>>> {
        let mut left = self.ranges.len();
        while left > 0 {
            left -= 1;
            self.turn = if self.turn < self.ranges.len() { self.turn } else { 0 };
            let range = self.ranges.get_mut(self.turn)?;
            match range.join.poll_batch(cx) {
                Poll::Pending => self.turn += 1,
                Poll::Ready(batch) if batch.is_empty() => {
                    let ended = self.ranges.swap_remove(self.turn);
                    self.answer(ended.id, false);
                    left = left.min(self.ranges.len());
                }
                Poll::Ready(batch) => {
                    let batch = self.take(batch);
                    if batch.is_empty() {
                        left += 1;
                        continue;
                    }
                    self.turn += 1;
                    return Some(batch);
                }
            }
        }
        None
    }

    /// Takes note of what the range whose turn it is tells.
    fn take(&mut self, mut batch: Vec<Result<Joined>>) -> Vec<Result<Joined>> {
        self.over = batch.last().is_some_and(Result::is_err);
        batch.retain(|joined| match joined {
            Ok(Joined::Bad { side, key }) => self.bad.is_new(*side, key),
            _ => true,
        });
        let names = batch.iter().filter(|joined| matches!(joined, Ok(Joined::Candidate(_)))).count() as u64;
        self.told += names;
        let range = &mut self.ranges[self.turn];
        range.told += names;
        if range.witness.is_none() {
            range.witness = range.join.position().cloned();
        }
        let id = range.id;
        if names > 0 {
            self.answer(id, true);
        }
        batch
    }

    /// Tells the range from which that one was cut off whether there was something.
    fn answer(&mut self, id: u64, something: bool) {
        if let Some(parent) = self.ranges.iter_mut().find(|range| range.asks == Some(id)) {
            parent.asks = None;
            parent.tries = if something { 0 } else { parent.tries + 1 };
        }
    }

    fn begin(&mut self, inputs: Inputs, span: Span, witness: Option<Arc<str>>) -> u64 {
        let id = self.begun;
        self.begun += 1;
        let join = Join::new(inputs, span);
        self.ranges.push(Range { id, join, witness, told: 0, tries: 0, asks: None });
        id
    }

    /// Cuts the range of which most is left, as far as that can be told; false where none should be cut.
    fn divide(&mut self) -> bool {
        if self.ranges.len() >= self.division.most {
            return false;
        }
        let floor = (PAGES * self.division.page as u64).max(self.told / SHARE);
        let fit = |range: &Range| {
            range.asks.is_none() && (range.told >= floor || (1..TRIES).contains(&range.tries))
        };
        let widest = self.ranges.iter_mut().filter(|range| fit(range)).min_by_key(|range| range.depth());
        let Some(range) = widest else { return false };
        (range.told, range.tries) = (0, if range.tries < TRIES { range.tries } else { 0 });
        let sources = &self.sources;
        let Some((span, witness, ended)) = range.cut(|at| sources.takes(at)) else {
            range.tries = 0;
            return false;
        };
        let parent = range.id;
        let inputs = without(self.sources.open(span.after.as_deref()), ended);
        let child = self.begin(inputs, span, Some(witness));
        if let Some(parent) = self.ranges.iter_mut().find(|range| range.id == parent) {
            parent.asks = Some(child);
        }
        true
    }
}

impl Range {
    fn depth(&self) -> usize {
        let told = self.join.position().map_or("", |told| told);
        choice::depth(told, self.join.through())
    }

    /// Cuts off a part of what is left: its span, a name before it, and which inputs have nothing there.
    fn cut(&mut self, takes: impl Fn(&str) -> bool) -> Option<(Span, Arc<str>, Over)> {
        let told = Arc::clone(self.join.position()?);
        let at = choice::cut(self.witness.as_deref()?, &told, self.join.through())?;
        if !takes(&at) {
            return None;
        }
        let span = self.join.cut(&Arc::from(at))?;
        Some((span, told, self.join.ended()))
    }
}

/// An input that has told all it has is not asked again.
fn without(inputs: Inputs, ended: Over) -> Inputs {
    Inputs {
        source: if ended.source { stream::empty().boxed() } else { inputs.source },
        destination: if ended.destination { stream::empty().boxed() } else { inputs.destination },
        rows: if ended.rows { stream::empty().boxed() } else { inputs.rows },
        ..inputs
    }
}

/// Names that are no keys have no place among names, so two ranges may tell the same one.
#[derive(Default)]
struct BadKeys {
    seen: HashSet<u64>,
    hasher: RandomState,
}

impl BadKeys {
    fn is_new(&mut self, side: JoinSide, key: &RawKey) -> bool {
        self.seen.insert(self.hasher.hash_one((side == JoinSide::Source, key.as_bytes())))
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
