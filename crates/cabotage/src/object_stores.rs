//! Both ways between this crate and `object_store`.

use std::sync::Arc;

use cabotage_bridge::Bridge;

use crate::{Layers, Opened};

impl Opened {
    /// The location as an `object_store::ObjectStore`, with the layers around it; paths are relative to the location. Behind the
    /// feature `object_store`.
    #[must_use]
    pub fn object_store(&self, layers: &Layers) -> Arc<Bridge> {
        Arc::new(Bridge::new(self.layered(layers)))
    }
}
