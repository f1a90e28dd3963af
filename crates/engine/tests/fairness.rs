//! Large and small objects mixed: neither waits for the others' end.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use cabotage_core::Operation;
use cabotage_engine::{Ending, Options, Progress, Stop};
use cabotage_layers::{Effect, Faults, KeyMatch, Rule};
use common::{Bench, put};

const LARGE: usize = 12;
const SMALL: usize = 60;

/// Large objects in parts, more than there are places and memory for, and small ones before or after them.
async fn mixed(large: &str, small: &str) -> Bench {
    let bench = Bench::with(|capabilities| capabilities.limits.part_min = 1 << 20);
    for number in 0..LARGE {
        put(&bench.source, &format!("{large}{number:02}"), vec![7; 8 << 20]).await;
    }
    for number in 0..SMALL {
        put(&bench.source, &format!("{small}{number:02}"), vec![1; 4 << 10]).await;
    }
    bench
}

fn options(bench: &Bench) -> Options {
    let mut options = bench.options();
    options.concurrency = 16;
    options.memory = 16 << 20;
    options.part_threshold = 4 << 20;
    options
}

/// Reads of such names take a while.
fn slow(names: &str, time: Duration) -> Option<Faults> {
    let rule = Rule::new(Operation::Read, Effect::Delay(time)).keys(KeyMatch::StartsWith(names.to_owned()));
    Some(Faults::new([rule]))
}

/// Large objects that stand still hold neither all places nor all memory.
#[tokio::test(flavor = "multi_thread")]
async fn small_objects_go_on_while_large_ones_stand_still() {
    let mut bench = mixed("a-large", "b-small").await;
    bench.source_faults = slow("a-large", Duration::from_secs(3_600));
    let (stop, progress) = (Stop::default(), Arc::new(Progress::default()));
    let job = bench.job(options(&bench));
    let run = tokio::spawn(cabotage_engine::run(job, stop.clone(), Arc::clone(&progress), Arc::new(())));
    let all_small = async {
        while progress.snapshot().done < SMALL as u64 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all_small).await.expect("small ones wait for large ones");
    // Those in the queue are left for the next run, which knows nothing of them yet.
    stop.drain.cancel();
    stop.abort.cancel();
    let report = run.await.unwrap().unwrap();
    assert_ne!(report.ending, Ending::Complete, "{report}");
    assert!(!report.listing_complete, "{report}");
    assert_eq!(report.objects.verified, SMALL as u64, "{report}");
    assert!(report.objects.unfinished >= 1 && report.objects.unfinished <= 8, "half of the places: {report}");
    bench.source_faults = None;
    let report = bench.run_with(options(&bench)).await;
    assert_eq!(
        (report.ending, report.objects.listed),
        (Ending::Complete, (LARGE + SMALL) as u64),
        "{report}"
    );
    common::assert_equal(&bench).await;
}

/// Small objects that keep coming hold no large one up: it is done before the last of them begins.
#[tokio::test(flavor = "multi_thread")]
async fn large_objects_go_on_while_small_ones_keep_coming() {
    let mut bench = mixed("a-large", "b-small").await;
    for number in 0..200 {
        put(&bench.source, &format!("c-more{number:03}"), vec![1; 4 << 10]).await;
    }
    bench.source_faults = slow("", Duration::from_millis(20));
    let report = bench.run_with(options(&bench)).await;
    assert_eq!(report.ending, Ending::Complete, "{report}");
    common::assert_equal(&bench).await;
    let calls = bench.source_faults.as_ref().unwrap().log();
    let last_small = calls.iter().rposition(|(op, key)| *op == Operation::Read && key.starts_with("c-more"));
    let first_large = calls.iter().position(|(op, key)| *op == Operation::Read && key.starts_with("a-large"));
    let parts_before = calls[..last_small.unwrap()]
        .iter()
        .filter(|(op, key)| *op == Operation::Read && key.starts_with("a-large"))
        .count();
    assert!(first_large < last_small, "{calls:?}");
    assert!(parts_before >= LARGE, "{parts_before} reads of large ones before the last small one");
}
