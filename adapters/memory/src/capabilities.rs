//! What the store can do, and what it does with attributes under other rules.

use std::collections::BTreeMap;

use cabotage_core::{
    Attributes, Capabilities, Error, ErrorKind, ListOrder, LossName, Preconditions, Result, Support,
    TagRules, Tags, Tier,
};

/// Everything is held and enforced, without limits; there is no presigning and there are no tiers.
#[must_use]
pub fn full_capabilities() -> Capabilities {
    Capabilities {
        list_order: ListOrder::Bytes,
        list_attributes: true,
        list_tags: true,
        list_after: true,
        list_page: Some(1000),
        headers: Capabilities::all_headers(),
        tags: TagRules { max: usize::MAX, key_max: usize::MAX, value_max: usize::MAX, ..TagRules::default() },
        preconditions: Preconditions {
            create: Support::Enforced,
            if_match: Support::Enforced,
            complete: Support::Enforced,
        },
        digest: Support::Enforced,
        keeps_modified: true,
        delete_many: 1000,
        copy_within: true,
        set_attributes: true,
        uploads: true,
        customer_key: None,
        ..Capabilities::default()
    }
}

/// What a store with those rules keeps of the attributes: names of metadata as they come back, tags known.
///
/// # Errors
/// `Unsupported` for whatever it can't hold.
pub(crate) fn kept(capabilities: &Capabilities, attributes: &Attributes) -> Result<Attributes> {
    let renamed = |name: LossName| matches!(name, LossName::MetadataNameCase | LossName::MetadataNameChanged);
    if let Some(loss) = capabilities.attribute_losses(attributes).iter().find(|loss| !renamed(loss.name)) {
        return Err(Error::new(ErrorKind::Unsupported, &loss.detail).with("loss", loss.name.as_str()));
    }
    let mut metadata = BTreeMap::new();
    for (name, value) in &attributes.metadata {
        let Some(kept) = capabilities.metadata.kept_name(name) else {
            return Err(Error::new(ErrorKind::Unsupported, format!("{name} can't be the name of metadata")));
        };
        if metadata.insert(kept, value.clone()).is_some() {
            let message = format!("the metadata name {name} falls together with another");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
    }
    let tags = Some(attributes.tags.clone().unwrap_or_default());
    Ok(Attributes { headers: attributes.headers.clone(), metadata, tags })
}

/// The tier of that name.
///
/// # Errors
/// `Unsupported` when the store knows none of that name.
pub(crate) fn tier(capabilities: &Capabilities, name: Option<&str>) -> Result<Option<Tier>> {
    let Some(name) = name else { return Ok(None) };
    match capabilities.tiers.known.get(name) {
        Some(class) => Ok(Some(Tier { name: name.to_owned(), class: *class })),
        None => Err(Error::new(ErrorKind::Unsupported, format!("there is no tier named {name}"))),
    }
}

/// Leaves the tags out where a reply of that kind doesn't carry them.
pub(crate) fn without_tags(attributes: &Attributes, told: bool) -> Attributes {
    let tags: Option<Tags> = attributes.tags.clone().filter(|_| told);
    Attributes { headers: attributes.headers.clone(), metadata: attributes.metadata.clone(), tags }
}
