//! What every command that runs a job takes: its ends, its rules, its files.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use cabotage::{ByteSize, Environment};
use cabotage_core::{Error, ErrorKind, LossName, Result};
use cabotage_engine::{Adopt, Invocation, Options, Overwrite, PartsDigest, Selection, TypedCommand, Verify};
use clap::{Args, ValueEnum};

use crate::ledger_flags::LedgerFlags;
use crate::limit_args::LimitArgs;
use crate::options::SseCKeys;
use crate::sidecars::SidecarArgs;
use crate::telemetry_args::TelemetryArgs;
use crate::when_args::WhenArgs;

#[derive(Args, Clone, Debug)]
pub(crate) struct JobArgs {
    /// Where the objects are; nothing is ever written to it
    pub(crate) source: String,
    /// Where they go
    pub(crate) destination: String,
    /// What may be overwritten at the destination
    #[arg(long, value_enum, value_name = "WHAT", default_value = "ours")]
    overwrite: OverwriteArg,
    /// Count an object that is already at the destination as moved when its content, or only its size, is equal
    #[arg(long, value_enum, value_name = "BY")]
    adopt: Option<AdoptArg>,
    /// Which proof an object needs
    #[arg(long, value_enum, value_name = "PROOF", default_value = "server-checked")]
    verify: VerifyArg,
    /// Which SHA-256 is computed of objects that go in parts
    #[arg(long, value_enum, value_name = "OF", default_value = "whole")]
    digest: DigestArg,
    /// Move objects in spite of that loss, named as the report names it (tag-dropped, blob-type, …); can be given several times
    #[arg(long, value_name = "NAME")]
    accept_loss: Vec<LossName>,
    #[command(flatten)]
    pub(crate) sidecars: SidecarArgs,
    /// Keep the time of the last write in metadata where the destination can't set it
    #[arg(long)]
    keep_mtime: bool,
    /// Ask for the attributes of each unchanged object where the source's listing doesn't tell them (S3)
    #[arg(long)]
    check_attributes: bool,
    /// Only objects that match the glob: '*.dcm' by last segment, '2024/**' by whole name; can be given several times
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// Not objects that match the glob; goes before --include
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Write owner, group, permissions and ACL of each object and folder, one JSON line each (Azure with a hierarchical namespace)
    #[arg(long, value_name = "FILE")]
    pub(crate) acl_export: Option<PathBuf>,
    /// Don't count the source's snapshots, older versions and deleted objects, which are never moved
    #[arg(long)]
    no_remnants: bool,
    /// Objects and parts in flight at once
    #[arg(long, value_name = "N", default_value_t = 32)]
    concurrency: usize,
    /// Memory for bodies in flight [default: 64MiB; a part up to 256MiB where the destination's limits ask for one]
    #[arg(long, value_name = "SIZE")]
    memory: Option<ByteSize>,
    /// Objects larger than this go in parts, several at once
    #[arg(long, value_name = "SIZE", default_value_t = ByteSize(64 << 20))]
    part_threshold: ByteSize,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) when: WhenArgs,
    #[command(flatten)]
    pub(crate) telemetry: TelemetryArgs,
    #[command(flatten)]
    pub(crate) keys: SseCKeys,
    #[command(flatten)]
    ledger: LedgerFlags,
    /// Folder of the ledgers, which tell what is done [default: $XDG_STATE_HOME/cabotage, else ~/.local/state/cabotage]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Write one JSON line for each object: name, size, SHA-256, ETags, verdict
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OverwriteArg {
    /// Nothing
    Never,
    /// What this job's ledger wrote and nobody changed since
    Ours,
    /// Anything
    Always,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum AdoptArg {
    /// Both are read whole and compared
    Content,
    /// Equal sizes are enough; no proof, and reported so
    Size,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum VerifyArg {
    /// The destination's server checks the digest of every byte it stores
    ServerChecked,
    /// Each object is read back whole and its SHA-256 compared
    ReadBack,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DigestArg {
    /// That of all bytes, as sha256sum tells it, besides that of each part
    Whole,
    /// That of the parts' SHA-256 values, with the size of the parts: every byte is hashed once
    Composite,
}

impl JobArgs {
    /// With that file for the report instead of its own.
    pub(crate) fn with_report(self, report: Option<PathBuf>) -> Self {
        Self { report, ..self }
    }

    /// Watched as another command line says: what that of the job said was of its run alone.
    pub(crate) fn watched_by(self, telemetry: TelemetryArgs) -> Self {
        Self { telemetry, ..self }
    }

    /// With the limits of another command line, where it has some.
    pub(crate) fn limited_by(self, limits: LimitArgs) -> Self {
        Self { limits: self.limits.overridden_by(limits), ..self }
    }

    /// As one of so many processes that run the job together: limits are those of all. A moment to stop may be past.
    pub(crate) fn divided_by(&self, number: NonZeroU32) -> Self {
        let memory = self.memory.map(|ByteSize(size)| ByteSize(size / u64::from(number.get())));
        let (when, limits) = (self.when.clone().of_attempt(), self.limits.divided_by(number));
        Self { memory, when, limits, ..self.clone() }
    }

    /// The budget that was told.
    pub(crate) fn memory(&self) -> Option<u64> {
        self.memory.map(|size| size.0)
    }

    /// The engine's options, as far as these tell them.
    pub(crate) fn options(&self, environment: &Environment) -> Result<Options> {
        let given = self.memory.map(|size| size.0);
        let defaults = Options::new(state_dir(self.state.as_deref(), environment)?);
        Ok(Options {
            overwrite: match self.overwrite {
                OverwriteArg::Never => Overwrite::Never,
                OverwriteArg::Ours => Overwrite::Ours,
                OverwriteArg::Always => Overwrite::Always,
            },
            adopt: self.adopt.map(|adopt| match adopt {
                AdoptArg::Content => Adopt::Content,
                AdoptArg::Size => Adopt::Size,
            }),
            verify: match self.verify {
                VerifyArg::ServerChecked => Verify::ServerChecked,
                VerifyArg::ReadBack => Verify::ReadBack,
            },
            digest: match self.digest {
                DigestArg::Whole => PartsDigest::Whole,
                DigestArg::Composite => PartsDigest::Composite,
            },
            accept_losses: self.accept_loss.iter().copied().collect(),
            keep_mtime: self.keep_mtime,
            check_attributes: self.check_attributes,
            selection: Selection::new(&self.include, &self.exclude, None)?,
            max_outage: self.when.max_outage.0,
            concurrency: self.concurrency,
            memory: given.unwrap_or(defaults.memory),
            largest_part: given.unwrap_or(defaults.largest_part),
            part_threshold: self.part_threshold.0,
            count_remnants: !self.no_remnants,
            command: Some(typed_command()),
            invocation: invocation(),
            manifest: self.manifest.clone(),
            acl_export: self.acl_export.clone(),
            ledger: self.ledger.options(),
            ..defaults
        })
    }
}

/// What was typed, to be shown.
pub(crate) fn typed_command() -> TypedCommand {
    TypedCommand::new(std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()))
}

/// What was typed; none when it, or the working directory, is no text.
fn invocation() -> Option<Invocation> {
    let arguments =
        std::env::args_os().skip(1).map(|argument| argument.into_string().ok()).collect::<Option<_>>()?;
    Some(Invocation { arguments, folder: std::env::current_dir().ok()?.to_str()?.to_owned() })
}

/// The folder given, else `$XDG_STATE_HOME/cabotage`, else `~/.local/state/cabotage`.
pub(crate) fn state_dir(given: Option<&Path>, environment: &Environment) -> Result<PathBuf> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    let absolute = |name: &str| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    state.map(|state| state.join("cabotage")).ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidConfig,
            "there is no state folder, since neither XDG_STATE_HOME nor HOME is set",
        )
        .help("name a folder for the ledgers with --state")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_ledgers_are() {
        let dir = |vars: &[(&str, &str)]| state_dir(None, &vars.iter().copied().collect());
        assert_eq!(dir(&[("HOME", "/h")]).unwrap(), Path::new("/h/.local/state/cabotage"));
        assert_eq!(dir(&[("HOME", "/h"), ("XDG_STATE_HOME", "/s")]).unwrap(), Path::new("/s/cabotage"));
        assert_eq!(
            dir(&[("HOME", "/h"), ("XDG_STATE_HOME", "relative")]).unwrap(),
            Path::new("/h/.local/state/cabotage")
        );
        assert_eq!(dir(&[]).unwrap_err().kind(), ErrorKind::InvalidConfig);
        assert_eq!(state_dir(Some(Path::new("x")), &Environment::default()).unwrap(), Path::new("x"));
    }
}
