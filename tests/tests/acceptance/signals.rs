//! SIGTERM, as a service manager or a batch system sends it: like Ctrl-C, the first drains and the second ends at once.

use std::time::Duration;

use acceptance::{Harm, Plan, Proxy, S3Server, generate, read_tree, sha256};

use crate::crash::{PARTS, arrived, rest_is_done, wait_for};
use crate::migration::{Home, Migration};
use crate::parts::large_file;

crate::cases! {
    the_first_drains needs ["rgw"],
    the_first_finishes_the_upload_in_flight needs ["rgw"],
    the_second_ends_at_once needs ["rgw"],
    while_comparing needs ["rgw"],
    while_comparing_the_second_ends_at_once needs ["rgw"],
}

fn the_first_drains() {
    let rgw = acceptance::rgw().unwrap();
    let home = Home::with_s3(&rgw);
    let bucket = rgw.bucket("term");
    let to = format!("s3://{bucket}");
    let tree = generate(&home.path("in"), 500, 15);
    let mut first = home.start(&home.text("in"), &to, &["--concurrency", "4"]);
    wait_for(&mut first, || arrived(&rgw, &bucket) >= 40);
    first.signal("TERM");
    let first = home.finished(first.wait()).expect(130);
    assert_eq!(first.report["ending"], "interrupted", "{:#}", first.report);
    let before = arrived(&rgw, &bucket);
    assert_eq!(first.count("verified"), before as u64, "arrived and reported: {}", first.run);
    rest_is_done(&home, &to, before, 0, tree.len());
    rgw.raw.remove_bucket(&bucket);
}

/// An object of ten parts, each of which takes its time, and the signals in the middle of it.
struct Upload {
    rgw: S3Server,
    home: Home,
    bucket: String,
    _proxy: Proxy,
}

impl Upload {
    fn new() -> Self {
        let rgw = acceptance::rgw().unwrap();
        let proxy = Proxy::start(&rgw.raw.endpoint, Plan::always(Harm::Delay, "partNumber="));
        let home = Home::with_s3(&rgw).variable("AWS_ENDPOINT_URL_S3", proxy.url());
        large_file(&home.path("in/large"), 48 << 20);
        let bucket = rgw.bucket("term");
        Self { rgw, home, bucket, _proxy: proxy }
    }

    fn stopped_by(&self, signals: &[&str]) -> Migration {
        let mut run = self.home.start(&self.home.text("in"), &format!("s3://{}", self.bucket), PARTS);
        wait_for(&mut run, || self.rgw.raw.open_uploads(&self.bucket) > 0);
        for signal in signals {
            run.signal(signal);
            std::thread::sleep(Duration::from_millis(20));
        }
        self.home.finished(run.wait()).expect(130)
    }

    /// The same command finishes, and no upload is left open.
    #[track_caller]
    fn finishes(&self) {
        let done =
            self.home.migrate(&self.home.text("in"), &format!("s3://{}", self.bucket), PARTS).expect(0);
        assert_eq!(done.count("conflicts"), 0, "{}", done.run);
        assert_eq!(self.rgw.raw.open_uploads(&self.bucket), 0, "an upload is left open: {}", done.run);
        let content = self.rgw.raw.get(&self.bucket, "large").unwrap();
        assert_eq!(sha256(&content), read_tree(&self.home.path("in"))["large"]);
        self.rgw.raw.remove_bucket(&self.bucket);
    }
}

fn the_first_finishes_the_upload_in_flight() {
    let upload = Upload::new();
    let first = upload.stopped_by(&["TERM"]);
    assert_eq!(first.count("verified"), 1, "{}", first.run);
    assert_eq!(upload.rgw.raw.open_uploads(&upload.bucket), 0, "{}", first.run);
    upload.finishes();
}

fn the_second_ends_at_once() {
    let upload = Upload::new();
    let first = upload.stopped_by(&["TERM", "TERM"]);
    assert_eq!((first.count("verified"), first.count("unfinished")), (0, 1), "{}", first.run);
    assert_eq!(upload.rgw.raw.get(&upload.bucket, "large"), None, "a part of the object is visible");
    upload.finishes();
}

/// A comparison that reads 60 objects from a server that takes its time, with the signal in its middle.
fn while_comparing() {
    let rgw = acceptance::rgw().unwrap();
    let bucket = rgw.bucket("term");
    let to = format!("s3://{bucket}");
    let proxy = Proxy::start(&rgw.raw.endpoint, Plan::calm());
    let home = Home::with_s3(&rgw).variable("AWS_ENDPOINT_URL_S3", proxy.url());
    let tree = generate(&home.path("in"), 60, 16);
    home.migrate(&home.text("in"), &to, &[]).expect(0);
    proxy.set(Plan::always(Harm::Delay, ".bin"));
    let flags = ["--destination-content", "read", "--concurrency", "2"];
    let mut run = home.start_verb("verify", &home.text("in"), &to, &flags);
    wait_for(&mut run, || proxy.done(Harm::Delay) >= 3);
    run.signal("TERM");
    let stopped = home.finished(run.wait());
    assert_eq!(stopped.run.code, Some(130), "{}", stopped.run);
    assert_eq!(stopped.report["ending"], "interrupted", "{:#}", stopped.report);
    assert_eq!(stopped.report["listing_complete"], false, "{:#}", stopped.report);
    assert!(stopped.count("listed") < tree.len() as u64, "{:#}", stopped.report);
    proxy.set(Plan::calm());
    let again = home.verb("verify", &home.text("in"), &to, &flags);
    assert_eq!(again.run.code, Some(0), "{}", again.run);
    assert_eq!(again.count("proven"), tree.len() as u64, "{}", again.run);
    rgw.raw.remove_bucket(&bucket);
}

/// Two files that take seconds to read: they are not read to their end.
fn while_comparing_the_second_ends_at_once() {
    let home = Home::new();
    for end in ["in", "out"] {
        std::fs::create_dir(home.path(end)).unwrap();
        std::fs::File::create(home.path(end).join("large")).unwrap().set_len(4 << 30).unwrap();
    }
    let flags = ["--source-content", "read", "--destination-content", "read"];
    let mut run = home.start_verb("verify", &home.text("in"), &home.text("out"), &flags);
    // The manifest is begun under a name of its own.
    let begun = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.unwrap().file_name().to_string_lossy().starts_with("manifest.ndjson.")
    };
    wait_for(&mut run, || std::fs::read_dir(home.path(".")).unwrap().any(begun));
    // Then it lists and reads; the files are large enough for the signals to be in time.
    std::thread::sleep(Duration::from_millis(300));
    for _ in 0..2 {
        run.signal("TERM");
        std::thread::sleep(Duration::from_millis(20));
    }
    let stopped = home.finished(run.wait());
    assert_eq!(stopped.run.code, Some(130), "{}", stopped.run);
    assert_eq!(stopped.count("listed"), 0, "it was read to its end: {:#}", stopped.report);
}
