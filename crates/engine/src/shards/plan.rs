//! The file of a plan.

use cabotage_core::{Error, ErrorKind, Result, Sha256};
use serde::{Deserialize, Serialize};

use super::sketch::Sketch;
use super::{Shard, ShardId, ShardNumber};
use crate::Side;
use crate::join::Span;

const FORMAT: u32 = 1;
/// Digits of a plan's digest that name it.
const DIGITS: usize = 16;

/// How the names beneath a source are divided. Each name belongs to exactly one shard, also one that comes later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardPlan {
    format: u32,
    source: String,
    shards: Vec<PlannedShard>,
    digest: String,
}

/// The names after the first (exclusive) and up to the second (inclusive), by the bytes of the names relative to the source's
/// prefix; and what was there when it was planned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedShard {
    /// No bound in the first shard.
    pub after: Option<String>,
    /// No bound in the last one.
    pub through: Option<String>,
    /// Objects listed.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl ShardPlan {
    pub(super) fn from_sketch(source: String, sketch: &Sketch, shards: u32) -> Self {
        let groups = sketch.groups(shards);
        let mut after = None::<String>;
        let mut planned = Vec::new();
        for (place, group) in groups.iter().enumerate() {
            // A shard without a name of its own has the rest, or lies between two equal bounds: nothing is there.
            let end = group.last().map(|cell| cell.last.clone()).or_else(|| after.clone());
            let through = if place + 1 == groups.len() { None } else { Some(end.unwrap_or_default()) };
            let objects = group.iter().map(|cell| cell.objects).sum();
            let bytes = group.iter().map(|cell| cell.bytes).sum();
            planned.push(PlannedShard { after: after.clone(), through: through.clone(), objects, bytes });
            after = through;
        }
        let mut plan = Self { format: FORMAT, source, shards: planned, digest: String::new() };
        plan.digest = plan.own_digest();
        plan
    }

    /// Reads a plan.
    ///
    /// # Errors
    /// `InvalidConfig` for what is no plan, one of another version, one that was changed by hand, and one whose shards don't
    /// cover all names once.
    pub fn parse(text: &str) -> Result<Self> {
        let plan: Self =
            serde_json::from_str(text).map_err(|error| wrong(&format!("it is no plan: {error}")))?;
        if plan.format != FORMAT {
            return Err(wrong(&format!("it has format {}, and this program knows {FORMAT}", plan.format)));
        }
        if plan.digest != plan.own_digest() {
            return Err(wrong("its digest doesn't fit: it was changed since it was made"));
        }
        let open = plan.shards.first().is_some_and(|first| first.after.is_none())
            && plan.shards.last().is_some_and(|last| last.through.is_none());
        if !open || !plan.shards.windows(2).all(are_neighbours) {
            return Err(wrong("its shards don't hold each name once"));
        }
        Ok(plan)
    }

    /// The shards, in the order of names.
    #[must_use]
    pub fn shards(&self) -> &[PlannedShard] {
        &self.shards
    }

    /// By which ledgers name it: the beginning of the SHA-256 of source and bounds.
    #[must_use]
    pub fn name(&self) -> &str {
        self.digest.get(..DIGITS).unwrap_or_default()
    }

    /// One of its shards.
    ///
    /// # Errors
    /// `InvalidConfig` when the plan has another number of shards.
    pub fn shard(&self, number: ShardNumber) -> Result<Shard> {
        let planned = self.shards.get(number.number.saturating_sub(1) as usize);
        let planned = planned.filter(|_| number.of as usize == self.shards.len()).ok_or_else(|| {
            wrong(&format!("it has {} shards, and {number} is asked for", self.shards.len()))
        })?;
        Ok(Shard {
            id: ShardId { number, plan: self.name().to_owned() },
            span: Span::new(planned.after.as_deref(), planned.through.as_deref()),
            source: self.source.clone(),
        })
    }

    /// Refuses a plan that was made for another source.
    pub(crate) fn check(&self, source: &Side) -> Result<()> {
        check_source(&self.source, source)
    }

    /// What was planned is left out: a plan is what it divides and where.
    fn own_digest(&self) -> String {
        let bounds: Vec<_> = self.shards.iter().map(|shard| (&shard.after, &shard.through)).collect();
        let text = serde_json::to_string(&(self.format, &self.source, bounds)).unwrap_or_default();
        Sha256::of(text.as_bytes()).to_hex()
    }
}

impl Shard {
    /// Refuses a shard of a plan that was made for another source.
    pub(crate) fn check(&self, source: &Side) -> Result<()> {
        check_source(&self.source, source)
    }
}

fn check_source(planned: &str, source: &Side) -> Result<()> {
    if planned == source.identity() {
        return Ok(());
    }
    Err(wrong(&format!("it was made for {planned}, and the source is {}", source.identity())))
}

/// Whether the second begins where the first ends, and that doesn't end before it begins.
fn are_neighbours(pair: &[PlannedShard]) -> bool {
    let [first, second] = pair else { return false };
    first.through.is_some() && first.through == second.after && first.after <= first.through
}

fn wrong(text: &str) -> Error {
    Error::new(
        ErrorKind::InvalidConfig,
        format!("the shard plan can't be used: {}", cabotage_core::display_text(text)),
    )
    .help("make one with `cabotage shards plan SOURCE --shards N`")
}

#[cfg(test)]
impl ShardPlan {
    /// One with these bounds between its shards.
    pub(crate) fn divided_at(source: &str, bounds: &[&str]) -> Self {
        let mut ends = vec![None];
        ends.extend(bounds.iter().map(|bound| Some((*bound).to_owned())));
        ends.push(None);
        let shards = ends
            .windows(2)
            .map(|pair| PlannedShard {
                after: pair[0].clone(),
                through: pair[1].clone(),
                objects: 0,
                bytes: 0,
            })
            .collect();
        Self { format: FORMAT, source: source.into(), shards, digest: String::new() }.with_bounds(|_| {})
    }

    /// Changed, with a digest that fits.
    pub(super) fn with_bounds(mut self, change: impl FnOnce(&mut [PlannedShard])) -> Self {
        change(&mut self.shards);
        self.digest = self.own_digest();
        self
    }
}
