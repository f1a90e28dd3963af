//! The bridge.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cabotage_core::{Preconditions, Storage};
use futures::stream::BoxStream;
use object_store::list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

use crate::attributes::write_options;
use crate::error::core_error;
use crate::paths::{LeftOut, key_of};
use crate::upload::Parts;
use crate::{list, pages, proof, read, write};

/// A [`Storage`] as an [`ObjectStore`]. Clones share the count of names left out.
#[derive(Clone, Debug)]
pub struct Bridge {
    store: Arc<dyn Storage>,
    left_out: Arc<LeftOut>,
    conditions: Preconditions,
}

impl Bridge {
    /// A bridge to that store. Which conditions of writes it enforces is what the store declares.
    #[must_use]
    pub fn new(store: Arc<dyn Storage>) -> Self {
        let conditions = store.capabilities().preconditions;
        Self { store, left_out: Arc::default(), conditions }
    }

    /// A bridge to that store, after writes under that name that must fail have shown which conditions it enforces. What it
    /// does not is refused; what it does is used, whatever is declared. Nothing is left under the name.
    ///
    /// # Errors
    /// `AlreadyExists` where there is an object of that name; those of writing and deleting.
    pub async fn proven(store: Arc<dyn Storage>, name: &Path) -> Result<Self> {
        let conditions = proof::conditions(store.as_ref(), name).await?;
        Ok(Self { conditions, ..Self::new(store) })
    }

    /// How many names listings have left out, since an `object_store` path can't carry them (`a//b`, `a/`, `/a`, `..`);
    /// each listing counts anew. The first is told in a warning.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out.count()
    }
}

impl fmt::Display for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bridge({})", self.store)
    }
}

#[async_trait]
impl PaginatedListStore for Bridge {
    async fn list_paginated(
        &self,
        prefix: Option<&str>,
        opts: PaginatedListOptions,
    ) -> Result<PaginatedListResult> {
        pages::page(self.store.as_ref(), &self.left_out, prefix, opts).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for Bridge {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        write::put(self.store.as_ref(), self.conditions, location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let options = write_options(self.store.capabilities(), &opts.attributes, &opts.tags)?;
        let started = self.store.start_upload(&key_of(location)?, options).await;
        let upload = started.map_err(|error| core_error(error, location))?;
        Ok(Box::new(Parts::new(location.clone(), upload)))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        read::get(self.store.as_ref(), location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        read::ranges(self.store.as_ref(), location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        write::delete(Arc::clone(&self.store), locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        list::objects(self.store.as_ref(), &self.left_out, prefix, None)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        list::objects(self.store.as_ref(), &self.left_out, prefix, Some(offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        list::folder_of(self.store.as_ref(), &self.left_out, prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        write::copy(&self.store, self.conditions, from, to, options.mode).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        write::rename(&self.store, self.conditions, from, to, options.target_mode).await
    }
}
