//! What tasks print.

use std::sync::Arc;

use cabotage_core::compute::{JobPhase, JobSpec, LogOptions};
use futures::TryStreamExt as _;

use super::trial::compute_trials;
use super::{Bench, ComputeTrial};
use crate::Outcome;
use crate::check::Verdict;

pub(super) fn trials() -> Vec<ComputeTrial> {
    compute_trials!("logs":
        both_outputs_are_kept,
        of_a_failed_task,
        following_ends_with_the_task,
        since_a_moment,
        many_lines,
    )
}

async fn both_outputs_are_kept(bench: Arc<Bench>) -> Verdict {
    let spec = bench.script("echo out; echo err >&2; printf 'no line feed'")?;
    bench.run(&spec).await?;
    let mut printed = bench.printed(&spec.name, 0).await?;
    printed.sort_unstable();
    same!(printed, ["err", "no line feed", "out"], "what it printed");
    Ok(Outcome::Passed)
}

async fn of_a_failed_task(bench: Arc<Bench>) -> Verdict {
    let spec = JobSpec { retries_per_task: 1, ..bench.script("echo why >&2; exit 1")? };
    same!(bench.run(&spec).await?.phase(), JobPhase::Failed, "the job");
    let lines: Vec<_> = bench.another().logs(&spec.name, 0, LogOptions::default()).try_collect().await?;
    let told: Vec<_> = lines.iter().map(|line| (line.attempt, &line.text[..])).collect();
    same!(told, [(1, &b"why"[..]), (2, b"why")], "attempts and lines");
    Ok(Outcome::Passed)
}

async fn following_ends_with_the_task(bench: Arc<Bench>) -> Verdict {
    let spec = bench.script("for i in 1 2 3 4 5; do echo $i; sleep 0.2; done")?;
    bench.compute.submit(&spec).await?;
    let lines = bench.compute.logs(&spec.name, 0, LogOptions { follow: true, since: None });
    let lines: Vec<_> = lines.try_collect().await?;
    let text: Vec<_> = lines.iter().map(|line| String::from_utf8_lossy(&line.text).into_owned()).collect();
    same!(text, ["1", "2", "3", "4", "5"], "what was followed");
    check!(lines.is_sorted_by_key(|line| line.at), "times go backwards: {lines:?}");
    Ok(Outcome::Passed)
}

async fn since_a_moment(bench: Arc<Bench>) -> Verdict {
    let spec = bench.script("echo early; sleep 2; echo late")?;
    bench.run(&spec).await?;
    let all: Vec<_> = bench.compute.logs(&spec.name, 0, LogOptions::default()).try_collect().await?;
    let since = all.last().map(|line| line.at);
    let lines = bench.compute.logs(&spec.name, 0, LogOptions { follow: false, since });
    let lines: Vec<_> = lines.map_ok(|line| line.text).try_collect().await?;
    same!(lines, ["late"], "what was printed since the last line");
    Ok(Outcome::Passed)
}

async fn many_lines(bench: Arc<Bench>) -> Verdict {
    let spec = bench.script("i=0; while [ $i -lt 5000 ]; do echo \"line $i\"; i=$((i+1)); done")?;
    bench.run(&spec).await?;
    let printed = bench.printed(&spec.name, 0).await?;
    same!(printed.len(), 5_000, "lines");
    let wrong = printed.iter().enumerate().find(|(number, line)| **line != format!("line {number}"));
    same!(wrong, None, "the first line that is wrong");
    Ok(Outcome::Passed)
}
