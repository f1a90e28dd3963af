//! Attributes on both sides.

use cabotage_core::{Attributes as CoreAttributes, Capabilities, ObjectInfo, TierClass, WriteOptions};
use object_store::{Attribute, Attributes, Result, TagSet};

use crate::paths::not_implemented;

/// What a write brings along. What the store would lose or change is refused by name.
pub(crate) fn write_options(rules: &Capabilities, given: &Attributes, tags: &TagSet) -> Result<WriteOptions> {
    if !tags.encoded().is_empty() {
        return Err(not_implemented("put with tags"));
    }
    let mut options = WriteOptions::default();
    for (attribute, value) in given {
        let value = value.as_ref().to_owned();
        let headers = &mut options.attributes.headers;
        match attribute {
            Attribute::ContentDisposition => headers.content_disposition = Some(value),
            Attribute::ContentEncoding => headers.content_encoding = Some(value),
            Attribute::ContentLanguage => headers.content_language = Some(value),
            Attribute::ContentType => headers.content_type = Some(value),
            Attribute::CacheControl => headers.cache_control = Some(value),
            Attribute::StorageClass => options.tier = Some(value),
            Attribute::Metadata(name) => {
                options.attributes.metadata.insert(name.clone().into_owned(), value);
            }
            other => return Err(not_implemented(format!("put with the attribute {other:?}"))),
        }
    }
    match rules.attribute_losses(&options.attributes).first() {
        Some(loss) => Err(not_implemented(format!("put with attributes that change ({})", loss.detail))),
        None => Ok(options),
    }
}

/// What a read tells. A storage class is told where it is not the store's default.
pub(crate) fn told(info: &ObjectInfo) -> Attributes {
    let mut out = Attributes::new();
    let CoreAttributes { headers, metadata, .. } = info.attributes.clone().unwrap_or_default();
    let fields = [
        (Attribute::ContentDisposition, headers.content_disposition),
        (Attribute::ContentEncoding, headers.content_encoding),
        (Attribute::ContentLanguage, headers.content_language),
        (Attribute::ContentType, headers.content_type),
        (Attribute::CacheControl, headers.cache_control),
        (
            Attribute::StorageClass,
            info.tier.clone().filter(|tier| tier.class != TierClass::Default).map(|tier| tier.name),
        ),
    ];
    for (attribute, value) in fields {
        if let Some(value) = value {
            out.insert(attribute, value.into());
        }
    }
    for (name, value) in metadata {
        out.insert(Attribute::Metadata(name.into()), value.into());
    }
    out
}
