//! `cabotage uploads`.

use cabotage::{Location, Opened, Role, Target, TimeSpan};
use cabotage_core::{
    ErrorKind, Operation, Result, Storage, Timestamp, UploadId, UploadInfo, WriteOptions, display_key,
};
use clap::{Args, Subcommand};
use futures::TryStreamExt as _;
use serde_json::{Value, json};

use crate::cmd_ls::time;
use crate::exit_code::Exit;
use crate::ledgers::{Ledgers, StateArg};
use crate::options::Common;
use crate::output::{Failure, Output, span};
use crate::screen::Screen;

#[derive(Args, Debug)]
pub(crate) struct UploadsArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists uploads in parts that were started and neither completed nor aborted.
    List(ListArgs),
    /// Aborts such uploads of this machine's jobs; never those of a run that goes on.
    Abort(AbortArgs),
}

#[derive(Args, Debug)]
struct ListArgs {
    /// Where to look
    location: String,
    #[command(flatten)]
    state: StateArg,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct AbortArgs {
    /// Where to look
    location: String,
    /// Only uploads that were started so long ago: 24h, 7d
    #[arg(long, value_name = "TIME")]
    older_than: TimeSpan,
    /// Also uploads that no ledger of the state folder knows: another program's, perhaps
    #[arg(long)]
    all: bool,
    /// Only tell what would be aborted
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    state: StateArg,
}

/// Whose an open upload is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owner {
    /// Of the run that holds that ledger, or perhaps: it writes beneath the same place.
    GoingOn(String),
    /// That ledger recorded it.
    Ours(String),
    /// No ledger knows it.
    Unknown,
}

/// What the ledgers know of uploads in one store.
#[derive(Debug, Default)]
struct Owners {
    recorded: Vec<(String, UploadId, String)>,
    /// Prefixes beneath which a run writes at this moment.
    going_on: Vec<(String, String)>,
}

pub(crate) async fn run(args: &UploadsArgs, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
    match &args.verb {
        Verb::List(args) => list(args, common, screen).await,
        Verb::Abort(args) => abort(args, common, screen).await,
    }
}

async fn list(args: &ListArgs, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
    let (opened, owners) = open(&args.location, &args.state, common, screen).await?;
    let mut output = Output::new();
    let mut uploads = opened.store.list_uploads(&opened.prefix);
    while let Some(upload) = uploads.try_next().await.map_err(|error| error.during(Operation::List))? {
        let owner = owners.of(&upload);
        if args.json {
            output.json(&as_value(&upload, &owner))?;
        } else {
            output.line(line(&upload, &owner))?;
        }
    }
    output.finish()?;
    Ok(Exit::Success)
}

async fn abort(args: &AbortArgs, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
    let (opened, owners) = open(&args.location, &args.state, common, screen).await?;
    let mut output = Output::new();
    let mut exit = Exit::Success;
    let uploads = opened.store.list_uploads(&opened.prefix);
    let uploads: Vec<_> = uploads.try_collect().await.map_err(|error| error.during(Operation::List))?;
    for upload in &uploads {
        let owner = owners.of(upload);
        let told = match why_kept(args, upload, &owner) {
            Some(why) => format!("kept ({why})"),
            None if args.dry_run => "would be aborted".to_owned(),
            None => match abort_one(opened.store.as_ref(), upload).await {
                Ok(()) => "aborted".to_owned(),
                Err(error) => {
                    exit = Exit::Incomplete;
                    screen.line(&format!("failed: {error}"));
                    continue;
                }
            },
        };
        output.line(format!("{told}: {}", line(upload, &owner)))?;
    }
    output.finish()?;
    Ok(exit)
}

/// Why an upload is left as it is.
fn why_kept(args: &AbortArgs, upload: &UploadInfo, owner: &Owner) -> Option<&'static str> {
    let limit = args.older_than.0.as_secs();
    match (owner, age(upload)) {
        (Owner::GoingOn(_), _) => Some("a run goes on there"),
        (Owner::Unknown, _) if !args.all => Some("no ledger knows it; --all takes it too"),
        (_, None) => Some("the server doesn't tell its age"),
        (_, Some(age)) if age <= limit => Some("too young"),
        _ => None,
    }
}

/// # Errors
/// Those of the store; one that it doesn't know any more is aborted.
async fn abort_one(store: &dyn Storage, upload: &UploadInfo) -> Result<()> {
    let aborted = match store.resume_upload(&upload.key, &upload.id, WriteOptions::default()).await {
        Ok(open) => open.abort().await,
        Err(error) => Err(error),
    };
    match aborted {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.on(&upload.key)),
        _ => Ok(()),
    }
}

async fn open(
    location: &str,
    state: &StateArg,
    common: &Common,
    screen: &Screen,
) -> Result<(Opened, Owners), Failure> {
    let ledgers = Ledgers::load(state, common, screen)?;
    // For reading, as what is missing is not made; uploads of what is there can be aborted all the same.
    let location = Location::parse(location)?;
    let opened = common.open(&location, &common.stores()?, Role::Source, Target::Folder, None).await?;
    let owners = Owners::of_store(&ledgers, &format!("{}/", opened.place.identity))?;
    Ok((opened, owners))
}

impl Owners {
    fn of_store(ledgers: &Ledgers, identity: &str) -> Result<Self> {
        let mut owners = Self::default();
        for ledger in &ledgers.known {
            let job = ledger.job.whole();
            let Some(prefix) = job.destination.strip_prefix(identity) else { continue };
            // The holder first: what it starts after that look is younger than any limit.
            if ledger.reader.holder()?.is_some() {
                owners.going_on.push((prefix.to_owned(), ledger.name.clone()));
            }
            for upload in ledger.reader.uploads()? {
                owners.recorded.push((format!("{prefix}{}", upload.name), upload.id, ledger.name.clone()));
            }
        }
        Ok(owners)
    }

    fn of(&self, upload: &UploadInfo) -> Owner {
        let key = upload.key.as_str();
        if let Some((_, ledger)) = self.going_on.iter().find(|(prefix, _)| key.starts_with(prefix)) {
            return Owner::GoingOn(ledger.clone());
        }
        let recorded = |(name, id, _): &&(String, UploadId, String)| name == key && *id == upload.id;
        self.recorded.iter().find(recorded).map_or(Owner::Unknown, |(.., ledger)| Owner::Ours(ledger.clone()))
    }
}

impl Owner {
    fn as_str(&self) -> &'static str {
        match self {
            Self::GoingOn(_) => "running",
            Self::Ours(_) => "recorded",
            Self::Unknown => "unknown",
        }
    }

    fn ledger(&self) -> Option<&str> {
        match self {
            Self::GoingOn(ledger) | Self::Ours(ledger) => Some(ledger),
            Self::Unknown => None,
        }
    }
}

/// Seconds since the upload was started, by the time that the server tells and this machine's clock.
fn age(upload: &UploadInfo) -> Option<u64> {
    let seconds = Timestamp::now().as_second().saturating_sub(upload.started?.as_second());
    Some(u64::try_from(seconds).unwrap_or(0))
}

fn line(upload: &UploadInfo, owner: &Owner) -> String {
    let started = upload.started.map(time).unwrap_or_default();
    let age = age(upload).map(span).unwrap_or_default();
    let ledger = owner.ledger().unwrap_or("-");
    format!(
        "{started:<20}  {age:<8}  {:<8}  {ledger:<8}  {}",
        owner.as_str(),
        display_key(upload.key.as_str())
    )
}

fn as_value(upload: &UploadInfo, owner: &Owner) -> Value {
    json!({
        "key": upload.key.as_str(),
        "upload": upload.id.0,
        "started": upload.started.map(|at| at.to_string()),
        "age_seconds": age(upload),
        "owner": owner.as_str(),
        "ledger": owner.ledger(),
    })
}

#[cfg(test)]
mod tests {
    use cabotage_core::Key;

    use super::*;

    fn args(all: bool) -> AbortArgs {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: AbortArgs,
        }
        let flags: &[&str] = if all { &["--all"] } else { &[] };
        let line = ["abort", "x", "--older-than", "24h"].iter().chain(flags);
        <Line as clap::Parser>::try_parse_from(line).unwrap().args
    }

    fn upload(key: &str, id: &str, hours: Option<i64>) -> UploadInfo {
        let now = Timestamp::now().as_second();
        let started = hours.map(|hours| Timestamp::from_second(now - hours * 3600).unwrap());
        UploadInfo { key: Key::new(key).unwrap(), id: UploadId(id.into()), started }
    }

    #[test]
    fn only_what_is_ours_old_and_at_rest_is_aborted() {
        let owners = Owners {
            recorded: vec![("a/x".into(), UploadId("1".into()), "l1".into())],
            going_on: vec![("b/".into(), "l2".into())],
        };
        for (key, id, hours, all, kept) in [
            ("a/x", "1", Some(25), false, None),
            ("a/x", "1", Some(23), false, Some("too young")),
            ("a/x", "1", None, true, Some("the server doesn't tell its age")),
            ("a/x", "2", Some(25), false, Some("no ledger knows it; --all takes it too")),
            ("a/x", "2", Some(25), true, None),
            ("a/x", "2", Some(23), true, Some("too young")),
            ("b/x", "1", Some(25), true, Some("a run goes on there")),
        ] {
            let upload = upload(key, id, hours);
            assert_eq!(
                why_kept(&args(all), &upload, &owners.of(&upload)),
                kept,
                "{key} {id} {hours:?} {all}"
            );
        }
    }
}
