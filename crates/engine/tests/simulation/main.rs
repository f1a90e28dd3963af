//! Whole runs over stores in memory, each from one seed: faults, lies, crashes, changes.
//!
//! A seed makes a world: names (hostile ones too), contents, attributes, two stores with rules of their own, options. Some
//! runs go through storms, each with its own weather:
//!
//! - **faults**: a call fails before or after it took effect; bodies break off, with and without an error;
//! - **noise**: bits flip between client and server;
//! - **lies**: see below;
//! - **crashes**: the run ends at some call, before or after that took effect. Half of the time the next run finds the ledger
//!   as it was on disk at that moment, else with all that was under way to it;
//! - **outages**: an end is down for seconds or hours, and the run waits, at most for six;
//! - **deletions**: some runs mirror them, under guards; what else is deleted is a violation;
//! - **changes**: the source's objects are written, deleted and made anew; strangers write to and delete from the destination.
//!
//! Then the dust settles: faults, lies and changes end, and six more runs follow, the last four of which read back. What must
//! hold after every run is in `check.rs`, what must hold in the end in `settled.rs`.
//!
//! What a level of proof withstands. *Yes*: an object is never said to be at that level wrongly.
//!
//! | the destination … | stored-unread | server-checked | read-back |
//! |---|---|---|---|
//! | loses the reply to a write, a part or a completion | yes | yes | yes |
//! | confirms a write and stores nothing | yes | yes | yes |
//! | stores only the beginning | yes | yes | yes |
//! | tells of an object as it was before its last change | yes | yes | yes |
//! | gets other bytes than were sent, and checks digests | yes | yes | yes |
//! | gets other bytes than were sent, and checks nothing | no | not claimed | yes |
//! | … and refused the probe's wrong digest all the same | no | no | yes |
//! | checks the bytes and stores others of the same length | no | no | yes |
//! | stores nothing and tells of the object as if it did | no | no | yes |
//! | gives out other bytes than it holds | – | – | yes: a mismatch is told |
//!
//! An object that gets another ETag as its attributes are set stays what it was: the same bytes, spoilt or whole.
//!
//! What is not claimed, since no run can know it. A run may take an object of its own for a stranger's, which is a conflict
//! and told as such, once the destination has given it out wrong, holds it otherwise than it was sent, or has told a look how
//! it was before the run's own last write to it. And an upload may stay open that no ledger knows: when the reply to its start
//! was lost, and the destination then denied to list or abort it. The report counts it (`may_be_open`), unless that run died.
//!
//! None withstands a source that gives out other bytes under the same ETag, nor a destination that keeps what was sent only
//! until it was read back. `adopted-size` claims equal sizes and nothing else.
//!
//! Strangers' objects are never overwritten where the destination enforces preconditions. Where it doesn't, the run looks
//! before each write: there strangers come at any moment but between that look and the write, and what the look is told is
//! true.
//!
//! Everything is drawn from the seed. What remains to chance is the order in which the ledger's threads answer and the
//! engine's own waits, so a replay may differ in the order of calls of different objects.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
#![allow(missing_docs, reason = "a test of its own")]

mod books;
mod check;
mod content;
mod deletes;
mod dice;
mod ledger;
mod lies;
mod outages;
mod plan;
mod settled;
mod sky;
mod stir;
mod store;
mod upload;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use world::{Verdict, live};

/// Seeds of a plain `cargo test`.
const SEEDS: u64 = 100;
/// Seeds that have shown a mistake, by what it was.
const SHOWN: &[(&str, &[u64])] = &[
    ("a failure in passing made the run think that conditions are rejected", &[1045, 2703]),
    ("an upload whose start was not answered was left open and forgotten", &[1287, 3053, 3912]),
    ("an object that differs kept an upload open that it had no use for", &[3192, 4388]),
    (
        "a spoilt object was given another ETag, and the simulation lost sight of it",
        &[1013, 1265, 1604, 2271],
    ),
    ("a write that was sent again and refused had been carried out the first time", &[3735]),
    ("an object of ours was told as gone, and taken for a stranger's when it was there again", &[1573]),
    ("what the destination didn't list and had was forgotten by --delete", &[62]),
    ("an object of ours that was listed as before was adopted for its size", &[7884]),
    ("an end that was down when its guards were asked stopped the run", &[1612, 1920, 2287, 2534, 3478]),
    ("a copy that replaced one with losses and was cut off forgot whose that one was", &[5810]),
    ("a stranger's folder marker where the source can have none", &[1290, 1493, 2918, 4054]),
];
/// No seed takes as long as that; one that does hangs.
const PATIENCE: Duration = Duration::from_secs(120);

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is '{text}', no number")))
}

fn lived(seed: u64, traced: bool) -> Verdict {
    catch_unwind(AssertUnwindSafe(|| live(seed, traced))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Verdict { violations: vec![format!("a panic: {}", text.unwrap_or_default())], trace: Vec::new() }
    })
}

#[test]
fn whole_runs() {
    if let Some(seed) = number("CABOTAGE_SIMULATE_SEED") {
        let verdict = lived(seed, true);
        for line in verdict.trace {
            eprintln!("{line}");
        }
        return assert!(verdict.violations.is_empty(), "seed {seed}: {}", verdict.violations.join("\n"));
    }
    let first = number("CABOTAGE_SIMULATE_FIRST").unwrap_or(0);
    let end = first + number("CABOTAGE_SIMULATE_SEEDS").unwrap_or(SEEDS);
    all_hold(&(first..end).collect::<Vec<_>>());
}

#[test]
fn seeds_that_have_shown_a_mistake() {
    if number("CABOTAGE_SIMULATE_SEED").is_none() {
        all_hold(&SHOWN.iter().flat_map(|(_, seeds)| seeds.iter().copied()).collect::<Vec<_>>());
    }
}

fn all_hold(seeds: &[u64]) {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let (told, verdicts) = channel();
    let mut failed = 0;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (told, next) = (told.clone(), &next);
            scope.spawn(move || {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if told.send((*seed, lived(*seed, false))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(told);
        loop {
            match verdicts.recv_timeout(PATIENCE) {
                Ok((seed, verdict)) if !verdict.violations.is_empty() => {
                    failed += 1;
                    tell(seed, &verdict);
                }
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let next = seeds.get(next.load(Ordering::Relaxed));
                    eprintln!("no seed has ended for {PATIENCE:?}; the next would be {next:?}");
                    std::process::exit(1);
                }
            }
        }
    });
    assert_eq!(failed, 0, "{failed} of {} seeds failed", seeds.len());
}

fn tell(seed: u64, verdict: &Verdict) {
    eprintln!("seed {seed}: replay with scripts/simulate --seed {seed}");
    for violation in &verdict.violations {
        eprintln!("    {}", violation.replace('\n', "\n    "));
    }
}
