//! Brings a listing to byte order and checks it.
//!
//! Stores list by bytes (S3, Azure), by UTF-16 code units (Azurite) or in no order (a folder). The join needs bytes.
//! The two orders differ only where a character above U+FFFF meets one of U+E000 to U+FFFF, so that in a UTF-16
//! listing little has to be held back.

mod line;
mod run;
mod sorter;

use std::cmp::Ordering;
use std::path::PathBuf;

use cabotage_core::{Error, ErrorKind, Key, ListItem, ListOrder, ListStream, Operation, Result, display_key};
use futures::StreamExt as _;
use futures::future::ready;

use sorter::Sorter;

/// What is held in memory, and where the rest goes.
#[derive(Clone, Debug)]
pub struct SpillOptions {
    /// Most items held in memory; beyond it sorted runs go to unnamed temporary files.
    pub held: usize,
    /// The folder of those files. They need about 200 bytes per item and the length of its name and attributes.
    pub folder: PathBuf,
}

impl SpillOptions {
    /// Most items held in memory unless told otherwise.
    pub const HELD: usize = 50_000;

    /// The default bound, with files in that folder.
    #[must_use]
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { held: Self::HELD, folder: folder.into() }
    }
}

impl Default for SpillOptions {
    /// The default bound, with files in the system's folder for temporary files (often small: name a folder instead).
    fn default() -> Self {
        Self::in_folder(std::env::temp_dir())
    }
}

/// Brings a listing from the order in which the store lists to byte order of the keys.
///
/// Bad keys pass at once, since they have no place in the order. A listing in UTF-16 order is held back only as far as
/// a later key can still come before; one in no order is held whole. Older versions may share a key, and keep the
/// order in which they came. Must be polled inside a Tokio runtime when more than [`SpillOptions::held`] items wait.
///
/// # Errors
/// `ListingBroken` when a key is outside the prefix or comes again, or at or before the key that came before it in
/// the store's order; `NoSpace` and others of the temporary files; those of the listing. After an error nothing follows.
pub fn in_byte_order(
    stream: ListStream,
    order: ListOrder,
    prefix: String,
    spill: SpillOptions,
) -> ListStream {
    let mut arriving = Arriving { order, prefix, last: None };
    let checked = stream.map(move |item| item.and_then(|item| arriving.check(&item).map(|()| item)));
    let ordered = match order {
        ListOrder::Bytes => checked.boxed(),
        ListOrder::Utf16 | ListOrder::None => {
            Sorter::new(checked.boxed(), order, spill).into_stream().boxed()
        }
    };
    let until_error = ordered.scan(false, |failed, item| {
        let over = std::mem::replace(failed, item.is_err());
        ready((!over).then_some(item))
    });
    until_error.boxed()
}

/// Checks what a store lists against the order that it declares.
struct Arriving {
    order: ListOrder,
    prefix: String,
    last: Option<Key>,
}

impl Arriving {
    fn check(&mut self, item: &ListItem) -> Result<()> {
        let Some(key) = key_of(item) else { return Ok(()) };
        if !key.as_str().starts_with(&self.prefix) {
            return Err(outside(key, &self.prefix));
        }
        let compare = match self.order {
            ListOrder::Bytes => |a: &Key, b: &Key| a.cmp(b),
            ListOrder::Utf16 => |a: &Key, b: &Key| utf16_order(a.as_str(), b.as_str()),
            ListOrder::None => return Ok(()),
        };
        if let Some(last) = &self.last {
            check_after(last, item, key, compare(last, key))?;
        }
        self.last = Some(key.clone());
        Ok(())
    }
}

/// The key by which an item is ordered.
fn key_of(item: &ListItem) -> Option<&Key> {
    match item {
        ListItem::Object(info) | ListItem::Version(info) => Some(&info.key),
        ListItem::Prefix(key) => Some(key),
        ListItem::BadKey(_) => None,
    }
}

/// Fails unless `key`, that of `item`, comes after `last`; versions of one object may share their key.
fn check_after(last: &Key, item: &ListItem, key: &Key, order: Ordering) -> Result<()> {
    match order {
        Ordering::Less => Ok(()),
        Ordering::Equal if matches!(item, ListItem::Version(_)) => Ok(()),
        Ordering::Equal => Err(broken(format!("the listing names {} twice", display_key(key.as_str())))),
        Ordering::Greater => Err(broken(format!(
            "the listing goes backwards: {} comes after {}",
            display_key(key.as_str()),
            display_key(last.as_str())
        ))),
    }
}

fn outside(key: &Key, prefix: &str) -> Error {
    broken(format!(
        "the listing of {} returned {}, which is outside it",
        display_key(prefix),
        display_key(key.as_str())
    ))
}

fn broken(message: String) -> Error {
    Error::new(ErrorKind::ListingBroken, message).during(Operation::List).help(
        "nothing can be concluded from such a listing: run again, and if it comes back report it to the store's operator, \
         or move by a list of keys with --keys-from",
    )
}

/// Compares two texts by their UTF-16 code units, as JavaScript and Java do.
///
/// Only the first differing byte matters. Where one is the first of a character of U+E000 to U+FFFF (0xEE, 0xEF) and
/// the other that of one above U+FFFF (0xF0 to 0xF4), the order of the bytes is reversed: surrogates are smaller.
fn utf16_order(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let weight = |byte: u8| if matches!(byte, 0xEE | 0xEF) { byte + 0x10 } else { byte };
    match a.iter().zip(b).find(|(x, y)| x != y) {
        Some((x, y)) => weight(*x).cmp(&weight(*y)),
        None => a.len().cmp(&b.len()),
    }
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
