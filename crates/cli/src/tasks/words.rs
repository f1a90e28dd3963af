//! The command of the tasks, made of the one that was typed.

use std::ffi::OsStr;

use cabotage::{Location, Place};
use cabotage_core::{Error, ErrorKind, Result, Timestamp};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, CommandFactory as _};

use crate::options::Cli;

/// Flags of the coordinator, and those that it tells the tasks in other words.
const OWN: &[&str] =
    &["tasks", "compute", "report", "state", "config", "stop_at", "stop_after", "quiet", "log_format"];
/// Flags whose values are paths. A task has a working directory of its own.
const PATHS: &[&str] = &["manifest", "archived_list", "source_sse_c_key_file", "destination_sse_c_key_file"];
/// Flags whose values are locations, which may be paths.
const LOCATIONS: &[&str] = &["sidecar", "restore_sidecar"];

/// What was typed, as words that mean the same in any folder.
#[derive(Clone, Debug)]
pub(crate) struct Typed(ArgMatches);

impl Typed {
    /// The `migrate` of this process.
    ///
    /// # Errors
    /// `Internal` when this process is none.
    pub(crate) fn of_process() -> Result<Self> {
        let matches = Cli::command().try_get_matches_from(std::env::args_os());
        let migrate = matches.ok().and_then(|mut matches| matches.remove_subcommand());
        migrate.map(|(_, matches)| Self(matches)).ok_or_else(|| {
            Error::new(ErrorKind::Internal, "the command of the tasks can't be made: this is no `migrate`")
        })
    }

    /// The arguments of each task.
    ///
    /// # Errors
    /// `InvalidConfig` for an argument that is no text, and a path that can't be used.
    pub(crate) fn for_tasks(&self, state: &str, deadline: Option<Timestamp>) -> Result<Vec<String>> {
        let mut words = vec!["migrate".to_owned(), "--shard=task".to_owned(), format!("--state={state}")];
        words.extend(deadline.map(|deadline| format!("--stop-at={deadline}")));
        self.add_rest(&mut words)?;
        Ok(words)
    }

    /// By which a coordinator recognises the job that one before it has started: all that tells what is moved and how.
    ///
    /// # Errors
    /// As [`for_tasks`](Self::for_tasks).
    pub(crate) fn to_compare(&self, tasks: u32) -> Result<Vec<String>> {
        let mut words = vec![format!("--tasks={tasks}")];
        self.add_rest(&mut words)?;
        words.retain(|word| word != "--verbose");
        Ok(words)
    }

    fn add_rest(&self, words: &mut Vec<String>) -> Result<()> {
        let mut cli = Cli::command();
        cli.build();
        let migrate = cli.find_subcommand("migrate");
        let mut places = vec!["--".to_owned()];
        for arg in migrate.iter().flat_map(|migrate| migrate.get_arguments()) {
            let id = arg.get_id().as_str();
            if OWN.contains(&id) || self.0.value_source(id) != Some(ValueSource::CommandLine) {
                continue;
            }
            match arg.get_long() {
                Some(long) => self.add_flag(arg, long, words)?,
                None => places.push(location(&self.value(id)?)?),
            }
        }
        words.extend(places);
        Ok(())
    }

    fn add_flag(&self, arg: &Arg, long: &str, words: &mut Vec<String>) -> Result<()> {
        let id = arg.get_id().as_str();
        match arg.get_action() {
            ArgAction::SetTrue => words.push(format!("--{long}")),
            ArgAction::Count => {
                words.extend((0..self.0.get_count(id)).map(|_| format!("--{long}")));
            }
            _ => {
                for value in self.0.get_raw(id).into_iter().flatten() {
                    let value = text(value)?;
                    let value = match id {
                        id if PATHS.contains(&id) => absolute(&value)?,
                        id if LOCATIONS.contains(&id) => location(&value)?,
                        _ => value,
                    };
                    words.push(format!("--{long}={value}"));
                }
            }
        }
        Ok(())
    }

    fn value(&self, id: &str) -> Result<String> {
        text(self.0.get_raw(id).and_then(|mut values| values.next()).unwrap_or_default())
    }
}

fn text(value: &OsStr) -> Result<String> {
    value.to_str().map(str::to_owned).ok_or_else(|| {
        Error::new(ErrorKind::InvalidConfig, "an argument is no UTF-8, and can't be told to a task")
            .about(value.to_string_lossy())
    })
}

/// A path that means the same in any folder.
pub(crate) fn absolute(path: &str) -> Result<String> {
    let absolute = std::path::absolute(path).map_err(|error| {
        Error::new(ErrorKind::InvalidConfig, format!("the path can't be used: {error}")).about(path)
    })?;
    text(absolute.as_os_str())
}

fn location(told: &str) -> Result<String> {
    match Location::parse(told)?.place() {
        Place::Local { path } => absolute(&text(path.as_os_str())?),
        _ => Ok(told.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(arguments: &[&str]) -> Typed {
        let mut matches = Cli::command().try_get_matches_from([&["cabotage"], arguments].concat()).unwrap();
        Typed(matches.remove_subcommand().unwrap().1)
    }

    #[test]
    fn what_means_the_same_anywhere_goes_along() {
        let here = std::env::current_dir().unwrap().to_str().unwrap().to_owned();
        let line = "--config c.toml migrate in s3://b/p//q --tasks 4 --compute=process --report r.json --manifest=m \
                    --include *.dcm -vv --delete --max-delete 7 --stop-after 8h --s3-provider aws --sidecar ./s:x \
                    --memory 64MiB -q";
        let words = typed(&line.split_whitespace().chain(["--include=a b"]).collect::<Vec<_>>());
        assert_eq!(
            words.for_tasks("/state", Some("2027-01-31T06:00:00Z".parse().unwrap())).unwrap(),
            [
                "migrate",
                "--shard=task",
                "--state=/state",
                "--stop-at=2027-01-31T06:00:00Z",
                &format!("--sidecar={here}/s:x"),
                "--include=*.dcm",
                "--include=a b",
                "--memory=64MiB",
                &format!("--manifest={here}/m"),
                "--delete",
                "--max-delete=7",
                "--s3-provider=aws",
                "--verbose",
                "--verbose",
                "--",
                &format!("{here}/in"),
                "s3://b/p//q",
            ]
        );
        let again = typed(&[
            "migrate",
            "-v",
            "./in",
            "s3://b/p//q",
            "--tasks=4",
            "--stop-after=1h",
            "--report=other",
        ]);
        let first = typed(&["migrate", "in", "s3://b/p//q", "--tasks=4"]);
        assert_eq!(again.to_compare(4).unwrap(), first.to_compare(4).unwrap());
        assert_ne!(again.to_compare(4).unwrap(), first.to_compare(5).unwrap());
    }
}
