//! Names with control, bidirectional, invisible and escape characters, against golden files: in messages, reports and every
//! file that a run leaves. `CABOTAGE_UPDATE_GOLDEN=1` writes them anew.

#![allow(clippy::unwrap_used)]

mod testenv;

use std::fmt::Write as _;

use serde_json::Value;
use testenv::golden::Golden;
use testenv::{Ran, TestEnv, assert_harmless};

const NAMES: [&str; 11] = [
    "a\nb",
    "a\u{1b}[31mb",
    "del\u{7f}ete",
    "exe\u{202e}txt",
    "iso\u{2066}late",
    "zero\u{200b}width",
    "bom\u{feff}",
    "back\\slash",
    "c1\u{9b}31m",
    "sep\u{2028}arator",
    "plain \u{e9} \u{1F600}",
];

/// A home with the names at both ends, with other contents, and one that is missing at the destination.
fn home() -> TestEnv {
    let env = TestEnv::new();
    for name in NAMES {
        env.write(&format!("data/{name}"), "new");
        env.write(&format!("out/{name}"), "other");
    }
    env.write(&format!("data/{}/{}", "n".repeat(250), "\u{1b}".repeat(250)), "new");
    env
}

/// Objects end in any order.
fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// A file that a run left: harmless, and JSON in each line.
fn json_lines(env: &TestEnv, name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(env.path(name)).unwrap();
    assert_harmless(&text);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The keys in lines of JSON, as they are spelled there.
fn spelled(text: &str) -> String {
    let keys = text.lines().map(|line| {
        let key = &line[line.find("\"key\":").unwrap()..];
        key[..key.find("\",\"").unwrap() + 1].to_owned()
    });
    keys.collect::<Vec<_>>().join("\n")
}

fn keys(lines: &[Value]) -> Vec<&str> {
    let mut keys: Vec<&str> = lines.iter().map(|line| line["key"].as_str().unwrap()).collect();
    keys.sort_unstable();
    keys
}

/// What must stand in any list of all objects.
fn all_names() -> Vec<String> {
    let long = format!("{}/{}", "n".repeat(250), "\u{1b}".repeat(250));
    let mut names: Vec<String> = NAMES.iter().map(|&name| name.to_owned()).chain([long]).collect();
    names.sort_unstable();
    names
}

#[test]
fn migrate() {
    let env = home();
    let mut golden = Golden::new("names.txt");
    golden.section("Conflicts");
    let args = ["migrate", "data", "out", "--manifest", "m.ndjson", "--report", "r.json"];
    let ran = env.run(&args);
    golden.add(&env, &args, &Ran { stderr: sorted(&ran.stderr), ..ran });
    golden.section("Manifest");
    assert_eq!(keys(&json_lines(&env, "m.ndjson")), all_names(), "nothing of a name is lost");
    let manifest = std::fs::read_to_string(env.path("m.ndjson")).unwrap();
    write!(golden.text, "{}\n\n", sorted(&spelled(&manifest)).trim_end()).unwrap();
    golden.section("Listings");
    let listed = env.run(&["ls", "-r", "data", "--json"]);
    assert_eq!(keys(&listed.json_lines()), all_names());
    write!(golden.text, "{}\n\n", spelled(&listed.stdout)).unwrap();
    golden.section("An object that isn't there");
    for name in NAMES {
        golden.run(&env, &["cat", &format!("data/{name}.none")]);
    }
    let report = std::fs::read_to_string(env.path("r.json")).unwrap();
    assert_harmless(&report);
    assert!(serde_json::from_str::<Value>(&report).is_ok(), "{report}");
    golden.check();
}

/// What looks at runs, and the other formats: `run` itself checks what they say.
#[test]
fn everything_that_tells_names() {
    let env = home();
    let ran = env.run(&["migrate", "data", "out", "--log-format", "json", "-vv"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    for line in ran.stderr.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line:?}");
    }
    assert_eq!(env.run(&["migrate", "data", "out", "-vv", "--dry-run"]).code, 3);
    let verify = ["verify", "data", "out", "--manifest", "v.ndjson", "--report", "v.json"];
    assert_eq!(env.run(&verify).code, 4);
    assert_eq!(keys(&json_lines(&env, "v.ndjson")), all_names());
    assert_harmless(&std::fs::read_to_string(env.path("v.json")).unwrap());
    for args in [
        &["runs"][..],
        &["runs", "--json"],
        &["status", "1"],
        &["status", "1", "--json"],
        &["failures", "1"],
        &["failures", "1", "--json"],
        &["ls", "data"],
        &["ls", "data", "--json"],
    ] {
        let ran = env.run(args);
        assert_eq!(ran.code, 0, "{args:?} {ran:?}");
    }
    for name in NAMES {
        let path = format!("data/{name}");
        assert_eq!(env.run(&["head", &path]).code, 0);
        assert_eq!(env.run(&["head", &path, "--json"]).json_lines()[0]["key"], name);
        assert_eq!(env.run(&["ledger", "show", "1", name]).code, 0);
        assert_eq!(env.run(&["ledger", "show", "1", name, "--json"]).json_lines()[0]["key"], name);
    }
}
