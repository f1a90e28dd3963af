//! `cabotage verify`: what others did to either end behind the ledger's back is found and named.

use acceptance::{generate, read_tree, sha256};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::migration::Home;
use crate::parts::large_file;

crate::cases! {
    disk_to_s3_every_tampering needs ["rgw"],
    azure_to_s3_every_tampering needs ["azurite", "rgw"],
    what_the_listing_tells_and_what_it_cannot needs [],
    without_a_ledger_published_digests_count needs ["azurite", "rgw"],
    four_samples_read_everything_once needs [],
    an_interrupted_comparison_tells_what_it_saw needs [],
    nothing_is_made_or_written needs [],
    a_digest_of_parts needs ["azurite", "rgw"],
}

/// A finished comparison.
struct Compared {
    run: acceptance::Run,
    report: Value,
    lines: Vec<Value>,
}

impl Compared {
    #[track_caller]
    fn expect(self, code: i32) -> Self {
        assert_eq!(self.run.code, Some(code), "{}\n{:#}", self.run, self.report);
        let count = |name: &str| self.report["objects"][name].as_u64().unwrap();
        assert_eq!(count("listed"), count("proven") + count("different") + count("not_proven"));
        self
    }

    /// Kinds of findings with the names that have them.
    fn findings(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let of_line = |line: &Value| {
            let key = text(&line["key"]);
            let found = line["findings"].as_array().cloned().unwrap_or_default();
            found.into_iter().map(|one| (text(&one["kind"]), key.clone())).collect::<Vec<_>>()
        };
        let mut findings: Vec<_> = self.lines.iter().flat_map(of_line).collect();
        findings.sort();
        findings
    }

    fn proven(&self, proof: &str) -> u64 {
        self.report["proofs"][proof]["objects"].as_u64().unwrap_or(0)
    }
}

fn verify(home: &Home, source: &str, destination: &str, flags: &[&str]) -> Compared {
    let (report, manifest) = (home.path("verified.json"), home.path("verified.ndjson"));
    for old in [&report, &manifest] {
        let _ = std::fs::remove_file(old);
    }
    let command = home.command("verify").arg(source).arg(destination).args(flags);
    let run = command.arg("--report").arg(&report).arg("--manifest").arg(&manifest).run();
    let report =
        std::fs::read_to_string(report).map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
    let lines = std::fs::read_to_string(manifest).unwrap_or_default();
    Compared { run, report, lines: lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect() }
}

fn pairs(findings: &[(&str, &str)]) -> Vec<(String, String)> {
    findings.iter().map(|(kind, name)| ((*kind).to_owned(), (*name).to_owned())).collect()
}

/// Spoils a bucket that holds `flip`, `cut`, `gone`, `left`, `right`, `meta`, `tags` under `d/`, and adds to it.
fn tamper(rgw: &acceptance::S3Server, bucket: &str, tagged: &str) {
    let put = |name: &str, body: &[u8]| rgw.raw.put(bucket, &format!("d/{name}"), body);
    put("flip", b"content of flyp");
    put("cut", b"content");
    put("added", b"not ours");
    put("left", b"content of right, longer");
    put("right", b"content of left");
    let path = |name: &str| format!("/{bucket}/d/{name}");
    let _ = rgw.raw.request("DELETE", &path("gone"), &[], b"").expect(204);
    // A copy onto itself replaces the metadata and keeps the ETag.
    let copy = [
        ("x-amz-copy-source", format!("/{bucket}/d/meta")),
        ("x-amz-metadata-directive", "REPLACE".to_owned()),
        ("x-amz-meta-owner", "mallory".to_owned()),
    ];
    let copy: Vec<(&str, &str)> = copy.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let _ = rgw.raw.request_with("PUT", &path("meta"), &[], &copy, b"").expect(200);
    let _ = rgw.raw.request("PUT", &path("tags"), &[("tagging", "")], tagged.as_bytes()).expect(200);
}

const TAMPERED: [(&str, &str); 7] = [
    ("attribute-differs", "meta"),
    ("attribute-differs", "tags"),
    ("extra", "added"),
    ("missing", "gone"),
    ("size-differs", "cut"),
    ("size-differs", "left"),
    ("size-differs", "right"),
];

fn with(more: (&str, &str)) -> Vec<(String, String)> {
    let mut all = pairs(&TAMPERED);
    all.extend(pairs(&[more]));
    all.sort();
    all
}

const TAGS: &str = "<Tagging><TagSet><Tag><Key>project</Key><Value>theirs</Value></Tag></TagSet></Tagging>";

fn body_of(name: &str) -> String {
    format!("content of {name}{}", if name == "right" { ", longer" } else { "" })
}

const NAMES: [&str; 8] = ["cut", "flip", "gone", "left", "meta", "right", "same", "tags"];

fn disk_to_s3_every_tampering() {
    let rgw = acceptance::rgw().unwrap();
    let (home, bucket) = (Home::with_s3(&rgw), rgw.bucket("verify"));
    std::fs::create_dir_all(home.path("in")).unwrap();
    for name in NAMES {
        std::fs::write(home.path("in").join(name), body_of(name)).unwrap();
    }
    let (source, destination) = (home.text("in"), format!("s3://{bucket}/d"));
    home.migrate(&source, &destination, &[]).expect(0);
    let clean = verify(&home, &source, &destination, &[]).expect(0);
    assert_eq!(clean.proven("ledger-listing"), 8, "{}", clean.run);
    clean.run.says("rot at the destination under an unchanged ETag");
    tamper(&rgw, &bucket, TAGS);
    let listed = verify(&home, &source, &destination, &[]).expect(4);
    assert_eq!(listed.findings(), with(("etag-changed", "flip")), "{}", listed.run);
    listed.run.says("left and right have each other's ETag");
    let read = verify(&home, &source, &destination, &["--destination-content", "read"]).expect(4);
    assert_eq!(read.findings(), with(("content-differs", "flip")), "{}", read.run);
    read.run.says("left and right have each other's content");
    assert_eq!((read.report["swapped"]["count"].as_u64(), read.proven("ledger-read")), (Some(1), 3));
    let narrow = verify(&home, &source, &destination, &["--include", "same", "--allow-extra"]).expect(0);
    assert_eq!(narrow.report["objects"]["proven"], 1, "{}", narrow.run);
    rgw.raw.remove_bucket(&bucket);
}

fn azure_to_s3_every_tampering() {
    let (azurite, rgw) = (acceptance::azurite().unwrap(), acceptance::rgw().unwrap());
    let home = Home::with_servers(&azurite, &rgw);
    let (container, bucket) = (azurite.container("verify"), rgw.bucket("verify"));
    for name in NAMES {
        let headers = [
            ("x-ms-meta-owner", "alice"),
            ("x-ms-tags", "project=ours"),
            ("x-ms-blob-content-type", "text/csv"),
        ];
        azurite.raw.put(&container, name, &headers, body_of(name).as_bytes());
    }
    let (source, destination) = (format!("az://{container}"), format!("s3://{bucket}/d"));
    home.migrate(&source, &destination, &[]).expect(0);
    let both = ["--source-content", "read", "--destination-content", "read"];
    let clean = verify(&home, &source, &destination, &both).expect(0);
    assert_eq!(clean.proven("read-read"), 8, "{}", clean.run);
    tamper(&rgw, &bucket, TAGS);
    let found = verify(&home, &source, &destination, &both).expect(4);
    let mut kinds = found.findings();
    kinds.dedup();
    let mut expected = with(("content-differs", "flip"));
    // What is written anew by others has lost its attributes too.
    expected.extend(pairs(&["cut", "flip", "left", "right"].map(|name| ("attribute-differs", name))));
    expected.sort();
    assert_eq!(kinds, expected, "{}", found.run);
    let line = found.lines.iter().find(|line| line["key"] == "meta").unwrap();
    assert!(line["findings"].to_string().contains("owner"), "{line}");
    azurite.raw.put(&container, "same", &[("x-ms-meta-owner", "alice")], b"content of saME");
    let tags = "<Tags><TagSet><Tag><Key>project</Key><Value>new</Value></Tag></TagSet></Tags>";
    let narrow = ["--include", "same", "--allow-extra"];
    let changed = verify(&home, &source, &destination, &narrow).expect(3);
    assert_eq!(changed.findings(), pairs(&[("source-changed", "same")]), "{}", changed.run);
    home.migrate(&source, &destination, &["--overwrite", "always"]).expect(0);
    let path = format!("/{container}/same");
    let _ = azurite.raw.request("PUT", &path, &[("comp", "tags")], &[], tags.as_bytes()).expect(204);
    let retagged = verify(&home, &source, &destination, &narrow).expect(3);
    assert_eq!(
        retagged.findings(),
        pairs(&[("source-changed", "same")]),
        "tags keep the ETag: {}",
        retagged.run
    );
    azurite.raw.remove_container(&container);
    rgw.raw.remove_bucket(&bucket);
}

/// On a disk a flipped byte changes the file's times, and so the ETag; put back, only reading finds it.
fn what_the_listing_tells_and_what_it_cannot() {
    let home = Home::new();
    generate(&home.path("in"), 12, 71);
    std::fs::write(home.path("in/flip"), "content of flip").unwrap();
    let (source, destination) = (home.text("in"), home.text("out"));
    home.migrate(&source, &destination, &[]).expect(0);
    let clean = verify(&home, &source, &destination, &["--destination-content", "read"]).expect(0);
    assert_eq!(clean.proven("ledger-read"), 13, "{}", clean.run);
    let flip = home.path("out/flip");
    let modified = std::fs::metadata(&flip).unwrap().modified().unwrap();
    std::fs::write(&flip, "content of flop").unwrap();
    std::fs::File::options().write(true).open(&flip).unwrap().set_modified(modified).unwrap();
    let listed = verify(&home, &source, &destination, &[]).expect(4);
    assert_eq!(listed.findings(), pairs(&[("etag-changed", "flip")]), "{}", listed.run);
    let read = verify(&home, &source, &destination, &["--destination-content", "read"]).expect(4);
    assert_eq!(read.findings(), pairs(&[("content-differs", "flip")]), "{}", read.run);
    read.run.says(&sha256(b"content of flop"));
    std::fs::write(home.path("in/new"), "x").unwrap();
    std::fs::write(home.path("in/flip"), "other").unwrap();
    let moved_on = verify(&home, &source, &destination, &[]).expect(4);
    assert_eq!(
        moved_on.findings(),
        pairs(&[("etag-changed", "flip"), ("missing", "new")]),
        "{}",
        moved_on.run
    );
}

fn without_a_ledger_published_digests_count() {
    let (azurite, rgw) = (acceptance::azurite().unwrap(), acceptance::rgw().unwrap());
    let home = Home::with_servers(&azurite, &rgw);
    let (container, bucket) = (azurite.container("published"), rgw.bucket("published"));
    for (name, there) in [("same", "content"), ("other", "CONTENT")] {
        azurite.raw.put(&container, name, &[("x-ms-blob-content-type", "binary/octet-stream")], b"content");
        rgw.raw.put(&bucket, name, there.as_bytes());
    }
    let (source, destination) = (format!("az://{container}"), format!("s3://{bucket}"));
    let unread = verify(&home, &source, &destination, &[]).expect(3);
    assert_eq!((unread.proven("published"), unread.proven("size")), (1, 1), "{}", unread.run);
    assert_eq!(unread.findings(), pairs(&[("not-proven", "other")]), "{}", unread.run);
    let both = ["--source-content", "read", "--destination-content", "read"];
    let read = verify(&home, &source, &destination, &both).expect(4);
    assert_eq!(read.findings(), pairs(&[("content-differs", "other")]), "{}", read.run);
    azurite.raw.remove_container(&container);
    rgw.raw.remove_bucket(&bucket);
}

fn four_samples_read_everything_once() {
    let home = Home::new();
    let tree = generate(&home.path("in"), 80, 72);
    let (source, destination) = (home.text("in"), home.text("out"));
    home.migrate(&source, &destination, &[]).expect(0);
    let mut read = Vec::new();
    for number in 1..=4 {
        let sample = verify(&home, &source, &destination, &["--destination-content", "sample:25%"]).expect(0);
        sample.run.says(&format!("sample {number} of 4 read whole"));
        assert_eq!(sample.report["sample"]["number"], number);
        let names = sample.lines.iter().filter(|line| line["proof"] == "ledger-read");
        read.extend(names.map(|line| line["key"].as_str().unwrap().to_owned()));
        // A run of another kind between two turns moves no turn on.
        home.migrate(&source, &destination, &[]).expect(0);
        let _ = verify(&home, &source, &destination, &["--destination-content", "sample:50%"]).expect(0);
    }
    read.sort();
    assert_eq!(read, tree.keys().cloned().collect::<Vec<_>>(), "each once");
    let fifth = verify(&home, &source, &destination, &["--destination-content", "sample:25%"]).expect(0);
    fifth.run.says("sample 1 of 4 read whole");
    assert_eq!(read_tree(&home.path("out")), tree);
}

fn an_interrupted_comparison_tells_what_it_saw() {
    let home = Home::new();
    crate::parts::large_file(&home.path("in/large"), 300 << 20);
    std::fs::write(home.path("in/small"), "x").unwrap();
    let (source, destination) = (home.text("in"), home.text("out"));
    home.migrate(&source, &destination, &[]).expect(0);
    let report = home.path("verified.json");
    let command = home.command("verify").args([&source, &destination]).arg("--report").arg(&report);
    let mut running = command.args(["--destination-content", "read", "--source-content", "read"]).spawn();
    std::thread::sleep(std::time::Duration::from_millis(300));
    running.signal("INT");
    running.signal("INT");
    let overtaken = running.has_ended();
    let run = running.wait();
    // It may have ended before the signal came: then nothing is shown.
    assert!(overtaken || run.code == Some(130) || run.code == Some(0), "{run}");
    if run.code == Some(130) {
        run.says("Interrupted by the user");
        assert!(report.exists());
    }
}

fn nothing_is_made_or_written() {
    let home = Home::new();
    std::fs::create_dir_all(home.path("in")).unwrap();
    std::fs::write(home.path("in/a"), "x").unwrap();
    let run = home.command("verify").args([home.text("in"), home.text("out")]).run();
    assert!(!home.path("out").exists(), "{run}");
    assert_ne!(run.code, Some(0), "{run}");
    std::fs::create_dir(home.path("in/b")).unwrap();
    let inside = home.command("verify").args([home.text("in"), home.text("in/b")]).run();
    let _ = inside.expect(2);
    let level = home.command("verify").args([home.text("in"), home.text("out")]);
    level.args(["--destination-content", "sample:0%"]).run().expect(2).says("sample:1%");
}

/// Both ends read again, each in parts of the ledger's size; a byte changed behind its back is found.
fn a_digest_of_parts() {
    const PART: usize = 5 << 20;
    let (azurite, rgw) = (acceptance::azurite().unwrap(), acceptance::rgw().unwrap());
    let home = Home::with_servers(&azurite, &rgw);
    let (container, bucket) = (azurite.container("composite"), rgw.bucket("composite"));
    large_file(&home.path("large"), 4 * PART as u64 + 5);
    let mut content = std::fs::read(home.path("large")).unwrap();
    azurite.raw.put(&container, "large", &[], &content);
    azurite.raw.put(&container, "small", &[], b"small");
    let (source, destination) = (format!("az://{container}"), format!("s3://{bucket}"));
    let flags = ["--digest", "composite", "--part-threshold", "5MiB", "--memory", "16MiB"];
    let done = home.migrate(&source, &destination, &flags).expect(0);
    let digests: Vec<u8> = content.chunks(PART).flat_map(|part| Sha256::digest(part).to_vec()).collect();
    let large = done.line("large");
    assert_eq!(large["composite_sha256"], sha256(&digests), "{large}");
    assert_eq!((&large["part_size"], &large["sha256"]), (&PART.into(), &Value::Null), "{large}");
    assert_eq!(done.line("small")["sha256"], sha256(b"small"));
    let read = ["--source-content", "read", "--destination-content", "read"];
    verify(&home, &source, &destination, &read).expect(0);
    content[2 * PART + 1] ^= 1;
    rgw.raw.put(&bucket, "large", &content);
    let spoilt = verify(&home, &source, &destination, &read).expect(4);
    assert!(
        spoilt.findings().contains(&("content-differs".to_owned(), "large".to_owned())),
        "{}",
        spoilt.run
    );
    azurite.raw.remove_container(&container);
    rgw.raw.remove_bucket(&bucket);
}
