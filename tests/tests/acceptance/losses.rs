//! Each name of the closed list of losses, on a real server that produces it: in the report and in the manifest, and no
//! other. `deleted-not-moved` has none: no server at hand keeps what was deleted; it is read from the documented reply
//! in the adapter's own tests.

use std::collections::{BTreeMap, BTreeSet};

use cabotage_core::{Attributes, Key, Payload, Storage as _, WriteOptions};
use cabotage_local::{LocalConfig, LocalStore};

use crate::attributes::Both;
use crate::migration::{Home, Migration};
use crate::tagless::Tagless;

crate::cases! {
    from_azurite_to_rgw needs ["azurite", "rgw"],
    from_a_disk_to_azurite needs ["azurite"],
    unreadable_tags needs ["azurite", "rgw"],
    older_versions needs ["rgw"],
}

/// Losses of an object by name.
type Expected<'a> = &'a [(&'a str, &'a [&'a str])];

/// Refused without a word for it; moved, and named, when every name is accepted.
fn exactly(
    home: &Home,
    (from, to): (&str, &str),
    flags: &[&str],
    expected: Expected<'_>,
    bare: &[(&str, u64)],
) {
    let by_default = ["metadata-name-case", "tier-mapped", "modified-time"];
    let names: BTreeSet<&str> = expected.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    let refused = expected.iter().filter(|(_, names)| names.iter().any(|name| !by_default.contains(name)));
    let refused: BTreeSet<&str> = refused.map(|(key, _)| *key).collect();
    let first = home.migrate(from, to, flags).expect(if refused.is_empty() { 0 } else { 3 });
    compare(&first, expected, bare, &refused);
    let mut accepting = [flags, &["--change-job"]].concat();
    for name in names.iter().filter(|name| !by_default.contains(name)) {
        accepting.extend(["--accept-loss", name]);
    }
    let all = home.migrate(from, to, &accepting).expect(0);
    compare(&all, expected, bare, &BTreeSet::new());
    assert_eq!(all.count("verified"), refused.len() as u64, "{}", all.run);
}

fn compare(done: &Migration, expected: Expected<'_>, bare: &[(&str, u64)], refused: &BTreeSet<&str>) {
    let mut counts: BTreeMap<&str, (u64, u64)> =
        bare.iter().map(|(name, count)| (*name, (*count, 0))).collect();
    assert_eq!(done.lines.len(), expected.len(), "{}", done.run);
    for (key, names) in expected {
        let line = done.line(key);
        assert_eq!(line["class"] == "refused", refused.contains(key), "{line}");
        let told: BTreeSet<&str> = line["losses"].as_array().map_or_else(BTreeSet::new, |losses| {
            losses.iter().filter_map(|loss| loss["name"].as_str()).collect()
        });
        assert_eq!(told, names.iter().copied().collect(), "losses of {key}: {line}");
        for name in *names {
            let count = counts.entry(name).or_default();
            *(if refused.contains(key) { &mut count.1 } else { &mut count.0 }) += 1;
        }
    }
    let told = done.report["losses"].as_object().unwrap();
    let told: BTreeMap<&str, (u64, u64)> = told
        .iter()
        .map(|(name, count)| {
            (name.as_str(), (count["accepted"].as_u64().unwrap(), count["refused"].as_u64().unwrap()))
        })
        .collect();
    assert_eq!(told, counts, "{}", done.run);
}

fn from_azurite_to_rgw() {
    let both = Both::new();
    let (raw, container) = (&both.azurite.raw, &both.container);
    raw.put(container, "case", &[("x-ms-meta-Owner", "17")], b"content");
    raw.put(container, "name", &[("x-ms-meta-owner_id", "17")], b"content");
    raw.put(container, "cool", &[("x-ms-access-tier", "Cool")], b"content");
    let create = [("x-ms-blob-type", "AppendBlob")];
    let _ = raw.request("PUT", &format!("/{container}/append"), &[], &create, b"").expect(201);
    for _ in 0..2 {
        let _ =
            raw.request("PUT", &format!("/{container}/case"), &[("comp", "snapshot")], &[], b"").expect(201);
    }
    let flags = ["--s3-provider", "ceph"];
    let ends = (both.from(), both.to());
    let ends = (ends.0.as_str(), ends.1.as_str());
    let expected: Expected<'_> = &[
        ("case", &["metadata-name-case", "modified-time", "tier-mapped"]),
        ("name", &["metadata-name-changed", "modified-time", "tier-mapped"]),
        ("cool", &["modified-time", "tier-mapped"]),
        ("append", &["blob-type", "modified-time"]),
    ];
    exactly(&both.home, ends, &flags, expected, &[("snapshot-not-moved", 2)]);
    let again = both.home.migrate(ends.0, ends.1, &[&flags[..], &["--change-job"]].concat()).expect(0);
    assert_eq!(again.report["remnants"]["snapshots"], 2, "{:#}", again.report);
    again.run.says("snapshot-not-moved");
    let uncounted = both.home.migrate(ends.0, ends.1, &["--s3-provider", "ceph", "--no-remnants"]).expect(0);
    assert!(uncounted.report["remnants"].is_null(), "{:#}", uncounted.report);
    assert!(!uncounted.run.all().contains("snapshot-not-moved"), "{}", uncounted.run);
    both.end();
}

/// What a disk holds and Azure doesn't.
fn from_a_disk_to_azurite() {
    let azurite = acceptance::azurite().unwrap();
    let home = Home::with_azurite(&azurite);
    let container = azurite.container("loss");
    let metadata = |name: &str, value: &str| Attributes {
        metadata: [(name.to_owned(), value.to_owned())].into(),
        ..Attributes::default()
    };
    let tags: std::collections::BTreeMap<_, _> = (0..11).map(|n| (format!("t{n}"), String::new())).collect();
    let mut disposition = Attributes::default();
    disposition.headers.content_disposition = Some("attachment; filename=\"é\"".into());
    let objects = [
        ("value", metadata("note", "two\nlines")),
        ("name", metadata("owner-id", "17")),
        ("large", metadata("note", &"x".repeat(9000))),
        ("tags", Attributes { tags: Some(tags), ..Attributes::default() }),
        ("spelling", Attributes { tags: Some([("a!".into(), "b".into())].into()), ..Attributes::default() }),
        ("header", disposition),
        ("plain", Attributes::default()),
    ];
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let store =
            LocalStore::open(LocalConfig { root: home.path("in"), create: true, ..Default::default() })
                .await
                .unwrap();
        for (name, attributes) in objects {
            let options = WriteOptions { attributes, ..WriteOptions::default() };
            store.write(&Key::new(name).unwrap(), Payload::from_bytes(name), options).await.unwrap();
        }
    });
    let expected: Expected<'_> = &[
        ("value", &["metadata-value-changed", "modified-time"]),
        ("name", &["metadata-name-changed", "modified-time"]),
        ("large", &["metadata-too-large", "modified-time"]),
        ("tags", &["modified-time", "tag-dropped"]),
        ("spelling", &["modified-time", "tag-dropped"]),
        ("header", &["header-dropped", "modified-time"]),
        ("plain", &["modified-time"]),
    ];
    exactly(&home, (&home.text("in"), &format!("az://{container}")), &[], expected, &[]);
    azurite.raw.remove_container(&container);
}

/// Azurite lets every signature read tags, so a proxy before it refuses what the service refuses without the right.
fn unreadable_tags() {
    let both = Both::new();
    both.azurite.raw.put(&both.container, "tagged", &[("x-ms-tags", "a=b")], b"content");
    let proxy = Tagless::before(&both.azurite);
    let home = Home::with_servers(&both.azurite, &both.rgw)
        .variable("AZURE_STORAGE_CONNECTION_STRING", &proxy.connection_string);
    let expected: Expected<'_> = &[("tagged", &["modified-time", "tags-unreadable", "tier-mapped"])];
    exactly(&home, (&both.from(), &both.to()), &[], expected, &[]);
    both.end();
}

fn older_versions() {
    let rgw = acceptance::rgw().unwrap();
    let (home, bucket) = (Home::with_s3(&rgw), rgw.bucket("versions"));
    let path = format!("/{bucket}");
    let on = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let _ = rgw.raw.request("PUT", &path, &[("versioning", "")], on).expect(200);
    for (key, body) in
        [("kept", b"old"), ("kept", b"new"), ("gone", b"bye"), ("out", b"old"), ("out", b"new")]
    {
        rgw.raw.put(&bucket, key, body);
    }
    let _ = rgw.raw.request("DELETE", &format!("{path}/gone"), &[], b"").expect(204);
    let done = home.migrate(&format!("s3://{bucket}"), &home.text("out"), &["--exclude", "out"]).expect(0);
    assert_eq!(done.report["losses"]["version-not-moved"]["accepted"], 2, "{:#}", done.report);
    done.run.says("version-not-moved");
    for (key, id) in versions(&rgw, &bucket) {
        let _ = rgw.raw.request("DELETE", &format!("{path}/{key}"), &[("versionId", &id)], b"");
    }
    rgw.raw.remove_bucket(&bucket);
}

fn versions(rgw: &acceptance::S3Server, bucket: &str) -> Vec<(String, String)> {
    let listed = rgw.raw.request("GET", &format!("/{bucket}"), &[("versions", "")], b"").expect(200);
    listed.elements("Key").into_iter().zip(listed.elements("VersionId")).collect()
}
