//! Bad input: one clear line, the right exit code, no secret, nothing that acts on a terminal.

mod testenv;

use testenv::{Ran, TestEnv};

/// One line on standard error that says so, nothing on standard output.
fn assert_line(ran: &Ran, code: i32, said: &str) {
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    assert!(ran.stderr.starts_with("error: "), "{ran:?}");
    assert!(ran.stderr.contains(said), "{said}: {ran:?}");
    assert!(!ran.stderr.contains("HUSH"), "{ran:?}");
    assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{ran:?}");
}

#[test]
fn usage() {
    let env = TestEnv::new();
    for (args, said) in [
        (&["migrate", "a"][..], "<DESTINATION>"),
        (&["migrat", "a", "b"], "'migrate'"),
        (&["migrate", "a", "b", "--includ", "x"], "'--include'"),
        (&["migrate", "a", "b", "--overwrite", "\u{1b}[31mred"], "[possible values: never, ours, always]"),
        (&["migrate", "a", "b", "--memory", "256"], "256MiB"),
        (&["migrate", "a", "b", "--accept-loss", "tag-droped"], "tag-dropped"),
        (&["migrate", "a", "b", "--null"], "--keys-from"),
        (&["migrate", "a", "b", "--include", "[a"], "--include '[a' is no glob"),
        (&["ls", "gs://bucket/x"], "no scheme 'gs://'; the locations are az://"),
        (&["ls", "https://a.blob.core.windows.net/c?sig=HUSH"], "no scheme 'https://'"),
        (&["ls", "s3://AK:HUSH@bucket"], "user name or password"),
        (&["ls", "C:x"], "./C:"),
        (&["ls", ""], "can't be empty"),
        (&["ls", "s3://b\u{1b}[31m"], "can't be the name of a bucket"),
    ] {
        assert_line(&env.run(args), 2, said);
    }
}

/// With `--log-format json` there is no line that isn't JSON, whatever is wrong with the command line.
#[test]
fn usage_as_json() {
    let env = TestEnv::new();
    for (args, said) in [
        (&["migrate", "a", "--log-format", "json"][..], "<DESTINATION>"),
        (&["--log-format=json", "migrat", "a", "b"], "'migrate'"),
        (&["--log-format", "json"], "requires a subcommand"),
        (&["--log-format", "json", "ls", "s3://b\u{1b}[31m"], "can't be the name of a bucket"),
    ] {
        let ran = env.run(args);
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.lines().count()), (2, "", 1), "{ran:?}");
        let line: serde_json::Value = serde_json::from_str(&ran.stderr).expect(&ran.stderr);
        let fields = &line["fields"];
        assert_eq!((&line["level"], &fields["kind"]), (&"ERROR".into(), &"invalid-config".into()), "{ran:?}");
        assert!(fields["message"].as_str().unwrap().contains(said), "{said}: {ran:?}");
    }
}

#[test]
fn configuration() {
    let env = TestEnv::new();
    for (file, said) in [
        ("[stores.t]\nkind = 's3'\nregoin = 'x'", "stores.t has no key 'regoin'; did you mean 'region'?"),
        (
            "[stores.t]\nkind = 's3'\ncredentials = { access_key_id = 'A', secret_access_key = 'HUSH' }",
            "{ env =",
        ),
        ("[stores.t]\nkey = HUSH", "line 2"),
        ("[stores.t]\nkind = 's3'\nregion = 'r'\nprovider = 'scalway'\ncredentials = 'env'", "scaleway"),
        ("[stores.t]\nkind = 's3'\nprovider = 'scaleway'\nregion = 'fr-par'", "credentials"),
    ] {
        env.write("c.toml", file);
        assert_line(&env.run(&["ls", "t:bucket", "--config", "c.toml"]), 2, said);
    }
    assert_line(&env.run(&["ls", "t:bucket", "--config", "none.toml"]), 2, "none.toml can't be read");
    env.write("cabotage.toml", "nonsense");
    env.write("config.toml", "nonsense");
    assert_line(&env.run(&["ls", "t:bucket"]), 2, "no configuration file");
}

#[test]
fn places() {
    let env = TestEnv::new();
    env.write("data/a", "1");
    for (args, code, said) in [
        (&["ls", "none"][..], 1, "none"),
        (&["migrate", "none", "new"], 1, "none"),
        (&["migrate", "data", "data"], 2, "same place"),
        (&["migrate", "data", "data/inside"], 2, "same place"),
        (&["migrate", ".", "data"], 2, "same place"),
        (
            &["migrate", "data", "new", "--report", "none/r.json"],
            2,
            "none/r.json: the report can't be written",
        ),
        (&["migrate", "data", "new", "--manifest", "none/m"], 2, "none/m"),
        (&["migrate", "data", "new", "--state", "data/a"], 2, "data/a"),
        (&["migrate", "data", "new", "--keys-from", "none"], 2, "none"),
        (&["migrate", "data", "new", "--concurrency", "0"], 2, "--concurrency is 0"),
        (&["migrate", "data", "new", "--memory", "1MiB"], 2, "16MiB"),
        (&["migrate", "data", "new", "--bandwidth", "200 parsecs"], 2, "'200 parsecs' is no bandwidth"),
        (&["migrate", "data", "new", "--bwlimit", "0B/s"], 2, "at least 16KiB/s"),
        (&["migrate", "data", "new", "--bandwidth=-1MiB/s"], 2, "is no bandwidth"),
        (&["verify", "data", "new", "--source-bandwidth", "99999999999GiB/s"], 2, "is no bandwidth"),
        (&["migrate", "data", "new", "--requests-per-second", "0"], 2, "would move nothing"),
        (&["retry", "12345678-1", "--requests-per-second", "4294967296"], 2, "is no number of requests"),
        (&["migrate", "data", "new", "--source-requests-per-second", "5"], 2, "a folder has no requests"),
        (&["cat", "data/none"], 1, "reading none: no such object"),
        (&["head", "data/none"], 1, "none"),
        (&["cat", "s3://bucket"], 1, "names no object"),
        (&["migrate", "data", "s3://bucket"], 2, "AWS_ENDPOINT_URL_S3"),
        (&["migrate", "data", "az://container"], 2, "AZURE_STORAGE_ACCOUNT"),
    ] {
        assert_line(&env.run(args), code, said);
    }
}

#[test]
fn servers() {
    let env = || TestEnv::new().var("AWS_ACCESS_KEY_ID", "AK").var("AWS_SECRET_ACCESS_KEY", "HUSH");
    let plain = env().var("AWS_ENDPOINT_URL", "http://198.51.100.1").run(&["ls", "s3://bucket"]);
    assert_line(&plain, 2, "--allow-plaintext");
    let text = "AccountName=a;AccountKey=HUSH!";
    let key = TestEnv::new().var("AZURE_STORAGE_CONNECTION_STRING", text).run(&["ls", "az://container"]);
    assert_line(&key, 2, "not Base64");
}

#[test]
fn a_full_standard_output_is_told() {
    let env = TestEnv::new();
    env.write("data/a", "1");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = env.command(&["cat", "data/a"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no space is left"));
}

#[test]
fn the_first_signal_ends_a_run_in_order() {
    let args = ["migrate", "s3://bucket", "out"];
    for signal in ["INT", "TERM"] {
        // One for each: a second connection of the first run would wait to be accepted.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", silent.local_addr().unwrap());
        let env = TestEnv::new()
            .var("AWS_ACCESS_KEY_ID", "AK")
            .var("AWS_SECRET_ACCESS_KEY", "HUSH")
            .var("AWS_ENDPOINT_URL", &endpoint);
        let child = env
            .command(&args)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let _connection = silent.accept().unwrap();
        let sent = std::process::Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
        assert!(sent.unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{output:?}");
    }
}
