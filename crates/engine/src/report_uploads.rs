//! The report's lines on uploads in parts, as a human reads them.

use std::fmt;

use crate::UploadCounts;
use crate::report_text::{bytes, grouped};

impl UploadCounts {
    /// Says nothing where there is nothing to say.
    pub(crate) fn fmt_text(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::default() {
            return Ok(());
        }
        writeln!(f, "Uploads in parts")?;
        if self.went_on > 0 {
            writeln!(
                f,
                "  {:<14} {:>12}  from {} parts ({}) that were there already and were not sent again",
                "went on",
                grouped(self.went_on),
                grouped(self.parts_kept),
                bytes(self.bytes_kept)
            )?;
            writeln!(
                f,
                "  {:<14} {:>12}  SHA-256 from the state kept in the ledger; {} from the first byte; {} read again for it",
                "",
                grouped(self.digests_from_state),
                grouped(self.digests_from_start),
                bytes(self.bytes_read_again)
            )?;
        }
        for (name, count, meaning) in [
            (
                "begun anew",
                self.begun_anew,
                "what an earlier run had sent no longer fits, or the server has lost it",
            ),
            ("aborted", self.aborted, "begun by an earlier run; nothing needs them any more"),
            ("left open", self.left_open, "for the next run, which goes on from their parts"),
            (
                "may be open",
                self.may_be_open,
                "the reply to their start was lost, and the destination doesn't let uploads be listed and aborted",
            ),
        ] {
            if count > 0 {
                writeln!(f, "  {name:<14} {:>12}  {meaning}", grouped(count))?;
            }
        }
        Ok(())
    }
}
