//! Keeps in the ledger what is wrong with the objects that are not done.

use cabotage_core::{Error, LossName, Result, Timestamp};

use crate::context::Context;
use crate::{Ledger, Outcome, Trouble};

/// Entries that go in one change.
const BATCH: usize = 256;

/// Takes every outcome and records troubles many at a time. A crash may lose the latest: their objects have no row, and the
/// next run comes to them again.
#[derive(Debug, Default)]
pub(crate) struct TroubleLog {
    /// None records nothing, as in a dry run.
    ledger: Option<Ledger>,
    run: i64,
    /// Whether earlier runs left troubles that this one may find settled.
    has_earlier: bool,
    found: Vec<Trouble>,
    settled: Vec<String>,
}

impl TroubleLog {
    /// For that run; a dry run leaves the ledger's troubles as they are.
    ///
    /// # Errors
    /// Those of the ledger.
    pub(crate) async fn start(context: &Context) -> Result<Self> {
        if context.options.dry_run {
            return Ok(Self::default());
        }
        let has_earlier = context.ledger.has_troubles().await?;
        Ok(Self { ledger: Some(context.ledger.clone()), run: context.run, has_earlier, ..Self::default() })
    }

    /// Takes an outcome, with its text where it has one. A row that was recorded has taken the trouble along already.
    pub(crate) fn take(&mut self, outcome: &Outcome, text: Option<&str>) {
        if self.ledger.is_none() {
            return;
        }
        if outcome.class.is_undone() {
            self.found.push(trouble(outcome, text.unwrap_or_default(), self.run));
        } else if self.has_earlier {
            self.settled.push(outcome.name.to_string());
        }
    }

    /// Whether to write now: there is enough, or something new while nothing else is waiting.
    pub(crate) fn is_due(&self, idle: bool) -> bool {
        self.found.len() + self.settled.len() >= BATCH || (idle && !self.found.is_empty())
    }

    /// Writes what was taken.
    ///
    /// # Errors
    /// Those of the ledger.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        let (found, settled) = (std::mem::take(&mut self.found), std::mem::take(&mut self.settled));
        match &self.ledger {
            Some(ledger) if !found.is_empty() || !settled.is_empty() => ledger.troubles(found, settled).await,
            _ => Ok(()),
        }
    }
}

fn trouble(outcome: &Outcome, text: &str, run: i64) -> Trouble {
    let mut losses: Vec<LossName> = outcome.losses.iter().map(|loss| loss.name).collect();
    losses.sort_unstable();
    losses.dedup();
    Trouble {
        name: outcome.name.to_string(),
        class: outcome.class,
        kind: outcome.error.as_ref().map(Error::kind).map(|kind| kind.name()).unwrap_or_default(),
        message: text.to_owned(),
        losses,
        size: outcome.size,
        source_etag: outcome.source_etag.clone(),
        attempts: outcome.attempts,
        run,
        at: Timestamp::now(),
    }
}
