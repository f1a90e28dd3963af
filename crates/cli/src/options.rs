//! The command line's types.

use std::path::{Path, PathBuf};

use cabotage::{EndLimits, Environment, Location, OpenOptions, Opened, Role, SecretSource, Stores, Target};
use cabotage_core::{Error, ErrorKind, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    cmd_cat, cmd_check_access, cmd_config, cmd_cutover, cmd_failures, cmd_head, cmd_job, cmd_ledger, cmd_ls,
    cmd_migrate, cmd_retry, cmd_runs, cmd_shards, cmd_status, cmd_uploads, cmd_verify, exit_code,
};

/// Moves datasets between object stores and disks, verified.
///
/// A LOCATION is az://container/prefix, s3://bucket/prefix, file:///path or a path, configured by the standard
/// environment variables (AZURE_STORAGE_CONNECTION_STRING; AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION,
/// AWS_ENDPOINT_URL_S3, …), or name:bucket/prefix for a store of the configuration file. What comes after the bucket
/// is taken literally.
#[derive(Debug, Parser)]
#[command(name = "cabotage", version, after_help = exit_code::HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Copies all objects of SOURCE to DESTINATION, verified; run it again for what is new or changed.
    ///
    /// First try `cabotage check-access SOURCE DESTINATION`, then this command with --dry-run, then without. When it was
    /// interrupted, killed or stopped by a failure, the same command goes on where it was. Nothing is ever written to
    /// SOURCE; at DESTINATION nothing is overwritten that this job did not write, unless --overwrite always is given.
    #[command(after_help = exit_code::HELP)]
    Migrate(Box<cmd_migrate::MigrateArgs>),
    /// The last pass, once nothing writes to SOURCE any more: migrates, compares both sides, closes the job.
    #[command(after_help = exit_code::HELP)]
    Cutover(Box<cmd_cutover::CutoverArgs>),
    /// Compares SOURCE and DESTINATION, independent of the runs that moved the objects; writes to neither.
    #[command(after_help = exit_code::HELP)]
    Verify(Box<cmd_verify::VerifyArgs>),
    /// Lists the runs of this machine's jobs, and what they came to.
    Runs(cmd_runs::RunsArgs),
    /// Shows how far a run has got, while it goes on and after.
    Status(cmd_status::StatusArgs),
    /// Lists the objects that a run left undone, and why.
    Failures(cmd_failures::FailuresArgs),
    /// Tries the objects that a run left undone once more, with the flags of the job's latest `migrate`.
    #[command(after_help = exit_code::HELP)]
    Retry(cmd_retry::RetryArgs),
    /// Lists and aborts uploads in parts that were never ended.
    Uploads(cmd_uploads::UploadsArgs),
    /// Lists what is in a location.
    Ls(cmd_ls::LsArgs),
    /// Shows an object's attributes.
    Head(cmd_head::HeadArgs),
    /// Writes an object's bytes to standard output.
    Cat(cmd_cat::CatArgs),
    /// Tries what a migration needs, and prints the rights that are missing.
    CheckAccess(cmd_check_access::CheckAccessArgs),
    /// Looks after ledgers, which tell what is done.
    Ledger(Box<cmd_ledger::LedgerArgs>),
    /// Divides a job into parts that several processes or machines move.
    Shards(cmd_shards::ShardsArgs),
    /// Runs jobs beside the data: starts, watches and ends them.
    Job(cmd_job::JobArgs),
    /// Shows the configuration.
    Config(cmd_config::ConfigArgs),
}

/// What every verb takes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Common {
    /// Configuration file with named stores [default: $XDG_CONFIG_HOME/cabotage/config.toml, else ~/.config/cabotage/config.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Provider of s3:// locations: its endpoint, limits and quirks (aws, scaleway, ovhcloud, …)
    #[arg(long, global = true, value_name = "NAME")]
    s3_provider: Option<String>,
    /// Allow http:// to hosts other than this machine
    #[arg(long, global = true)]
    allow_plaintext: bool,
    /// No progress and no notes; failures and the report remain
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// How messages on standard error look
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// Log more: -v what happens, -vv every request too
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// How messages on standard error look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For humans.
    Text,
    /// One JSON object a line.
    Json,
}

impl Common {
    /// With paths that mean the same in any working directory.
    pub(crate) fn in_any_folder(&self) -> Result<Self> {
        let absolute = |path: &PathBuf| {
            std::path::absolute(path).map_err(|error| {
                let text = format!("the path {} can't be used: {error}", path.display());
                Error::new(ErrorKind::InvalidConfig, text)
            })
        };
        Ok(Self { config: self.config.as_ref().map(absolute).transpose()?, ..self.clone() })
    }

    /// These, but what the other says, and in its manner of speaking.
    pub(crate) fn overridden_by(self, other: &Self) -> Self {
        Self {
            config: other.config.clone().or(self.config),
            s3_provider: other.s3_provider.clone().or(self.s3_provider),
            allow_plaintext: other.allow_plaintext || self.allow_plaintext,
            quiet: other.quiet,
            log_format: other.log_format,
            verbose: other.verbose,
        }
    }

    /// The named stores and the environment.
    pub(crate) fn stores(&self) -> Result<Stores> {
        Stores::load(self.config.as_deref(), Environment::of_process())
    }

    /// Opens a location, without limits but those of its provider.
    pub(crate) async fn open(
        &self,
        location: &Location,
        stores: &Stores,
        role: Role,
        target: Target,
        sse_c_key_file: Option<&Path>,
    ) -> Result<Opened> {
        self.open_within(location, stores, role, target, (sse_c_key_file, EndLimits::default())).await
    }

    /// Opens a location, with a key of the customer's and limits of its own.
    pub(crate) async fn open_within(
        &self,
        location: &Location,
        stores: &Stores,
        role: Role,
        target: Target,
        (sse_c_key_file, limits): (Option<&Path>, EndLimits),
    ) -> Result<Opened> {
        let options = OpenOptions {
            role,
            target,
            allow_plaintext: self.allow_plaintext,
            s3_provider: self.s3_provider.clone(),
            sse_c_key: sse_c_key_file.map(|file| SecretSource::File(file.to_owned())),
            limits,
        };
        stores.open(location, &options).await
    }
}

/// Keys of the customer's at both ends.
#[derive(Args, Clone, Debug)]
pub(crate) struct SseCKeys {
    /// File with the key with which an S3 source is encrypted (SSE-C): base64 of 32 bytes
    #[arg(long, value_name = "FILE")]
    pub(crate) source_sse_c_key_file: Option<PathBuf>,
    /// File with the key with which an S3 destination encrypts (SSE-C): base64 of 32 bytes
    #[arg(long, value_name = "FILE")]
    pub(crate) destination_sse_c_key_file: Option<PathBuf>,
}

/// The key of the customer's at the one end.
#[derive(Args, Debug)]
pub(crate) struct SseCKey {
    /// File with the key with which the S3 object is encrypted (SSE-C): base64 of 32 bytes
    #[arg(long, value_name = "FILE")]
    pub(crate) sse_c_key_file: Option<PathBuf>,
}
