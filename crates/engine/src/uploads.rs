//! Uploads in parts beyond one attempt: which stay open for a later one, which are aborted, and what was saved.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cabotage_core::Result;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::recover::try_abort;
use crate::{Event, Observer, OpenUpload};

/// What became of uploads in parts that an earlier attempt or run had begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadCounts {
    /// Uploads that went on from parts that were there already; one that went on twice in a run counts twice.
    pub went_on: u64,
    /// Those parts: not sent again.
    pub parts_kept: u64,
    /// Their bytes.
    pub bytes_kept: u64,
    /// Uploads of `went_on` whose SHA-256 went on from the state kept in the ledger.
    pub digests_from_state: u64,
    /// Those whose SHA-256 was computed from the first byte again.
    pub digests_from_start: u64,
    /// Bytes of kept parts that were read again from the source for those digests.
    pub bytes_read_again: u64,
    /// Objects whose upload could not go on (changed source, other options or part size, unknown to the server) and that
    /// were sent anew.
    pub begun_anew: u64,
    /// Uploads aborted at the end: their objects are gone, left out, or need no upload any more.
    pub aborted: u64,
    /// Uploads that stay open for the next run.
    pub left_open: u64,
    /// Uploads that may be open without anybody knowing: the reply to their start was lost, and the destination doesn't
    /// let uploads be listed or aborted.
    pub may_be_open: u64,
}

/// How one upload went on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WentOn {
    /// Parts kept.
    pub parts: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whether the digest of the whole goes on from a kept state.
    pub from_state: bool,
    /// Bytes of kept parts to read again.
    pub read_again: u64,
}

/// What is known of uploads in one run.
#[derive(Debug, Default)]
pub(crate) struct Uploads(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    counts: UploadCounts,
    /// Names of objects that are to be tried again by the next run.
    waiting: HashSet<String>,
}

impl Uploads {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An upload goes on. One without a part that could be kept is as good as new, and not counted.
    pub(crate) fn went_on(&self, how: WentOn) {
        let counts = &mut self.known().counts;
        if how.parts == 0 {
            return;
        }
        counts.went_on += 1;
        counts.parts_kept += how.parts;
        counts.bytes_kept += how.bytes;
        counts.bytes_read_again += how.read_again;
        *(if how.from_state { &mut counts.digests_from_state } else { &mut counts.digests_from_start }) += 1;
    }

    /// A recorded upload did not fit.
    pub(crate) fn begun_anew(&self) {
        self.known().counts.begun_anew += 1;
    }

    /// An upload may have been started, and nobody can tell.
    pub(crate) fn may_be_open(&self) {
        self.known().counts.may_be_open += 1;
    }

    /// The object failed or was not finished: its upload stays for the next run.
    pub(crate) fn keep(&self, name: &str) {
        self.known().waiting.insert(name.to_owned());
    }

    fn is_waiting(&self, name: &str) -> bool {
        self.known().waiting.contains(name)
    }
}

/// Aborts an upload and forgets it. One that the server doesn't know any more is forgotten.
///
/// # Errors
/// Those of the ledger. What can't be aborted stays recorded for the next run.
async fn end(context: &Context, upload: &OpenUpload) -> Result<bool> {
    match try_abort(&context.destination, &upload.name, &upload.id).await {
        Ok(()) => context.ledger.upload_ended(&upload.name).await.map(|()| true),
        Err(error) => {
            tracing::warn!(%error, "an upload could not be aborted");
            Ok(false)
        }
    }
}

/// At the end of a run, when no task goes on: aborts the uploads that no later run needs, if `all_seen` says that every
/// object of the source had its turn, and counts those that stay.
///
/// # Errors
/// Those of the ledger.
pub(crate) async fn finish(
    context: &Context,
    all_seen: bool,
    observer: &dyn Observer,
) -> Result<UploadCounts> {
    let mut counts = context.uploads.known().counts;
    if context.options.dry_run {
        return Ok(counts);
    }
    let all_seen = all_seen && context.options.selection.keys_from.is_none();
    for upload in context.ledger.uploads().await? {
        if all_seen && !context.uploads.is_waiting(&upload.name) && end(context, &upload).await? {
            counts.aborted += 1;
        } else {
            counts.left_open += 1;
        }
    }
    if counts.aborted > 0 {
        let text = format!("{} uploads in parts that nothing needs any more were aborted", counts.aborted);
        observer.event(&Event::Note(text));
    }
    Ok(counts)
}
