//! Namespaces of any size that nobody stores: names, sizes, attributes and contents come from formulas, and a destination
//! that keeps one bit for each object.
//!
//! With them a whole run (listings, decisions, ledger, report) is measured at millions of objects on one machine: see
//! `docs/SCALE.md`.

#![allow(clippy::cast_possible_truncation, reason = "numbers of objects, on 64 bits")]

mod destination;
mod jobs;
mod namespace;
mod shape;
mod source;

pub use destination::Destination;
pub use jobs::{fill_ledger, job};
pub use namespace::Namespace;
pub use shape::Shape;
pub use source::{Dialect, Source};

use cabotage_core::{Error, ErrorKind, Result};

fn no<T>() -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, "a synthetic store has nothing of the kind"))
}
