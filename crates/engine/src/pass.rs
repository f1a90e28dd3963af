//! What a pass found at the source, compared with what the ledger knew.

use serde::{Deserialize, Serialize};

/// How an object at the source differs from what the ledger knows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// The ledger doesn't know it.
    New,
    /// Its content may be another.
    Changed,
    /// Its content is the same, its attributes are not; where the listing doesn't tell them: they may not be.
    Attributes,
    /// As the ledger knows it.
    Unchanged,
}

/// Objects and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// How many.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Amount {
    pub(crate) fn add(&mut self, bytes: u64) {
        self.objects += 1;
        self.bytes += bytes;
    }
}

/// The selected objects by how they differ from what the ledger knew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass {
    /// Not in the ledger before.
    pub new: Amount,
    /// Of other content than in the ledger.
    pub changed: Amount,
    /// Of the same content, with other attributes.
    pub attributes: Amount,
    /// As in the ledger.
    pub unchanged: Amount,
    /// In the ledger, and no longer at the source; by the size that they had.
    pub gone: Amount,
}

impl Pass {
    pub(crate) fn count(&mut self, change: Change, bytes: u64) {
        let amount = match change {
            Change::New => &mut self.new,
            Change::Changed => &mut self.changed,
            Change::Attributes => &mut self.attributes,
            Change::Unchanged => &mut self.unchanged,
        };
        amount.add(bytes);
    }

    /// Whether the ledger knew nothing: the first pass, in which all is new.
    pub(crate) fn is_first(&self) -> bool {
        let known = [self.changed, self.attributes, self.unchanged, self.gone];
        known.iter().all(|amount| amount.objects == 0)
    }
}
