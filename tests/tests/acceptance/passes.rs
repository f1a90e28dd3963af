//! Later passes over real servers: attribute edits, deletions, the cut-over.

use std::time::{Duration, Instant};

use acceptance::Azurite;

use crate::attributes::Both;
use crate::migration::Home;

crate::cases! {
    tags_edited_between_passes needs ["azurite", "rgw"],
    metadata_edited_between_passes needs ["azurite", "rgw"],
    s3_tags_are_found_on_demand needs ["rgw"],
    s3_copy_onto_itself_moves_no_bytes needs ["rgw"],
    deletions_are_mirrored needs ["azurite", "rgw"],
    a_source_that_shrank_deletes_nothing needs ["rgw"],
    cutover_with_a_writer_meanwhile needs ["azurite", "rgw"],
    cutover_closes_and_reopens needs [],
}

const CEPH: &[&str] = &["--s3-provider", "ceph"];

fn with<'a>(flags: &[&'a str]) -> Vec<&'a str> {
    CEPH.iter().chain(flags).copied().collect()
}

/// Set Blob Tags: neither ETag nor time tells of it.
fn set_tags(azurite: &Azurite, container: &str, key: &str, tags: &[(&str, &str)]) {
    let set: String = tags
        .iter()
        .map(|(key, value)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>"))
        .collect();
    let body = format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><Tags><TagSet>{set}</TagSet></Tags>");
    let path = format!("/{container}/{key}");
    let headers = [("content-type", "application/xml; charset=UTF-8")];
    let _ = azurite.raw.request("PUT", &path, &[("comp", "tags")], &headers, body.as_bytes()).expect(204);
}

fn etag(azurite: &Azurite, container: &str, key: &str) -> String {
    let reply = azurite.raw.request("HEAD", &format!("/{container}/{key}"), &[], &[], b"").expect(200);
    format!("{:?} {:?}", reply.headers["etag"], reply.headers["last-modified"])
}

fn s3_tags(both: &Both, key: &str) -> Vec<(String, String)> {
    let path = format!("/{}/{key}", both.bucket);
    let reply = both.rgw.raw.request("GET", &path, &[("tagging", "")], b"").expect(200);
    reply.elements("Key").into_iter().zip(reply.elements("Value")).collect()
}

/// `new`, `changed`, `attributes`, `unchanged`, `gone`.
fn pass(report: &serde_json::Value) -> [u64; 5] {
    ["new", "changed", "attributes", "unchanged", "gone"].map(|name| {
        report["pass"][name]["objects"].as_u64().unwrap_or_else(|| panic!("no {name} in {report:#}"))
    })
}

fn fill(both: &Both, count: usize) {
    for i in 0..count {
        let body = format!("content {i:03}");
        both.azurite.raw.put(
            &both.container,
            &format!("k{i:03}"),
            &[("x-ms-meta-owner", "a")],
            body.as_bytes(),
        );
    }
}

fn tags_edited_between_passes() {
    let both = Both::new();
    fill(&both, 30);
    set_tags(&both.azurite, &both.container, "k000", &[("keep", "1")]);
    set_tags(&both.azurite, &both.container, "k001", &[("drop", "1")]);
    let first = both.home.migrate(&both.from(), &both.to(), CEPH).expect(0);
    assert_eq!(pass(&first.report), [30, 0, 0, 0, 0]);
    let before = etag(&both.azurite, &both.container, "k000");
    set_tags(&both.azurite, &both.container, "k000", &[("keep", "2"), ("more", "x")]);
    set_tags(&both.azurite, &both.container, "k001", &[]);
    assert_eq!(
        before,
        etag(&both.azurite, &both.container, "k000"),
        "the edit shows in the ETag or the time"
    );
    let second = both.home.migrate(&both.from(), &both.to(), CEPH).expect(0);
    assert_eq!(pass(&second.report), [0, 0, 2, 28, 0], "{}", second.run);
    assert_eq!(
        (second.copied(), second.count("verified"), second.count("skipped")),
        (0, 2, 28),
        "{}",
        second.run
    );
    let own = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    assert_eq!(s3_tags(&both, "k000"), own(&[("keep", "2"), ("more", "x")]));
    assert_eq!(s3_tags(&both, "k001"), own(&[]), "tags that are gone at the source stayed");
    assert_eq!(both.rgw.raw.get(&both.bucket, "k000").unwrap(), b"content 000");
    let third = both.home.migrate(&both.from(), &both.to(), CEPH).expect(0);
    assert_eq!((pass(&third.report), third.count("skipped")), ([0, 0, 0, 30, 0], 30), "{}", third.run);
    both.end();
}

/// Set Blob Metadata gives a new ETag, behind which could be other content: it is copied.
fn metadata_edited_between_passes() {
    let both = Both::new();
    fill(&both, 3);
    both.home.migrate(&both.from(), &both.to(), CEPH).expect(0);
    let path = format!("/{}/k001", both.container);
    let headers = [("x-ms-meta-owner", "b")];
    let _ = both.azurite.raw.request("PUT", &path, &[("comp", "metadata")], &headers, b"").expect(200);
    let second = both.home.migrate(&both.from(), &both.to(), CEPH).expect(0);
    assert_eq!((pass(&second.report), second.copied()), ([0, 1, 0, 2, 0], 1), "{}", second.run);
    let head = both.rgw.raw.request("HEAD", &format!("/{}/k001", both.bucket), &[], b"").expect(200);
    assert_eq!(head.headers["x-amz-meta-owner"], "b");
    both.end();
}

fn s3_tags_are_found_on_demand() {
    let rgw = acceptance::rgw().unwrap();
    let home = Home::with_s3(&rgw);
    let (from, to) = (rgw.bucket("from"), rgw.bucket("to"));
    for key in ["a", "b", "c"] {
        rgw.raw.put(&from, key, key.as_bytes());
    }
    let (source, destination) = (format!("s3://{from}"), format!("s3://{to}"));
    home.migrate(&source, &destination, CEPH).expect(0);
    let tagging = b"<Tagging><TagSet><Tag><Key>t</Key><Value>1</Value></Tag></TagSet></Tagging>";
    let _ = rgw.raw.request("PUT", &format!("/{from}/b"), &[("tagging", "")], tagging);
    // Ceph tells of it by the time, a second later at the latest; others don't.
    let checked = home.migrate(&source, &destination, &with(&["--check-attributes"])).expect(0);
    assert_eq!((pass(&checked.report), checked.copied()), ([0, 0, 1, 2, 0], 0), "{}", checked.run);
    let reply = rgw.raw.request("GET", &format!("/{to}/b"), &[("tagging", "")], b"").expect(200);
    assert_eq!(reply.elements("Value"), ["1"]);
    for bucket in [from, to] {
        rgw.raw.remove_bucket(&bucket);
    }
}

/// The ETag stays, the time and the metadata don't.
fn s3_copy_onto_itself_moves_no_bytes() {
    let rgw = acceptance::rgw().unwrap();
    let home = Home::with_s3(&rgw);
    let (from, to) = (rgw.bucket("from"), rgw.bucket("to"));
    rgw.raw.put(&from, "a", b"content");
    let (source, destination) = (format!("s3://{from}"), format!("s3://{to}"));
    home.migrate(&source, &destination, CEPH).expect(0);
    std::thread::sleep(Duration::from_millis(1_100));
    let copy_source = format!("/{from}/a");
    let headers = [
        ("x-amz-copy-source", copy_source.as_str()),
        ("x-amz-metadata-directive", "REPLACE"),
        ("x-amz-meta-owner", "b"),
    ];
    let _ = rgw.raw.request_with("PUT", &format!("/{from}/a"), &[], &headers, b"").expect(200);
    let second = home.migrate(&source, &destination, CEPH).expect(0);
    assert_eq!((pass(&second.report), second.copied()), ([0, 0, 1, 0, 0], 0), "{}", second.run);
    let head = rgw.raw.request("HEAD", &format!("/{to}/a"), &[], b"").expect(200);
    assert_eq!(head.headers["x-amz-meta-owner"], "b");
    for bucket in [from, to] {
        rgw.raw.remove_bucket(&bucket);
    }
}

fn deletions_are_mirrored() {
    let both = Both::new();
    fill(&both, 60);
    both.home.migrate(&both.from(), &both.to(), CEPH).expect(0);
    both.rgw.raw.put(&both.bucket, "foreign", b"not ours");
    for key in ["k010", "k011", "k012"] {
        let _ = both
            .azurite
            .raw
            .request("DELETE", &format!("/{}/{key}", both.container), &[], &[], b"")
            .expect(202);
    }
    both.rgw.raw.put(&both.bucket, "k012", b"edited here");
    let plain = both.home.migrate(&both.from(), &both.to(), CEPH).expect(0);
    assert_eq!(pass(&plain.report)[4], 3, "{}", plain.run);
    plain.run.says("--delete");
    let dry = both.home.migrate(&both.from(), &both.to(), &with(&["--delete", "--dry-run"]));
    assert_eq!(dry.report["deletion"]["planned"]["objects"], 2, "{}", dry.run);
    assert!(both.rgw.raw.get(&both.bucket, "k010").is_some(), "a dry run deleted");
    let done = both.home.migrate(&both.from(), &both.to(), &with(&["--delete"])).expect(3);
    let deletion = &done.report["deletion"];
    assert_eq!(
        (&deletion["deleted"]["objects"], &deletion["conflicts"]),
        (&2.into(), &1.into()),
        "{deletion:#}"
    );
    for (key, there) in [("k010", false), ("k011", false), ("k012", true), ("foreign", true), ("k013", true)]
    {
        assert_eq!(both.rgw.raw.get(&both.bucket, key).is_some(), there, "{key}");
    }
    assert_eq!(done.line("k010")["class"], "deleted");
    assert_eq!(both.rgw.raw.get(&both.bucket, "k012").unwrap(), b"edited here");
    assert_eq!(both.rgw.raw.keys(&both.bucket).len(), 59);
    both.end();
}

fn a_source_that_shrank_deletes_nothing() {
    let rgw = acceptance::rgw().unwrap();
    let home = Home::with_s3(&rgw);
    let bucket = rgw.bucket("shrank");
    let tree = acceptance::generate(&home.path("in"), 40, 21);
    let to = format!("s3://{bucket}");
    home.migrate(&home.text("in"), &to, CEPH).expect(0);
    let gone: Vec<_> = tree.keys().take(10).cloned().collect();
    for name in &gone {
        std::fs::remove_file(home.path("in").join(name)).unwrap();
    }
    let blocked = home.migrate(&home.text("in"), &to, &with(&["--delete"])).expect(3);
    blocked.run.says("--max-shrink");
    assert_eq!(rgw.raw.keys(&bucket).len(), tree.len(), "{}", blocked.run);
    let most = ["--delete", "--max-shrink", "100", "--max-delete", "9"];
    let blocked = home.migrate(&home.text("in"), &to, &with(&most)).expect(3);
    blocked.run.says("--max-delete 10");
    assert_eq!(rgw.raw.keys(&bucket).len(), tree.len(), "{}", blocked.run);
    let told = home.migrate(&home.text("in"), &to, &with(&["--delete", "--max-shrink", "100"])).expect(0);
    assert_eq!(rgw.raw.keys(&bucket).len(), tree.len() - 10, "{}", told.run);
    rgw.raw.remove_bucket(&bucket);
}

/// Somebody keeps writing to the source until the run has ended.
fn cutover_with_a_writer_meanwhile() {
    let both = Both::new();
    fill(&both, 200);
    both.home.migrate(&both.from(), &both.to(), CEPH).expect(0);
    let mut running = both.home.start_verb("cutover", &both.from(), &both.to(), CEPH);
    let begun = Instant::now();
    let mut round = 0;
    while !running.has_ended() {
        assert!(begun.elapsed() < Duration::from_secs(120), "the cut-over does not end");
        both.azurite.raw.put(&both.container, &format!("late-{round:04}"), &[], b"late");
        round += 1;
    }
    let meanwhile = both.home.finished(running.wait()).expect(3);
    assert!(meanwhile.report["cutover"]["new"].as_u64() > Some(0), "{:#}", meanwhile.report["cutover"]);
    meanwhile.run.says("NOT closed");
    meanwhile.run.says("late-");
    let frozen = both.home.verb("cutover", &both.from(), &both.to(), CEPH).expect(0);
    assert_eq!(frozen.report["cutover"]["equal"], 200 + round, "{:#}", frozen.report["cutover"]);
    frozen.run.says("The job was closed");
    both.home.migrate(&both.from(), &both.to(), CEPH).expect(1).run.says("--reopen");
    both.end();
}

fn cutover_closes_and_reopens() {
    let home = Home::new();
    acceptance::generate(&home.path("in"), 12, 22);
    let (from, to) = (home.text("in"), home.text("out"));
    let closed = home.verb("cutover", &from, &to, &[]).expect(0);
    assert_eq!(closed.report["cutover"]["equal"], 12, "{:#}", closed.report["cutover"]);
    for verb in ["migrate", "cutover"] {
        let refused = home.verb(verb, &from, &to, &[]).expect(1);
        refused.run.says("a cut-over closed this job at");
        refused.run.says("--reopen");
    }
    std::fs::write(home.path("in/late"), "late").unwrap();
    assert_eq!(home.migrate(&from, &to, &["--reopen"]).expect(0).copied(), 1);
    home.migrate(&from, &to, &[]).expect(0);
    home.verb("cutover", &from, &to, &[]).expect(0);
    home.verb("cutover", &from, &to, &["--reopen"]).expect(0);
}
