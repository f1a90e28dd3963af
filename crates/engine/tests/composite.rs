//! `--digest composite`: the SHA-256 of objects that go in parts is that of their parts' digests.

#![allow(clippy::unwrap_used, clippy::panic)]
#![allow(clippy::cast_possible_truncation, reason = "sizes of a test's object")]

mod common;

use cabotage_core::{ErrorKind, Operation, Sha256};
use cabotage_engine::{
    AuditOptions, ContentSha256, Ending, FindingKind, LedgerReader, Options, PartsDigest, Row, SourceContent,
    UploadCounts, Verify,
};
use cabotage_layers::{Calls, Effect, Faults, Rule};
use common::auditing::{self, READ, audit, named};
use common::{Bench, assert_equal, put};

const MIB: usize = 1 << 20;
/// What the plan makes of a budget of 16 MiB.
const PART: usize = 2 * MIB;

fn content(seed: usize) -> Vec<u8> {
    (0..5 * PART + 5).map(|at| (at.wrapping_mul(0x9e37_79b9).wrapping_add(seed * at) >> 24) as u8).collect()
}

async fn large() -> Bench {
    let bench = Bench::with(|c| c.limits.part_min = MIB as u64);
    put(&bench.source, "large", content(1)).await;
    put(&bench.source, "small", "x").await;
    bench
}

fn whole(bench: &Bench) -> Options {
    Options { part_threshold: MIB as u64, memory: 16 << 20, concurrency: 2, ..bench.options() }
}

fn composite(bench: &Bench) -> Options {
    Options { digest: PartsDigest::Composite, ..whole(bench) }
}

fn expected(content: &[u8]) -> ContentSha256 {
    ContentSha256::of_parts(PART as u64, content.chunks(PART).map(Sha256::of))
}

fn row(bench: &Bench, name: &str) -> Row {
    let mut files = std::fs::read_dir(bench.state.path()).unwrap().map(|entry| entry.unwrap().path());
    let ledger = files.find(|path| path.extension().is_some_and(|e| e == "sqlite")).unwrap();
    LedgerReader::open(&ledger).unwrap().row(name).unwrap().unwrap()
}

async fn moved() -> Bench {
    let bench = large().await;
    let report = bench.run_with(composite(&bench)).await;
    assert_eq!((report.ending, report.objects.verified), (Ending::Complete, 2), "{report}");
    assert_equal(&bench).await;
    bench
}

fn reading(bench: &Bench) -> AuditOptions {
    AuditOptions {
        source_content: SourceContent::Read,
        destination_content: READ,
        ..auditing::options(bench)
    }
}

#[tokio::test]
async fn parts_make_the_digest_and_single_objects_keep_that_of_their_bytes() {
    let bench = large().await;
    let manifest = bench.state.path().join("manifest");
    let options = Options { manifest: Some(manifest.clone()), ..composite(&bench) };
    bench.run_with(options).await;
    assert_eq!(row(&bench, "large").sha256, Some(expected(&content(1))));
    assert_eq!(row(&bench, "small").sha256, Some(ContentSha256::whole(Sha256::of(b"x"))));
    let text = std::fs::read_to_string(manifest).unwrap();
    let line = |name: &str| {
        let line = text.lines().find(|line| line.contains(&format!("\"key\":\"{name}\""))).unwrap();
        serde_json::from_str::<serde_json::Value>(line).unwrap()
    };
    let large = line("large");
    assert_eq!(large["composite_sha256"], expected(&content(1)).value.to_hex());
    assert_eq!(
        (&large["part_size"], large.get("sha256")),
        (&PART.into(), None),
        "nobody takes it for the bytes'"
    );
    assert_eq!(line("small")["sha256"], Sha256::of(b"x").to_hex());
}

#[tokio::test]
async fn it_is_skipped_read_back_and_verified_like_any_other() {
    let bench = moved().await;
    let again = bench.run_with(whole(&bench)).await;
    assert_eq!((again.objects.skipped, again.objects_copied), (2, 0), "{again}");
    let read_back = bench.run_with(Options { verify: Verify::ReadBack, ..whole(&bench) }).await;
    assert_eq!((read_back.levels.read_back, read_back.objects_copied), (2, 0), "{read_back}");
    assert_eq!(row(&bench, "large").sha256, Some(expected(&content(1))));
    let report = audit(&bench, reading(&bench)).await;
    assert_eq!((report.objects.proven, report.ending), (2, Ending::Complete), "{report}");
}

#[tokio::test]
async fn one_wrong_byte_at_the_destination_is_found() {
    let bench = moved().await;
    let mut spoilt = content(1);
    spoilt[3 * PART + 7] ^= 1;
    put(&bench.destination, "large", spoilt).await;
    let report = audit(&bench, reading(&bench)).await;
    named(&report, FindingKind::ContentDiffers, "large");
}

#[tokio::test]
async fn parts_in_another_order_are_another_content() {
    let bench = moved().await;
    let mut swapped = content(1);
    let (first, second) = swapped.split_at_mut(PART);
    first.swap_with_slice(&mut second[..PART]);
    put(&bench.destination, "large", swapped).await;
    let options = AuditOptions { destination_content: READ, ..auditing::options(&bench) };
    named(&audit(&bench, options).await, FindingKind::ContentDiffers, "large");
}

async fn died_after(bench: &mut Bench, parts: u64, options: Options) {
    let effect = Effect::Fail(ErrorKind::Unauthenticated);
    let rule = Rule::new(Operation::WritePart, effect).calls(Calls::From(parts + 1));
    bench.destination_faults = Some(Faults::new(vec![rule]));
    let report = bench.run_with(Options { concurrency: 1, ..options }).await;
    assert_eq!(report.ending, Ending::Stopped, "{report}");
    bench.destination_faults = None;
}

#[tokio::test]
async fn an_upload_goes_on_in_either_form_whatever_it_was_begun_in() {
    type Choice = fn(&Bench) -> Options;
    let forms: [Choice; 2] = [whole, composite];
    for (begun, gone_on) in [(0, 1), (1, 0), (1, 1)] {
        let mut bench = large().await;
        let options = forms[begun](&bench);
        died_after(&mut bench, 3, options).await;
        let reads = Faults::default();
        bench.source_faults = Some(reads.clone());
        let report = bench.run_with(forms[gone_on](&bench)).await;
        assert_eq!((report.ending, report.uploads.parts_kept), (Ending::Complete, 3), "{report}");
        assert_equal(&bench).await;
        let form = row(&bench, "large").sha256.unwrap();
        if gone_on == 1 {
            assert_eq!(form, expected(&content(1)));
            assert_eq!(report.uploads, UploadCounts { bytes_read_again: 0, ..report.uploads }, "{report}");
        } else {
            assert_eq!(form, ContentSha256::whole(Sha256::of(&content(1))));
            assert_eq!(report.uploads.bytes_read_again, 3 * PART as u64, "no state was kept: {report}");
        }
    }
}

/// The reply to the completion is lost, and the run dies: the next one knows its own by the composite, in either form.
#[tokio::test]
async fn its_own_copy_is_recognised() {
    for next in [whole as fn(&Bench) -> Options, composite] {
        let mut bench = large().await;
        let lost = Rule::new(Operation::Complete, Effect::FailAfter(ErrorKind::Unauthenticated));
        bench.destination_faults = Some(Faults::new([lost]));
        let report = bench.run_with(composite(&bench)).await;
        assert_eq!(report.ending, Ending::Stopped, "{report}");
        bench.destination_faults = None;
        let writes = Faults::default();
        bench.destination_faults = Some(writes.clone());
        let report = bench.run_with(next(&bench)).await;
        assert_eq!(report.ending, Ending::Complete, "{report}");
        assert_eq!(writes.calls(Operation::WritePart), 0, "{report}");
        assert_eq!(row(&bench, "large").sha256, Some(expected(&content(1))));
    }
}

/// What is in its place with the same size and another content is nobody's but its owner's.
#[tokio::test]
async fn another_object_of_the_same_size_is_left_alone() {
    let bench = large().await;
    put(&bench.destination, "large", content(2)).await;
    let report = bench.run_with(composite(&bench)).await;
    assert_eq!(report.objects.conflicts, 1, "{report}");
}
