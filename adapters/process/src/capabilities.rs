//! What child processes can be given.

use cabotage_core::compute::ComputeCapabilities;

/// Each change of a task writes the states of all, which bounds their number.
const MAX_TASKS: u32 = 1_000;

pub(crate) fn capabilities() -> ComputeCapabilities {
    ComputeCapabilities { max_tasks: MAX_TASKS, images: false, mounts: false, memory: true, cpu: false }
}
