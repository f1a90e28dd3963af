//! Hostile names arrive as they are or are refused by name, and no other object is touched.

use std::collections::BTreeSet;

use acceptance::{Azurite, RawS3, read_tree};
use cabotage_azure::{AzureConfig, AzureCredentials, AzureStore};
use cabotage_conformance::hostile_keys;
use cabotage_core::{Key, Secret, Storage as _, StorageExt as _};
use cabotage_http::HttpConfig;

use crate::migration::{Home, Migration};

crate::cases! {
    from_azurite_to_rgw needs ["azurite", "rgw"],
    from_rgw_through_disk needs ["rgw"],
    files_with_hostile_names needs ["azurite", "rgw"],
    names_are_never_printed_raw needs [],
}

fn content(key: &str) -> String {
    format!("content of {key}")
}

/// Writes every hostile name that the container takes; gives those.
fn plant(azurite: &Azurite, container: &str, keys: &[String]) -> Vec<String> {
    let config = AzureConfig {
        renew: None,
        container: container.to_owned(),
        account: None,
        endpoint: None,
        credentials: AzureCredentials::ConnectionString(Secret::new(&azurite.connection_string)),
        http: HttpConfig::default(),
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = AzureStore::open(config).await.unwrap();
        let mut held = Vec::new();
        for name in keys {
            let key = Key::new(name.as_str()).unwrap();
            if store.capabilities().accepts(&key).is_ok() {
                store.put(&key, content(name).into()).await.unwrap();
                held.push(name.clone());
            }
        }
        held
    })
}

/// Each planted key is at the destination, or the manifest refuses it by name; nothing else is there.
fn arrived_or_refused(done: &Migration, rgw: &RawS3, bucket: &str, planted: &[String]) -> usize {
    let mut refused = 0;
    for key in planted {
        let line = done.line(key);
        match rgw.get(bucket, key) {
            Some(found) => {
                assert_eq!(String::from_utf8_lossy(&found), content(key), "{key:?} has other content");
            }
            None => {
                assert_ne!(line["class"], "verified", "{key:?} is not there, and the manifest says: {line}");
                assert!(line.to_string().contains("key-rejected"), "{key:?} is not there; manifest: {line}");
                refused += 1;
            }
        }
    }
    refused
}

fn hostile(prefix: &str) -> Vec<String> {
    hostile_keys().iter().map(|hostile| hostile.under(prefix)).collect()
}

fn from_azurite_to_rgw() {
    let (azurite, rgw) = (acceptance::azurite().unwrap(), acceptance::rgw().unwrap());
    let home = Home::with_servers(&azurite, &rgw);
    let (container, bucket, other) = (azurite.container("names"), rgw.bucket("names"), rgw.bucket("other"));
    // What a stack that resolves names would overwrite: another bucket's `k`, and `c` beside `a/../c`.
    rgw.raw.put(&other, "k", b"of another bucket");
    rgw.raw.put(&bucket, "c", b"was here before");
    let mut keys = hostile("");
    keys.extend([format!("../{other}/k"), format!("a/../../{other}/k"), format!("%2e%2e/{other}/k")]);
    let planted = plant(&azurite, &container, &keys);
    assert!(planted.len() > 60, "Azurite takes only {} hostile names", planted.len());
    assert!(planted.contains(&format!("../{other}/k")), "Azurite takes no dot segments");
    let done = home.migrate(&format!("az://{container}"), &format!("s3://{bucket}"), &[]);
    let refused = arrived_or_refused(&done, &rgw.raw, &bucket, &planted);
    let done = done.expect(if refused == 0 { 0 } else { 3 });
    assert_eq!(done.count("verified") as usize, planted.len() - refused, "{}", done.run);
    assert_eq!(rgw.raw.get(&other, "k").unwrap(), b"of another bucket");
    assert_eq!(rgw.raw.keys(&other).len(), 1, "something else is in another bucket");
    assert_eq!(rgw.raw.get(&bucket, "c").unwrap(), b"was here before");
    assert_eq!(rgw.raw.keys(&bucket).len(), planted.len() - refused + 1, "something else is in the bucket");
    azurite.raw.remove_container(&container);
    rgw.raw.remove_bucket(&bucket);
    rgw.raw.remove_bucket(&other);
}

/// Bucket, disk, bucket: control characters too, and nothing outside of the folder.
fn from_rgw_through_disk() {
    let rgw = acceptance::rgw().unwrap();
    let home = Home::with_s3(&rgw);
    let (from, to) = (rgw.bucket("disk-from"), rgw.bucket("disk-to"));
    let mut planted = BTreeSet::new();
    for key in hostile("") {
        let written = rgw.raw.request("PUT", &format!("/{from}/{key}"), &[], content(&key).as_bytes());
        if written.status == 200 {
            planted.insert(key);
        }
    }
    std::fs::create_dir(home.path("disk")).unwrap();
    std::fs::write(home.path("disk/k"), "beside").unwrap();
    let out = home.text("disk/out");
    let there = home.migrate(&format!("s3://{from}"), &out, &[]).expect(0);
    assert_eq!(there.count("verified") as usize, planted.len(), "{}", there.run);
    let beside: Vec<String> =
        read_tree(&home.path("disk")).into_keys().filter(|f| !f.starts_with("out/")).collect();
    assert_eq!(beside, ["k"], "something is outside of the folder");
    let back = home.migrate(&out, &format!("s3://{to}"), &[]).expect(0);
    assert_eq!(back.count("verified") as usize, planted.len(), "{}", back.run);
    assert_eq!(back.digests(), there.digests());
    for key in &planted {
        assert_eq!(
            rgw.raw.get(&to, key).map(|found| String::from_utf8_lossy(&found).into_owned()),
            Some(content(key))
        );
    }
    rgw.raw.remove_bucket(&from);
    rgw.raw.remove_bucket(&to);
}

/// Files whose names a cloud can't hold are refused by name, the others arrive.
fn files_with_hostile_names() {
    let (azurite, rgw) = (acceptance::azurite().unwrap(), acceptance::rgw().unwrap());
    let home = Home::with_servers(&azurite, &rgw);
    let (container, bucket) = (azurite.container("files"), rgw.bucket("files"));
    std::fs::create_dir(home.path("in")).unwrap();
    let names = [
        "back\\slash",
        "new\nline",
        "esc\u{1b}[31m",
        "plain",
        "a b+c%2F?d#e",
        "\u{202e}bidi",
        "é",
        "e\u{301}",
    ];
    for name in names {
        std::fs::write(home.path("in").join(name), content(name)).unwrap();
    }
    let done = home.migrate(&home.text("in"), &format!("az://{container}"), &[]).expect(3);
    let rejected = done.lines.iter().filter(|line| line.to_string().contains("key-rejected")).count();
    assert_eq!(rejected, 3, "{}", done.run);
    assert_eq!(done.count("verified"), 5, "{}", done.run);
    assert_eq!(azurite.raw.get(&container, "back/slash"), None, "the backslash became a slash");
    done.run.says("key-rejected");
    let done = home.migrate(&home.text("in"), &format!("s3://{bucket}"), &[]).expect(0);
    assert_eq!(done.count("verified"), 8, "{}", done.run);
    for name in names {
        assert_eq!(rgw.raw.get(&bucket, name).unwrap(), content(name).as_bytes(), "{name:?}");
    }
    azurite.raw.remove_container(&container);
    rgw.raw.remove_bucket(&bucket);
}

/// Every run of these tests checks that no control character is printed; here names with them have to be.
fn names_are_never_printed_raw() {
    let home = Home::new();
    for folder in ["in", "out"] {
        std::fs::create_dir(home.path(folder)).unwrap();
        for name in ["red\u{1b}[31m", "two\nlines", "\u{202e}gnp.exe", "bell\u{7}"] {
            std::fs::write(home.path(folder).join(name), folder).unwrap();
        }
    }
    let done = home.migrate(&home.text("in"), &home.text("out"), &[]).expect(3);
    assert_eq!(done.count("conflicts"), 4, "{}", done.run);
    let listed = home.command("ls").arg(home.text("in")).run().expect(0);
    for shown in ["red\\u{1b}[31m", "two\\nlines", "\\u{202e}gnp.exe", "bell\\u{7}"] {
        listed.says(shown);
    }
    let missing = home.command("head").arg(home.text("in/\u{1b}]0;title\u{7}")).run().expect(1);
    missing.says("\\u{1b}]0;title\\u{7}");
    let logged = home.migrate(&home.text("in"), &home.text("out"), &["--log-format", "json"]).expect(3);
    for line in logged.run.stderr.lines() {
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(line);
        assert!(parsed.is_ok(), "a line of the JSON log is none: {line}");
    }
}
