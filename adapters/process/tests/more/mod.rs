//! What only child processes have: supervisors that die, and processes that hide.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use cabotage_core::compute::{Compute, ComputeExt as _, JobName, JobPhase, JobSpec, LogOptions, TaskEnd};
use futures::TryStreamExt as _;
use libtest_mimic::Trial;
use tokio::runtime::Runtime;

pub fn trials(runtime: &Arc<Runtime>, folder: &Path) -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Runtime, &Path)| {
        let (runtime, folder) = (Arc::clone(runtime), folder.join(name));
        Trial::test(format!("process::{name}"), move || {
            body(&runtime, &folder);
            Ok(())
        })
    };
    vec![
        trial("a_killed_supervisor_is_replaced", a_killed_supervisor_is_replaced),
        trial("a_job_of_a_killed_supervisor_can_be_cancelled", a_job_of_a_killed_supervisor_can_be_cancelled),
        trial("what_hides_its_mark_is_ended_too", what_hides_its_mark_is_ended_too),
        trial("secrets_stay_in_a_private_folder", secrets_stay_in_a_private_folder),
        trial("a_folder_that_can_not_be_written", a_folder_that_can_not_be_written),
    ]
}

fn job(name: &str, script: &str) -> JobSpec {
    JobSpec::new(JobName::new(name).unwrap(), ["sh", "-c", script])
}

/// Kills the supervisor of a job, and waits until it is dead: its lock is free then.
fn kill_supervisor(folder: &Path, name: &str) {
    let path = folder.join("state/jobs").join(name);
    let wanted = format!("--supervise\0{}\0", path.display());
    let is_it = |pid: &str| {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).ends_with(&wanted))
    };
    let pids = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let pid = pids.into_iter().find(|pid| is_it(pid)).expect("a supervisor");
    assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    while is_it(&pid) {
        std::thread::sleep(Duration::from_millis(10));
    }
}

async fn wait_for(compute: &Arc<dyn Compute>, name: &JobName, line: &str) {
    let mut lines = compute.logs(name, 0, LogOptions { follow: true, since: None });
    while let Some(found) = lines.try_next().await.unwrap() {
        if found.text == line.as_bytes() {
            return;
        }
    }
    panic!("it ended without printing {line}");
}

/// Whether a process has that text in its command line.
fn runs(text: &str) -> bool {
    let lines = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read(entry.unwrap().path().join("cmdline")).ok());
    lines.into_iter().any(|line| String::from_utf8_lossy(&line).contains(text))
}

fn a_killed_supervisor_is_replaced(runtime: &Runtime, folder: &Path) {
    runtime.block_on(async {
        let compute = super::open(folder);
        let script = "if [ -e second ]; then echo again; exit 0; fi; touch second; echo ready; sleep 361";
        let spec = JobSpec { retries_per_task: 1, ..job("replaced", script) };
        compute.submit(&spec).await.unwrap();
        wait_for(&compute, &spec.name, "ready").await;
        kill_supervisor(folder, "replaced");
        let status = super::open(folder).wait(&spec.name).await.unwrap();
        assert_eq!(status.phase(), JobPhase::Succeeded);
        assert_eq!(status.tasks[0].attempts, 2);
        assert!(!runs("sleep\u{0}361"), "what the first attempt started still runs");
    });
}

fn a_job_of_a_killed_supervisor_can_be_cancelled(runtime: &Runtime, folder: &Path) {
    runtime.block_on(async {
        let compute = super::open(folder);
        let spec = job("orphaned", "(setsid sleep 362 &); echo ready; sleep 362");
        compute.submit(&spec).await.unwrap();
        wait_for(&compute, &spec.name, "ready").await;
        kill_supervisor(folder, "orphaned");
        super::open(folder).cancel(&spec.name, Duration::ZERO).await.unwrap();
        assert_eq!(compute.inspect(&spec.name).await.unwrap().phase(), JobPhase::Cancelled);
        assert!(!runs("sleep\u{0}362"), "what it started still runs");
    });
}

fn what_hides_its_mark_is_ended_too(runtime: &Runtime, folder: &Path) {
    runtime.block_on(async {
        let compute = super::open(folder);
        let spec =
            job("hiding", "(env -i /usr/bin/setsid /bin/sleep 363 > /dev/null 2>&1 &); sleep 0.2; echo left");
        compute.submit(&spec).await.unwrap();
        let status = compute.wait(&spec.name).await.unwrap();
        assert!(!runs("sleep\u{0}363"), "what it left still runs: {status:?}");
        assert!(matches!(status.tasks[0].end, Some(TaskEnd::Exited(0) | TaskEnd::LeftBehind(_))));
    });
}

fn secrets_stay_in_a_private_folder(runtime: &Runtime, folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    runtime.block_on(async {
        let compute = super::open(folder);
        let mut spec = job("private", "true");
        spec.env.insert("TOKEN".into(), "hush".into());
        compute.submit(&spec).await.unwrap();
        compute.wait(&spec.name).await.unwrap();
        for path in [folder.join("state"), folder.join("state/jobs"), folder.join("state/jobs/private")] {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
        }
        assert!(!runs("hush"));
    });
}

fn a_folder_that_can_not_be_written(runtime: &Runtime, folder: &Path) {
    runtime.block_on(async {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("state"), "a file").unwrap();
        let error = super::open(folder).submit(&job("refused", "true")).await.unwrap_err();
        assert!(error.to_string().contains("the folder of the jobs can't be written"), "{error}");
    });
}
