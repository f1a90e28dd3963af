//! The ledgers of the tasks: divided from the job's own, and put back into it.

use std::path::PathBuf;

use cabotage_core::{Error, ErrorKind, Result};
use cabotage_engine::{Report, ShardNumber, ShardPlan, ShardedJob, plan_shards};

use super::Coordinator;
use crate::signals::Signals;

impl Coordinator {
    /// The plan by which the job is divided, else a new one.
    ///
    /// # Errors
    /// `InvalidConfig` when it is divided into another number of shards, and one of them was cut off.
    pub(super) async fn plan(&self, signals: &mut Signals) -> Result<ShardPlan> {
        match self.files.plan()? {
            Some(plan) if plan.shards().len() == self.tasks as usize => return Ok(plan),
            Some(other) => self.merge_before(&other).await?,
            None => {}
        }
        let (source, options) = (&self.job.source, &self.job.options);
        let planning = plan_shards(source, &options.selection, self.tasks, &options.state_dir);
        let plan = signals.or_interrupted(planning).await?;
        self.files.keep_plan(&plan)?;
        Ok(plan)
    }

    /// Puts together what another number of tasks left.
    async fn merge_before(&self, plan: &ShardPlan) -> Result<()> {
        if !self.ledgers(plan)?.iter().any(|ledger| ledger.exists()) {
            return Ok(());
        }
        let merged = self.on_thread(plan, |job| job.merge(&[]).map(drop)).await;
        merged.map_err(|error| {
            let shards = plan.shards().len();
            let text =
                format!("this job was begun with --tasks {shards}, and a task of it was cut off: {error}");
            Error::new(ErrorKind::InvalidConfig, text)
                .help(format!("go on with --tasks {shards} until it has ended"))
        })
    }

    /// Where the ledgers of the shards are, or will be.
    pub(super) fn ledgers(&self, plan: &ShardPlan) -> Result<Vec<PathBuf>> {
        let of = u32::try_from(plan.shards().len()).unwrap_or(u32::MAX);
        let ledger = |number| {
            let shard = plan.shard(ShardNumber { number, of })?;
            Ok(shard.ledger(&self.job.options.state_dir, &self.identity))
        };
        (1..=of).map(ledger).collect()
    }

    /// Gives the shards what the job's ledger knows.
    pub(super) async fn divide(&self, plan: &ShardPlan) -> Result<()> {
        self.on_thread(plan, |job| job.divide().map(drop)).await
    }

    /// Puts the ledgers of the shards together, and their reports; none where a shard has none.
    pub(super) async fn merge(&self, plan: &ShardPlan) -> Result<Option<Report>> {
        let merged = self.on_thread(plan, |job| job.merge(&[])).await?;
        let options = &self.job.options;
        Ok(merged.report.map(|report| Report {
            source: self.job.source.label.clone(),
            destination: self.job.destination.label.clone(),
            ..report.with_advice(options.verify, options.command.as_ref())
        }))
    }

    async fn on_thread<T: Send + 'static>(
        &self,
        plan: &ShardPlan,
        work: impl FnOnce(ShardedJob) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let folder = self.job.options.state_dir.clone();
        let job = ShardedJob::new(folder, &self.job.source, &self.job.destination, plan.clone())?;
        tokio::task::spawn_blocking(move || work(job)).await.map_err(|error| {
            Error::new(ErrorKind::Internal, "work on the ledgers was cut off").caused_by(error)
        })?
    }
}
