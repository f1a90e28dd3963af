//! `cabotage job`: what is printed and how it exits, for jobs that go well and for what can't be done.

#![allow(clippy::unwrap_used)]

mod testenv;

use testenv::TestEnv;
use testenv::golden::Golden;

#[test]
fn a_jobs_life() {
    let env = TestEnv::new();
    let script =
        "echo \"task $CABOTAGE_TASK_INDEX\"; printf '\\033[31mred\\n'; test $CABOTAGE_TASK_INDEX != 1";
    let job =
        format!("name = 'life'\ncommand = ['sh', '-c', '''{script}''']\ntasks = 3\nretries_per_task = 1\n");
    env.write("job.toml", job);
    env.write("other.toml", "name = 'life'\ncommand = ['true']\n");
    let mut golden = Golden::new("jobs.txt");
    let mut run = |args: &[&str]| {
        let ran = env.run(args);
        golden.add_all(&env, args, &ran);
    };
    run(&["job", "submit", "job.toml", "--wait"]);
    run(&["job", "submit", "job.toml"]);
    run(&["job", "submit", "other.toml"]);
    run(&["job", "status", "life"]);
    run(&["job", "logs", "life", "--task", "1"]);
    run(&["job", "logs", "life", "--task", "3"]);
    run(&["job", "cancel", "life"]);
    run(&["job", "remove", "life"]);
    run(&["job", "status", "life"]);
    golden.check();
}

#[test]
fn what_can_not_be_done() {
    let env = TestEnv::new();
    env.write("key.toml", "name = 'a'\ncommand = ['true']\nparalelism = 3\n");
    env.write("name.toml", "name = '../a'\ncommand = ['true']\n");
    env.write("image.toml", "name = 'a'\ncommand = ['true']\nimage = 'debian'\n");
    env.write("toml.toml", "name = \n");
    env.write("missing.toml", "name = 'missing'\ncommand = ['there-is-no-such-command']\n");
    env.write(
        "leaves.toml",
        "name = 'leaves'\ncommand = ['sh', '-c', '(setsid sleep 364 > /dev/null 2>&1 &)']\n",
    );
    let mut golden = Golden::new("jobs-refused.txt");
    let mut run = |args: &[&str]| {
        let ran = env.run(args);
        golden.add_all(&env, args, &ran);
    };
    run(&["job", "submit", "nowhere.toml"]);
    run(&["job", "submit", "key.toml"]);
    run(&["job", "submit", "key.toml", "--compute", "proces"]);
    run(&["job", "status", "a", "--compute", "proces"]);
    run(&["job", "submit", "name.toml"]);
    run(&["job", "submit", "image.toml"]);
    run(&["job", "submit", "toml.toml"]);
    run(&["job", "status", "../a"]);
    run(&["job", "submit", "missing.toml", "--wait"]);
    run(&["job", "submit", "leaves.toml", "--wait"]);
    golden.check();
    let left = std::process::Command::new("pgrep").args(["-f", "sleep 364"]).status().unwrap();
    assert!(!left.success(), "what a task left still runs");
}

#[test]
fn a_running_job() {
    let env = TestEnv::new();
    env.write(
        "job.toml",
        "name = 'long'\ncommand = ['sh', '-c', 'echo begun; sleep 365']\ntasks = 2\nparallelism = 2\n",
    );
    assert_eq!(env.run(&["job", "submit", "job.toml"]).code, 0);
    let removed = env.run(&["job", "remove", "long"]);
    assert_eq!(removed.code, 1);
    assert!(removed.stderr.contains("it is still running"), "{removed:?}");
    let cancelled = env.run(&["job", "cancel", "long", "--grace", "5s"]);
    assert_eq!(
        (cancelled.code, cancelled.stdout.as_str()),
        (0, "long: ended, nothing of it runs any more\n")
    );
    let status = env.run(&["job", "status", "long", "--json"]);
    assert_eq!(status.code, 3, "{status:?}");
    let tasks = status.json_lines()[0]["tasks"].clone();
    assert!(tasks.as_array().unwrap().iter().all(|task| task["phase"] == "cancelled"), "{tasks}");
}
