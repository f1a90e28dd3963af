//! The sky above both stores of one seed: it decides what each call meets, and keeps the books.

use std::collections::{HashMap, HashSet};
use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cabotage_core::{Error, ErrorKind, Operation, Result};
use cabotage_engine::Stop;
use cabotage_memory::MemoryStore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::books::Books;
use crate::dice::Dice;
use crate::plan::{Plan, Storm};

/// One of the two stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    Source,
    Destination,
}

/// Failures that leave open whether the call took effect.
const AFTER: &[ErrorKind] =
    &[ErrorKind::Timeout, ErrorKind::Interrupted, ErrorKind::Unavailable, ErrorKind::Protocol];
/// Failures that say that nothing happened; the last ones are rare.
const BEFORE: &[ErrorKind] = &[
    ErrorKind::Throttled,
    ErrorKind::Unavailable,
    ErrorKind::Timeout,
    ErrorKind::Interrupted,
    ErrorKind::Truncated,
    ErrorKind::DigestMismatch,
    ErrorKind::Protocol,
    ErrorKind::CredentialsExpired,
    ErrorKind::PermissionDenied,
];
const RARE: &[ErrorKind] = &[
    ErrorKind::Unreachable,
    ErrorKind::AccountDenied,
    ErrorKind::Unauthenticated,
    ErrorKind::NoSpace,
    ErrorKind::BucketNotFound,
];

/// How many there are now, and were at most.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gauge {
    pub now: u64,
    pub most: u64,
}

impl Gauge {
    pub fn add(&mut self, amount: u64) {
        self.now += amount;
        self.most = self.most.max(self.now);
    }
}

/// What is counted during a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counted {
    /// Bytes of bodies that the source gave out and that are still in memory.
    Bytes,
    Writes,
    Parts,
    Heads,
}

#[derive(Default)]
struct Weather {
    run: u32,
    storm: Storm,
    calls: u64,
    asked: HashMap<(End, Operation, String), u32>,
    stop: Stop,
    crash: CancellationToken,
    /// Folder of the ledger, and where a crash leaves its image.
    state: PathBuf,
    image: Option<PathBuf>,
    gauges: HashMap<Counted, Gauge>,
    /// Until when the end of the storm's outage is down.
    down_until: Option<Instant>,
    /// Which ends have answered before.
    answered: HashSet<End>,
}

/// Shared by both stores.
pub struct Sky {
    pub plan: Plan,
    pub source: MemoryStore,
    pub destination: MemoryStore,
    weather: Mutex<Weather>,
    books: Mutex<Books>,
    violations: Mutex<Vec<String>>,
    trace: Mutex<Vec<String>>,
    traced: bool,
}

/// What a call meets once it has begun.
pub struct Luck {
    pub dice: Dice,
    pub storm: Storm,
    /// The failure that is told although the call took effect.
    after: Option<ErrorKind>,
    crashes: bool,
    end: End,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sky {
    pub fn new(plan: Plan, traced: bool) -> Arc<Self> {
        Arc::new(Self {
            source: MemoryStore::new("source").with_capabilities(plan.source.clone()),
            destination: MemoryStore::new("destination").with_capabilities(plan.destination.clone()),
            plan,
            weather: Mutex::default(),
            books: Mutex::default(),
            violations: Mutex::default(),
            trace: Mutex::default(),
            traced,
        })
    }

    pub fn books(&self) -> MutexGuard<'_, Books> {
        lock(&self.books)
    }

    /// Something that must never happen.
    pub fn violation(&self, text: String) {
        self.note(|| format!("VIOLATION {text}"));
        lock(&self.violations).push(text);
    }

    pub fn violations(&self) -> Vec<String> {
        lock(&self.violations).clone()
    }

    pub fn note(&self, text: impl FnOnce() -> String) {
        if self.traced {
            lock(&self.trace).push(text());
        }
    }

    pub fn trace(&self) -> Vec<String> {
        lock(&self.trace).clone()
    }

    /// A run begins in that weather. A crash leaves an image of the state folder in `image`, as a dead machine would:
    /// without what the ledger's threads had still to write.
    pub fn begin_run(
        &self,
        storm: &Storm,
        stop: &Stop,
        state: &Path,
        image: Option<&Path>,
    ) -> CancellationToken {
        self.books().begin_run();
        let mut weather = lock(&self.weather);
        *weather = Weather {
            run: weather.run + 1,
            storm: storm.clone(),
            stop: stop.clone(),
            state: state.to_owned(),
            image: image.map(Path::to_owned),
            ..Weather::default()
        };
        weather.crash.clone()
    }

    pub fn gauge(&self, counted: Counted) -> Gauge {
        lock(&self.weather).gauges.get(&counted).copied().unwrap_or_default()
    }

    /// Counts until the guard is dropped.
    pub fn count(self: &Arc<Self>, counted: Counted, amount: u64) -> Counting {
        lock(&self.weather).gauges.entry(counted).or_default().add(amount);
        Counting { sky: Arc::clone(self), counted, amount, run: lock(&self.weather).run }
    }

    /// What this call meets. Never returns once the process is dead.
    pub async fn begin(&self, end: End, operation: Operation, key: &str) -> Result<Luck> {
        let (mut dice, storm) = self.ask(end, operation, key).await;
        tokio::task::yield_now().await;
        if dice.chance(0.5) {
            tokio::time::sleep(Duration::from_millis(dice.below(200))).await;
        }
        self.stir(end, operation, key, &mut dice, &storm);
        let mut crashes = self.tick().await;
        if crashes && dice.chance(0.5) {
            self.die().await;
            crashes = false;
        }
        if let Some(kind) = self.is_down(end) {
            self.note(|| format!("  {end:?} {operation:?} {key:?}: it is down ({kind:?})"));
            return Err(simulated(kind, operation));
        }
        let fault = dice.chance(storm.fault).then(|| fault(&mut dice));
        let after = match fault {
            Some((kind, false)) => {
                self.note(|| format!("  {end:?} {operation:?} {key:?} fails: {kind:?}"));
                return Err(simulated(kind, operation));
            }
            Some((kind, true)) => Some(kind),
            None => None,
        };
        self.note(|| format!("  {end:?} {operation:?} {key:?}"));
        Ok(Luck { dice, storm, after, crashes, end })
    }

    /// The call has taken effect; its reply may be lost.
    pub async fn finish<T>(&self, luck: Luck, operation: Operation, result: Result<T>) -> Result<T> {
        if luck.crashes {
            self.die().await;
        }
        self.alive().await;
        self.note_answer(luck.end, operation);
        match luck.after {
            Some(kind) if result.is_ok() => {
                self.note(|| format!("  ... and {operation:?}'s reply is lost: {kind:?}"));
                Err(simulated(kind, operation))
            }
            _ => {
                if let Err(error) = &result {
                    self.note(|| format!("  ... and {operation:?} fails truly: {error}"));
                }
                result
            }
        }
    }

    async fn ask(&self, end: End, operation: Operation, key: &str) -> (Dice, Storm) {
        self.alive().await;
        let mut weather = lock(&self.weather);
        // A probe object's name is random.
        let key = if key.contains(".cabotage-probe-") { "probe" } else { key };
        let asked = weather.asked.entry((end, operation, key.to_owned())).or_default();
        *asked += 1;
        let place = (end as u8, operation.phrase(), key, *asked, weather.run);
        (Dice::new(self.plan.seed, place), weather.storm.clone())
    }

    /// Counts the call; true when the process dies at it.
    async fn tick(&self) -> bool {
        self.alive().await;
        let mut weather = lock(&self.weather);
        weather.calls += 1;
        if weather.storm.drain_at == Some(weather.calls) {
            weather.stop.drain.cancel();
        }
        if let Some(outage) = weather.storm.outage.filter(|outage| outage.at == weather.calls) {
            weather.down_until = Some(Instant::now() + outage.lasts);
        }
        weather.storm.crash_at == Some(weather.calls)
    }

    /// An end that was never heard of before it is down is taken for a wrong address. What only a probe asks doesn't count.
    pub fn note_answer(&self, end: End, operation: Operation) {
        let mut weather = lock(&self.weather);
        if weather.down_until.is_none() && operation != Operation::Probe {
            weather.answered.insert(end);
        }
    }

    /// Whether that end had answered before it was down.
    pub fn was_known(&self, end: End) -> bool {
        lock(&self.weather).answered.contains(&end)
    }

    /// What a call fails with while that end is down.
    fn is_down(&self, end: End) -> Option<ErrorKind> {
        let weather = lock(&self.weather);
        let outage = weather.storm.outage.filter(|outage| outage.end == end)?;
        weather.down_until.filter(|until| Instant::now() < *until).map(|_| outage.kind)
    }

    /// Waits for ever once the process is dead.
    async fn alive(&self) {
        let dead = lock(&self.weather).crash.is_cancelled();
        if dead {
            pending::<()>().await;
        }
    }

    async fn die(&self) {
        {
            let weather = lock(&self.weather);
            if let Some(image) = &weather.image {
                copy_ledger(&weather.state, image);
            }
            weather.crash.cancel();
        }
        self.note(|| "  ... and the process dies".to_owned());
        pending::<()>().await;
    }
}

/// Kind, and whether the call took effect all the same.
fn fault(dice: &mut Dice) -> (ErrorKind, bool) {
    match dice.below(20) {
        0 => (*dice.pick(RARE), false),
        1..=8 => (*dice.pick(AFTER), true),
        _ => (*dice.pick(BEFORE), false),
    }
}

fn simulated(kind: ErrorKind, operation: Operation) -> Error {
    Error::new(kind, "simulated").during(operation)
}

/// The database first, then its log: what a dead machine leaves, as long as nothing moves the log into the database
/// meanwhile, which happens past 1,000 pages and at the end.
fn copy_ledger(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for ending in [".sqlite", ".sqlite-wal"] {
        for entry in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
            if entry.file_name().to_string_lossy().ends_with(ending) {
                std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
    }
}

/// Takes what it counted back when it is dropped.
pub struct Counting {
    sky: Arc<Sky>,
    counted: Counted,
    amount: u64,
    run: u32,
}

impl Drop for Counting {
    fn drop(&mut self) {
        let mut weather = lock(&self.sky.weather);
        if weather.run == self.run
            && let Some(gauge) = weather.gauges.get_mut(&self.counted)
        {
            gauge.now -= self.amount;
        }
    }
}
