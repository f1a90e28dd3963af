//! The same command again: what is done is skipped on proof, what others put there is left alone.

use acceptance::{generate, read_tree};

use crate::migration::Home;

crate::cases! {
    second_run_skips_everything needs ["azurite", "rgw"],
    changed_and_new_objects_are_copied needs [],
    foreign_object_is_a_conflict needs ["rgw"],
    foreign_file_is_a_conflict needs [],
    changed_destination_is_a_conflict needs ["rgw"],
    adopted_by_content needs ["rgw"],
    two_runs_at_once needs [],
    nothing_is_deleted needs [],
}

fn second_run_skips_everything() {
    let (azurite, rgw) = (acceptance::azurite().unwrap(), acceptance::rgw().unwrap());
    let home = Home::with_servers(&azurite, &rgw);
    let (container, bucket) = (azurite.container("again"), rgw.bucket("again"));
    let tree = generate(&home.path("in"), 60, 5);
    let (az, s3) = (format!("az://{container}"), format!("s3://{bucket}"));
    for (from, to) in [(home.text("in"), az.clone()), (az, s3)] {
        home.migrate(&from, &to, &[]).expect(0);
        let second = home.migrate(&from, &to, &[]).expect(0);
        assert_eq!(second.count("skipped"), tree.len() as u64, "{from} to {to}: {}", second.run);
        assert_eq!(second.copied(), 0);
    }
    azurite.raw.remove_container(&container);
    rgw.raw.remove_bucket(&bucket);
}

fn changed_and_new_objects_are_copied() {
    let home = Home::new();
    let tree = generate(&home.path("in"), 20, 6);
    home.migrate(&home.text("in"), &home.text("out"), &[]).expect(0);
    let changed = tree.keys().next().unwrap();
    std::fs::write(home.path("in").join(changed), "other content").unwrap();
    std::fs::write(home.path("in").join("new"), "new").unwrap();
    let second = home.migrate(&home.text("in"), &home.text("out"), &[]).expect(0);
    assert_eq!((second.copied(), second.count("skipped")), (2, 19), "{}", second.run);
    assert_eq!(read_tree(&home.path("out")), read_tree(&home.path("in")));
}

fn foreign_object_is_a_conflict() {
    let rgw = acceptance::rgw().unwrap();
    let home = Home::with_s3(&rgw);
    let bucket = rgw.bucket("foreign");
    let tree = generate(&home.path("in"), 12, 7);
    let taken = tree.keys().next_back().unwrap();
    rgw.raw.put(&bucket, taken, b"somebody else's");
    let done = home.migrate(&home.text("in"), &format!("s3://{bucket}"), &[]).expect(3);
    assert_eq!((done.count("conflicts"), done.count("verified")), (1, 11), "{}", done.run);
    assert_eq!(done.line(taken)["class"], "conflict");
    done.run.says("destination-conflict");
    assert_eq!(rgw.raw.get(&bucket, taken).unwrap(), b"somebody else's");
    let again =
        home.migrate(&home.text("in"), &format!("s3://{bucket}"), &["--overwrite", "never"]).expect(3);
    assert_eq!((again.count("conflicts"), again.count("skipped")), (1, 11), "{}", again.run);
    let forced =
        home.migrate(&home.text("in"), &format!("s3://{bucket}"), &["--overwrite", "always"]).expect(0);
    assert_eq!(forced.copied(), 1, "{}", forced.run);
    assert_ne!(rgw.raw.get(&bucket, taken).unwrap(), b"somebody else's");
    rgw.raw.remove_bucket(&bucket);
}

fn foreign_file_is_a_conflict() {
    let home = Home::new();
    generate(&home.path("in"), 3, 8);
    std::fs::write(home.path("in/mine"), "mine").unwrap();
    std::fs::create_dir(home.path("out")).unwrap();
    std::fs::write(home.path("out/mine"), "yours").unwrap();
    let done = home.migrate(&home.text("in"), &home.text("out"), &[]).expect(3);
    assert_eq!((done.count("conflicts"), done.count("verified")), (1, 3), "{}", done.run);
    assert_eq!(std::fs::read(home.path("out/mine")).unwrap(), b"yours");
}

/// What this job wrote and somebody changed since is no longer this job's.
fn changed_destination_is_a_conflict() {
    let rgw = acceptance::rgw().unwrap();
    let home = Home::with_s3(&rgw);
    let bucket = rgw.bucket("changed");
    let tree = generate(&home.path("in"), 6, 9);
    let name = tree.keys().next().unwrap();
    home.migrate(&home.text("in"), &format!("s3://{bucket}"), &[]).expect(0);
    rgw.raw.put(&bucket, name, b"edited at the destination");
    let done = home.migrate(&home.text("in"), &format!("s3://{bucket}"), &[]).expect(3);
    assert_eq!((done.count("conflicts"), done.count("skipped")), (1, 5), "{}", done.run);
    assert_eq!(rgw.raw.get(&bucket, name).unwrap(), b"edited at the destination");
    rgw.raw.remove_bucket(&bucket);
}

/// Objects that are already there count when both ends, read whole, are equal; others are conflicts.
fn adopted_by_content() {
    let rgw = acceptance::rgw().unwrap();
    let home = Home::with_s3(&rgw);
    let bucket = rgw.bucket("adopt");
    for (name, content) in [("same", "equal content"), ("other", "one content")] {
        std::fs::create_dir_all(home.path("in")).unwrap();
        std::fs::write(home.path("in").join(name), content).unwrap();
    }
    rgw.raw.put(&bucket, "same", b"equal content");
    rgw.raw.put(&bucket, "other", b"two content");
    let done = home.migrate(&home.text("in"), &format!("s3://{bucket}"), &["--adopt", "content"]).expect(3);
    assert_eq!((done.count("conflicts"), done.copied()), (1, 0), "{}", done.run);
    assert_eq!(rgw.raw.get(&bucket, "other").unwrap(), b"two content");
    let again = home.migrate(&home.text("in"), &format!("s3://{bucket}"), &[]).expect(3);
    assert_eq!((again.count("conflicts"), again.count("skipped")), (1, 1), "{}", again.run);
    rgw.raw.remove_bucket(&bucket);
}

/// The second of two runs of one job at once is refused with its own exit code.
fn two_runs_at_once() {
    let home = Home::new();
    crate::parts::large_file(&home.path("in/large"), 300 << 20);
    let mut first = home.command("migrate").args([home.text("in"), home.text("out")]).spawn();
    let ledger = home.path("state/cabotage");
    while !first.has_ended() && !std::fs::read_dir(&ledger).is_ok_and(|mut files| files.next().is_some()) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let second = home.command("migrate").args([home.text("in"), home.text("out")]).run();
    let overtaken = first.has_ended();
    let _ = first.wait().expect(0);
    // The first may have ended before the second began: then nothing is shown.
    assert!(overtaken || second.code == Some(11), "{second}");
}

/// What is gone from the source stays at the destination, and is counted.
fn nothing_is_deleted() {
    let home = Home::new();
    let tree = generate(&home.path("in"), 5, 10);
    home.migrate(&home.text("in"), &home.text("out"), &[]).expect(0);
    std::fs::remove_file(home.path("in").join(tree.keys().next().unwrap())).unwrap();
    let done = home.migrate(&home.text("in"), &home.text("out"), &[]).expect(0);
    assert_eq!(done.report["gone_from_source"], 1, "{}", done.run);
    assert_eq!(read_tree(&home.path("out")), tree);
}
