//! Requests to test servers that owe nothing to the adapters under test: plain HTTP/1.1 on loopback, one connection
//! each.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::signing;

/// A reply, whole.
#[derive(Debug)]
pub struct RawReply {
    /// The status.
    pub status: u16,
    /// Headers by lower-case name; of a repeated one the last.
    pub headers: BTreeMap<String, String>,
    /// The body, with its chunks put together.
    pub body: Vec<u8>,
}

impl RawReply {
    /// The body as text, for assertions.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The reply, if it has that status.
    ///
    /// # Panics
    /// When it has another.
    #[must_use]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// The texts of all elements of that name, unescaped as far as tests need it.
    #[must_use]
    pub fn elements(&self, name: &str) -> Vec<String> {
        let text = self.text();
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let found = text.split(&open).skip(1).filter_map(|rest| rest.split(&close).next());
        found.map(|value| value.replace("&quot;", "\"").replace("&amp;", "&")).collect()
    }
}

/// Percent-encodes all but unreserved characters and the slash, as both clouds want paths.
#[must_use]
pub fn encode(text: &str) -> String {
    encode_but(text, b"-._~/")
}

/// Percent-encodes all but unreserved characters.
pub(crate) fn encode_value(text: &str) -> String {
    encode_but(text, b"-._~")
}

fn encode_but(text: &str, kept: &[u8]) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// `http://host:port/base` as host and base path.
fn split(endpoint: &str) -> (&str, &str) {
    let rest = endpoint.strip_prefix("http://").expect("test servers speak plain HTTP on loopback");
    let rest = rest.trim_end_matches('/');
    rest.find('/').map_or((rest, ""), |at| rest.split_at(at))
}

fn send(
    host: &str,
    method: &str,
    target: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> std::io::Result<RawReply> {
    let mut connection = TcpStream::connect(host)?;
    connection.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    head.push_str(&format!("content-length: {}\r\n", body.len()));
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    connection.write_all(format!("{head}\r\n").as_bytes())?;
    connection.write_all(body)?;
    let mut reply = Vec::new();
    connection.read_to_end(&mut reply)?;
    Ok(parse(&reply))
}

/// Sends a request to a URL exactly as it is, without a signature of ours.
///
/// # Errors
/// When the server can't be reached.
pub fn send_to_url(
    method: &str,
    url: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> std::io::Result<RawReply> {
    let (host, target) = split(url);
    send(host, method, target, headers, body)
}

fn parse(reply: &[u8]) -> RawReply {
    let end = reply.windows(4).position(|w| w == b"\r\n\r\n").expect("a reply has a head");
    let head = String::from_utf8_lossy(&reply[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let body = &reply[end + 4..];
    let chunked = headers.get("transfer-encoding").is_some_and(|value| value.contains("chunked"));
    let body = if chunked { unchunk(body) } else { body.to_vec() };
    RawReply { status: status.expect("a reply has a status"), headers, body }
}

fn unchunk(mut body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(end) = body.windows(2).position(|w| w == b"\r\n") {
        let size = String::from_utf8_lossy(&body[..end]);
        let size = usize::from_str_radix(size.split(';').next().unwrap_or("").trim(), 16).unwrap_or(0);
        if size == 0 {
            break;
        }
        out.extend_from_slice(&body[end + 2..end + 2 + size]);
        body = &body[end + 4 + size..];
    }
    out
}

/// An S3 server, path style.
#[derive(Clone, Debug)]
pub struct RawS3 {
    /// `http://127.0.0.1:port`.
    pub endpoint: String,
    /// The key's id.
    pub access_key: String,
    /// The key.
    pub secret_key: String,
    /// Whatever region it is signed for.
    pub region: String,
}

impl RawS3 {
    /// Sends a signed request. `path` is not encoded and begins with `/`; `query` pairs are not encoded.
    ///
    /// # Panics
    /// When the server can't be reached.
    #[must_use]
    pub fn request(&self, method: &str, path: &str, query: &[(&str, &str)], body: &[u8]) -> RawReply {
        self.request_with(method, path, query, &[], body)
    }

    /// The same with `x-amz-*` headers, whose names are in lower case.
    ///
    /// # Panics
    /// When the server can't be reached.
    #[must_use]
    pub fn request_with(
        &self,
        method: &str,
        path: &str,
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> RawReply {
        let (host, base) = split(&self.endpoint);
        let path = format!("{base}{}", encode(path));
        let mut pairs: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{}={}", encode_but(name, b"-._~"), encode_but(value, b"-._~")))
            .collect();
        pairs.sort();
        let query = pairs.join("&");
        let keys = (self.access_key.as_str(), self.secret_key.as_str());
        let headers = signing::aws(keys, &self.region, (method, host, &path, &query), headers, body);
        let target = if query.is_empty() { path } else { format!("{path}?{query}") };
        send(host, method, &target, &headers, body).expect("the S3 server answers")
    }

    /// Makes a bucket.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn create_bucket(&self, bucket: &str) {
        let _ = self.request("PUT", &format!("/{bucket}"), &[], b"").expect(200);
    }

    /// Writes an object.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn put(&self, bucket: &str, key: &str, body: &[u8]) {
        let _ = self.request("PUT", &format!("/{bucket}/{key}"), &[], body).expect(200);
    }

    /// Reads an object, or `None` where there is none, or can't be one of that name (400).
    #[must_use]
    pub fn get(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        let reply = self.request("GET", &format!("/{bucket}/{key}"), &[], b"");
        (![400, 404].contains(&reply.status)).then(|| reply.expect(200).body)
    }

    /// How many uploads are open in the bucket.
    #[must_use]
    pub fn open_uploads(&self, bucket: &str) -> usize {
        let reply = self.request("GET", &format!("/{bucket}"), &[("uploads", "")], b"").expect(200);
        reply.elements("UploadId").len()
    }

    /// Keys of at most one page, as the server tells them, percent-encoded.
    #[must_use]
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let query = [("list-type", "2"), ("encoding-type", "url")];
        self.request("GET", &format!("/{bucket}"), &query, b"").expect(200).elements("Key")
    }

    /// Makes the bucket keep versions.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn keep_versions(&self, bucket: &str) {
        let body = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        let _ = self.request("PUT", &format!("/{bucket}"), &[("versioning", "")], body).expect(200);
    }

    /// Deletes every version and delete marker of the bucket, and the bucket.
    pub fn remove_versioned_bucket(&self, bucket: &str) {
        for _ in 0..100 {
            let query = [("versions", ""), ("encoding-type", "url")];
            let page = self.request("GET", &format!("/{bucket}"), &query, b"").expect(200);
            let (keys, ids) = (page.elements("Key"), page.elements("VersionId"));
            if keys.is_empty() {
                break;
            }
            for (key, id) in keys.iter().zip(&ids) {
                let path = format!("/{bucket}/{}", decode(key));
                let _ = self.request("DELETE", &path, &[("versionId", id)], b"");
            }
        }
        self.remove_bucket(bucket);
    }

    /// The same keys as they are, in the order of their bytes.
    #[must_use]
    pub fn names(&self, bucket: &str) -> Vec<String> {
        let mut names: Vec<_> = self.keys(bucket).iter().map(|key| decode(key)).collect();
        names.sort_unstable();
        names
    }

    /// Deletes every object and upload of the bucket, and the bucket.
    pub fn remove_bucket(&self, bucket: &str) {
        for _ in 0..100 {
            let keys = self.keys(bucket);
            if keys.is_empty() {
                break;
            }
            for key in keys {
                let key = decode(&key);
                let _ = self.request("DELETE", &format!("/{bucket}/{key}"), &[], b"");
            }
        }
        let _ = self.request("DELETE", &format!("/{bucket}"), &[], b"");
    }
}

fn decode(text: &str) -> String {
    let mut out = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let value = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(value.unwrap_or(if bytes[at] == b'+' { b' ' } else { bytes[at] }));
        at += if value.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// An Azure Blob server with the account in the path, as Azurite has it.
#[derive(Clone, Debug)]
pub struct RawAzure {
    /// `http://127.0.0.1:port/account`.
    pub endpoint: String,
    /// The account.
    pub account: String,
    /// Its key, base64.
    pub key: String,
}

impl RawAzure {
    /// Sends a signed request. `path` begins with `/` and is not encoded; headers are `x-ms-*` or `content-type`.
    ///
    /// # Panics
    /// When the server can't be reached.
    #[must_use]
    pub fn request(
        &self,
        method: &str,
        path: &str,
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> RawReply {
        let (host, base) = split(&self.endpoint);
        let path = format!("{base}{}", encode(path));
        let own: Vec<(String, String)> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let keys = (self.account.as_str(), self.key.as_str());
        let headers = signing::azure(keys, (method, &path, query), &own, body.len());
        let pairs: Vec<String> =
            query.iter().map(|(name, value)| format!("{name}={}", encode_but(value, b"-._~"))).collect();
        let target = if pairs.is_empty() { path } else { format!("{path}?{}", pairs.join("&")) };
        send(host, method, &target, &headers, body).expect("the Azure server answers")
    }

    /// A shared access signature for the whole account that expires then, in whole seconds.
    #[must_use]
    pub fn sas(&self, expiry: jiff::Timestamp) -> String {
        signing::azure_sas((&self.account, &self.key), expiry)
    }

    /// Makes a container.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn create_container(&self, container: &str) {
        let query = [("restype", "container")];
        let _ = self.request("PUT", &format!("/{container}"), &query, &[], b"").expect(201);
    }

    /// Removes a container with all that is in it.
    pub fn remove_container(&self, container: &str) {
        let _ = self.request("DELETE", &format!("/{container}"), &[("restype", "container")], &[], b"");
    }

    /// Writes a block blob, with more headers (`x-ms-meta-…`).
    ///
    /// # Panics
    /// When the server refuses.
    pub fn put(&self, container: &str, key: &str, headers: &[(&str, &str)], body: &[u8]) {
        let mut all = vec![("x-ms-blob-type", "BlockBlob")];
        all.extend_from_slice(headers);
        let _ = self.request("PUT", &format!("/{container}/{key}"), &[], &all, body).expect(201);
    }

    /// Reads a blob, or `None` where there is none.
    #[must_use]
    pub fn get(&self, container: &str, key: &str) -> Option<Vec<u8>> {
        let reply = self.request("GET", &format!("/{container}/{key}"), &[], &[], b"");
        (reply.status != 404).then(|| reply.expect(200).body)
    }
}
