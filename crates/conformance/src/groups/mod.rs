//! The groups, one file each.

mod attributes;
mod cancellation;
mod concurrency;
mod copying;
mod deletes;
mod errors;
mod keys;
mod listing;
mod presign;
mod reads;
mod tier;
mod uploads;
mod uploads_edge;
mod versions;
mod writes;
mod writes_atomic;

use crate::Trial;

/// Every trial, in a fixed order; names are unique.
#[must_use]
pub fn suite() -> Vec<Trial> {
    [
        keys::trials(),
        listing::trials(),
        reads::trials(),
        writes::trials(),
        writes_atomic::trials(),
        uploads::trials(),
        uploads_edge::trials(),
        deletes::trials(),
        attributes::trials(),
        tier::trials(),
        versions::trials(),
        copying::trials(),
        presign::trials(),
        concurrency::trials(),
        cancellation::trials(),
        errors::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
