//! The end of the line: counts every outcome, writes the manifest, tells of trouble, stops a run that goes wrong.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use cabotage_core::{Disposition, Error, ErrorKind, LossName, Result, Scope, display_key, disposition};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::files::Files;
use crate::trouble_log::TroubleLog;
use crate::{
    Change, Class, Counts, Event, FailureGroup, Levels, LossCount, LossFate, LossPolicy, Observer, Outcome,
    Pass, Progress, Verdict,
};

/// Examples kept of each kind of failure.
const EXAMPLES: usize = 3;
/// Refusals are judged from this many objects on.
const REFUSALS_FROM: u64 = 1_000;
/// Failures of the environment are judged over this many outcomes.
const WINDOW: usize = 1_000;
/// How many of the window's outcomes may be failures of the environment: one in this many.
const WINDOW_FRACTION: usize = 5;
/// The window is judged from this many outcomes on.
const WINDOW_FROM: usize = 50;

/// All that is counted.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub counts: Counts,
    pub bytes_listed: u64,
    pub bytes_copied: u64,
    pub objects_copied: u64,
    pub bytes_planned: u64,
    pub pass: Pass,
    pub levels: Levels,
    pub losses: BTreeMap<LossName, LossCount>,
    pub failures: BTreeMap<String, FailureGroup>,
    pub mismatches: u64,
    /// What stopped the run, if something did.
    pub stopped: Option<Error>,
}

/// Takes outcomes until there are no more.
pub(crate) struct Tally {
    totals: Totals,
    files: Files,
    troubles: TroubleLog,
    progress: Arc<Progress>,
    observer: Arc<dyn Observer>,
    policy: Arc<LossPolicy>,
    /// Cancelled when the run has to stop.
    halt: CancellationToken,
    window: VecDeque<bool>,
}

impl Tally {
    pub(crate) fn new(
        files: Files,
        troubles: TroubleLog,
        progress: Arc<Progress>,
        observer: Arc<dyn Observer>,
        policy: Arc<LossPolicy>,
        halt: CancellationToken,
    ) -> Self {
        Self {
            totals: Totals::default(),
            files,
            troubles,
            progress,
            observer,
            policy,
            halt,
            window: VecDeque::new(),
        }
    }

    /// Runs until all senders are gone.
    pub(crate) async fn consume(mut self, mut outcomes: mpsc::Receiver<Outcome>) -> Totals {
        while let Some(outcome) = outcomes.recv().await {
            self.take(outcome);
            if outcomes.is_empty() {
                self.write_files(Files::flush);
            }
            if self.troubles.is_due(outcomes.is_empty()) {
                self.record_troubles().await;
            }
        }
        self.record_troubles().await;
        if let Err(error) = std::mem::take(&mut self.files).finish() {
            self.stop(error);
        }
        self.totals
    }

    fn take(&mut self, outcome: Outcome) {
        self.write_files(|files| files.add(&outcome));
        self.count(&outcome);
        self.progress.ended(outcome.class, outcome.size, outcome.copied);
        let text = outcome.class.is_undone().then(|| self.text(&outcome));
        self.troubles.take(&outcome, text.as_deref());
        if let Some(text) = text.filter(|_| outcome.class.is_trouble()) {
            self.tell(&outcome, text);
        }
        self.judge(outcome);
    }

    /// What the ledger can't keep stops the run.
    async fn record_troubles(&mut self) {
        if let Err(error) = self.troubles.flush().await {
            self.stop(error);
        }
    }

    /// A file that can't be written stops the run.
    fn write_files(&mut self, write: impl FnOnce(&mut Files) -> Result<()>) {
        if let Err(error) = write(&mut self.files) {
            self.stop(error);
        }
    }

    fn count(&mut self, outcome: &Outcome) {
        let totals = &mut self.totals;
        totals.counts.listed += 1;
        *totals.counts.of(outcome.class) += 1;
        totals.bytes_listed += outcome.size;
        if outcome.copied {
            totals.objects_copied += 1;
            totals.bytes_copied += outcome.size;
        }
        if let Some(change) = outcome.change {
            totals.pass.count(change, outcome.size);
        }
        if outcome.class == Class::Planned && outcome.change != Some(Change::Attributes) {
            totals.bytes_planned += outcome.size;
        }
        match outcome.verdict {
            Some(Verdict::ServerChecked) => totals.levels.server_checked += 1,
            Some(Verdict::ReadBack) => totals.levels.read_back += 1,
            Some(Verdict::AdoptedSize) => totals.levels.adopted_size += 1,
            Some(Verdict::StoredUnread) => totals.levels.stored_unread += 1,
            None => {}
        }
        let names: BTreeSet<_> = outcome.losses.iter().map(|loss| loss.name).collect();
        for name in names {
            let count = totals.losses.entry(name).or_default();
            *match (outcome.class, self.policy.fate(name)) {
                (Class::Refused, _) => &mut count.refused,
                (Class::Planned, LossFate::Sidecar) => &mut count.sidecar,
                // An earlier run may have moved it before there were sidecars.
                (_, LossFate::Sidecar) if outcome.in_sidecar => &mut count.sidecar,
                _ => &mut count.accepted,
            } += 1;
        }
    }

    /// What became of an object that is not done, with its name.
    fn text(&self, outcome: &Outcome) -> String {
        let name = display_key(&outcome.name);
        match (&outcome.error, outcome.class) {
            (Some(error), _) => naming(&name, error),
            (None, Class::Refused) => format!("{name}: {}", self.refusal(outcome)),
            (None, Class::Deferred) => format!("{name}: archived at the source; restore it and run again"),
            (None, Class::Vanished) => format!("{name}: gone from the source since it was listed"),
            (None, _) => format!("{name}: the run ended before it was done; run again"),
        }
    }

    fn tell(&mut self, outcome: &Outcome, text: String) {
        let name = display_key(&outcome.name);
        let group = outcome.error.as_ref().map_or_else(|| "refused".to_owned(), |error| error.kind().name());
        let kind = outcome.error.as_ref().map(Error::kind);
        self.totals.mismatches += u64::from(kind == Some(ErrorKind::VerifyMismatch));
        let group = self.totals.failures.entry(group).or_default();
        group.count += 1;
        if group.examples.len() < EXAMPLES {
            group.examples.push(text.clone());
        }
        self.observer.event(&Event::Trouble { name, class: outcome.class, kind, text });
    }

    /// Why an object was refused, and the flags that would let it pass.
    fn refusal(&self, outcome: &Outcome) -> String {
        let unaccepted: Vec<_> = outcome.losses.iter().filter(|loss| self.refuses(loss.name)).collect();
        let details: Vec<_> =
            unaccepted.iter().map(|loss| format!("{} ({})", loss.name, loss.detail)).collect();
        let names: BTreeSet<_> = unaccepted.iter().map(|loss| loss.name).collect();
        let (details, flags) = (details.join(", "), flags(&names));
        match outcome.destination_etag {
            None => format!("would lose {details}; to move it all the same: {flags}"),
            Some(_) => {
                format!("has lost {details} at the destination and stays there; to take it as moved: {flags}")
            }
        }
    }

    fn refuses(&self, name: LossName) -> bool {
        self.policy.fate(name) == LossFate::Refuse
    }

    /// Stops a run in which too much goes wrong.
    fn judge(&mut self, outcome: Outcome) {
        if outcome.class == Class::Unfinished {
            if let Some(error) = outcome.error {
                self.stop(error);
            }
            return;
        }
        let counts = &self.totals.counts;
        if counts.listed >= REFUSALS_FROM && counts.refused * 100 > counts.listed {
            self.stop_for_refusals();
        }
        if outcome.class != Class::Skipped {
            self.judge_environment(outcome.error.as_ref());
        }
    }

    fn stop_for_refusals(&mut self) {
        let refused: BTreeSet<_> = self
            .totals
            .losses
            .iter()
            .filter(|(name, count)| count.refused > 0 && self.refuses(**name))
            .map(|(name, _)| *name)
            .collect();
        let text = format!(
            "{} of {} objects were refused for what they would lose",
            self.totals.counts.refused, self.totals.counts.listed
        );
        let help =
            format!("to move them all the same, and count what is lost, run again with {}", flags(&refused));
        self.stop(Error::new(ErrorKind::Unsupported, text).help(help));
    }

    fn judge_environment(&mut self, error: Option<&Error>) {
        let environmental = error.is_some_and(|error| {
            let fate = disposition(error.kind(), Scope::Object);
            matches!(fate, Disposition::Retry | Disposition::PauseEndpoint)
                || error.kind() == ErrorKind::CredentialsExpired
        });
        self.window.push_back(environmental);
        if self.window.len() > WINDOW {
            self.window.pop_front();
        }
        let bad = self.window.iter().filter(|bad| **bad).count();
        if environmental && self.window.len() >= WINDOW_FROM && bad * WINDOW_FRACTION > self.window.len() {
            let text = format!(
                "{bad} of the last {} objects failed for reasons that are not theirs",
                self.window.len()
            );
            let last = error.map(ToString::to_string).unwrap_or_default();
            self.stop(
                Error::new(ErrorKind::Unavailable, text)
                    .with("last", last)
                    .help("look at the endpoint, then run the same command again"),
            );
        }
    }

    /// The first reason stays.
    fn stop(&mut self, error: Error) {
        self.totals.stopped.get_or_insert(error);
        self.halt.cancel();
    }
}

/// The failure's text, with the object's name unless its subject has it.
fn naming(name: &str, error: &Error) -> String {
    let named = error.subject().is_some_and(|subject| subject.ends_with(name));
    if named { error.to_string() } else { format!("{name}: {error}") }
}

/// `--accept-loss a --accept-loss b --change-job`: what is accepted is one of the job's rules, which are frozen.
fn flags(names: &BTreeSet<LossName>) -> String {
    names.iter().map(|name| format!("--accept-loss {name} ")).collect::<String>() + "--change-job"
}

/// Sends an outcome to the tally.
///
/// # Errors
/// `Internal` when the tally is gone.
pub(crate) async fn send(outcomes: &mpsc::Sender<Outcome>, outcome: Outcome) -> Result<()> {
    outcomes
        .send(outcome)
        .await
        .map_err(|_| Error::new(ErrorKind::Internal, "the tally ended before the run"))
}

#[cfg(test)]
#[path = "tally_tests.rs"]
mod tests;
