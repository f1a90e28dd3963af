//! Attributes arrive, or what is lost has a name.

use acceptance::{Azurite, S3Server};
use cabotage_core::{Attributes, Key, Payload, Storage as _, WriteOptions};
use cabotage_local::{LocalConfig, LocalStore};

use crate::migration::Home;

crate::cases! {
    from_azurite_to_rgw_and_back needs ["azurite", "rgw"],
    large_objects_keep_theirs needs ["azurite", "rgw"],
    compressed_bodies_are_not_decoded needs ["azurite", "rgw"],
    changed_metadata_names_are_refused needs ["azurite", "rgw"],
    append_blobs_are_refused_or_named needs ["azurite", "rgw"],
    line_feeds_in_metadata_are_refused needs ["azurite", "rgw"],
    unknown_loss_names_are_refused needs [],
}

/// Headers of a blob with everything that both clouds hold.
const FULL: &[(&str, &str)] = &[
    ("x-ms-blob-content-type", "application/dicom"),
    ("x-ms-blob-content-encoding", "x-none"),
    ("x-ms-blob-content-language", "fr-FR"),
    ("x-ms-blob-content-disposition", "attachment; filename=\"scan 1.dcm\""),
    ("x-ms-blob-cache-control", "private, max-age=60"),
    ("x-ms-meta-Owner", "Radiology dept"),
    ("x-ms-meta-consent", "yes; 2026"),
    ("x-ms-tags", "study=A%2BB&stage=raw%20data"),
];

/// Azurite, RGW, a container, a bucket.
pub(crate) struct Both {
    pub(crate) azurite: Azurite,
    pub(crate) rgw: S3Server,
    pub(crate) home: Home,
    pub(crate) container: String,
    pub(crate) bucket: String,
}

impl Both {
    pub(crate) fn new() -> Self {
        let (azurite, rgw) = (acceptance::azurite().unwrap(), acceptance::rgw().unwrap());
        let home = Home::with_servers(&azurite, &rgw);
        let (container, bucket) = (azurite.container("attr"), rgw.bucket("attr"));
        Self { azurite, rgw, home, container, bucket }
    }

    pub(crate) fn from(&self) -> String {
        format!("az://{}", self.container)
    }

    pub(crate) fn to(&self) -> String {
        format!("s3://{}", self.bucket)
    }

    pub(crate) fn end(self) {
        self.azurite.raw.remove_container(&self.container);
        self.rgw.raw.remove_bucket(&self.bucket);
    }
}

fn full_on_s3(both: &Both, key: &str) {
    let head = both.rgw.raw.request("HEAD", &format!("/{}/{key}", both.bucket), &[], b"").expect(200);
    for (name, value) in [
        ("content-type", "application/dicom"),
        ("content-encoding", "x-none"),
        ("content-language", "fr-FR"),
        ("content-disposition", "attachment; filename=\"scan 1.dcm\""),
        ("cache-control", "private, max-age=60"),
        ("x-amz-meta-owner", "Radiology dept"),
        ("x-amz-meta-consent", "yes; 2026"),
    ] {
        assert_eq!(head.headers.get(name).map(String::as_str), Some(value), "{name} of {key}");
    }
    let tags =
        both.rgw.raw.request("GET", &format!("/{}/{key}", both.bucket), &[("tagging", "")], b"").expect(200);
    let mut pairs: Vec<_> = tags.elements("Key").into_iter().zip(tags.elements("Value")).collect();
    pairs.sort();
    let wanted =
        [("stage", "raw data"), ("study", "A+B")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(pairs, wanted, "tags of {key}");
}

fn full_on_azure(azurite: &Azurite, container: &str, key: &str) {
    let path = format!("/{container}/{key}");
    let head = azurite.raw.request("HEAD", &path, &[], &[], b"").expect(200);
    for (name, value) in FULL.iter().filter(|(name, _)| *name != "x-ms-tags") {
        let name = name.replace("x-ms-blob-", "").to_lowercase();
        assert_eq!(head.headers.get(&name).map(String::as_str), Some(*value), "{name} of {key}");
    }
    let tags = azurite.raw.request("GET", &path, &[("comp", "tags")], &[], b"").expect(200);
    let mut pairs: Vec<_> = tags.elements("Key").into_iter().zip(tags.elements("Value")).collect();
    pairs.sort();
    let wanted =
        [("stage", "raw data"), ("study", "A+B")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(pairs, wanted, "tags of {key}");
}

fn from_azurite_to_rgw_and_back() {
    let both = Both::new();
    both.azurite.raw.put(&both.container, "full", FULL, b"content");
    both.azurite.raw.put(&both.container, "bare", &[], b"content");
    both.azurite.raw.put(&both.container, "empty", FULL, b"");
    let done = both.home.migrate(&both.from(), &both.to(), &[]).expect(0);
    assert_eq!(done.count("verified"), 3, "{}", done.run);
    full_on_s3(&both, "full");
    full_on_s3(&both, "empty");
    let back = both.azurite.container("back");
    both.home.migrate(&both.to(), &format!("az://{back}"), &[]).expect(0);
    full_on_azure(&both.azurite, &back, "full");
    let again = both.home.migrate(&both.from(), &both.to(), &[]).expect(0);
    assert_eq!(again.count("skipped"), 3, "{}", again.run);
    both.azurite.raw.remove_container(&back);
    both.end();
}

/// Uploads in parts carry attributes and tags too (RGW drops tags given at an upload's start).
fn large_objects_keep_theirs() {
    let both = Both::new();
    let content = vec![7_u8; 12 << 20];
    both.azurite.raw.put(&both.container, "large", FULL, &content);
    let flags = ["--part-threshold", "5MiB"];
    both.home.migrate(&both.from(), &both.to(), &flags).expect(0);
    full_on_s3(&both, "large");
    let back = both.azurite.container("back");
    both.home.migrate(&both.to(), &format!("az://{back}"), &flags).expect(0);
    full_on_azure(&both.azurite, &back, "large");
    assert_eq!(both.azurite.raw.get(&back, "large").unwrap(), content);
    both.azurite.raw.remove_container(&back);
    both.end();
}

fn compressed_bodies_are_not_decoded() {
    // An empty gzip stream (RFC 1952).
    const GZIP: &[u8] = &[31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let both = Both::new();
    both.azurite.raw.put(&both.container, "a.gz", &[("x-ms-blob-content-encoding", "gzip")], GZIP);
    let done = both.home.migrate(&both.from(), &both.to(), &[]).expect(0);
    assert_eq!(done.digests()["a.gz"], acceptance::sha256(GZIP));
    assert_eq!(both.rgw.raw.get(&both.bucket, "a.gz").unwrap(), GZIP);
    both.end();
}

/// RGW 16 turns `_` into `-` in names of metadata.
fn changed_metadata_names_are_refused() {
    let both = Both::new();
    both.azurite.raw.put(&both.container, "named", &[("x-ms-meta-owner_id", "17")], b"content");
    both.azurite.raw.put(&both.container, "plain", &[("x-ms-meta-owner", "17")], b"content");
    let flags = ["--s3-provider", "ceph"];
    let done = both.home.migrate(&both.from(), &both.to(), &flags).expect(3);
    assert_eq!((done.count("refused"), done.count("verified")), (1, 1), "{}", done.run);
    done.run.says("metadata-name-changed");
    assert_eq!(both.rgw.raw.get(&both.bucket, "named"), None, "a refused object was written");
    let flags = ["--s3-provider", "ceph", "--accept-loss", "metadata-name-changed"];
    let other_rules = both.home.migrate(&both.from(), &both.to(), &flags).expect(1);
    other_rules.run.says("--accept-loss was none, is now metadata-name-changed");
    let flags = ["--s3-provider", "ceph", "--accept-loss", "metadata-name-changed", "--change-job"];
    let done = both.home.migrate(&both.from(), &both.to(), &flags).expect(0);
    assert_eq!(done.report["losses"]["metadata-name-changed"]["accepted"], 1, "{:#}", done.report);
    both.end();
}

fn append_blobs_are_refused_or_named() {
    let both = Both::new();
    let path = format!("/{}/log", both.container);
    let create = [("x-ms-blob-type", "AppendBlob")];
    let _ = both.azurite.raw.request("PUT", &path, &[], &create, b"").expect(201);
    let _ = both.azurite.raw.request("PUT", &path, &[("comp", "appendblock")], &[], b"a line").expect(201);
    let done = both.home.migrate(&both.from(), &both.to(), &[]).expect(3);
    done.run.says("blob-type");
    assert_eq!(both.rgw.raw.get(&both.bucket, "log"), None, "a refused object was written");
    let done = both
        .home
        .migrate(&both.from(), &both.to(), &["--accept-loss", "blob-type", "--change-job"])
        .expect(0);
    assert_eq!(done.report["losses"]["blob-type"]["accepted"], 1, "{:#}", done.report);
    assert_eq!(both.rgw.raw.get(&both.bucket, "log").unwrap(), b"a line");
    both.end();
}

/// A disk's metadata can hold what no header can.
fn line_feeds_in_metadata_are_refused() {
    let both = Both::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store =
            LocalStore::open(LocalConfig { root: both.home.path("in"), create: true, ..Default::default() })
                .await
                .unwrap();
        for (name, value) in [("lf", "a\nx-injected: b"), ("crlf", "a\r\nx-injected: b"), ("fine", "plain")] {
            let attributes =
                Attributes { metadata: [("note".into(), value.into())].into(), ..Default::default() };
            let options = WriteOptions { attributes, ..WriteOptions::default() };
            store.write(&Key::new(name).unwrap(), Payload::from_bytes(name), options).await.unwrap();
        }
    });
    for to in [both.to(), format!("az://{}", both.container)] {
        let done = both.home.migrate(&both.home.text("in"), &to, &[]).expect(3);
        assert_eq!((done.count("refused"), done.count("verified")), (2, 1), "{}", done.run);
        done.run.says("metadata-value-changed");
    }
    assert_eq!(both.rgw.raw.get(&both.bucket, "lf"), None, "a refused object was written");
    assert_eq!(both.azurite.raw.get(&both.container, "crlf"), None, "a refused object was written");
    both.end();
}

fn unknown_loss_names_are_refused() {
    let home = Home::new();
    let run = home.command("migrate").args(["in", "out", "--accept-loss", "tag-droped"]).run().expect(2);
    run.says("tag-dropped");
}
