//! How far all tasks are together, by what each tells its ledger.

use std::path::{Path, PathBuf};

use cabotage_engine::{KeptProgress, LedgerReader, RunRecord, Snapshot};
use serde_json::Value;

/// The ledgers of the tasks of a submission.
#[derive(Clone, Debug)]
pub(crate) struct Readings {
    pub ledgers: Vec<PathBuf>,
    pub submission: String,
}

impl Readings {
    /// The sum; a task that has told nothing yet counts as nothing. Blocks.
    pub(crate) fn sum(&self) -> Snapshot {
        let each: Vec<Snapshot> =
            self.ledgers.iter().map(|ledger| self.of(ledger).unwrap_or_default()).collect();
        let all = |of: fn(&Snapshot) -> u64| each.iter().map(of).sum();
        Snapshot {
            listed: all(|one| one.listed),
            listed_bytes: all(|one| one.listed_bytes),
            done: all(|one| one.done),
            done_bytes: all(|one| one.done_bytes),
            moved_bytes: all(|one| one.moved_bytes),
            trouble: all(|one| one.trouble),
            listing_done: each.iter().all(|one| one.listing_done),
            source_down: each.iter().any(|one| one.source_down),
            destination_down: each.iter().any(|one| one.destination_down),
            ..Snapshot::default()
        }
    }

    fn of(&self, ledger: &Path) -> Option<Snapshot> {
        let run = LedgerReader::open(ledger).ok()?.runs().ok()?.pop()?;
        (run.attempt_of()? == self.submission).then(|| reading(&run))?
    }
}

/// By its report where it has ended, since what it told before is some seconds older.
fn reading(run: &RunRecord) -> Option<Snapshot> {
    let kept = run.progress.as_deref().and_then(|kept| serde_json::from_str::<KeptProgress>(kept).ok());
    let now = kept.map(|kept| kept.now).unwrap_or_default();
    let Some(report) = &run.report else { return Some(now) };
    let report: Value = serde_json::from_str(report).ok()?;
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let objects = &report["objects"];
    Some(Snapshot {
        listed: number(&objects["listed"]),
        listed_bytes: number(&report["bytes_listed"]),
        done: number(&objects["listed"]),
        done_bytes: number(&report["bytes_listed"]),
        moved_bytes: now.moved_bytes.max(number(&report["bytes_copied"])),
        trouble: ["failed", "refused", "conflicts"].iter().map(|class| number(&objects[class])).sum(),
        listing_done: report["listing_complete"].as_bool().unwrap_or_default(),
        ..Snapshot::default()
    })
}
