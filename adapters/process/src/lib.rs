//! Jobs as child processes of this machine (Linux).
//!
//! # Who does what
//!
//! [`ProcessCompute`] is the client. What a job is and how it is lies in a folder, so any program that opens the same folder
//! can inspect, watch, cancel and remove it:
//!
//! ```text
//! ROOT/jobs/NAME/spec.json      what was submitted
//!                status.json    how it is, replaced by rename
//!                lock           held by the job's supervisor as long as it lives
//!                cancel.json    that somebody wants it to end, and within which grace
//!                logs/0.log     what task 0 printed: time, attempt, line
//!                work/0/        the working directory of task 0
//! ```
//!
//! Each job has a *supervisor*, a process of its own that outlives the submitter: it starts the tasks, reads their output, waits
//! for them, tries them again. It is started by the command that [`ProcessConfig::supervisor`] names, which calls
//! [`supervise`]. Its lock is handed over with its standard input, so that there is no moment without it. Where a supervisor
//! died (or the machine was restarted), the next client that looks at the job starts another: what still runs of the job is
//! ended, and the attempts that were under way count as [`Lost`](cabotage_core::compute::TaskEnd::Lost).
//!
//! # What a task is given
//!
//! A process group of its own, an empty standard input, `PATH`, `HOME`, `USER`, `LANG`, `TZ` and `TMPDIR` of the submitter, the
//! job's variables, and a mark, `CABOTAGE_TASK_ID`, by which everything that it starts is found, even what has left its group
//! and session: nothing of a task outlives its attempt. What clears its variables as well is found as a child of the
//! supervisor (`PR_SET_CHILD_SUBREAPER`), at the job's end at the latest.
//!
//! A limit of memory is one of address space (`ulimit -v`) of each process. Processors are not limited.

mod attempt;
mod capabilities;
mod compute;
mod config;
mod error;
mod folder;
mod follow;
mod log;
mod processes;
mod supervise;
mod supervisor;

pub use compute::ProcessCompute;
pub use config::ProcessConfig;
pub use supervise::supervise;
