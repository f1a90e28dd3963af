//! `cabotage shards` and `migrate --shard`.

#![allow(clippy::unwrap_used)]

mod testenv;

use testenv::{Ran, TestEnv};

fn refused(ran: &Ran, said: &str) {
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.lines().count()), (2, "", 1), "{ran:?}");
    assert!(ran.stderr.contains(said), "{said}: {ran:?}");
}

fn planned() -> TestEnv {
    let env = TestEnv::new();
    for n in 0..60 {
        env.write(&format!("in/{}/{n:03}", n % 7), format!("content {n}"));
    }
    let ran = env.run(&["shards", "plan", "in", "--shards", "3", "-o", "plan.json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    env
}

fn shard<'a>(number: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["migrate", "in", "out", "--state", "state", "--shard-plan", "plan.json", "--shard", number], more]
        .concat()
}

fn files(env: &TestEnv, folder: &str) -> usize {
    let Ok(folders) = std::fs::read_dir(env.path(folder)) else { return 0 };
    folders.map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap().count()).sum()
}

fn report(env: &TestEnv) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(env.path("r.json")).unwrap()).unwrap()
}

#[test]
fn three_shards_are_the_whole_and_each_keeps_to_its_own() {
    let env = planned();
    let (mut listed, mut before) = (0, 0);
    for number in ["2/3", "1/3", "3/3"] {
        let ran = env.run(&shard(number, &["--report", "r.json"]));
        assert_eq!(ran.code, 0, "{ran:?}");
        let report = report(&env);
        let objects = report["objects"]["listed"].as_u64().unwrap();
        assert!((15..=25).contains(&objects), "{report:#}");
        assert_eq!(report["destination_only"], 0, "what other shards wrote is not looked at: {report:#}");
        assert_eq!(files(&env, "out") as u64, before + objects);
        (listed, before) = (listed + objects, before + objects);
    }
    assert_eq!(listed, 60);
    // What is gone is deleted by its owner alone, and what is new has one.
    std::fs::remove_file(env.path("in/0/000")).unwrap();
    std::fs::remove_file(env.path("in/6/055")).unwrap();
    env.write("in/zzz/new", "later");
    let mut counts = [0; 3];
    for number in ["1/3", "2/3", "3/3"] {
        let ran = env.run(&shard(number, &["--delete", "--max-shrink", "100", "--report", "r.json"]));
        assert_eq!(ran.code, 0, "{ran:?}");
        let report = report(&env);
        let fields = [
            &report["deletion"]["deleted"]["objects"],
            &report["objects"]["skipped"],
            &report["objects_copied"],
        ];
        counts.iter_mut().zip(fields).for_each(|(sum, field)| *sum += field.as_u64().unwrap());
    }
    assert_eq!(counts, [2, 58, 1]);
    assert_eq!(files(&env, "out"), 59);
}

fn merge(env: &TestEnv, more: &[&str]) -> Ran {
    let args = ["ledger", "merge", "in", "out", "--shard-plan", "plan.json", "--state", "state"];
    env.run(&[&args, more].concat())
}

fn counts(report: &serde_json::Value) -> Vec<&serde_json::Value> {
    [
        "objects",
        "bytes_listed",
        "bytes_copied",
        "objects_copied",
        "pass",
        "levels",
        "losses",
        "failures",
        "ending",
    ]
    .iter()
    .map(|field| &report[field])
    .collect()
}

#[test]
fn shards_are_merged_and_the_job_goes_on_as_a_whole() {
    let env = planned();
    for number in ["1/3", "2/3"] {
        assert_eq!(env.run(&shard(number, &[])).code, 0);
    }
    refused(&merge(&env, &[]), "shard 3/3 of plan");
    assert_eq!(env.run(&shard("3/3", &[])).code, 0);
    let ran = merge(&env, &["--report", "r.json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let merged = report(&env);
    let ran = env.run(&["migrate", "in", "out-of-one", "--state", "state-of-one", "--report", "r.json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(counts(&merged), counts(&report(&env)));
    let ran = merge(&env, &["--report", "r.json"]);
    assert_eq!((ran.code, counts(&report(&env))), (0, counts(&merged)), "{ran:?}");

    refused(&env.run(&shard("1/3", &[])), "the whole job has a ledger already");
    let whole = |verb: &str| env.run(&[verb, "in", "out", "--state", "state", "--report", "r.json"]);
    assert_eq!(whole("verify").code, 0);
    assert_eq!(whole("migrate").code, 0);
    assert_eq!(
        (report(&env)["objects"]["skipped"].as_u64(), report(&env)["objects_copied"].as_u64()),
        (Some(60), Some(0))
    );
    assert_eq!(whole("cutover").code, 0);
    let ran = env.run(&["runs", "--state", "state", "in", "out"]);
    for run in ["merge", "cutover", "60 listed"] {
        assert!(ran.stdout.contains(run), "{ran:?}");
    }
}

/// On two machines, with one object that could not be moved.
#[test]
fn shards_of_two_machines_are_merged_and_retried() {
    let env = planned();
    std::fs::create_dir_all(env.path("out/0")).unwrap();
    env.write("out/0/000", "somebody else's");
    for (number, state, code) in [("1/3", "state", 3), ("2/3", "elsewhere", 0), ("3/3", "elsewhere", 0)] {
        let args = ["migrate", "in", "out", "--state", state, "--shard-plan", "plan.json", "--shard", number];
        let ran = env.run(&args);
        assert_eq!(ran.code, code, "{ran:?}");
    }
    refused(&merge(&env, &["--from", "nowhere"]), "reading the folder of --from");
    let ran = merge(&env, &["--from", "elsewhere", "--report", "r.json"]);
    assert_eq!(ran.code, 3, "that of the shard that did worst: {ran:?}");
    let merged = report(&env);
    assert_eq!((&merged["objects"]["listed"], &merged["objects"]["conflicts"]), (&60.into(), &1.into()));

    // By the number of the merger, and with the shard's flags.
    let run = merged["run"].to_string();
    let ran = env.run(&["failures", &run, "--state", "state"]);
    assert!(ran.stdout.contains("0/000"), "{ran:?}");
    std::fs::remove_file(env.path("out/0/000")).unwrap();
    let ran = env.run(&["retry", &run, "--state", "state"]);
    assert_eq!((ran.code, files(&env, "out")), (0, 60), "{ran:?}");
    let ran = env.run(&["runs", "--state", "state"]);
    assert_eq!(ran.stdout.matches(" pass ").count(), 3, "each run is told once: {ran:?}");
}

#[test]
fn two_ledgers_never_own_the_same_name() {
    let env = planned();
    assert_eq!(env.run(&shard("1/3", &[])).code, 0);
    refused(&env.run(&["migrate", "in", "out", "--state", "state"]), "this job is divided: shard 1/3");
    refused(&env.run(&["verify", "in", "out", "--state", "state"]), "this job is divided: shard 1/3");
    assert_eq!(env.run(&["shards", "plan", "in", "--shards", "2", "-o", "plan.json"]).code, 0);
    refused(&env.run(&shard("2/2", &[])), "divided by another plan");
    assert_eq!(env.run(&["migrate", "in", "other", "--state", "state"]).code, 0, "another job");
    let other = env.run(&[&shard("1/2", &[])[..2], &["other"], &shard("1/2", &[])[3..]].concat());
    refused(&other, "the whole job has a ledger");
}

#[test]
fn a_ledger_of_another_shard_is_refused() {
    let env = planned();
    let ledgers = || -> Vec<_> {
        let paths = std::fs::read_dir(env.path("state")).unwrap().map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "sqlite")).collect()
    };
    assert_eq!(env.run(&shard("1/3", &[])).code, 0);
    let first = ledgers();
    assert_eq!(env.run(&shard("2/3", &[])).code, 0);
    let second = ledgers().into_iter().find(|path| !first.contains(path)).unwrap();
    std::fs::copy(&first[0], &second).unwrap();
    let ran = env.run(&shard("2/3", &[]));
    assert_eq!((ran.code, ran.stderr.lines().count()), (1, 1), "{ran:?}");
    assert!(ran.stderr.contains("shard 1/3 of plan") && ran.stderr.contains("shard 2/3"), "{ran:?}");
}

#[test]
fn bad_input() {
    let env = planned();
    env.write("elsewhere/a", "1");
    std::fs::create_dir(env.path("out")).unwrap();
    let plan = std::fs::read_to_string(env.path("plan.json")).unwrap();
    for (args, said) in [
        (shard("4/3", &[]), "'4/3' is no shard"),
        (shard("0/3", &[]), "'0/3' is no shard"),
        (shard("1/4", &[]), "it has 3 shards, and 1/4 is asked for"),
        (shard("1/3", &["--max-objects", "1"]), "--max-objects"),
        (vec!["migrate", "in", "out", "--shard", "1/3"], "--shard-plan"),
        (vec!["migrate", "in", "out", "--shard", "1/3", "--shard-plan", "none"], "can't be read"),
        (
            vec!["migrate", "elsewhere", "out", "--shard", "1/3", "--shard-plan", "plan.json"],
            "it was made for",
        ),
        (vec!["ledger", "merge", "in", "out"], "--shard-plan"),
        (vec!["ledger", "merge", "in", "out", "--shard-plan", "none"], "can't be read"),
        (vec!["ledger", "merge", "elsewhere", "out", "--shard-plan", "plan.json"], "it was made for"),
        (
            vec!["ledger", "merge", "in", "out", "--shard-plan", "plan.json", "--state", "state"],
            "shard 1/3 of plan",
        ),
        (vec!["shards", "plan", "in", "--shards", "0"], "0 shards can't be planned"),
        (vec!["shards", "plan", "in", "--shards", "1001"], "give 1 to 1000"),
        (vec!["shards", "plan", "in"], "--shards"),
    ] {
        refused(&env.run(&args), said);
    }
    env.write("plan.json", plan.replace("\"objects\"", "\"objekts\""));
    refused(&env.run(&shard("1/3", &[])), "objekts");
    assert_eq!(files(&env, "out"), 0);
}

/// Names that no shard had when it was planned, and shards that have none.
#[test]
fn more_shards_than_names() {
    let env = TestEnv::new();
    env.write("in/a", "1");
    assert_eq!(env.run(&["shards", "plan", "in", "--shards", "4", "-o", "plan.json"]).code, 0);
    env.write("in/b", "2");
    for number in ["1/4", "2/4", "3/4", "4/4"] {
        let ran = env.run(&shard(number, &[]));
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    assert!(env.path("out/a").exists() && env.path("out/b").exists());
}
