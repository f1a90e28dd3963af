//! Data that went out and came back is the same, and the manifest says what it is.

use acceptance::{generate, read_tree};

use crate::migration::{Home, sample};

crate::cases! {
    disk_to_disk needs [],
    real_files_through_both_clouds needs ["azurite", "rgw"],
    many_files_through_both_clouds needs ["azurite", "rgw"],
    through_minio needs ["minio"],
    read_back needs ["rgw"],
    dry_run_writes_nothing needs [],
    selection needs [],
}

fn disk_to_disk() {
    let home = Home::new();
    let done = home.migrate(sample().to_str().unwrap(), &home.text("out"), &[]).expect(0);
    let tree = read_tree(&sample());
    assert!(tree.len() > 20, "the sample has files");
    assert_eq!(read_tree(&home.path("out")), tree);
    assert_eq!(done.digests(), tree);
    assert_eq!(done.count("verified"), tree.len() as u64);
}

/// Disk, Azurite, RGW, disk.
fn through_both(home: &Home, source: &str, tree: &acceptance::Tree) {
    let (azurite, rgw) = (acceptance::azurite().unwrap(), acceptance::rgw().unwrap());
    let (container, bucket) = (azurite.container("round"), rgw.bucket("round"));
    let (az, s3) = (format!("az://{container}/data"), format!("s3://{bucket}/other/data/"));
    for (from, to) in [(source, az.as_str()), (&az, &s3), (&s3, &home.text("back"))] {
        let done = home.migrate(from, to, &[]).expect(0);
        assert_eq!(done.digests(), *tree, "{from} to {to}");
        assert_eq!(done.count("verified"), tree.len() as u64, "{from} to {to}: {}", done.run);
    }
    assert_eq!(read_tree(&home.path("back")), *tree);
    azurite.raw.remove_container(&container);
    rgw.raw.remove_bucket(&bucket);
}

fn servers() -> Home {
    Home::with_servers(&acceptance::azurite().unwrap(), &acceptance::rgw().unwrap())
}

fn real_files_through_both_clouds() {
    through_both(&servers(), sample().to_str().unwrap(), &read_tree(&sample()));
}

fn many_files_through_both_clouds() {
    let home = servers();
    let tree = generate(&home.path("in"), 400, 1);
    through_both(&home, &home.text("in"), &tree);
}

fn through_minio() {
    let minio = acceptance::minio().unwrap();
    let home = Home::with_s3(&minio);
    let bucket = minio.bucket("round");
    let tree = generate(&home.path("in"), 200, 2);
    let flags = ["--s3-provider", "minio"];
    home.migrate(&home.text("in"), &format!("s3://{bucket}"), &flags).expect(0);
    let done = home.migrate(&format!("s3://{bucket}"), &home.text("back"), &flags).expect(0);
    assert_eq!(done.digests(), tree);
    assert_eq!(read_tree(&home.path("back")), tree);
    minio.raw.remove_bucket(&bucket);
}

/// Every object is read back, and the level says so.
fn read_back() {
    let rgw = acceptance::rgw().unwrap();
    let home = Home::with_s3(&rgw);
    let bucket = rgw.bucket("readback");
    let tree = generate(&home.path("in"), 30, 3);
    let done =
        home.migrate(&home.text("in"), &format!("s3://{bucket}"), &["--verify", "read-back"]).expect(0);
    assert_eq!(done.report["levels"]["read_back"], tree.len() as u64, "{}", done.run);
    assert_eq!(done.digests(), tree);
    rgw.raw.remove_bucket(&bucket);
}

fn dry_run_writes_nothing() {
    let home = Home::new();
    let tree = generate(&home.path("in"), 20, 4);
    let done = home.migrate(&home.text("in"), &home.text("out"), &["--dry-run"]).expect(0);
    assert_eq!(done.count("planned"), tree.len() as u64);
    assert!(!home.path("out").exists() || read_tree(&home.path("out")).is_empty(), "a dry run wrote files");
    let done = home.migrate(&home.text("in"), &home.text("out"), &[]).expect(0);
    assert_eq!(done.count("verified"), tree.len() as u64);
}

fn selection() {
    let home = Home::new();
    for name in ["a.dcm", "b.txt", "sub/c.dcm", "sub/d e.dcm"] {
        let path = home.path("in").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, name).unwrap();
    }
    let names = |out: &str| read_tree(&home.path(out)).into_keys().collect::<Vec<_>>();
    home.migrate(&home.text("in"), &home.text("globs"), &["--include", "*.dcm", "--exclude", "a*"]).expect(0);
    assert_eq!(names("globs"), ["sub/c.dcm", "sub/d e.dcm"]);
    std::fs::write(home.path("keys"), "b.txt\nsub/d e.dcm\n").unwrap();
    home.migrate(&home.text("in"), &home.text("named"), &["--keys-from", &home.text("keys")]).expect(0);
    assert_eq!(names("named"), ["b.txt", "sub/d e.dcm"]);
    std::fs::write(home.path("keys0"), "b.txt\0a.dcm\0").unwrap();
    home.migrate(&home.text("in"), &home.text("nul"), &["--keys-from", &home.text("keys0"), "-0"]).expect(0);
    assert_eq!(names("nul"), ["a.dcm", "b.txt"]);
    let some = home.migrate(&home.text("in"), &home.text("some"), &["--max-objects", "2"]);
    assert_eq!(some.copied(), 2, "{}", some.run);
    assert_eq!(names("some").len(), 2);
}
