//! What is known of a store.

use cabotage_core::{ListOrder, MetadataRules, Support};

/// What whoever opens a store knows of it. Nothing in `object_store` tells any of this.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Longest segment of a name, in bytes of UTF-8.
    pub segment_max: Option<usize>,
    /// In which order it lists.
    pub list_order: ListOrder,
    /// How it holds content headers and metadata; `None`: it holds none, or that isn't known. Told they are in any case.
    pub attributes: Option<MetadataRules>,
    /// Whether `PutMode::Create` is enforced.
    pub create: Support,
    /// Whether `PutMode::Update` is enforced, by ETag or by version.
    pub update: Support,
}

impl Known {
    /// Nothing: enough for reading.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// `object_store::memory::InMemory`.
    #[must_use]
    pub fn in_memory() -> Self {
        Self {
            segment_max: None,
            list_order: ListOrder::Bytes,
            attributes: Some(MetadataRules::default()),
            create: Support::Enforced,
            update: Support::Enforced,
        }
    }

    /// `object_store::local::LocalFileSystem`. It can't hold an object `x` beside `x/y`, nor names that end in `#` and digits;
    /// `cabotage-local` can.
    #[must_use]
    pub fn local_file_system() -> Self {
        Self {
            // A name of a file, and what is put behind it while it is written.
            segment_max: Some(250),
            list_order: ListOrder::None,
            attributes: None,
            create: Support::Enforced,
            update: Support::Rejected,
        }
    }
}
