//! The flags that divide a job among tasks.

use cabotage_core::{Error, ErrorKind, Result};
use clap::Args;

/// Where tasks run unless something else is named.
const COMPUTE: &str = "process";
/// The most tasks: the most shards of a plan.
const MOST: i64 = 1_000;

#[derive(Args, Debug)]
pub(crate) struct TasksArgs {
    /// Divide the job by names among so many processes (1 to 1000), follow them, and merge what they did into one ledger and report
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MOST))]
    tasks: Option<u32>,
    /// Where the tasks run: process (child processes of this machine) [default: process]
    #[arg(long, value_name = "NAME", requires = "tasks")]
    compute: Option<String>,
}

/// How many tasks are wanted, and where.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub number: u32,
    pub compute: String,
}

impl TasksArgs {
    /// None: one process, this one.
    pub(crate) fn wanted(&self) -> Option<Wanted> {
        let compute = self.compute.clone().unwrap_or_else(|| COMPUTE.to_owned());
        self.tasks.map(|number| Wanted { number, compute })
    }
}

/// Refuses the first flag that is given and can't go along, with its reason.
pub(crate) fn refuse(flags: &[(&str, bool, &str)]) -> Result<()> {
    let Some((flag, _, reason)) = flags.iter().find(|(_, given, _)| *given) else { return Ok(()) };
    Err(Error::new(ErrorKind::InvalidConfig, format!("{flag} and --tasks can't go together: {reason}")))
}
