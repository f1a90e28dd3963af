//! Which proxy the environment names for a host.

use crate::Environment;
use crate::ambient::{NO_PROXY, PROXY};

/// The proxy for that host; none where the environment names none or excepts the host. This machine is always
/// reached without one.
pub(crate) fn for_host(environment: &Environment, host: &str) -> Option<String> {
    let (_, proxy) = environment.first(PROXY)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let this_machine =
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let excepted =
        environment.first(NO_PROXY).is_some_and(|(_, list)| list.split(',').any(|one| excepts(one, host)));
    (!this_machine && !excepted).then(|| proxy.to_owned())
}

/// `*`, a host, or a domain with its subdomains, with or without a dot before it; a port in it doesn't count.
fn excepts(entry: &str, host: &str) -> bool {
    let entry = entry.trim().trim_start_matches('.').to_ascii_lowercase();
    let entry = match entry.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => {
            name.to_owned()
        }
        _ => entry,
    };
    let host = host.to_ascii_lowercase();
    match entry.as_str() {
        "" => false,
        "*" => true,
        entry => host == entry || host.strip_suffix(entry).is_some_and(|before| before.ends_with('.')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        for (exceptions, host, through) in [
            ("", "s3.fr-par.scw.cloud", true),
            ("scw.cloud", "s3.fr-par.scw.cloud", false),
            (".scw.cloud", "s3.fr-par.scw.cloud", false),
            ("cw.cloud", "s3.fr-par.scw.cloud", true),
            ("other, S3.fr-par.scw.cloud:443", "s3.fr-par.scw.cloud", false),
            ("*", "s3.fr-par.scw.cloud", false),
            ("", "127.0.0.1", false),
            ("", "[::1]", false),
            ("10.0.0.1", "10.0.0.1", false),
            (",", "10.0.0.1", true),
        ] {
            let environment: Environment =
                [("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", exceptions)].into_iter().collect();
            assert_eq!(for_host(&environment, host).is_some(), through, "{exceptions} {host}");
        }
        assert!(for_host(&Environment::default(), "host").is_none());
    }
}
