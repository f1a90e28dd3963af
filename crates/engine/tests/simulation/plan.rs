//! What a seed decides before its first run: rules of both stores, options, the storms.

use std::path::Path;

use cabotage_core::{Capabilities, ListOrder, LossName, MetadataNames, MetadataRules, Support, TagRules};
use cabotage_engine::{Adopt, DeletePolicy, Options, Overwrite, Verify};
use cabotage_memory::full_capabilities;

use crate::deletes;
use crate::dice::Dice;
use crate::outages::{self, Outage};

const THRESHOLDS: [u64; 5] = [0, 1_000, 64 << 10, 200 << 10, 8 << 20];

/// How much goes wrong in one run. Probabilities are those of one call.
#[derive(Clone, Debug, Default)]
pub struct Storm {
    /// The call fails, before or after it took effect.
    pub fault: f64,
    /// The store lies.
    pub lie: f64,
    /// Bits flip between client and server.
    pub noise: f64,
    /// The source changes.
    pub change: f64,
    /// Others write to or delete from the destination.
    pub foreign: f64,
    /// The process dies at that call.
    pub crash_at: Option<u64>,
    /// The user stops the run at that call.
    pub drain_at: Option<u64>,
    /// Nothing may be written.
    pub dry_run: bool,
    pub max_objects: Option<u64>,
    pub verify: Option<Verify>,
    /// Whether what the source no longer has is deleted, and how much of it.
    pub delete: Option<DeletePolicy>,
    /// An end is down for a while.
    pub outage: Option<Outage>,
}

/// What a seed decides.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub objects: u64,
    /// Whether nearly all objects are large: the memory budget is felt.
    pub heavy: bool,
    pub source: Capabilities,
    pub destination: Capabilities,
    /// Whether the destination refuses by itself to write over what somebody else has put there meanwhile.
    pub guarded: bool,
    /// Whether the probe says that digests are enforced, whatever is true.
    pub probe_lies: bool,
    pub source_prefix: &'static str,
    pub destination_prefix: &'static str,
    pub concurrency: usize,
    pub part_threshold: u64,
    pub verify: Verify,
    pub overwrite: Overwrite,
    pub adopt: Option<Adopt>,
    pub accept_all: bool,
    pub keep_mtime: bool,
    /// Whether deletions are mirrored.
    pub mirrors: bool,
    pub storms: Vec<Storm>,
}

impl Plan {
    pub fn new(seed: u64) -> Self {
        let dice = &mut Dice::new(seed, "plan");
        let heavy = dice.chance(0.03);
        let destination = destination(dice);
        let guarded = is_guarded(&destination);
        let plan = Self {
            seed,
            objects: if heavy { 14 } else { dice.within(1..16) },
            heavy,
            source: source(dice),
            probe_lies: destination.digest != Support::Enforced && dice.chance(0.3),
            source_prefix: *dice.pick::<&str>(&["", "data/", "data/"]),
            destination_prefix: *dice.pick::<&str>(&["", "copy/of/"]),
            concurrency: usize::try_from(if heavy { 12 } else { dice.within(1..9) }).unwrap(),
            part_threshold: if heavy { *dice.pick(&[0, 8 << 20]) } else { *dice.pick(&THRESHOLDS) },
            verify: *dice.pick(&[Verify::ServerChecked, Verify::ServerChecked, Verify::ReadBack]),
            overwrite: *dice.pick(&[Overwrite::Ours, Overwrite::Ours, Overwrite::Ours, Overwrite::Never]),
            adopt: *dice.pick(&[None, None, Some(Adopt::Content), Some(Adopt::Size)]),
            accept_all: dice.chance(0.6),
            keep_mtime: dice.chance(0.3),
            storms: (0..dice.within(1..5)).map(|_| storm(dice)).collect(),
            guarded,
            destination,
            mirrors: false,
        };
        plan.with_deletions().with_outages().with_pages()
    }

    /// Drawn apart, so that the other choices of a seed stay what they are.
    fn with_deletions(mut self) -> Self {
        let dice = &mut Dice::new(self.seed, "deletions");
        self.mirrors = dice.chance(0.4);
        for storm in self.storms.iter_mut().filter(|_| self.mirrors) {
            let policy = deletes::policy(dice);
            storm.delete = policy.filter(|_| storm.max_objects.is_none());
        }
        self
    }

    /// Drawn apart too.
    fn with_outages(mut self) -> Self {
        let dice = &mut Dice::new(self.seed, "outages");
        if dice.chance(0.3) {
            for storm in &mut self.storms {
                storm.outage = dice.chance(0.5).then(|| outages::outage(dice));
                // Half of them meet nothing else.
                if storm.outage.is_some() && dice.chance(0.5) {
                    (storm.fault, storm.lie, storm.noise) = (0.0, 0.0, 0.0);
                    (storm.crash_at, storm.drain_at) = (None, None);
                }
            }
        }
        self
    }

    /// Drawn apart as well: listings of so few names a page, that what is listed is cut into ranges.
    fn with_pages(mut self) -> Self {
        let dice = &mut Dice::new(self.seed, "pages");
        if dice.chance(0.4) {
            (self.source.list_page, self.destination.list_page) = (Some(1), Some(1));
        }
        self
    }

    /// The options of a run in that storm, with its ledger in that folder.
    pub fn options(&self, storm: &Storm, state: &Path, manifest: &Path) -> Options {
        let mut options = Options::new(state.to_owned());
        options.overwrite = self.overwrite;
        options.adopt = self.adopt;
        options.verify = storm.verify.unwrap_or(self.verify);
        if self.accept_all {
            options.accept_losses = LossName::ALL.iter().copied().collect();
        }
        options.keep_mtime = self.keep_mtime;
        options.max_objects = storm.max_objects;
        options.delete = storm.delete;
        options.concurrency = self.concurrency;
        options.memory = Options::MEMORY_MIN;
        options.part_threshold = self.part_threshold;
        options.dry_run = storm.dry_run;
        options.manifest = Some(manifest.to_owned());
        options
    }
}

fn is_guarded(destination: &Capabilities) -> bool {
    let rules = &destination.preconditions;
    [rules.create, rules.if_match, rules.complete].iter().all(|rule| *rule == Support::Enforced)
}

fn storm(dice: &mut Dice) -> Storm {
    let rate = |dice: &mut Dice, most: f64| {
        if dice.chance(0.6) { most * dice.below(100) as f64 / 100.0 } else { 0.0 }
    };
    Storm {
        fault: rate(dice, 0.25),
        lie: rate(dice, 0.15),
        noise: rate(dice, 0.1),
        change: rate(dice, 0.1),
        foreign: rate(dice, 0.12),
        crash_at: dice.chance(0.5).then(|| dice.below(120)),
        drain_at: dice.chance(0.1).then(|| dice.below(120)),
        dry_run: dice.chance(0.05),
        max_objects: dice.chance(0.1).then(|| dice.within(1..8)),
        verify: None,
        delete: None,
        outage: None,
    }
}

fn source(dice: &mut Dice) -> Capabilities {
    let order = *dice.pick(&[ListOrder::Bytes, ListOrder::Bytes, ListOrder::Utf16, ListOrder::None]);
    let list_attributes = dice.chance(0.6);
    let list_tags = list_attributes && dice.chance(0.6);
    Capabilities { list_order: order, list_attributes, list_tags, ..full_capabilities() }
}

fn destination(dice: &mut Dice) -> Capabilities {
    let mut rules = match dice.below(4) {
        0 => full_capabilities(),
        1 => azure(dice),
        2 => ceph(),
        _ => careless(dice),
    };
    if dice.chance(0.3) {
        rules.digest = *dice.pick(&[Support::Ignored, Support::Unknown]);
    }
    match dice.below(8) {
        0 => rules.limits.single_max = 50_000,
        1 => rules.limits.parts_max = 2,
        2 => rules.limits.part_min = 3 << 20,
        3 => rules.limits.object_max = 4 << 20,
        _ => {}
    }
    rules
}

/// As Azure tells and keeps them.
fn azure(dice: &mut Dice) -> Capabilities {
    let mut rules = full_capabilities();
    rules.list_order = *dice.pick(&[ListOrder::Bytes, ListOrder::Utf16]);
    rules.metadata = MetadataRules {
        names: MetadataNames::Identifier,
        max_bytes: Some(8_192),
        header_values: true,
        ascii_values: true,
    };
    rules.tags = TagRules {
        max: 10,
        key_max: 128,
        value_max: 256,
        punctuation: Some("+-./:=_".into()),
        ascii_only: true,
    };
    rules.keys.max_utf16 = Some(1_024);
    rules.keys.refuses_dot_segments = true;
    rules.keeps_modified = false;
    rules
}

/// As Ceph RGW 16 does.
fn ceph() -> Capabilities {
    let mut rules = full_capabilities();
    rules.list_attributes = false;
    rules.list_tags = false;
    rules.metadata.names = MetadataNames::LowerCaseHyphen;
    rules.metadata.header_values = true;
    rules.keys.max_bytes = Some(1_024);
    rules.keeps_modified = false;
    rules.preconditions.complete = Support::Ignored;
    rules
}

/// A server that takes every precondition and enforces none, or not all.
fn careless(dice: &mut Dice) -> Capabilities {
    let mut rules = full_capabilities();
    let not = [Support::Ignored, Support::Ignored, Support::Rejected];
    rules.list_order = ListOrder::None;
    rules.list_attributes = false;
    rules.list_tags = false;
    rules.preconditions.create = *dice.pick(&not);
    rules.preconditions.if_match = *dice.pick(&not);
    rules.preconditions.complete = Support::Ignored;
    rules
}
