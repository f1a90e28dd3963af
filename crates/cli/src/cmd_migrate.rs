//! `cabotage migrate`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cabotage::{
    ByteSize, Environment, Location, Opened, Role, Stores, Target, refuse_inside, refuse_overlap,
};
use cabotage_core::{Error, ErrorKind, LossName, Result};
use cabotage_engine::{
    Adopt, Job, KeysFile, Options, Overwrite, Progress, Report, Selection, Side, Stop, Verify,
};
use clap::{Args, ValueEnum};

use crate::exit_code::Exit;
use crate::made_folders::MadeFolders;
use crate::options::{Common, SseCKeys};
use crate::output::{Failure, Output};
use crate::progress::Reporter;
use crate::report_file::ReportFile;
use crate::screen::Screen;
use crate::signals::Signals;
use crate::typed;

#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("name_files").args(["keys_from", "archived_list"]).multiple(true))]
pub(crate) struct MigrateArgs {
    /// Where the objects are; nothing is ever written to it
    source: String,
    /// Where they go
    destination: String,
    /// What may be overwritten at the destination
    #[arg(long, value_enum, value_name = "WHAT", default_value = "ours")]
    overwrite: OverwriteArg,
    /// Count an object that is already at the destination as moved when its content, or only its size, is equal
    #[arg(long, value_enum, value_name = "BY")]
    adopt: Option<AdoptArg>,
    /// Which proof an object needs
    #[arg(long, value_enum, value_name = "PROOF", default_value = "server-checked")]
    verify: VerifyArg,
    /// Move objects in spite of that loss; can be given several times
    #[arg(long, value_name = "NAME")]
    accept_loss: Vec<LossName>,
    /// Keep the time of the last write in metadata where the destination can't set it
    #[arg(long)]
    keep_mtime: bool,
    /// Only objects that match the glob: '*.dcm' by last segment, '2024/**' by whole name
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// Not objects that match the glob; goes before --include
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Only the objects named in the file, one a line, relative to SOURCE
    #[arg(long, value_name = "FILE")]
    keys_from: Option<PathBuf>,
    /// Write the names of objects that are archived at the source, for --keys-from once they are restored
    #[arg(long, value_name = "FILE")]
    archived_list: Option<PathBuf>,
    /// Write owner, group, permissions and ACL of each object and folder, one JSON line each (Azure with a hierarchical namespace)
    #[arg(long, value_name = "FILE")]
    acl_export: Option<PathBuf>,
    /// Names in the files of --keys-from and --archived-list end in NUL instead of a newline
    #[arg(short = '0', long, requires = "name_files")]
    null: bool,
    /// Don't count the source's snapshots, older versions and deleted objects, which are never moved
    #[arg(long)]
    no_remnants: bool,
    /// Copy at most so many objects, then end
    #[arg(long, value_name = "N")]
    max_objects: Option<u64>,
    /// Objects and parts in flight at once
    #[arg(long, value_name = "N", default_value_t = 32)]
    concurrency: usize,
    /// Memory for bodies in flight
    #[arg(long, value_name = "SIZE", default_value_t = ByteSize(256 << 20))]
    memory: ByteSize,
    /// Objects larger than this go in parts, several at once
    #[arg(long, value_name = "SIZE", default_value_t = ByteSize(64 << 20))]
    part_threshold: ByteSize,
    #[command(flatten)]
    keys: SseCKeys,
    /// Decide and report, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Folder of the ledgers, which tell what is done [default: cabotage in the user's state folder]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
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

pub(crate) async fn run(args: &MigrateArgs, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
    let (source, destination) = (Location::parse(&args.source)?, Location::parse(&args.destination)?);
    let stores = common.stores()?;
    let options = options(args, stores.environment())?;
    let reporter = Reporter::new(screen.clone(), common.log_format, common.quiet);
    let file = args.report.as_deref().map(ReportFile::new).transpose()?;
    let mut signals = Signals::new()?;
    let made = MadeFolders::before_opening(&destination);
    let opening = open_both(args, common, &stores, &source, &destination);
    let opened = signals.or_interrupted(opening).await;
    let checked = opened.and_then(|sides| refuse_places(args, &options, &sides.0, &sides.1).map(|()| sides));
    let report = match checked {
        Ok((source, destination)) => {
            go(Job { source: side(source), destination: side(destination), options }, &reporter, signals)
                .await
        }
        Err(refused) => Err(refused),
    };
    screen.detach();
    if args.dry_run || report.is_err() {
        made.remove();
    }
    let report = report?;
    let exit = Exit::from(report.ending);
    let printed = print(&report);
    if let Some(file) = file {
        file.save(&report)?;
    }
    match printed {
        Ok(()) | Err(Failure::ReaderGone) => Ok(exit),
        Err(failure) => Err(failure),
    }
}

async fn open_both(
    args: &MigrateArgs,
    common: &Common,
    stores: &Stores,
    source: &Location,
    destination: &Location,
) -> Result<(Opened, Opened)> {
    let key = args.keys.source_sse_c_key_file.as_deref();
    let source = common.open(source, stores, Role::Source, Target::Folder, key).await?;
    let key = args.keys.destination_sse_c_key_file.as_deref();
    let destination = common.open(destination, stores, Role::Destination, Target::Folder, key).await?;
    Ok((source, destination))
}

/// Nothing that the run writes may lie in what is moved, and the two sides not in each other.
fn refuse_places(args: &MigrateArgs, options: &Options, source: &Opened, destination: &Opened) -> Result<()> {
    refuse_overlap(source, destination)?;
    let files = [
        ("--state", Some(options.state_dir.as_path())),
        ("--report", args.report.as_deref()),
        ("--manifest", args.manifest.as_deref()),
        ("--archived-list", args.archived_list.as_deref()),
        ("--acl-export", args.acl_export.as_deref()),
    ];
    for (flag, path) in files {
        let Some(path) = path else { continue };
        refuse_inside(source, flag, path)?;
        refuse_inside(destination, flag, path)?;
    }
    Ok(())
}

async fn go(job: Job, reporter: &Reporter, signals: Signals) -> Result<Report> {
    let stop = Stop::default();
    let progress = Arc::new(Progress::default());
    let observer = Arc::new(reporter.clone());
    let run = Box::pin(cabotage_engine::run(job, stop.clone(), Arc::clone(&progress), observer));
    tokio::select! {
        report = run => report,
        () = reporter.follow(progress) => Err(never()),
        () = signals.pass_on(&stop, reporter) => Err(never()),
    }
}

fn never() -> Error {
    Error::new(ErrorKind::Internal, "a watcher of the run ended before the run")
}

fn side(opened: Opened) -> Side {
    Side { store: opened.store, probe: Some(opened.probe), prefix: opened.prefix, label: opened.label }
}

fn options(args: &MigrateArgs, environment: &Environment) -> Result<Options> {
    let names =
        |path: &Option<PathBuf>| path.clone().map(|path| KeysFile { path, null_separated: args.null });
    Ok(Options {
        overwrite: match args.overwrite {
            OverwriteArg::Never => Overwrite::Never,
            OverwriteArg::Ours => Overwrite::Ours,
            OverwriteArg::Always => Overwrite::Always,
        },
        adopt: args.adopt.map(|adopt| match adopt {
            AdoptArg::Content => Adopt::Content,
            AdoptArg::Size => Adopt::Size,
        }),
        verify: match args.verify {
            VerifyArg::ServerChecked => Verify::ServerChecked,
            VerifyArg::ReadBack => Verify::ReadBack,
        },
        accept_losses: args.accept_loss.iter().copied().collect(),
        keep_mtime: args.keep_mtime,
        selection: Selection::new(&args.include, &args.exclude, names(&args.keys_from))?,
        max_objects: args.max_objects,
        concurrency: args.concurrency,
        memory: args.memory.0,
        part_threshold: args.part_threshold.0,
        count_remnants: !args.no_remnants,
        command: Some(typed::command(std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()))),
        dry_run: args.dry_run,
        manifest: args.manifest.clone(),
        acl_export: args.acl_export.clone(),
        archived_list: names(&args.archived_list),
        ..Options::new(state_dir(args.state.as_deref(), environment)?)
    })
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

fn print(report: &Report) -> Result<(), Failure> {
    let mut output = Output::new();
    output.line(report.to_string().trim_end())?;
    output.finish()
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
