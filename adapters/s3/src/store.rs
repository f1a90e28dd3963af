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
use cabotage_http::{Call, Expect};
use futures::stream::{self, BoxStream, StreamExt as _};
use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE, RANGE};
use http::{Method, StatusCode};

use crate::client::Client;
use crate::condition::{Quotes, with_etag};
use crate::config::S3Config;
use crate::sign::LONGEST_PRESIGN;
use crate::write::{fits_xml, need_length};
use crate::{capabilities, list, upload, wire};

/// How many single deletes go out at once where the server has no bulk delete.
const DELETES_AT_ONCE: usize = 16;

/// One bucket on an S3-compatible server. Clones share connections and credentials.
#[derive(Clone)]
pub struct S3Store {
    client: Arc<Client>,
    capabilities: Arc<Capabilities>,
    id: StoreId,
}

impl S3Store {
    /// Opens a bucket. Sends nothing yet: whether the bucket is there, and the credentials are right, shows with the
    /// first request.
    ///
    /// # Errors
    /// `InvalidConfig` for an endpoint, region, bucket or HTTP setting that can't be used.
    pub async fn open(config: S3Config) -> Result<Self> {
        let place = config.resolve()?;
        let id = StoreId(format!(
            "s3:{}:{}{}/{}",
            place.endpoint.host(),
            place.endpoint.port(),
            place.endpoint.base_path(),
            config.bucket
        ));
        let capabilities = Arc::new(capabilities::of(place.profile, config.customer_key.as_ref()));
        let client = Arc::new(Client::new(&config, place)?);
        Ok(Self { client, capabilities, id })
    }

    /// Which bucket it is, and at which address.
    #[must_use]
    pub fn place(&self) -> StorePlace {
        let endpoint = self.id.0.strip_prefix("s3:").unwrap_or_default();
        let (endpoint, bucket) = endpoint.rsplit_once('/').unwrap_or_default();
        StorePlace { identity: format!("s3/{bucket}"), endpoint: endpoint.to_owned() }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    async fn read_now(&self, key: &Key, options: &ReadOptions) -> Result<ObjectBody> {
        self.capabilities.accepts(key)?;
        let call = self.read_call(key, options)?.expect(Expect::Only(&[200, 206]));
        let reply = match self.client.send(self.client.keyed(call)?).await {
            Ok(reply) => reply,
            Err(error) => return Err(self.client.explain_key(key, error).await),
        };
        self.client.saw_key_work(&reply.headers);
        let (range, size) = match (options.range, reply.status) {
            (Some(asked), StatusCode::PARTIAL_CONTENT) => wire::content_range(&reply.headers, asked)?,
            (None, StatusCode::OK) => {
                let size = need_length(reply.content_length(), None)?;
                (0..size, size)
            }
            (Some(_), _) if reply.content_length() == Some(0) => {
                return Err(Error::new(ErrorKind::PreconditionFailed, "an empty object has no ranges"));
            }
            (asked, status) => {
                let wanted = if asked.is_some() { "a range" } else { "the whole object" };
                let message = format!("{wanted} was asked for, and the server answered {status}");
                return Err(Error::new(ErrorKind::Protocol, message));
            }
        };
        need_length(reply.content_length(), Some(range.end - range.start))?;
        let info = wire::info(key, size, &reply.headers, self.client.profile)?;
        let expected = options.if_match.as_ref();
        if expected.is_some() && info.etag.is_some() && info.etag.as_ref() != expected {
            let message = "the server ignored If-Match, and the object is in another state";
            return Err(Error::new(ErrorKind::PreconditionFailed, message));
        }
        Ok(ObjectBody { info, range, stream: reply.stream() })
    }

    fn read_call(&self, key: &Key, options: &ReadOptions) -> Result<Call> {
        let mut call = self.client.object(Operation::Read, Method::GET, key);
        if let Some(version) = &options.version {
            call = call.query("versionId", version);
        }
        if let Some(range) = options.range {
            call = call.text_header(RANGE.as_str(), &wire::range_header(range)?)?;
        }
        for (name, etag) in [(IF_MATCH, &options.if_match), (IF_NONE_MATCH, &options.if_none_match)] {
            if let Some(etag) = etag {
                call = with_etag(call, &name, etag, Quotes::With)?;
            }
        }
        let dates = [
            (IF_MODIFIED_SINCE, options.if_modified_since),
            (IF_UNMODIFIED_SINCE, options.if_unmodified_since),
        ];
        for (name, time) in dates {
            if let Some(date) = time.and_then(wire::format_http_date) {
                call = call.text_header(name.as_str(), &date)?;
            }
        }
        Ok(call)
    }

    async fn delete_one(&self, key: &Key, options: &DeleteOptions) -> Result<()> {
        self.client.remove(key, options).await.map_err(|error| error.during(Operation::Delete).on(key))
    }

    /// Deletes what one request takes; what it leaves open, one by one.
    async fn delete_chunk(&self, keys: Vec<Key>) -> Vec<(Key, Result<()>)> {
        let together = self.client.remove_together(&keys).await;
        let outcomes = match together {
            Ok(outcomes) => outcomes,
            Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::Protocol) => {
                keys.iter().map(|_| None).collect()
            }
            Err(error) => keys.iter().map(|_| Some(Err(again(&error)))).collect(),
        };
        let mut done = Vec::with_capacity(keys.len());
        for (key, outcome) in keys.into_iter().zip(outcomes) {
            let result = match outcome {
                Some(result) => result.map_err(|error| error.during(Operation::Delete).on(&key)),
                None => self.delete_one(&key, &DeleteOptions::default()).await,
            };
            done.push((key, result));
        }
        done
    }

    async fn delete_singly(&self, keys: Vec<(usize, Key)>) -> Vec<(usize, Key, Result<()>)> {
        let each = |(place, key): (usize, Key)| async move {
            let done = self.delete_one(&key, &DeleteOptions::default()).await;
            (place, key, done)
        };
        stream::iter(keys.into_iter().map(each)).buffer_unordered(DELETES_AT_ONCE).collect().await
    }

    fn can(&self, has: bool, what: &str) -> Result<()> {
        if has {
            return Ok(());
        }
        let message = format!("{what} can't be relied on at {}", self.client.profile.name);
        Err(Error::new(ErrorKind::Unsupported, message))
    }
}

/// The same failure for another key.
fn again(error: &Error) -> Error {
    let mut copy = Error::new(error.kind(), error.message());
    for (name, value) in error.context() {
        copy = copy.with(name, value);
    }
    match error.advice() {
        Some(advice) => copy.help(advice),
        None => copy,
    }
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Store({self})")
    }
}

impl fmt::Display for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{} at {}", self.client.bucket, self.client.http().endpoint())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for S3Store {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn id(&self) -> &StoreId {
        &self.id
    }

    fn list(&self, scope: ListScope) -> ListStream {
        list::objects(self.client.clone(), scope)
    }

    async fn head(&self, key: &Key, detail: Detail) -> Result<ObjectInfo> {
        let told = async {
            self.capabilities.accepts(key)?;
            match detail {
                Detail::Basic => self.client.head(key).await,
                Detail::WithTags => self.client.head_with_tags(key).await,
            }
        };
        told.await.map_err(|error| error.during(Operation::Head).on(key))
    }

    async fn read(&self, key: &Key, options: ReadOptions) -> Result<ObjectBody> {
        self.read_now(key, &options).await.map_err(|error| error.during(Operation::Read).on(key))
    }

    async fn write(&self, key: &Key, body: Payload, options: WriteOptions) -> Result<Written> {
        let written = self.client.put(&self.capabilities, key, body, &options).await;
        written.map_err(|error| error.during(Operation::Write).on(key))
    }

    async fn start_upload(&self, key: &Key, options: WriteOptions) -> Result<Arc<dyn Upload>> {
        let started = upload::start(self.client.clone(), &self.capabilities, key, options).await;
        started.map_err(|error| error.during(Operation::Upload).on(key))
    }

    async fn resume_upload(
        &self,
        key: &Key,
        id: &UploadId,
        options: WriteOptions,
    ) -> Result<Arc<dyn Upload>> {
        Ok(upload::resume(self.client.clone(), key, id, options))
    }

    fn list_uploads(&self, prefix: &str) -> BoxStream<'static, Result<UploadInfo>> {
        list::uploads(self.client.clone(), prefix)
    }

    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        self.delete_one(key, &options).await
    }

    /// By DeleteObjects where the profile knows it; names that XML can't carry one by one.
    async fn delete_many(&self, keys: Vec<Key>) -> Vec<(Key, Result<()>)> {
        let bulk = self.capabilities.delete_many;
        let (together, singly): (Vec<_>, Vec<_>) =
            keys.into_iter().enumerate().partition(|(_, key)| bulk > 0 && fits_xml(key));
        let mut done = self.delete_singly(singly).await;
        for chunk in together.chunks(bulk.max(1)) {
            let (places, keys): (Vec<_>, Vec<_>) = chunk.iter().cloned().unzip();
            let results = self.delete_chunk(keys).await;
            done.extend(places.into_iter().zip(results).map(|(place, (key, result))| (place, key, result)));
        }
        done.sort_by_key(|(place, ..)| *place);
        done.into_iter().map(|(_, key, result)| (key, result)).collect()
    }

    /// The source's attributes are kept, unless `options` brings others; tags that it brings are set by a second
    /// request. Up to 5 GB at most servers. The condition on the destination is checked before, without a guard
    /// against a race.
    async fn copy_within(
        &self,
        from: &Key,
        from_etag: Option<&ETag>,
        to: &Key,
        options: WriteOptions,
    ) -> Result<Written> {
        let copied = async {
            self.can(self.capabilities.copy_within, "copying within the store")?;
            self.client.copy(&self.capabilities, from, from_etag, to, &options).await
        };
        copied.await.map_err(|error| error.during(Operation::Copy).on(from))
    }

    /// By a copy onto itself, which may give the object a new ETag or version. Tags are set by a second request; unknown
    /// tags leave the tags alone.
    async fn set_attributes(
        &self,
        key: &Key,
        attributes: &Attributes,
        if_match: Option<&ETag>,
    ) -> Result<Written> {
        let set = async {
            self.can(self.capabilities.set_attributes, "setting attributes alone")?;
            self.client.replace_attributes(&self.capabilities, key, attributes, if_match).await
        };
        set.await.map_err(|error| error.during(Operation::SetAttributes).on(key))
    }

    async fn presign(&self, key: &Key, method: PresignMethod, expires_in: Duration) -> Result<Presigned> {
        let method = match method {
            PresignMethod::Get => Method::GET,
            PresignMethod::Put => Method::PUT,
        };
        let signed = async {
            self.capabilities.accepts(key)?;
            if !self.capabilities.presign {
                let message = "under a customer's key (SSE-C) a URL alone gives no access";
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
            if expires_in.as_secs() == 0 || expires_in > LONGEST_PRESIGN {
                let message = "a presigned URL lives from 1 second to 7 days";
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
            let url = self.client.presign(key, method, expires_in).await?;
            Ok(Presigned { url, expires_in: Duration::from_secs(expires_in.as_secs()), headers: Vec::new() })
        };
        signed.await.map_err(|error| error.during(Operation::Presign).on(key))
    }
}
