//! What starts a job's tasks, waits for them and tries them again.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cabotage_core::Result;
use cabotage_core::compute::{JobStatus, TaskEnd, TaskPhase, TaskStatus};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::attempt::{Attempt, Ending};
use crate::folder::{JobFolder, Submission};
use crate::processes::{self, Family};

/// How often the folder is looked at for a wish to end, and the state of the tasks written.
const TICK: Duration = Duration::from_millis(50);

/// Processes that the supervisor started and waits for itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Own(Arc<Mutex<HashSet<u32>>>);

impl Own {
    pub(crate) fn add(&self, pid: Option<u32>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(pid);
    }

    pub(crate) fn remove(&self, pid: Option<u32>) {
        let mut own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        own.retain(|known| Some(*known) != pid);
    }

    fn all(&self) -> HashSet<u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A job at work.
pub(crate) struct Supervisor {
    folder: JobFolder,
    submission: Submission,
    status: JobStatus,
    changed: bool,
    cancel: watch::Sender<Option<Duration>>,
    attempts: JoinSet<(u32, Ending)>,
    own: Own,
}

impl Supervisor {
    /// Takes the job up, from its beginning or from where a supervisor before this one died.
    pub(crate) async fn take_up(folder: JobFolder) -> Result<Self> {
        let (submission, mut status) = (folder.submission()?, folder.status()?);
        Family { mark: format!("{}.", submission.id), group: None }.end(Duration::ZERO).await;
        for task in status.tasks.iter_mut().filter(|task| task.phase == TaskPhase::Running) {
            conclude(task, Ending::Ended(TaskEnd::Lost), submission.spec.retries_per_task);
        }
        let (cancel, _) = watch::channel(None);
        let (attempts, own) = (JoinSet::new(), Own::default());
        Ok(Self { folder, submission, status, changed: true, cancel, attempts, own })
    }

    /// Runs it to its end.
    pub(crate) async fn run(mut self) -> Result<()> {
        let mut tick = tokio::time::interval(TICK);
        loop {
            self.look_for_cancel();
            self.start_tasks();
            if self.attempts.is_empty() {
                break;
            }
            tokio::select! {
                Some(ended) = self.attempts.join_next() => {
                    if let Ok((index, ending)) = ended {
                        self.ended(index, ending);
                    }
                }
                _ = tick.tick() => self.save()?,
            }
        }
        processes::end_adopted(&self.own.all()).await;
        self.changed = true;
        self.save()
    }

    fn look_for_cancel(&mut self) {
        let Some(request) = self.folder.cancel_request() else { return };
        self.cancel.send_if_modified(|grace| {
            let is_new = grace.is_none();
            grace.get_or_insert(Duration::from_millis(request.grace_millis));
            is_new
        });
        for task in self.status.tasks.iter_mut().filter(|task| task.phase == TaskPhase::Waiting) {
            task.phase = TaskPhase::Cancelled;
            self.changed = true;
        }
    }

    fn start_tasks(&mut self) {
        let free = (self.submission.spec.parallelism as usize).saturating_sub(self.attempts.len());
        let waiting = self.status.tasks.iter_mut().filter(|task| task.phase == TaskPhase::Waiting);
        for task in waiting.take(free) {
            task.phase = TaskPhase::Running;
            task.attempts += 1;
            task.started = Some(Timestamp::now());
            (task.end, task.ended) = (None, None);
            let attempt = Attempt {
                folder: self.folder.clone(),
                spec: self.submission.spec.clone(),
                id: self.submission.id.clone(),
                index: task.index,
                number: task.attempts,
                cancel: self.cancel.subscribe(),
                own: self.own.clone(),
            };
            let index = task.index;
            self.attempts.spawn(async move { (index, attempt.run().await) });
            self.changed = true;
        }
    }

    fn ended(&mut self, index: u32, ending: Ending) {
        let retries = self.submission.spec.retries_per_task;
        if let Some(task) = self.status.tasks.get_mut(index as usize) {
            conclude(task, ending, retries);
            self.changed = true;
        }
    }

    /// The state of all tasks, when it has changed. The last state is written when nothing runs any more.
    fn save(&mut self) -> Result<()> {
        if std::mem::take(&mut self.changed) {
            self.folder.save_status(&self.status)?;
        }
        Ok(())
    }
}

/// What the end of an attempt means for its task.
fn conclude(task: &mut TaskStatus, ending: Ending, retries: u32) {
    task.ended = Some(Timestamp::now());
    let (phase, end) = match ending {
        Ending::Cancelled => (TaskPhase::Cancelled, None),
        Ending::Ended(TaskEnd::Exited(0)) => (TaskPhase::Succeeded, Some(TaskEnd::Exited(0))),
        // What can't be started now can't be started again either.
        Ending::Ended(end @ TaskEnd::NotStarted(_)) => (TaskPhase::Failed, Some(end)),
        Ending::Ended(end) if task.attempts <= retries => (TaskPhase::Waiting, Some(end)),
        Ending::Ended(end) => (TaskPhase::Failed, Some(end)),
    };
    (task.phase, task.end) = (phase, end);
}

/// Ends what is left of a job whose supervisor is dead, and cancels what was not done. For who holds its lock.
pub(crate) async fn end_orphans(folder: &JobFolder) -> Result<bool> {
    let (submission, mut status) = (folder.submission()?, folder.status()?);
    let gone = Family { mark: format!("{}.", submission.id), group: None }.end(Duration::ZERO).await;
    for task in status.tasks.iter_mut().filter(|task| !task.phase.is_final()) {
        conclude(task, Ending::Cancelled, 0);
    }
    folder.save_status(&status)?;
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_ending_means() {
        let after = |attempts, ending| {
            let mut task = TaskStatus { attempts, phase: TaskPhase::Running, ..TaskStatus::waiting(0) };
            conclude(&mut task, ending, 1);
            task.phase
        };
        let ended = Ending::Ended;
        assert_eq!(after(1, ended(TaskEnd::Exited(0))), TaskPhase::Succeeded);
        assert_eq!(after(1, ended(TaskEnd::Exited(3))), TaskPhase::Waiting);
        assert_eq!(after(2, ended(TaskEnd::Exited(3))), TaskPhase::Failed);
        assert_eq!(after(1, ended(TaskEnd::LeftBehind(1))), TaskPhase::Waiting);
        assert_eq!(after(1, ended(TaskEnd::NotStarted(String::new()))), TaskPhase::Failed);
        assert_eq!(after(1, Ending::Cancelled), TaskPhase::Cancelled);
    }
}
