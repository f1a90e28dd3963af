//! What tasks are given, how many run, how they end.

use std::sync::Arc;
use std::time::Duration;

use cabotage_core::compute::{JobPhase, JobSpec, Resources, TaskEnd, TaskPhase};
use futures::TryStreamExt as _;

use super::trial::compute_trials;
use super::{Bench, ComputeTrial};
use crate::check::Verdict;
use crate::{Failure, Outcome};

pub(super) fn trials() -> Vec<ComputeTrial> {
    compute_trials!("tasks":
        a_hundred_know_their_numbers,
        no_more_run_at_once_than_told,
        arguments_and_variables_arrive_unchanged,
        nothing_else_arrives,
        exit_codes,
        a_failed_task_is_tried_again,
        a_task_that_never_succeeds_fails_in_the_end,
        a_command_that_is_not_there,
        too_long_is_a_failure,
        memory_is_limited,
    )
}

async fn a_hundred_know_their_numbers(bench: Arc<Bench>) -> Verdict {
    let script = r#"echo "$CABOTAGE_TASK_INDEX of $CABOTAGE_TASK_COUNT""#;
    let spec = JobSpec { tasks: 100, parallelism: 16, ..bench.script(script)? };
    let status = bench.run(&spec).await?;
    same!(status.phase(), JobPhase::Succeeded, "the job");
    for (index, task) in (0..).zip(&status.tasks) {
        same!((task.index, task.phase, task.attempts), (index, TaskPhase::Succeeded, 1), "a task");
        check!(task.started <= task.ended && task.started.is_some(), "a task's times: {task:?}");
        same!(
            bench.printed(&spec.name, index).await?,
            [format!("{index} of 100")],
            "what task {index} printed"
        );
    }
    Ok(Outcome::Passed)
}

async fn no_more_run_at_once_than_told(bench: Arc<Bench>) -> Verdict {
    let spec = JobSpec { tasks: 9, parallelism: 3, ..bench.script("sleep 0.3")? };
    bench.compute.submit(&spec).await?;
    let mut changes = bench.compute.watch(&spec.name);
    let mut most = 0;
    while let Some(status) = changes.try_next().await? {
        most = most.max(status.count(TaskPhase::Running));
    }
    check!((1..=3).contains(&most), "{most} tasks ran at once, 3 may");
    Ok(Outcome::Passed)
}

/// Arguments and values that a shell or a template would change.
const HOSTILE: [&str; 12] =
    ["", " ", "a b", "$HOME", "`id`", "$(id)", "it's", "\"", "\\n", "*", "é\u{202e}\u{1F600}", "-- --"];

async fn arguments_and_variables_arrive_unchanged(bench: Arc<Bench>) -> Verdict {
    let script = r#"for text; do printf '<%s>\n' "$text"; done; printf '<%s>\n' "$V0" "$V1" "$V2" "$V3" "$V4" "$V5" "$V6" "$V7" "$V8" "$V9" "$V10" "$V11""#;
    let mut spec = bench.script(script)?;
    spec.command.push("sh".into());
    spec.command.extend(HOSTILE.map(String::from));
    spec.env = (0..).zip(HOSTILE).map(|(number, text)| (format!("V{number}"), text.to_owned())).collect();
    same!(bench.run(&spec).await?.phase(), JobPhase::Succeeded, "the job");
    let wanted: Vec<String> = HOSTILE.iter().chain(&HOSTILE).map(|text| format!("<{text}>")).collect();
    same!(bench.printed(&spec.name, 0).await?, wanted, "arguments, then variables");
    Ok(Outcome::Passed)
}

async fn nothing_else_arrives(bench: Arc<Bench>) -> Verdict {
    let spec = bench.script("env | grep -c -E '^(CARGO|AWS_|AZURE_)'; ls -A | wc -l; cat")?;
    bench.run(&spec).await?;
    let printed = bench.printed(&spec.name, 0).await?;
    let trimmed: Vec<_> = printed.iter().map(|line| line.trim()).collect();
    same!(trimmed, ["0", "0"], "variables of the submitter, files in the working directory, input");
    Ok(Outcome::Passed)
}

async fn exit_codes(bench: Arc<Bench>) -> Verdict {
    let spec = JobSpec { tasks: 4, parallelism: 4, ..bench.script("exit $CABOTAGE_TASK_INDEX")? };
    let status = bench.run(&spec).await?;
    same!(status.phase(), JobPhase::Failed, "a job of which tasks failed");
    for (code, task) in (0..).zip(&status.tasks) {
        same!(task.end, Some(TaskEnd::Exited(code)), "the end of task {code}");
        let phase = if code == 0 { TaskPhase::Succeeded } else { TaskPhase::Failed };
        same!(task.phase, phase, "task {code}");
    }
    let killed = bench.script("kill -9 $$")?;
    let status = bench.run(&killed).await?;
    let end = status.tasks.first().and_then(|task| task.end.clone());
    // 137 is how a container's runtime tells it.
    check!(matches!(end, Some(TaskEnd::Killed(9) | TaskEnd::Exited(137))), "killed by signal 9: {end:?}");
    Ok(Outcome::Passed)
}

/// Its attempts are told apart by their logs: a task's files need not outlive an attempt.
async fn a_failed_task_is_tried_again(bench: Arc<Bench>) -> Verdict {
    let script = "echo attempt; exit 3";
    let spec = JobSpec { retries_per_task: 2, ..bench.script(script)? };
    let status = bench.run(&spec).await?;
    let [task] = &status.tasks[..] else { return Err(Failure::new("not one task")) };
    same!((task.phase, task.attempts), (TaskPhase::Failed, 3), "the task");
    same!(task.end, Some(TaskEnd::Exited(3)), "its end");
    same!(bench.printed(&spec.name, 0).await?, ["attempt"; 3], "what it printed");
    Ok(Outcome::Passed)
}

async fn a_task_that_never_succeeds_fails_in_the_end(bench: Arc<Bench>) -> Verdict {
    let script = "test $CABOTAGE_TASK_INDEX != 1";
    let spec = JobSpec { tasks: 3, retries_per_task: 1, ..bench.script(script)? };
    let status = bench.run(&spec).await?;
    same!(status.phase(), JobPhase::Failed, "the job");
    let told: Vec<_> = status.tasks.iter().map(|task| (task.phase, task.attempts)).collect();
    let succeeded = (TaskPhase::Succeeded, 1);
    same!(told, [succeeded, (TaskPhase::Failed, 2), succeeded], "its tasks");
    Ok(Outcome::Passed)
}

async fn a_command_that_is_not_there(bench: Arc<Bench>) -> Verdict {
    let spec = bench.job(["there-is-no-such-command", "argument"])?;
    let status = bench.run(&spec).await?;
    same!(status.phase(), JobPhase::Failed, "the job");
    let end = status.tasks.first().and_then(|task| task.end.clone());
    check!(matches!(end, Some(TaskEnd::NotStarted(_))), "it says that it could not be started: {end:?}");
    Ok(Outcome::Passed)
}

async fn too_long_is_a_failure(bench: Arc<Bench>) -> Verdict {
    let timeout = Some(Duration::from_secs(1));
    let spec = JobSpec { timeout, ..bench.script("echo begun; sleep 300; echo done")? };
    let status = bench.run(&spec).await?;
    same!(status.tasks.first().and_then(|task| task.end.clone()), Some(TaskEnd::TimedOut), "its end");
    same!(status.phase(), JobPhase::Failed, "the job");
    same!(bench.printed(&spec.name, 0).await?, ["begun"], "what it printed");
    Ok(Outcome::Passed)
}

async fn memory_is_limited(bench: Arc<Bench>) -> Verdict {
    if !bench.compute.capabilities().memory {
        return Outcome::skipped("it can't limit memory");
    }
    let script = "head -c 200000000 /dev/zero | tail | wc -c";
    let limited = |memory| -> cabotage_core::Result<JobSpec> {
        let resources = Resources { memory: Some(memory), cpu_millis: None };
        Ok(JobSpec { resources, ..bench.script(&format!("set -e; {script}"))? })
    };
    let roomy = limited(1 << 30)?;
    same!(bench.run(&roomy).await?.phase(), JobPhase::Succeeded, "with 1 GiB");
    same!(
        bench.printed(&roomy.name, 0).await?.last().map(|line| line.trim().to_owned()),
        Some("200000000".into()),
        "with 1 GiB"
    );
    let tight = limited(64 << 20)?;
    bench.run(&tight).await?;
    let printed = bench.printed(&tight.name, 0).await?;
    check!(
        printed.last().is_none_or(|line| line.trim() != "200000000"),
        "with 64 MiB it held 200 MB: {printed:?}"
    );
    Ok(Outcome::Passed)
}
