//! Attributes on both sides.

use cabotage_core::{
    Attributes as CoreAttributes, Capabilities, Error, ErrorKind, LossName, ObjectInfo, Result, Tier,
    TierClass, WriteOptions,
};
use object_store::{Attribute, Attributes};

/// What goes along with a write. What the store can't hold is refused.
pub(crate) fn given(rules: &Capabilities, options: &WriteOptions) -> Result<Attributes> {
    if options.tier.is_some() {
        return Err(Error::new(ErrorKind::Unsupported, "no tier is known of this store"));
    }
    let renamed = |name: LossName| matches!(name, LossName::MetadataNameCase | LossName::MetadataNameChanged);
    let losses = rules.attribute_losses(&options.attributes);
    if let Some(loss) = losses.iter().find(|loss| !renamed(loss.name)) {
        return Err(Error::new(ErrorKind::Unsupported, &loss.detail).with("loss", loss.name.as_str()));
    }
    let CoreAttributes { headers, metadata, .. } = &options.attributes;
    if let Some(name) = metadata.keys().find(|name| rules.metadata.kept_name(name).is_none()) {
        return Err(Error::new(ErrorKind::Unsupported, format!("{name:?} can't be the name of metadata")));
    }
    let mut out = Attributes::new();
    for (attribute, value) in [
        (Attribute::ContentDisposition, &headers.content_disposition),
        (Attribute::ContentEncoding, &headers.content_encoding),
        (Attribute::ContentLanguage, &headers.content_language),
        (Attribute::ContentType, &headers.content_type),
        (Attribute::CacheControl, &headers.cache_control),
    ] {
        if let Some(value) = value {
            out.insert(attribute, value.clone().into());
        }
    }
    for (name, value) in metadata {
        out.insert(Attribute::Metadata(name.clone().into()), value.clone().into());
    }
    Ok(out)
}

/// What a read tells. Tags are never known.
pub(crate) fn told(info: &mut ObjectInfo, attributes: &Attributes) {
    let mut out = CoreAttributes::default();
    for (attribute, value) in attributes {
        let value = value.as_ref().to_owned();
        match attribute {
            Attribute::ContentDisposition => out.headers.content_disposition = Some(value),
            Attribute::ContentEncoding => out.headers.content_encoding = Some(value),
            Attribute::ContentLanguage => out.headers.content_language = Some(value),
            Attribute::ContentType => out.headers.content_type = Some(value),
            Attribute::CacheControl => out.headers.cache_control = Some(value),
            Attribute::StorageClass => info.tier = Some(tier(value)),
            Attribute::Metadata(name) => {
                out.metadata.insert(name.clone().into_owned(), value);
            }
            other => {
                info.uncarried.insert(format!("{other:?}"), value);
            }
        }
    }
    info.attributes = Some(out);
}

/// S3's names and Azure's. Google's `ARCHIVE` can be read at once.
fn tier(name: String) -> Tier {
    let class = match name.as_str() {
        "STANDARD" | "Hot" => TierClass::Default,
        "GLACIER" | "DEEP_ARCHIVE" | "Archive" => TierClass::Archive,
        _ => TierClass::Infrequent,
    };
    Tier { name, class }
}
