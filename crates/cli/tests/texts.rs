//! Every error that a user can meet at the command line, against a golden file: the text, in one line, and the exit code.
//! `CABOTAGE_UPDATE_GOLDEN=1` writes it anew.

#![allow(clippy::unwrap_used)]

mod testenv;

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;

use testenv::golden::Golden;
use testenv::server::server;
use testenv::{TestEnv, tree};

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
        &["cat", "data"],
        &["head", "file:///"],
        &["cat", "none/a"],
        &["cat", "data/a/b"],
        &["ls", "data/a"],
        &["migrate", "data/a", "new"],
        &["migrate", "data", "data/a"],
        &["verify", "data", "none"],
        &["migrate", "data", "new", "--report", "data"],
        &["verify", "data", "data2", "--manifest", "none/m"],
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
        golden.run(&env, &["ls", "s3://imaging/data"]);
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
        golden.run(&TestEnv::new().var("AZURE_STORAGE_CONNECTION_STRING", &text), &["ls", "az://imaging"]);
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
