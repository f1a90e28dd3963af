//! Attributes on their way out: checked, then written as headers.

use cabotage_core::{
    Attributes, Capabilities, ContentHeaders, Error, ErrorKind, Metadata, Result, Tags, WriteMode,
    WriteOptions,
};
use cabotage_http::{Call, encode_component};
use http::header::{HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};

pub(crate) const TAGS: &str = "x-ms-tags";
const TIER: HeaderName = HeaderName::from_static("x-ms-access-tier");

/// Whether everything can be held.
///
/// # Errors
/// `Unsupported`, naming what can't.
pub(crate) fn check(capabilities: &Capabilities, attributes: &Attributes) -> Result<()> {
    let losses = capabilities.attribute_losses(attributes);
    if let Some(loss) = losses.first() {
        return Err(Error::new(ErrorKind::Unsupported, &loss.detail).with("loss", loss.name.as_str()));
    }
    Ok(())
}

/// Checks attributes and tier of a write.
///
/// # Errors
/// `Unsupported`, naming what can't be held.
pub(crate) fn check_options(capabilities: &Capabilities, options: &WriteOptions) -> Result<()> {
    if let Some(tier) = options.tier.as_ref().filter(|tier| !capabilities.tiers.known.contains_key(*tier)) {
        let known: Vec<_> = capabilities.tiers.known.keys().map(String::as_str).collect();
        return Err(Error::new(ErrorKind::Unsupported, format!("there is no tier named {tier}"))
            .help(format!("the tiers are {}", known.join(", "))));
    }
    check(capabilities, &options.attributes)
}

/// Everything of the options as headers: attributes, tier, condition.
///
/// # Errors
/// `Unsupported` for a value that no header can carry.
pub(crate) fn write_headers(call: Call, options: &WriteOptions) -> Result<Call> {
    let call = content_headers(call, &options.attributes.headers)?;
    let call = metadata_headers(call, &options.attributes.metadata)?;
    let call = tag_header(call, options.attributes.tags.as_ref())?;
    mode_headers(tier_header(call, options.tier.as_deref())?, &options.mode)
}

/// The content headers that are set, under the names by which the service stores them.
pub(crate) fn content_headers(mut call: Call, headers: &ContentHeaders) -> Result<Call> {
    for (name, value) in headers.entries() {
        if let Some(value) = value {
            call = call.text_header(&format!("x-ms-blob-{name}"), value)?;
        }
    }
    Ok(call)
}

pub(crate) fn metadata_headers(mut call: Call, metadata: &Metadata) -> Result<Call> {
    for (name, value) in metadata {
        call = call.spelled_header(&format!("x-ms-meta-{name}"), value)?;
    }
    Ok(call)
}

/// Tags as a query string (Put Blob, "x-ms-tags").
pub(crate) fn tag_header(call: Call, tags: Option<&Tags>) -> Result<Call> {
    let Some(tags) = tags.filter(|tags| !tags.is_empty()) else { return Ok(call) };
    let pairs: Vec<String> = tags
        .iter()
        .map(|(key, value)| format!("{}={}", encode_component(key), encode_component(value)))
        .collect();
    call.text_header(TAGS, &pairs.join("&"))
}

pub(crate) fn tier_header(call: Call, tier: Option<&str>) -> Result<Call> {
    match tier {
        Some(tier) => call.text_header(TIER.as_str(), tier),
        None => Ok(call),
    }
}

pub(crate) fn mode_headers(call: Call, mode: &WriteMode) -> Result<Call> {
    match mode {
        WriteMode::Create => Ok(call.header(IF_NONE_MATCH, HeaderValue::from_static("*"))),
        WriteMode::Replace => Ok(call),
        WriteMode::IfMatch(etag) => call.text_header(IF_MATCH.as_str(), &etag.quoted()),
    }
}

#[cfg(test)]
mod tests {
    use cabotage_core::{ETag, Operation};
    use http::Method;

    use super::*;
    use crate::capabilities::{Server, capabilities};

    fn options() -> WriteOptions {
        let mut options = WriteOptions { tier: Some("Cool".into()), ..WriteOptions::default() };
        options.attributes.headers.content_type = Some("text/plain;  charset=x".into());
        options.attributes.metadata.insert("Owner_1".into(), "a  b".into());
        options.attributes.tags =
            Some([("a b".to_owned(), "c+d".to_owned()), ("k".into(), String::new())].into());
        options
    }

    #[test]
    fn headers() {
        let mut options = options();
        options.mode = WriteMode::IfMatch(ETag::new("0x1"));
        let call = write_headers(Call::new(Operation::Write, Method::PUT, "/c/k"), &options).unwrap();
        let mut got: Vec<_> =
            call.headers.iter().map(|(n, v)| format!("{n}={}", v.to_str().unwrap())).collect();
        got.sort();
        assert_eq!(
            got,
            [
                "if-match=\"0x1\"",
                "x-ms-access-tier=Cool",
                "x-ms-blob-content-type=text/plain;  charset=x",
                "x-ms-meta-owner_1=a  b",
                "x-ms-tags=a%20b=c%2Bd&k=",
            ]
        );
    }

    #[test]
    fn what_can_not_be_held_is_refused() {
        let rules = capabilities(&Server::default());
        assert!(check_options(&rules, &options()).is_ok());
        let broken: [fn(&mut WriteOptions); 8] = [
            |o| o.tier = Some("STANDARD".into()),
            |o| o.attributes.headers.content_disposition = Some("é".into()),
            |o| o.attributes.headers.cache_control = Some("a\r\nx-ms-blob-type: PageBlob".into()),
            |o| drop(o.attributes.metadata.insert("a-b".into(), "1".into())),
            |o| drop(o.attributes.metadata.insert("a".into(), "x\ny".into())),
            |o| drop(o.attributes.metadata.insert("a".into(), "é".into())),
            |o| drop(o.attributes.metadata.insert("a".into(), "v".repeat(9000))),
            |o| o.attributes.tags = Some([("a!".to_owned(), String::new())].into()),
        ];
        for (number, change) in broken.into_iter().enumerate() {
            let mut options = options();
            change(&mut options);
            let error = check_options(&rules, &options).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{number}: {error}");
        }
    }
}
