//! Sorted runs in unnamed temporary files.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::path::Path;

use cabotage_core::{Error, ErrorKind, Key, ListItem, Operation, Result};

use super::key_of;
use super::line::{self, read_line};

/// Items read from a run at once.
const BATCH: usize = 256;
const BUFFER: usize = 64 << 10;

/// An item with its key: ordered by the key's bytes, then by arrival.
#[derive(Debug)]
pub(super) struct Held {
    key: Key,
    arrival: u64,
    item: ListItem,
}

impl Held {
    /// None for a bad key, which has no place in an order.
    pub(super) fn new(item: ListItem, arrival: u64) -> Option<Self> {
        Some(Self { key: key_of(&item)?.clone(), arrival, item })
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    pub(super) fn into_item(self) -> ListItem {
        self.item
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key).then(self.arrival.cmp(&other.arrival))
    }
}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Held {}

/// A sorted run: what is left of it in the file, after what was already read.
#[derive(Debug)]
pub(super) struct Run {
    level: u32,
    ready: VecDeque<Held>,
    /// None once it was read to its end.
    file: Option<BufReader<File>>,
}

impl Run {
    /// Writes items, which come in order, to a new file.
    pub(super) fn write(
        folder: &Path,
        level: u32,
        items: impl Iterator<Item = Result<Held>>,
    ) -> Result<Self> {
        let failed = |error: io::Error| spill_error(folder, error);
        let mut out = BufWriter::with_capacity(BUFFER, tempfile::tempfile_in(folder).map_err(failed)?);
        for held in items {
            let held = held?;
            line::write_line(&mut out, &held.item, held.arrival).map_err(failed)?;
        }
        out.flush().map_err(failed)?;
        let mut file = out.into_inner().map_err(|error| failed(error.into_error()))?;
        file.rewind().map_err(failed)?;
        Ok(Self { level, ready: VecDeque::new(), file: Some(BufReader::with_capacity(BUFFER, file)) })
    }

    /// Writes one run of several, each given with its first item, which was already taken from it.
    pub(super) fn merge(folder: &Path, level: u32, parts: Vec<(Held, Self)>) -> Result<Self> {
        let (firsts, runs): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        let heap = firsts.into_iter().enumerate().map(|(index, held)| Reverse((held, index))).collect();
        Self::write(folder, level, Merge { heap, runs })
    }

    /// How many times its items were merged; runs of one level are of about one size.
    pub(super) fn level(&self) -> u32 {
        self.level
    }

    /// The next item; files are read away from the async threads.
    pub(super) async fn next(&mut self) -> Result<Option<Held>> {
        if self.ready.is_empty()
            && let Some(file) = self.file.take()
        {
            (self.ready, self.file) = blocking(move || read_batch(file)).await?;
        }
        Ok(self.ready.pop_front())
    }

    fn next_blocking(&mut self) -> Result<Option<Held>> {
        if self.ready.is_empty()
            && let Some(file) = self.file.take()
        {
            (self.ready, self.file) = read_batch(file)?;
        }
        Ok(self.ready.pop_front())
    }
}

/// Runs merged on a blocking thread.
struct Merge {
    heap: BinaryHeap<Reverse<(Held, usize)>>,
    runs: Vec<Run>,
}

impl Iterator for Merge {
    type Item = Result<Held>;

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((held, index)) = self.heap.pop()?;
        match self.runs[index].next_blocking() {
            Ok(Some(next)) => self.heap.push(Reverse((next, index))),
            Ok(None) => {}
            Err(error) => return Some(Err(error)),
        }
        Some(Ok(held))
    }
}

fn read_batch<R: BufRead>(mut file: R) -> Result<(VecDeque<Held>, Option<R>)> {
    let mut ready = VecDeque::with_capacity(BATCH);
    let mut text = String::new();
    while ready.len() < BATCH {
        let Some((item, arrival)) = read_line(&mut file, &mut text)? else { return Ok((ready, None)) };
        ready.extend(Held::new(item, arrival));
    }
    Ok((ready, Some(file)))
}

/// Runs file work away from the async threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(Error::new(ErrorKind::Internal, "sorting a listing was cut off").caused_by(error))
    })
}

fn spill_error(folder: &Path, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::NoSpace,
        _ => ErrorKind::InvalidConfig,
    };
    Error::new(kind, format!("a listing is sorted on disk, and writing it failed: {error}"))
        .during(Operation::List)
        .with("folder", folder.to_string_lossy())
        .help("give the folder space (about 500 bytes per object) and the permission to write, and run again")
        .caused_by(error)
}
