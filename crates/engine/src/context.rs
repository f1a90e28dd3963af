//! What every task of a run shares.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use cabotage_core::{Error, ErrorKind, Key, Result, Support, Timestamp, WriteMode};
use jiff::SignedDuration;
use tokio::sync::{OnceCell, Semaphore};

use crate::budget::Budget;
use crate::confirm::Confirming;
use crate::decide::Policy;
use crate::endpoints::Gates;
use crate::proof_of_attributes::Proven;
use crate::sidecar::{Keeping, Restoring};
use crate::slot::Slot;
use crate::uploads::Uploads;
use crate::{Guards, Ledger, LossPolicy, Options, Progress, Side};

/// What every task of a run shares; cheap to clone.
#[derive(Clone)]
pub(crate) struct Context {
    pub source: Side,
    pub destination: Side,
    pub options: Arc<Options>,
    pub ledger: Ledger,
    pub run: i64,
    /// The first run of which what was moved counts as moved by this one: itself, or the first attempt of its submission.
    pub first_attempt: i64,
    pub guards: Guards,
    pub memory: Budget,
    pub parts: Arc<Semaphore>,
    pub progress: Arc<Progress>,
    pub uploads: Arc<Uploads>,
    /// Which attempt at its object this is; outside of a task, none.
    pub effort: Effort,
    /// The place among the tasks at work.
    pub slot: Slot,
    /// Confirms many writes at once; none where only a look at each can.
    pub confirming: Option<Confirming>,
    /// What the destination is known to keep.
    pub proven: Arc<Proven>,
    /// Whether a read at the source tells what a head would.
    pub reads_tell: Arc<AtomicBool>,
    pub gates: Gates,
    /// Whether the source's objects have owners and access control lists, which no destination takes.
    pub access_lists: bool,
    /// What becomes of objects that would lose something.
    pub losses: Arc<LossPolicy>,
    /// Where sidecars are written; none in a dry run.
    pub keeping: Option<Keeping>,
    /// Where sidecars are read.
    pub restoring: Option<Restoring>,
    /// Seconds by which the destination's clock is ahead, once it was asked.
    pub skew: Arc<OnceCell<i64>>,
}

/// Which attempt at an object is under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// From 1; 0 outside of a task.
    pub attempts: u32,
    /// When the first began.
    pub started: Timestamp,
}

impl Context {
    /// For an attempt at an object.
    pub(crate) fn on(&self, effort: Effort) -> Self {
        Self { effort, ..self.clone() }
    }

    /// The time by the destination's clock, which is asked once; by this machine's where that one doesn't tell.
    pub(crate) async fn destination_time(&self) -> Timestamp {
        let ask = || async {
            let probe = self.destination.probe.as_ref()?;
            probe.clock_skew().await.ok().flatten()
        };
        let skew = *self.skew.get_or_init(|| async { ask().await.unwrap_or_default() }).await;
        let now = Timestamp::now();
        now.checked_add(SignedDuration::from_secs(skew)).unwrap_or(now)
    }

    /// What the user allows and demands.
    pub(crate) fn policy(&self) -> Policy {
        let Options { overwrite, adopt, verify, check_attributes, .. } = *self.options;
        Policy { overwrite, adopt, verify, check_attributes }
    }

    /// The object's key at the source.
    pub(crate) fn source_key(&self, name: &str) -> Result<Key> {
        Key::new(format!("{}{name}", self.source.prefix))
    }

    /// The object's key at the destination, which has to be able to hold it.
    ///
    /// # Errors
    /// `KeyRejected`.
    pub(crate) fn destination_key(&self, name: &str) -> Result<Key> {
        let key = format!("{}{name}", self.destination.prefix);
        let key = Key::new(key).map_err(|error| {
            error
                .about("the source's own folder marker")
                .help("give the destination a prefix, under which it has a name")
        })?;
        self.destination.store.capabilities().accepts(&key)?;
        Ok(key)
    }

    /// Whether a write that the destination took proves what is stored: it checks digests, and doesn't encrypt with a
    /// customer's key after that.
    pub(crate) fn is_server_checked(&self) -> bool {
        self.guards.digest == Support::Enforced
            && self.destination.store.capabilities().customer_key.is_none()
    }

    /// Whether a single write under that mode is safe from a race by the server's own doing.
    pub(crate) fn is_guarded(&self, mode: &WriteMode) -> bool {
        match mode {
            WriteMode::Create => self.guards.create == Support::Enforced,
            WriteMode::IfMatch(_) => self.guards.if_match == Support::Enforced,
            WriteMode::Replace => true,
        }
    }

    /// The mode to send: what the server rejects as such is checked by a head alone.
    pub(crate) fn sendable(&self, mode: &WriteMode) -> WriteMode {
        if self.is_guarded(mode) { mode.clone() } else { WriteMode::Replace }
    }
}

/// The failure of an object in whose place something else is.
pub(crate) fn conflict(text: &str) -> Error {
    Error::new(ErrorKind::DestinationConflict, text)
}
