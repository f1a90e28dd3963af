//! How requests are sent.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use cabotage_core::Throttle;

use crate::redact_url;

/// How requests are sent. There is no switch that skips the check of certificates, and no proxy is taken from the
/// environment: who opens a store says so here.
#[derive(Clone)]
pub struct HttpConfig {
    /// Longest time until a connection stands: name, TCP, proxy and TLS together.
    pub connect_timeout: Duration,
    /// Longest time in which no byte moves, of a request's body or of a reply's.
    pub idle_timeout: Duration,
    /// Longest time from the end of the request to the head of the reply.
    pub request_timeout: Duration,
    /// `http://[user:password@]host:port` of an HTTP proxy; plain `host:port` too.
    pub proxy: Option<String>,
    /// PEM file of certificates that are trusted beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// Allows `http://` to hosts other than this machine.
    pub allow_plaintext: bool,
    /// How requests are tried again.
    pub retry: RetryPolicy,
    /// How many requests and bytes of bodies a second, both ways. All clients with the same one share it.
    pub throttle: Throttle,
    /// The `User-Agent` header.
    pub user_agent: String,
}

impl Default for HttpConfig {
    /// 10 s to connect, 60 s without a byte, 120 s to the reply; no proxy, the system's certificates, no plaintext.
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            request_timeout: Duration::from_secs(120),
            proxy: None,
            ca_file: None,
            allow_plaintext: false,
            retry: RetryPolicy::default(),
            throttle: Throttle::default(),
            user_agent: concat!("cabotage/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

impl fmt::Debug for HttpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpConfig")
            .field("connect_timeout", &self.connect_timeout)
            .field("idle_timeout", &self.idle_timeout)
            .field("request_timeout", &self.request_timeout)
            .field("proxy", &self.proxy.as_deref().map(redact_url))
            .field("ca_file", &self.ca_file)
            .field("allow_plaintext", &self.allow_plaintext)
            .field("retry", &self.retry)
            .field("rates", &self.throttle.rates())
            .field("user_agent", &self.user_agent)
            .finish()
    }
}

/// How a request is tried again: full jitter, so the wait before attempt `n + 1` is random between nothing and
/// `min(cap, base * 2^n)`; never shorter than the server's `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often a request is sent at most, the first time included; 1 means never again.
    pub attempts: u32,
    /// The longest wait before the second attempt.
    pub base: Duration,
    /// The longest wait of all.
    pub cap: Duration,
}

impl Default for RetryPolicy {
    /// 6 attempts, 200 ms to 20 s.
    fn default() -> Self {
        Self { attempts: 6, base: Duration::from_millis(200), cap: Duration::from_secs(20) }
    }
}
