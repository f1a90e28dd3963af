//! A run that dies or is interrupted, and the same command again.

use std::time::{Duration, Instant};

use acceptance::{Running, S3Server, generate, read_tree};

use crate::migration::Home;
use crate::parts::large_file;

crate::cases! {
    killed_in_mid_run needs ["rgw"],
    killed_in_mid_run_on_disk needs [],
    killed_in_mid_upload needs ["rgw"],
    killed_in_mid_block_upload needs ["azurite"],
    interrupted needs ["rgw"],
    interrupted_in_mid_upload needs ["rgw"],
    interrupted_twice_in_mid_upload needs ["rgw"],
    killed_again_and_again needs [],
}

/// Waits until the condition holds or the run has ended.
fn wait_for(running: &mut Running, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !running.has_ended() && !condition() {
        assert!(begun.elapsed() < Duration::from_secs(120), "the run does nothing");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn arrived(rgw: &S3Server, bucket: &str) -> usize {
    rgw.raw.keys(bucket).len()
}

/// The rest is done, without a conflict, and at most what was in flight is copied again.
fn rest_is_done(home: &Home, to: &str, before: usize, in_flight: usize, all: usize) {
    assert!(before > 0 && before < all, "the run was not in its middle: {before} of {all} had arrived");
    let second = home.migrate(&home.text("in"), to, &["--concurrency", "4"]).expect(0);
    assert_eq!(second.count("conflicts"), 0, "{}", second.run);
    assert_eq!(second.count("listed"), all as u64);
    let again = second.copied() as usize - (all - before).min(second.copied() as usize);
    assert!(again <= in_flight, "{again} objects that had arrived were copied again: {}", second.run);
}

fn killed_in_mid_run() {
    let rgw = acceptance::rgw().unwrap();
    let home = Home::with_s3(&rgw);
    let bucket = rgw.bucket("kill");
    let to = format!("s3://{bucket}");
    let tree = generate(&home.path("in"), 500, 11);
    let mut first = home.start(&home.text("in"), &to, &["--concurrency", "4"]);
    wait_for(&mut first, || arrived(&rgw, &bucket) >= 40);
    first.signal("KILL");
    assert_eq!(first.wait().code, None, "the run ended before it was killed");
    std::thread::sleep(Duration::from_millis(300));
    let before = arrived(&rgw, &bucket);
    rest_is_done(&home, &to, before, 4, tree.len());
    let back = home.migrate(&to, &home.text("back"), &[]).expect(0);
    assert_eq!(back.digests(), tree);
    rgw.raw.remove_bucket(&bucket);
}

fn files(home: &Home, name: &str) -> usize {
    let folder = home.path(name);
    if folder.exists() { list_files(&folder) } else { 0 }
}

fn list_files(folder: &std::path::Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .filter_map(Result::ok)
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with(".cabotage"))
        .map(|entry| if entry.path().is_dir() { list_files(&entry.path()) } else { 1 })
        .sum()
}

fn killed_in_mid_run_on_disk() {
    let home = Home::new();
    let tree = generate(&home.path("in"), 1_500, 12);
    let mut first = home.start(&home.text("in"), &home.text("out"), &["--concurrency", "4"]);
    wait_for(&mut first, || files(&home, "out") >= 40);
    first.signal("KILL");
    assert_eq!(first.wait().code, None, "the run ended before it was killed");
    let before = files(&home, "out");
    rest_is_done(&home, &home.text("out"), before, 4, tree.len());
    assert_eq!(
        read_tree(&home.path("out")),
        tree,
        "something else is in the folder, or something is not whole"
    );
}

/// Five times killed at ever later moments; then everything is there, once.
fn killed_again_and_again() {
    let home = Home::new();
    let tree = generate(&home.path("in"), 600, 13);
    for round in 1..=5 {
        let mut run = home.start(&home.text("in"), &home.text("out"), &["--concurrency", "8"]);
        wait_for(&mut run, || files(&home, "out") >= round * 70);
        run.signal("KILL");
        let _ = run.wait();
    }
    let done = home.migrate(&home.text("in"), &home.text("out"), &[]).expect(0);
    assert_eq!(done.count("conflicts"), 0, "{}", done.run);
    assert_eq!(read_tree(&home.path("out")), tree);
}

const LARGE: u64 = 48 << 20;
const PARTS: &[&str] = &["--part-threshold", "5MiB", "--memory", "16MiB", "--concurrency", "1"];

/// Stops a run while an upload is open; the same command finishes the object and leaves no upload open.
fn stopped_in_mid_upload(signals: &[&str], code: Option<i32>) {
    let rgw = acceptance::rgw().unwrap();
    let home = Home::with_s3(&rgw);
    let bucket = rgw.bucket("upload");
    let to = format!("s3://{bucket}");
    large_file(&home.path("in/large"), LARGE);
    let tree = read_tree(&home.path("in"));
    let mut first = home.start(&home.text("in"), &to, PARTS);
    wait_for(&mut first, || rgw.raw.open_uploads(&bucket) > 0);
    for signal in signals {
        first.signal(signal);
        std::thread::sleep(Duration::from_millis(20));
    }
    let ended = first.wait();
    assert_eq!(ended.code, code, "{ended}");
    let second = home.migrate(&home.text("in"), &to, PARTS).expect(0);
    assert_eq!(second.count("conflicts"), 0, "{}", second.run);
    assert_eq!(rgw.raw.open_uploads(&bucket), 0, "an upload is left open: {}", second.run);
    let content = rgw.raw.get(&bucket, "large").unwrap();
    assert_eq!(acceptance::sha256(&content), tree["large"]);
    rgw.raw.remove_bucket(&bucket);
}

fn killed_in_mid_upload() {
    stopped_in_mid_upload(&["KILL"], None);
}

fn interrupted_in_mid_upload() {
    stopped_in_mid_upload(&["INT"], Some(130));
}

fn interrupted_twice_in_mid_upload() {
    stopped_in_mid_upload(&["INT", "INT"], Some(130));
}

/// Blocks that are not committed are invisible; the second run makes the blob.
fn killed_in_mid_block_upload() {
    let azurite = acceptance::azurite().unwrap();
    let home = Home::with_azurite(&azurite);
    let container = azurite.container("blocks");
    let to = format!("az://{container}");
    large_file(&home.path("in/large"), LARGE);
    let tree = read_tree(&home.path("in"));
    let mut first = home.start(&home.text("in"), &to, PARTS);
    let path = format!("/{container}/large");
    let query = [("comp", "blocklist"), ("blocklisttype", "uncommitted")];
    wait_for(&mut first, || !azurite.raw.request("GET", &path, &query, &[], b"").elements("Name").is_empty());
    first.signal("KILL");
    assert_eq!(first.wait().code, None, "the run ended before it was killed");
    assert_eq!(azurite.raw.get(&container, "large"), None, "a part of the object is visible");
    home.migrate(&home.text("in"), &to, PARTS).expect(0);
    assert_eq!(acceptance::sha256(&azurite.raw.get(&container, "large").unwrap()), tree["large"]);
    azurite.raw.remove_container(&container);
}

fn interrupted() {
    let rgw = acceptance::rgw().unwrap();
    let home = Home::with_s3(&rgw);
    let bucket = rgw.bucket("int");
    let to = format!("s3://{bucket}");
    let tree = generate(&home.path("in"), 500, 14);
    let mut first = home.start(&home.text("in"), &to, &["--concurrency", "4"]);
    wait_for(&mut first, || arrived(&rgw, &bucket) >= 40);
    first.signal("INT");
    let first = home.finished(first.wait()).expect(130);
    let before = arrived(&rgw, &bucket);
    assert_eq!(
        first.count("verified"),
        before as u64,
        "what had arrived and what is reported: {}",
        first.run
    );
    rest_is_done(&home, &to, before, 0, tree.len());
    rgw.raw.remove_bucket(&bucket);
}
