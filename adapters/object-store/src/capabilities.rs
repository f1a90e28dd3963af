//! What the trait and what is known of the store allow.

use cabotage_core::{Capabilities, KeyRules, Preconditions, Support};

use crate::Known;

pub(crate) fn capabilities(known: &Known) -> Capabilities {
    let headers = known.attributes.as_ref().map(|_| Capabilities::all_headers());
    let mut rules = Capabilities {
        list_order: known.list_order,
        keys: KeyRules {
            max_segment_bytes: known.segment_max,
            refuses_control: true,
            refuses_dot_segments: true,
            refuses_empty_segments: true,
            ..KeyRules::default()
        },
        headers: headers.unwrap_or_default(),
        metadata: known.attributes.clone().unwrap_or_default(),
        preconditions: Preconditions {
            create: known.create,
            if_match: known.update,
            complete: Support::Rejected,
        },
        // No digest goes with a body.
        digest: Support::Ignored,
        ..Capabilities::default()
    };
    if known.attributes.is_none() {
        rules.metadata.max_bytes = Some(0);
    }
    rules
}
