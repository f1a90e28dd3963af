//! What a store keeps of objects beside the objects themselves.

use futures::stream::BoxStream;

use crate::{Key, LossName, Result};

/// What kind of remnant it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RemnantKind {
    /// A snapshot of an object.
    Snapshot,
    /// An older version of an object, or of one that was deleted since.
    Version,
    /// Something deleted that can still be restored.
    Deleted,
}

impl RemnantKind {
    /// The loss that it stands for when it is left behind.
    #[must_use]
    pub fn loss(self) -> LossName {
        match self {
            Self::Snapshot => LossName::SnapshotNotMoved,
            Self::Version => LossName::VersionNotMoved,
            Self::Deleted => LossName::DeletedNotMoved,
        }
    }
}

/// Something that a store keeps of an object, that no listing of objects tells, and that a move leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remnant {
    /// The object's name.
    pub key: Key,
    /// What it is.
    pub kind: RemnantKind,
}

/// A listing of remnants. After an error nothing follows.
pub type RemnantStream = BoxStream<'static, Result<Remnant>>;
