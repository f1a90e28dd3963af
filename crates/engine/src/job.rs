//! What a run is told: two sides and options.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cabotage_core::{Error, ErrorKind, LossName, Probe, Result, Storage, StorePlace, Throttle};
use tokio_util::sync::CancellationToken;

use crate::sidecar::Sidecars;
use crate::{
    DeletePolicy, Invocation, KeysFile, LedgerOptions, LossPolicy, Selection, Shard, TypedCommand, Verdict,
};

/// One end of a migration.
#[derive(Clone, Debug)]
pub struct Side {
    /// The store.
    pub store: Arc<dyn Storage>,
    /// Asks the store what it enforces; without it nothing is taken as enforced.
    pub probe: Option<Arc<dyn Probe>>,
    /// Only keys that begin with this; empty, or ending in `/`.
    pub prefix: String,
    /// The location for a human, without secrets.
    pub label: String,
    /// Which store it is, apart from its server's address; none takes the store's id as what stays the same.
    pub place: Option<StorePlace>,
    /// What keeps the store to its limits; the run only tells of it.
    pub throttle: Throttle,
}

/// Whether the prefixes, in one bucket, would be the same place or lie in each other.
pub(crate) fn is_nested(a: &Side, b: &Side) -> bool {
    a.prefix.starts_with(&b.prefix) || b.prefix.starts_with(&a.prefix)
}

fn refuse_nested(a: (&str, &Side), b: (&str, &Side)) -> Result<()> {
    if a.1.store.id() != b.1.store.id() || !is_nested(a.1, b.1) {
        return Ok(());
    }
    let message =
        format!("{} {} and {} {} are the same place or lie in each other", a.0, a.1.label, b.0, b.1.label);
    Err(Error::new(ErrorKind::InvalidConfig, message).help("name two places that don't overlap"))
}

/// A migration: from where, to where, how.
#[derive(Debug)]
pub struct Job {
    /// Nothing is ever written to it.
    pub source: Side,
    /// Nothing in it is overwritten that this job's ledger didn't put there, unless told to.
    pub destination: Side,
    /// How.
    pub options: Options,
}

impl Job {
    /// Refuses a job whose ends are the same place or lie in each other, or have their sidecars in them.
    ///
    /// # Errors
    /// `InvalidConfig`.
    pub fn check(&self) -> Result<()> {
        let sides = [("source", &self.source), ("destination", &self.destination)];
        refuse_nested(sides[0], sides[1])?;
        let Sidecars { keep, restore } = &self.options.sidecars;
        for sidecar in keep.iter().chain(restore) {
            refuse_nested(sides[0], ("sidecar location", sidecar))?;
            refuse_nested(sides[1], ("sidecar location", sidecar))?;
        }
        if let Some(shard) = &self.options.shard {
            shard.check(&self.source)?;
        }
        self.options.check()
    }
}

/// What may be overwritten at the destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overwrite {
    /// Nothing.
    Never,
    /// What this job's ledger wrote and nobody changed since.
    #[default]
    Ours,
    /// Anything.
    Always,
}

/// When an object that is already at the destination, and that this ledger didn't write, counts as moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adopt {
    /// When both ends, read whole, have the same SHA-256.
    Content,
    /// When both ends have the same size: no proof, and reported as such.
    Size,
}

/// Which proof an object needs to count as verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// The destination's server checked the digest of every byte it stored, and refused a wrong one at the start.
    #[default]
    ServerChecked,
    /// The object was read back whole and its SHA-256 compared.
    ReadBack,
}

impl Verify {
    /// The weakest verdict that satisfies it.
    #[must_use]
    pub fn demands(self) -> Verdict {
        match self {
            Self::ServerChecked => Verdict::ServerChecked,
            Self::ReadBack => Verdict::ReadBack,
        }
    }
}

/// Which SHA-256 is computed of objects that go in parts. Those that go in one request always have that of their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PartsDigest {
    /// That of their bytes, besides that of each part.
    #[default]
    Whole,
    /// That of their parts' digests, so that each byte is hashed once.
    Composite,
}

/// How a run goes about it.
#[derive(Clone, Debug)]
pub struct Options {
    /// What may be overwritten.
    pub overwrite: Overwrite,
    /// What may be adopted.
    pub adopt: Option<Adopt>,
    /// Which proof is demanded.
    pub verify: Verify,
    /// Which SHA-256 is computed of objects that go in parts.
    pub digest: PartsDigest,
    /// Losses let pass beside those of [`LossName::accepted_by_default`].
    pub accept_losses: BTreeSet<LossName>,
    /// Where what the destination can't hold is kept, and restored from.
    pub sidecars: Sidecars,
    /// Keep the time of the last write in metadata `mtime` where the destination can't set it.
    pub keep_mtime: bool,
    /// Look at each unchanged object whose listing doesn't tell its attributes: one request more for each.
    pub check_attributes: bool,
    /// Delete at the destination what this job put there and the source no longer has.
    pub delete: Option<DeletePolicy>,
    /// Go on with a job that a cut-over has closed.
    pub reopen: bool,
    /// Which objects.
    pub selection: Selection,
    /// At most so many objects are copied; then the run ends.
    pub max_objects: Option<u64>,
    /// How long an end that doesn't answer is waited for; then the run stops. 0: not at all.
    pub max_outage: Duration,
    /// Objects in flight at once, and parts in flight at once.
    pub concurrency: usize,
    /// Bytes of bodies held in memory at once.
    pub memory: u64,
    /// Largest part, in bytes, where the destination's limits ask for a larger one than fits into `memory`: it is held alone.
    /// Less than `memory` means the same as `memory`.
    pub largest_part: u64,
    /// Objects larger than this, in bytes, go in parts.
    pub part_threshold: u64,
    /// Count what the source keeps beside its objects and that is not moved: snapshots, older versions, deleted objects.
    pub count_remnants: bool,
    /// The command as it was typed, for the advice at the end; never holds a secret.
    pub command: Option<TypedCommand>,
    /// What was typed, for the ledger: by it the run can be repeated.
    pub invocation: Option<Invocation>,
    /// The run of which some troubles are tried again by this one.
    pub retry_of: Option<i64>,
    /// The submission that this run is an attempt of. What an earlier attempt moved counts as moved by this run: they are one
    /// run to who looks at it from outside.
    pub attempt_of: Option<String>,
    /// Only these names, with a ledger of their own.
    pub shard: Option<Shard>,
    /// Decide and report, write nothing.
    pub dry_run: bool,
    /// Folder of the ledgers.
    pub state_dir: PathBuf,
    /// How the ledger is opened.
    pub ledger: LedgerOptions,
    /// Where to write one JSON line per object.
    pub manifest: Option<PathBuf>,
    /// Where to write the source's owners and access control lists; their loss is let pass then.
    pub acl_export: Option<PathBuf>,
    /// Where to write the names of the objects that were put off because they are archived.
    pub archived_list: Option<KeysFile>,
}

impl Options {
    /// Smallest memory budget: one part of S3's smallest size and a little air.
    pub const MEMORY_MIN: u64 = 16 << 20;

    /// The defaults, with ledgers in that folder.
    #[must_use]
    pub fn new(state_dir: PathBuf) -> Self {
        Self {
            overwrite: Overwrite::default(),
            adopt: None,
            verify: Verify::default(),
            digest: PartsDigest::default(),
            accept_losses: BTreeSet::new(),
            sidecars: Sidecars::default(),
            keep_mtime: false,
            check_attributes: false,
            delete: None,
            reopen: false,
            selection: Selection::default(),
            max_objects: None,
            max_outage: Duration::from_secs(6 * 3600),
            concurrency: 32,
            memory: 64 << 20,
            largest_part: 256 << 20,
            part_threshold: 64 << 20,
            count_remnants: true,
            command: None,
            invocation: None,
            retry_of: None,
            attempt_of: None,
            shard: None,
            dry_run: false,
            state_dir,
            ledger: LedgerOptions::default(),
            manifest: None,
            acl_export: None,
            archived_list: None,
        }
    }

    /// What becomes of objects that would lose something.
    #[must_use]
    pub fn loss_policy(&self) -> LossPolicy {
        LossPolicy::new(self.accept_losses.clone(), self.sidecars.keep.is_some())
    }

    /// What lies beside the objects belongs to no name: the first shard counts it for all.
    pub(crate) fn counts_remnants(&self) -> bool {
        self.count_remnants && self.shard.as_ref().is_none_or(|shard| shard.id.number.number == 1)
    }

    pub(crate) fn check(&self) -> Result<()> {
        let refuse = |message: String| Err(Error::new(ErrorKind::InvalidConfig, message));
        if self.concurrency == 0 || self.concurrency > 4096 {
            return refuse(format!("--concurrency is {}; give 1 to 4096", self.concurrency));
        }
        if self.memory < Self::MEMORY_MIN {
            return refuse(format!("--memory is {} bytes; give at least 16MiB", self.memory));
        }
        if self.max_objects == Some(0) {
            return refuse("--max-objects is 0; give at least 1, or use --dry-run".into());
        }
        if self.delete.is_some() && (self.max_objects.is_some() || self.selection.keys_from.is_some()) {
            return refuse("--delete needs the whole source: leave --keys-from and --max-objects out".into());
        }
        let whole =
            self.max_objects.is_some() || self.selection.keys_from.is_some() || self.acl_export.is_some();
        if self.shard.is_some() && whole {
            return refuse("--keys-from, --max-objects and --acl-export need the whole job: leave them out of a shard's run".into());
        }
        if self.delete.is_some_and(|policy| policy.max_shrink > 100) {
            return refuse("--max-shrink is over 100 percent".into());
        }
        Ok(())
    }
}

/// How a run is told to end early.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// Start nothing new; finish what is in flight, within a grace.
    pub drain: CancellationToken,
    /// Set together with `drain` when the time given to the run is up: then it ends as [`Ending::TimeUp`](crate::Ending).
    pub time_up: CancellationToken,
    /// Stop at once. Recorded uploads are dealt with by the next run.
    pub abort: CancellationToken,
}
