//! How many requests an object costs, and that none is saved where it would have told something.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use cabotage_core::{Attributes, Capabilities, LossName, Operation, Storage as _};
use cabotage_engine::{Ending, Options, Report, Verify};
use cabotage_layers::{Calls, Effect, Faults, KeyMatch, Rule};
use common::{Bench, assert_equal, put, put_with};

const OBJECTS: u64 = 300;

/// Two stores whose listings tell no attributes, as those of S3; reads tell all.
fn like_s3(change: impl FnOnce(&mut Capabilities)) -> Bench {
    let mut bench = Bench::with(|c| {
        c.list_attributes = false;
        change(c);
    });
    let at_source = Capabilities { list_attributes: false, ..bench.source.capabilities().clone() };
    bench.source = bench.source.with_capabilities(at_source);
    (bench.source_faults, bench.destination_faults) = (Some(Faults::new(vec![])), Some(Faults::new(vec![])));
    bench
}

async fn fill(bench: &Bench, attributes: impl Fn(u64) -> Attributes) {
    for number in 0..OBJECTS {
        put_with(&bench.source, &format!("k{number:04}"), &format!("content {number}"), attributes(number))
            .await;
    }
}

fn metadata(name: &str, value: &str) -> Attributes {
    Attributes { metadata: [(name.to_owned(), value.to_owned())].into(), ..Attributes::default() }
}

fn all_proven(report: &Report) {
    assert_eq!((report.ending, report.objects.verified), (Ending::Complete, OBJECTS), "{report}");
    assert_eq!(report.levels.server_checked, OBJECTS, "{report}");
}

fn calls(faults: Option<&Faults>, operation: Operation) -> u64 {
    faults.unwrap().calls(operation)
}

#[tokio::test]
async fn a_small_object_costs_one_read_and_one_write() {
    let bench = like_s3(|_| {});
    fill(&bench, |number| metadata("owner", &number.to_string())).await;
    all_proven(&bench.run().await);
    let (source, destination) = (bench.source_faults.as_ref(), bench.destination_faults.as_ref());
    assert_eq!(calls(source, Operation::Read), OBJECTS);
    // The heads are those of the probe object, and of the first of their shape.
    assert!(calls(source, Operation::Head) < 5, "{}", calls(source, Operation::Head));
    assert!(calls(destination, Operation::Head) < 40, "{}", calls(destination, Operation::Head));
    assert!(calls(destination, Operation::List) < 20, "{}", calls(destination, Operation::List));
    assert_equal(&bench).await;
    let again = bench.run().await;
    assert_eq!((again.objects_copied, again.objects.skipped), (0, OBJECTS), "{again}");
}

#[tokio::test]
async fn what_changes_on_its_way_is_looked_at_each_time_and_named_exactly() {
    let bench = like_s3(|c| c.metadata.names = cabotage_core::MetadataNames::LowerCase);
    fill(&bench, |number| metadata(if number % 3 == 0 { "Owner" } else { "owner" }, "x")).await;
    let options = Options { accept_losses: [LossName::MetadataNameCase].into(), ..bench.options() };
    let report = bench.run_with(options).await;
    all_proven(&report);
    assert_eq!(report.losses[&LossName::MetadataNameCase].accepted, OBJECTS / 3, "{report}");
}

#[tokio::test]
async fn a_write_that_was_not_kept_is_found_though_its_shape_is_proven() {
    let mut bench = like_s3(|_| {});
    fill(&bench, |_| Attributes::default()).await;
    let lie = |key: &str, effect| {
        Rule::new(Operation::Write, effect).keys(KeyMatch::Exactly(key.into())).calls(Calls::OfKey(1))
    };
    let faults = Faults::new(vec![lie("k0200", Effect::LieStored)]);
    bench.destination_faults = Some(faults.clone());
    let report = bench.run().await;
    assert_eq!(faults.played(), 1);
    assert_eq!((report.ending, report.objects.verified), (Ending::Mismatch, OBJECTS - 1), "{report}");
}

#[tokio::test]
async fn where_listings_are_no_requests_each_is_looked_at() {
    let bench = like_s3(|c| c.list_page = None);
    fill(&bench, |_| Attributes::default()).await;
    all_proven(&bench.run().await);
    assert!(calls(bench.destination_faults.as_ref(), Operation::Head) >= OBJECTS);
}

#[tokio::test]
async fn what_is_read_back_is_not_confirmed_by_a_listing() {
    let bench = like_s3(|_| {});
    fill(&bench, |_| Attributes::default()).await;
    let report = bench.run_with(Options { verify: Verify::ReadBack, ..bench.options() }).await;
    assert_eq!(report.levels.read_back, OBJECTS, "{report}");
    assert!(calls(bench.destination_faults.as_ref(), Operation::Read) >= OBJECTS);
}

#[tokio::test]
async fn a_source_whose_reads_tell_no_tags_is_asked_for_them() {
    let mut bench = like_s3(|_| {});
    let no_tags = Capabilities { list_tags: false, ..bench.source.capabilities().clone() };
    bench.source = bench.source.with_capabilities(no_tags);
    let tagged =
        Attributes { tags: Some([("t".to_owned(), "1".to_owned())].into()), ..Attributes::default() };
    fill(&bench, |_| tagged.clone()).await;
    put(&bench.source, "zz", "untagged").await;
    let report = bench.run().await;
    assert_eq!((report.ending, report.objects.verified), (Ending::Complete, OBJECTS + 1), "{report}");
    assert_equal(&bench).await;
}

#[tokio::test]
async fn a_listing_of_few_pages_is_asked_for_as_ever() {
    let bench = like_s3(|_| {});
    fill(&bench, |_| Attributes::default()).await;
    all_proven(&bench.run().await);
    let before = calls(bench.source_faults.as_ref(), Operation::List);
    let again = bench.run().await;
    assert_eq!((again.objects_copied, again.objects.skipped), (0, OBJECTS), "{again}");
    assert_eq!(calls(bench.source_faults.as_ref(), Operation::List) - before, 1);
}
