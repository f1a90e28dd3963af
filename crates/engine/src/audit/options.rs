//! What a comparison is told: levels, selection, bounds.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use cabotage_core::{Error, ErrorKind, LossName, Result, Sha256};
use serde::{Serialize, Serializer};

use crate::{Options, Selection, TypedCommand};

/// How the content at the source is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceContent {
    /// By the SHA-256 that the ledger has of the state that the source still lists: nothing is read.
    #[default]
    Ledger,
    /// Every object is read whole.
    Read,
}

/// How the content at the destination is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DestinationContent {
    /// By name, size and ETag of the listing, which must be as recorded after the write: nothing is read.
    #[default]
    Listing,
    /// Every object is read whole.
    Read,
    /// A part of the objects is read whole, another part with each repeat; the others count by the listing.
    Sample(Slices),
}

/// Into how many slices the names fall, of which one is read each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slices(u32);

impl Slices {
    /// As many slices as make each at least that share in percent: 1 for 51 to 100, 3 for 30.
    fn of_percent(percent: f64) -> Option<Self> {
        if !(0.001..=100.0).contains(&percent) {
            return None;
        }
        // A hair more, since 100/0.1 may come out a little below 1,000.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 100,000")]
        let slices = (100.0 / percent + 1e-6) as u32;
        Some(Self(slices.max(1)))
    }

    /// How many there are.
    #[must_use]
    pub fn count(self) -> u32 {
        self.0
    }

    /// The slice of that name, from 0: the same whenever and wherever it is asked.
    #[must_use]
    pub fn of(self, name: &str) -> u32 {
        let [a, b, c, d, e, f, g, h, ..] = Sha256::of(name.as_bytes()).0;
        let slice = u64::from_be_bytes([a, b, c, d, e, f, g, h]) % u64::from(self.0);
        u32::try_from(slice).unwrap_or_default()
    }
}

impl FromStr for DestinationContent {
    type Err = Error;

    /// `listing`, `read`, or `sample:P%` with a share of 0.001 to 100 percent.
    fn from_str(text: &str) -> Result<Self> {
        let share = || text.strip_prefix("sample:")?.strip_suffix('%')?.parse().ok();
        match text {
            "listing" => Ok(Self::Listing),
            "read" => Ok(Self::Read),
            _ => share().and_then(Slices::of_percent).map(Self::Sample).ok_or_else(|| {
                Error::new(ErrorKind::InvalidConfig, "there is no such level")
                    .help("give listing, read, or sample:P% with 0.001 to 100 percent, such as sample:1%")
            }),
        }
    }
}

impl fmt::Display for DestinationContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listing => f.write_str("listing"),
            Self::Read => f.write_str("read"),
            Self::Sample(slices) => write!(f, "sample of 1 in {}", slices.0),
        }
    }
}

impl Serialize for DestinationContent {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How headers, metadata and tags are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttributeCheck {
    /// By listings where they tell, else by a head of each object: requests, no content.
    #[default]
    Head,
    /// By listings alone.
    Listing,
}

/// How a comparison goes about it.
#[derive(Clone, Debug)]
pub struct AuditOptions {
    /// How the source's content is known.
    pub source_content: SourceContent,
    /// How the destination's content is known.
    pub destination_content: DestinationContent,
    /// How attributes are known.
    pub attributes: AttributeCheck,
    /// Which objects, at both ends.
    pub selection: Selection,
    /// Losses that are no differences, beside those that the ledger recorded when an object was written.
    pub accept_losses: BTreeSet<LossName>,
    /// Whether objects that only the destination has are no difference.
    pub allow_extra: bool,
    /// Objects compared at once.
    pub concurrency: usize,
    /// Bytes of bodies held in memory at once.
    pub memory: u64,
    /// How long an end that is down is waited for.
    pub max_outage: Duration,
    /// Folder of the ledgers.
    pub state_dir: PathBuf,
    /// Where to write one JSON line per object.
    pub manifest: Option<PathBuf>,
    /// The command as it was typed, for the advice at the end; never holds a secret.
    pub command: Option<TypedCommand>,
}

impl AuditOptions {
    /// The defaults, with ledgers in that folder.
    #[must_use]
    pub fn new(state_dir: PathBuf) -> Self {
        Self {
            source_content: SourceContent::default(),
            destination_content: DestinationContent::default(),
            attributes: AttributeCheck::default(),
            selection: Selection::default(),
            accept_losses: BTreeSet::new(),
            allow_extra: false,
            concurrency: 32,
            memory: 64 << 20,
            max_outage: Duration::from_secs(6 * 3600),
            state_dir,
            manifest: None,
            command: None,
        }
    }

    /// # Errors
    /// `InvalidConfig` for bounds that no run can have.
    pub(super) fn check(&self) -> Result<()> {
        Options { concurrency: self.concurrency, memory: self.memory, ..Options::new(self.state_dir.clone()) }
            .check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_by_name() {
        let slices = |text: &str| match text.parse::<DestinationContent>() {
            Ok(DestinationContent::Sample(slices)) => Some(slices.count()),
            _ => None,
        };
        for (text, count) in [
            ("1%", 100),
            ("0.1%", 1_000),
            ("0.001%", 100_000),
            ("25%", 4),
            ("30%", 3),
            ("60%", 1),
            ("100%", 1),
        ] {
            assert_eq!(slices(&format!("sample:{text}")), Some(count), "{text}");
        }
        for text in ["sample:0%", "sample:101%", "sample:1", "sample:", "sample:NaN%", "whole", "sample:-1%"]
        {
            assert_eq!(text.parse::<DestinationContent>().unwrap_err().kind(), ErrorKind::InvalidConfig);
        }
        assert_eq!("read".parse::<DestinationContent>().unwrap(), DestinationContent::Read);
        assert_eq!("listing".parse::<DestinationContent>().unwrap(), DestinationContent::Listing);
    }

    #[test]
    fn a_name_is_always_in_the_same_slice_and_slices_are_even() {
        let slices = Slices(4);
        let mut counts = [0_u32; 4];
        for number in 0..4_000 {
            counts[slices.of(&format!("data/{number}")) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
        // Written down: a later version that cut otherwise would read some names twice and others never.
        assert_eq!(["", "a", "b", "data/x.csv"].map(|name| Slices(100).of(name)), [52, 50, 46, 44]);
    }
}
