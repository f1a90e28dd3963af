//! `migrate --tasks`, on folders.

#![allow(clippy::unwrap_used)]

mod testenv;

use std::collections::BTreeSet;

use testenv::{Ran, TestEnv, tree};

fn refused(ran: &Ran, said: &str) {
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.lines().count()), (2, "", 1), "{ran:?}");
    assert!(ran.stderr.contains(said), "{said}: {ran:?}");
}

fn filled(objects: usize) -> TestEnv {
    let env = TestEnv::new();
    for n in 0..objects {
        env.write(&format!("in/{}/é {n:03}", n % 7), format!("content {n}"));
    }
    env
}

fn report(env: &TestEnv) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(env.path("r.json")).unwrap()).unwrap()
}

/// By what a line is recognised whatever the destination: no time, no ETag of it.
fn manifest(env: &TestEnv, name: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(env.path(name)).unwrap();
    let line = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        line.as_object_mut().unwrap().remove("destination_etag");
        line.to_string()
    };
    text.lines().map(line).collect()
}

fn counts(report: &serde_json::Value) -> String {
    let fields =
        ["objects", "bytes_listed", "bytes_copied", "objects_copied", "pass", "levels", "losses", "ending"];
    fields.map(|field| report[field].to_string()).join("\n")
}

#[test]
fn many_tasks_tell_what_one_tells() {
    let env = filled(60);
    let one = env.run(&["migrate", "in", "one", "--report", "r.json", "--manifest", "one.jsonl"]);
    assert_eq!(one.code, 0, "{one:?}");
    let wanted = counts(&report(&env));
    for (number, out) in [("1", "a"), ("3", "b"), ("12", "c")] {
        let args =
            ["migrate", "in", out, "--tasks", number, "--report", "r.json", "--manifest", "many.jsonl"];
        let ran = env.run(&args);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(counts(&report(&env)), wanted, "{number} tasks");
        assert_eq!(tree(&env.path(out)), tree(&env.path("in")));
        assert_eq!(manifest(&env, "many.jsonl"), manifest(&env, "one.jsonl"), "{number} tasks");
        let again = env.run(&["migrate", "in", out, "--tasks", "2", "--report", "r.json"]);
        assert_eq!((again.code, &report(&env)["objects"]["skipped"]), (0, &60.into()), "{again:?}");
        assert_eq!(env.run(&["verify", "in", out]).code, 0);
    }
    let left: Vec<_> =
        std::fs::read_dir(env.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("task")), "{left:?}");
}

/// What a single run would say of objects that it can't move, with its exit code.
#[test]
fn an_ending_is_that_of_the_worst_task() {
    let env = filled(60);
    env.write("out/3/é 003", "somebody else's");
    let one = env.run(&["migrate", "in", "out", "--tasks", "4", "--report", "r.json"]);
    assert_eq!(one.code, 3, "{one:?}");
    let report = report(&env);
    assert_eq!((&report["objects"]["conflicts"], &report["objects"]["verified"]), (&1.into(), &59.into()));
    let ledger = env.run(&["runs"]).stdout.lines().next().unwrap().split(' ').next().unwrap().to_owned();
    let failures = env.run(&["failures", &ledger]);
    assert!(failures.stdout.contains("3/é 003"), "{failures:?}");
}

/// A named store of a file that only the coordinator is told of, with a folder beside that file.
#[test]
fn stores_go_along() {
    let env = filled(20);
    env.write("conf/c.toml", "[stores.lab]\nkind = 'local'\nroot = 'disk'\n");
    let ran = env.run(&["--config", "conf/c.toml", "migrate", "in", "lab:x", "--tasks", "2"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(tree(&env.path("conf/disk/x")), tree(&env.path("in")));
}

#[test]
fn limits_that_leave_a_task_too_little_are_refused() {
    let env = filled(20);
    let tasks = |more: &[&'static str]| env.run(&[&["migrate", "in", "out", "--tasks", "4"], more].concat());
    refused(&tasks(&["--memory", "63MiB"]), "give at least 64MiB");
    refused(&tasks(&["--bandwidth", "63KiB/s"]), "too little bandwidth");
    assert_eq!(tasks(&["--memory", "64MiB", "--bandwidth", "64KiB/s"]).code, 0);
}

#[test]
fn bad_input() {
    let env = filled(20);
    let tasks = |more: &[&'static str]| env.run(&[&["migrate", "in", "out", "--tasks", "4"], more].concat());
    for (flags, said) in [
        (&["--compute", "nomad"][..], "there is no compute 'nomad'"),
        (&["--shard", "1/4", "--shard-plan", "p"], "--shard and --tasks can't go together"),
        (&["--shard-plan", "p"], "--shard"),
        (&["--keys-from", "k"], "--keys-from and --tasks"),
        (&["--max-objects", "1"], "--max-objects and --tasks"),
        (&["--acl-export", "a"], "--acl-export and --tasks"),
        (&["--reopen"], "--reopen and --tasks"),
        (&["--dry-run"], "--dry-run and --tasks"),
        (&["--metrics", "127.0.0.1:0"], "--metrics and --tasks"),
        (&["--manifest", "none/m"], "the manifest can't be written"),
    ] {
        refused(&tasks(flags), said);
    }
    for (args, said) in [
        (&["migrate", "in", "out", "--tasks", "0"][..], "0 is not in 1..=1000"),
        (&["migrate", "in", "out", "--tasks", "1001"], "1001 is not in 1..=1000"),
        (&["migrate", "in", "out", "--tasks", "many"], "--tasks"),
        (&["migrate", "in", "out", "--compute", "process"], "--tasks"),
        (&["migrate", "in", "out", "--shard", "task"], "CABOTAGE_TASK_INDEX"),
        (&["migrate", "in", "out", "--shard", "task", "--shard-plan", "p"], "CABOTAGE_TASK_INDEX"),
    ] {
        refused(&env.run(args), said);
    }
    assert!(!env.path("out/0").exists());
}
