//! What finds out a server whose listing never ends.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, Hash, RandomState};

use crate::{Error, ErrorKind, Operation, Result};

/// Follows the pages of one listing, as an adapter gets them: a place of a next page that was told before, and pages that
/// hold nothing without an end, are [`ErrorKind::ListingBroken`].
///
/// Memory: 8 bytes a page, since a hash of each place is kept.
#[derive(Debug, Default)]
pub struct PageGuard {
    seen: HashSet<u64>,
    hasher: RandomState,
    empty: u32,
}

impl PageGuard {
    /// Most pages in a row that may hold nothing and promise more.
    ///
    /// Honest servers do that: Azure's REST reference allows a page with fewer blobs than there are, down to none, and its
    /// users saw "empty results for hours" where much had been deleted (azure-storage-net, issue 612); S3 filters what a
    /// delimiter or a delete marker hides. How many there may be is documented nowhere. A page takes some 10 ms at the
    /// least, so ten thousand are minutes of nothing from a fast server, and hours from a slow one.
    pub const EMPTY_MAX: u32 = 10_000;

    /// Takes note of a page: how many entries the server's reply held, whatever became of them, and where the next begins.
    ///
    /// # Errors
    /// `ListingBroken`, as the type says.
    pub fn check(&mut self, entries: usize, next: Option<&impl Hash>) -> Result<()> {
        let Some(next) = next else { return Ok(()) };
        if !self.seen.insert(self.hasher.hash_one(next)) {
            return Err(broken("the server lists the same page again and again".to_owned()));
        }
        self.empty = if entries == 0 { self.empty + 1 } else { 0 };
        if self.empty >= Self::EMPTY_MAX {
            let text =
                format!("the server lists {} pages in a row that hold nothing, without an end", self.empty);
            return Err(broken(text));
        }
        Ok(())
    }
}

fn broken(text: String) -> Error {
    Error::new(ErrorKind::ListingBroken, text)
        .during(Operation::List)
        .help("run it again; if it comes back, the server can't be listed, and its provider should know")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_may_come_once() {
        let mut guard = PageGuard::default();
        for place in ["a", "b", "c"] {
            guard.check(1, Some(&place)).unwrap();
        }
        let again = guard.check(1, Some(&"a")).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::ListingBroken);
        guard.check(1, None::<&&str>).unwrap();
    }

    #[test]
    fn pages_of_nothing_have_an_end() {
        let mut guard = PageGuard::default();
        for place in 1..PageGuard::EMPTY_MAX {
            guard.check(0, Some(&place)).unwrap();
        }
        guard.check(1, Some(&"one entry")).unwrap();
        for place in 1..PageGuard::EMPTY_MAX {
            guard.check(0, Some(&(place, "again"))).unwrap();
        }
        let ended = guard.check(0, Some(&"one too many")).unwrap_err();
        assert_eq!(ended.kind(), ErrorKind::ListingBroken);
        assert!(ended.to_string().contains("10000 pages"), "{ended}");
        PageGuard::default().check(0, None::<&u32>).unwrap();
    }
}
