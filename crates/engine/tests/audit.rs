//! Comparing both ends: every kind of tampering is found and named, and nothing is written.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::time::Duration;

use cabotage_core::{Attributes, Detail, ErrorKind, LossName, MetadataNames, Operation, Storage as _, Tags};
use cabotage_engine::{
    AttributeCheck, AttributeProof, AuditOptions, DestinationContent, Ending, FindingKind, Proof,
    SourceContent,
};
use cabotage_layers::{Calls, Effect, Faults, KeyMatch, Rule};
use common::auditing::{
    READ, attributes, audit, by_listing, by_reading, delete, key, moved, moved_by, named, options,
};
use common::{Bench, put, put_with};

#[tokio::test]
async fn what_was_moved_is_proven_and_says_how() {
    let bench = moved().await;
    for (source, destination, proof, read) in [
        (SourceContent::Ledger, DestinationContent::Listing, Proof::LedgerListing, 0),
        (SourceContent::Ledger, READ, Proof::LedgerRead, 60),
        (SourceContent::Read, DestinationContent::Listing, Proof::ReadListing, 60),
        (SourceContent::Read, READ, Proof::ReadRead, 120),
    ] {
        let options =
            AuditOptions { source_content: source, destination_content: destination, ..options(&bench) };
        let report = audit(&bench, options).await;
        assert_eq!(
            (report.ending, report.objects.proven, report.bytes_read),
            (Ending::Complete, 5, read),
            "{report}"
        );
        assert_eq!((report.proven_by(proof), report.proofs[&proof].bytes), (5, 60), "{report}");
        assert_eq!(report.attribute_proofs[&AttributeProof::Listings].objects, 5, "{report}");
        assert!(report.to_string().contains(proof.text()), "{report}");
        let blind = report.limits.iter().any(|limit| limit.contains("rot"));
        assert_eq!(blind, proof != Proof::ReadRead, "{report}");
    }
}

#[tokio::test]
async fn a_flipped_bit_is_found_by_reading_and_a_rewrite_by_the_listing() {
    let bench = moved().await;
    put(&bench.destination, "b", "c0ntent of b").await;
    named(&by_listing(&bench).await, FindingKind::EtagChanged, "b");
    named(&by_reading(&bench).await, FindingKind::ContentDiffers, "b");
}

#[tokio::test]
async fn a_bit_that_rots_under_an_unchanged_etag_is_found_by_reading_alone_and_the_listing_says_so() {
    let mut bench = Bench::new();
    let rot = Rule::new(Operation::Write, Effect::StoreFlipped(2)).keys(KeyMatch::Exactly("b".into()));
    bench.destination_faults = Some(Faults::new([rot]));
    let bench = moved_by(bench).await;
    let report = by_listing(&bench).await;
    assert_eq!(report.ending, Ending::Complete, "{report}");
    assert!(report.to_string().contains("rot at the destination under an unchanged ETag"), "{report}");
    named(&by_reading(&bench).await, FindingKind::ContentDiffers, "b");
}

#[tokio::test]
async fn a_truncated_object_is_found() {
    let bench = moved().await;
    put(&bench.destination, "c", "content").await;
    named(&by_listing(&bench).await, FindingKind::SizeDiffers, "c");
    named(&by_reading(&bench).await, FindingKind::SizeDiffers, "c");
}

#[tokio::test]
async fn a_missing_object_is_found() {
    let bench = moved().await;
    delete(&bench.destination, "d").await;
    let report = by_listing(&bench).await;
    named(&report, FindingKind::Missing, "d");
    assert!(report.findings[&FindingKind::Missing].examples[0].contains("the ledger says"), "{report}");
    put(&bench.source, "f", "never moved").await;
    let report = by_listing(&bench).await;
    assert_eq!(report.found(FindingKind::Missing), 2, "{report}");
    assert!(report.findings[&FindingKind::Missing].examples[1].contains("never moved"), "{report}");
}

#[tokio::test]
async fn an_object_that_the_listing_hides_and_a_head_shows_is_not_called_missing() {
    let mut bench = moved().await;
    let hides = Rule::new(Operation::List, Effect::TruncateBody(4));
    bench.destination_faults = Some(Faults::new([hides]));
    named(&by_listing(&bench).await, FindingKind::NotProven, "e");
}

#[tokio::test]
async fn an_extra_object_is_found_ours_and_foreign_unless_allowed() {
    let bench = moved().await;
    put(&bench.destination, "foreign", "x").await;
    named(&by_listing(&bench).await, FindingKind::Extra, "foreign");
    delete(&bench.source, "a").await;
    let report = by_listing(&bench).await;
    assert_eq!((report.objects.extra_ours, report.objects.extra_foreign), (1, 1), "{report}");
    assert_eq!((report.ending, report.objects.listed), (Ending::Mismatch, 4), "{report}");
    let allowed = audit(&bench, AuditOptions { allow_extra: true, ..options(&bench) }).await;
    assert_eq!((allowed.ending, allowed.found(FindingKind::Extra)), (Ending::Complete, 2), "{allowed}");
    delete(&bench.destination, "a").await;
    delete(&bench.destination, "foreign").await;
    let report = by_listing(&bench).await;
    assert_eq!((report.ending, report.gone), (Ending::Complete, 1), "{report}");
}

#[tokio::test]
async fn exchanged_objects_are_found_and_named_as_a_pair() {
    let bench = moved().await;
    put(&bench.destination, "a", "content of b").await;
    put(&bench.destination, "b", "content of a").await;
    put(&bench.destination, "c", "c0ntent of c").await;
    let report = by_reading(&bench).await;
    assert_eq!((report.found(FindingKind::ContentDiffers), report.swapped.count), (3, 1), "{report}");
    let pair = &report.swapped.examples[0];
    assert!(pair.contains('a') && pair.contains('b') && pair.contains("each other"), "{pair}");
    assert_eq!(report.ending, Ending::Mismatch);
    assert_eq!(by_listing(&bench).await.found(FindingKind::EtagChanged), 3);
}

#[tokio::test]
async fn a_changed_attribute_is_found() {
    type Change = fn(&mut Attributes);
    let changed: [(&str, Change); 7] = [
        ("not as the destination told them after the write", |a| {
            a.headers.cache_control = Some("no-store".into());
        }),
        ("the value of owner", |a| a.metadata = [("owner".into(), "y".into())].into()),
        ("owner did not come back", |a| a.metadata.clear()),
        ("metadata added is at the destination alone", |a| {
            a.metadata.insert("added".into(), "1".into());
        }),
        ("tag project came back changed", |a| a.tags = Some([("project".into(), "y".into())].into())),
        ("tag project did not come back", |a| a.tags = Some(Tags::new())),
        ("tag added is at the destination alone", |a| {
            a.tags.as_mut().unwrap().insert("added".into(), "1".into());
        }),
    ];
    for (text, change) in changed {
        for heads in [false, true] {
            let bench = moved_by(Bench::with(|c| c.list_attributes = !heads)).await;
            let mut now = attributes("x");
            change(&mut now);
            bench.destination.set_attributes(&key("e"), &now, None).await.unwrap();
            let report = by_reading(&bench).await;
            named(&report, FindingKind::AttributeDiffers, "e");
            assert!(report.to_string().contains(text), "{text}: {report}");
            let proof = if heads { AttributeProof::Heads } else { AttributeProof::Listings };
            assert_eq!(report.attribute_proofs[&proof].objects, 5, "{report}");
        }
    }
}

#[tokio::test]
async fn attributes_by_listings_alone_say_what_was_not_compared() {
    let bench = moved_by(Bench::with(|c| c.list_attributes = false)).await;
    let only_listings = AuditOptions { attributes: AttributeCheck::Listing, ..options(&bench) };
    let report = audit(&bench, only_listings).await;
    assert_eq!(report.attribute_proofs[&AttributeProof::None].objects, 5, "{report}");
    assert!(report.limits.iter().any(|limit| limit.contains("attributes")), "{report}");
    let bench = moved_by(Bench::with(|c| c.list_tags = false)).await;
    let report = audit(&bench, AuditOptions { attributes: AttributeCheck::Listing, ..options(&bench) }).await;
    assert_eq!(report.attribute_proofs[&AttributeProof::WithoutTags].objects, 5, "{report}");
    assert_eq!(report.ending, Ending::Complete, "{report}");
}

#[tokio::test]
async fn a_loss_that_was_accepted_is_counted_and_no_difference() {
    let bench = Bench::with(|c| c.metadata.names = MetadataNames::LowerCase);
    let cased = |name: &str| Attributes {
        metadata: [(name.to_owned(), "1".to_owned())].into(),
        ..Attributes::default()
    };
    put_with(&bench.source, "k", "content", cased("Owner")).await;
    bench.run().await;
    let report = by_listing(&bench).await;
    assert_eq!(
        (report.ending, report.losses[&LossName::MetadataNameCase]),
        (Ending::Complete, 1),
        "{report}"
    );
}

#[tokio::test]
async fn a_loss_that_nobody_accepted_is_a_difference() {
    let bench = Bench::with(|c| c.headers.clear());
    let mut typed = Attributes::default();
    typed.headers.content_type = Some("text/csv".into());
    put_with(&bench.source, "k", "content", typed).await;
    put(&bench.destination, "k", "content").await;
    let both =
        || AuditOptions { source_content: SourceContent::Read, destination_content: READ, ..options(&bench) };
    named(&audit(&bench, both()).await, FindingKind::AttributeDiffers, "k");
    let accepted = AuditOptions { accept_losses: [LossName::HeaderDropped].into(), ..both() };
    let report = audit(&bench, accepted).await;
    assert_eq!((report.ending, report.losses[&LossName::HeaderDropped]), (Ending::Complete, 1), "{report}");
}

#[tokio::test]
async fn what_changed_at_the_source_is_named_and_no_difference() {
    let bench = moved().await;
    put(&bench.source, "a", "c0ntent of a").await;
    named(&by_listing(&bench).await, FindingKind::SourceChanged, "a");
    named(&by_reading(&bench).await, FindingKind::SourceChanged, "a");
    let read = AuditOptions { source_content: SourceContent::Read, ..options(&bench) };
    named(&audit(&bench, read).await, FindingKind::SourceChanged, "a");
}

#[tokio::test]
async fn attributes_that_changed_at_the_source_are_named_and_no_difference() {
    let bench = moved().await;
    let info = bench.source.head(&key("e"), Detail::WithTags).await.unwrap();
    // As tags on Azure: neither ETag nor time changes.
    bench.source.retag(&key("e"), [("project".into(), "y".into())].into());
    assert_eq!(bench.source.head(&key("e"), Detail::Basic).await.unwrap().etag, info.etag);
    let report = by_listing(&bench).await;
    named(&report, FindingKind::SourceChanged, "e");
    assert_eq!(report.proven_by(Proof::LedgerListing), 5, "the content is the same: {report}");
}

#[tokio::test]
async fn a_source_that_moves_on_meanwhile_is_no_difference() {
    let mut bench = moved().await;
    let slow = Rule::new(Operation::Read, Effect::Delay(Duration::from_millis(100)));
    bench.destination_faults = Some(Faults::new([slow.keys(KeyMatch::Exactly("b".into()))]));
    put(&bench.destination, "b", "new content").await;
    let faults = bench.destination_faults.clone().unwrap();
    let changing = async {
        while !faults.log().contains(&(Operation::Read, "b".to_owned())) {
            tokio::task::yield_now().await;
        }
        put(&bench.source, "b", "new content").await;
    };
    let (report, ()) = tokio::join!(by_reading(&bench), changing);
    named(&report, FindingKind::SourceChanged, "b");
}

#[tokio::test]
async fn what_cannot_be_read_is_not_proven_and_a_lost_connection_is_tried_again() {
    let mut bench = moved().await;
    let on = |key: &str, calls, kind| {
        Rule::new(Operation::Read, Effect::Fail(kind)).keys(KeyMatch::Exactly(key.into())).calls(calls)
    };
    let denied = on("a", Calls::Every, ErrorKind::PermissionDenied);
    let lost = on("b", Calls::OfKey(1), ErrorKind::Interrupted);
    bench.destination_faults = Some(Faults::new([denied, lost]));
    let report = by_reading(&bench).await;
    named(&report, FindingKind::NotProven, "a");
    assert_eq!(report.objects.proven, 4, "{report}");
    bench.destination_faults = Some(Faults::new([on("c", Calls::Every, ErrorKind::Unauthenticated)]));
    let report = by_reading(&bench).await;
    assert_eq!(report.ending, Ending::Stopped, "{report}");
    assert!(report.stopped.is_some());
}

#[tokio::test]
async fn a_listing_that_breaks_off_stops_it_with_what_was_compared() {
    let mut bench = moved().await;
    bench.source_faults = Some(Faults::new([Rule::new(Operation::List, Effect::CutBody(3))]));
    let report = by_listing(&bench).await;
    assert_eq!((report.ending, report.listing_complete), (Ending::Stopped, false), "{report}");
    assert!(report.objects.proven > 0, "{report}");
}

#[tokio::test]
async fn objects_that_the_ledger_does_not_know_need_reading() {
    let bench = Bench::new();
    for (name, there) in [("same", "content"), ("other", "CONTENT"), ("short", "con")] {
        put(&bench.source, name, "content").await;
        put(&bench.destination, name, there).await;
    }
    let report = by_listing(&bench).await;
    assert_eq!((report.found(FindingKind::NotProven), report.proven_by(Proof::Size)), (2, 2), "{report}");
    assert_eq!(report.found(FindingKind::SizeDiffers), 1, "{report}");
    let both =
        AuditOptions { source_content: SourceContent::Read, destination_content: READ, ..options(&bench) };
    let report = audit(&bench, both).await;
    assert_eq!((report.objects.proven, report.found(FindingKind::ContentDiffers)), (1, 1), "{report}");
}
