//! The verbs on folders of this machine.

mod testenv;

use std::io::Read as _;
use std::process::Stdio;

use testenv::{TestEnv, tree};

const HOSTILE: &str = "dir/\u{1b}[31mred\n\u{202e}txt.\u{9b}1m";

#[test]
fn hostile_names_are_listed_escaped() {
    let env = TestEnv::new();
    env.write(&format!("data/{HOSTILE}"), "12345");
    env.write("data/plain", "1");
    let one_level = env.run(&["ls", "data"]);
    let names: Vec<&str> = one_level.stdout.lines().map(|line| line.rsplit("  ").next().unwrap()).collect();
    assert_eq!(names, ["dir/", "plain"], "{one_level:?}");
    let all = env.run(&["ls", "-r", "data"]);
    assert!(all.stdout.contains("dir/\\u{1b}[31mred\\n\\u{202e}txt.\\u{9b}1m"), "{all:?}");
    let json = env.run(&["ls", "-r", "--json", "data"]).json_lines();
    assert_eq!(json[0]["key"], HOSTILE);
    assert_eq!(json[0]["size"], 5);
    let inside = env.run(&["ls", "data/dir"]);
    assert!(inside.stdout.contains("\\u{1b}[31mred"), "{inside:?}");
    let missing = env.run(&["cat", &format!("data/{HOSTILE}x")]);
    assert_eq!(missing.code, 1);
    assert!(missing.stderr.contains("\\u{1b}[31mred\\n"), "{missing:?}");
}

#[test]
fn head_and_cat() {
    let env = TestEnv::new();
    let path = env.write("data/a b", "some\nbytes\n");
    let cat = env.run(&["cat", "data/a b"]);
    assert_eq!((cat.code, cat.stdout.as_str(), cat.stderr.as_str()), (0, "some\nbytes\n", ""));
    let url = format!("file://{}", path.display());
    assert_eq!(env.run(&["cat", &url]).stdout, "some\nbytes\n");
    let head = env.run(&["head", "data/a b"]);
    assert!(head.stdout.starts_with("key:                  a b\nsize:                 11\n"), "{head:?}");
    let json = env.run(&["head", "--json", "data/a b"]).json_lines();
    assert_eq!((&json[0]["key"], &json[0]["size"]), (&"a b".into(), &11.into()));
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let env = TestEnv::new();
    for number in 0..3000 {
        env.write(&format!("data/{number:0200}"), "");
    }
    let mut child =
        env.command(&["ls", "data"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""));
}

#[test]
fn migrate_then_again() {
    let env = TestEnv::new();
    env.write("data/a", "1");
    env.write("data/sub/b", "22");
    env.write(&format!("data/{HOSTILE}"), "333");
    let args = ["migrate", "data", "out", "--report", "r.json", "--manifest", "m.ndjson"];
    let first = env.run(&args);
    assert_eq!(first.code, 0, "{first:?}");
    assert!(first.stdout.contains("verified"), "{first:?}");
    assert_eq!(tree(&env.path("data")), tree(&env.path("out")));
    let report: serde_json::Value =
        serde_json::from_slice(&std::fs::read(env.path("r.json")).unwrap()).unwrap();
    assert_eq!((&report["objects"]["listed"], &report["objects"]["verified"]), (&3.into(), &3.into()));
    let manifest = std::fs::read_to_string(env.path("m.ndjson")).unwrap();
    assert_eq!(manifest.lines().count(), 3, "{manifest}");
    let second = env.run(&args[..3]);
    assert_eq!(second.code, 0, "{second:?}");
    assert!(second.stdout.contains("skipped"), "{second:?}");
    assert!(env.path(".local/state/cabotage").is_dir());
}

#[test]
fn a_conflict_is_told_and_left_alone() {
    let env = TestEnv::new();
    env.write("data/a\u{1b}[31m", "new");
    env.write("out/a\u{1b}[31m", "other");
    let ran = env.run(&["migrate", "data", "out"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("conflict: ") && ran.stderr.contains("a\\u{1b}[31m"), "{ran:?}");
    assert_eq!(std::fs::read(env.path("out/a\u{1b}[31m")).unwrap(), b"other");
    let json = env.run(&["migrate", "data", "out", "--log-format", "json"]);
    let lines: Vec<serde_json::Value> =
        json.stderr.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert!(lines.iter().any(|line| line["fields"]["class"] == "conflict"), "{lines:?}");
    let quiet = env.run(&["migrate", "data", "out", "--quiet", "--overwrite", "always"]);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (0, ""), "{quiet:?}");
    assert_eq!(std::fs::read(env.path("out/a\u{1b}[31m")).unwrap(), b"new");
}

#[test]
fn a_dry_run_leaves_nothing() {
    let env = TestEnv::new();
    env.write("data/a", "1");
    let ran = env.run(&["migrate", "data", "new/out", "--dry-run"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!env.path("new").exists());
}

#[test]
fn check_access_on_folders() {
    let env = TestEnv::new();
    env.write("data/a", "1");
    let ran = env.run(&["check-access", "data", "new/out"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for (side, what) in
        [("source", "list"), ("source", "read"), ("destination", "write"), ("destination", "delete")]
    {
        let row = |line: &&str| line.starts_with(side) && line.contains(what) && line.contains("ok");
        assert!(ran.stdout.lines().any(|line| row(&line)), "{side} {what}: {}", ran.stdout);
    }
    assert!(!env.path("new").exists(), "nothing is left behind");
    assert!(
        env.run(&["check-access", "data", "new", "--json"])
            .json_lines()
            .iter()
            .all(|row| row["state"] != "failed")
    );
}

#[test]
fn config_show_tells_origins_and_no_secrets() {
    let env = TestEnv::new().var("K", "HUSH").var("AWS_SECRET_ACCESS_KEY", "HUSH").var("AWS_REGION", "gra");
    env.write(
        ".config/cabotage/config.toml",
        "[stores.t]\nkind = 's3'\nregion = 'fr-par'\n\
         credentials = { access_key_id = 'A', secret_access_key = { env = 'K' } }",
    );
    let ran = env.run(&["config", "show"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(!ran.stdout.contains("HUSH"), "{}", ran.stdout);
    for said in
        ["fr-par  (file ", "<redacted>  (environment K)", "gra  (environment AWS_REGION)", "10s  (default)"]
    {
        assert!(ran.stdout.contains(said), "{said}: {}", ran.stdout);
    }
    let json = env.run(&["config", "show", "--json"]).json_lines();
    assert!(json.iter().any(|s| s["name"] == "s3://.region" && s["origin"] == "environment AWS_REGION"));
}
