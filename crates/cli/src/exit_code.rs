//! What the process returns: the one map from results to numbers.

use std::process::{ExitCode, Termination};

use cabotage_core::{Error, ErrorKind};
use cabotage_engine::Ending;

/// The exit codes. Stable: scripts depend on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; after a migration: every object is at the demanded level.
    Success,
    /// Stopped by a failure.
    Stopped,
    /// The command line or the configuration is wrong.
    Usage,
    /// Finished, and some objects are not at the demanded level, or a right is missing.
    Incomplete,
    /// Something read back differs from what was written, or a comparison found a difference.
    Mismatch,
    /// Ended at the time given, before all was done.
    TimeUp,
    /// Another run holds the ledger.
    LedgerHeld,
    /// Interrupted by the user.
    Interrupted,
}

/// For `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
    0  done; after a migration every object is at the demanded level
    1  stopped by a failure
    2  the command line or the configuration is wrong
    3  finished, and some objects are not at the demanded level, or a right is missing
    4  something read back differs from what was written, or a comparison found a difference
   10  ended at the time given; run it again to go on
   11  another run holds the ledger
  130  interrupted";

impl From<Exit> for u8 {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Success => 0,
            Exit::Stopped => 1,
            Exit::Usage => 2,
            Exit::Incomplete => 3,
            Exit::Mismatch => 4,
            Exit::TimeUp => 10,
            Exit::LedgerHeld => 11,
            Exit::Interrupted => 130,
        }
    }
}

impl From<Ending> for Exit {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Complete => Self::Success,
            Ending::Incomplete => Self::Incomplete,
            Ending::Mismatch => Self::Mismatch,
            Ending::TimeUp => Self::TimeUp,
            Ending::Interrupted => Self::Interrupted,
            Ending::Stopped => Self::Stopped,
        }
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::InvalidConfig => Self::Usage,
            ErrorKind::VerifyMismatch => Self::Mismatch,
            ErrorKind::LedgerHeld => Self::LedgerHeld,
            ErrorKind::Cancelled => Self::Interrupted,
            _ => Self::Stopped,
        }
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        u8::from(self).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_code() {
        let named: Vec<u8> =
            HELP.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
        let all = [
            Exit::Success,
            Exit::Stopped,
            Exit::Usage,
            Exit::Incomplete,
            Exit::Mismatch,
            Exit::TimeUp,
            Exit::LedgerHeld,
            Exit::Interrupted,
        ];
        assert_eq!(named, all.map(u8::from));
    }

    #[test]
    fn errors() {
        for (kind, exit) in [
            (ErrorKind::InvalidConfig, Exit::Usage),
            (ErrorKind::LedgerHeld, Exit::LedgerHeld),
            (ErrorKind::VerifyMismatch, Exit::Mismatch),
            (ErrorKind::Cancelled, Exit::Interrupted),
            (ErrorKind::Unauthenticated, Exit::Stopped),
            (ErrorKind::BucketNotFound, Exit::Stopped),
        ] {
            assert_eq!(Exit::from(&Error::new(kind, "x")), exit);
        }
    }
}
