//! Where metrics are served.

use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

use cabotage_core::{Error, ErrorKind, Result};

/// An address to serve metrics at: `127.0.0.1:9090`, `[::1]:9090`, `localhost:0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricsAddress(pub SocketAddr);

impl MetricsAddress {
    /// Refuses an address that other machines reach, unless they may.
    ///
    /// # Errors
    /// `InvalidConfig`.
    pub fn check(self, remote_allowed: bool) -> Result<Self> {
        if self.0.ip().to_canonical().is_loopback() || remote_allowed {
            return Ok(self);
        }
        let text = format!("--metrics {} would serve metrics to other machines, to whoever asks", self.0);
        Err(Error::new(ErrorKind::InvalidConfig, text)
            .help("use 127.0.0.1 or [::1], or allow it with --metrics-allow-remote"))
    }
}

impl FromStr for MetricsAddress {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let local = |port: &str| Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse::<u16>().ok()?)));
        let address = match text.strip_prefix("localhost:") {
            Some(port) => local(port),
            None => text.parse().ok(),
        };
        address.map(Self).ok_or_else(|| {
            let text = format!("'{text}' is no address with a port");
            Error::new(ErrorKind::InvalidConfig, text)
                .help("write 127.0.0.1:9090, [::1]:9090 or localhost:9090; port 0 takes one that is free")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, address) in [
            ("127.0.0.1:9090", Some("127.0.0.1:9090")),
            ("localhost:0", Some("127.0.0.1:0")),
            ("[::1]:80", Some("[::1]:80")),
            ("0.0.0.0:9090", Some("0.0.0.0:9090")),
            ("9090", None),
            (":9090", None),
            ("localhost", None),
            ("localhost:70000", None),
            ("127.0.0.1", None),
            ("example.org:9090", None),
            ("", None),
        ] {
            let parsed = text.parse::<MetricsAddress>().ok();
            assert_eq!(parsed.map(|parsed| parsed.0.to_string()).as_deref(), address, "{text}");
        }
    }

    #[test]
    fn others_are_served_only_where_they_may_be() {
        for (text, alone) in [
            ("127.0.0.1:0", true),
            ("127.9.9.9:0", true),
            ("[::1]:0", true),
            ("[::ffff:127.0.0.1]:0", true),
            ("0.0.0.0:0", false),
            ("[::]:0", false),
            ("192.0.2.1:0", false),
        ] {
            let address: MetricsAddress = text.parse().unwrap();
            assert_eq!(address.check(false).is_ok(), alone, "{text}");
            assert!(address.check(true).is_ok(), "{text}");
        }
    }
}
