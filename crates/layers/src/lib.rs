//! Decorators of [`Storage`](cabotage_core::Storage), one file each.
//!
//! A layer wraps an `Arc<dyn Storage>` and is one itself, so layers stack in any order. Each implements every method
//! of the trait itself: a method added later can't slip past a layer unseen.

mod fault;
mod limit;
mod outlast;
mod prefix;
mod read_only;
mod resume_body;
mod resume_list;

pub use fault::{Calls, Effect, Fault, Faults, KeyMatch, Rule};
pub use limit::Limit;
pub use outlast::{Gate, OutageWatch, Outages, Outlast};
pub use prefix::Prefix;
pub use read_only::ReadOnly;
pub use resume_body::{ResumeBody, ResumePolicy};
