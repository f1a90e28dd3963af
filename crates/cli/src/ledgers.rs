//! The ledgers of a state folder, and the runs in them by name.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use cabotage_core::{Error, ErrorKind, Result, display_text};
use cabotage_engine::{JobIdentity, LedgerReader, RunRecord};
use clap::Args;

use crate::job_args::state_dir;
use crate::options::Common;
use crate::screen::Screen;

/// Digits of a ledger's file name that name it.
const DIGITS: usize = 8;
/// Runs named to who named none of them.
const TOLD: usize = 10;

#[derive(Args, Debug)]
pub(crate) struct StateArg {
    /// Folder of the ledgers [default: $XDG_STATE_HOME/cabotage, else ~/.local/state/cabotage]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// A run or a ledger, by name: `c018f8dd-3`, `c018f8dd`; `3` where there is one ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunName {
    typed: String,
    ledger: Option<String>,
    number: Option<i64>,
}

impl FromStr for RunName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let is_ledger = |text: &str| text.len() >= DIGITS && text.chars().all(|c| c.is_ascii_hexdigit());
        let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number > 0);
        let (ledger, number) = match text.split_once('-') {
            Some((ledger, run)) if is_ledger(ledger) => (Some(ledger), number(run)),
            None if is_ledger(text) => (Some(text), None),
            _ => (None, number(text)),
        };
        if number.is_none() && ledger != Some(text) {
            return Err(Error::new(ErrorKind::InvalidConfig, format!("'{text}' is no name of a run")).help(
                "write it as `cabotage runs` shows it: the ledger's eight digits, '-' and the run's number",
            ));
        }
        Ok(Self { typed: text.to_owned(), ledger: ledger.map(str::to_ascii_lowercase), number })
    }
}

impl RunName {
    /// The run's number; none when the ledger alone is named.
    pub(crate) fn number(&self) -> Option<i64> {
        self.number
    }
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RunState {
    GoingOn,
    Died,
    /// By the name of its ending.
    Ended(String),
}

impl RunState {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::GoingOn => "running",
            Self::Died => "died",
            Self::Ended(outcome) => outcome,
        }
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&display_text(self.as_str()))
    }
}

/// A ledger that can be read, with its runs, the oldest first.
#[derive(Debug)]
pub(crate) struct KnownLedger {
    pub(crate) name: String,
    pub(crate) reader: LedgerReader,
    pub(crate) job: JobIdentity,
    pub(crate) runs: Vec<RunRecord>,
}

impl KnownLedger {
    fn open(path: &Path) -> Result<Self> {
        let reader = LedgerReader::open(path)?;
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let (job, runs) = (reader.job()?, reader.runs()?);
        Ok(Self { name: stem.chars().take(DIGITS).collect(), reader, job, runs })
    }

    /// The unambiguous name of one of its runs.
    pub(crate) fn run_name(&self, run: i64) -> String {
        format!("{}-{run}", self.name)
    }

    pub(crate) fn state(&self, run: &RunRecord) -> Result<RunState> {
        Ok(match &run.outcome {
            Some(outcome) => RunState::Ended(outcome.clone()),
            None if self.reader.is_going_on(run)? => RunState::GoingOn,
            None => RunState::Died,
        })
    }
}

/// All ledgers of a folder; the one with the latest run is last.
#[derive(Debug)]
pub(crate) struct Ledgers {
    pub(crate) folder: PathBuf,
    pub(crate) known: Vec<KnownLedger>,
}

impl Ledgers {
    /// As [`load`](Self::load).
    ///
    /// # Errors
    /// `InvalidConfig` when the folder can't be read, or holds no ledger.
    pub(crate) fn open(state: &StateArg, common: &Common, screen: &Screen) -> Result<Self> {
        let ledgers = Self::load(state, common, screen)?;
        if ledgers.known.is_empty() {
            let text = format!("there is no ledger in {}", ledgers.folder.display());
            return Err(Error::new(ErrorKind::InvalidConfig, text)
                .help("name the folder of the ledgers with --state"));
        }
        Ok(ledgers)
    }

    /// Opens those of the folder that is given or the user's own. What can't be read is told and left out.
    ///
    /// # Errors
    /// `InvalidConfig` when the folder is there and can't be read.
    pub(crate) fn load(state: &StateArg, common: &Common, screen: &Screen) -> Result<Self> {
        let folder = state_dir(state.state.as_deref(), common.stores()?.environment())?;
        let mut known = Vec::new();
        let files = if folder.exists() { ledger_files(&folder)? } else { Vec::new() };
        for path in files {
            match KnownLedger::open(&path) {
                // Its runs are in the whole job's ledger.
                Ok(ledger) if ledger.job.is_merged() => {}
                Ok(ledger) => known.push(ledger),
                Err(error) => screen.line(&format!("warning: {error}")),
            }
        }
        known.sort_by_key(|ledger| ledger.runs.last().map(|run| run.started));
        Ok(Self { folder, known })
    }

    /// The ledger of that name, and the run where it names one.
    ///
    /// # Errors
    /// `InvalidConfig` telling which runs there are.
    pub(crate) fn find(&self, name: &RunName) -> Result<(&KnownLedger, Option<&RunRecord>)> {
        let named: Vec<&KnownLedger> = match &name.ledger {
            Some(digits) => self.known.iter().filter(|ledger| digits.starts_with(&ledger.name)).collect(),
            None => self.known.iter().collect(),
        };
        let [ledger] = named.as_slice() else { return Err(self.unknown(name, named.len())) };
        let Some(number) = name.number else { return Ok((ledger, None)) };
        let run = ledger.runs.iter().find(|run| run.id == number);
        run.map(|run| (*ledger, Some(run))).ok_or_else(|| self.unknown(name, 0))
    }

    /// The run that began last.
    pub(crate) fn latest(&self) -> Result<(&KnownLedger, &RunRecord)> {
        let ledger = self.known.last().and_then(|ledger| Some((ledger, ledger.runs.last()?)));
        ledger.ok_or_else(|| {
            let text = format!("the ledgers in {} hold no run", self.folder.display());
            Error::new(ErrorKind::InvalidConfig, text).help("start one with `cabotage migrate`")
        })
    }

    fn unknown(&self, name: &RunName, ledgers: usize) -> Error {
        let text = if ledgers > 1 {
            format!(
                "there are {ledgers} ledgers in {}: '{}' could be a run of each",
                self.folder.display(),
                name.typed
            )
        } else {
            format!("no run in {} is named '{}'", self.folder.display(), name.typed)
        };
        let mut runs: Vec<_> = self
            .known
            .iter()
            .flat_map(|ledger| ledger.runs.iter().map(|run| (run.started, ledger.run_name(run.id))))
            .collect();
        runs.sort();
        let more = if runs.len() > TOLD { ", and older ones (see `cabotage runs`)" } else { "" };
        let told: Vec<_> = runs.into_iter().rev().take(TOLD).map(|(_, name)| name).collect();
        let told = if told.is_empty() { "none".to_owned() } else { told.join(", ") };
        Error::new(ErrorKind::InvalidConfig, text).help(format!("the runs are: {told}{more}"))
    }
}

/// The files of a state folder that are ledgers, by name.
///
/// # Errors
/// `InvalidConfig` when the folder can't be read.
pub(crate) fn ledger_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|error| {
        let text = format!("the state folder {} can't be read: {error}", folder.display());
        Error::new(ErrorKind::InvalidConfig, text).help("name the folder of the ledgers with --state")
    })?;
    let mut files: Vec<_> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "sqlite"))
        .collect();
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let parts = |text: &str| text.parse::<RunName>().ok().map(|name| (name.ledger, name.number));
        assert_eq!(parts("c018f8dd-3"), Some((Some("c018f8dd".into()), Some(3))));
        assert_eq!(parts("C018F8DD"), Some((Some("c018f8dd".into()), None)));
        assert_eq!(parts("12"), Some((None, Some(12))));
        for wrong in ["", "0", "-1", "x", "c018f8dd-", "c018f8dd-0", "c018-3", "c018f8dd-3-4"] {
            assert_eq!(parts(wrong), None, "{wrong}");
        }
    }
}
