//! Which keys a table may have, and which one was probably meant.

use std::fmt;

use cabotage_core::{Error, ErrorKind, Result};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use toml::Table;

/// The names of a struct's fields as `serde` knows them, so that they are written down once.
pub(crate) fn of<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    match T::deserialize(Names) {
        Err(Captured(names)) => names,
        Ok(_) => &[],
    }
}

/// Refuses keys that are not among the names, with the nearest one. `path` is where the table stands.
pub(crate) fn check(table: &Table, path: &str, names: &[&[&'static str]]) -> Result<()> {
    let known: Vec<&str> = names.concat();
    match table.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            let message = format!("{path} has no key '{key}'");
            Err(Error::new(ErrorKind::InvalidConfig, message).help(suggestion(key, &known)))
        }
    }
}

/// `did you mean 'x'?`, or the whole list when nothing is near.
pub(crate) fn suggestion(word: &str, known: &[&str]) -> String {
    let nearest = known.iter().map(|name| (distance(word, name), *name)).min();
    match nearest {
        Some((far, name)) if far <= 1 + name.len() / 3 => format!("did you mean '{name}'?"),
        _ => format!("the names are {}", known.join(", ")),
    }
}

/// Levenshtein's distance, over characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

/// A deserializer that only looks at the field names asked for.
struct Names;

#[derive(Debug)]
struct Captured(&'static [&'static str]);

impl fmt::Display for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl std::error::Error for Captured {}

impl de::Error for Captured {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(&[])
    }
}

impl<'de> Deserializer<'de> for Names {
    type Error = Captured;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> std::result::Result<V::Value, Captured> {
        Err(Captured(fields))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> std::result::Result<V::Value, Captured> {
        Err(Captured(&[]))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    #[allow(dead_code, reason = "only the names are asked for")]
    struct Sample {
        endpoint: Option<String>,
        #[serde(rename = "region-name")]
        region: String,
    }

    #[test]
    fn names_are_those_of_serde() {
        assert_eq!(of::<Sample>(), ["endpoint", "region-name"]);
    }

    #[test]
    fn the_nearest_name_is_told() {
        let table: Table = toml::from_str("endpont = 1").unwrap();
        let error = check(&table, "stores.x", &[of::<Sample>()]).unwrap_err().to_string();
        assert_eq!(error, "stores.x has no key 'endpont'; did you mean 'endpoint'?");
        let table: Table = toml::from_str("\"\\u001b[31m\" = 1").unwrap();
        let error = check(&table, "stores.x", &[of::<Sample>()]).unwrap_err().to_string();
        assert_eq!(error, "stores.x has no key '\\u{1b}[31m'; the names are endpoint, region-name");
    }

    #[test]
    fn distances() {
        for (a, b, far) in
            [("", "", 0), ("abc", "abc", 0), ("abc", "abd", 1), ("abc", "", 3), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(a, b), far);
        }
    }
}
