//! Runs that end at the time given.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use cabotage_core::Operation;
use cabotage_engine::{Ending, Progress, Report, Stop};
use cabotage_layers::{Effect, Faults, Rule};
use common::{Bench, Events, assert_equal, put};

async fn filled() -> Bench {
    let mut bench = Bench::new();
    for i in 0..200 {
        put(&bench.source, &format!("k{i:04}"), format!("content {i}")).await;
    }
    let delay = Rule::new(Operation::Write, Effect::Delay(Duration::from_millis(50)));
    bench.destination_faults = Some(Faults::new(vec![delay]));
    bench
}

/// Runs; the time is up when that many objects are done.
async fn until(bench: &Bench, done: u64) -> Report {
    let (stop, progress) = (Stop::default(), Arc::new(Progress::default()));
    let observer = Arc::new(Events::default());
    let run = cabotage_engine::run(bench.job(bench.options()), stop.clone(), Arc::clone(&progress), observer);
    let clock = async {
        while progress.snapshot().done < done {
            tokio::task::yield_now().await;
        }
        stop.time_up.cancel();
        stop.drain.cancel();
    };
    tokio::join!(run, clock).0.unwrap()
}

#[tokio::test]
async fn what_is_in_flight_is_finished_and_the_next_run_goes_on() {
    let bench = filled().await;
    let report = until(&bench, 5).await;
    assert_eq!((report.ending, report.objects.unfinished), (Ending::TimeUp, 0), "{report}");
    assert!(report.objects.verified > 0 && report.objects.verified < 200, "{report}");
    assert!(report.to_string().starts_with("Ended at the time given"), "{report}");
    let rest = bench.run().await;
    assert_eq!((rest.objects.skipped, rest.ending), (report.objects.verified, Ending::Complete), "{rest}");
    assert_equal(&bench).await;
}

#[tokio::test]
async fn a_run_that_is_done_in_time_is_complete() {
    let report = until(&filled().await, 200).await;
    assert_eq!((report.ending, report.objects.verified), (Ending::Complete, 200), "{report}");
}
