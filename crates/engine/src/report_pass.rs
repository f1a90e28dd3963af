//! What a pass and its deletions were, as a human reads it.

use std::fmt;

use crate::report_text::{bytes, grouped};
use crate::{Deletion, Pass};

impl fmt::Display for Pass {
    /// Nothing for a first pass.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_first() {
            return Ok(());
        }
        writeln!(f, "At the source, compared with the ledger")?;
        for (name, amount, meaning) in [
            ("new", self.new, ""),
            ("changed", self.changed, "content"),
            ("attributes", self.attributes, "the same content, other attributes"),
            ("unchanged", self.unchanged, ""),
            ("gone", self.gone, "no longer there"),
        ] {
            let line = format!(
                "  {name:<14} {:>12}  {:<12} {meaning}",
                grouped(amount.objects),
                bytes(amount.bytes)
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

impl fmt::Display for Deletion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Deletion of what the source no longer has")?;
        let rows = [
            ("candidates", self.candidates.objects, "this job put them there, and they are as it left them"),
            ("deleted", self.deleted.objects, "at the destination"),
            ("to delete", self.planned.objects, "would be deleted"),
            ("forgotten", self.forgotten, "were at neither side any more"),
            ("kept", self.kept, "the source still has them, or didn't say that it hasn't"),
            ("conflicts", self.conflicts, "changed at the destination by somebody else, and left alone"),
            (
                "adopted",
                self.adopted,
                "counted as moved for their size, never written by this job; left alone",
            ),
            ("failed", self.failed, "could not be deleted"),
        ];
        for (name, count, meaning) in rows {
            if count > 0 {
                writeln!(f, "  {name:<14} {:>12}  {meaning}", grouped(count))?;
            }
        }
        for example in &self.examples {
            writeln!(f, "    {example}")?;
        }
        if let Some(reason) = &self.blocked {
            writeln!(f, "  Nothing was deleted: {reason}")?;
        }
        Ok(())
    }
}
