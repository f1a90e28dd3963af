//! How a job and its tasks are.

use serde::{Deserialize, Serialize};

use super::JobName;
use crate::Timestamp;

/// Where a task is on its way. The order is that of a task's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskPhase {
    /// Not begun, or waiting for its next attempt.
    Waiting,
    /// At work.
    Running,
    /// An attempt ended with exit code 0.
    Succeeded,
    /// Its last attempt failed, and none is left.
    Failed,
    /// Ended, or never begun, because the job was cancelled.
    Cancelled,
}

impl TaskPhase {
    /// Whether nothing follows.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// How an attempt of a task ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TaskEnd {
    /// With that exit code.
    Exited(i32),
    /// By that signal, which nobody here sent.
    Killed(i32),
    /// It took longer than the timeout, and was ended.
    TimedOut,
    /// It could not be started; with the reason.
    NotStarted(String),
    /// It ended with exit code 0 and left so many processes behind, which were ended: its work may not have been done.
    LeftBehind(u32),
    /// What watched over it was gone: how it ended isn't known.
    Lost,
}

/// One task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskStatus {
    /// Its number, from 0.
    pub index: u32,
    /// Where it is.
    pub phase: TaskPhase,
    /// Attempts that were begun.
    pub attempts: u32,
    /// How the last attempt ended.
    pub end: Option<TaskEnd>,
    /// When the last attempt began.
    pub started: Option<Timestamp>,
    /// When the last attempt ended.
    pub ended: Option<Timestamp>,
}

impl TaskStatus {
    /// A task that has not begun.
    #[must_use]
    pub fn waiting(index: u32) -> Self {
        Self { index, phase: TaskPhase::Waiting, attempts: 0, end: None, started: None, ended: None }
    }
}

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobPhase {
    /// Tasks are waiting or running.
    Running,
    /// Every task succeeded.
    Succeeded,
    /// All have ended, and at least one failed.
    Failed,
    /// All have ended, and at least one because the job was cancelled.
    Cancelled,
}

impl JobPhase {
    /// Whether nothing follows.
    #[must_use]
    pub fn is_final(self) -> bool {
        self != Self::Running
    }
}

/// A job as it is at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStatus {
    /// Its name.
    pub name: JobName,
    /// When it was submitted.
    pub submitted: Timestamp,
    /// Its tasks, by index.
    pub tasks: Vec<TaskStatus>,
}

impl JobStatus {
    /// What its tasks say together. A failed task outweighs a cancelled one only where nothing was cancelled: who cancels
    /// wants to see that it was.
    #[must_use]
    pub fn phase(&self) -> JobPhase {
        let any = |phase| self.tasks.iter().any(|task| task.phase == phase);
        if self.tasks.iter().any(|task| !task.phase.is_final()) {
            JobPhase::Running
        } else if any(TaskPhase::Cancelled) {
            JobPhase::Cancelled
        } else if any(TaskPhase::Failed) {
            JobPhase::Failed
        } else {
            JobPhase::Succeeded
        }
    }

    /// How many tasks are in that phase.
    #[must_use]
    pub fn count(&self, phase: TaskPhase) -> usize {
        self.tasks.iter().filter(|task| task.phase == phase).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phase_of_a_job() {
        use TaskPhase::{Cancelled, Failed, Running, Succeeded, Waiting};
        for (phases, wanted) in [
            (vec![Succeeded, Succeeded], JobPhase::Succeeded),
            (vec![Succeeded, Failed], JobPhase::Failed),
            (vec![Failed, Running], JobPhase::Running),
            (vec![Cancelled, Waiting], JobPhase::Running),
            (vec![Cancelled, Failed, Succeeded], JobPhase::Cancelled),
        ] {
            let task = |(index, phase)| TaskStatus { phase, ..TaskStatus::waiting(index) };
            let status = JobStatus {
                name: JobName::new("job").unwrap(),
                submitted: Timestamp::UNIX_EPOCH,
                tasks: (0..).zip(phases).map(task).collect(),
            };
            assert_eq!(status.phase(), wanted, "{status:?}");
            assert_eq!(status.phase().is_final(), wanted != JobPhase::Running);
        }
    }
}
