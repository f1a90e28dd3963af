//! The job as its ledger knows it.

use std::path::{Path, PathBuf};

use cabotage_core::{Error, ErrorKind, LossName, Result, StorePlace};

use crate::sidecar::Sidecars;
use crate::{Event, FrozenJob, Job, JobChanges, JobEnd, JobIdentity, Ledger, LedgerJob, Observer, Side};

/// How a run's ledger is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerOptions {
    /// Which changes of the job are allowed.
    pub allowed: JobChanges,
    /// Put the ledger that is there aside and make a new one of what both ends hold: nothing is written to the destination.
    pub rebuild: bool,
}

impl Side {
    /// What stays the same when the store's server moves, and its address.
    pub(crate) fn place(&self) -> StorePlace {
        self.place.clone().unwrap_or_else(|| StorePlace::unmoving(self.store.id()))
    }

    /// The store and the prefix, as a ledger names them.
    pub(crate) fn identity(&self) -> String {
        format!("{}/{}", self.place().identity, self.prefix)
    }

    fn end(&self) -> JobEnd {
        let StorePlace { identity, endpoint } = self.place();
        let key_id = self.store.capabilities().customer_key.clone();
        JobEnd { identity, prefix: self.prefix.clone(), endpoint, key_id }
    }
}

/// Opens and locks the ledger of a job, and holds the run to its rules. A run that doesn't write is only told what differs.
///
/// # Errors
/// Those of [`Ledger::open_job`].
pub(crate) async fn open_for(job: &Job, observer: &dyn Observer) -> Result<Ledger> {
    let rebuild = job.options.ledger.rebuild;
    let opened = open(job.options.state_dir.clone(), ledger_job(job), rebuild).await?;
    if let Some(aside) = opened.aside {
        observer.event(&Event::Note(format!("the ledger that was there is kept as {}", aside.display())));
    }
    if !opened.foreseen.is_empty() {
        observer.event(&Event::Warning(format!(
            "a run that writes would be refused, since this job was begun with other rules: {}",
            opened.foreseen.join("; ")
        )));
    }
    Ok(opened.ledger)
}

/// Opens and locks the ledger of these two ends, whatever the job's rules are.
///
/// # Errors
/// Those of [`Ledger::open_job`].
pub(crate) async fn open_ledger(source: &Side, destination: &Side, state_dir: &Path) -> Result<Ledger> {
    let job = LedgerJob {
        identity: JobIdentity::between(source, destination),
        former: JobIdentity::former(source, destination),
        rules: FrozenJob::default(),
        allowed: JobChanges::default(),
        writes: false,
    };
    Ok(open(state_dir.to_owned(), job, false).await?.ledger)
}

struct OpenedLedger {
    ledger: Ledger,
    foreseen: Vec<String>,
    aside: Option<PathBuf>,
}

async fn open(state_dir: PathBuf, job: LedgerJob, rebuild: bool) -> Result<OpenedLedger> {
    let open = move || {
        let aside = if rebuild { Ledger::set_aside(&state_dir, &job)? } else { None };
        let (ledger, foreseen) = Ledger::open_job(&state_dir, &job)?;
        Ok(OpenedLedger { ledger, foreseen, aside })
    };
    tokio::task::spawn_blocking(open)
        .await
        .map_err(|error| Error::new(ErrorKind::Internal, "opening the ledger was cut off").caused_by(error))?
}

impl JobIdentity {
    /// That of the job between these two ends.
    #[must_use]
    pub fn between(source: &Side, destination: &Side) -> Self {
        Self { source: source.identity(), destination: destination.identity() }
    }

    /// What earlier versions called it, with the address of the server in it.
    pub(crate) fn former(source: &Side, destination: &Side) -> Self {
        let place = |side: &Side| format!("{}/{}", side.store.id().0, side.prefix);
        Self { source: place(source), destination: place(destination) }
    }
}

fn ledger_job(job: &Job) -> LedgerJob {
    let options = &job.options;
    let (include, exclude) = options.selection.patterns();
    let ends = (&job.source, &job.destination);
    let (mut identity, mut former) =
        (JobIdentity::between(ends.0, ends.1), JobIdentity::former(ends.0, ends.1));
    if let Some(shard) = &options.shard {
        identity = shard.id.of_job(&identity);
        former = identity.clone();
    }
    LedgerJob {
        identity,
        former,
        rules: FrozenJob {
            source: job.source.end(),
            destination: job.destination.end(),
            include: sorted(include),
            exclude: sorted(exclude),
            accept_losses: accepted(job),
            sidecar: sidecars(job),
            keep_mtime: options.keep_mtime,
        },
        allowed: options.ledger.allowed,
        writes: !options.dry_run,
    }
}

/// Where sidecars are kept and restored from.
fn sidecars(job: &Job) -> Option<String> {
    let place = |side: &Side| format!("{}/{}", side.place().identity, side.prefix);
    let Sidecars { keep, restore } = &job.options.sidecars;
    let keep = keep.as_ref().map(place);
    let restore = restore.as_ref().map(|side| format!("restored from {}", place(side)));
    let both: Vec<_> = keep.into_iter().chain(restore).collect();
    (!both.is_empty()).then(|| both.join(", "))
}

/// Without those that are let pass anyway: naming one of them changes nothing, unless a sidecar would keep it.
fn accepted(job: &Job) -> Vec<LossName> {
    let matters = |name: &LossName| !name.accepted_by_default() || job.options.sidecars.keep.is_some();
    job.options.accept_losses.iter().copied().filter(matters).collect()
}

fn sorted(globs: &[String]) -> Vec<String> {
    let mut globs = globs.to_vec();
    globs.sort_unstable();
    globs.dedup();
    globs
}
