//! Holds items back until nothing can come before them.

use std::collections::BinaryHeap;

use cabotage_core::{Key, ListItem, ListOrder, ListStream, Result};
use futures::{Stream, StreamExt as _, stream};

use super::run::{Held, Run, blocking};
use super::{SpillOptions, check_after, key_of};

/// U+E000 in UTF-8: the smallest character that UTF-16 order puts after those above U+FFFF.
const AFTER_SURROGATES: &[u8] = "\u{E000}".as_bytes();
/// As many runs of about one size are merged into one, which bounds open files and merge buffers.
const FAN_IN: usize = 32;

/// What no later key can come before.
enum Bound {
    /// Nothing is known: all is held.
    Unknown,
    /// Later keys come after this one.
    After(Key),
    /// Later keys don't come before the first `len` bytes of this one followed by U+E000.
    From(Key, usize),
    /// There are no later keys.
    End,
}

impl Bound {
    /// The bound that follows from a key in UTF-16 order.
    ///
    /// Up to its first character above U+FFFF both orders agree, so a later key that differs before it is greater in
    /// both. One that differs at it, or behind it, has there such a character or one from U+E000 on.
    fn behind(key: &Key) -> Self {
        match key.as_str().bytes().position(|byte| byte >= 0xF0) {
            Some(place) => Self::From(key.clone(), place),
            None => Self::After(key.clone()),
        }
    }

    fn releases(&self, key: &Key) -> bool {
        match self {
            Self::Unknown => false,
            Self::After(last) => key <= last,
            Self::From(last, len) => {
                let (key, stem) = (key.as_str().as_bytes(), &last.as_str().as_bytes()[..*len]);
                key.strip_prefix(stem).map_or(key < stem, |rest| rest < AFTER_SURROGATES)
            }
            Self::End => true,
        }
    }
}

/// Where the heap's item came from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    Memory,
    Run(usize),
}

pub(super) struct Sorter {
    source: ListStream,
    order: ListOrder,
    spill: SpillOptions,
    bound: Bound,
    /// Smallest first: what is in memory, and the first item of each run.
    heap: BinaryHeap<std::cmp::Reverse<(Held, Origin)>>,
    in_memory: usize,
    runs: Vec<Option<Run>>,
    arrived: u64,
    last: Option<Key>,
    #[cfg(test)]
    pub(super) most_held: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

impl Sorter {
    pub(super) fn new(source: ListStream, order: ListOrder, spill: SpillOptions) -> Self {
        Self {
            source,
            order,
            spill,
            bound: Bound::Unknown,
            heap: BinaryHeap::new(),
            in_memory: 0,
            runs: Vec::new(),
            arrived: 0,
            last: None,
            #[cfg(test)]
            most_held: std::sync::Arc::default(),
        }
    }

    pub(super) fn into_stream(self) -> impl Stream<Item = Result<ListItem>> + Send {
        stream::try_unfold(Box::new(self), |mut sorter| async move {
            Ok(sorter.next().await?.map(|item| (item, sorter)))
        })
    }

    async fn next(&mut self) -> Result<Option<ListItem>> {
        loop {
            if let Some(item) = self.release().await? {
                return Ok(Some(item));
            }
            if matches!(self.bound, Bound::End) {
                return Ok(None);
            }
            match self.source.next().await.transpose()? {
                Some(item @ ListItem::BadKey(_)) => return Ok(Some(item)),
                Some(item) => self.hold(item).await?,
                None => self.bound = Bound::End,
            }
        }
    }

    /// The smallest held item, if nothing can come before it.
    async fn release(&mut self) -> Result<Option<ListItem>> {
        let Some(std::cmp::Reverse((first, _))) = self.heap.peek() else { return Ok(None) };
        if !self.bound.releases(first.key()) {
            return Ok(None);
        }
        let Some(std::cmp::Reverse((held, origin))) = self.heap.pop() else { return Ok(None) };
        match origin {
            Origin::Memory => self.in_memory -= 1,
            Origin::Run(index) => self.refill(index).await?,
        }
        let item = held.into_item();
        // Repeats in a listing without order come to light here.
        if let Some(key) = key_of(&item) {
            if let Some(last) = &self.last {
                check_after(last, &item, key, last.cmp(key))?;
            }
            self.last = Some(key.clone());
        }
        Ok(Some(item))
    }

    async fn hold(&mut self, item: ListItem) -> Result<()> {
        let Some(held) = Held::new(item, self.arrived) else { return Ok(()) };
        self.arrived += 1;
        if self.order == ListOrder::Utf16 {
            self.bound = Bound::behind(held.key());
        }
        self.heap.push(std::cmp::Reverse((held, Origin::Memory)));
        self.in_memory += 1;
        #[cfg(test)]
        self.most_held.fetch_max(self.in_memory, std::sync::atomic::Ordering::Relaxed);
        if self.in_memory > self.spill.held { self.spill().await } else { Ok(()) }
    }

    /// Puts the next item of a run into the heap, in place of its last.
    async fn refill(&mut self, index: usize) -> Result<()> {
        let Some(run) = self.runs.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
        match run.next().await? {
            Some(held) => self.heap.push(std::cmp::Reverse((held, Origin::Run(index)))),
            None => self.runs[index] = None,
        }
        Ok(())
    }

    /// Moves what is in memory into a new run, and merges runs when there are many of one size.
    async fn spill(&mut self) -> Result<()> {
        let (memory, firsts) = self.take_heap(|origin| origin == Origin::Memory);
        self.heap = firsts.into();
        self.in_memory = 0;
        let folder = self.spill.folder.clone();
        let items = memory.into_iter().rev().map(|std::cmp::Reverse((held, _))| held).collect::<Vec<_>>();
        let run = blocking(move || Run::write(&folder, 0, items.into_iter().map(Ok))).await?;
        self.add(run).await?;
        let mut level = 0;
        while self.runs.iter().flatten().filter(|run| run.level() == level).count() >= FAN_IN {
            self.merge(level).await?;
            level += 1;
        }
        Ok(())
    }

    async fn merge(&mut self, level: u32) -> Result<()> {
        let of_level = |run: &Option<Run>| run.as_ref().is_some_and(|run| run.level() == level);
        let chosen: Vec<bool> = self.runs.iter().map(of_level).collect();
        let (firsts, rest) = self.take_heap(|origin| matches!(origin, Origin::Run(index) if chosen[index]));
        self.heap = rest.into();
        let mut parts = Vec::with_capacity(firsts.len());
        for std::cmp::Reverse((first, origin)) in firsts {
            if let Origin::Run(index) = origin
                && let Some(run) = self.runs[index].take()
            {
                parts.push((first, run));
            }
        }
        let folder = self.spill.folder.clone();
        let merged = blocking(move || Run::merge(&folder, level + 1, parts)).await?;
        self.add(merged).await
    }

    async fn add(&mut self, run: Run) -> Result<()> {
        let free = self.runs.iter().position(Option::is_none);
        let index = free.unwrap_or(self.runs.len());
        match free {
            Some(index) => self.runs[index] = Some(run),
            None => self.runs.push(Some(run)),
        }
        self.refill(index).await
    }

    /// Takes the heap apart; the items are in descending order (as `Reverse`, ascending).
    #[allow(clippy::type_complexity, reason = "two lists of the heap's own items")]
    fn take_heap(
        &mut self,
        chosen: impl Fn(Origin) -> bool,
    ) -> (Vec<std::cmp::Reverse<(Held, Origin)>>, Vec<std::cmp::Reverse<(Held, Origin)>>) {
        let sorted = std::mem::take(&mut self.heap).into_sorted_vec();
        sorted.into_iter().partition(|std::cmp::Reverse((_, origin))| chosen(*origin))
    }
}
