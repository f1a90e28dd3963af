//! What a folder can do and hold.

use cabotage_core::{Capabilities, ListOrder, Preconditions, Support, TagRules};

pub(crate) fn capabilities() -> Capabilities {
    Capabilities {
        list_order: ListOrder::Bytes,
        list_attributes: true,
        list_tags: true,
        list_after: true,
        headers: Capabilities::all_headers(),
        tags: TagRules { max: usize::MAX, key_max: usize::MAX, value_max: usize::MAX, ..TagRules::default() },
        preconditions: Preconditions {
            create: Support::Enforced,
            if_match: Support::Enforced,
            complete: Support::Enforced,
        },
        digest: Support::Enforced,
        keeps_modified: true,
        copy_within: true,
        set_attributes: true,
        uploads: true,
        customer_key: None,
        ..Capabilities::default()
    }
}
