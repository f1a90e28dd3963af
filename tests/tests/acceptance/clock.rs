//! A wall clock that is off by an hour, or jumps: requests are signed by the server's time, and neither the ledger nor its
//! lock depends on the clock.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use acceptance::{Cabotage, Harm, Plan, Proxy, S3Server, Tree, generate, read_tree, sha256};
use tempfile::TempDir;

use crate::bad_input::one_line;
use crate::crash::{PARTS, arrived, files, wait_for};
use crate::migration::Home;
use crate::parts::large_file;

crate::cases! {
    off_by_an_hour needs ["azurite", "rgw", "cc"],
    jumps_in_mid_run needs ["rgw", "cc"],
    an_upload_whose_start_was_not_answered_is_known_again needs ["rgw", "cc"],
    ledger_from_another_time needs ["cc"],
    a_server_that_refuses_all_the_same needs [],
}

const HOUR: i64 = 3_600;

/// A library that shifts the wall clock of a process, built once; none where there is no C compiler.
pub(crate) fn shim() -> Option<&'static Path> {
    static SHIM: OnceLock<Option<(TempDir, PathBuf)>> = OnceLock::new();
    let built = SHIM.get_or_init(|| {
        let folder = TempDir::new().ok()?;
        let (source, library) = (folder.path().join("clock.c"), folder.path().join("clock.so"));
        std::fs::write(&source, include_str!("clock.c")).ok()?;
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source);
        let built = cc.stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
        built.success().then_some((folder, library))
    });
    built.as_ref().map(|(_, library)| library.as_path())
}

/// Runs of that home have a clock of their own, which is right at first.
fn with_clock(home: Home) -> Home {
    let (library, clock) = (shim().unwrap().to_str().unwrap(), home.text("clock"));
    let home = home.variable("LD_PRELOAD", library).variable("CABOTAGE_TEST_CLOCK", &clock);
    set(&home, 0);
    home
}

/// Sets the clock of runs that go on and of those to come; in place, since they have the file mapped.
fn set(home: &Home, seconds: i64) {
    let file = std::fs::File::options().write(true).create(true).truncate(false).open(home.path("clock"));
    file.unwrap().write_all(&seconds.to_ne_bytes()).unwrap();
}

#[track_caller]
fn all_there(rgw: &S3Server, bucket: &str, tree: &Tree) {
    assert!(rgw.raw.names(bucket).iter().eq(tree.keys()), "other names than at the source");
    for (name, digest) in tree {
        assert_eq!(sha256(&rgw.raw.get(bucket, name).unwrap()), *digest, "{name}");
    }
}

/// To Azure, from Azure to S3 and compared, an hour behind and an hour ahead.
fn off_by_an_hour() {
    let (azurite, rgw) = (acceptance::azurite().unwrap(), acceptance::rgw().unwrap());
    for seconds in [-HOUR, HOUR] {
        let home = with_clock(Home::with_servers(&azurite, &rgw));
        set(&home, seconds);
        let tree = generate(&home.path("in"), 40, 41);
        let (container, bucket) = (azurite.container("clock"), rgw.bucket("clock"));
        let (az, s3) = (format!("az://{container}"), format!("s3://{bucket}"));
        home.migrate(&home.text("in"), &az, &[]).expect(0);
        let done = home.migrate(&az, &s3, &[]).expect(0);
        assert_eq!(done.digests(), tree, "{seconds} s");
        let started: jiff::Timestamp = done.report["started"].as_str().unwrap().parse().unwrap();
        let off = started.as_second() - jiff::Timestamp::now().as_second();
        assert!((off - seconds).abs() < HOUR / 2, "the run's clock was off by {off} s, not by {seconds}");
        all_there(&rgw, &bucket, &tree);
        let compared = home.verb("verify", &az, &s3, &["--destination-content", "read"]);
        assert_eq!(compared.count("proven"), tree.len() as u64, "{seconds} s: {}", compared.run.expect(0));
        rgw.raw.remove_bucket(&bucket);
        azurite.raw.remove_container(&container);
    }
}

/// Somebody sets the clock while a run goes on, twice.
fn jumps_in_mid_run() {
    let rgw = acceptance::rgw().unwrap();
    let home = with_clock(Home::with_s3(&rgw));
    let bucket = rgw.bucket("clock");
    let to = format!("s3://{bucket}");
    let tree = generate(&home.path("in"), 600, 42);
    let mut run = home.start(&home.text("in"), &to, &["--concurrency", "8"]);
    for (objects, seconds) in [(40, HOUR), (200, -HOUR)] {
        wait_for(&mut run, || arrived(&rgw, &bucket) >= objects);
        assert!(!run.has_ended(), "the run was over before its clock was set");
        set(&home, seconds);
    }
    let done = home.finished(run.wait()).expect(0);
    assert_eq!(done.count("verified"), tree.len() as u64, "{}", done.run);
    all_there(&rgw, &bucket, &tree);
    let again = home.migrate(&home.text("in"), &to, &[]).expect(0);
    assert_eq!(again.count("skipped"), tree.len() as u64, "{}", again.run);
    rgw.raw.remove_bucket(&bucket);
}

/// Only its time tells that such an upload is this job's own: that of the server, which is not that of this machine.
fn an_upload_whose_start_was_not_answered_is_known_again() {
    let rgw = acceptance::rgw().unwrap();
    for seconds in [-HOUR, HOUR] {
        let proxy = Proxy::start(&rgw.raw.endpoint, Plan::always(Harm::CutReply, "large?uploads"));
        let home = with_clock(Home::with_s3(&rgw).variable("AWS_ENDPOINT_URL_S3", proxy.url()));
        set(&home, seconds);
        let bucket = rgw.bucket("clock");
        let to = format!("s3://{bucket}");
        large_file(&home.path("in/large"), 6 << 20);
        let first = home.migrate(&home.text("in"), &to, PARTS);
        assert_ne!(first.run.code, Some(0), "{}", first.run);
        assert!(rgw.raw.open_uploads(&bucket) > 0, "no upload was started: {}", first.run);
        proxy.set(Plan::calm());
        // By then somebody has set the clock right.
        set(&home, 0);
        let done = home.migrate(&home.text("in"), &to, PARTS).expect(0);
        assert_eq!(rgw.raw.open_uploads(&bucket), 0, "{seconds} s: an upload is left open: {}", done.run);
        rgw.raw.remove_bucket(&bucket);
    }
}

/// A run an hour ahead holds the ledger and is killed; those that come see it as it is and go on.
fn ledger_from_another_time() {
    let home = with_clock(Home::new());
    let (from, to) = (home.text("in"), home.text("out"));
    let tree = generate(&home.path("in"), 1_500, 43);
    set(&home, HOUR);
    let mut ahead = home.start(&from, &to, &["--concurrency", "2"]);
    wait_for(&mut ahead, || files(&home, "out") >= 40);
    set(&home, 0);
    one_line(&home.command("migrate").args([&from, &to]).run(), 11, &["another run holds", "process"]);
    ahead.signal("KILL");
    assert_eq!(ahead.wait().code, None, "the run ended before it was killed");
    let done = home.migrate(&from, &to, &[]).expect(0);
    assert_eq!(done.count("conflicts"), 0, "{}", done.run);
    set(&home, -HOUR);
    let again = home.migrate(&from, &to, &[]).expect(0);
    assert_eq!((again.copied(), again.count("skipped")), (0, tree.len() as u64), "{}", again.run);
    assert_eq!(read_tree(&home.path("out")), tree);
    for verb in ["runs", "status"] {
        let _ = home.command(verb).run().expect(0);
    }
}

/// Answers every request alike, an hour ahead; ends with the process.
fn refusing(code: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().for_each(|stream| refuse(stream.unwrap(), code)));
    format!("http://{address}")
}

fn refuse(mut stream: TcpStream, code: &str) {
    let date = jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_secs(HOUR)).unwrap();
    let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT");
    let body = format!("<Error><Code>{code}</Code><Message>too far</Message></Error>");
    let _ = stream.read(&mut [0; 65_536]);
    let _ = write!(
        stream,
        "HTTP/1.1 403 Forbidden\r\nDate: {date}\r\nx-ms-error-code: {code}\r\nContent-Type: application/xml\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
}

fn a_server_that_refuses_all_the_same() {
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let azure = format!(
        "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=c2VjcmV0LW9mLXRoZS10ZXN0;BlobEndpoint={}/a;",
        refusing("AuthenticationFailed")
    );
    let s3 = vec![
        variable("AWS_ENDPOINT_URL_S3", &refusing("RequestTimeTooSkewed")),
        variable("AWS_ACCESS_KEY_ID", "a-key-of-the-test"),
        variable("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-test"),
        variable("AWS_REGION", "r"),
    ];
    let azure = vec![variable("AZURE_STORAGE_CONNECTION_STRING", &azure)];
    for (place, variables) in [("s3://bucket", s3), ("az://container", azure)] {
        let home = Home::new();
        generate(&home.path("in"), 3, 44);
        let command = |verb: &str| Cabotage::new(&home.path("."), verb).variables(variables.clone());
        one_line(&command("ls").arg(place).run(), 1, &["clock"]);
        one_line(&command("migrate").args([&home.text("in"), place]).run(), 1, &["clock"]);
    }
}
