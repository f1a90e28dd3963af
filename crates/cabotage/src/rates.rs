//! Limits as they are told: so much a second, or none.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use cabotage_core::{Error, ErrorKind, Rates, Result, Throttle};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use toml::Value;

use crate::units::quantity;

/// Bytes a second, written `200MiB/s` or `1Gbit/s`; `none` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth(pub Option<u64>);

/// Requests a second, written as a number; `none` is no limit, not that of the provider's profile either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRate(pub Option<u32>);

/// What is told of one end's limits. What isn't told is what the provider's profile says.
#[derive(Clone, Debug, Default)]
pub struct EndLimits {
    /// How many bytes of bodies a second.
    pub bandwidth: Option<Bandwidth>,
    /// How many requests a second.
    pub requests_per_second: Option<RequestRate>,
    /// Shares the limits of another location, whatever else is told: for what is used together with it.
    pub shared: Option<Throttle>,
    /// So many use the location at once, each with its share of all limits, whoever told them.
    pub divided_by: Option<NonZeroU32>,
}

const NONE: &str = "none";

/// Units of bandwidth, in bytes.
const UNITS: &[(&str, u64)] = &[
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("Gbit", 125_000_000),
    ("Mbit", 125_000),
    ("kbit", 125),
    ("B", 1),
];

impl EndLimits {
    /// What another says goes before these.
    #[must_use]
    pub fn overridden_by(self, other: Self) -> Self {
        Self {
            bandwidth: other.bandwidth.or(self.bandwidth),
            requests_per_second: other.requests_per_second.or(self.requests_per_second),
            shared: other.shared.or(self.shared),
            divided_by: other.divided_by.or(self.divided_by),
        }
    }

    /// Keeps to what is told, else to the profile's rates.
    #[cfg(any(feature = "s3", feature = "azure", feature = "local"))]
    pub(crate) fn throttle(&self, profile: Rates) -> Throttle {
        if let Some(shared) = &self.shared {
            return shared.clone();
        }
        let told =
            self.requests_per_second.map(|RequestRate(requests)| Rates { requests, ..Rates::default() });
        let bytes = self.bandwidth.map_or(profile.bytes, |Bandwidth(bytes)| bytes);
        let rates = Rates { bytes, ..told.unwrap_or(profile) };
        Throttle::new(self.divided_by.map_or(rates, |number| divided(rates, number)))
    }
}

/// Rounded down, so that all shares together are never more. Nothing can be done with less than the least, though.
#[cfg(any(feature = "s3", feature = "azure", feature = "local"))]
fn divided(rates: Rates, number: NonZeroU32) -> Rates {
    let share = |requests: Option<u32>| requests.map(|requests| (requests / number).max(1));
    Rates {
        bytes: rates.bytes.map(|bytes| (bytes / u64::from(number.get())).max(Rates::BYTES_MIN)),
        requests: share(rates.requests),
        reads: share(rates.reads),
        writes: share(rates.writes),
    }
}

impl FromStr for Bandwidth {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == NONE {
            return Ok(Self(None));
        }
        let help = "write for instance 200MiB/s, 1.5MB/s or 100Mbit/s, or none";
        let amount = text.trim_end().strip_suffix("/s").unwrap_or(text);
        let Some(bytes) = quantity(amount, UNITS) else {
            return Err(invalid(format!("'{text}' is no bandwidth")).help(help));
        };
        if bytes < Rates::BYTES_MIN {
            let text = format!("a bandwidth of {text} is too low: servers would close connections");
            return Err(invalid(text).help("give at least 16KiB/s, or none"));
        }
        Ok(Self(Some(bytes)))
    }
}

impl FromStr for RequestRate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let help = "write a whole number of at least 1, or none";
        match text {
            NONE => Ok(Self(None)),
            "0" => Err(invalid("0 requests a second would move nothing".to_owned()).help(help)),
            _ => {
                let digits = text.bytes().all(|b| b.is_ascii_digit());
                let number = text.parse().ok().filter(|_| digits);
                let number = number.ok_or_else(|| {
                    invalid(format!("'{text}' is no number of requests a second")).help(help)
                })?;
                Ok(Self(Some(number)))
            }
        }
    }
}

impl fmt::Display for RequestRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(number) => number.fmt(f),
            None => f.write_str(NONE),
        }
    }
}

impl<'de> Deserialize<'de> for Bandwidth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for RequestRate {
    /// A number, or `"none"`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::Integer(number) => number.to_string(),
            Value::String(text) => text,
            other => other.type_str().to_owned(),
        };
        text.parse().map_err(D::Error::custom)
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidConfig, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bandwidths() {
        for (text, bytes) in [
            ("200MiB/s", Some(200 << 20)),
            ("200MiB", Some(200 << 20)),
            ("1.5 MB/s", Some(1_500_000)),
            ("100Mbit/s", Some(12_500_000)),
            ("1gbit", Some(125_000_000)),
            ("16KiB/s", Some(16 << 10)),
            ("none", None),
        ] {
            assert_eq!(text.parse::<Bandwidth>().unwrap(), Bandwidth(bytes), "{text}");
        }
        for text in [
            "0",
            "0B/s",
            "-1MiB/s",
            "200",
            "200 parsecs",
            "",
            "/s",
            "1B/s",
            "16383B/s",
            "MiB/s",
            "200MiB/h",
            "99999999999GiB/s",
            "None",
            "1e3MiB",
            "NaN",
            "200MiB/s/s",
        ] {
            let error = text.parse::<Bandwidth>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{text}");
            assert!(error.to_string().lines().count() == 1 && error.to_string().contains("none"), "{error}");
        }
    }

    #[test]
    fn request_rates() {
        for (text, rate) in [("1", Some(1)), ("300", Some(300)), ("none", None)] {
            assert_eq!(text.parse::<RequestRate>().unwrap(), RequestRate(rate), "{text}");
            assert_eq!(RequestRate(rate).to_string(), text);
        }
        for text in ["0", "-1", "+1", "1.5", "", "300/s", "4294967296", "many", "300 parsecs"] {
            let error = text.parse::<RequestRate>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{text}");
        }
    }

    #[cfg(any(feature = "s3", feature = "azure", feature = "local"))]
    #[test]
    fn what_is_told_goes_before_the_profile() {
        let profile = Rates { reads: Some(900), writes: Some(300), ..Rates::default() };
        let rates = |bandwidth: Option<&str>, requests: Option<&str>| {
            let limits = EndLimits {
                bandwidth: bandwidth.map(|text| text.parse().unwrap()),
                requests_per_second: requests.map(|text| text.parse().unwrap()),
                ..EndLimits::default()
            };
            limits.throttle(profile).rates().to_string()
        };
        assert_eq!(rates(None, None), "900 reads/s, 300 writes/s");
        assert_eq!(rates(Some("1MiB/s"), None), "1 MiB/s, 900 reads/s, 300 writes/s");
        assert_eq!(rates(Some("1MiB/s"), Some("50")), "1 MiB/s, 50 requests/s");
        assert_eq!(rates(Some("none"), Some("none")), "");
        let third = EndLimits { divided_by: NonZeroU32::new(3), ..EndLimits::default() };
        assert_eq!(third.throttle(profile).rates().to_string(), "300 reads/s, 100 writes/s");
        let told = EndLimits { bandwidth: Some("1MiB/s".parse().unwrap()), ..EndLimits::default() };
        let told = told.overridden_by(third).throttle(profile).rates();
        assert_eq!(told.to_string(), "349525 B/s, 300 reads/s, 100 writes/s");
        let shared = EndLimits { shared: Some(Throttle::new(profile)), ..EndLimits::default() };
        let other = EndLimits { requests_per_second: Some(RequestRate(Some(1))), ..EndLimits::default() };
        assert_eq!(shared.overridden_by(other).throttle(Rates::default()).rates(), profile);
    }
}
