//! The suite can fail: stores with one planted defect each, and the trials that must notice it.

#![allow(clippy::panic, reason = "a test")]

mod broken;

use std::sync::Arc;

use broken::{Broken, Defect};
use cabotage_conformance::suite;

/// Runs the named trials on a store with that defect; each has to fail.
async fn noticed(defect: Defect, trials: &[&str]) {
    let store = Arc::new(Broken::new(defect));
    for name in trials {
        let trial = suite().into_iter().find(|trial| trial.full_name() == *name);
        let trial = trial.unwrap_or_else(|| panic!("there is no trial {name}"));
        let result = trial.run(Arc::clone(&store) as Arc<dyn cabotage_core::Storage>).await;
        assert!(result.is_err(), "{name} did not notice {defect:?}");
    }
}

#[tokio::test]
async fn names() {
    noticed(Defect::ResolvesDots, &["keys::dots-inside", "keys::root-dots-leaving", "keys::dot-first"]).await;
    noticed(Defect::DecodesPercent, &["keys::percent-slash", "keys::percent-dots", "keys::percent-percent"])
        .await;
    noticed(Defect::CollapsesSlashes, &["keys::slash-double", "keys::the_whole_table"]).await;
    noticed(Defect::TrimsSlashes, &["keys::slash-last", "keys::prefix_neighbours"]).await;
    noticed(Defect::FoldsCase, &["keys::case-upper", "keys::the_whole_table"]).await;
    noticed(Defect::Composes, &["keys::nfd", "keys::hangul-nfd"]).await;
}

#[tokio::test]
async fn listings() {
    noticed(Defect::ListsBackwards, &["listing::order"]).await;
    noticed(Defect::LosesAtPages, &["listing::many_objects"]).await;
    noticed(Defect::RepeatsAfter, &["listing::after", "listing::after_and_until"]).await;
    noticed(Defect::PrefixIsFolder, &["listing::prefix_is_a_key"]).await;
}

#[tokio::test]
async fn reads_and_writes() {
    noticed(Defect::ShortBodies, &["reads::ranges", "reads::large_body"]).await;
    noticed(Defect::ReadsAnyState, &["reads::if_match", "reads::pinned_range_of_a_changed_object"]).await;
    noticed(
        Defect::OverwritesAlways,
        &["writes::create", "writes::create_only_once", "writes::if_match_stale"],
    )
    .await;
    noticed(Defect::TakesWrongDigests, &["writes::wrong_digest"]).await;
    noticed(Defect::StoresHalves, &["writes::body_too_short", "writes::dropped_over_an_object"]).await;
    noticed(Defect::DeletesBelow, &["keys::prefix_neighbours", "deletes::one", "deletes::missing"]).await;
}

#[tokio::test]
async fn attributes() {
    noticed(Defect::DropsTags, &["attributes::everything", "uploads::with_attributes"]).await;
    noticed(Defect::DropsDisposition, &["attributes::everything", "attributes::each_header"]).await;
    noticed(Defect::KeepsOldMetadata, &["attributes::replaced_whole"]).await;
}

#[tokio::test]
async fn nothing_where_nothing_is_wrong() {
    let store: Arc<dyn cabotage_core::Storage> = Arc::new(Broken::new(Defect::None));
    for trial in suite() {
        let result = trial.run(Arc::clone(&store)).await;
        assert!(result.is_ok(), "{}: {result:?}", trial.full_name());
    }
}
