//! What a profile says, in the core's terms.

use cabotage_core::{Capabilities, KeyRules, ListOrder};
use cabotage_providers::Profile;

/// What a bucket at that provider can do and hold.
///
/// A name with U+0000 is refused by the HTTP front of Ceph RGW 16 (400); nothing is known of a server that takes it.
/// Listings are in the order of UTF-8 bytes, by the API reference; who relies on it checks it as it goes.
pub(crate) fn of(profile: &Profile) -> Capabilities {
    Capabilities {
        list_order: ListOrder::Bytes,
        list_attributes: false,
        list_tags: false,
        list_after: true,
        keys: KeyRules {
            max_bytes: Some(profile.limits.key_bytes),
            refused_chars: ['\0'].into(),
            ..KeyRules::default()
        },
        limits: profile.core_limits(),
        metadata: profile.metadata_rules(),
        headers: Capabilities::all_headers(),
        tags: profile.tag_rules(),
        tiers: profile.tier_rules(),
        preconditions: profile.preconditions(),
        digest: profile.integrity.signed_sha256,
        keeps_modified: false,
        delete_many: profile.delete_many,
        copy_within: profile.copy,
        set_attributes: profile.copy,
        presign: true,
        uploads: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cabotage_core::Support;

    #[test]
    fn a_profile_becomes_capabilities() {
        let ceph = of(cabotage_providers::find("ceph").unwrap());
        assert_eq!(ceph.preconditions.complete, Support::Ignored);
        assert_eq!(ceph.digest, Support::Enforced);
        assert_eq!(ceph.keys.max_bytes, Some(1024));
        let generic = of(cabotage_providers::generic().unwrap());
        assert_eq!(generic.digest, Support::Unknown);
        assert_eq!(generic.limits.parts_max, 1000);
    }
}
