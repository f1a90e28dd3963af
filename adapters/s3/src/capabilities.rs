//! What a profile says, in the core's terms.

use cabotage_core::{Capabilities, KeyRules, ListOrder};
use cabotage_providers::Profile;

use crate::customer_key::CustomerKey;

/// What a bucket at that provider can do and hold.
///
/// A name with U+0000 is refused by the HTTP front of Ceph RGW 16 (400); nothing is known of a server that takes it.
/// Listings are in the order of UTF-8 bytes, by the API reference; who relies on it checks it as it goes.
///
/// Under a customer's key a copy needs the key of both ends, which few servers take (Ceph RGW 16: 501), and a presigned
/// URL would be of use only with the key.
pub(crate) fn of(profile: &Profile, key: Option<&CustomerKey>) -> Capabilities {
    let copies = profile.copy && (key.is_none() || profile.customer_key_copy);
    Capabilities {
        list_order: ListOrder::Bytes,
        list_attributes: false,
        list_tags: false,
        list_after: true,
        list_page: Some(1000),
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
        copy_within: copies,
        set_attributes: copies,
        presign: key.is_none(),
        uploads: true,
        customer_key: key.map(CustomerKey::id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cabotage_core::{Secret, Support};

    #[test]
    fn a_profile_becomes_capabilities() {
        let ceph = of(cabotage_providers::find("ceph").unwrap(), None);
        assert_eq!(ceph.preconditions.complete, Support::Ignored);
        assert_eq!(ceph.digest, Support::Enforced);
        assert_eq!(ceph.keys.max_bytes, Some(1024));
        let generic = of(cabotage_providers::generic().unwrap(), None);
        assert_eq!(generic.digest, Support::Unknown);
        assert_eq!(generic.limits.parts_max, 1000);
    }

    #[test]
    fn under_a_customers_key_few_copy() {
        let key =
            CustomerKey::from_base64(&Secret::new("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")).unwrap();
        for (provider, copies) in [("aws", true), ("ceph", false), ("generic", false)] {
            let profile = cabotage_providers::find(provider).unwrap();
            let keyed = of(profile, Some(&key));
            assert_eq!((keyed.copy_within, keyed.set_attributes), (copies, copies), "{provider}");
            assert!(!keyed.presign && of(profile, None).copy_within, "{provider}");
            assert_eq!(keyed.customer_key, Some(key.id()));
        }
    }
}
