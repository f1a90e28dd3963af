//! Shards whose bounds a store can't begin at: each name is moved once all the same.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use cabotage_core::{Capabilities, ListOrder, Storage as _};
use cabotage_engine::{Options, Report, Selection, ShardNumber, plan_shards};
use common::{Bench, get, put};

/// By their bytes. UTF-16 puts those above U+FFFF before U+E000.
const NAMES: [&str; 10] = [
    "a",
    "a\u{1}",
    "b\u{d7ff}",
    "\u{d7ff}",
    "\u{e000}",
    "\u{e000}x",
    "\u{ffff}",
    "\u{1f600}",
    "\u{1f600}x",
    "\u{10ffff}",
];

/// One shard for each name, so that each name is a bound.
async fn shards(bench: &Bench) -> Vec<Report> {
    let of = u32::try_from(NAMES.len()).unwrap();
    let job = bench.job(bench.options());
    let plan = plan_shards(&job.source, &Selection::default(), of, bench.state.path()).await.unwrap();
    let bounds: Vec<_> = plan.shards().iter().filter_map(|shard| shard.through.as_deref()).collect();
    assert_eq!(bounds, NAMES[..NAMES.len() - 1]);
    let mut reports = Vec::new();
    for number in 1..=of {
        let shard = plan.shard(ShardNumber { number, of }).unwrap();
        let options = Options { shard: Some(shard), ..bench.options() };
        reports.push(bench.run_with(options).await);
    }
    reports
}

async fn bench(source: impl FnOnce(&mut Capabilities), destination: impl FnOnce(&mut Capabilities)) -> Bench {
    let mut bench = Bench::with(destination);
    let mut rules = bench.source.capabilities().clone();
    source(&mut rules);
    bench.source = bench.source.with_capabilities(rules);
    for name in NAMES {
        put(&bench.source, name, name.to_owned()).await;
    }
    bench
}

fn sum(reports: &[Report], number: impl Fn(&Report) -> u64) -> u64 {
    reports.iter().map(number).sum()
}

#[tokio::test]
async fn a_bound_between_surrogates() {
    let order = |list_order| move |rules: &mut Capabilities| rules.list_order = list_order;
    for (source, destination) in [
        (ListOrder::Utf16, ListOrder::Bytes),
        (ListOrder::Bytes, ListOrder::Utf16),
        (ListOrder::Utf16, ListOrder::Utf16),
        (ListOrder::None, ListOrder::Utf16),
    ] {
        let bench = bench(order(source), order(destination)).await;
        // Of two names only at the destination each has one owner too; another shard's probe counts for none.
        for extra in ["\u{e001}", "\u{1f601}", ".cabotage-probe-0"] {
            put(&bench.destination, extra, "x").await;
        }
        for pass in 0..2 {
            let reports = shards(&bench).await;
            let each: Vec<_> = reports.iter().map(|report| report.objects.listed).collect();
            assert_eq!(each, [1; NAMES.len()], "{source:?} {destination:?}");
            let copied = if pass == 0 { NAMES.len() as u64 } else { 0 };
            assert_eq!(sum(&reports, |report| report.objects_copied), copied, "{source:?} {destination:?}");
            assert_eq!(sum(&reports, |report| report.destination_only), 2, "{source:?} {destination:?}");
        }
        for name in NAMES {
            assert_eq!(get(&bench.destination, name).await.as_deref(), Some(name.as_bytes()));
        }
    }
}

/// The destination refuses some characters: it could not hold the bounds that have them.
#[tokio::test]
async fn a_bound_that_the_destination_does_not_hold() {
    let bench = bench(
        |_| {},
        |rules| {
            rules.keys.refused_chars = ['\u{ffff}', '\u{1f600}'].into();
            rules.keys.refuses_control = true;
        },
    )
    .await;
    let reports = shards(&bench).await;
    let held = NAMES.iter().filter(|name| !name.contains(['\u{1}', '\u{ffff}', '\u{1f600}'])).count() as u64;
    assert_eq!(sum(&reports, |report| report.objects.listed), NAMES.len() as u64);
    assert_eq!(sum(&reports, |report| report.objects.verified), held);
    let failed = sum(&reports, |report| report.objects.failed);
    assert_eq!(failed, NAMES.len() as u64 - held, "each is told by its owner");
}
