//! What a destination can't hold of an object, kept as JSON under a location of its own, and restored when the data move
//! back.
//!
//! - **Place.** A sidecar lies in the location given by `--sidecar` under the SHA-256 of the object's key. The location is
//!   never a part of the data, and nothing under the data's location is ever read as a sidecar; a file of the location's
//!   own says which store its sidecars belong to.
//! - **Order.** The object is written and checked; then its sidecar is written and read back; only then the ledger calls the
//!   object done. A run that dies in between leaves the intent, and the next one recognises the object and writes the
//!   sidecar.
//! - **Belonging.** A sidecar names its object, the content's size and SHA-256, and what the data's store told of the
//!   attributes. It is applied to that content alone, and only where the attribute is still as it was: what was changed
//!   since wins and is named ([`OriginalNotRestored`](cabotage_core::LossName)).

mod location;
mod record;
mod restore;

pub(crate) use location::{Keeping, Lossy, Restoring};
pub(crate) use restore::Restored;

use crate::Side;

/// Where the sidecars of a run are.
#[derive(Clone, Debug, Default)]
pub struct Sidecars {
    /// What the destination can't hold is kept here.
    pub keep: Option<Side>,
    /// What the source couldn't hold is restored from here.
    pub restore: Option<Side>,
}
