//! Makes a plan from one listing.

use std::path::Path;

use cabotage_core::{Error, ErrorKind, ListItem, ListScope, Operation, Result};
use futures::{StreamExt as _, TryStreamExt as _};

use super::ShardPlan;
use super::sketch::Sketch;
use crate::order::{SpillOptions, in_byte_order};
use crate::{Selection, Side};

/// The most shards of a plan.
const MOST: u32 = 1_000;

/// Divides what the selection takes of a source into so many shards of about the same weight: bytes, and 128 KiB for each object.
///
/// Lists the source once. Memory doesn't depend on how many objects there are; a shard's weight is off its share by about one
/// part in thirty at most, or by half of its largest object. `spill` is a folder for temporary files, where the
/// store lists in another order.
///
/// # Errors
/// `InvalidConfig` for a number of shards that can't be; those of the listing.
pub async fn plan_shards(
    source: &Side,
    selection: &Selection,
    shards: u32,
    spill: &Path,
) -> Result<ShardPlan> {
    if !(1..=MOST).contains(&shards) {
        let text = format!("{shards} shards can't be planned");
        return Err(Error::new(ErrorKind::InvalidConfig, text).help(format!("give 1 to {MOST}")));
    }
    let (prefix, label) = (source.prefix.clone(), source.label.clone());
    let listed = source.store.list(ListScope::prefix(&prefix));
    let listed = listed.map_err(move |error| error.during(Operation::List).about(&label)).boxed();
    let order = source.store.capabilities().list_order;
    let mut ordered = in_byte_order(listed, order, prefix.clone(), SpillOptions::in_folder(spill));
    let mut sketch = Sketch::for_shards(shards);
    while let Some(item) = ordered.try_next().await? {
        let ListItem::Object(info) = item else { continue };
        let name = info.key.as_str().strip_prefix(&prefix).unwrap_or_default();
        if selection.takes(name) {
            sketch.add(name, info.size);
        }
    }
    Ok(ShardPlan::from_sketch(source.identity(), &sketch, shards))
}
