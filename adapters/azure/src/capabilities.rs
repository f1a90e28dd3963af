//! What the service can do and hold.

use std::collections::BTreeSet;

use cabotage_core::{
    Capabilities, KeyRules, Limits, ListOrder, MetadataNames, MetadataRules, Preconditions, Support,
    TagRules, TierClass, TierRules,
};

const MIB: u64 = 1024 * 1024;

/// Most blocks of a blob.
pub(crate) const BLOCKS: u32 = 50_000;

/// What the server told when the store was opened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Server {
    /// It says that it is Azurite.
    pub(crate) azurite: bool,
    /// The account has a hierarchical namespace: folders are objects, and there are no tags.
    pub(crate) hierarchical: bool,
    /// Listings tell tags.
    pub(crate) lists_tags: bool,
    /// Listings can begin at any name.
    pub(crate) lists_from: bool,
    /// The credentials are the account's key, which alone can sign URLs.
    pub(crate) keyed: bool,
}

/// The rules of that server. Limits are those of the REST reference ("Scalability targets for Blob Storage"): 5,000 MiB
/// a write, 50,000 blocks of 4,000 MiB.
pub(crate) fn capabilities(server: &Server) -> Capabilities {
    Capabilities {
        // Measured on Azurite; of the service only "alphabetical" is documented. With a hierarchical namespace, folders
        // may be listed with all that is in them before what sorts between.
        list_order: if server.hierarchical { ListOrder::None } else { ListOrder::Utf16 },
        list_attributes: true,
        list_tags: server.lists_tags || server.hierarchical,
        list_after: server.lists_from,
        list_page: Some(5000),
        keys: key_rules(server),
        limits: Limits {
            single_max: 5000 * MIB,
            part_min: 1,
            part_max: 4000 * MIB,
            parts_max: BLOCKS,
            object_max: u64::from(BLOCKS) * 4000 * MIB,
        },
        metadata: MetadataRules {
            // Measured on Azurite, listings and heads alike; documented for the service ("Setting and retrieving properties
            // and metadata for Blob Storage resources").
            names: MetadataNames::Identifier,
            max_bytes: Some(8 * 1024),
            header_values: true,
            // Azurite reads headers as Latin-1, so that UTF-8 comes back doubly encoded from a listing.
            ascii_values: true,
        },
        headers: Capabilities::all_headers(),
        tags: tag_rules(server),
        tiers: TierRules {
            known: ["Hot", "Cool", "Cold", "Archive"].map(|name| (name.to_owned(), tier_class(name))).into(),
        },
        preconditions: Preconditions {
            create: Support::Enforced,
            if_match: Support::Enforced,
            complete: Support::Enforced,
        },
        digest: Support::Enforced,
        keeps_modified: false,
        delete_many: 0,
        copy_within: true,
        set_attributes: true,
        presign: server.keyed,
        uploads: true,
        customer_key: None,
    }
}

/// 1 to 1,024 characters, at most 254 segments (REST reference, "Naming and referencing containers").
///
/// Refused beside that: control characters and noncharacters (the reference names them as not allowed; Azurite stores
/// some and then fails every listing with 500), the backslash (stored as a slash), and segments `.` and `..` unless the
/// server is Azurite, which was measured to keep them: a web server may resolve them, plain or as `%2E`.
fn key_rules(server: &Server) -> KeyRules {
    KeyRules {
        max_utf16: Some(1024),
        max_segments: Some(254),
        refused_chars: BTreeSet::from(['\\', '\u{81}', '\u{fffe}', '\u{ffff}']),
        refuses_control: true,
        refuses_dot_segments: !server.azurite,
        ..KeyRules::default()
    }
}

/// REST reference, "Set Blob Tags".
fn tag_rules(server: &Server) -> TagRules {
    TagRules {
        max: if server.hierarchical { 0 } else { 10 },
        key_max: 128,
        value_max: 256,
        punctuation: Some("+-./:=_".to_owned()),
        ascii_only: true,
    }
}

/// What a tier means for a reader. Page blobs and premium accounts have tiers of their own, readable at once.
pub(crate) fn tier_class(name: &str) -> TierClass {
    match name {
        "Archive" => TierClass::Archive,
        "Cool" | "Cold" => TierClass::Infrequent,
        _ => TierClass::Default,
    }
}
