//! What a server keeps of an object besides what is asked for: a customer's key (SSE-C), versions, locks.

use acceptance::{S3Server, generate, read_tree};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::migration::Home;

crate::cases! {
    under_a_customers_key needs ["rgw"],
    a_wrong_key_ends_the_run_with_one_line needs ["rgw"],
    a_named_store_with_a_key needs ["rgw"],
    a_key_never_goes_out_in_plaintext needs [],
    a_key_for_a_folder_is_refused needs [],
    old_versions_are_told_and_probes_leave_none needs ["rgw"],
    a_changed_object_becomes_a_new_version needs ["rgw"],
    a_default_retention_is_told_before_the_first_write needs ["rgw"],
}

const TEXT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const KEY_MD5: &str = "tP/LI3N87DFaSk0aoqYgzg==";
const ID: &str = "630dcd2966c43366";
const OTHER: &str = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU=";

/// A home with both keys in files.
fn home(rgw: &S3Server) -> Home {
    let home = Home::with_s3(rgw);
    std::fs::write(home.path("key"), format!("{TEXT}\n")).unwrap();
    std::fs::write(home.path("other"), OTHER).unwrap();
    home
}

/// The object as another client reads it with the key.
fn opened(rgw: &S3Server, path: &str) -> Vec<u8> {
    let name = "x-amz-server-side-encryption-customer-";
    let (algorithm, key, digest) =
        (format!("{name}algorithm"), format!("{name}key"), format!("{name}key-md5"));
    let headers = [(algorithm.as_str(), "AES256"), (key.as_str(), TEXT), (digest.as_str(), KEY_MD5)];
    rgw.raw.request_with("GET", path, &[], &headers, b"").expect(200).body
}

fn under_a_customers_key() {
    let rgw = acceptance::rgw().unwrap();
    let (home, bucket) = (home(&rgw), rgw.bucket("ssec"));
    let tree = generate(&home.path("in"), 12, 41);
    std::fs::write(home.path("in/large"), vec![7; 11 << 20]).unwrap();
    let (source, ends) = (home.text("in"), format!("s3://{bucket}/d"));
    let key = home.text("key");
    let to = ["--destination-sse-c-key-file", key.as_str(), "--part-threshold", "6MiB", "-vv"];
    let unread = home.migrate(&source, &ends, &to).expect(3);
    assert_eq!(unread.count("stored_unread"), tree.len() as u64 + 1, "an ETag proves nothing");
    assert_eq!(unread.report["destination_sse_c_key"], ID);
    unread.run.says("an ETag proves nothing");
    let name = tree.keys().next().unwrap();
    for name in [name.as_str(), "large"] {
        let path = format!("/{bucket}/d/{name}");
        assert_eq!(rgw.raw.request("GET", &path, &[], b"").status, 400, "readable without the key");
        assert_eq!(opened(&rgw, &path), std::fs::read(home.path("in").join(name)).unwrap());
    }
    let read = home.migrate(&source, &ends, &[&to[..], &["--verify", "read-back"]].concat()).expect(0);
    assert_eq!(read.count("verified"), tree.len() as u64 + 1);
    let back = ["--source-sse-c-key-file", key.as_str(), "-vv"];
    let done = home.migrate(&ends, &home.text("out"), &back).expect(0);
    assert_eq!(
        (done.count("verified"), &done.report["source_sse_c_key"]),
        (tree.len() as u64 + 1, &ID.into())
    );
    assert_eq!(read_tree(&home.path("out")), read_tree(&home.path("in")));
    for run in [&unread.run, &read.run, &done.run] {
        assert!(!run.all().contains(TEXT), "the key is told: {run}");
    }
    assert_only_the_file_holds_the_key(&home);
    let head = home.command("head").arg(format!("{ends}/{name}")).args(["--sse-c-key-file", &key]);
    head.run().expect(0).says("etag");
    rgw.raw.remove_bucket(&bucket);
}

/// Neither ledger, report nor manifest has the key in it.
fn assert_only_the_file_holds_the_key(home: &Home) {
    let mut folders = vec![home.path("")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else if entry.file_name() != "key" {
                let bytes = std::fs::read(entry.path()).unwrap();
                let raw = BASE64.decode(TEXT).unwrap();
                let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
                assert!(!holds(TEXT.as_bytes()) && !holds(&raw), "{:?} holds the key", entry.path());
                seen += 1;
            }
        }
    }
    assert!(seen > 5, "{seen} files");
}

fn a_wrong_key_ends_the_run_with_one_line() {
    let rgw = acceptance::rgw().unwrap();
    let (home, bucket) = (home(&rgw), rgw.bucket("ssec-wrong"));
    generate(&home.path("in"), 40, 42);
    let ends = format!("s3://{bucket}");
    let key = home.text("key");
    home.migrate(&home.text("in"), &ends, &["--destination-sse-c-key-file", &key]).expect(3);
    let wrong = home.text("other");
    let run = home.migrate(&ends, &home.text("out"), &["--source-sse-c-key-file", &wrong]).expect(1);
    let told = run.run.all();
    assert_eq!(told.matches("another SSE-C key than").count(), 1, "{told}");
    assert_eq!(run.copied(), 0);
    let none = home.migrate(&ends, &home.text("elsewhere"), &[]).expect(3);
    none.run.says("SSE-C");
    assert_eq!(none.count("failed"), 40);
    rgw.raw.remove_bucket(&bucket);
}

fn a_named_store_with_a_key() {
    let rgw = acceptance::rgw().unwrap();
    let (home, bucket) = (home(&rgw).variable("MY_KEY", TEXT), rgw.bucket("ssec-named"));
    let config = |key: &str| {
        let text = format!(
            "[stores.vault]\nkind = \"s3\"\nprovider = \"ceph\"\nendpoint = \"{}\"\ncredentials = \"env\"\nsse_c_key = {key}\n",
            rgw.raw.endpoint
        );
        std::fs::write(home.path("config.toml"), text).unwrap();
        home.text("config.toml")
    };
    let tree = generate(&home.path("in"), 5, 43);
    let vault = format!("vault:{bucket}");
    let flags = ["--verify", "read-back", "--config"];
    for key in ["{ env = \"MY_KEY\" }".to_owned(), format!("{{ file = \"{}\" }}", home.text("key"))] {
        let config = config(&key);
        home.migrate(&home.text("in"), &vault, &[&flags[..], &[&config]].concat()).expect(0);
        let shown = home.command("config").args(["show", "--config", &config]).run().expect(0);
        shown.says(ID);
        assert!(!shown.all().contains(TEXT), "{shown}");
    }
    let name = tree.keys().next().unwrap();
    assert_eq!(rgw.raw.request("GET", &format!("/{bucket}/{name}"), &[], b"").status, 400);
    let literal = config(&format!("\"{TEXT}\""));
    let refused = home.command("ls").args([&vault, "--config", &literal]).run().expect(2);
    assert!(!refused.all().contains(TEXT), "{refused}");
    rgw.raw.remove_bucket(&bucket);
}

fn a_key_never_goes_out_in_plaintext() {
    let home = Home::new().variable("AWS_ENDPOINT_URL_S3", "http://192.0.2.1:1");
    std::fs::write(home.path("key"), TEXT).unwrap();
    std::fs::create_dir(home.path("in")).unwrap();
    let key = home.text("key");
    let flags = ["--allow-plaintext", "--destination-sse-c-key-file", key.as_str()];
    let run = home.migrate(&home.text("in"), "s3://bucket", &flags).expect(2);
    run.run.says("would send the SSE-C key in plaintext");
}

fn a_key_for_a_folder_is_refused() {
    let home = Home::new();
    std::fs::write(home.path("key"), TEXT).unwrap();
    std::fs::create_dir(home.path("in")).unwrap();
    let key = home.text("key");
    let run = home.migrate(&home.text("in"), &home.text("out"), &["--source-sse-c-key-file", &key]).expect(2);
    run.run.says("not on S3");
}

/// Names that a listing of versions tells: those of versions, then those of delete markers.
fn versions(rgw: &S3Server, bucket: &str) -> (Vec<String>, Vec<String>) {
    let text = rgw.raw.request("GET", &format!("/{bucket}"), &[("versions", "")], b"").expect(200).text();
    let names = |element: &str| {
        let open = format!("<{element}>");
        let entries = text.split(&open).skip(1);
        let name = |entry: &str| Some(entry.split_once("<Key>")?.1.split_once("</Key>")?.0.to_owned());
        entries.filter_map(name).collect()
    };
    (names("Version"), names("DeleteMarker"))
}

fn old_versions_are_told_and_probes_leave_none() {
    let rgw = acceptance::rgw().unwrap();
    let (home, bucket) = (home(&rgw), rgw.bucket("versions"));
    rgw.raw.keep_versions(&bucket);
    let tree = generate(&home.path("in"), 6, 44);
    let ends = [home.text("in"), format!("s3://{bucket}")];
    let done = home.migrate(&ends[0], &ends[1], &[]).expect(0);
    done.run.says("warning: the destination keeps old versions");
    let checked = home.command("check-access").args(ends).run().expect(0);
    checked.says("versioning");
    let mut names: Vec<String> = tree.keys().cloned().collect();
    names.sort();
    assert_eq!(versions(&rgw, &bucket), (names, Vec::new()), "a probe left something");
}

/// Where Ceph keeps versions it refuses every If-Match: a later pass asks what holds there, and replaces all the same.
fn a_changed_object_becomes_a_new_version() {
    let rgw = acceptance::rgw().unwrap();
    let (home, bucket) = (home(&rgw), rgw.bucket("versions"));
    rgw.raw.keep_versions(&bucket);
    std::fs::create_dir(home.path("in")).unwrap();
    let ends = [home.text("in"), format!("s3://{bucket}")];
    for content in ["one", "two, changed", "three, changed again"] {
        std::fs::write(home.path("in/x"), content).unwrap();
        let done = home.migrate(&ends[0], &ends[1], &[]).expect(0);
        assert_eq!(done.count("verified"), 1, "{}", done.run);
        assert_eq!(rgw.raw.get(&bucket, "x").as_deref(), Some(content.as_bytes()));
    }
    assert_eq!(versions(&rgw, &bucket), (vec!["x".to_owned(); 3], Vec::new()), "each as a version, no probe");
    std::fs::write(home.path("in/y"), "new").unwrap();
    rgw.raw.put(&bucket, "y", b"of somebody else");
    let conflict = home.migrate(&ends[0], &ends[1], &[]).expect(3);
    assert_eq!(conflict.count("conflicts"), 1, "{}", conflict.run);
    assert_eq!(rgw.raw.get(&bucket, "y").as_deref(), Some(&b"of somebody else"[..]));
    rgw.raw.remove_versioned_bucket(&bucket);
}

fn a_default_retention_is_told_before_the_first_write() {
    let rgw = acceptance::rgw().unwrap();
    let home = home(&rgw);
    let bucket = acceptance::random_name("lock");
    let lock = [("x-amz-bucket-object-lock-enabled", "true")];
    let _ = rgw.raw.request_with("PUT", &format!("/{bucket}"), &[], &lock, b"").expect(200);
    let tree = generate(&home.path("in"), 6, 45);
    let (source, ends) = (home.text("in"), format!("s3://{bucket}"));
    let free = home.migrate(&source, &ends, &["--max-objects", "2"]).expect(3);
    assert!(!free.run.all().contains("locks each new object"), "{}", free.run);
    let rule =
        b"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
                 <Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
    let _ = rgw.raw.request("PUT", &format!("/{bucket}"), &[("object-lock", "")], rule).expect(200);
    let done = home.migrate(&source, &ends, &[]).expect(0);
    done.run.says("warning: the destination locks each new object (GOVERNANCE, 1 day)");
    done.run.says("note: the probe object .cabotage-probe-");
    let (kept, hidden) = versions(&rgw, &bucket);
    let is_probe = |name: &&String| name.starts_with(".cabotage-probe-");
    assert!(kept.iter().filter(is_probe).count() >= 1, "{kept:?}");
    assert_eq!(hidden.iter().filter(is_probe).count(), 1, "{hidden:?}");
    assert_eq!(rgw.raw.keys(&bucket).len(), tree.len(), "a probe is listed");
}
