//! Jobs are submitted once, inspected and removed.

use std::sync::Arc;
use std::time::Duration;

use cabotage_core::ErrorKind;
use cabotage_core::compute::{JobName, JobPhase, JobSpec, LogOptions, Mount, Resources, Submitted};
use futures::TryStreamExt as _;

use super::trial::compute_trials;
use super::{Bench, ComputeTrial};
use crate::Outcome;
use crate::check::{Verdict, refused};

pub(super) fn trials() -> Vec<ComputeTrial> {
    compute_trials!("submitting":
        the_same_again_starts_nothing,
        many_at_once_start_one,
        another_under_the_same_name_is_refused,
        what_can_not_run_is_refused,
        what_it_can_not_give_is_refused,
        what_there_is_not_is_not_found,
        a_removed_name_is_free,
    )
}

async fn the_same_again_starts_nothing(bench: Arc<Bench>) -> Verdict {
    let spec = bench.script("echo once")?;
    same!(bench.compute.submit(&spec).await?, Submitted::New, "the first time");
    same!(bench.another().submit(&spec).await?, Submitted::Known, "the second time, while it may run");
    let status = bench.run(&spec).await?;
    same!(bench.compute.submit(&spec).await?, Submitted::Known, "when it has ended");
    same!(bench.compute.inspect(&spec.name).await?, status, "its state after it was submitted again");
    same!(bench.printed(&spec.name, 0).await?, ["once"], "what it printed");
    Ok(Outcome::Passed)
}

async fn many_at_once_start_one(bench: Arc<Bench>) -> Verdict {
    let spec = bench.script("echo once")?;
    let computes: Vec<_> = (0..8).map(|_| bench.another()).collect();
    let submissions = computes.iter().map(|compute| compute.submit(&spec));
    let submitted = futures::future::try_join_all(submissions).await?;
    let new = submitted.iter().filter(|submitted| **submitted == Submitted::New).count();
    same!(new, 1, "submissions that started it");
    bench.run(&spec).await?;
    same!(bench.printed(&spec.name, 0).await?, ["once"], "what it printed");
    Ok(Outcome::Passed)
}

async fn another_under_the_same_name_is_refused(bench: Arc<Bench>) -> Verdict {
    let spec = bench.script("echo first")?;
    bench.run(&spec).await?;
    let mut other = bench.script("echo second")?;
    other.name = spec.name.clone();
    refused(bench.compute.submit(&other).await, &[ErrorKind::JobConflict], "another command")?;
    let more = JobSpec { tasks: 2, ..spec.clone() };
    refused(bench.compute.submit(&more).await, &[ErrorKind::JobConflict], "more tasks")?;
    same!(bench.printed(&spec.name, 0).await?, ["first"], "what the job of that name printed");
    Ok(Outcome::Passed)
}

async fn what_can_not_run_is_refused(bench: Arc<Bench>) -> Verdict {
    let spec = bench.script("true")?;
    for wrong in [
        JobSpec { command: Vec::new(), ..spec.clone() },
        JobSpec { tasks: 0, ..spec.clone() },
        JobSpec { parallelism: 0, ..spec.clone() },
        JobSpec { timeout: Some(Duration::ZERO), ..spec.clone() },
        JobSpec { env: [("not a name".to_owned(), String::new())].into(), ..spec.clone() },
        JobSpec { command: vec!["sh\0".to_owned()], ..spec.clone() },
    ] {
        refused(bench.compute.submit(&wrong).await, &[ErrorKind::InvalidConfig], format!("{wrong:?}"))?;
    }
    refused(bench.compute.inspect(&spec.name).await, &[ErrorKind::NotFound], "a job that was refused")?;
    Ok(Outcome::Passed)
}

async fn what_it_can_not_give_is_refused(bench: Arc<Bench>) -> Verdict {
    let can = bench.compute.capabilities().clone();
    let spec = bench.script("true")?;
    let mount = Mount { source: "volume".into(), target: "/data".into(), read_only: true };
    let limits = |memory, cpu_millis| JobSpec { resources: Resources { memory, cpu_millis }, ..spec.clone() };
    let mut asked = 0;
    for (wrong, possible) in [
        (JobSpec { mounts: vec![mount], ..spec.clone() }, can.mounts),
        (limits(Some(1 << 30), None), can.memory),
        (limits(None, Some(500)), can.cpu),
        (JobSpec { image: Some("image".into()), ..spec.clone() }, can.images),
        (JobSpec { image: None, ..spec.clone() }, !can.images),
        (JobSpec { tasks: can.max_tasks.saturating_add(1), ..spec.clone() }, can.max_tasks >= 100_000),
    ] {
        if !possible {
            asked += 1;
            refused(bench.compute.submit(&wrong).await, &[ErrorKind::Unsupported], format!("{wrong:?}"))?;
        }
    }
    if asked == 0 { Outcome::skipped("it can give everything") } else { Ok(Outcome::Passed) }
}

async fn what_there_is_not_is_not_found(bench: Arc<Bench>) -> Verdict {
    let (name, compute) = (JobName::new("there-is-no-such-job")?, &bench.compute);
    let missing = [ErrorKind::NotFound];
    refused(compute.inspect(&name).await, &missing, "inspect")?;
    refused(compute.cancel(&name, Duration::ZERO).await, &missing, "cancel")?;
    refused(compute.remove(&name).await, &missing, "remove")?;
    refused(compute.watch(&name).try_collect::<Vec<_>>().await, &missing, "watch")?;
    let lines = compute.logs(&name, 0, LogOptions::default());
    refused(lines.try_collect::<Vec<_>>().await, &missing, "logs")?;
    let spec = bench.script("true")?;
    bench.run(&spec).await?;
    let lines = compute.logs(&spec.name, 1, LogOptions::default());
    refused(lines.try_collect::<Vec<_>>().await, &missing, "logs of a task that isn't there")?;
    Ok(Outcome::Passed)
}

async fn a_removed_name_is_free(bench: Arc<Bench>) -> Verdict {
    let spec = bench.script("echo first")?;
    bench.run(&spec).await?;
    bench.another().remove(&spec.name).await?;
    refused(bench.compute.inspect(&spec.name).await, &[ErrorKind::NotFound], "a removed job")?;
    let mut again = bench.script("echo second")?;
    again.name = spec.name.clone();
    same!(bench.compute.submit(&again).await?, Submitted::New, "a job of the same name");
    same!(bench.run(&again).await?.phase(), JobPhase::Succeeded, "its end");
    same!(bench.printed(&spec.name, 0).await?, ["second"], "what it printed");
    Ok(Outcome::Passed)
}
