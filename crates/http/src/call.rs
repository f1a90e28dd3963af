//! What an adapter asks of the client.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cabotage_core::{Error, ErrorKind, Operation, Payload, PayloadSource, Result};
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};

use crate::{Renewal, encode_component};

/// The vendor's side of a request: how it is signed and what a failure means.
#[async_trait]
pub trait Service: Send + Sync {
    /// Signs one attempt. The URI is absolute; `Content-Length` and `User-Agent` are set. May add headers and a query,
    /// must leave scheme, authority and path as they are.
    ///
    /// # Errors
    /// Whatever keeps the request from being signed; it isn't sent then, and not tried again.
    async fn sign(&self, parts: &mut http::request::Parts) -> Result<()>;

    /// What a reply that isn't expected means: every status the [`Call`] doesn't name, redirects too. `body` is the
    /// reply's, cut off after 64 KiB.
    fn error(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error;

    /// Gets new credentials from where they come from, after `CredentialsExpired` or `Unauthenticated`: once for all
    /// requests that were refused with the same ones, and never twice at a time.
    ///
    /// # Errors
    /// What kept them from being read: as good as [`Renewal::Same`].
    async fn refresh(&self) -> Result<Renewal> {
        Ok(Renewal::Fixed)
    }
}

/// Which failures of a request it is sent again after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repeat {
    /// All that another attempt may mend.
    #[default]
    Always,
    /// Those alone that tell that the server did nothing (not reached, throttled, credentials refused): for a request
    /// that makes something new each time, and whose reply is the only word of it.
    IfNotTaken,
}

/// One request, which can be sent any number of times.
#[derive(Clone)]
pub struct Call {
    /// What it is for; stands in errors.
    pub operation: Operation,
    /// The method.
    pub method: Method,
    /// The path after the endpoint's base path: percent-encoded, starts with `/`. Goes out as it is.
    pub path: String,
    /// The query without `?`: percent-encoded, may be empty. Goes out as it is.
    pub query: String,
    /// Headers, without those that `sign` adds and without `Host`.
    pub headers: HeaderMap,
    /// Names of headers that are sent in the letter case in which they stand here; all others go out in lower case.
    pub spellings: Vec<String>,
    /// The body.
    pub body: CallBody,
    /// Which replies are no failure.
    pub expect: Expect,
    /// How long to wait for the head of the reply, where the configuration's `request_timeout` is too short: for work
    /// that the server does before it answers, such as a copy.
    pub patience: Option<Duration>,
    /// After which failures it is sent again.
    pub repeat: Repeat,
}

impl Call {
    /// A request without query, headers and body, for which every 2xx is expected.
    #[must_use]
    pub fn new(operation: Operation, method: Method, path: impl Into<String>) -> Self {
        Self {
            operation,
            method,
            path: path.into(),
            query: String::new(),
            headers: HeaderMap::new(),
            spellings: Vec::new(),
            body: CallBody::Empty,
            expect: Expect::Success,
            patience: None,
            repeat: Repeat::Always,
        }
    }

    /// Adds `name=value` to the query; both are encoded here.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.next_pair();
        self.query.push_str(&encode_component(name));
        self.query.push('=');
        self.query.push_str(&encode_component(value));
        self
    }

    /// Adds `name` without `=` to the query (`?uploads`); encoded here.
    #[must_use]
    pub fn flag(mut self, name: &str) -> Self {
        self.next_pair();
        self.query.push_str(&encode_component(name));
        self
    }

    fn next_pair(&mut self) {
        if !self.query.is_empty() {
            self.query.push('&');
        }
    }

    /// Sets a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sets a header from text.
    ///
    /// # Errors
    /// `Unsupported` for a name or value that HTTP can't carry (a control character).
    pub fn text_header(mut self, name: &str, value: &str) -> Result<Self> {
        let cannot = |what: &str| {
            Error::new(
                ErrorKind::Unsupported,
                format!("the {what} of the header {name} can't be sent over HTTP"),
            )
            .during(self.operation)
        };
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| cannot("name"))?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| cannot("value"))?;
        self.headers.insert(header, value);
        Ok(self)
    }

    /// Sets a header from text, whose name goes out in the letter case given here: for a server that keeps it.
    ///
    /// # Errors
    /// Those of [`text_header`](Self::text_header).
    pub fn spelled_header(mut self, name: &str, value: &str) -> Result<Self> {
        self = self.text_header(name, value)?;
        if name.bytes().any(|b| b.is_ascii_uppercase()) {
            self.spellings.push(name.to_owned());
        }
        Ok(self)
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<CallBody>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets which replies are no failure.
    #[must_use]
    pub fn expect(mut self, expect: Expect) -> Self {
        self.expect = expect;
        self
    }

    /// Sets how long to wait for the head of the reply.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Sets after which failures it is sent again.
    #[must_use]
    pub fn repeat(mut self, repeat: Repeat) -> Self {
        self.repeat = repeat;
        self
    }
}

impl fmt::Debug for Call {
    /// Names the headers without their values, and leaves out the query: both may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("operation", &self.operation)
            .field("method", &self.method)
            .field("path", &self.path)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("body", &self.body)
            .field("expect", &self.expect)
            .finish_non_exhaustive()
    }
}

/// A request's body. Every form can be sent again.
#[derive(Clone)]
pub enum CallBody {
    /// None.
    Empty,
    /// In memory, in as many pieces as there are.
    Chunks(Arc<[Bytes]>),
    /// Opened anew for each attempt.
    Replay {
        /// How many bytes each opening gives; another number breaks the request off (`Truncated`).
        len: u64,
        /// Opens them.
        open: PayloadSource,
    },
}

impl CallBody {
    /// Length in bytes, as sent in `Content-Length`.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Chunks(chunks) => chunks.iter().map(|chunk| chunk.len() as u64).sum(),
            Self::Replay { len, .. } => *len,
        }
    }
}

impl From<Bytes> for CallBody {
    fn from(bytes: Bytes) -> Self {
        Self::Chunks(Arc::from([bytes]))
    }
}

impl From<String> for CallBody {
    fn from(text: String) -> Self {
        Self::from(Bytes::from(text))
    }
}

impl From<Payload> for CallBody {
    fn from(payload: Payload) -> Self {
        match payload {
            Payload::Buffered { chunks, .. } => Self::Chunks(chunks),
            Payload::Replayable { len, open } => Self::Replay { len, open },
        }
    }
}

impl fmt::Debug for CallBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = match self {
            Self::Empty => "Empty",
            Self::Chunks(_) => "Chunks",
            Self::Replay { .. } => "Replay",
        };
        write!(f, "{form}({} bytes)", self.len())
    }
}

/// Which replies come back as a [`Reply`](crate::Reply); every other one goes to [`Service::error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Every 2xx.
    Success,
    /// Every 2xx and these: `&[304]`, `&[404]`.
    SuccessOr(&'static [u16]),
    /// These alone: `&[206]` where a 200 would be the wrong body.
    Only(&'static [u16]),
}

impl Expect {
    pub(crate) fn accepts(self, status: StatusCode) -> bool {
        match self {
            Self::Success => status.is_success(),
            Self::SuccessOr(more) => status.is_success() || more.contains(&status.as_u16()),
            Self::Only(these) => these.contains(&status.as_u16()),
        }
    }
}
