//! What to do after a run: in words, and as the command that does it.

use crate::typed::or_same;
use crate::{Ending, Report, TypedCommand, Verify};

impl Report {
    /// Adds what to do after a ledger was made anew.
    pub(crate) fn with_rebuild_advice(mut self) -> Self {
        self.next = vec![
            "to move what is not at the destination: cabotage migrate with the same places and options; a conflict is \
             left alone"
                .into(),
        ];
        self
    }

    /// Adds what to do next. `command` is the command as it was typed.
    #[must_use]
    pub fn with_advice(mut self, verify: Verify, command: Option<&TypedCommand>) -> Self {
        let objects = &self.objects;
        let again = |flags: &str| spell(command, flags);
        let mut next = Vec::new();
        if objects.stored_unread > 0 && verify != Verify::ReadBack && !self.dry_run {
            next.push(format!(
                "to prove the stored-unread objects, read them back and compare their SHA-256: {}",
                again("--verify read-back")
            ));
        }
        if objects.refused > 0 {
            next.push("refused objects: keep what they would lose with --sidecar LOCATION --change-job, accept a loss by its name with --accept-loss NAME --change-job, or change them at the source".into());
        }
        if objects.conflicts > 0 {
            next.push(format!(
                "conflicts: --overwrite always replaces what is there; where both ends may be equal, compare: {}",
                again("--adopt content")
            ));
        }
        if objects.deferred > 0 {
            next.push(format!(
                "deferred objects are archived: restore them at the source, then {}",
                again("")
            ));
        }
        if self.left_behind() > 0 && self.deletion.is_none() && self.listing_complete {
            next.push(format!(
                "objects that the source no longer has are left at the destination; to see which would be deleted there, give \
                 --delete --dry-run, to delete them: {}",
                again("--delete")
            ));
        }
        if self.dry_run {
            next.push(format!("nothing was written; to move: {}", in_earnest(command)));
        } else if objects.failed + objects.unfinished > 0
            || !self.listing_complete
            || self.ending == Ending::Stopped
        {
            next.push(format!("to go on (what is done is not copied again): {}", again("")));
        } else if next.is_empty() {
            next.push(format!("at any time, to move what is new or changed: {}", again("")));
        }
        self.next = next;
        self
    }
}

fn spell(command: Option<&TypedCommand>, flags: &str) -> String {
    let command = or_same(command.map(TypedCommand::next).as_ref());
    if flags.is_empty() { command } else { format!("{command} {flags}") }
}

fn in_earnest(command: Option<&TypedCommand>) -> String {
    let known = command.map(|command| command.in_earnest().to_string());
    known.unwrap_or_else(|| "the same command without --dry-run".to_owned())
}
