//! What became of the tasks.

use cabotage_core::compute::{Compute, JobStatus, LogOptions, TaskEnd, TaskPhase, TaskStatus};
use cabotage_core::{Error, ErrorKind, display_text};
use futures::TryStreamExt as _;

use crate::cmd_job::how;
use crate::exit_code::Exit;

/// Why tasks failed: how the first of them ended, and what it said last.
pub(crate) async fn failure(compute: &dyn Compute, status: &JobStatus) -> Error {
    let failed: Vec<&TaskStatus> =
        status.tasks.iter().filter(|task| task.phase == TaskPhase::Failed).collect();
    let Some(first) = failed.first() else {
        return Error::new(ErrorKind::Internal, "a job failed, and none of its tasks did");
    };
    let end = first.end.as_ref().map_or_else(|| "ended".to_owned(), how);
    let said = match last_words(compute, status, first.index).await {
        Some(said) => format!(": {said}"),
        None => String::new(),
    };
    let (number, all, many) = (first.index + 1, status.tasks.len(), failed.len());
    let others = if many > 1 { format!(" ({many} tasks failed)") } else { String::new() };
    let text =
        format!("task {number} of {all} failed{others}, {end} after {} attempts{said}", first.attempts);
    let name = &status.name;
    Error::new(kind(&failed), text).help(format!(
        "what is done is in the tasks' ledgers, and the same command goes on; the log: cabotage job logs {name} --task {}",
        first.index
    ))
}

/// That of the exit code in which all who failed agree.
fn kind(failed: &[&TaskStatus]) -> ErrorKind {
    let all = |exit: Exit| {
        let code = TaskEnd::Exited(i32::from(u8::from(exit)));
        failed.iter().all(|task| task.end.as_ref() == Some(&code))
    };
    match () {
        () if all(Exit::Usage) => ErrorKind::InvalidConfig,
        () if all(Exit::LedgerHeld) => ErrorKind::LedgerHeld,
        () => ErrorKind::Interrupted,
    }
}

async fn last_words(compute: &dyn Compute, status: &JobStatus, task: u32) -> Option<String> {
    let mut lines = compute.logs(&status.name, task, LogOptions::default());
    let mut last = None;
    while let Some(line) = lines.try_next().await.ok()? {
        last = Some(line.text);
    }
    let last = last?;
    let text = String::from_utf8_lossy(&last);
    Some(display_text(text.trim_start_matches("error: ")))
}
