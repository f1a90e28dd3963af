//! From Azure to S3 and back: what Ceph can't hold is kept in sidecars, or lost as accepted.

use std::collections::BTreeMap;

use acceptance::RawAzure;

use crate::attributes::Both;
use crate::migration::Migration;

crate::cases! {
    everything_comes_back_by_sidecar needs ["azurite", "rgw"],
    what_is_accepted_stays_lost needs ["azurite", "rgw"],
    a_key_of_the_data_is_no_sidecar needs ["azurite", "rgw"],
    sidecars_of_deleted_objects_are_deleted needs ["azurite", "rgw"],
}

const TAGS: (&str, &str) = ("x-ms-tags", "Study%20Name=a%2Bb%201%2F2&stage=raw");

/// Blobs with everything that gets lost on the way, and one with nothing.
fn fill(raw: &RawAzure, container: &str) {
    let names = [("x-ms-meta-Owner_Id", "17"), ("x-ms-meta-ownerid", "18"), ("x-ms-meta-UPPER", "x")];
    let headers = [
        ("x-ms-blob-content-type", "text/csv"),
        ("x-ms-blob-content-language", "fr"),
        ("x-ms-blob-content-encoding", "gzip"),
        ("x-ms-blob-cache-control", "no-cache"),
        ("x-ms-blob-content-disposition", "attachment; filename=\"a.csv\""),
    ];
    raw.put(
        container,
        "rich/a",
        &[&names[..], &headers[..], &[("x-ms-access-tier", "Cool"), TAGS]].concat(),
        b"rich",
    );
    raw.put(container, "cool", &[("x-ms-access-tier", "Cool"), TAGS], b"cool");
    raw.put(container, "bare", &[], b"bare");
}

/// All that the service tells of a blob which is the user's.
fn told(raw: &RawAzure, container: &str, path: &str) -> (BTreeMap<String, String>, Vec<String>, Vec<u8>) {
    let target = format!("/{container}/{path}");
    let head = raw.request("HEAD", &target, &[], &[], b"").expect(200);
    let kept = |name: &str| {
        name.starts_with("x-ms-meta-")
            || name == "x-ms-access-tier"
            || [
                "content-type",
                "content-language",
                "content-encoding",
                "cache-control",
                "content-disposition",
            ]
            .contains(&name)
    };
    let headers = head.headers.into_iter().filter(|(name, _)| kept(&name.to_lowercase())).collect();
    let tags = raw.request("GET", &target, &[("comp", "tags")], &[], b"").expect(200);
    let mut pairs: Vec<_> = tags.elements("Key").into_iter().zip(tags.elements("Value")).collect();
    pairs.sort();
    let content = raw.request("GET", &target, &[], &[], b"").expect(200).body;
    (headers, pairs.into_iter().map(|(key, value)| format!("{key}={value}")).collect(), content)
}

/// Names of metadata in the letter case in which the service lists them.
fn listed_metadata(raw: &RawAzure, container: &str) -> Vec<String> {
    let query = [("restype", "container"), ("comp", "list"), ("include", "metadata")];
    let listed = raw.request("GET", &format!("/{container}"), &query, &[], b"").expect(200).text();
    let of_each = listed.split("<Metadata>").skip(1).filter_map(|rest| rest.split("</Metadata>").next());
    let sorted = of_each.map(|metadata| {
        let mut pairs: Vec<_> = metadata.split_inclusive(">").map(str::to_owned).collect();
        pairs.sort();
        pairs.concat()
    });
    sorted.collect()
}

fn is_whole(done: &Migration, objects: u64) {
    assert_eq!(done.count("verified"), objects, "{}\n{:#}", done.run, done.report);
}

fn everything_comes_back_by_sidecar() {
    let both = Both::new();
    let raw = &both.azurite.raw;
    fill(raw, &both.container);
    let kept = both.rgw.bucket("sidecars");
    let sidecars = format!("s3://{kept}/of-the-job");
    let refused = both.home.migrate(&both.from(), &both.to(), &["--s3-provider", "ceph"]).expect(3);
    assert_eq!(refused.count("refused"), 1, "{}", refused.run);
    let flags = ["--s3-provider", "ceph", "--sidecar", &sidecars, "--change-job"];
    is_whole(&both.home.migrate(&both.from(), &both.to(), &flags).expect(0), 1);
    // What passes by default was moved before without a word: a job of its own keeps all of it.
    let fresh = both.rgw.bucket("fresh");
    let to = format!("s3://{fresh}");
    let flags = ["--s3-provider", "ceph", "--sidecar", &format!("s3://{kept}/fresh")];
    is_whole(&both.home.migrate(&both.from(), &to, &flags).expect(0), 3);
    let back = both.azurite.container("back");
    let flags = ["--s3-provider", "ceph", "--restore-sidecar", &format!("s3://{kept}/fresh")];
    is_whole(&both.home.migrate(&to, &format!("az://{back}"), &flags).expect(0), 3);
    for path in ["rich/a", "cool", "bare"] {
        assert_eq!(told(raw, &back, path), told(raw, &both.container, path), "{path}");
    }
    assert_eq!(listed_metadata(raw, &back), listed_metadata(raw, &both.container));
    raw.remove_container(&back);
    both.rgw.raw.remove_bucket(&fresh);
    both.rgw.raw.remove_bucket(&kept);
    both.end();
}

fn what_is_accepted_stays_lost() {
    let both = Both::new();
    let raw = &both.azurite.raw;
    fill(raw, &both.container);
    let flags = ["--s3-provider", "ceph", "--accept-loss", "metadata-name-changed"];
    let out = both.home.migrate(&both.from(), &both.to(), &flags).expect(0);
    is_whole(&out, 3);
    assert_eq!(out.report["losses"]["metadata-name-changed"]["accepted"], 1, "{:#}", out.report);
    let back = both.azurite.container("back");
    let flags = ["--s3-provider", "ceph", "--accept-loss", "metadata-name-changed"];
    is_whole(&both.home.migrate(&both.to(), &format!("az://{back}"), &flags).expect(0), 3);
    let ((before, tags, content), (after, tags_after, content_after)) =
        (told(raw, &both.container, "rich/a"), told(raw, &back, "rich/a"));
    assert_eq!((tags_after, content_after), (tags, content), "what was not accepted as lost is lost");
    assert_ne!(after, before, "nothing was lost: the test shows nothing");
    for name in
        ["content-type", "content-language", "content-encoding", "cache-control", "content-disposition"]
    {
        let of = |headers: &BTreeMap<String, String>| {
            headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
        };
        assert_eq!(of(&after), of(&before), "{name}");
    }
    raw.remove_container(&back);
    both.end();
}

/// An object that bears a sidecar's name is data: it moves as data, and restores nothing.
fn a_key_of_the_data_is_no_sidecar() {
    let both = Both::new();
    let raw = &both.azurite.raw;
    fill(raw, &both.container);
    let kept = both.rgw.bucket("sidecars");
    let sidecars = format!("s3://{kept}");
    let flags = ["--s3-provider", "ceph", "--sidecar", &sidecars];
    is_whole(&both.home.migrate(&both.from(), &both.to(), &flags).expect(0), 3);
    for key in both.rgw.raw.names(&kept) {
        let forged = both.rgw.raw.get(&kept, &key).unwrap();
        both.rgw.raw.put(&both.bucket, &key, &forged);
    }
    let back = both.azurite.container("back");
    let forged = both.rgw.raw.keys(&kept).len() as u64;
    assert!(forged > 2, "{forged}");
    let inside = both.home.migrate(&both.to(), &format!("az://{back}"), &["--restore-sidecar", &both.to()]);
    assert_eq!(inside.run.code, Some(2), "sidecars among the data: {}", inside.run);
    let flags = ["--s3-provider", "ceph", "--restore-sidecar", &sidecars];
    is_whole(&both.home.migrate(&both.to(), &format!("az://{back}"), &flags).expect(0), 3 + forged);
    assert_eq!(told(raw, &back, "rich/a"), told(raw, &both.container, "rich/a"));
    raw.remove_container(&back);
    both.rgw.raw.remove_bucket(&kept);
    both.end();
}

fn sidecars_of_deleted_objects_are_deleted() {
    let both = Both::new();
    let raw = &both.azurite.raw;
    fill(raw, &both.container);
    let kept = both.rgw.bucket("sidecars");
    let sidecars = format!("s3://{kept}");
    let flags = ["--s3-provider", "ceph", "--sidecar", &sidecars, "--delete", "--max-shrink", "100"];
    both.home.migrate(&both.from(), &both.to(), &flags).expect(0);
    let before = both.rgw.raw.keys(&kept).len();
    let _ = raw.request("DELETE", &format!("/{}/rich/a", both.container), &[], &[], b"").expect(202);
    let done = both.home.migrate(&both.from(), &both.to(), &flags).expect(0);
    assert_eq!(done.report["deletion"]["deleted"]["objects"], 1, "{:#}", done.report);
    assert_eq!(both.rgw.raw.keys(&kept).len(), before - 1);
    both.rgw.raw.remove_bucket(&kept);
    both.end();
}
