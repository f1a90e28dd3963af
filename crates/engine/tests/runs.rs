//! Whole runs over stores in memory.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use cabotage_core::{Attributes, ErrorKind, LossName, MetadataNames, Support};
use cabotage_engine::{Adopt, Ending, KeysFile, Overwrite, Selection, Verify};
use common::{Bench, assert_equal, get, ignores_digests, keys, put, put_with};

fn metadata(name: &str) -> Attributes {
    Attributes { metadata: [(name.to_owned(), "v".to_owned())].into(), ..Attributes::default() }
}

#[tokio::test]
async fn everything_moves_and_a_second_run_copies_nothing() {
    let bench = Bench::new();
    for i in 0..300 {
        put(&bench.source, &format!("a/{i:03}"), format!("content {i}")).await;
    }
    for key in
        ["", "a", "a//b", "../x", "b/", "\u{1F600}", "\u{FF5E}", "\u{1b}[31m", "c\nd"].into_iter().skip(1)
    {
        put(&bench.source, key, key.to_owned()).await;
    }
    let first = bench.run().await;
    assert_eq!(first.ending, Ending::Complete, "{first}");
    assert_eq!(
        (first.objects.listed, first.objects.verified, first.levels.server_checked),
        (308, 308, 308),
        "{first}"
    );
    assert_equal(&bench).await;
    let second = bench.run().await;
    assert_eq!(
        (second.objects.listed, second.objects.skipped, second.objects_copied),
        (308, 308, 0),
        "{second}"
    );
    assert_eq!(second.ending, Ending::Complete);
    assert!(second.guards.is_none(), "nothing was written, so nothing was asked");
}

#[tokio::test]
async fn prefixes_are_mapped() {
    let mut bench = Bench::new();
    bench.source_prefix = "data/".into();
    bench.destination_prefix = "copy/of/".into();
    for key in ["data/a", "data/b/c", "data", "database", "data/"] {
        put(&bench.source, key, key.to_owned()).await;
    }
    put(&bench.destination, "copy/other", "x").await;
    let report = bench.run().await;
    assert_eq!(report.objects.verified, 3, "{report}");
    assert_eq!(keys(&bench.destination).await, ["copy/of/", "copy/of/a", "copy/of/b/c", "copy/other"]);
    bench.destination_prefix = String::new();
    let report = bench.run().await;
    assert_eq!((report.objects.verified, report.failures_of(ErrorKind::KeyRejected)), (2, 1), "{report}");
}

#[tokio::test]
async fn what_is_not_ours_is_left_alone() {
    let bench = Bench::new();
    for key in ["equal", "other", "size", "new"] {
        put(&bench.source, key, format!("{key}!")).await;
    }
    put(&bench.destination, "equal", "equal!").await;
    put(&bench.destination, "other", "something else").await;
    put(&bench.destination, "size", "SIZE!").await;
    let report = bench.run().await;
    assert_eq!((report.objects.conflicts, report.objects.verified), (3, 1), "{report}");
    assert_eq!(report.ending, Ending::Incomplete);
    assert_eq!(get(&bench.destination, "other").await.unwrap(), b"something else");

    let adopt = |adopt| cabotage_engine::Options { adopt: Some(adopt), ..bench.options() };
    let report = bench.run_with(adopt(Adopt::Content)).await;
    assert_eq!(
        (report.objects.conflicts, report.objects.verified, report.levels.read_back),
        (2, 1, 1),
        "{report}"
    );
    let report = bench.run_with(adopt(Adopt::Size)).await;
    assert_eq!(
        (report.objects.conflicts, report.objects.stored_unread, report.levels.adopted_size),
        (1, 1, 1),
        "{report}"
    );
    let report =
        bench.run_with(cabotage_engine::Options { overwrite: Overwrite::Always, ..bench.options() }).await;
    assert_eq!((report.objects.conflicts, report.objects_copied), (0, 1), "{report}");
    assert_eq!(get(&bench.destination, "other").await.unwrap(), b"other!");
    assert_eq!(
        get(&bench.destination, "size").await.unwrap(),
        b"SIZE!",
        "adopted by size: not proven, and not replaced"
    );
}

#[tokio::test]
async fn a_change_at_the_source_moves_again_and_one_at_the_destination_is_a_conflict() {
    let bench = Bench::new();
    put(&bench.source, "a", "one").await;
    put(&bench.source, "b", "one").await;
    bench.run().await;
    put(&bench.source, "a", "two").await;
    put(&bench.destination, "b", "foreign").await;
    let never =
        bench.run_with(cabotage_engine::Options { overwrite: Overwrite::Never, ..bench.options() }).await;
    assert_eq!(never.objects.conflicts, 2, "{never}");
    let report = bench.run().await;
    assert_eq!((report.objects.verified, report.objects.conflicts), (1, 1), "{report}");
    assert_eq!(get(&bench.destination, "a").await.unwrap(), b"two");
    assert_eq!(get(&bench.destination, "b").await.unwrap(), b"foreign");
}

#[tokio::test]
async fn losses_are_refused_unless_accepted_and_always_counted() {
    let bench = Bench::with(|c| c.metadata.names = MetadataNames::LowerCaseHyphen);
    put_with(&bench.source, "case", "x", metadata("Owner")).await;
    put_with(&bench.source, "changed", "x", metadata("owner_id")).await;
    let report = bench.run().await;
    assert_eq!((report.objects.verified, report.objects.refused), (1, 1), "{report}");
    assert_eq!(report.losses[&LossName::MetadataNameCase].accepted, 1);
    assert_eq!(report.losses[&LossName::MetadataNameChanged].refused, 1);
    assert!(get(&bench.destination, "changed").await.is_none());
    let mut options = bench.options();
    options.accept_losses.insert(LossName::MetadataNameChanged);
    let report = bench.run_with(options).await;
    assert_eq!((report.objects.verified, report.objects.skipped), (1, 1), "{report}");
    assert_eq!(report.losses[&LossName::MetadataNameChanged].accepted, 1);
}

#[tokio::test]
async fn a_store_that_ignores_digests_gets_stored_unread_and_read_back_proves() {
    let bench = Bench::with(ignores_digests);
    put(&bench.source, "a", "one").await;
    let report = bench.run().await;
    assert_eq!((report.objects.stored_unread, report.ending), (1, Ending::Incomplete), "{report}");
    assert_eq!(report.guards.unwrap().digest, Support::Ignored);
    assert!(report.to_string().contains("--verify read-back"), "{report}");
    let again = bench.run().await;
    assert_eq!((again.objects.stored_unread, again.objects_copied), (1, 0), "{again}");
    let read_back = cabotage_engine::Options { verify: Verify::ReadBack, ..bench.options() };
    let report = bench.run_with(read_back.clone()).await;
    assert_eq!(
        (report.objects.verified, report.levels.read_back, report.objects_copied),
        (1, 1, 0),
        "{report}"
    );
    let report = bench.run_with(read_back).await;
    assert_eq!((report.objects.skipped, report.ending), (1, Ending::Complete), "{report}");
    assert_eq!(keys(&bench.destination).await, ["a"], "probe objects are gone");
}

#[tokio::test]
async fn large_objects_go_in_parts() {
    let bench = Bench::with(|c| c.limits.part_min = 1 << 20);
    let body: Vec<u8> = (0..9_000_001_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    put(&bench.source, "big", body.clone()).await;
    put(&bench.source, "small", "x").await;
    let manifest = bench.state.path().join("manifest");
    let options = cabotage_engine::Options {
        part_threshold: 1 << 20,
        memory: 16 << 20,
        manifest: Some(manifest.clone()),
        ..bench.options()
    };
    let report = bench.run_with(options).await;
    assert_eq!(report.ending, Ending::Complete, "{report}");
    assert_equal(&bench).await;
    let lines = std::fs::read_to_string(manifest).unwrap();
    let sha256 = cabotage_core::Sha256::of(&body).to_hex();
    assert!(lines.lines().any(|line| line.contains("\"key\":\"big\"") && line.contains(&sha256)), "{lines}");
}

#[tokio::test]
async fn selection_limits_and_dry_run() {
    let bench = Bench::new();
    for key in ["a.dcm", "b/c.dcm", "b/d.txt", "e.tmp"] {
        put(&bench.source, key, key.to_owned()).await;
    }
    let dry = bench.run_with(cabotage_engine::Options { dry_run: true, ..bench.options() }).await;
    assert_eq!((dry.objects.planned, dry.bytes_planned, dry.ending), (4, 24, Ending::Complete), "{dry}");
    assert!(keys(&bench.destination).await.is_empty());

    let selection = Selection::new(&["*.dcm".into()], &["b/**".into()], None).unwrap();
    let report = bench.run_with(cabotage_engine::Options { selection, ..bench.options() }).await;
    assert_eq!((report.objects.verified, report.excluded), (1, 3), "{report}");

    let report = bench.run_with(cabotage_engine::Options { max_objects: Some(1), ..bench.options() }).await;
    assert_eq!(
        (report.objects.verified, report.objects.skipped, report.listing_complete),
        (1, 1, false),
        "{report}"
    );
    assert_eq!(report.ending, Ending::Incomplete);

    let list = bench.state.path().join("keys");
    std::fs::write(&list, "b/d.txt\0missing\0").unwrap();
    let file = KeysFile { path: list, null_separated: true };
    let selection = Selection::new(&[], &[], Some(file)).unwrap();
    let report = bench.run_with(cabotage_engine::Options { selection, ..bench.options() }).await;
    assert_eq!((report.objects.verified, report.failures_of(ErrorKind::NotFound)), (1, 1), "{report}");
    assert!(get(&bench.destination, "e.tmp").await.is_none());
}

#[tokio::test]
async fn the_same_place_is_refused() {
    let bench = Bench::new();
    let mut job = bench.job(bench.options());
    job.destination.store = job.source.store.clone();
    let error = cabotage_engine::run(job, Default::default(), Default::default(), std::sync::Arc::new(()))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
}

#[tokio::test]
async fn limits_without_sense_are_refused() {
    let bench = Bench::new();
    for change in [
        (|o| o.concurrency = 0) as fn(&mut cabotage_engine::Options),
        |o| o.memory = 1,
        |o| o.max_objects = Some(0),
    ] {
        let mut options = bench.options();
        change(&mut options);
        assert_eq!(bench.try_run(options).await.unwrap_err().kind(), ErrorKind::InvalidConfig);
    }
}
