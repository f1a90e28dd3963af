//! What a request is about.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// All but RFC 3986's unreserved characters and the slash.
const KEY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Bucket, key and query of a request.
#[derive(Debug)]
pub(super) struct Target {
    pub bucket: String,
    pub key: String,
    query: Vec<(String, String)>,
}

impl Target {
    pub fn of(uri: &hyper::Uri) -> Self {
        let path = uri.path().trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let query = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self { bucket: decode(bucket), key: decode(key), query: query.collect() }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Whether it asks for a setting of the bucket.
    pub fn has_configuration(&self) -> bool {
        ["location", "versioning", "object-lock", "versions"].iter().any(|name| self.has(name))
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// A key as a listing with `encoding-type=url` has it.
pub(super) fn encode(key: &str) -> String {
    utf8_percent_encode(key, KEY).to_string()
}
