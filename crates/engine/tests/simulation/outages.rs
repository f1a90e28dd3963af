//! An end that is down for a while: the run waits, and no object fails for that.

use std::time::Duration;

use cabotage_core::{Error, ErrorKind};
use cabotage_engine::Report;

use crate::check::Line;
use crate::dice::Dice;
use crate::plan::Storm;
use crate::sky::{End, Sky};

const HOUR: Duration = Duration::from_secs(3_600);
/// How long a run waits, as its options have it.
const WAITS: Duration = Duration::from_secs(6 * 3_600);

/// From one call on, every call to that end fails for so long.
#[derive(Clone, Copy, Debug)]
pub struct Outage {
    pub end: End,
    /// The call of the run at which it begins, at either end.
    pub at: u64,
    pub lasts: Duration,
    pub kind: ErrorKind,
}

pub fn outage(dice: &mut Dice) -> Outage {
    Outage {
        end: *dice.pick(&[End::Source, End::Destination]),
        at: dice.within(1..40),
        lasts: *dice.pick(&[Duration::from_secs(20), 3 * HOUR, 3 * HOUR, 7 * HOUR]),
        kind: *dice.pick(&[
            ErrorKind::Unreachable,
            ErrorKind::AccountDenied,
            ErrorKind::Unavailable,
            ErrorKind::Timeout,
        ]),
    }
}

/// Whether nothing but an outage happens to a run in that storm.
fn is_calm(storm: &Storm) -> bool {
    storm.fault + storm.lie + storm.noise == 0.0 && storm.crash_at.is_none() && storm.drain_at.is_none()
}

/// With nothing else amiss, no run fails for an outage that is outlasted.
pub fn expect_outlasted(sky: &Sky, storm: &Storm, error: &Error) {
    if let Some(outage) = storm.outage.filter(|outage| is_calm(storm) && outage.lasts < WAITS)
        && sky.was_known(outage.end)
    {
        sky.violation(format!("an outage was not outlasted: {outage:?}, {error}"));
    }
}

/// With nothing else amiss, an outage fails no object; one that is outlasted stops no run either.
pub fn check(sky: &Sky, storm: &Storm, report: &Report, lines: &[Line]) {
    let Some(outage) = storm.outage.filter(|_| is_calm(storm)) else { return };
    let kind = outage.kind.name();
    let failed =
        lines.iter().any(|line| line.class == "failed" && line.kind.as_deref() == Some(kind.as_str()));
    if failed || (outage.lasts < WAITS && report.stopped.is_some()) {
        sky.violation(format!("an outage was not outlasted: {outage:?}\n{report}"));
    }
}
