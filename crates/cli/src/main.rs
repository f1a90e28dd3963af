//! The command line of Cabotage.

mod cmd_cat;
mod cmd_check_access;
mod cmd_config;
mod cmd_cutover;
mod cmd_failures;
mod cmd_head;
mod cmd_job;
mod cmd_ledger;
mod cmd_ls;
mod cmd_migrate;
mod cmd_retry;
mod cmd_runs;
mod cmd_shards;
mod cmd_status;
mod cmd_uploads;
mod cmd_verify;
mod delete_args;
mod exit_code;
mod job_args;
mod ledger_flags;
mod ledger_merge;
mod ledger_show;
mod ledgers;
mod limit_args;
mod log_lines;
mod logging;
mod made_folders;
mod options;
mod output;
mod progress;
mod report_file;
mod run_job;
mod screen;
mod sidecars;
mod signals;
mod tasks;
mod telemetry_args;
mod traces;
mod usage;
mod when_args;

use clap::Parser as _;

use crate::exit_code::Exit;
use crate::logging::log_to;
use crate::options::{Cli, Command, LogFormat};
use crate::output::Failure;
use crate::screen::Screen;

fn main() -> Exit {
    let screen = Screen::default();
    report_panics(screen.clone());
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let format = usage::log_format(std::env::args_os());
            log_to(&screen, format, 0, None);
            return usage::answer(&error, format, &screen);
        }
    };
    let traces = traces::from_environment();
    log_to(&screen, cli.common.log_format, cli.common.verbose, traces.as_ref().ok().and_then(Option::as_ref));
    let ended = traces.map_err(Failure::from).and_then(|traces| {
        let ended = run(&cli, &screen);
        traces::finish(traces.as_ref());
        ended
    });
    match ended {
        Ok(exit) => exit,
        Err(Failure::ReaderGone) => Exit::Success,
        Err(Failure::Error(error)) => {
            tracing::debug!("{error:?}");
            match cli.common.log_format {
                LogFormat::Text => screen.line(&format!("error: {error}")),
                LogFormat::Json => tracing::error!(kind = error.kind().name(), "{error}"),
            }
            Exit::from(&error)
        }
    }
}

fn run(cli: &Cli, screen: &Screen) -> Result<Exit, Failure> {
    if let Command::Job(args) = &cli.command
        && let Some(supervised) = args.supervised()
    {
        return Ok(supervised.map(|()| Exit::Success)?);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        let message = format!("the process can't be started: {error}");
        cabotage_core::Error::new(cabotage_core::ErrorKind::Internal, message)
    })?;
    let exit = runtime.block_on(async {
        match &cli.command {
            Command::Migrate(args) => Box::pin(cmd_migrate::run(args, &cli.common, screen)).await,
            Command::Cutover(args) => Box::pin(cmd_cutover::run(args, &cli.common, screen)).await,
            Command::Verify(args) => Box::pin(cmd_verify::run(args, &cli.common, screen)).await,
            Command::Runs(args) => Box::pin(cmd_runs::run(args, &cli.common, screen)).await,
            Command::Status(args) => cmd_status::run(args, &cli.common, screen),
            Command::Failures(args) => cmd_failures::run(args, &cli.common, screen),
            Command::Retry(args) => Box::pin(cmd_retry::run(args, &cli.common, screen)).await,
            Command::Uploads(args) => Box::pin(cmd_uploads::run(args, &cli.common, screen)).await,
            Command::Ls(args) => Box::pin(cmd_ls::run(args, &cli.common, screen)).await,
            Command::Head(args) => Box::pin(cmd_head::run(args, &cli.common)).await,
            Command::Cat(args) => Box::pin(cmd_cat::run(args, &cli.common)).await,
            Command::CheckAccess(args) => Box::pin(cmd_check_access::run(args, &cli.common)).await,
            Command::Ledger(args) => Box::pin(cmd_ledger::run(args, &cli.common, screen)).await,
            Command::Shards(args) => cmd_shards::run(args, &cli.common).await,
            Command::Job(args) => cmd_job::run(args, &cli.common).await,
            Command::Config(args) => cmd_config::run(args, &cli.common),
        }
    });
    // Blocking work that hangs (a file on a dead mount) doesn't keep the process.
    runtime.shutdown_background();
    exit
}

/// A defect prints one line and ends the process: what a run recorded is fit for the next run at any moment.
fn report_panics(screen: Screen) {
    std::panic::set_hook(Box::new(move |panic| {
        let payload = panic.payload();
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        let place = panic.location().map(|place| format!(" at {}:{}", place.file(), place.line()));
        let text = cabotage_core::display_text(&text);
        screen.detach();
        screen.line(&format!(
            "error: internal error{}: {text}; please report it with the command that you ran",
            place.unwrap_or_default()
        ));
        std::process::exit(1);
    }));
}
