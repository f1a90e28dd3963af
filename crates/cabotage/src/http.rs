//! How requests are sent: the settings, as the HTTP client takes them.

use cabotage_core::{Rates, Result};
use cabotage_http::{Endpoint, HttpConfig};

use crate::settings::HttpSettings;
use crate::{EndLimits, Environment, OpenOptions, TimeSpan, proxy};

/// The settings over the client's defaults, with the rates of the provider's profile. The environment's proxy is taken only where `ambient` is given.
///
/// # Errors
/// `InvalidConfig` for an endpoint that is no URL.
pub(crate) fn config(
    settings: &HttpSettings,
    endpoint: Option<&str>,
    ambient: Option<&Environment>,
    options: &OpenOptions,
    profile: Rates,
) -> Result<HttpConfig> {
    let default = HttpConfig::default();
    let span = |told: Option<TimeSpan>, default| told.map_or(default, |span| span.0);
    let from_environment = match (ambient, endpoint) {
        (Some(environment), Some(endpoint)) => {
            proxy::for_host(environment, Endpoint::parse(endpoint)?.host())
        }
        (Some(environment), None) => proxy::for_host(environment, ""),
        (None, _) => None,
    };
    let limits = EndLimits {
        bandwidth: settings.bandwidth,
        requests_per_second: settings.requests_per_second,
        ..EndLimits::default()
    };
    Ok(HttpConfig {
        throttle: limits.overridden_by(options.limits.clone()).throttle(profile),
        connect_timeout: span(settings.connect_timeout, default.connect_timeout),
        idle_timeout: span(settings.idle_timeout, default.idle_timeout),
        request_timeout: span(settings.request_timeout, default.request_timeout),
        proxy: settings.proxy.clone().or(from_environment),
        ca_file: settings.ca_file.clone(),
        allow_plaintext: options.allow_plaintext || settings.allow_plaintext.unwrap_or(false),
        ..default
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn settings_go_before_defaults_and_the_environment() {
        let environment: Environment =
            [("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", "excepted.eu")].into_iter().collect();
        let told = HttpSettings {
            proxy: Some("http://own:1".into()),
            idle_timeout: Some(TimeSpan(Duration::from_secs(5))),
            ..HttpSettings::default()
        };
        let options = OpenOptions::default();
        let made = |settings: &HttpSettings, endpoint: Option<&str>, ambient: Option<&Environment>| {
            config(settings, endpoint, ambient, &options, Rates::default()).unwrap()
        };
        let own = made(&told, Some("https://h"), Some(&environment));
        assert_eq!((own.proxy.as_deref(), own.idle_timeout), (Some("http://own:1"), Duration::from_secs(5)));
        assert_eq!(own.connect_timeout, HttpConfig::default().connect_timeout);
        let plain = HttpSettings::default();
        assert_eq!(made(&plain, Some("https://h"), Some(&environment)).proxy.as_deref(), Some("http://p:1"));
        assert_eq!(made(&plain, Some("https://a.excepted.eu"), Some(&environment)).proxy, None);
        assert_eq!(made(&plain, Some("https://h"), None).proxy, None, "a named store ignores it");
        assert!(config(&plain, Some("nonsense"), Some(&environment), &options, Rates::default()).is_err());
    }

    #[test]
    fn the_defaults_that_are_shown_are_those_of_the_client() {
        let default = HttpConfig::default();
        let shown = [default.connect_timeout, default.idle_timeout, default.request_timeout].map(TimeSpan);
        assert_eq!(shown.map(|span| span.to_string()), ["10s", "1m", "2m"]);
    }
}
