//! Later passes: what is new, changed in content or in attributes alone, unchanged, gone.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use cabotage_core::{
    Attributes, Detail, ErrorKind, Key, MetadataNames, Operation, Storage as _, Support, Timestamp,
    WriteOptions,
};
use cabotage_engine::{Amount, Ending, Options, Overwrite, Report, Verify};
use cabotage_layers::{Calls, Effect, Faults, Rule};
use cabotage_memory::MemoryStore;
use common::{Bench, get, put, put_with};

fn tagged(value: &str) -> Attributes {
    Attributes {
        metadata: [("owner".to_owned(), value.to_owned())].into(),
        tags: Some([("t".to_owned(), value.to_owned())].into()),
        ..Attributes::default()
    }
}

/// A source whose attribute edits keep ETag and time, as Azure's Set Blob Tags does: the object is written anew in a
/// second bucket whose counters are the same.
struct Tagger {
    bench: Bench,
    names: Vec<String>,
}

impl Tagger {
    async fn new(objects: usize, list_told: bool) -> Self {
        let mut bench = Bench::new();
        let names = (0..objects).map(|i| format!("k{i:03}")).collect();
        bench.source = Self::source(&names, |_| tagged("1"), list_told).await;
        Self { bench, names }
    }

    async fn source(
        names: &Vec<String>,
        attributes: impl Fn(&str) -> Attributes,
        list_told: bool,
    ) -> MemoryStore {
        let store = MemoryStore::new("source");
        let mut rules = store.capabilities().clone();
        rules.keeps_modified = true;
        (rules.list_tags, rules.list_attributes) = (list_told, list_told);
        let store = store.with_capabilities(rules);
        for name in names {
            let options = WriteOptions {
                attributes: attributes(name),
                modified: Some(Timestamp::from_second(1_000_000_000).unwrap()),
                ..WriteOptions::default()
            };
            let body = cabotage_core::Payload::from_bytes(format!("content of {name}"));
            store.write(&Key::new(name.as_str()).unwrap(), body, options).await.unwrap();
        }
        store
    }

    /// Tags of that object are edited.
    async fn edit(&mut self, edited: &str) {
        let told = self.bench.source.capabilities().list_tags;
        let attributes = |name: &str| if name == edited { tagged("2") } else { tagged("1") };
        self.bench.source = Self::source(&self.names, attributes, told).await;
    }
}

async fn attributes(store: &MemoryStore, key: &str) -> Attributes {
    store.head(&Key::new(key).unwrap(), Detail::WithTags).await.unwrap().attributes.unwrap()
}

fn counts(report: &Report) -> [u64; 5] {
    let pass = &report.pass;
    [pass.new, pass.changed, pass.attributes, pass.unchanged, pass.gone].map(|amount| amount.objects)
}

#[tokio::test]
async fn a_pass_tells_what_is_new_changed_and_gone() {
    let bench = Bench::new();
    for key in ["a", "b", "c"] {
        put(&bench.source, key, "one").await;
    }
    let first = bench.run().await;
    assert_eq!(counts(&first), [3, 0, 0, 0, 0], "{first}");
    assert!(!first.to_string().contains("compared with the ledger"), "{first}");
    put(&bench.source, "a", "longer").await;
    put(&bench.source, "d", "four").await;
    bench.source.delete(&Key::new("b").unwrap(), Default::default()).await.unwrap();
    let second = bench.run().await;
    assert_eq!(counts(&second), [1, 1, 0, 1, 1], "{second}");
    assert_eq!(second.pass.changed, Amount { objects: 1, bytes: 6 });
    assert_eq!(second.pass.gone, Amount { objects: 1, bytes: 3 });
    assert!(second.to_string().contains("--delete"), "{second}");
    assert_eq!(get(&bench.destination, "b").await.unwrap(), b"one", "nothing is deleted unasked");
}

#[tokio::test]
async fn a_tag_edit_moves_no_bytes_and_asks_nothing_of_the_source() {
    let mut tagger = Tagger::new(200, true).await;
    tagger.bench.run().await;
    tagger.edit("k042").await;
    let faults = Faults::new([]);
    tagger.bench.source_faults = Some(faults.clone());
    let report = tagger.bench.run().await;
    assert_eq!(counts(&report), [0, 0, 1, 199, 0], "{report}");
    assert_eq!(
        (report.objects.verified, report.objects.skipped, report.objects_copied),
        (1, 199, 0),
        "{report}"
    );
    assert_eq!(report.ending, Ending::Complete, "{report}");
    assert_eq!(attributes(&tagger.bench.destination, "k042").await, tagged("2"));
    assert_eq!(faults.calls(Operation::Read), 0, "bytes were read");
    // The one head asks for the probe object, whether both sides are the same bucket.
    assert_eq!(faults.calls(Operation::Head), 1, "an object was asked for: {:?}", faults.log());
    let again = tagger.bench.run().await;
    assert_eq!(counts(&again), [0, 0, 0, 200, 0], "{again}");
    assert_eq!(again.objects.skipped, 200, "no conflict with what this job has set: {again}");
}

#[tokio::test]
async fn attributes_that_are_not_listed_are_looked_at_on_demand() {
    let mut tagger = Tagger::new(20, false).await;
    tagger.bench.run().await;
    tagger.edit("k007").await;
    let blind = tagger.bench.run().await;
    assert_eq!(counts(&blind), [0, 0, 0, 20, 0], "{blind}");
    let check = Options { check_attributes: true, ..tagger.bench.options() };
    let faults = Faults::new([]);
    tagger.bench.source_faults = Some(faults.clone());
    let dry = tagger.bench.run_with(Options { dry_run: true, ..check.clone() }).await;
    assert_eq!((dry.objects.planned, dry.bytes_planned), (1, 0), "{dry}");
    let report = tagger.bench.run_with(check).await;
    assert_eq!(counts(&report), [0, 0, 1, 19, 0], "{report}");
    assert_eq!((report.objects.verified, report.objects.skipped), (1, 19), "{report}");
    assert_eq!(faults.calls(Operation::Read), 0);
    assert_eq!(attributes(&tagger.bench.destination, "k007").await, tagged("2"));
}

#[tokio::test]
async fn a_destination_that_cannot_set_attributes_gets_a_copy() {
    let mut tagger = Tagger::new(3, true).await;
    let mut rules = tagger.bench.destination.capabilities().clone();
    rules.set_attributes = false;
    tagger.bench.destination = tagger.bench.destination.clone().with_capabilities(rules);
    tagger.bench.run().await;
    tagger.edit("k001").await;
    let report = tagger.bench.run().await;
    assert_eq!((counts(&report), report.objects_copied), ([0, 0, 1, 2, 0], 1), "{report}");
    assert_eq!(attributes(&tagger.bench.destination, "k001").await, tagged("2"));
}

#[tokio::test]
async fn overwrite_never_leaves_attributes_alone() {
    let mut tagger = Tagger::new(3, true).await;
    tagger.bench.run().await;
    tagger.edit("k001").await;
    let never = Options { overwrite: Overwrite::Never, ..tagger.bench.options() };
    let report = tagger.bench.run_with(never).await;
    assert_eq!((report.objects.conflicts, report.ending), (1, Ending::Incomplete), "{report}");
    assert_eq!(attributes(&tagger.bench.destination, "k001").await, tagged("1"));
}

/// It was set, and the run died before its row was written.
#[tokio::test]
async fn a_run_that_dies_between_set_and_row_ends_in_no_conflict() {
    let mut tagger = Tagger::new(3, true).await;
    tagger.bench.run().await;
    tagger.edit("k001").await;
    // The write is done, its reply never comes, and nobody is there to look again.
    let lost =
        Rule::new(Operation::SetAttributes, Effect::FailAfter(ErrorKind::Internal)).calls(Calls::Every);
    tagger.bench.destination_faults = Some(Faults::new([lost]));
    let died = tagger.bench.run().await;
    assert_eq!(died.ending, Ending::Stopped, "{died}");
    assert_eq!(attributes(&tagger.bench.destination, "k001").await, tagged("2"));
    tagger.bench.destination_faults = None;
    let report = tagger.bench.run().await;
    assert_eq!((report.objects.conflicts, report.ending), (0, Ending::Complete), "{report}");
    assert_eq!(report.objects_copied, 0, "{report}");
}

/// It was set, the run died, and the source's attributes went back: the destination's may not stay.
#[tokio::test]
async fn an_edit_that_is_taken_back_after_a_crash_is_taken_back_too() {
    let mut tagger = Tagger::new(3, true).await;
    tagger.bench.run().await;
    tagger.edit("k001").await;
    let lost = Rule::new(Operation::SetAttributes, Effect::FailAfter(ErrorKind::Internal));
    tagger.bench.destination_faults = Some(Faults::new([lost]));
    tagger.bench.run().await;
    tagger.edit("none").await;
    tagger.bench.destination_faults = None;
    let report = tagger.bench.run().await;
    assert_eq!((report.objects.conflicts, report.ending), (0, Ending::Complete), "{report}");
    assert_eq!(attributes(&tagger.bench.destination, "k001").await, tagged("1"));
}

#[tokio::test]
async fn a_lost_reply_is_recognised_in_the_same_run() {
    let mut tagger = Tagger::new(3, true).await;
    tagger.bench.run().await;
    tagger.edit("k001").await;
    let lost =
        Rule::new(Operation::SetAttributes, Effect::FailAfter(ErrorKind::Timeout)).calls(Calls::OfKey(1));
    let faults = Faults::new([lost]);
    tagger.bench.destination_faults = Some(faults.clone());
    let report = tagger.bench.run().await;
    assert_eq!(faults.played(), 1);
    assert_eq!((report.objects.verified, report.objects.conflicts), (1, 0), "{report}");
}

#[tokio::test]
async fn losses_of_new_attributes_are_refused_like_any() {
    let mut tagger = Tagger::new(3, true).await;
    let mut rules = tagger.bench.destination.capabilities().clone();
    rules.tags.value_max = 1;
    rules.metadata.names = MetadataNames::Kept;
    tagger.bench.destination = tagger.bench.destination.clone().with_capabilities(rules);
    tagger.bench.run().await;
    let names = tagger.names.clone();
    let long = |name: &str| if name == "k001" { tagged("too long") } else { tagged("1") };
    tagger.bench.source = Tagger::source(&names, long, true).await;
    let report = tagger.bench.run().await;
    assert_eq!((report.objects.refused, report.objects.skipped), (1, 2), "{report}");
    assert_eq!(attributes(&tagger.bench.destination, "k001").await, tagged("1"));
}

#[tokio::test]
async fn what_was_read_back_is_read_back_again_under_a_new_etag() {
    let mut tagger = Tagger::new(3, true).await;
    let mut rules = tagger.bench.destination.capabilities().clone();
    rules.digest = Support::Ignored;
    tagger.bench.destination = tagger.bench.destination.clone().with_capabilities(rules);
    let read_back = Options { verify: Verify::ReadBack, ..tagger.bench.options() };
    tagger.bench.run_with(read_back.clone()).await;
    tagger.edit("k001").await;
    let plain = tagger.bench.run().await;
    assert_eq!(
        (plain.objects.stored_unread, plain.objects.skipped),
        (1, 2),
        "no proof under that ETag: {plain}"
    );
    let proven = tagger.bench.run_with(read_back).await;
    assert_eq!(
        (proven.objects.verified, proven.objects_copied, proven.ending),
        (1, 0, Ending::Complete),
        "{proven}"
    );
}

#[tokio::test]
async fn content_that_changed_too_is_copied() {
    let bench = Bench::new();
    put_with(&bench.source, "k", "one", tagged("1")).await;
    bench.run().await;
    put_with(&bench.source, "k", "two", tagged("2")).await;
    let report = bench.run().await;
    assert_eq!((counts(&report), report.objects_copied), ([0, 1, 0, 0, 0], 1), "{report}");
    assert_eq!(get(&bench.destination, "k").await.unwrap(), b"two");
}
