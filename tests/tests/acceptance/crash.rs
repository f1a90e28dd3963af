//! A run that dies or is interrupted, and the same command again.

use std::time::{Duration, Instant};

use acceptance::{Running, S3Server, generate, read_tree};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

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
    killed_at_twenty_moments needs ["rgw"],
}

/// Waits until the condition holds or the run has ended.
pub(crate) fn wait_for(running: &mut Running, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !running.has_ended() && !condition() {
        assert!(begun.elapsed() < Duration::from_secs(120), "the run does nothing");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn arrived(rgw: &S3Server, bucket: &str) -> usize {
    rgw.raw.keys(bucket).len()
}

/// The rest is done, without a conflict, and at most what was in flight is copied again.
pub(crate) fn rest_is_done(home: &Home, to: &str, before: usize, in_flight: usize, all: usize) {
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

pub(crate) fn files(home: &Home, name: &str) -> usize {
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

/// The seed of a test with chance in it: `CABOTAGE_SEED`, to play one again, else a new one. It is printed.
fn seed(test: &str) -> u64 {
    let given = std::env::var("CABOTAGE_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(rand::random);
    println!("{test}: CABOTAGE_SEED={seed}");
    seed
}

/// Twenty times killed at random moments in 500 objects, some of them large, and each time resumed: at the end everything
/// is there once, and nothing is left open.
fn killed_at_twenty_moments() {
    let seed = seed("killed_at_twenty_moments");
    let mut random = StdRng::seed_from_u64(seed);
    let rgw = acceptance::rgw().unwrap();
    let home = Home::with_s3(&rgw);
    let bucket = rgw.bucket("kills");
    let to = format!("s3://{bucket}");
    generate(&home.path("in"), 500, seed);
    for name in ["0/large", "m large", "z/z/large"] {
        large_file(&home.path("in").join(name), 23 << 20);
    }
    let tree = read_tree(&home.path("in"));
    let flags = ["--part-threshold", "5MiB", "--memory", "16MiB", "--concurrency", "2"];
    let (mut killed, mut unfinished) = (0, 0);
    for round in 0..20 {
        let mut run = home.start(&home.text("in"), &to, &flags);
        // The manifest is made when the run has its ledger; what comes before is the start of the process.
        wait_for(&mut run, || home.path("manifest.ndjson").exists());
        // Half the moments lie where a run on a fast machine is not over yet; each run has less left to do.
        let latest = if round % 2 == 0 { 50 } else { 400 };
        let (begun, moment) = (Instant::now(), Duration::from_millis(random.random_range(0..latest)));
        while begun.elapsed() < moment {
            std::thread::sleep(Duration::from_millis(1));
        }
        run.signal("KILL");
        killed += u32::from(run.wait().code.is_none());
        unfinished += u32::from(rgw.raw.open_uploads(&bucket) > 0);
    }
    println!("killed_at_twenty_moments: {killed} runs were killed, {unfinished} of them with open uploads");
    assert!(killed >= 10, "the runs were over before they were killed: {killed} of 20, seed {seed}");
    let last = home.migrate(&home.text("in"), &to, &flags).expect(0);
    assert_eq!(last.count("conflicts"), 0, "seed {seed}: {}", last.run);
    assert_eq!(last.count("listed"), tree.len() as u64, "seed {seed}");
    assert_eq!(rgw.raw.open_uploads(&bucket), 0, "an upload is left open, seed {seed}: {}", last.run);
    assert!(rgw.raw.names(&bucket).iter().eq(tree.keys()), "other names than at the source, seed {seed}");
    for (name, digest) in &tree {
        let content = rgw.raw.get(&bucket, name).unwrap();
        assert_eq!(acceptance::sha256(&content), *digest, "{name} differs, seed {seed}");
    }
    rgw.raw.remove_bucket(&bucket);
}

pub(crate) const LARGE: u64 = 48 << 20;
pub(crate) const PARTS: &[&str] = &["--part-threshold", "5MiB", "--memory", "16MiB", "--concurrency", "1"];

/// Stops a run while an upload is open; the same command finishes the object and leaves no upload open.
pub(crate) fn stopped_in_mid_upload(signals: &[&str], code: Option<i32>) {
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
