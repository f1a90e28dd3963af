//! What only Azure has: blobs of other types, stubs of folders, the archive.

use acceptance::RawAzure;

use crate::attributes::Both;

crate::cases! {
    page_blobs_arrive_whole needs ["azurite", "rgw"],
    folder_stubs_and_empty_blobs_are_kept needs ["azurite", "rgw"],
    archived_blobs_are_put_off_and_named needs ["azurite", "rgw"],
}

/// Holes of a page blob are read as zeros and stored as such.
fn page_blobs_arrive_whole() {
    let both = Both::new();
    let path = format!("/{}/disk.vhd", both.container);
    let create = [("x-ms-blob-type", "PageBlob"), ("x-ms-blob-content-length", "3072")];
    let _ = both.azurite.raw.request("PUT", &path, &[], &create, b"").expect(201);
    let page = [("x-ms-page-write", "update"), ("x-ms-range", "bytes=1024-1535")];
    let _ = both.azurite.raw.request("PUT", &path, &[("comp", "page")], &page, &[7; 512]).expect(201);
    let mut content = vec![0; 3072];
    content[1024..1536].fill(7);
    let done = both.home.migrate(&both.from(), &both.to(), &[]).expect(3);
    assert_eq!(done.report["losses"]["blob-type"]["refused"], 1, "{:#}", done.report);
    let done = both
        .home
        .migrate(&both.from(), &both.to(), &["--accept-loss", "blob-type", "--change-job"])
        .expect(0);
    assert!(done.line("disk.vhd")["losses"].to_string().contains("page blob"), "{}", done.line("disk.vhd"));
    assert_eq!(done.digests()["disk.vhd"], acceptance::sha256(&content));
    assert_eq!(both.rgw.raw.get(&both.bucket, "disk.vhd").unwrap(), content);
    both.end();
}

const STUB: &[(&str, &str)] = &[("x-ms-meta-hdi_isfolder", "true")];

/// By a server, and by a disk, where a folder's stub and what lies in the folder have to share a place.
fn folder_stubs_and_empty_blobs_are_kept() {
    let both = Both::new();
    let names = ["bare/", "deep/stub", "empty", "full", "full/x"];
    for name in names {
        let stub = name == "full" || name == "deep/stub";
        let body: &[u8] = if name == "full/x" { b"content" } else { b"" };
        both.azurite.raw.put(&both.container, name, if stub { STUB } else { &[] }, body);
    }
    // RGW 16 changes the stub's mark to `hdi-isfolder`, which is a loss with a name.
    let flags = ["--s3-provider", "ceph", "--accept-loss", "metadata-name-changed"];
    let done = both.home.migrate(&both.from(), &both.to(), &flags).expect(0);
    assert_eq!(done.count("verified"), 5, "{}", done.run);
    for name in names {
        let there = both.rgw.raw.get(&both.bucket, name).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(there.is_empty(), name != "full/x", "{name}");
    }
    let disk = both.home.text("disk");
    both.home.migrate(&both.from(), &disk, &[]).expect(0);
    let back = both.azurite.container("back");
    let done = both.home.migrate(&disk, &format!("az://{back}"), &[]).expect(0);
    assert_eq!(done.count("verified"), 5, "{}", done.run);
    for name in names {
        let head = both.azurite.raw.request("HEAD", &format!("/{back}/{name}"), &[], &[], b"").expect(200);
        let stub = head.headers.get("x-ms-meta-hdi_isfolder").map(String::as_str);
        assert_eq!(stub, (name == "full" || name == "deep/stub").then_some("true"), "{name}");
    }
    both.azurite.raw.remove_container(&back);
    both.end();
}

fn set_tier(raw: &RawAzure, container: &str, key: &str, tier: &str) {
    let path = format!("/{container}/{key}");
    let reply = raw.request("PUT", &path, &[("comp", "tier")], &[("x-ms-access-tier", tier)], b"");
    assert!([200, 202].contains(&reply.status), "{}", reply.text());
}

/// The list of what was put off is the list of what to move once it is restored.
fn archived_blobs_are_put_off_and_named() {
    let both = Both::new();
    let raw = &both.azurite.raw;
    for name in ["data/old  scan é", "data/a/old", "data/new", "other/old"] {
        raw.put(&both.container, name, &[], name.as_bytes());
        if name.contains("old") {
            set_tier(raw, &both.container, name, "Archive");
        }
    }
    let from = format!("{}/data", both.from());
    for (flags, expected) in [
        (&["--archived-list", "{}"][..], "a/old\nold  scan é\n"),
        (&["--archived-list", "{}", "-0"][..], "a/old\0old  scan é\0"),
        (&["--archived-list", "{}", "--dry-run"][..], "a/old\nold  scan é\n"),
    ] {
        let list = both.home.text("archived");
        let flags: Vec<_> =
            flags.iter().map(|flag| if *flag == "{}" { list.as_str() } else { flag }).collect();
        let done = both.home.migrate(&from, &both.to(), &flags).expect(3);
        assert_eq!(done.count("deferred"), 2, "{}", done.run);
        assert_eq!(std::fs::read_to_string(&list).unwrap(), expected);
    }
    assert_eq!(both.rgw.raw.keys(&both.bucket), ["new"]);
    set_tier(raw, &both.container, "data/old  scan é", "Hot");
    let list = both.home.text("archived");
    // The same file is read and written anew: what is still archived stays in it.
    let flags = ["--keys-from", &list, "--archived-list", &list];
    let done = both.home.migrate(&from, &both.to(), &flags).expect(3);
    assert_eq!(
        (done.count("listed"), done.count("verified"), done.count("deferred")),
        (2, 1, 1),
        "{}",
        done.run
    );
    assert_eq!(std::fs::read_to_string(&list).unwrap(), "a/old\n");
    assert_eq!(both.rgw.raw.get(&both.bucket, "old  scan é").unwrap(), "data/old  scan é".as_bytes());
    both.end();
}
