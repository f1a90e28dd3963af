//! Large objects go in parts, and nothing of them stays open.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

use acceptance::read_tree;

use crate::migration::Home;

crate::cases! {
    large_objects_by_parts needs ["azurite", "rgw"],
    just_around_the_threshold needs ["rgw"],
    parts_on_disk needs [],
}

/// So many bytes, nowhere alike.
pub(crate) fn large_file(path: &Path, bytes: u64) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut random = File::open("/dev/urandom").unwrap().take(bytes);
    let mut file = File::create(path).unwrap();
    std::io::copy(&mut random, &mut file).unwrap();
    file.flush().unwrap();
}

/// What a run may take whose bodies in flight may take 64 MiB.
const PEAK: u64 = 200 << 20;

/// Two objects of 80 MiB, in parts both ways, under a memory budget smaller than one of them.
fn large_objects_by_parts() {
    let (azurite, rgw) = (acceptance::azurite().unwrap(), acceptance::rgw().unwrap());
    let home = Home::with_servers(&azurite, &rgw);
    let (container, bucket) = (azurite.container("parts"), rgw.bucket("parts"));
    for name in ["one.bin", "folder/two.bin"] {
        large_file(&home.path("in").join(name), 80 << 20);
    }
    let tree = read_tree(&home.path("in"));
    let flags = ["--part-threshold", "8MiB", "--memory", "64MiB"];
    let (az, s3) = (format!("az://{container}"), format!("s3://{bucket}"));
    for (from, to) in [(home.text("in"), az.clone()), (az, s3.clone()), (s3, home.text("back"))] {
        let mut running = home.start(&from, &to, &flags);
        let mut peak = 0;
        while !running.has_ended() {
            peak = peak.max(running.peak_memory());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let done = home.finished(running.wait()).expect(0);
        assert_eq!(done.digests(), tree, "{from} to {to}");
        assert_eq!(done.count("verified"), 2, "{from} to {to}: {}", done.run);
        assert!(peak < PEAK, "{from} to {to} took {} MiB", peak >> 20);
    }
    assert_eq!(read_tree(&home.path("back")), tree);
    let blocks = [("comp", "blocklist"), ("blocklisttype", "committed")];
    let blocks = azurite.raw.request("GET", &format!("/{container}/one.bin"), &blocks, &[], b"").expect(200);
    assert!(blocks.elements("Name").len() > 1, "the blob has no blocks: {}", blocks.text());
    assert_eq!(rgw.raw.open_uploads(&bucket), 0);
    azurite.raw.remove_container(&container);
    rgw.raw.remove_bucket(&bucket);
}

/// One byte less than the threshold, the threshold, one more; and twice the smallest part with one byte around.
fn just_around_the_threshold() {
    let rgw = acceptance::rgw().unwrap();
    let home = Home::with_s3(&rgw);
    let bucket = rgw.bucket("edge");
    let threshold: u64 = 5 << 20;
    for bytes in [threshold - 1, threshold, threshold + 1, 2 * threshold, 2 * threshold + 1] {
        large_file(&home.path("in").join(format!("{bytes}.bin")), bytes);
    }
    let tree = read_tree(&home.path("in"));
    let flags = ["--part-threshold", "5MiB"];
    home.migrate(&home.text("in"), &format!("s3://{bucket}"), &flags).expect(0);
    let done = home.migrate(&format!("s3://{bucket}"), &home.text("back"), &flags).expect(0);
    assert_eq!(done.digests(), tree);
    assert_eq!(read_tree(&home.path("back")), tree);
    rgw.raw.remove_bucket(&bucket);
}

fn parts_on_disk() {
    let home = Home::new();
    large_file(&home.path("in/large.bin"), (20 << 20) + 7);
    let tree = read_tree(&home.path("in"));
    let done = home.migrate(&home.text("in"), &home.text("out"), &["--part-threshold", "1MiB"]).expect(0);
    assert_eq!(done.digests(), tree);
    assert_eq!(read_tree(&home.path("out")), tree);
}
