//! An adapter of less than 150 lines of code, and the whole suite on it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod shelf;

use std::collections::BTreeMap;
use std::sync::Arc;

use cabotage_conformance::Outcome;
use shelf::Shelf;

/// What the adapter doesn't claim, by groups and trials of the suite. All else has to pass.
const NOT_CLAIMED: [&str; 12] = [
    "uploads::",
    "tier::",
    "versions::",
    "copy_within::",
    "set_attributes::",
    "presign::",
    "cancellation::starts_of_uploads",
    "cancellation::parts",
    "cancellation::completions",
    "cancellation::new_attributes",
    "attributes::unholdable_is_refused",
    "writes::too_large_is_refused",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_suite_is_green_for_what_it_claims() {
    let store = Arc::new(Shelf::new("suite"));
    let mut passed: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for trial in cabotage_conformance::suite() {
        let name = trial.full_name();
        match trial.run(Arc::clone(&store) as _).await {
            Ok(Outcome::Passed) => *passed.entry(trial.group).or_default() += 1,
            Ok(Outcome::Skipped(_)) if NOT_CLAIMED.iter().any(|what| name.starts_with(what)) => {}
            Ok(Outcome::Skipped(reason)) => wrong.push(format!("{name} is skipped: {reason}")),
            Err(failure) => wrong.push(format!("{name}: {failure}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for group in ["keys", "listing", "reads", "writes", "deletes", "attributes", "concurrency", "errors"] {
        assert!(passed.get(group).is_some_and(|count| *count > 1), "{group}: {passed:?}");
    }
}

#[test]
fn it_has_less_than_150_lines_of_code() {
    let code = include_str!("shelf.rs").lines().map(str::trim);
    let count = code.filter(|line| !line.is_empty() && !line.starts_with("//")).count();
    assert!(count < 150, "{count} lines of code");
}
