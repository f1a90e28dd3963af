//! Known deviations of servers, by name, version and trial, each with its reason.
//!
//! A deviation that isn't listed here fails; one that is listed and passes is reported, so that the list stays true.

/// Store, beginning of its version, trial (`*` at the end: all that begin so), reason.
const LISTED: &[(&str, &str, &str, &str)] = &[
    (
        "azurite",
        "3.",
        "uploads::aborted_is_forgotten",
        "Blob Storage can't delete blocks that are not committed; they are invisible and expire after a week",
    ),
    (
        "rgw",
        "16.",
        "writes::wrong_digest_of_an_empty_body",
        "an empty body's x-amz-content-sha256 isn't compared; there is no byte that could be wrong",
    ),
    (
        "rgw-versioned",
        "16.",
        "writes::wrong_digest_of_an_empty_body",
        "an empty body's x-amz-content-sha256 isn't compared; there is no byte that could be wrong",
    ),
    (
        "rgw-versioned",
        "16.",
        "writes::create*",
        "where a bucket keeps versions, If-None-Match isn't looked at; a run asks, and looks before each write",
    ),
    (
        "rgw-versioned",
        "16.",
        "writes::if_match_current",
        "where a bucket keeps versions, every If-Match is refused; a run asks, and looks before each write",
    ),
];

/// Why that trial is expected to fail there.
pub(crate) fn deviation(store: &str, version: &str, trial: &str) -> Option<&'static str> {
    let hit = |(s, v, t, _): &&(&str, &str, &str, &str)| {
        let named = t.strip_suffix('*').map_or(*t == trial, |begin| trial.starts_with(begin));
        *s == store && version.starts_with(v) && named
    };
    LISTED.iter().find(hit).map(|(_, _, _, reason)| *reason)
}
