//! Shared Key: the string that is signed, and the header that carries the signature.
//!
//! `reqsign-azure-storage` sorts headers by bytes and leaves the colon out after an empty query value. The service
//! sorts as .NET does for en-US, and Azurite as ICU does: the underscore before digits. With the names `a1` and `a_b`
//! in one object's metadata, sorting by bytes is answered with 403 (measured on Azurite 3.37). So the string is made
//! here, from the request as it goes out.

use cabotage_core::{Error, ErrorKind, Result, Secret, Timestamp};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderName, HeaderValue};
use http::request::Parts;
use jiff::fmt::rfc2822;
use percent_encoding::percent_decode_str;
use reqsign_core::hash::{base64_decode, base64_hmac_sha256};

pub(crate) const DATE: HeaderName = HeaderName::from_static("x-ms-date");

/// The standard headers that are signed, in their order, after the method (REST reference, "Authorize with Shared Key").
const SIGNED: [&str; 11] = [
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
];

/// An HTTP date (RFC 9110 §5.6.7).
///
/// # Errors
/// `Internal` for a year that has no four digits.
pub(crate) fn http_date(time: Timestamp) -> Result<HeaderValue> {
    let wrong = |_| Error::new(ErrorKind::Internal, "a time that no HTTP date can tell");
    let text = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&time).map_err(wrong)?;
    HeaderValue::from_str(&text)
        .map_err(|_| Error::new(ErrorKind::Internal, "a date that no header can carry"))
}

/// Sets `x-ms-date` and the signature.
///
/// # Errors
/// `InvalidConfig` for a key that is no Base64.
pub(crate) fn shared_key(parts: &mut Parts, account: &str, key: &Secret, now: Timestamp) -> Result<()> {
    parts.headers.insert(DATE, http_date(now)?);
    let key = base64_decode(key.reveal())
        .map_err(|_| Error::new(ErrorKind::InvalidConfig, "the account key is not Base64"))?;
    let signature = base64_hmac_sha256(&key, string_to_sign(parts, account).as_bytes());
    let mut value = HeaderValue::from_str(&format!("SharedKey {account}:{signature}"))
        .map_err(|_| Error::new(ErrorKind::InvalidConfig, "the account's name can't be sent in a header"))?;
    value.set_sensitive(true);
    parts.headers.insert(AUTHORIZATION, value);
    Ok(())
}

fn string_to_sign(parts: &Parts, account: &str) -> String {
    let mut out = format!("{}\n", parts.method);
    for name in SIGNED {
        let value = parts.headers.get(name).map(text).unwrap_or_default();
        // An empty body's length is signed as nothing since version 2015-02-21.
        if name != CONTENT_LENGTH.as_str() || value != "0" {
            out.push_str(&value);
        }
        out.push('\n');
    }
    vendor_headers(parts, &mut out);
    out.push('/');
    out.push_str(account);
    out.push_str(parts.uri.path());
    query(parts.uri.query().unwrap_or_default(), &mut out);
    out
}

/// Values as they are: inner blanks are not collapsed (the .NET and JavaScript libraries don't either, and Azurite
/// answers 403 to a collapsed value).
fn vendor_headers(parts: &Parts, out: &mut String) {
    let mut headers: Vec<_> =
        parts.headers.iter().filter(|(name, _)| name.as_str().starts_with("x-ms-")).collect();
    headers.sort_by_key(|(name, _)| sort_key(name.as_str()));
    for (name, value) in headers {
        out.push_str(name.as_str());
        out.push(':');
        out.push_str(text(value).trim_start());
        out.push('\n');
    }
}

/// Hyphen, underscore, digits, letters: the order in which the characters that can stand in a metadata name are sorted
/// by the service and by Azurite.
fn sort_key(name: &str) -> Vec<u8> {
    let weight = |b: u8| match b {
        b'-' => 0,
        b'_' => 1,
        other => other,
    };
    name.bytes().map(weight).collect()
}

fn query(query: &str, out: &mut String) {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name).to_lowercase(), decoded(value)))
        .collect();
    pairs.sort();
    for (name, value) in pairs {
        out.push_str(&format!("\n{name}:{value}"));
    }
}

/// A header's value as text; bytes beyond ASCII as the Latin-1 that an HTTP/1.1 server takes them for.
fn text(value: &HeaderValue) -> String {
    value.as_bytes().iter().map(|b| char::from(*b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(uri: &str, headers: &[(&'static str, &str)]) -> Parts {
        let mut request = http::Request::put(uri).body(()).unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
        }
        request.into_parts().0
    }

    #[test]
    fn the_string() {
        let parts = parts(
            "http://127.0.0.1:1/acc/c/a//b/../%2F?restype=container&comp=list&prefix=a%20b&marker=",
            &[
                ("content-length", "0"),
                ("if-none-match", "*"),
                ("x-ms-meta-ab", "9"),
                ("x-ms-meta-a_b", "2"),
                ("x-ms-meta-a1", "a  b"),
                ("x-ms-meta-a", ""),
                ("x-ms-date", "now"),
                ("user-agent", "x"),
            ],
        );
        let expected = "PUT\n\n\n\n\n\n\n\n\n*\n\n\nx-ms-date:now\nx-ms-meta-a:\nx-ms-meta-a_b:2\nx-ms-meta-a1:a  b\n\
                        x-ms-meta-ab:9\n/acc/acc/c/a//b/../%2F\ncomp:list\nmarker:\nprefix:a b\nrestype:container";
        assert_eq!(string_to_sign(&parts, "acc"), expected);
    }

    #[test]
    fn length_is_signed_unless_zero() {
        let parts = parts("http://h/c/k", &[("content-length", "7"), ("range", "bytes=0-1")]);
        assert_eq!(string_to_sign(&parts, "acc"), "PUT\n\n\n7\n\n\n\n\n\n\n\nbytes=0-1\n/acc/c/k");
    }

    #[test]
    fn the_signature_is_marked_and_depends_on_the_key() {
        let mut first = parts("http://h/c/k", &[]);
        let mut second = first.clone();
        let now = Timestamp::from_second(0).unwrap();
        shared_key(&mut first, "acc", &Secret::new("a2V5"), now).unwrap();
        shared_key(&mut second, "acc", &Secret::new("b3RoZXI="), now).unwrap();
        assert_eq!(first.headers[DATE], "Thu, 01 Jan 1970 00:00:00 GMT");
        assert!(first.headers[AUTHORIZATION].is_sensitive());
        assert_ne!(first.headers[AUTHORIZATION], second.headers[AUTHORIZATION]);
    }
}
