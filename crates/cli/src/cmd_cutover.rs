//! `cabotage cutover`.

use clap::Args;

use crate::delete_args::DeleteArgs;
use crate::exit_code::Exit;
use crate::job_args::JobArgs;
use crate::options::Common;
use crate::output::Failure;
use crate::run_job::{Verb, run_job};
use crate::screen::Screen;

#[derive(Args, Debug)]
pub(crate) struct CutoverArgs {
    #[command(flatten)]
    job: JobArgs,
    #[command(flatten)]
    delete: DeleteArgs,
    /// Go on with a job that a cut-over has closed
    #[arg(long)]
    reopen: bool,
}

pub(crate) async fn run(args: &CutoverArgs, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
    let stores = common.stores()?;
    let mut options = args.job.options(stores.environment())?;
    options.delete = args.delete.policy();
    options.reopen = args.reopen;
    run_job(Verb::Cutover, &args.job, options, &stores, common, screen).await
}
