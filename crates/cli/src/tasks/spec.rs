//! The job that is submitted.

use std::collections::BTreeMap;

use cabotage::Stores;
use cabotage_core::compute::{JobName, JobSpec};
use cabotage_core::{Error, ErrorKind, Result};
use cabotage_engine::{JobIdentity, ShardPlan};

use super::task::{SUBMISSION, plan_variables};
use crate::cmd_job;

/// How often a task that was cut off is begun anew; it goes on from its ledger.
const RETRIES: u32 = 3;
/// Beginning of the variables that tell where spans go.
const TRACES: &str = "OTEL_";
/// The most bytes of a variable with its name: Linux takes no more.
const VARIABLE: usize = 128 << 10;

/// The job's name at the compute: one for each pair of source and destination.
pub(crate) fn name(job: &JobIdentity) -> Result<JobName> {
    JobName::new(format!("migrate-{}", job.stem()))
}

/// A job whose tasks find all that they need in their arguments and variables.
///
/// # Errors
/// `InvalidConfig` for a variable that is too large.
pub(crate) fn spec(
    name: &JobName,
    arguments: Vec<String>,
    plan: &ShardPlan,
    submission: &str,
    stores: &Stores,
) -> Result<JobSpec> {
    let tasks = u32::try_from(plan.shards().len()).unwrap_or(u32::MAX);
    let command = [cmd_job::program()?.to_string_lossy().into_owned()].into_iter().chain(arguments);
    let mut env = stores.handed_over();
    let told = stores.environment().vars().iter();
    env.extend(
        told.filter(|(name, _)| name.starts_with(TRACES)).map(|(name, value)| (name.clone(), value.clone())),
    );
    env.extend(plan_variables(plan)?);
    env.insert(SUBMISSION.to_owned(), submission.to_owned());
    refuse_large(&env)?;
    Ok(JobSpec {
        env,
        tasks,
        parallelism: tasks,
        retries_per_task: RETRIES,
        ..JobSpec::new(name.clone(), command)
    })
}

fn refuse_large(env: &BTreeMap<String, String>) -> Result<()> {
    match env.iter().find(|(name, value)| name.len() + value.len() + 2 > VARIABLE) {
        None => Ok(()),
        Some((name, value)) => {
            let text = format!("{name} has {} KiB, and a task can be given 128 KiB", value.len() >> 10);
            Err(Error::new(ErrorKind::InvalidConfig, text)
                .help("tasks get the configuration file as a variable: name a shorter one with --config"))
        }
    }
}
