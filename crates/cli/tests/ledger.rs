//! `cabotage ledger`, and what a migration says of the ledger.

#![allow(clippy::unwrap_used)]

mod testenv;

use std::path::PathBuf;

use testenv::TestEnv;

const ENDS: [&str; 4] = ["in", "out", "--state", "state"];

fn with<'a>(verb: &[&'a str], flags: &[&'a str]) -> Vec<&'a str> {
    [verb, &ENDS, flags].concat()
}

fn migrated() -> TestEnv {
    let env = TestEnv::new();
    for name in ["a.dcm", "b.txt", "deep/c.txt"] {
        env.write(&format!("in/{name}"), name);
    }
    let ran = env.run(&with(&["migrate"], &[]));
    assert_eq!(ran.code, 0, "{ran:?}");
    env
}

fn files(env: &TestEnv, is_kind: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(env.path("state")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|kind| is_kind(&kind.to_string_lossy()))).collect()
}

#[test]
fn a_damaged_ledger_is_refused_kept_and_rebuilt() {
    let env = migrated();
    let ledger = files(&env, |kind| kind == "sqlite").remove(0);
    for damage in ["", "no database at all"] {
        std::fs::write(&ledger, damage).unwrap();
        let ran = env.run(&with(&["migrate"], &[]));
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stderr.contains("cabotage ledger rebuild"), "{ran:?}");
    }
    let ran = env.run(&with(&["ledger", "rebuild"], &[]));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains(".old-"), "{ran:?}");
    assert_eq!(
        std::fs::read_to_string(&files(&env, |kind| kind.starts_with("old-"))[0]).unwrap(),
        "no database at all"
    );
    let ran = env.run(&with(&["migrate"], &["--report", "report.json"]));
    assert_eq!(ran.code, 0, "{ran:?}");
    let report: serde_json::Value =
        serde_json::from_slice(&std::fs::read(env.path("report.json")).unwrap()).unwrap();
    assert_eq!(report["objects"]["skipped"], 3, "{report:#}");
}

#[test]
fn a_backup_replaces_nothing() {
    let env = migrated();
    let ran = env.run(&["ledger", "backup", "copy.sqlite", "--state", "state"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(std::fs::metadata(env.path("copy.sqlite")).unwrap().len() > 0);
    let ran = env.run(&["ledger", "backup", "copy.sqlite", "--state", "state"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    let other = env.run(&["migrate", "in", "other", "--state", "state"]);
    assert_eq!(other.code, 0, "{other:?}");
    let ran = env.run(&["ledger", "backup", "second.sqlite", "--state", "state"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("--ledger") && ran.stderr.contains("out"), "both are told: {ran:?}");
    let ledger = files(&env, |kind| kind == "sqlite").remove(0);
    let ran = env.run(&["ledger", "backup", "second.sqlite", "--ledger", &ledger.to_string_lossy()]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn other_rules_are_refused() {
    let env = migrated();
    let ran = env.run(&with(&["migrate"], &["--include", "*.txt"]));
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.stderr.contains("--include was none, is now *.txt") && ran.stderr.contains("--change-job"),
        "{ran:?}"
    );
    let dry = env.run(&with(&["migrate"], &["--include", "*.txt", "--dry-run"]));
    assert_eq!(dry.code, 0, "{dry:?}");
    assert!(dry.stderr.contains("would be refused"), "{dry:?}");
    let ran = env.run(&with(&["migrate"], &["--include", "*.txt", "--change-job"]));
    assert_eq!(ran.code, 0, "{ran:?}");
}
