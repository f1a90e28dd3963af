//! Signature Version 4.
//!
//! Credentials come from `reqsign`'s providers; the signature is computed here, as a plug-in of its `Signer`, for three
//! reasons: header values in raw UTF-8 (user metadata) must be signed by their bytes, runs of spaces in them must be
//! collapsed for signing while the original is sent, and the time that is signed follows the server's clock.
//!
//! Canonical forms: <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>. The path is
//! encoded once and never normalised: `..`, `//` and `.` are signed as they are sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use http::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue};
use http::request::Parts;
use reqsign_aws_v4::{Credential, EMPTY_STRING_SHA256};
use reqsign_core::hash::{hex_hmac_sha256, hex_sha256, hmac_sha256};
use reqsign_core::time::Timestamp;
use reqsign_core::{Context, Error, Result, SignRequest};

/// The header that holds the body's SHA-256.
pub(crate) const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Headers that aren't signed: proxies add or change them.
const UNSIGNED: &[&str] = &[
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "transfer-encoding",
    "user-agent",
];

/// Longest life of a presigned URL, by the API reference.
pub(crate) const LONGEST_PRESIGN: Duration = Duration::from_secs(7 * 24 * 3600);

/// Signs requests for one region.
#[derive(Clone, Debug)]
pub(crate) struct SigV4 {
    region: Arc<str>,
    skew: Arc<AtomicI64>,
}

impl SigV4 {
    /// For a region; `skew` are the seconds by which the server's clock is ahead.
    pub(crate) fn new(region: &str, skew: Arc<AtomicI64>) -> Self {
        Self { region: region.into(), skew }
    }

    fn now(&self) -> Result<Timestamp> {
        Timestamp::from_second(Timestamp::now().as_second() + self.skew.load(Ordering::Relaxed))
    }

    fn scope(&self, now: Timestamp) -> String {
        format!("{}/{}/s3/aws4_request", now.format_date(), self.region)
    }

    fn signature(&self, credential: &Credential, now: Timestamp, canonical: &[u8]) -> String {
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{}\n{}\n{}",
            now.format_iso8601(),
            self.scope(now),
            hex_sha256(canonical)
        );
        let secret = format!("AWS4{}", credential.secret_access_key);
        let mut key = hmac_sha256(secret.as_bytes(), now.format_date().as_bytes());
        for step in [&self.region, "s3", "aws4_request"] {
            key = hmac_sha256(&key, step.as_bytes());
        }
        hex_hmac_sha256(&key, to_sign.as_bytes())
    }

    fn sign_header(&self, parts: &mut Parts, credential: &Credential, now: Timestamp) -> Result<()> {
        let headers = &mut parts.headers;
        headers.insert(DATE, value(&now.format_iso8601())?);
        headers.entry(CONTENT_SHA256).or_insert(HeaderValue::from_static(EMPTY_STRING_SHA256));
        if let Some(token) = &credential.session_token {
            let mut token = value(token)?;
            token.set_sensitive(true);
            headers.insert(TOKEN, token);
        }
        let (canonical, names) = canonical_request(parts, parts.uri.query().unwrap_or_default())?;
        let signature = self.signature(credential, now, &canonical);
        let mut authorization = value(&format!(
            "AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={names}, Signature={signature}",
            credential.access_key_id,
            self.scope(now)
        ))?;
        authorization.set_sensitive(true);
        parts.headers.insert(AUTHORIZATION, authorization);
        Ok(())
    }

    fn sign_query(
        &self,
        parts: &mut Parts,
        credential: &Credential,
        now: Timestamp,
        expires_in: Duration,
    ) -> Result<()> {
        let names = signed_names(parts).join(";");
        let mut query = parts.uri.query().unwrap_or_default().to_owned();
        let credential_scope = format!("{}/{}", credential.access_key_id, self.scope(now));
        for (name, value) in [
            ("X-Amz-Algorithm", Some("AWS4-HMAC-SHA256")),
            ("X-Amz-Credential", Some(&credential_scope)),
            ("X-Amz-Date", Some(&now.format_iso8601())),
            ("X-Amz-Expires", Some(&expires_in.as_secs().to_string())),
            ("X-Amz-Security-Token", credential.session_token.as_deref()),
            ("X-Amz-SignedHeaders", Some(&names)),
        ] {
            if let Some(value) = value {
                let separator = if query.is_empty() { "" } else { "&" };
                query.push_str(&format!("{separator}{name}={}", encode(value.as_bytes())));
            }
        }
        let (canonical, _) = canonical_request(parts, &query)?;
        let signature = self.signature(credential, now, &canonical);
        let target = format!("{}?{query}&X-Amz-Signature={signature}", parts.uri.path());
        let mut uri = parts.uri.clone().into_parts();
        uri.path_and_query = Some(target.parse()?);
        parts.uri = http::Uri::from_parts(uri)
            .map_err(|error| Error::unexpected("the presigned URL is none").with_source(error))?;
        Ok(())
    }
}

impl SignRequest for SigV4 {
    type Credential = Credential;

    async fn sign_request(
        &self,
        _context: &Context,
        parts: &mut Parts,
        credential: Option<&Credential>,
        expires_in: Option<Duration>,
    ) -> Result<()> {
        let credential = credential.ok_or_else(|| Error::credential_invalid("there are no credentials"))?;
        let now = self.now()?;
        match expires_in {
            None => self.sign_header(parts, credential, now),
            Some(expires_in) => self.sign_query(parts, credential, now, expires_in),
        }
    }
}

fn value(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text)
        .map_err(|error| Error::credential_invalid("a credential can't stand in a header").with_source(error))
}

/// The canonical request, and the names of the headers in it.
fn canonical_request(parts: &Parts, query: &str) -> Result<(Vec<u8>, String)> {
    let names = signed_names(parts);
    let authority = parts.uri.authority().ok_or_else(|| Error::request_invalid("the URI has no host"))?;
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(parts.method.as_str().as_bytes());
    out.extend_from_slice(
        format!("\n{}\n{}\n", canonical_path(parts.uri.path()), canonical_query(query)).as_bytes(),
    );
    for name in &names {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        if *name == HOST.as_str() {
            out.extend_from_slice(authority.as_str().as_bytes());
        } else {
            let values: Vec<Vec<u8>> =
                parts.headers.get_all(*name).iter().map(|value| collapse(value.as_bytes())).collect();
            out.extend_from_slice(&values.join(&b','));
        }
        out.push(b'\n');
    }
    let names = names.join(";");
    let digest = match parts.headers.get(CONTENT_SHA256) {
        Some(value) => value.as_bytes(),
        None => b"UNSIGNED-PAYLOAD",
    };
    out.extend_from_slice(format!("\n{names}\n").as_bytes());
    out.extend_from_slice(digest);
    Ok((out, names))
}

/// Names of the headers that are signed, sorted; `host` always is.
fn signed_names(parts: &Parts) -> Vec<&str> {
    let mut names: Vec<&str> = parts
        .headers
        .keys()
        .map(HeaderName::as_str)
        .filter(|name| !UNSIGNED.contains(name) && *name != "host")
        .collect();
    names.push("host");
    names.sort_unstable();
    names
}

/// A header's value without spaces at its ends, and with one space for each run of them.
fn collapse(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for byte in value {
        if *byte != b' ' || out.last() != Some(&b' ') {
            out.push(*byte);
        }
    }
    let start = usize::from(out.first() == Some(&b' '));
    let end = out.len() - usize::from(out.len() > start && out.last() == Some(&b' '));
    out[start..end].to_vec()
}

/// Each segment decoded and encoded again: the same as was sent, unless the endpoint's own path is written otherwise.
fn canonical_path(path: &str) -> String {
    let segments: Vec<String> = path.split('/').map(|segment| encode(&decode(segment))).collect();
    segments.join("/")
}

fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encode(&decode(name)), encode(&decode(value))))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

fn decode(text: &str) -> Vec<u8> {
    percent_encoding::percent_decode_str(text).collect()
}

/// Everything but RFC 3986's unreserved characters, in upper-case hex.
fn encode(bytes: &[u8]) -> String {
    const SET: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    percent_encoding::percent_encode(bytes, SET).to_string()
}

#[cfg(test)]
#[path = "sign_tests.rs"]
mod tests;
