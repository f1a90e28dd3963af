//! Attempts of one submission, told as one run.

use cabotage_core::{Loss, ObjectInfo};

use crate::context::Context;
use crate::work::EARLIER;
use crate::{Intent, Outcome, Row, Verdict, Verify};

impl Context {
    /// Whether an earlier attempt of the same submission has moved the object, or began to. With `--adopt` nothing tells what was
    /// adopted from what was copied any more.
    pub(crate) fn attempted(&self, row: Option<&Row>, intent: Option<&Intent>) -> bool {
        self.first_attempt < self.run
            && self.options.adopt.is_none()
            && (intent.is_some() || row.is_some_and(|row| row.run >= self.first_attempt))
    }

    /// What became of an object that an earlier attempt moved, or began to, as one run tells it: it was copied.
    ///
    /// One that was under way was read back to find out whose it is; the ledger keeps that proof. Where no more than the
    /// server's check is asked for, that is what is told of it as of all others: it is the weaker proof.
    pub(crate) fn as_one_run(&self, outcome: Outcome, source: &ObjectInfo) -> Outcome {
        let more = outcome.verdict == Some(Verdict::ReadBack) && self.options.verify == Verify::ServerChecked;
        let verdict =
            if more && self.is_server_checked() { Some(Verdict::ServerChecked) } else { outcome.verdict };
        let losses = self.described(&outcome.losses, source);
        Outcome { verdict, losses, copied: outcome.copied || verdict.is_some(), ..outcome }
    }

    /// Losses of which the ledger has the names alone, as far as what the source lists tells more.
    fn described(&self, recorded: &[Loss], source: &ObjectInfo) -> Vec<Loss> {
        let known = self.destination.store.capabilities().losses(source);
        let more = |loss: &Loss| -> Vec<Loss> {
            let same: Vec<_> = known.iter().filter(|other| other.name == loss.name).cloned().collect();
            if same.is_empty() || loss.detail != EARLIER { vec![loss.clone()] } else { same }
        };
        recorded.iter().flat_map(more).collect()
    }
}
