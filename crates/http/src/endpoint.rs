//! Where requests go.

use std::fmt;
use std::net::IpAddr;

use cabotage_core::{Error, ErrorKind, Operation, Result};
use http::Uri;

use crate::redact_url;

/// One server: scheme, authority and base path. Holds no secret, so it may be shown.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    secure: bool,
    host: String,
    port: Option<u16>,
    authority: String,
    base: String,
}

impl Endpoint {
    /// Reads `https://host[:port][/base]` (or `http://…`).
    ///
    /// The host becomes lower-case, a port that is the scheme's own is dropped (the `Host` header that is signed and
    /// the one that is sent must agree), and so is a slash at the end of the base path. The base path goes out as
    /// it is written here: percent-encode it where needed.
    ///
    /// # Errors
    /// `InvalidConfig` for another scheme, a missing host, a user name or password, a query or a fragment.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::new(ErrorKind::InvalidConfig, format!("the endpoint {} {why}", redact_url(text)))
                .during(Operation::Open)
                .help("write it as https://host, https://host:port or https://host:port/path")
        };
        if text.contains(['#', '?']) {
            return Err(wrong("has a query or a fragment"));
        }
        let uri: Uri = text.trim().parse().map_err(|_| wrong("is no valid URL"))?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) => return Err(wrong("is neither https:// nor http://")),
            None => return Err(wrong("lacks https:// or http://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("holds a user name or password"));
        }
        let bare = authority.as_str() == authority.host();
        if authority.host().is_empty() || (authority.port_u16().is_none() && !bare) {
            return Err(wrong("has no host or a wrong port"));
        }
        let port = authority.port_u16().filter(|port| *port != default_port(secure));
        let base = uri.path().trim_end_matches('/').to_owned();
        Ok(Self::build(secure, authority.host().to_ascii_lowercase(), port, base))
    }

    fn build(secure: bool, host: String, port: Option<u16>, base: String) -> Self {
        let authority = match port {
            Some(port) => format!("{host}:{port}"),
            None => host.clone(),
        };
        Self { secure, host, port, authority, base }
    }

    /// The endpoint with the bucket before the host (`bucket.host`): the virtual-host style of S3.
    ///
    /// # Errors
    /// `InvalidConfig` when the host is an address, or the bucket is no host name (`a-z`, `0-9`, `-`, `.`).
    pub fn with_host_prefix(&self, bucket: &str) -> Result<Self> {
        let wrong = |why: String| {
            Error::new(ErrorKind::InvalidConfig, why)
                .during(Operation::Open)
                .about(bucket)
                .help("use path-style addressing")
        };
        if self.address().is_some() {
            return Err(wrong(format!("a bucket can't be put before the address {}", self.host)));
        }
        let label = |label: &str| {
            let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
            let bytes = label.as_bytes();
            edge(bytes.first())
                && edge(bytes.last())
                && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
        };
        if !bucket.split('.').all(label) {
            return Err(wrong("the bucket's name can't be part of a host name".to_owned()));
        }
        Ok(Self::build(self.secure, format!("{bucket}.{}", self.host), self.port, self.base.clone()))
    }

    /// `https` or `http`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        if self.secure { "https" } else { "http" }
    }

    /// `host` or `host:port`, as it stands in the `Host` header.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The host alone: lower-case, an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, told or the scheme's own.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or_else(|| default_port(self.secure))
    }

    /// What comes before every path: empty, or `/…` without a slash at its end.
    #[must_use]
    pub fn base_path(&self) -> &str {
        &self.base
    }

    /// Whether the host is this machine: `127.0.0.0/8`, `::1` or `localhost`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.address().is_some_and(|address| address.is_loopback())
    }

    /// The host as an address, unless it is a name.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }
}

fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme(), self.authority, self.base)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
