//! The account of a comparison as a human reads it.

use std::fmt;

use super::options::{AttributeCheck, SourceContent};
use super::report::AuditReport;
use crate::Ending;
use crate::report_text::{bytes, grouped, time};

impl AuditReport {
    fn headline(&self) -> &'static str {
        match self.ending {
            Ending::Complete => "Verified: no difference, and every object proven at the level below",
            Ending::Incomplete => "Finished: no difference was found, and not every object could be proven",
            Ending::Mismatch => "DIFFERENT: source and destination are not the same",
            Ending::Interrupted => "Interrupted by the user; what follows is what was compared until then",
            Ending::TimeUp => "Ended at the time given; what follows is what was compared until then",
            Ending::Stopped => "STOPPED; what follows is what was compared until then",
        }
    }

    fn fmt_level(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Level")?;
        let source = match self.source_content {
            SourceContent::Ledger => "ledger (the SHA-256 of when it was copied; the source was not read)",
            SourceContent::Read => "read (every object whole)",
        };
        writeln!(f, "  {:<14} {source}", "source")?;
        match self.sample {
            Some(turn) => writeln!(
                f,
                "  {:<14} sample {} of {} read whole, the others by the listing; {} repeats read everything once",
                "destination", turn.number, turn.of, turn.of
            )?,
            None => writeln!(f, "  {:<14} {}", "destination", self.destination_content)?,
        }
        let attributes = match self.attributes {
            AttributeCheck::Head => "by listings, else by a head of each object",
            AttributeCheck::Listing => "by listings alone",
        };
        writeln!(f, "  {:<14} {attributes}", "attributes")
    }

    fn fmt_objects(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let o = &self.objects;
        writeln!(f, "Objects")?;
        writeln!(f, "  {:<14} {:>12}  {}", "listed", grouped(o.listed), bytes(self.bytes_listed))?;
        let extra_meaning = "only at the destination";
        for (name, count, meaning, only_if_any) in [
            ("proven", o.proven, "equal, as told below", false),
            ("different", o.different, "see below", false),
            ("not proven", o.not_proven, "no difference found, and not all was proven; see below", false),
            ("extra, ours", o.extra_ours, "written by this job, no longer at the source", true),
            ("extra, foreign", o.extra_foreign, extra_meaning, true),
            ("left out", self.excluded, "by the selection, at either end", true),
            ("gone", self.gone, "in the ledger, at neither end any more", true),
        ] {
            if count > 0 || !only_if_any {
                writeln!(f, "  {name:<14} {:>12}  {meaning}", grouped(count))?;
            }
        }
        if !self.listing_complete {
            writeln!(f, "  The listings were not read to their ends.")?;
        }
        Ok(())
    }

    fn fmt_proofs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.proofs.is_empty() {
            writeln!(f, "What was proven of contents")?;
        }
        for (proof, count) in &self.proofs {
            writeln!(
                f,
                "  {:>12} objects, {}: {}",
                grouped(count.objects),
                bytes(count.bytes),
                proof.text()
            )?;
        }
        if !self.attribute_proofs.is_empty() {
            writeln!(f, "How attributes were compared")?;
        }
        for (proof, count) in &self.attribute_proofs {
            writeln!(f, "  {:>12} objects: {}", grouped(count.objects), proof.text())?;
        }
        for (name, count) in &self.losses {
            writeln!(f, "  {:>12} objects with {name}, accepted", grouped(*count))?;
        }
        Ok(())
    }

    fn fmt_findings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.findings.is_empty() {
            return Ok(());
        }
        writeln!(f, "Findings by kind")?;
        for (kind, group) in &self.findings {
            writeln!(f, "  {:<22} {:>8}", kind.as_str(), grouped(group.count))?;
            for example in &group.examples {
                writeln!(f, "    {example}")?;
            }
        }
        if self.swapped.count > 0 {
            writeln!(f, "  {:<22} {:>8}", "swapped pairs", grouped(self.swapped.count))?;
            for example in &self.swapped.examples {
                writeln!(f, "    {example}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for AuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline())?;
        if let Some(reason) = &self.stopped {
            writeln!(f, "  {reason}")?;
        }
        writeln!(f, "  {} -> {}", self.source, self.destination)?;
        writeln!(f, "  {} to {} UTC", time(self.started), time(self.ended))?;
        self.fmt_level(f)?;
        self.fmt_objects(f)?;
        self.fmt_proofs(f)?;
        self.fmt_findings(f)?;
        if !self.limits.is_empty() {
            writeln!(f, "Not looked for")?;
            for limit in &self.limits {
                writeln!(f, "  {limit}")?;
            }
        }
        writeln!(f, "Read {}", bytes(self.bytes_read))?;
        for line in self.endpoints.lines() {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "Ledger: {}", cabotage_core::display_text(&self.ledger))?;
        for next in &self.next {
            writeln!(f, "Next: {next}")?;
        }
        Ok(())
    }
}
