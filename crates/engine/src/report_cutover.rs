//! The end of a cut-over, as a human reads it.

use std::fmt;

use crate::Cutover;
use crate::report_text::grouped;

impl fmt::Display for Cutover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Cut-over")?;
        if !self.compared {
            return writeln!(
                f,
                "  The job is NOT closed: the final pass left something undone, so nothing was compared."
            );
        }
        let rows = [
            ("equal", self.equal, "at both sides as the ledger records them, at the demanded level"),
            ("new", self.new, "at the source, since the final pass"),
            ("changed", self.changed, "at the source, since the final pass"),
            ("gone", self.gone, "no longer at the source, still at the destination"),
            ("missing", self.missing, "at the destination"),
            ("differing", self.differing, "at the destination in another state than this job left them"),
            ("unproven", self.unproven, "not proven at the demanded level"),
            ("extra", self.extra, "only at the destination; none of this job's business"),
        ];
        for (name, count, meaning) in rows {
            if count > 0 || name == "equal" {
                writeln!(f, "  {name:<14} {:>12}  {meaning}", grouped(count))?;
            }
        }
        for example in &self.examples {
            writeln!(f, "    {example}")?;
        }
        match self.closed {
            Some(at) => writeln!(f, "  The job was closed at {} UTC.", at.strftime("%Y-%m-%d %H:%M:%S")),
            None => writeln!(f, "  The job is NOT closed: the two sides don't agree."),
        }
    }
}
