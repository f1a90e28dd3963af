//! The catalogue itself.

use std::sync::OnceLock;

use cabotage_core::{Error, ErrorKind, Result};
use serde::Deserialize;

use crate::Profile;

const TEXT: &str = include_str!("providers.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalogue {
    profile: Vec<Profile>,
}

/// All profiles, in the catalogue's order.
///
/// # Errors
/// `Internal` when the catalogue that is built in can't be read, which the tests rule out.
pub fn all() -> Result<&'static [Profile]> {
    static CATALOGUE: OnceLock<Result<Vec<Profile>, String>> = OnceLock::new();
    let parse = || toml::from_str::<Catalogue>(TEXT).map(|c| c.profile).map_err(|e| e.to_string());
    match CATALOGUE.get_or_init(parse) {
        Ok(profiles) => Ok(profiles),
        Err(reason) => Err(Error::new(
            ErrorKind::Internal,
            format!("the built-in provider catalogue is broken: {reason}"),
        )),
    }
}

/// The profile of that name.
///
/// # Errors
/// `InvalidConfig` for an unknown name, with the nearest valid one.
pub fn find(name: &str) -> Result<&'static Profile> {
    let profiles = all()?;
    if let Some(profile) = profiles.iter().find(|profile| profile.id == name) {
        return Ok(profile);
    }
    let error = Error::new(ErrorKind::InvalidConfig, format!("there is no provider named '{name}'"));
    let names: Vec<&str> = profiles.iter().map(|profile| profile.id.as_str()).collect();
    Err(match nearest(name, &names) {
        Some(near) => error.help(format!("did you mean '{near}'? The names are {}", names.join(", "))),
        None => error.help(format!("the names are {}", names.join(", "))),
    })
}

/// The profile of a server of which nothing is known: careful limits, every guarantee unknown.
///
/// # Errors
/// As [`all`].
pub fn generic() -> Result<&'static Profile> {
    find("generic")
}

/// The name with the fewest edits, if they are at most a third of its length (one at least).
fn nearest<'a>(wanted: &str, names: &[&'a str]) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    let (edits, name) = names.iter().map(|name| (edits(&wanted, name), *name)).min()?;
    (edits <= (name.len() / 3).max(1)).then_some(name)
}

/// Levenshtein's distance in characters.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let swap = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = swap.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use cabotage_core::{Support, TierClass};

    use super::*;
    use crate::{Addressing, EtagForm};

    #[test]
    fn the_catalogue_reads_and_makes_sense() {
        let profiles = all().unwrap();
        let ids: BTreeSet<_> = profiles.iter().map(|p| &p.id).collect();
        assert_eq!(ids.len(), profiles.len(), "names are unique");
        for profile in profiles {
            let limits = profile.limits;
            let id = &profile.id;
            assert!(limits.part_min <= limits.part_max, "{id}");
            assert!(limits.single_put_max <= limits.object_max, "{id}");
            let by_parts = limits.part_max.saturating_mul(u64::from(limits.parts_max));
            assert!(limits.object_max <= by_parts, "{id}: an object of that size has too many parts");
            assert!(!profile.facts.is_empty(), "{id} has no evidence");
            let cited = profile.facts.iter().any(|fact| fact.about.split(", ").any(|about| about == "rates"));
            assert_eq!(cited, !profile.rates.is_none(), "{id}: rates have a source");
            assert_eq!(profile.rates.bytes, None, "{id}");
            for fact in &profile.facts {
                assert!(fact.as_of.starts_with("20") && fact.as_of.len() >= 7, "{id}: {}", fact.as_of);
                assert!(!fact.source.is_empty(), "{id}");
            }
            assert_eq!(profile.tier_class("STANDARD"), TierClass::Default, "{id}");
        }
    }

    #[test]
    fn what_the_planner_relies_on() {
        let scaleway = find("scaleway").unwrap();
        assert_eq!(scaleway.limits.parts_max, 1000);
        assert_eq!(scaleway.endpoint_for(Some("fr-par")).as_deref(), Some("https://s3.fr-par.scw.cloud"));
        assert_eq!(scaleway.endpoint_for(None), None);
        assert_eq!(find("outscale").unwrap().limits.upload_seconds, Some(180));
        assert_eq!(find("outscale").unwrap().delete_many, 0);
        assert_eq!(find("ovhcloud").unwrap().conditions.if_match_etag_form, EtagForm::Bare);
        let ceph = find("ceph").unwrap();
        assert_eq!(ceph.conditions.complete, Support::Ignored);
        assert_eq!(ceph.conditions.copy_source, Support::Ignored);
        assert_eq!(ceph.upload_tags, Support::Ignored);
        assert_eq!(ceph.addressing, Addressing::Path);
        assert_eq!(ceph.metadata_rules().kept_name("Owner_Id").as_deref(), Some("owner-id"));
    }

    #[test]
    fn nothing_is_assumed_of_an_unknown_server() {
        let generic = generic().unwrap();
        assert_eq!(generic.conditions, crate::Conditions::default());
        assert_eq!(generic.integrity.signed_sha256, Support::Unknown);
        assert_eq!(generic.endpoint, None);
    }

    #[test]
    fn unknown_names_get_the_nearest() {
        for (wrong, near) in [("scalway", "scaleway"), ("OVHcloud", "ovhcloud"), ("mino", "minio")] {
            let error = find(wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(error.to_string().contains(&format!("did you mean '{near}'")), "{error}");
        }
        assert!(!find("something-else").unwrap_err().to_string().contains("did you mean"));
    }
}
