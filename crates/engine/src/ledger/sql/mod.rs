//! The statements: one function for each.

mod objects;
mod runs;
mod troubles;
mod uploads;
mod values;

pub(super) use objects::*;
pub(super) use runs::*;
pub(super) use troubles::*;
pub(super) use uploads::*;
