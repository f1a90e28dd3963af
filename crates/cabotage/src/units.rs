//! Sizes and times as text with units.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use cabotage_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Deserializer};

/// A size in bytes, written with a unit: `64MiB`, `1.5 GB`, `512B`; powers of 1,024 with an `i`, of 1,000 without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// A span of time, written with a unit: `500ms`, `10s`, `5m`, `6h`, `2d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeSpan(pub Duration);

/// Units of sizes, the shown ones from large to small.
const SIZES: &[(&str, u64)] = &[
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// Units of time in milliseconds, from large to small.
const SPANS: &[(&str, u64)] = &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl FromStr for ByteSize {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        quantity(text, SIZES).map(Self).ok_or_else(|| {
            Error::new(ErrorKind::InvalidConfig, format!("'{text}' is no size"))
                .help("write a number with a unit: 512B, 64KiB, 256MiB, 5GiB, 1TiB, 10MB")
        })
    }
}

impl FromStr for TimeSpan {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let millis = quantity(text, SPANS).ok_or_else(|| {
            Error::new(ErrorKind::InvalidConfig, format!("'{text}' is no time"))
                .help("write a number with a unit: 500ms, 10s, 5m, 6h, 2d")
        })?;
        Ok(Self(Duration::from_millis(millis)))
    }
}

/// A decimal number and a unit; blanks between them; letter case of the unit counts only where it tells units apart.
pub(crate) fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_')?;
    let (number, unit) = (text[..split].replace('_', ""), text[split..].trim_start());
    let factor = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?.1;
    let (whole, part) = number.split_once('.').unwrap_or((&number, ""));
    let whole = whole.parse::<u64>().ok()?.checked_mul(factor)?;
    if part.is_empty() {
        return (!number.ends_with('.')).then_some(whole);
    }
    let scale = 10_u128.checked_pow(u32::try_from(part.len()).ok()?)?;
    let part = u128::from(part.parse::<u64>().ok()?) * u128::from(factor);
    (part % scale == 0).then(|| u64::try_from(part / scale).ok())?.and_then(|part| whole.checked_add(part))
}

impl fmt::Display for ByteSize {
    /// Exact: the largest unit that divides it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        exact(f, self.0, SIZES)
    }
}

impl fmt::Display for TimeSpan {
    /// Exact to the millisecond: the largest unit that divides it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        exact(f, u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX), SPANS)
    }
}

fn exact(f: &mut fmt::Formatter<'_>, value: u64, units: &[(&str, u64)]) -> fmt::Result {
    let fits = |(_, factor): &&(&str, u64)| value != 0 && value.is_multiple_of(*factor);
    let smallest = units.last().copied().unwrap_or(("", 1));
    let (unit, factor) = units.iter().find(fits).copied().unwrap_or(smallest);
    write!(f, "{}{unit}", value / factor)
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for TimeSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0B", 0),
            ("64MiB", 64 << 20),
            ("64 mib", 64 << 20),
            ("1.5GiB", 3 << 29),
            ("10MB", 10_000_000),
            ("1_000kB", 1_000_000),
            ("16TiB", 16 << 40),
        ] {
            assert_eq!(text.parse::<ByteSize>().unwrap().0, bytes, "{text}");
        }
        for text in
            ["", "64", "MiB", "-1MiB", "1..5MiB", "1.MiB", "1.3B", "99999999999TiB", "64MiBs", "6 4MiB"]
        {
            let error = text.parse::<ByteSize>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{text}");
            assert!(error.to_string().contains("256MiB"), "{error}");
        }
    }

    #[test]
    fn spans() {
        for (text, millis) in
            [("500ms", 500), ("10s", 10_000), ("1.5m", 90_000), ("6h", 21_600_000), ("2d", 172_800_000)]
        {
            assert_eq!(text.parse::<TimeSpan>().unwrap().0, Duration::from_millis(millis), "{text}");
        }
        assert!("10".parse::<TimeSpan>().is_err());
        assert!("10min".parse::<TimeSpan>().unwrap_err().to_string().contains("5m"));
    }

    #[test]
    fn shown_exactly() {
        for (bytes, text) in
            [(0, "0B"), (64 << 20, "64MiB"), (3 << 29, "1536MiB"), (10_000_000, "10MB"), (1001, "1001B")]
        {
            assert_eq!(ByteSize(bytes).to_string(), text);
            assert_eq!(text.parse::<ByteSize>().unwrap(), ByteSize(bytes));
        }
        assert_eq!(TimeSpan(Duration::from_secs(90)).to_string(), "90s");
        assert_eq!(TimeSpan(Duration::from_secs(120)).to_string(), "2m");
    }
}
