//! A disk that is full, under the ledger or under the destination: the run says so and ends, nothing half-written is taken
//! for whole, and with room the same command finishes.

use std::process::Command;

use acceptance::{Run, Tree, generate, read_tree};

use crate::bad_input::one_line;
use crate::crash::{files, wait_for};
use crate::migration::Home;
use crate::mount::{Filler, Mount};
use crate::parts::large_file;

crate::cases! {
    destination_of_small_files needs ["mount"],
    destination_of_a_large_file needs ["mount"],
    ledger_from_the_start needs ["mount"],
    ledger_in_mid_run needs ["mount"],
    ledger_to_the_last_byte needs ["mount"],
}

/// Every file under a final name is whole; how many there are.
#[track_caller]
fn all_whole(home: &Home, tree: &Tree) -> usize {
    let there = read_tree(&home.path("out"));
    let (ours, foreign): (Tree, Tree) = there.into_iter().partition(|(name, _)| tree.contains_key(name));
    for (name, digest) in &ours {
        assert_eq!(digest, &tree[name], "{name} is not whole");
    }
    let kept = |name: &String| name.starts_with(".cabotage/");
    assert!(foreign.keys().all(kept), "foreign files: {:?}", foreign.keys());
    ours.len()
}

/// The run ended before its time, and one line says why.
#[track_caller]
fn stopped(run: &Run, texts: &[&str]) {
    assert_eq!(run.code, Some(1), "{run}");
    assert_eq!(run.stderr, "", "{run}");
    let mut lines = run.stdout.lines();
    assert_eq!(lines.next(), Some("STOPPED"), "{run}");
    let line = lines.next().unwrap_or_default();
    for text in texts.iter().chain(&["free", "run again"]) {
        assert!(line.contains(text), "wanted {text:?} in {line:?}");
    }
}

/// With room the same command finishes; both folders are the same, and nothing else is left.
#[track_caller]
fn finishes(home: &Home, flags: &[&str], tree: &Tree) {
    let done = home.migrate(&home.text("in"), &home.text("out"), flags).expect(0);
    assert_eq!(done.count("listed"), tree.len() as u64, "{}", done.run);
    assert_eq!(done.count("conflicts"), 0, "{}", done.run);
    let compared =
        Command::new("diff").arg("-r").arg(home.path("in")).arg(home.path("out")).output().unwrap();
    assert!(compared.status.success(), "{}", String::from_utf8_lossy(&compared.stdout));
}

fn destination_of_small_files() {
    let home = Home::new();
    for i in 0..40 {
        large_file(&home.path(&format!("in/{i:02}")), 100_000);
    }
    let tree = read_tree(&home.path("in"));
    let mount = Mount::new(&home.text("out"), "size=1536k");
    let done = home.migrate(&home.text("in"), &home.text("out"), &["--concurrency", "4"]).expect(1);
    stopped(&done.run, &["disk is full"]);
    let whole = all_whole(&home, &tree);
    assert!(whole > 0 && whole < tree.len(), "{whole} of {} files are there", tree.len());
    mount.resize("16m");
    finishes(&home, &[], &tree);
}

/// Its parts stay for the next run; what is there of it has no name yet.
fn destination_of_a_large_file() {
    let home = Home::new();
    large_file(&home.path("in/large"), 12 << 20);
    generate(&home.path("in/small"), 20, 31);
    let tree = read_tree(&home.path("in"));
    let mount = Mount::new(&home.text("out"), "size=6m");
    let flags = ["--part-threshold", "1MiB", "--concurrency", "2"];
    let done = home.migrate(&home.text("in"), &home.text("out"), &flags).expect(1);
    stopped(&done.run, &["disk is full"]);
    assert!(!home.path("out/large").exists(), "a part of the file is taken for it");
    all_whole(&home, &tree);
    mount.resize("64m");
    finishes(&home, &flags, &tree);
}

/// The ledger keeps some room free, so that what is under way can be recorded: with less, nothing is begun.
fn ledger_from_the_start() {
    let home = Home::new();
    let tree = generate(&home.path("in"), 20, 32);
    let mount = Mount::new(&home.text("state"), "size=32m");
    let done = home.migrate(&home.text("in"), &home.text("out"), &[]).expect(1);
    one_line(&done.run, 1, &["the disk of the state folder", "64 MiB free", "run again"]);
    assert_eq!(files(&home, "out"), 0, "something was written that the ledger doesn't know");
    mount.resize("128m");
    finishes(&home, &[], &tree);
}

/// Less room than the ledger keeps free: what is under way is recorded, and the report is whole.
fn ledger_in_mid_run() {
    let home = Home::new();
    let tree = generate(&home.path("in"), 2_000, 33);
    let mount = Mount::new(&home.text("state"), "size=128m");
    let mut run = home.start(&home.text("in"), &home.text("out"), &["--concurrency", "4"]);
    wait_for(&mut run, || files(&home, "out") >= 40);
    mount.resize("32m");
    let done = home.finished(run.wait()).expect(1);
    stopped(&done.run, &["the disk of the state folder", "64 MiB free"]);
    let whole = all_whole(&home, &tree);
    assert!(whole < tree.len(), "the run was over before the disk was full");
    assert_eq!(done.count("verified"), whole as u64, "what is there and what is recorded: {}", done.run);
    mount.resize("128m");
    finishes(&home, &[], &tree);
}

/// Others take the last byte: what is under way can't be recorded any more.
fn ledger_to_the_last_byte() {
    let home = Home::new();
    let tree = generate(&home.path("in"), 2_000, 34);
    let _mount = Mount::new(&home.text("state"), "size=80m");
    let mut run = home.start(&home.text("in"), &home.text("out"), &["--concurrency", "4"]);
    wait_for(&mut run, || files(&home, "out") >= 40);
    let filler = Filler::new(&home.path("state"));
    let ended = run.wait();
    one_line(&ended, 1, &["full", "free some space"]);
    assert!(all_whole(&home, &tree) < tree.len(), "the run was over before the disk was full");
    let again = home.migrate(&home.text("in"), &home.text("out"), &[]).expect(1);
    one_line(&again.run, 1, &["the ledger", "free some space"]);
    drop(filler);
    finishes(&home, &[], &tree);
}
