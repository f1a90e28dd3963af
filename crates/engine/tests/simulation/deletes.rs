//! What `--delete` may take away: what this job put there, the source says that it no longer has, and no guard forbids.

use cabotage_core::{Key, ObjectInfo};
use cabotage_engine::{DeletePolicy, Report};

use crate::check::Line;
use crate::dice::Dice;
use crate::ledger::Ledger;
use crate::plan::Storm;
use crate::sky::{End, Sky};
use crate::stir::look;

/// How far a run may go, if it may delete at all.
pub fn policy(dice: &mut Dice) -> Option<DeletePolicy> {
    dice.chance(0.7).then(|| DeletePolicy {
        max: *dice.pick(&[1_000, 1_000, 2]),
        max_shrink: *dice.pick(&[5, 50, 100, 100]),
    })
}

/// With it nothing stands in the way.
pub const ALL: DeletePolicy = DeletePolicy { max: 1_000, max_shrink: 100 };

/// A line of the manifest about an object that the source no longer has: only such a one is left alone without an error's
/// kind.
pub fn is_removal(line: &Line) -> bool {
    match line.class.as_str() {
        "deleted" | "to-delete" | "kept" => true,
        "conflict" | "failed" => line.kind.is_none(),
        _ => false,
    }
}

impl Sky {
    /// The run has deleted that object. What it wrote itself, it may take back.
    pub fn deleted(&self, key: &Key, before: &ObjectInfo, storm: &Storm) {
        let Some(name) = self.name_of(End::Destination, key.as_str()) else { return };
        let own = before.etag.as_ref().is_some_and(|etag| self.books().written.contains(etag.bare()));
        if own || name.starts_with(".cabotage-probe-") {
            return;
        }
        let Some(policy) = storm.delete else {
            return self.violation(format!("{name:?} was deleted, and nobody asked for it"));
        };
        let (told, deleted) = {
            let mut books = self.books();
            books.mirrored += 1;
            (books.gone.contains(name), books.mirrored)
        };
        if !told {
            self.violation(format!("{name:?} was deleted, and the source didn't say that it is gone"));
        }
        if deleted > policy.max {
            self.violation(format!("{deleted} objects were deleted, at most {} are allowed", policy.max));
        }
    }

    /// The source has said that it has no such object.
    pub fn told_gone(&self, end: End, key: &Key) {
        if end == End::Source
            && let Some(name) = self.name_of(End::Source, key.as_str())
        {
            self.books().gone.insert(name.to_owned());
        }
    }
}

/// What the report says of deletions; `known` is how many rows the ledger had before.
pub fn check(sky: &Sky, storm: &Storm, report: &Report, lines: &[Line], known: u64) {
    let Some(deletion) = &report.deletion else {
        if storm.delete.is_some() {
            sky.violation(format!("the report doesn't say what became of deletions\n{report}"));
        }
        return;
    };
    let policy = storm.delete.unwrap_or_default();
    let shrank = known.saturating_sub(report.objects.listed) * 100 > known * u64::from(policy.max_shrink);
    if shrank && deletion.blocked.is_none() {
        sky.violation(format!("the source shrank from {known} objects, and deletions go on\n{report}"));
    }
    for (class, count) in [
        ("deleted", deletion.deleted.objects),
        ("to-delete", deletion.planned.objects),
        ("kept", deletion.kept),
        ("failed", deletion.failed),
    ] {
        let found = lines.iter().filter(|line| is_removal(line) && line.class == class).count() as u64;
        if found != count {
            sky.violation(format!("{class}: {count} in the report and {found} in the manifest\n{report}"));
        }
    }
}

/// In the end the ledger knows nothing that the source no longer has, but for what must be left alone.
pub fn settled(sky: &Sky, report: &Report, ledger: &Ledger) {
    let Some(deletion) = report.deletion.as_ref().filter(|deletion| deletion.blocked.is_none()) else {
        return;
    };
    let is_gone = |name: &&String| sky.source_key(name).is_none_or(|key| look(&sky.source, &key).is_none());
    let left: Vec<_> = ledger.rows.keys().filter(is_gone).collect();
    if left.len() as u64 != deletion.conflicts + deletion.adopted {
        sky.violation(format!("the ledger still knows {left:?}, which the source no longer has\n{report}"));
    }
}
