//! The compute conformance suite: what every [`Compute`](cabotage_core::compute::Compute) has to do.
//!
//! Its tasks are `sh` with the usual small tools, so that any container image with a shell will do, and nothing in it assumes
//! that tasks and suite share a machine.

mod bench;
mod endings;
mod logs;
mod submitting;
mod tasks;
mod trial;

pub use bench::Bench;
pub use trial::ComputeTrial;

/// All trials.
#[must_use]
pub fn compute_suite() -> Vec<ComputeTrial> {
    [submitting::trials(), tasks::trials(), endings::trials(), logs::trials()].concat()
}
