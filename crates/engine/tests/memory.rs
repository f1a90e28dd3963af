//! `--memory` holds: 32 large objects in flight through the real engine, in a budget of 64 MiB.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, clippy::cast_possible_truncation)]

mod made_up;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use cabotage_core::{Probe, Storage};
use cabotage_engine::{Ending, Job, Options, Report, Side, Stop};
use made_up::{Alive, MadeUp, Sink};

const MIB: u64 = 1 << 20;
const BUDGET: u64 = 64 * MIB;
const OBJECTS: u64 = 32;
/// What a run takes beside bodies: code, threads, the ledger's caches, what is known of each object in flight. The guide
/// tells it.
const OVERHEAD: u64 = 64 * MIB;
const STATE: &str = "CABOTAGE_TEST_MEMORY_STATE";

/// Copies so many objects of that size, all in flight at once; checks the report.
async fn copy(state: &Path, size: u64, alive: &Alive) -> Report {
    let sink = Arc::new(Sink::new());
    let side = |store: Arc<dyn Storage>, probe: Option<Arc<dyn Probe>>| {
        let label = store.to_string();
        Side { store, probe, prefix: String::new(), label, place: None, throttle: Default::default() }
    };
    let source = side(Arc::new(MadeUp::new(OBJECTS, size, alive.clone())), None);
    let destination = side(Arc::clone(&sink) as _, Some(sink));
    let mut options = Options::new(state.to_owned());
    options.memory = BUDGET;
    options.concurrency = OBJECTS as usize;
    let job = Job { source, destination, options };
    let report = cabotage_engine::run(job, Stop::default(), Arc::default(), Arc::new(()));
    let report = Box::pin(report).await.unwrap();
    assert_eq!((report.objects.verified, report.ending), (OBJECTS, Ending::Complete), "{report}");
    assert_eq!(report.bytes_copied, OBJECTS * size, "{report}");
    report
}

/// Bodies that are alive at one moment never exceed the budget, and use it.
async fn bodies_of(state: &Path, size: u64) {
    let alive = Alive::default();
    copy(state, size, &alive).await;
    let most = alive.most();
    eprintln!("objects of {} MiB: at most {:.1} MiB of bodies at once", size / MIB, most as f64 / MIB as f64);
    assert!(most <= BUDGET, "{most} bytes of bodies were alive, the budget is {BUDGET}");
    assert!(most > BUDGET / 2, "only {most} bytes: nothing was in flight at once");
    assert_eq!(alive.now(), 0, "a body outlived the run");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_in_one_request_stay_within_the_budget() {
    let state = tempfile::tempdir().unwrap();
    bodies_of(state.path(), 20 * MIB).await;
}

/// A figure of this process in bytes, as Linux tells it.
fn resident(what: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Run by the next test in a process of its own; does nothing otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(state) = std::env::var(STATE) else { return };
    bodies_of(Path::new(&state), 40 * MIB).await;
    let peak = resident("VmHWM");
    eprintln!("peak of {} MiB", peak / MIB);
    assert!(peak <= BUDGET + OVERHEAD, "{} MiB", peak / MIB);
}

#[cfg(target_os = "linux")]
#[test]
fn bodies_in_parts_and_the_process_stay_within_the_budget() {
    let state = tempfile::tempdir().unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(STATE, state.path())
        .output()
        .unwrap();
    eprintln!("{}", String::from_utf8_lossy(&child.stderr));
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
}
