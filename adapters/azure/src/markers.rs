//! The page markers of a listing.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use cabotage_core::{Error, ErrorKind, Result};

/// A hash of every marker that came, so that a server that goes in circles is found out.
#[derive(Debug, Default)]
pub(crate) struct Markers {
    seen: HashSet<u64>,
    hasher: RandomState,
}

impl Markers {
    /// # Errors
    /// `ListingBroken` for a marker that came before.
    pub(crate) fn check(&mut self, next: Option<&str>) -> Result<()> {
        match next {
            Some(marker) if !self.seen.insert(self.hasher.hash_one(marker)) => {
                Err(Error::new(ErrorKind::ListingBroken, "the server sent the same page marker twice"))
            }
            _ => Ok(()),
        }
    }
}
