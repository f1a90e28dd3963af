//! The store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cabotage_core::{
    Attributes, Capabilities, DeleteOptions, Detail, ETag, Error, ErrorKind, Key, ListScope, ListStream,
    ObjectBody, ObjectInfo, Operation, Payload, PresignMethod, Presigned, ReadOptions, Result, Storage,
    StoreId, StorePlace, Upload, UploadId, UploadInfo, WriteOptions, Written,
};
use cabotage_http::{Endpoint, Expect, HttpClient};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use http::header::{HeaderValue, IF_MATCH};
use http::{Method, StatusCode};

use crate::attributes::{check_options, write_headers};
use crate::auth::Auth;
use crate::body::{md5_of, md5_text};
use crate::config::AzureConfig;
use crate::tags::TagAccess;
use crate::wire::{BLOB_TYPE, CONTENT_MD5, Wire, text, written};
use crate::{change, list, open_uploads, probe, upload};

/// Deletes at once of [`Storage::delete_many`].
const DELETES: usize = 16;

/// A container on Azure Blob Storage. Clones share connections and credentials.
#[derive(Clone)]
pub struct AzureStore(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) wire: Wire,
    pub(crate) capabilities: Capabilities,
    pub(crate) tags: TagAccess,
    id: StoreId,
    place: StorePlace,
}

impl AzureStore {
    /// Opens a container: finds credentials, and asks the server what it is. A container that is missing or refuses is
    /// told by the operations, not here.
    ///
    /// # Errors
    /// `InvalidConfig` for a configuration that can't be used; `Unauthenticated` where no credentials are found;
    /// `Unreachable`, `Timeout` and others of their kind where the server doesn't answer.
    pub async fn open(config: AzureConfig) -> Result<Self> {
        let opened = Self::open_target(&config).await;
        opened.map_err(|error| error.during(Operation::Open).about(format!("az://{}", config.container)))
    }

    /// Creates the container; false when it is there already.
    ///
    /// # Errors
    /// `PermissionDenied` where the right is missing; others of the server.
    pub async fn create_container(&self) -> Result<bool> {
        let call = self.0.wire.container_call(Operation::Open, Method::PUT).query("restype", "container");
        match self.0.wire.send(call.expect(Expect::SuccessOr(&[409]))).await {
            Ok(reply) => Ok(reply.status != StatusCode::CONFLICT),
            Err(error) => Err(error.about(format!("az://{}", self.0.wire.container()))),
        }
    }

    /// Which container it is, and at which address.
    #[must_use]
    pub fn place(&self) -> StorePlace {
        self.0.place.clone()
    }

    async fn open_target(config: &AzureConfig) -> Result<Self> {
        let target = config.target()?;
        let http = HttpClient::new(target.endpoint, &config.http)?;
        let auth = Auth::new(&target.account, target.grant, config.renew.clone(), &config.http)?;
        let id = store_id(http.endpoint(), &target.container);
        let place = StorePlace {
            identity: format!("azure/{}/{}", target.account, target.container),
            endpoint: format!("{}{}", http.endpoint().authority(), http.endpoint().base_path()),
        };
        let wire = Wire::new(http, auth, target.container);
        wire.pass().await?;
        let (capabilities, tags) = probe::ask(&wire).await?;
        Ok(Self(Arc::new(Inner { wire, capabilities, tags, id, place })))
    }
}

fn store_id(endpoint: &Endpoint, container: &str) -> StoreId {
    StoreId(format!("azure:{}{}/{container}", endpoint.authority(), endpoint.base_path()))
}

impl Inner {
    /// Refuses the names that the service would take for others.
    pub(crate) fn check_name(&self, key: &Key) -> Result<()> {
        let rules = &self.capabilities.keys;
        let changed = key.as_str().contains('\\')
            || (rules.refuses_dot_segments
                && key.as_str().split('/').any(|segment| segment == "." || segment == ".."));
        if changed { self.capabilities.accepts(key) } else { Ok(()) }
    }

    pub(crate) async fn write(&self, key: &Key, body: Payload, options: &WriteOptions) -> Result<Written> {
        self.capabilities.accepts(key)?;
        check_options(&self.capabilities, options)?;
        let most = self.capabilities.limits.single_max;
        if body.len() > most {
            let message = format!("{} bytes, at most {most} can be written at once", body.len());
            return Err(Error::new(ErrorKind::TooLarge, message).help("write it in parts"));
        }
        let md5 = md5_text(md5_of(&body).await?);
        self.put_blob(Operation::Write, key, body, options, &md5).await
    }

    /// Put Blob. The service computes the body's MD5, compares it with that of the header, stores and returns it.
    pub(crate) async fn put_blob(
        &self,
        operation: Operation,
        key: &Key,
        body: Payload,
        options: &WriteOptions,
        md5: &str,
    ) -> Result<Written> {
        let call = self
            .wire
            .blob_call(operation, Method::PUT, key)
            .header(BLOB_TYPE, HeaderValue::from_static("BlockBlob"))
            .text_header(CONTENT_MD5.as_str(), md5)?
            .body(body);
        let reply = self.wire.send(write_headers(call, options)?).await?;
        match text(&reply.headers, &CONTENT_MD5) {
            Some(stored) if stored != md5 => Err(Error::new(
                ErrorKind::DigestMismatch,
                "the service stored bytes with another MD5 than was sent",
            )),
            _ => Ok(written(&reply.headers)),
        }
    }

    pub(crate) async fn delete(&self, key: &Key, options: &DeleteOptions) -> Result<()> {
        self.check_name(key)?;
        if options.version.is_some() {
            let message = "versions are not deleted here: the service refuses it for the current one";
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let mut call = self.wire.blob_call(Operation::Delete, Method::DELETE, key);
        if let Some(etag) = &options.if_match {
            call = call.text_header(IF_MATCH.as_str(), &etag.quoted())?;
        }
        match self.wire.send(call).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound && options.if_match.is_none() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Debug for AzureStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AzureStore({})", self.0.id.0)
    }
}

impl fmt::Display for AzureStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "az://{} at {}", self.0.wire.container(), self.0.wire.http().endpoint())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for AzureStore {
    fn capabilities(&self) -> &Capabilities {
        &self.0.capabilities
    }

    fn id(&self) -> &StoreId {
        &self.0.id
    }

    fn list(&self, scope: ListScope) -> ListStream {
        list::list(&self.0, scope)
    }

    async fn head(&self, key: &Key, detail: Detail) -> Result<ObjectInfo> {
        let found = self.0.head(key, detail, &ReadOptions::default()).await;
        found.map_err(|error| error.during(Operation::Head).on(key))
    }

    async fn read(&self, key: &Key, options: ReadOptions) -> Result<ObjectBody> {
        self.0.read(key, options).await.map_err(|error| error.during(Operation::Read).on(key))
    }

    async fn write(&self, key: &Key, body: Payload, options: WriteOptions) -> Result<Written> {
        self.0.write(key, body, &options).await.map_err(|error| error.during(Operation::Write).on(key))
    }

    async fn start_upload(&self, key: &Key, options: WriteOptions) -> Result<Arc<dyn Upload>> {
        upload::start(&self.0, key, options).map_err(|error| error.during(Operation::Upload).on(key))
    }

    async fn resume_upload(
        &self,
        key: &Key,
        id: &UploadId,
        options: WriteOptions,
    ) -> Result<Arc<dyn Upload>> {
        upload::resume(&self.0, key, id, options).map_err(|error| error.during(Operation::Upload).on(key))
    }

    /// Of uploads to blobs that exist already, none is told: the service lists uncommitted blocks only where nothing
    /// is committed.
    fn list_uploads(&self, prefix: &str) -> BoxStream<'static, Result<UploadInfo>> {
        open_uploads::list(&self.0, prefix)
    }

    /// A blob with snapshots is not deleted (`Unsupported`): they would go with it.
    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        self.0.delete(key, &options).await.map_err(|error| error.during(Operation::Delete).on(key))
    }

    async fn delete_many(&self, keys: Vec<Key>) -> Vec<(Key, Result<()>)> {
        futures::stream::iter(keys)
            .map(|key| async move {
                let done = self.delete(&key, DeleteOptions::default()).await;
                (key, done)
            })
            .buffered(DELETES)
            .collect()
            .await
    }

    /// The source's attributes are kept, unless `options` brings others. The server copies by itself; this waits for
    /// it, and a copy that is dropped meanwhile goes on there.
    async fn copy_within(
        &self,
        from: &Key,
        from_etag: Option<&ETag>,
        to: &Key,
        options: WriteOptions,
    ) -> Result<Written> {
        let copied = change::copy(&self.0, from, from_etag, to, &options).await;
        copied.map_err(|error| error.during(Operation::Copy).on(from))
    }

    /// Up to four requests, each pinned to the ETag of the one before; what the first changed stays when a later one
    /// fails. Unknown tags leave the tags alone.
    async fn set_attributes(
        &self,
        key: &Key,
        attributes: &Attributes,
        if_match: Option<&ETag>,
    ) -> Result<Written> {
        let set = change::set_attributes(&self.0, key, attributes, if_match).await;
        set.map_err(|error| error.during(Operation::SetAttributes).on(key))
    }

    /// A service SAS for this blob alone; needs the account's key.
    async fn presign(&self, key: &Key, method: PresignMethod, expires_in: Duration) -> Result<Presigned> {
        let signed = change::presign(&self.0, key, method, expires_in).await;
        signed.map_err(|error| error.during(Operation::Presign).on(key))
    }
}

#[cfg(test)]
#[path = "azurite_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "hns_tests.rs"]
mod hns_tests;

#[cfg(test)]
#[path = "reply_tests.rs"]
mod reply_tests;
