//! What a destination can't hold is kept in sidecars, and comes back.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::Arc;

use cabotage_core::{
    Attributes, Capabilities, Detail, ErrorKind, Key, LossName, MetadataNames, ObjectInfo, Operation,
    Payload, Storage, StorageExt as _, TierClass, Timestamp, WriteOptions,
};
use cabotage_engine::{Adopt, Ending, Options, PartsDigest, Report, Side, Sidecars};
use cabotage_layers::{Calls, Effect, Fault, Faults, KeyMatch, Rule};
use cabotage_memory::MemoryStore;
use common::{Bench, get, keys, put, put_with};

/// Out to a store that holds little, and back to one that holds all.
struct Trip {
    out: Bench,
    sidecars: MemoryStore,
    sidecar_faults: Option<Faults>,
    back: Bench,
}

impl Trip {
    fn new() -> Self {
        let mut out = Bench::with(holds_little);
        out.source = out.source.with_tiers();
        let mut back = Bench::new();
        back.source = out.destination.clone();
        back.destination = MemoryStore::new("back").with_tiers();
        Self { out, sidecars: MemoryStore::new("sidecars"), sidecar_faults: None, back }
    }

    fn side(&self) -> Side {
        let plain: Arc<dyn Storage> = Arc::new(self.sidecars.clone());
        let store: Arc<dyn Storage> = match &self.sidecar_faults {
            Some(faults) => Arc::new(Fault::new(plain, faults.clone())),
            None => plain,
        };
        Side {
            store,
            probe: None,
            prefix: "kept/".into(),
            label: "memory://sidecars/kept".into(),
            place: None,
            throttle: Default::default(),
        }
    }

    fn keeping(&self) -> Options {
        let sidecars = Sidecars { keep: Some(self.side()), restore: None };
        Options { sidecars, ..self.out.options() }
    }

    fn restoring(&self) -> Options {
        let sidecars = Sidecars { keep: None, restore: Some(self.side()) };
        Options { sidecars, ..self.back.options() }
    }

    async fn go_out(&self) -> Report {
        self.out.run_with(self.keeping()).await
    }

    async fn come_back(&self) -> Report {
        self.back.run_with(self.restoring()).await
    }

    /// The keys of the sidecars, without the location's own file.
    async fn kept(&self) -> Vec<String> {
        let all = keys(&self.sidecars).await;
        assert!(all.iter().all(|key| key.starts_with("kept/")), "{all:?}");
        all.into_iter().filter(|key| key != "kept/cabotage-sidecars.json").collect()
    }

    async fn original(&self, key: &str) -> ObjectInfo {
        told(&self.out.source, key).await
    }

    async fn returned(&self, key: &str) -> ObjectInfo {
        told(&self.back.destination, key).await
    }
}

trait WithTiers {
    fn with_tiers(self) -> Self;
}

impl WithTiers for MemoryStore {
    fn with_tiers(self) -> Self {
        let mut rules = self.capabilities().clone();
        rules.tiers.known =
            [("Hot".to_owned(), TierClass::Default), ("Cool".into(), TierClass::Infrequent)].into();
        self.with_capabilities(rules)
    }
}

fn holds_little(rules: &mut Capabilities) {
    rules.metadata.names = MetadataNames::LowerCaseHyphen;
    rules.metadata.header_values = true;
    rules.headers = ["content-type".to_owned()].into();
    rules.tags.max = 1;
    rules.keeps_modified = false;
}

async fn told(store: &MemoryStore, key: &str) -> ObjectInfo {
    store.head(&Key::new(key).unwrap(), Detail::WithTags).await.unwrap()
}

fn text(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Something of everything that gets lost.
fn rich() -> Attributes {
    let mut attributes = Attributes {
        metadata: text(&[("Owner_Id", "17"), ("owner-id", "18"), ("note", "two\nlines"), ("Plain", "x")]),
        tags: Some(text(&[("study", "a b"), ("stage", "raw")])),
        ..Attributes::default()
    };
    for (name, value) in [
        ("content-type", "application/dicom"),
        ("content-encoding", "gzip"),
        ("content-language", "fr"),
        ("content-disposition", "inline"),
        ("cache-control", "no-store"),
    ] {
        assert!(attributes.headers.set(name, Some(value.into())));
    }
    attributes
}

async fn put_rich(store: &MemoryStore, key: &str, bytes: &str) {
    let options = WriteOptions {
        attributes: rich(),
        tier: Some("Cool".into()),
        modified: Some(Timestamp::from_second(1_700_000_000).unwrap()),
        ..WriteOptions::default()
    };
    store.write(&Key::new(key).unwrap(), Payload::from_bytes(bytes.to_owned()), options).await.unwrap();
}

#[tokio::test]
async fn everything_comes_back() {
    let trip = Trip::new();
    for key in ["k", "a//b", "../x", "kept/00/0.json", "cabotage-sidecars.json", "nul\u{1}\u{202e}"] {
        put_rich(&trip.out.source, key, key).await;
    }
    let out = trip.go_out().await;
    assert_eq!((out.objects.verified, out.ending), (6, Ending::Complete), "{out}");
    assert_eq!(out.losses[&LossName::TagDropped].sidecar, 6, "{out}");
    assert!(out.to_string().contains("kept in sidecars"), "{out}");
    assert_eq!(trip.kept().await.len(), 6);
    assert_ne!(told(&trip.out.destination, "k").await.attributes, trip.original("k").await.attributes);
    let back = trip.come_back().await;
    assert_eq!((back.objects.verified, back.ending), (6, Ending::Complete), "{back}");
    assert!(!back.losses.contains_key(&LossName::OriginalNotRestored), "{back}");
    for key in keys(&trip.out.source).await {
        let (original, returned) = (trip.original(&key).await, trip.returned(&key).await);
        assert_eq!(returned.attributes, original.attributes, "{key:?}");
        assert_eq!(returned.tier, original.tier, "{key:?}");
        assert_eq!(returned.modified, original.modified, "{key:?}");
        assert_eq!(get(&trip.back.destination, &key).await, get(&trip.out.source, &key).await);
    }
    let again = trip.come_back().await;
    assert_eq!((again.objects.skipped, again.objects_copied), (6, 0), "{again}");
}

#[tokio::test]
async fn large_objects_too() {
    let trip = Trip::new();
    put_rich(&trip.out.source, "k", &"0123456789".repeat(10)).await;
    let parts = |options: Options| Options { part_threshold: 10, ..options };
    let out = trip.out.run_with(parts(trip.keeping())).await;
    assert_eq!(out.objects.verified, 1, "{out}");
    let back = trip.back.run_with(parts(trip.restoring())).await;
    assert_eq!(back.objects.verified, 1, "{back}");
    assert_eq!(trip.returned("k").await.attributes, trip.original("k").await.attributes);
}

/// The digest in the sidecar says how it is to be computed, in one request, in parts of another size, and when adopted.
#[tokio::test]
async fn a_composite_in_the_sidecar_is_compared_in_its_own_form() {
    let in_parts = |part_threshold, memory, options| Options { part_threshold, memory, ..options };
    for (other, threshold, adopt) in
        [(false, 64 << 20, None), (false, 10, None), (true, 64 << 20, None), (true, 10, None)]
            .into_iter()
            .chain([(false, 10, Some(Adopt::Content)), (true, 10, Some(Adopt::Content))])
    {
        let trip = Trip::new();
        let content = "0123456789".repeat(300_000);
        put_rich(&trip.out.source, "k", &content).await;
        let keeping = Options { digest: PartsDigest::Composite, ..trip.keeping() };
        trip.out.run_with(in_parts(10, 16 << 20, keeping)).await;
        let place = Key::new(trip.kept().await.remove(0)).unwrap();
        let json = trip.sidecars.read_all(&place, 1 << 20).await.unwrap();
        let mut json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert!(json["content"]["composite_sha256"].is_string() && json["content"]["part_size"] == 2 << 20);
        if other {
            json["content"]["composite_sha256"] = cabotage_core::Sha256::of(b"x").to_hex().into();
            trip.sidecars.put(&place, json.to_string().into()).await.unwrap();
        }
        if adopt.is_some() {
            let (there, key) = (told(&trip.out.destination, "k").await, Key::new("k").unwrap());
            let original = trip.original("k").await;
            let attributes = if other { there.attributes } else { original.attributes };
            let options = WriteOptions { attributes: attributes.unwrap(), ..WriteOptions::default() };
            let body = Payload::from_bytes(content.clone());
            trip.back.destination.write(&key, body, options).await.unwrap();
        }
        let back = Options { adopt, ..in_parts(threshold, 256 << 20, trip.restoring()) };
        let back = trip.back.run_with(back).await;
        let case = format!("{other} {threshold} {adopt:?}: {back}");
        assert_eq!(back.objects.verified, 1, "{case}");
        let expected = if other { told(&trip.out.destination, "k").await } else { trip.original("k").await };
        assert_eq!(trip.returned("k").await.attributes, expected.attributes, "{case}");
    }
}

#[tokio::test]
async fn only_what_loses_something_has_a_sidecar() {
    let trip = Trip::new();
    put(&trip.out.source, "plain", "x").await;
    put_with(
        &trip.out.source,
        "tagged",
        "x",
        Attributes { tags: Some(text(&[("a", "1"), ("b", "2")])), ..Default::default() },
    )
    .await;
    let accepting = Options { accept_losses: [LossName::ModifiedTime].into(), ..trip.keeping() };
    let out = trip.out.run_with(accepting).await;
    assert_eq!(out.objects.verified, 2, "{out}");
    assert_eq!(trip.kept().await.len(), 1, "an accepted loss needs none");
    assert_eq!(out.losses[&LossName::ModifiedTime].accepted, 2, "{out}");
    let back = trip.come_back().await;
    assert_eq!(back.objects.verified, 2, "{back}");
    assert_eq!(trip.returned("tagged").await.attributes, trip.original("tagged").await.attributes);
}

#[tokio::test]
async fn an_object_is_not_done_before_its_sidecar_is() {
    for effect in [
        Effect::Fail(ErrorKind::PermissionDenied),
        Effect::FailAfter(ErrorKind::PermissionDenied),
        Effect::LieStored,
        Effect::StoreFlipped(3),
    ] {
        let mut trip = Trip::new();
        put_rich(&trip.out.source, "k", "content").await;
        let rule = Rule::new(Operation::Write, effect.clone());
        let but_the_first = rule.keys(KeyMatch::Any).calls(Calls::From(2));
        trip.sidecar_faults = Some(Faults::new(vec![but_the_first]));
        let failed = trip.go_out().await;
        assert_eq!((failed.objects.failed, failed.objects.verified), (1, 0), "{effect:?}: {failed}");
        assert!(failed.to_string().contains("its sidecar is not as it should be"), "{failed}");
        trip.sidecar_faults = None;
        if effect == Effect::StoreFlipped(3) {
            // What can't be read as this object's own sidecar is not replaced.
            assert_eq!(trip.go_out().await.objects.failed, 1);
            let spoilt = trip.kept().await.remove(0);
            trip.sidecars.delete(&Key::new(spoilt).unwrap(), Default::default()).await.unwrap();
        }
        let mended = trip.go_out().await;
        assert_eq!((mended.objects.verified, mended.objects.conflicts), (1, 0), "{effect:?}: {mended}");
        assert_eq!(mended.objects_copied, 0, "it was there already: {mended}");
        trip.come_back().await;
        assert_eq!(trip.returned("k").await.attributes, trip.original("k").await.attributes, "{effect:?}");
    }
}

#[tokio::test]
async fn a_newer_content_in_the_middle_keeps_its_own_attributes() {
    let trip = Trip::new();
    put_rich(&trip.out.source, "k", "content").await;
    trip.go_out().await;
    let newer = Attributes { metadata: text(&[("new", "1")]), ..Attributes::default() };
    put_with(&trip.out.destination, "k", "CONTENT", newer.clone()).await;
    let back = trip.come_back().await;
    assert_eq!(back.objects.verified, 1, "{back}");
    assert_eq!(back.losses[&LossName::OriginalNotRestored].accepted, 1, "{back}");
    assert_eq!(trip.returned("k").await.attributes.unwrap().metadata, newer.metadata);
    assert_eq!(get(&trip.back.destination, "k").await.unwrap(), b"CONTENT");
}

/// Its size says that it is the content of then, and only the digest tells that it is not.
#[tokio::test]
async fn a_sidecar_of_another_content_is_never_applied() {
    for threshold in [1 << 20, 10] {
        let trip = Trip::new();
        put_rich(&trip.out.source, "k", "a content in parts").await;
        trip.go_out().await;
        let place = Key::new(trip.kept().await.remove(0)).unwrap();
        let json =
            String::from_utf8(trip.sidecars.read_all(&place, 1 << 20).await.unwrap().to_vec()).unwrap();
        let digest = cabotage_core::Sha256::of(b"a content in parts").to_hex();
        assert!(json.contains(&digest), "{json}");
        let other = json.replace(&digest, &cabotage_core::Sha256::of(b"x").to_hex());
        trip.sidecars.put(&place, other.into()).await.unwrap();
        let back = trip.back.run_with(Options { part_threshold: threshold, ..trip.restoring() }).await;
        assert_eq!(back.objects.verified, 1, "{back}");
        assert_eq!(back.losses[&LossName::OriginalNotRestored].accepted, 1, "{back}");
        let middle = told(&trip.out.destination, "k").await.attributes;
        assert_eq!(trip.returned("k").await.attributes, middle);
    }
}

#[tokio::test]
async fn what_was_changed_in_the_middle_wins_and_is_named() {
    let trip = Trip::new();
    put_rich(&trip.out.source, "k", "content").await;
    trip.go_out().await;
    let key = Key::new("k").unwrap();
    let mut changed = told(&trip.out.destination, "k").await.attributes.unwrap();
    changed.tags = Some(text(&[("stage", "final")]));
    changed.headers.content_type = Some("text/plain".into());
    trip.out.destination.set_attributes(&key, &changed, None).await.unwrap();
    let back = trip.come_back().await;
    assert_eq!(back.losses[&LossName::OriginalNotRestored].accepted, 1, "{back}");
    let (original, returned) =
        (trip.original("k").await.attributes.unwrap(), trip.returned("k").await.attributes.unwrap());
    assert_eq!(returned.tags, changed.tags);
    assert_eq!(returned.headers.content_type, changed.headers.content_type);
    assert_eq!(returned.headers.cache_control, original.headers.cache_control);
    assert_eq!(returned.metadata, original.metadata);
}

#[tokio::test]
async fn a_changed_object_has_its_sidecar_replaced_or_removed() {
    let trip = Trip::new();
    put_rich(&trip.out.source, "replaced", "1").await;
    put_rich(&trip.out.source, "removed", "1").await;
    let accepting = || Options { accept_losses: [LossName::ModifiedTime].into(), ..trip.keeping() };
    trip.out.run_with(accepting()).await;
    assert_eq!(trip.kept().await.len(), 2);
    put_rich(&trip.out.source, "replaced", "22").await;
    put(&trip.out.source, "removed", "22").await;
    let again = trip.out.run_with(accepting()).await;
    assert_eq!(again.objects.verified, 2, "{again}");
    assert_eq!(trip.kept().await.len(), 1);
    let back = trip.come_back().await;
    assert!(!back.losses.contains_key(&LossName::OriginalNotRestored), "{back}");
    for key in ["replaced", "removed"] {
        assert_eq!(trip.returned(key).await.attributes, trip.original(key).await.attributes, "{key}");
    }
}

/// An object of the data is never read as a sidecar, and a sidecar counts only for the object that it names.
#[tokio::test]
async fn nothing_poses_as_a_sidecar() {
    let trip = Trip::new();
    put_rich(&trip.out.source, "victim", "content").await;
    put(&trip.out.source, "liar", "content").await;
    trip.go_out().await;
    let kept = trip.kept().await;
    for place in &kept {
        let bytes = get(&trip.sidecars, place).await.unwrap();
        // Beside the data, under the names that sidecars have in their location.
        put(&trip.out.destination, place, bytes.clone()).await;
        put(&trip.out.destination, place.strip_prefix("kept/").unwrap(), bytes).await;
    }
    // One sidecar in another's place.
    let (a, b) = (get(&trip.sidecars, &kept[0]).await.unwrap(), get(&trip.sidecars, &kept[1]).await.unwrap());
    put(&trip.sidecars, &kept[0], b).await;
    let swapped = trip.come_back().await;
    assert_eq!(swapped.objects.failed, 1, "{swapped}");
    assert!(swapped.to_string().contains("belongs to an object of another name"), "{swapped}");
    put(&trip.sidecars, &kept[0], a).await;
    let back = trip.come_back().await;
    assert_eq!((back.objects.failed, back.objects.listed), (0, 6), "{back}");
    assert_eq!(trip.returned("victim").await.attributes, trip.original("victim").await.attributes);
}

#[tokio::test]
async fn what_is_refused_without_sidecars_is_told_of_them() {
    let trip = Trip::new();
    put_rich(&trip.out.source, "k", "content").await;
    let refused = trip.out.run().await;
    assert_eq!((refused.objects.refused, refused.objects_copied), (1, 0), "{refused}");
    assert!(refused.next.iter().any(|next| next.contains("--sidecar")), "{refused}");
}

/// Accepted by name: each loss is named, and what is not lost arrives.
#[tokio::test]
async fn accepted_losses_leave_the_rest_intact() {
    let trip = Trip::new();
    put_rich(&trip.out.source, "k", "content").await;
    let names = [
        LossName::MetadataNameChanged,
        LossName::MetadataValueChanged,
        LossName::HeaderDropped,
        LossName::TagDropped,
    ];
    let out = trip.out.run_with(Options { accept_losses: names.into(), ..trip.out.options() }).await;
    assert_eq!((out.objects.verified, out.ending), (1, Ending::Complete), "{out}");
    for name in names {
        assert_eq!(out.losses[&name].accepted, 1, "{name}: {out}");
    }
    let moved = told(&trip.out.destination, "k").await.attributes.unwrap();
    assert_eq!(moved.headers.content_type.as_deref(), Some("application/dicom"));
    assert_eq!(moved.metadata, text(&[("owner-id", "17"), ("plain", "x")]));
    assert_eq!(moved.tags, Some(text(&[("stage", "raw")])));
    let back = trip.back.run().await;
    assert_eq!(back.objects.verified, 1, "{back}");
    assert_eq!(trip.returned("k").await.attributes, Some(moved));
}

#[tokio::test]
async fn locations_are_checked_before_anything_is_written() {
    let trip = Trip::new();
    put_rich(&trip.out.source, "k", "content").await;
    let missing = trip.back.try_run(trip.restoring()).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::InvalidConfig, "{missing}");
    trip.go_out().await;
    // The same location for another store's data.
    let back = Trip::new().back;
    put(&back.source, "k", "content").await;
    let other = back.try_run(Options { sidecars: trip.keeping().sidecars, ..back.options() }).await;
    assert_eq!(other.unwrap_err().kind(), ErrorKind::InvalidConfig);
    // In the data, or around them.
    for prefix in ["", "inside/"] {
        let store: Arc<dyn Storage> = Arc::new(trip.out.destination.clone());
        let side = Side {
            store,
            probe: None,
            prefix: prefix.into(),
            label: "memory://destination".into(),
            place: None,
            throttle: Default::default(),
        };
        let sidecars = Sidecars { keep: Some(side), restore: None };
        let refused = trip.out.try_run(Options { sidecars, ..trip.out.options() }).await.unwrap_err();
        assert!(refused.to_string().contains("sidecar location"), "{refused}");
    }
}

#[tokio::test]
async fn a_dry_run_writes_no_sidecar_and_tells_what_would_be_kept() {
    let trip = Trip::new();
    put_rich(&trip.out.source, "k", "content").await;
    let report = trip.out.run_with(Options { dry_run: true, ..trip.keeping() }).await;
    assert_eq!(report.objects.planned, 1, "{report}");
    assert_eq!(report.losses[&LossName::TagDropped].sidecar, 1, "{report}");
    assert_eq!(keys(&trip.sidecars).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_sidecar_of_a_deleted_object_goes_with_it() {
    let trip = Trip::new();
    for name in ["gone", "stays"] {
        put_with(&trip.out.source, name, "content", rich()).await;
    }
    trip.go_out().await;
    assert_eq!(trip.kept().await.len(), 2);
    trip.out
        .source
        .delete(&Key::new("gone").unwrap(), cabotage_core::DeleteOptions::default())
        .await
        .unwrap();
    let delete = Some(cabotage_engine::DeletePolicy { max_shrink: 100, ..Default::default() });
    let report = trip.out.run_with(Options { delete, ..trip.keeping() }).await;
    assert_eq!(report.deletion.unwrap().deleted.objects, 1);
    assert_eq!(keys(&trip.out.destination).await, ["stays"]);
    assert_eq!(trip.kept().await.len(), 1, "a sidecar without an object stays");
}

#[tokio::test]
async fn what_was_moved_without_a_sidecar_is_not_said_to_be_kept() {
    let trip = Trip::new();
    put(&trip.out.source, "before", "content").await;
    let before = trip.out.run_with(trip.out.options()).await;
    assert_eq!(before.losses[&LossName::ModifiedTime].accepted, 1, "{before}");
    put(&trip.out.source, "since", "content").await;
    for _ in 0..2 {
        let report = trip.go_out().await;
        let count = report.losses[&LossName::ModifiedTime];
        assert_eq!((count.accepted, count.sidecar, count.refused), (1, 1, 0), "{report}");
        assert_eq!(trip.kept().await.len(), 1);
    }
}
