//! What came back.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use cabotage_core::{ByteStream, Error, ErrorKind, Operation, Result, Throttle};
use futures::StreamExt as _;
use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{Extensions, HeaderMap, Method, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::flow::Turn;
use crate::{fault, pace, spelling};

/// A reply whose head has arrived. Dropping it drops the connection, unless the body was read to its end.
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// How often the request was sent, this time included. After more than one attempt, a failed precondition may
    /// mean that an earlier attempt succeeded unheard.
    pub attempts: u32,
    /// hyper's own notes, of which one tells how header names were spelled.
    pub(crate) extensions: Extensions,
    pub(crate) body: Incoming,
    pub(crate) about: About,
    /// Held until the body's end.
    pub(crate) turn: Option<Turn>,
}

/// What a reply's body needs to know of its request.
#[derive(Clone)]
pub(crate) struct About {
    pub(crate) operation: Operation,
    pub(crate) method: Method,
    pub(crate) idle: Duration,
    pub(crate) throttle: Throttle,
}

impl Reply {
    /// The reply to a request that is in flight as long as its body is read.
    pub(crate) fn in_turn(self, turn: Turn) -> Self {
        Self { turn: Some(turn), ..self }
    }

    /// The declared length of the body in bytes. After a `HEAD` it is that of the body a `GET` would return.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        declared(&self.headers)
    }

    /// The names of the headers that begin with the prefix, as the server spelled them, by their lower-case form. `prefix` is in
    /// lower case.
    ///
    /// # Errors
    /// `Internal` when they can't be told.
    pub async fn spelled_names(&self, prefix: &str) -> Result<BTreeMap<String, String>> {
        let with = |(name, value): (&HeaderName, &HeaderValue)| (name.clone(), value.clone());
        let headers: HeaderMap =
            self.headers.iter().filter(|(name, _)| name.as_str().starts_with(prefix)).map(with).collect();
        if headers.is_empty() {
            return Ok(BTreeMap::new());
        }
        spelling::spelled(headers, self.extensions.clone()).await
    }

    /// The whole body.
    ///
    /// # Errors
    /// `Protocol` when it is longer than `limit` bytes; those of [`stream`](Self::stream), but a body that ends with
    /// the connection is taken as it is.
    pub async fn bytes(self, limit: usize) -> Result<Bytes> {
        let (operation, expected) = (self.about.operation, self.expected());
        if expected.is_some_and(|length| length > limit as u64) {
            return Err(too_long(limit, operation));
        }
        let mut stream = self.pieces(expected);
        let mut all = BytesMut::new();
        let mut first: Option<Bytes> = None;
        while let Some(piece) = stream.next().await {
            let piece = piece?;
            if all.len() + first.as_ref().map_or(0, Bytes::len) + piece.len() > limit {
                return Err(too_long(limit, operation));
            }
            match first.take() {
                None if all.is_empty() => first = Some(piece),
                earlier => {
                    all.extend_from_slice(&earlier.unwrap_or_default());
                    all.extend_from_slice(&piece);
                }
            }
        }
        Ok(first.unwrap_or_else(|| all.freeze()))
    }

    /// What comes of the body, cut off after `limit` bytes, and what ended it too early.
    pub(crate) async fn beginning(self, limit: usize) -> (Bytes, Option<Error>) {
        let expected = self.expected();
        let mut stream = self.pieces(expected);
        let mut all = BytesMut::new();
        while let Some(piece) = stream.next().await {
            match piece {
                Ok(piece) => all.extend_from_slice(&piece),
                Err(error) => return (all.freeze(), Some(error)),
            }
            if all.len() >= limit {
                all.truncate(limit);
                break;
            }
        }
        (all.freeze(), None)
    }

    /// The body as it comes in, as it was sent: never decoded. Ends after exactly the declared length, or with an
    /// error: `Truncated` when it is shorter or longer, `Interrupted` when the connection broke, `Timeout` when
    /// nothing came for too long, `Protocol` when no length was declared (such a body could end anywhere).
    #[must_use]
    pub fn stream(self) -> ByteStream {
        let expected = self.expected();
        let chunked = self.headers.contains_key(TRANSFER_ENCODING);
        if expected.is_none() && !chunked {
            let error = Error::new(ErrorKind::Protocol, "the reply doesn't say how long it is");
            return futures::stream::iter([Err(error.during(self.about.operation))]).boxed();
        }
        self.pieces(expected)
    }

    /// How many bytes must come, where that is told.
    fn expected(&self) -> Option<u64> {
        let none = self.about.method == Method::HEAD
            || matches!(self.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if none { Some(0) } else { declared(&self.headers) }
    }

    fn pieces(self, expected: Option<u64>) -> ByteStream {
        let inner = Inner { body: self.body, about: self.about, expected, got: 0, _turn: self.turn };
        futures::stream::try_unfold(inner, Inner::next).boxed()
    }
}

struct Inner {
    body: Incoming,
    about: About,
    expected: Option<u64>,
    got: u64,
    _turn: Option<Turn>,
}

impl Inner {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>> {
        loop {
            let Ok(frame) = tokio::time::timeout(self.about.idle, self.body.frame()).await else {
                return Err(fault::idle(self.about.idle).during(self.about.operation));
            };
            let Some(frame) = frame else {
                let short = self.expected.is_some_and(|expected| self.got != expected);
                return if short { Err(self.length_error()) } else { Ok(None) };
            };
            let frame = frame.map_err(|error| fault::in_body(&error).during(self.about.operation))?;
            let Ok(bytes) = frame.into_data() else { continue };
            self.got += bytes.len() as u64;
            if self.expected.is_some_and(|expected| self.got > expected) {
                return Err(self.length_error());
            }
            if !bytes.is_empty() {
                pace::bytes(&self.about.throttle, bytes.len() as u64).await;
                return Ok(Some((bytes, self)));
            }
        }
    }

    fn length_error(&self) -> Error {
        let expected = self.expected.unwrap_or_default();
        let message = format!("the reply's body has {} bytes, {expected} were declared", self.got);
        Error::new(ErrorKind::Truncated, message).during(self.about.operation)
    }
}

fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_long(limit: usize, operation: Operation) -> Error {
    let message = format!("the reply is longer than the {limit} bytes that it may have");
    Error::new(ErrorKind::Protocol, message).during(operation)
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "reply_tests.rs"]
mod tests;
