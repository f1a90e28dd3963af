//! What becomes of an object that would lose something: decided by the loss's name, and nowhere else.

use std::collections::BTreeSet;

use cabotage_core::{Loss, LossName};

/// What a loss means for its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossFate {
    /// The object is not written.
    Refuse,
    /// It is moved without what it loses.
    Accept,
    /// It is moved, and what it loses is kept in a sidecar.
    Sidecar,
}

/// Which losses are let pass, and how.
///
/// | named by `--accept-loss` | sidecars, and one can keep it | accepted by default | fate |
/// |---|---|---|---|
/// | yes | any | any | Accept |
/// | no | yes | any | Sidecar |
/// | no | no | yes | Accept |
/// | no | no | no | Refuse |
#[derive(Clone, Debug, Default)]
pub struct LossPolicy {
    accepted: BTreeSet<LossName>,
    sidecars: bool,
}

impl LossPolicy {
    /// Those losses are accepted; all others that a sidecar can keep are kept, if there are to be sidecars.
    #[must_use]
    pub fn new(accepted: BTreeSet<LossName>, sidecars: bool) -> Self {
        Self { accepted, sidecars }
    }

    /// What a loss of that name means.
    #[must_use]
    pub fn fate(&self, name: LossName) -> LossFate {
        if self.accepted.contains(&name) {
            LossFate::Accept
        } else if self.sidecars && name.kept_by_sidecar() {
            LossFate::Sidecar
        } else if name.accepted_by_default() {
            LossFate::Accept
        } else {
            LossFate::Refuse
        }
    }

    /// Whether an object with those losses is not to be written.
    #[must_use]
    pub fn refuses(&self, losses: &[Loss]) -> bool {
        losses.iter().any(|loss| self.fate(loss.name) == LossFate::Refuse)
    }

    /// Whether an object with those losses gets a sidecar.
    #[must_use]
    pub fn keeps(&self, losses: &[Loss]) -> bool {
        losses.iter().any(|loss| self.fate(loss.name) == LossFate::Sidecar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        use LossFate::{Accept, Refuse, Sidecar};
        for (name, accepted, sidecars, fate) in [
            (LossName::TagDropped, false, false, Refuse),
            (LossName::TagDropped, false, true, Sidecar),
            (LossName::TagDropped, true, true, Accept),
            (LossName::TierMapped, false, false, Accept),
            (LossName::TierMapped, false, true, Sidecar),
            (LossName::TierMapped, true, true, Accept),
            (LossName::TagsUnreadable, false, true, Refuse),
            (LossName::TagsUnreadable, true, true, Accept),
            (LossName::SnapshotNotMoved, false, true, Accept),
        ] {
            let accepted = if accepted { BTreeSet::from([name]) } else { BTreeSet::new() };
            assert_eq!(LossPolicy::new(accepted, sidecars).fate(name), fate, "{name} {sidecars}");
        }
        let policy = LossPolicy::new(BTreeSet::new(), true);
        let losses = [LossName::TagDropped, LossName::TagsUnreadable].map(|name| Loss::new(name, ""));
        assert!(policy.refuses(&losses) && policy.keeps(&losses) && !policy.refuses(&losses[..1]));
    }
}
