//! `migrate --tasks`: several processes and one report, also when one of them, or who follows them, is killed.

use std::path::{Path, PathBuf};

use acceptance::{Running, S3Server, generate};
use serde_json::Value;

use crate::crash::{arrived, wait_for};
use crate::migration::{Home, Migration};

crate::cases! {
    a_killed_task_leaves_no_trace_in_what_is_told needs ["rgw"],
    interrupted_and_going_on needs ["rgw"],
    who_follows_may_be_killed needs ["rgw"],
    nobody_sees_a_secret_or_a_name needs ["rgw"],
    deletions_are_of_the_whole_job needs ["rgw"],
}

const FOUR: &[&str] = &["--tasks", "4", "--compute", "process"];
/// So slow that a few hundred small objects take some seconds.
const SLOW: &[&str] = &["--tasks", "4", "--bandwidth", "160KiB/s"];

/// A job from a folder into a bucket.
struct Case {
    rgw: S3Server,
    home: Home,
    bucket: String,
    objects: usize,
}

impl Case {
    fn new(objects: usize) -> Self {
        let rgw = acceptance::rgw().unwrap();
        let home = Home::with_s3(&rgw);
        let bucket = rgw.bucket("tasks");
        let objects = generate(&home.path("in"), objects, 71).len();
        Self { rgw, home, bucket, objects }
    }

    fn to(&self) -> String {
        format!("s3://{}", self.bucket)
    }

    fn migrate(&self, flags: &[&str]) -> Migration {
        self.home.migrate(&self.home.text("in"), &self.to(), flags)
    }

    fn start(&self, flags: &[&str]) -> Running {
        self.home.start(&self.home.text("in"), &self.to(), flags)
    }

    fn state(&self) -> PathBuf {
        self.home.path("state/cabotage")
    }

    /// The processes of the tasks, by their numbers.
    fn tasks(&self) -> Vec<(u32, u32)> {
        let state = format!("--state={}", self.state().display());
        let mut found: Vec<_> = processes()
            .filter(|process| words(process).contains(&state))
            .filter_map(|process| {
                let index = environment(&process)
                    .iter()
                    .find_map(|v| v.strip_prefix("CABOTAGE_TASK_INDEX=")?.parse().ok())?;
                Some((index, process.file_name()?.to_str()?.parse().ok()?))
            })
            .collect();
        found.sort_unstable();
        found
    }

    /// Nothing runs any more, nothing of the division is left, and the ledger knows all objects.
    fn is_whole(&self) {
        assert_eq!(self.tasks(), []);
        let left: Vec<_> =
            std::fs::read_dir(self.state()).unwrap().map(|entry| entry.unwrap().path()).collect();
        let left: Vec<_> = left.iter().filter_map(|path| path.file_name()?.to_str()).collect();
        assert!(
            !left.iter().any(|name| name.ends_with(".plan.json") || name.ends_with(".tasks.json")),
            "{left:?}"
        );
        assert_eq!(std::fs::read_dir(self.state().join("process/jobs")).unwrap().count(), 0);
        let verified = self.home.verb("verify", &self.home.text("in"), &self.to(), &[]).expect(0);
        assert_eq!(verified.report["objects"]["proven"], self.objects, "{:#}", verified.report);
        for flags in [FOUR, &[], &["--tasks", "3"]] {
            let again = self.migrate(flags).expect(0);
            assert_eq!(
                (again.count("skipped"), again.copied()),
                (self.objects as u64, 0),
                "{flags:?}: {}",
                again.run
            );
        }
        self.rgw.raw.remove_bucket(&self.bucket);
    }
}

fn processes() -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.join("cmdline").exists())
}

fn list(process: &Path, file: &str) -> Vec<String> {
    let bytes = std::fs::read(process.join(file)).unwrap_or_default();
    bytes.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

fn words(process: &Path) -> Vec<String> {
    list(process, "cmdline")
}

fn environment(process: &Path) -> Vec<String> {
    list(process, "environ")
}

fn kill(process: u32) {
    let sent = std::process::Command::new("kill").args(["-KILL", &process.to_string()]).status();
    assert!(sent.unwrap().success());
}

/// Lines of a manifest by name.
fn sorted(migration: &Migration) -> Vec<&Value> {
    let mut lines: Vec<&Value> = migration.lines.iter().collect();
    lines.sort_by_key(|line| line["key"].as_str().unwrap().to_owned());
    lines
}

#[track_caller]
fn is_as_one(many: &Migration, one: &Migration) {
    for field in [
        "format",
        "ending",
        "objects",
        "bytes_listed",
        "bytes_copied",
        "objects_copied",
        "pass",
        "levels",
        "losses",
        "failures",
        "excluded",
        "gone_from_source",
        "destination_only",
        "listing_complete",
        "guards",
        "stopped",
    ] {
        assert_eq!(many.report[field], one.report[field], "{field}: {:#}", many.report);
    }
    assert_eq!(many.lines.len(), one.lines.len());
    for (many, one) in sorted(many).into_iter().zip(sorted(one)) {
        assert_eq!(many, one);
    }
}

fn a_killed_task_leaves_no_trace_in_what_is_told() {
    let case = Case::new(2_000);
    let other = case.rgw.bucket("single");
    let one = case.home.migrate(&case.home.text("in"), &format!("s3://{other}"), &[]).expect(0);
    case.rgw.raw.remove_bucket(&other);
    let mut running = case.start(FOUR);
    let mut killed = 0;
    wait_for(&mut running, || {
        if killed == 0 && arrived(&case.rgw, &case.bucket) >= 800 {
            let second = case.tasks().into_iter().find(|(index, _)| *index == 1);
            killed = second.map_or(0, |(_, process)| process);
            if killed > 0 {
                kill(killed);
            }
        }
        false
    });
    assert!(killed > 0, "all was done before a task could be killed");
    let many = case.home.finished(running.wait()).expect(0);
    many.run.says("task 2 of 4 was cut off and goes on where it was (attempt 2)");
    is_as_one(&many, &one);
    case.is_whole();
}

fn interrupted_and_going_on() {
    let case = Case::new(400);
    let mut running = case.start(SLOW);
    wait_for(&mut running, || arrived(&case.rgw, &case.bucket) >= 40);
    running.signal("INT");
    let first = case.home.finished(running.wait()).expect(130);
    assert_eq!(first.report["ending"], "interrupted", "{:#}", first.report);
    assert_eq!(case.tasks(), [], "a task was left");
    let before = arrived(&case.rgw, &case.bucket) as u64;
    assert_eq!(first.count("verified"), before, "arrived and reported: {}", first.run);
    assert!(before < case.objects as u64, "all was done before the signal");
    let second = case.migrate(FOUR).expect(0);
    assert_eq!(
        (second.count("skipped"), second.copied()),
        (before, case.objects as u64 - before),
        "{}",
        second.run
    );
    case.is_whole();
}

fn who_follows_may_be_killed() {
    let case = Case::new(400);
    let mut running = case.start(SLOW);
    wait_for(&mut running, || arrived(&case.rgw, &case.bucket) >= 40);
    let second =
        case.home.command("migrate").arg(case.home.path("in")).arg(case.to()).args(SLOW).run().expect(11);
    second.says("followed already");
    running.signal("KILL");
    let _ = running.wait();
    let tasks = case.tasks();
    assert_eq!(tasks.len(), 4, "the tasks go on without it");
    let others = case.migrate(&["--tasks", "4", "--verify", "read-back"]).expect(2);
    others.run.says("started with other flags");
    let other_number = case.migrate(&["--tasks", "3", "--bandwidth", "160KiB/s"]).expect(2);
    other_number.run.says("started with other flags");
    assert_eq!(case.tasks(), tasks);
    let mut running = case.start(SLOW);
    let _ = running.line_with("following them");
    assert_eq!(case.tasks(), tasks, "nothing was started twice");
    let all = case.home.finished(running.wait()).expect(0);
    assert_eq!(
        (all.count("verified"), all.copied()),
        (case.objects as u64, case.objects as u64),
        "{}",
        all.run
    );
    assert_eq!(all.lines.len(), case.objects);
    case.is_whole();
}

fn nobody_sees_a_secret_or_a_name() {
    let case = Case::new(400);
    let secret = case.rgw.raw.secret_key.clone();
    let mut running = case.start(SLOW);
    wait_for(&mut running, || case.tasks().len() == 4 && arrived(&case.rgw, &case.bucket) >= 40);
    let plan = std::fs::read_dir(case.state()).unwrap().map(|entry| entry.unwrap().path());
    let plan = plan.into_iter().find(|path| path.to_string_lossy().ends_with(".plan.json")).unwrap();
    let plan: Value = serde_json::from_slice(&std::fs::read(plan).unwrap()).unwrap();
    let bound = plan["shards"][0]["through"].as_str().unwrap().to_owned();
    for process in processes() {
        for word in words(&process) {
            assert!(!word.contains(&secret) && !word.contains(&bound), "{word}");
        }
    }
    let mut folders = vec![case.state()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).map_or(0, |found| found.permissions().mode());
            assert_eq!(mode & 0o077, 0, "{} is open to others", path.display());
            let content = std::fs::read(&path).unwrap_or_default();
            let holds = content.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!holds || path.ends_with("spec.json"), "{} holds the secret", path.display());
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    case.home.finished(running.wait()).expect(0);
    case.is_whole();
}

fn deletions_are_of_the_whole_job() {
    let case = Case::new(200);
    case.migrate(FOUR).expect(0);
    let gone: Vec<_> = acceptance::read_tree(&case.home.path("in")).into_keys().step_by(20).collect();
    for name in &gone {
        std::fs::remove_file(case.home.path("in").join(name)).unwrap();
    }
    let delete =
        |max: &str| case.migrate(&[FOUR, &["--delete", "--max-shrink", "50", "--max-delete", max]].concat());
    let blocked = delete("4").expect(3);
    let deleted =
        |migration: &Migration| migration.report["deletion"]["deleted"]["objects"].as_u64().unwrap();
    assert!(deleted(&blocked) <= 4, "{:#}", blocked.report);
    let done = delete("40").expect(0);
    assert_eq!(deleted(&blocked) + deleted(&done), gone.len() as u64, "{:#}", done.report);
    let case = Case { objects: case.objects - gone.len(), ..case };
    assert_eq!(arrived(&case.rgw, &case.bucket), case.objects);
    case.is_whole();
}
