//! Every error that a user can meet at the command line, against a golden file: the text, in one line, and the exit code.
//! `CABOTAGE_UPDATE_GOLDEN=1` writes it anew.

#![allow(clippy::unwrap_used)]

mod testenv;

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;

use testenv::{Ran, TestEnv, tree};

/// What came out, piece by piece.
struct Golden {
    file: &'static str,
    text: String,
}

impl Golden {
    fn new(file: &'static str) -> Self {
        Self { file, text: String::new() }
    }

    /// A command, its exit code and what it said on standard error.
    fn add(&mut self, env: &TestEnv, args: &[&str], ran: &Ran) {
        assert!(!ran.stderr.contains("HUSH") && !ran.stdout.contains("HUSH"), "{ran:?}");
        let args: Vec<String> = args.iter().map(|arg| arg.escape_debug().to_string()).collect();
        let shown = neutral(env, &format!("$ cabotage {}\n{}", args.join(" "), ran.stderr));
        write!(self.text, "{shown}exit {}\n\n", ran.code).unwrap();
    }

    fn run(&mut self, env: &TestEnv, args: &[&str]) {
        let ran = env.run(args);
        self.add(env, args, &ran);
    }

    fn section(&mut self, title: &str) {
        write!(self.text, "== {title}\n\n").unwrap();
    }

    fn check(self) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(self.file);
        if std::env::var_os("CABOTAGE_UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &self.text).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        for (found, wanted) in self.text.split("\n\n").zip(expected.split("\n\n")) {
            assert_eq!(found, wanted, "{} differs; CABOTAGE_UPDATE_GOLDEN=1 writes it anew", path.display());
        }
        assert_eq!(self.text, expected, "{} differs", path.display());
    }
}

/// Without what changes from run to run: the temporary folder, ports, numbers of processes, names of ledgers, host and time.
fn neutral(env: &TestEnv, text: &str) -> String {
    let mut text = text.replace(&env.path("").to_string_lossy().trim_end_matches('/').to_owned(), "HOME");
    for (before, name) in [("127.0.0.1:", "PORT"), ("process ", "PID")] {
        let pieces: Vec<String> = text.split(before).map(str::to_owned).collect();
        let (first, rest) = pieces.split_first().unwrap();
        text = rest.iter().fold(first.clone(), |all, piece| {
            let digits = piece.chars().take_while(char::is_ascii_digit).count();
            let name = if digits > 0 { name } else { "" };
            format!("{all}{before}{name}{}", &piece[digits..])
        });
    }
    for (before, after, name) in
        [("state/cabotage/", '.', "LEDGER"), ("process PID on ", ';', "HOST, started TIME")]
    {
        text = cut(&text, before, after, name);
    }
    text
}

/// Replaces what stands between the two by a name, wherever it stands.
fn cut(text: &str, before: &str, after: char, name: &str) -> String {
    let mut pieces = text.split(before);
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |all, piece| {
        let rest = piece.find(after).map_or("", |at| &piece[at..]);
        format!("{all}{before}{name}{rest}")
    })
}

/// A server on loopback that answers every request like this.
fn server(status: &'static str, headers: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            answer(stream, status, headers, body);
        }
    });
    url
}

/// Requests of these tests have no body.
fn answer(mut stream: TcpStream, status: &str, headers: &str, body: &str) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if !matches!(stream.read(&mut byte), Ok(1)) {
            return;
        }
        head.push(byte[0]);
    }
    let length = body.len();
    let body = if head.starts_with(b"HEAD") { "" } else { body };
    let reply = format!(
        "HTTP/1.1 {status}\r\nserver: test\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    let _ = stream.write_all(reply.as_bytes());
}

#[test]
fn command_line() {
    let env = TestEnv::new();
    env.write("data/a", "1");
    let mut golden = Golden::new("errors-usage.txt");
    golden.section("Command line");
    for args in [
        &["migrate", "a"][..],
        &["migrat", "a", "b"],
        &["migrate", "a", "b", "--includ", "x"],
        &["migrate", "a", "b", "--overwrite", "\u{1b}[31mred"],
        &["migrate", "a", "b", "--memory", "256"],
        &["migrate", "a", "b", "--memory", "much"],
        &["migrate", "a", "b", "--accept-loss", "tag-droped"],
        &["migrate", "a", "b", "--null"],
        &["migrate", "a", "b", "--include", "[a"],
        &["migrate", "data", "new", "--concurrency", "0"],
        &["migrate", "data", "new", "--memory", "1MiB"],
        &["ls"],
    ] {
        golden.run(&env, args);
    }
    golden.section("Locations");
    for args in [
        &["ls", "gs://bucket/x"][..],
        &["ls", "https://a.blob.core.windows.net/c?sig=HUSH"],
        &["ls", "s3://AK:HUSH@bucket"],
        &["ls", "s3://"],
        &["ls", "az:///x"],
        &["ls", "C:x"],
        &["ls", ""],
        &["ls", "s3://b\u{1b}[31m"],
        &["ls", "s3://b\u{202e}"],
        &["cat", "s3://bucket"],
        &["migrate", "data", "data"],
        &["migrate", "data", "data/inside"],
        &["migrate", ".", "data"],
    ] {
        golden.run(&env, args);
    }
    golden.check();
}

#[test]
fn configuration_and_credentials() {
    let env = TestEnv::new();
    env.write("data/a", "1");
    let mut golden = Golden::new("errors-configuration.txt");
    golden.section("Configuration file");
    for file in [
        "[stores.t]\nkind = 's3'\nregoin = 'x'",
        "[stores.t]\nkind = 's3'\ncredentials = { access_key_id = 'A', secret_access_key = 'HUSH' }",
        "[stores.t]\nkey = HUSH",
        "[stores.t]\nkind = 'gcs'",
        "[stores.t]\nkind = 's3'\nregion = 'r'\nprovider = 'scalway'\ncredentials = 'env'",
        "[stores.t]\nkind = 's3'\nprovider = 'scaleway'\nregion = 'fr-par'",
        "[stores.other]\nkind = 's3'",
    ] {
        env.write("c.toml", file);
        golden.run(&env, &["ls", "t:bucket", "--config", "c.toml"]);
    }
    golden.run(&env, &["ls", "t:bucket", "--config", "none.toml"]);
    golden.run(&env, &["ls", "t:bucket"]);
    golden.section("Credentials");
    golden.run(&env, &["migrate", "data", "s3://bucket"]);
    golden.run(&env, &["migrate", "data", "az://container"]);
    let keys = || TestEnv::new().var("AWS_ACCESS_KEY_ID", "AK").var("AWS_SECRET_ACCESS_KEY", "HUSH");
    golden.run(&keys().var("AWS_ENDPOINT_URL", "http://198.51.100.1"), &["ls", "s3://bucket"]);
    golden.run(&keys().var("AWS_ENDPOINT_URL", "nonsense"), &["ls", "s3://bucket"]);
    for text in ["AccountName=a;AccountKey=HUSH!", "AccountName=a", "HUSH"] {
        golden.run(&TestEnv::new().var("AZURE_STORAGE_CONNECTION_STRING", text), &["ls", "az://container"]);
    }
    golden.section("Files of a run");
    for args in [
        &["migrate", "none", "new"][..],
        &["migrate", "data", "new", "--report", "none/r.json"],
        &["migrate", "data", "new", "--manifest", "none/m"],
        &["migrate", "data", "new", "--state", "data/a"],
        &["migrate", "data", "new", "--keys-from", "none"],
        &["migrate", "data", "new", "--manifest", "data/m"],
        &["ls", "none"],
        &["cat", "data/none"],
        &["head", "data/a\u{1b}[31m\n\u{202e}\u{200b}"],
    ] {
        golden.run(&env, args);
    }
    golden.check();
}

/// What servers answer, as S3 and as Azure say it.
#[test]
fn servers() {
    let mut golden = Golden::new("errors-servers.txt");
    golden.section("S3");
    for (status, body) in [
        ("404 Not Found", "<Error><Code>NoSuchBucket</Code><Message>no bucket</Message></Error>"),
        ("403 Forbidden", "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"),
        ("403 Forbidden", "<Error><Code>InvalidAccessKeyId</Code><Message>no such key</Message></Error>"),
        ("403 Forbidden", "<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error>"),
        ("400 Bad Request", "<Error><Code>ExpiredToken</Code><Message>expired</Message></Error>"),
        ("400 Bad Request", "<Error><Code>\u{1b}[31mOdd</Code><Message>line\none\u{202e}</Message></Error>"),
        (
            "301 Moved Permanently",
            "<Error><Code>PermanentRedirect</Code><Endpoint>elsewhere</Endpoint></Error>",
        ),
        ("200 OK", "<html>a proxy's page</html>"),
        ("200 OK", "<ListBucketResult><IsTruncated>tr"),
    ] {
        let env = TestEnv::new()
            .var("AWS_ACCESS_KEY_ID", "AK")
            .var("AWS_SECRET_ACCESS_KEY", "HUSH")
            .var("AWS_ENDPOINT_URL", &server(status, "", body));
        golden.run(&env, &["ls", "s3://bucket/data"]);
    }
    golden.section("Azure");
    for (status, headers, body) in [
        ("404 Not Found", "x-ms-error-code: ContainerNotFound\r\n", ""),
        ("403 Forbidden", "x-ms-error-code: AuthenticationFailed\r\n", ""),
        ("403 Forbidden", "x-ms-error-code: AuthorizationPermissionMismatch\r\n", ""),
        ("403 Forbidden", "x-ms-error-code: AuthorizationFailure\r\n", ""),
        ("409 Conflict", "x-ms-error-code: ContainerBeingDeleted\r\n", ""),
        ("200 OK", "", "<html>a proxy's page</html>"),
    ] {
        let endpoint = server(status, headers, body);
        let text = format!("AccountName=acc;AccountKey=SFVTSA==;BlobEndpoint={endpoint}/acc");
        golden.run(&TestEnv::new().var("AZURE_STORAGE_CONNECTION_STRING", &text), &["ls", "az://container"]);
    }
    golden.check();
}

/// The first file of the state folder that is a database.
fn ledger(env: &TestEnv) -> PathBuf {
    let state = env.path(".local/state/cabotage");
    let files = tree(&state);
    let found = files.iter().find(|(_, bytes)| bytes.starts_with(b"SQLite format 3"));
    state.join(found.unwrap().0)
}

#[test]
fn ledgers() {
    let mut golden = Golden::new("errors-ledger.txt");
    let args = ["migrate", "data", "out"];
    let fresh = || {
        let env = TestEnv::new();
        env.write("data/a", "1");
        assert_eq!(env.run(&args).code, 0);
        env
    };
    golden.section("The ledger is damaged");
    let env = fresh();
    let path = ledger(&env);
    let mut bytes = std::fs::read(&path).unwrap();
    let half = bytes.len() / 2;
    bytes[100..half].fill(b'x');
    std::fs::write(&path, bytes).unwrap();
    golden.run(&env, &args);
    golden.section("The ledger is no ledger");
    let env = fresh();
    std::fs::write(ledger(&env), "something else").unwrap();
    golden.run(&env, &args);
    golden.section("The ledger is of a newer program");
    let env = fresh();
    let path = ledger(&env);
    let mut bytes = std::fs::read(&path).unwrap();
    // The user version of an SQLite file (file format, 1.3.19).
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    std::fs::write(&path, bytes).unwrap();
    golden.run(&env, &args);
    golden.section("Another run holds it");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let env = TestEnv::new()
        .var("AWS_ACCESS_KEY_ID", "AK")
        .var("AWS_SECRET_ACCESS_KEY", "HUSH")
        .var("AWS_ENDPOINT_URL", &endpoint);
    env.write("data/a", "1");
    let args = ["migrate", "s3://bucket", "out"];
    let mut first = env.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let _connection = silent.accept().unwrap();
    golden.run(&env, &args);
    let pid = first.id().to_string();
    assert!(std::process::Command::new("kill").args(["-s", "INT", &pid]).status().unwrap().success());
    assert_eq!(first.wait().unwrap().code(), Some(130));
    golden.check();
}

const NAMES: [&str; 8] = [
    "a\nb",
    "a\u{1b}[31mb",
    "exe\u{202e}txt",
    "zero\u{200b}width",
    "back\\slash",
    "c1\u{9b}31m",
    "sep\u{2028}arator",
    "plain \u{e9} \u{1F600}",
];

/// Names with control, bidirectional and escape characters: in conflicts, listings, the report and the manifest.
#[test]
fn names() {
    let env = TestEnv::new();
    for name in NAMES {
        env.write(&format!("data/{name}"), "new");
        env.write(&format!("out/{name}"), "other");
    }
    env.write(&format!("data/{}/{}", "n".repeat(250), "\u{1b}".repeat(250)), "new");
    let mut golden = Golden::new("names.txt");
    golden.section("Conflicts");
    let args = ["migrate", "data", "out", "--manifest", "m.ndjson", "--report", "r.json"];
    let ran = env.run(&args);
    golden.add(&env, &args, &Ran { stderr: sorted(&ran.stderr), ..ran });
    golden.section("Manifest");
    let manifest = std::fs::read_to_string(env.path("m.ndjson")).unwrap();
    let keys: Vec<&str> = manifest.lines().map(|line| &line[..line.find("\",\"").unwrap() + 1]).collect();
    write!(golden.text, "{}\n\n", sorted(&keys.join("\n")).trim_end()).unwrap();
    for line in manifest.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line:?}");
        assert!(!line.bytes().any(|b| b < b' '), "{line:?}");
    }
    golden.section("Listings");
    let listed = env.run(&["ls", "-r", "data", "--json"]);
    let keys: Vec<String> = listed
        .stdout
        .lines()
        .map(|line| {
            let key = &line[line.find("\"key\":").unwrap()..];
            key[..key.find("\",\"").unwrap() + 1].to_owned()
        })
        .collect();
    write!(golden.text, "{}\n\n", keys.join("\n")).unwrap();
    golden.section("An object that isn't there");
    for name in NAMES {
        golden.run(&env, &["cat", &format!("data/{name}.none")]);
    }
    let report = std::fs::read_to_string(env.path("r.json")).unwrap();
    assert!(!report.bytes().any(|b| b < b' ' && b != b'\n'), "{report:?}");
    golden.check();
}

/// Objects end in any order.
fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.iter().map(|line| format!("{line}\n")).collect()
}
