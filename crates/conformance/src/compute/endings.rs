//! Jobs are watched, cancelled and leave nothing behind.

use std::sync::Arc;
use std::time::Duration;

use cabotage_core::ErrorKind;
use cabotage_core::compute::{ComputeExt as _, JobPhase, JobSpec, TaskEnd, TaskPhase};
use futures::TryStreamExt as _;

use super::trial::compute_trials;
use super::{Bench, ComputeTrial};
use crate::check::{Verdict, refused};
use crate::{Failure, Outcome};

/// Enough for a task to end by itself.
const GRACE: Duration = Duration::from_secs(20);

pub(super) fn trials() -> Vec<ComputeTrial> {
    compute_trials!("endings":
        a_watch_tells_the_way_to_the_end,
        a_watch_can_be_begun_again,
        cancelled_while_running,
        cancelled_before_all_have_begun,
        cancelled_after_its_end_changes_nothing,
        a_task_may_end_in_its_grace,
        a_task_that_will_not_end_is_made_to,
        what_tasks_start_ends_with_them,
        what_a_task_leaves_behind_is_no_success,
        a_running_job_is_not_removed,
    )
}

async fn a_watch_tells_the_way_to_the_end(bench: Arc<Bench>) -> Verdict {
    let spec = JobSpec { tasks: 2, ..bench.script("sleep 0.5")? };
    bench.compute.submit(&spec).await?;
    let seen: Vec<_> = bench.compute.watch(&spec.name).try_collect().await?;
    let Some((last, before)) = seen.split_last() else { return Err(Failure::new("nothing was told")) };
    same!(last.phase(), JobPhase::Succeeded, "the last state");
    check!(before.iter().all(|status| status.phase() == JobPhase::Running), "states before: {before:?}");
    let phases = |task: usize| seen.iter().map(move |status| status.tasks[task].phase);
    check!((0..2).all(|task| phases(task).is_sorted()), "a task went backwards: {seen:?}");
    let again: Vec<_> = bench.compute.watch(&spec.name).try_collect().await?;
    same!(again, std::slice::from_ref(last), "a watch that begins after the end");
    Ok(Outcome::Passed)
}

async fn a_watch_can_be_begun_again(bench: Arc<Bench>) -> Verdict {
    let spec = JobSpec { tasks: 3, ..bench.script("sleep 0.3")? };
    bench.compute.submit(&spec).await?;
    let mut done = 0;
    loop {
        let compute = bench.another();
        let mut changes = compute.watch(&spec.name);
        let Some(status) = changes.try_next().await? else { return Err(Failure::new("nothing was told")) };
        let now = status.count(TaskPhase::Succeeded);
        check!(now >= done, "{done} tasks had succeeded, then {now}");
        done = now;
        if status.phase().is_final() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    same!(done, 3, "tasks that succeeded");
    Ok(Outcome::Passed)
}

async fn cancelled_while_running(bench: Arc<Bench>) -> Verdict {
    let spec = JobSpec { tasks: 3, parallelism: 3, retries_per_task: 5, ..bench.script("sleep 300")? };
    bench.compute.submit(&spec).await?;
    bench.until_running(&spec.name, 3).await?;
    bench.another().cancel(&spec.name, GRACE).await?;
    let status = bench.compute.inspect(&spec.name).await?;
    same!(status.phase(), JobPhase::Cancelled, "the job");
    same!(status.count(TaskPhase::Cancelled), 3, "tasks that were cancelled");
    Ok(Outcome::Passed)
}

async fn cancelled_before_all_have_begun(bench: Arc<Bench>) -> Verdict {
    let spec = JobSpec { tasks: 50, parallelism: 1, ..bench.script("sleep 300")? };
    bench.compute.submit(&spec).await?;
    bench.compute.cancel(&spec.name, GRACE).await?;
    let status = bench.compute.inspect(&spec.name).await?;
    same!(status.count(TaskPhase::Cancelled), 50, "tasks that were cancelled");
    let begun = status.tasks.iter().filter(|task| task.attempts > 0).count();
    check!(begun <= 1, "{begun} tasks were begun, one at a time may be");
    Ok(Outcome::Passed)
}

async fn cancelled_after_its_end_changes_nothing(bench: Arc<Bench>) -> Verdict {
    let spec = bench.script("true")?;
    let ended = bench.run(&spec).await?;
    bench.compute.cancel(&spec.name, Duration::ZERO).await?;
    same!(bench.compute.inspect(&spec.name).await?, ended, "the job");
    Ok(Outcome::Passed)
}

async fn a_task_may_end_in_its_grace(bench: Arc<Bench>) -> Verdict {
    let script = "trap 'echo tidied; exit 0' TERM; echo ready; while :; do sleep 0.1; done";
    let spec = bench.script(script)?;
    bench.compute.submit(&spec).await?;
    bench.until_printed(&spec.name, 0, "ready").await?;
    bench.compute.cancel(&spec.name, GRACE).await?;
    same!(bench.compute.inspect(&spec.name).await?.phase(), JobPhase::Cancelled, "the job");
    let printed = bench.printed(&spec.name, 0).await?;
    check!(printed.iter().any(|line| line == "tidied"), "it had no time to tidy up: {printed:?}");
    Ok(Outcome::Passed)
}

async fn a_task_that_will_not_end_is_made_to(bench: Arc<Bench>) -> Verdict {
    let spec = bench.script("trap '' TERM; echo ready; while :; do sleep 0.1; done")?;
    bench.compute.submit(&spec).await?;
    bench.until_printed(&spec.name, 0, "ready").await?;
    bench.compute.cancel(&spec.name, Duration::from_secs(1)).await?;
    same!(bench.compute.inspect(&spec.name).await?.phase(), JobPhase::Cancelled, "the job");
    Ok(Outcome::Passed)
}

/// What is left would go on printing.
async fn what_tasks_start_ends_with_them(bench: Arc<Bench>) -> Verdict {
    let child = "trap '' TERM HUP; while :; do echo alive; sleep 0.1; done";
    let script = format!("(setsid sh -c \"{child}\" &) ; (sh -c \"{child}\" &) ; echo ready; sleep 300");
    let spec = bench.script(&script)?;
    bench.compute.submit(&spec).await?;
    bench.until_printed(&spec.name, 0, "alive").await?;
    bench.compute.cancel(&spec.name, Duration::from_millis(300)).await?;
    let before = bench.printed(&spec.name, 0).await?.len();
    tokio::time::sleep(Duration::from_secs(1)).await;
    same!(bench.printed(&spec.name, 0).await?.len(), before, "lines a second after the cancellation");
    Ok(Outcome::Passed)
}

async fn what_a_task_leaves_behind_is_no_success(bench: Arc<Bench>) -> Verdict {
    let spec = bench.script("(setsid sleep 300 > /dev/null 2>&1 &) ; echo left")?;
    let status = bench.run(&spec).await?;
    let end = status.tasks.first().and_then(|task| task.end.clone());
    // Where a task is a container, the container's end is theirs, and nobody counts them.
    check!(
        matches!(end, Some(TaskEnd::LeftBehind(_)) | Some(TaskEnd::Exited(0))),
        "it left a process behind: {end:?}"
    );
    check!(
        (status.phase() == JobPhase::Failed) == matches!(end, Some(TaskEnd::LeftBehind(_))),
        "a task that left something behind counts as succeeded"
    );
    Ok(Outcome::Passed)
}

async fn a_running_job_is_not_removed(bench: Arc<Bench>) -> Verdict {
    let spec = bench.script("sleep 2; echo done")?;
    bench.compute.submit(&spec).await?;
    refused(bench.compute.remove(&spec.name).await, &[ErrorKind::JobConflict], "removing a job that runs")?;
    same!(bench.compute.wait(&spec.name).await?.phase(), JobPhase::Succeeded, "the job");
    same!(bench.printed(&spec.name, 0).await?, ["done"], "what it printed");
    Ok(Outcome::Passed)
}
