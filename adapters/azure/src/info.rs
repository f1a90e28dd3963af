//! What a reply's headers tell of a blob.

use cabotage_core::{
    Algorithm, Attributes, Digest, DigestScope, Key, Metadata, ObjectForm, ObjectInfo, Result, Tier,
    Timestamp,
};
use cabotage_http::Reply;
use http::HeaderMap;
use http::header::{HeaderName, LAST_MODIFIED};
use jiff::fmt::rfc2822;

use crate::capabilities::tier_class;
use crate::wire::{BLOB_MD5, BLOB_TYPE, CONTENT_MD5, VERSION_ID, etag, text, value_text};

const META: &str = "x-ms-meta-";
const TIER: HeaderName = HeaderName::from_static("x-ms-access-tier");
const TAG_COUNT: HeaderName = HeaderName::from_static("x-ms-tag-count");

/// Which bytes a reply's `Content-MD5` is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Md5Of {
    Blob,
    Range,
}

/// The blob, with tags unknown.
pub(crate) fn from_headers(key: &Key, headers: &HeaderMap, size: u64, md5_of: Md5Of) -> ObjectInfo {
    let attributes = attributes(headers);
    let own = text(headers, &CONTENT_MD5).filter(|_| md5_of == Md5Of::Blob);
    let md5 = text(headers, &BLOB_MD5).or(own);
    let form = form(text(headers, &BLOB_TYPE).as_deref(), &attributes.metadata);
    ObjectInfo {
        key: key.clone(),
        size,
        etag: etag(headers),
        version: text(headers, &VERSION_ID),
        modified: text(headers, &LAST_MODIFIED).and_then(|date| date_of(&date)),
        attributes: Some(attributes),
        tier: text(headers, &TIER).map(tier),
        digests: md5.and_then(|md5| md5_digest(&md5)).into_iter().collect(),
        form,
        uncarried: Metadata::new(),
    }
}

/// The names of the metadata as the service keeps them: headers come in lower case from the HTTP library.
pub(crate) async fn spell(info: &mut ObjectInfo, reply: &Reply) -> Result<()> {
    let names = reply.spelled_names(META).await?;
    if let Some(attributes) = &mut info.attributes {
        let spelled = |name: String| match names.get(&format!("{META}{name}")) {
            Some(whole) => whole[META.len()..].to_owned(),
            None => name,
        };
        let metadata = std::mem::take(&mut attributes.metadata);
        attributes.metadata = metadata.into_iter().map(|(name, value)| (spelled(name), value)).collect();
    }
    Ok(())
}

/// How many tags the reply says that there are; `None` where it doesn't.
pub(crate) fn tag_count(headers: &HeaderMap) -> Option<u32> {
    text(headers, &TAG_COUNT)?.parse().ok()
}

fn attributes(headers: &HeaderMap) -> Attributes {
    let mut found = Attributes::default();
    for (name, value) in headers {
        let value = value_text(value);
        if let Some(name) = name.as_str().strip_prefix(META) {
            found.metadata.insert(name.to_owned(), value);
        } else if !value.is_empty() {
            // An empty value is how the service tells a header that was taken away.
            found.headers.set(name.as_str(), Some(value));
        }
    }
    found
}

pub(crate) fn form(blob_type: Option<&str>, metadata: &Metadata) -> ObjectForm {
    match blob_type {
        Some("AppendBlob") => ObjectForm::AppendBlob,
        Some("PageBlob") => ObjectForm::PageBlob,
        _ if is_stub(metadata) => ObjectForm::FolderStub,
        _ => ObjectForm::Plain,
    }
}

/// `hdi_isfolder=true`, in any case: how Hadoop and the tools after it mark a folder.
fn is_stub(metadata: &Metadata) -> bool {
    metadata
        .iter()
        .any(|(name, value)| name.eq_ignore_ascii_case("hdi_isfolder") && value.eq_ignore_ascii_case("true"))
}

pub(crate) fn tier(name: String) -> Tier {
    Tier { class: tier_class(&name), name }
}

pub(crate) fn md5_digest(text: &str) -> Option<Digest> {
    use base64::Engine as _;
    let value = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    let digest = Digest { algorithm: Algorithm::Md5, scope: DigestScope::Whole, value };
    Some(digest).filter(|digest| digest.value.len() == 16)
}

pub(crate) fn date_of(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}
