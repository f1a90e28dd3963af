//! One seed's world, from its first object to the end of its last run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cabotage_core::{DeleteOptions, Error, Probe, Storage, WriteOptions};
use cabotage_engine::{Job, Report, Side, Stop, Verify};
use tempfile::TempDir;

use crate::content::{content, names, size};
use crate::dice::Dice;
use crate::ledger::Ledger;
use crate::plan::{Plan, Storm};
use crate::sky::{End, Sky};
use crate::stir::now;
use crate::store::SkyStore;
use crate::{check, deletes, settled};

/// Runs in fair weather after the storms, and what each demands. Lies come to light when objects are read back; what was
/// found spoilt is copied by the next run.
const FAIR: [Option<Verify>; 6] = [
    None,
    None,
    Some(Verify::ReadBack),
    Some(Verify::ReadBack),
    Some(Verify::ReadBack),
    Some(Verify::ReadBack),
];

/// How a run ended.
#[derive(Debug)]
pub enum Ended {
    Died,
    Reported(Box<Report>),
    Failed(Error),
}

/// What a seed has come to.
pub struct Verdict {
    pub violations: Vec<String>,
    pub trace: Vec<String>,
}

struct World {
    sky: Arc<Sky>,
    folder: TempDir,
    state: PathBuf,
    runs: u32,
}

/// Lives through a seed.
pub fn live(seed: u64, traced: bool) -> Verdict {
    let sky = Sky::new(Plan::new(seed), traced);
    sky.note(|| format!("{:#?}", sky.plan));
    let folder = if Path::new("/dev/shm").is_dir() { TempDir::new_in("/dev/shm") } else { TempDir::new() };
    let folder = folder.unwrap();
    let state = folder.path().join("state");
    let mut world = World { sky, folder, state, runs: 0 };
    world.fill();
    world.storms();
    world.settle();
    Verdict { violations: world.sky.violations(), trace: world.sky.trace() }
}

impl World {
    /// The first objects: at the source, and a stranger's at the destination.
    fn fill(&self) {
        let plan = &self.sky.plan;
        let dice = &mut Dice::new(plan.seed, "fill");
        let large = if plan.heavy { 0.9 } else { 0.02 };
        for name in names(dice, plan.objects) {
            let large = dice.chance(large);
            let size = size(dice, large);
            let bytes = content(dice, size);
            self.sky.source_put(dice, &name, &bytes);
            if dice.chance(0.1) {
                self.sky.change_destination(dice, &name);
            }
            if dice.chance(0.1)
                && let Some(key) = self.sky.source_key(&name)
            {
                now(self.sky.source.delete(&key, DeleteOptions::default())).unwrap();
            }
        }
        if let Some(key) = self.sky.destination_key("zz-stranger") {
            now(self.sky.destination.start_upload(&key, WriteOptions::default())).unwrap();
        }
    }

    fn storms(&mut self) {
        for storm in self.sky.plan.storms.clone() {
            self.between(&storm);
            self.run_and_check(&storm);
        }
    }

    /// What happens between two runs.
    fn between(&self, storm: &Storm) {
        let dice = &mut Dice::new(self.sky.plan.seed, ("between", self.runs));
        if self.sky.books().names().is_empty() {
            return;
        }
        for (probability, source) in [(storm.change, true), (storm.foreign, false)] {
            for _ in 0..5 {
                if dice.chance(probability) {
                    let name = self.sky.any_name(dice);
                    if source {
                        self.sky.change_source(dice, &name);
                    } else {
                        self.sky.change_destination(dice, &name);
                    }
                }
            }
        }
    }

    /// The dust settles: nothing fails any more, nothing changes, and the stores tell what is true.
    fn settle(&mut self) {
        self.sky.books().phantoms.clear();
        let mut last = None;
        for verify in FAIR {
            let delete = self.sky.plan.mirrors.then_some(deletes::ALL);
            let ended = self.run_and_check(&Storm { verify, delete, ..Storm::default() });
            last = Some(ended);
        }
        match last {
            Some(Ended::Reported(report)) => {
                settled::check(&self.sky, &report, &self.manifest(), &Ledger::read(&self.state));
            }
            ended => self.sky.violation(format!("the last run in fair weather ended so: {ended:?}")),
        }
    }

    fn run_and_check(&mut self, storm: &Storm) -> Ended {
        let known = Ledger::read(&self.state).rows.len() as u64;
        let ended = self.run(storm);
        check::run(&self.sky, &self.state, storm, &ended, &self.manifest(), known);
        ended
    }

    fn manifest(&self) -> PathBuf {
        self.folder.path().join("manifest.jsonl")
    }

    /// One run, in a runtime of its own that dies with it.
    ///
    /// Time is paused: when every task waits, the clock jumps to the next timer, so that no wait costs time. It also jumps
    /// while only the ledger's threads are at work; no outcome may depend on that, since a disk may be as slow.
    fn run(&mut self, storm: &Storm) -> Ended {
        self.runs += 1;
        let dice = &mut Dice::new(self.sky.plan.seed, ("run", self.runs));
        let image = dice.chance(0.6).then(|| self.folder.path().join(format!("image-{}", self.runs)));
        self.sky.note(|| format!("RUN {} {storm:?}, image: {}", self.runs, image.is_some()));
        let stop = Stop::default();
        let crash = self.sky.begin_run(storm, &stop, &self.state, image.as_deref());
        let job = self.job(storm);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let ended = runtime.block_on(Box::pin(async move {
            let run = cabotage_engine::run(job, stop, Arc::default(), Arc::new(()));
            tokio::select! {
                biased;
                () = crash.cancelled() => Ended::Died,
                report = run => match report {
                    Ok(report) => Ended::Reported(Box::new(report)),
                    Err(error) => Ended::Failed(error),
                },
            }
        }));
        drop(runtime);
        self.sky.note(|| match &ended {
            Ended::Reported(report) => format!("ENDED\n{report}"),
            ended => format!("ENDED {ended:?}"),
        });
        if let (Ended::Died, Some(image)) = (&ended, image.filter(|image| image.is_dir())) {
            self.state = image;
        }
        ended
    }

    fn job(&self, storm: &Storm) -> Job {
        let plan = &self.sky.plan;
        let side = |end, prefix: &str| {
            let store = Arc::new(SkyStore::new(end, &self.sky));
            let label = store.to_string();
            let probe: Arc<dyn Probe> = Arc::<SkyStore>::clone(&store);
            Side {
                store,
                probe: Some(probe),
                prefix: prefix.to_owned(),
                label,
                place: None,
                throttle: Default::default(),
            }
        };
        Job {
            source: side(End::Source, plan.source_prefix),
            destination: side(End::Destination, plan.destination_prefix),
            options: plan.options(storm, &self.state, &self.manifest()),
        }
    }
}
