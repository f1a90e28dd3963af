//! The report as a human reads it.

use std::fmt;

use cabotage_core::Support;

use crate::{Ending, Levels, Report};

impl Report {
    fn headline(&self) -> &'static str {
        match self.ending {
            Ending::Complete if self.dry_run => "Dry run: every object could be moved",
            Ending::Incomplete if self.dry_run => "Dry run: some objects could not be moved as things stand",
            Ending::Complete => "Done: every object is at the destination, at the demanded level",
            Ending::Incomplete => "Finished: some objects are not at the destination at the demanded level",
            Ending::Mismatch => "MISMATCH: something at the destination differs from what was written",
            Ending::TimeUp => "Ended at the time given, before all was done",
            Ending::Interrupted => "Interrupted by the user",
            Ending::Stopped => "STOPPED",
        }
    }

    fn fmt_objects(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let o = &self.objects;
        let rows = [
            ("verified", o.verified, "moved in this run, with proof at the demanded level", false),
            ("stored-unread", o.stored_unread, "at the destination, without that proof", false),
            ("skipped", o.skipped, "verified by an earlier run, unchanged on both sides since", false),
            ("failed", o.failed, "see below", false),
            (
                "refused",
                o.refused,
                "the destination would lose something of them, or has lost it; see below",
                false,
            ),
            ("deferred", o.deferred, "archived at the source", false),
            ("conflicts", o.conflicts, "something else is in their place, and was left alone", false),
            ("vanished", o.vanished, "gone from the source between listing and reading", false),
            ("planned", o.planned, "would be moved", true),
            ("unfinished", o.unfinished, "begun and not finished when the run stopped", true),
        ];
        writeln!(f, "  {:<14} {:>12}  {}", "listed", grouped(o.listed), bytes(self.bytes_listed))?;
        for (name, count, meaning, only_if_any) in rows {
            if count > 0 || !only_if_any {
                writeln!(f, "  {name:<14} {:>12}  {meaning}", grouped(count))?;
            }
        }
        Ok(())
    }

    fn fmt_beside(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (count, text) in [
            (self.excluded, "left out by the selection"),
            (self.left_behind(), "in the ledger, no longer at the source; still at the destination"),
            (self.destination_only, "only at the destination; none of this job's business"),
        ] {
            if count > 0 {
                writeln!(f, "  {:<14} {:>12}  {text}", "beside these", grouped(count))?;
            }
        }
        if !self.listing_complete {
            writeln!(f, "  The source's listing was not read to its end.")?;
        }
        Ok(())
    }

    fn fmt_proof(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let l = &self.levels;
        if self.guards.is_none() && *l == Levels::default() {
            return Ok(());
        }
        writeln!(f, "Proof")?;
        for (name, count, meaning) in [
            (
                "server-checked",
                l.server_checked,
                "the destination's server checked the digest of every byte it stored",
            ),
            ("read-back", l.read_back, "read whole from the destination, SHA-256 compared"),
            ("adopted-size", l.adopted_size, "was there, sizes are equal: no proof"),
            ("stored-unread", l.stored_unread, "stored, digest not seen to be checked: no proof"),
        ] {
            if count > 0 {
                writeln!(f, "  {name:<14} {:>12}  {meaning}", grouped(count))?;
            }
        }
        if let Some(guards) = self.guards {
            let say = |support| match support {
                Support::Enforced => "yes",
                Support::Rejected => "no (refused as such)",
                Support::Ignored => "no (accepted without effect)",
                Support::Unknown => "not known",
            };
            writeln!(
                f,
                "  The destination refuses a wrong digest: {}; create-only: {}; if-match: {}.",
                say(guards.digest),
                say(guards.create),
                say(guards.if_match)
            )?;
        }
        Ok(())
    }

    fn fmt_losses(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.losses.is_empty() {
            return Ok(());
        }
        writeln!(f, "Losses by name, in objects (those not-moved: one by one)")?;
        for (name, count) in &self.losses {
            write!(
                f,
                "  {:<22} {:>8} accepted {:>8} refused",
                name.as_str(),
                grouped(count.accepted),
                grouped(count.refused)
            )?;
            if count.sidecar > 0 {
                write!(f, " {:>8} kept in sidecars", grouped(count.sidecar))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }

    fn fmt_failures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.failures.is_empty() {
            return Ok(());
        }
        writeln!(f, "Failures by kind, in objects")?;
        for (kind, group) in &self.failures {
            writeln!(f, "  {kind:<22} {:>8}", grouped(group.count))?;
            for example in &group.examples {
                writeln!(f, "    {example}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline())?;
        if let Some(reason) = &self.stopped {
            writeln!(f, "  {reason}")?;
        }
        writeln!(f, "  {} -> {}", self.source, self.destination)?;
        for (side, key) in [("source", &self.source_sse_c_key), ("destination", &self.destination_sse_c_key)]
        {
            if let Some(id) = key {
                writeln!(f, "  {side} encrypted with the SSE-C key {id}")?;
            }
        }
        writeln!(f, "  {} to {} UTC", time(self.started), time(self.ended))?;
        writeln!(f, "Objects")?;
        self.fmt_objects(f)?;
        self.fmt_beside(f)?;
        write!(f, "{}", self.pass)?;
        if let Some(deletion) = &self.deletion {
            write!(f, "{deletion}")?;
        }
        self.fmt_proof(f)?;
        self.fmt_losses(f)?;
        self.fmt_failures(f)?;
        let seconds = self.seconds().max(0.001);
        if self.dry_run {
            writeln!(f, "To move: {}", bytes(self.bytes_planned))?;
        } else {
            let rate = per_second(self.bytes_copied, seconds);
            let objects = per_second(self.objects_copied, seconds);
            writeln!(
                f,
                "Copied {} in {} objects, {seconds:.1} s: {}/s, {objects} objects/s",
                bytes(self.bytes_copied),
                grouped(self.objects_copied),
                bytes(rate)
            )?;
        }
        self.uploads.fmt_text(f)?;
        for line in self.endpoints.lines() {
            writeln!(f, "{line}")?;
        }
        if let Some(cutover) = &self.cutover {
            write!(f, "{cutover}")?;
        }
        if let Some(ledger) = &self.ledger {
            writeln!(f, "Ledger: {}", cabotage_core::display_text(ledger))?;
        }
        for next in &self.next {
            writeln!(f, "Next: {next}")?;
        }
        Ok(())
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a rate for a human"
)]
fn per_second(count: u64, seconds: f64) -> u64 {
    (count as f64 / seconds).round() as u64
}

/// A moment, in UTC.
pub(crate) fn time(time: cabotage_core::Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of bytes in binary units, exact below 10 KiB.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 10 << 10 {
        return format!("{} bytes", grouped(count));
    }
    let mut tenths = u128::from(count) * 10 / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (count, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(count), text);
        }
        for (count, text) in [
            (0, "0 bytes"),
            (10_239, "10,239 bytes"),
            (10_240, "10.0 KiB"),
            (1 << 20, "1.0 MiB"),
            (300 << 20, "300.0 MiB"),
            (u64::MAX, "15.9 EiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }
}
