//! Runs in which an end is down for a while, or for good. Hours pass in a moment: the clock is the test's own.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cabotage_core::{
    Access, Error, ErrorKind, Key, ListOrder, Operation, Probe, Result, Storage as _, Support, Versioning,
};
use cabotage_engine::{Ending, Event, Options, Progress, Report, Stop};
use cabotage_layers::{Calls, Effect, Faults, Rule};
use cabotage_memory::MemoryStore;
use common::{Bench, Events, assert_equal, put};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

const HOUR: Duration = Duration::from_secs(3600);
const OBJECTS: u64 = 200;

/// Some objects go in parts; each write takes a moment, so that an outage meets some in flight.
async fn filled(order: ListOrder) -> Bench {
    let mut bench = Bench::with(|c| {
        c.limits.part_min = 1 << 20;
        c.list_order = order;
    });
    let mut capabilities = bench.source.capabilities().clone();
    capabilities.list_order = order;
    bench.source = bench.source.with_capabilities(capabilities);
    for i in 0..OBJECTS {
        let content = if i % 20 == 7 { vec![1; 3 << 20] } else { format!("content {i}").into_bytes() };
        put(&bench.source, &format!("k{i:04}"), content).await;
    }
    let slow = |operation| Rule::new(operation, Effect::Delay(Duration::from_millis(20)));
    bench.source_faults = Some(Faults::new([slow(Operation::Read)]));
    bench.destination_faults = Some(Faults::new([slow(Operation::Write), slow(Operation::WritePart)]));
    bench
}

fn options(bench: &Bench) -> Options {
    Options { part_threshold: 2 << 20, ..bench.options() }
}

/// Lets time pass: slowly while there is work, since the ledger's thread knows nothing of this clock; quickly while an
/// end is waited for.
fn clock(progress: &Arc<Progress>, stop: &Stop) -> AbortOnDropHandle<()> {
    let (progress, stop) = (Arc::clone(progress), stop.clone());
    AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            let now = progress.snapshot();
            let waiting = (now.source_down || now.destination_down) && !stop.drain.is_cancelled();
            tokio::time::advance(Duration::from_micros(if waiting { 20_000_000 } else { 200 })).await;
        }
    }))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Which {
    Source,
    Destination,
    Both,
}

struct Ran {
    report: Report,
    events: Vec<String>,
    waiting_was_shown: bool,
}

/// Runs; when a hundred objects are done, an end is down for so long.
async fn run(bench: &Bench, which: Which, kind: ErrorKind, time: Duration, options: Options) -> Ran {
    let (stop, progress, events) =
        (Stop::default(), Arc::new(Progress::default()), Arc::new(Events::default()));
    let _clock = clock(&progress, &stop);
    let observer = Arc::clone(&events) as Arc<dyn cabotage_engine::Observer>;
    let running = cabotage_engine::run(bench.job(options), stop, Arc::clone(&progress), observer);
    let ends: Vec<Faults> = match which {
        Which::Source => vec![bench.source_faults.clone().unwrap()],
        Which::Destination => vec![bench.destination_faults.clone().unwrap()],
        Which::Both => vec![bench.source_faults.clone().unwrap(), bench.destination_faults.clone().unwrap()],
    };
    let shown = Arc::new(AtomicBool::new(false));
    let (was_shown, all) = (Arc::clone(&shown), ends.clone());
    let weather = async move {
        while progress.snapshot().done < 50 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        ends.iter().for_each(|end| end.set_down(Some(kind)));
        tokio::time::sleep(Duration::from_secs(60)).await;
        let now = progress.snapshot();
        was_shown.store(now.source_down || now.destination_down, Ordering::SeqCst);
        tokio::time::sleep(time).await;
        ends.iter().for_each(|end| end.set_down(None));
    };
    let weather = tokio::spawn(weather);
    let report = running.await.unwrap();
    weather.abort();
    all.iter().for_each(|end| end.set_down(None));
    let text = |event: &Event| match event {
        Event::Note(text) | Event::Warning(text) | Event::Trouble { text, .. } => text.clone(),
        Event::Finding { .. } => String::new(),
    };
    let events = events.0.lock().unwrap().iter().map(text).collect();
    Ran { report, events, waiting_was_shown: shown.load(Ordering::SeqCst) }
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_hours_fails_no_object() {
    for (which, kind, order) in [
        (Which::Destination, ErrorKind::Unreachable, ListOrder::Bytes),
        (Which::Destination, ErrorKind::AccountDenied, ListOrder::Utf16),
        (Which::Source, ErrorKind::Unreachable, ListOrder::Utf16),
        (Which::Source, ErrorKind::AccountDenied, ListOrder::Bytes),
        (Which::Both, ErrorKind::Unreachable, ListOrder::Bytes),
        (Which::Destination, ErrorKind::Timeout, ListOrder::Bytes),
    ] {
        let bench = filled(order).await;
        let ran = run(&bench, which, kind, 3 * HOUR, options(&bench)).await;
        let (report, what) = (&ran.report, format!("{which:?} {kind:?}"));
        let objects = &report.objects;
        assert_eq!(
            (objects.verified, objects.failed, report.ending),
            (OBJECTS, 0, Ending::Complete),
            "{what} {report}"
        );
        assert_equal(&bench).await;
        assert!(ran.waiting_was_shown, "{what}");
        let ends = &report.endpoints;
        let (source, destination) = (ends.source.outages, ends.destination.outages);
        // An end is seen to be down when it is asked: of two, the one that all wait for may hide the other.
        match which {
            Which::Both => assert!(source + destination > 0, "{what}"),
            _ => assert_eq!(
                (source > 0, destination > 0),
                (which == Which::Source, which == Which::Destination),
                "{what}"
            ),
        }
        let seconds = ends.source.outage_seconds.max(ends.destination.outage_seconds);
        assert!((10_000.0..11_000.0).contains(&seconds), "{what}: {seconds}");
        assert!(report.to_string().contains("was down once, 3 h"), "{what} {report}");
        let end = if destination == 0 { "source" } else { "destination" };
        let told = |text: &str| ran.events.iter().any(|event| event.contains(text));
        assert!(told(&format!("the {end} memory://{end} does not answer since")), "{what} {:?}", ran.events);
        assert!(told("waiting, at most 6 h; Ctrl-C ends"), "{what} {:?}", ran.events);
        assert!(told("answers again, after 3 h"), "{what} {:?}", ran.events);
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_lasts_too_long_stops_the_run_and_the_next_one_finishes() {
    for which in [Which::Source, Which::Destination] {
        let bench = filled(ListOrder::Bytes).await;
        let ran = run(&bench, which, ErrorKind::AccountDenied, 7 * HOUR, options(&bench)).await;
        let (report, objects) = (&ran.report, &ran.report.objects);
        assert_eq!((report.ending, objects.failed), (Ending::Stopped, 0), "{report}");
        assert!(objects.unfinished > 0 && objects.verified >= 50, "{report}");
        let ends = &report.endpoints;
        let seconds = ends.source.outage_seconds.max(ends.destination.outage_seconds);
        assert!((21_600.0..21_700.0).contains(&seconds), "{seconds}");
        let reason = report.stopped.as_deref().unwrap();
        assert!(reason.contains("did not answer for 6 h, the longest time to wait"), "{reason}");
        let next = bench.run_with(options(&bench)).await;
        assert_eq!((next.ending, next.objects.listed), (Ending::Complete, OBJECTS), "{next}");
        assert_equal(&bench).await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_patience_the_run_stops_at_once() {
    let bench = filled(ListOrder::Bytes).await;
    let options = Options { max_outage: Duration::ZERO, ..options(&bench) };
    let ran = run(&bench, Which::Destination, ErrorKind::Unreachable, HOUR, options).await;
    assert_eq!((ran.report.ending, ran.report.objects.failed), (Ending::Stopped, 0), "{}", ran.report);
    assert_eq!(ran.report.endpoints.destination.outages, 0, "{}", ran.report);
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_waiting_ends_the_run_at_once() {
    for time_up in [false, true] {
        let bench = filled(ListOrder::Bytes).await;
        let (stop, progress) = (Stop::default(), Arc::new(Progress::default()));
        let _clock = clock(&progress, &stop);
        let observer = Arc::new(Events::default());
        let running =
            cabotage_engine::run(bench.job(options(&bench)), stop.clone(), Arc::clone(&progress), observer);
        let destination = bench.destination_faults.clone().unwrap();
        let user = async move {
            while progress.snapshot().done < 50 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            destination.set_down(Some(ErrorKind::Unreachable));
            tokio::time::sleep(Duration::from_secs(600)).await;
            if time_up {
                stop.time_up.cancel();
            }
            stop.drain.cancel();
            let asked = Instant::now();
            (asked, destination)
        };
        let user = tokio::spawn(user);
        let report = running.await.unwrap();
        let (asked, destination) = user.await.unwrap();
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
        let ending = if time_up { Ending::TimeUp } else { Ending::Interrupted };
        assert_eq!((report.ending, report.objects.failed), (ending, 0), "{report}");
        assert!(report.objects.unfinished > 0, "{report}");
        destination.set_down(None);
        let next = bench.run_with(options(&bench)).await;
        assert_eq!(next.ending, Ending::Complete, "{next}");
        assert_equal(&bench).await;
    }
}

#[tokio::test]
async fn an_end_that_never_answered_is_no_outage() {
    let bench = filled(ListOrder::Bytes).await;
    bench.source_faults.as_ref().unwrap().set_down(Some(ErrorKind::Unreachable));
    let ran = tokio::time::timeout(HOUR, bench.try_run(options(&bench))).await;
    let error = ran.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
}

#[tokio::test(start_paused = true)]
async fn writes_that_fail_for_all_are_waited_for_though_listings_are_answered() {
    let mut bench = filled(ListOrder::Bytes).await;
    // The guards' writes and the first objects' go well; then 100 writes fail.
    let failing = (50..150)
        .map(|n| Rule::new(Operation::Write, Effect::Fail(ErrorKind::Unavailable)).calls(Calls::OfAll(n)));
    bench.destination_faults = Some(Faults::new(failing));
    let report = bench.run_with(options(&bench)).await;
    assert_eq!((report.objects.failed, report.ending), (0, Ending::Complete), "{report}");
    assert!(report.endpoints.destination.outages >= 1, "{report}");
    assert_equal(&bench).await;
}

/// A probe that nothing answers at first.
#[derive(Debug)]
struct DownAtFirst(MemoryStore, AtomicBool);

#[async_trait::async_trait]
impl Probe for DownAtFirst {
    async fn wrong_digest(&self, key: &Key) -> Result<Support> {
        if self.1.swap(true, Ordering::SeqCst) {
            return self.0.wrong_digest(key).await;
        }
        Err(Error::new(ErrorKind::Unreachable, "refused"))
    }
    async fn versioning(&self) -> Result<Versioning> {
        self.0.versioning().await
    }
    async fn clock_skew(&self) -> Result<Option<i64>> {
        self.0.clock_skew().await
    }
    fn right(&self, access: Access) -> &'static str {
        self.0.right(access)
    }
}

#[tokio::test]
async fn an_end_that_is_down_when_its_guards_are_asked_is_asked_again() {
    let bench = Bench::new();
    put(&bench.source, "k", "content").await;
    let mut job = bench.job(bench.options());
    job.destination.probe = Some(Arc::new(DownAtFirst(bench.destination.clone(), AtomicBool::new(false))));
    let report = cabotage_engine::run(job, Stop::default(), Arc::default(), Arc::new(())).await.unwrap();
    assert_eq!((report.objects.verified, report.ending), (1, Ending::Complete), "{report}");
}
