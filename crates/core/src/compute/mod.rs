//! Jobs that run beside the data: the contract of what starts them, watches them and ends them.
//!
//! A [`JobSpec`] is one command that runs as a number of numbered tasks. Nothing in the contract assumes that they share a
//! machine: Kubernetes runs them as an Indexed Job, Slurm as an array, a laptop as child processes.

mod capabilities;
mod contract;
mod ext;
mod job_name;
mod logs;
mod spec;
mod status;

pub use capabilities::ComputeCapabilities;
pub use contract::{Compute, Submitted};
pub use ext::ComputeExt;
pub use job_name::JobName;
pub use logs::{LogLine, LogOptions, LogStream};
pub use spec::{JobSpec, MAX_TASKS, Mount, Resources, TASK_COUNT, TASK_INDEX};
pub use status::{JobPhase, JobStatus, TaskEnd, TaskPhase, TaskStatus};
