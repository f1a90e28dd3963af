//! The server.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::Answer;
use crate::Endpoint;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// The method.
    pub method: Method,
    /// Path and query exactly as in the request line.
    pub target: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Which connection it came on, counted from 0.
    pub connection: usize,
}

impl Received {
    /// A header's text; empty when missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

type Reply = Box<dyn FnOnce(&Received) -> Answer + Send>;

/// A server on loopback that gives queued answers in order and records the requests. A request for which nothing is
/// queued is answered 418. Ends when dropped.
pub struct ReplyQueue {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    queue: Mutex<VecDeque<Reply>>,
    received: Mutex<Vec<Received>>,
}

impl ReplyQueue {
    /// Starts it on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// Those of listening.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::default());
        let task = tokio::spawn(accept(listener, Arc::clone(&state)));
        Ok(Self { address, state, task })
    }

    /// `http://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its endpoint.
    ///
    /// # Errors
    /// None in practice.
    pub fn endpoint(&self) -> cabotage_core::Result<Endpoint> {
        Endpoint::parse(&self.url())
    }

    /// Queues an answer.
    pub fn push(&self, answer: Answer) -> &Self {
        self.push_with(move |_| answer)
    }

    /// Queues an answer that depends on the request.
    pub fn push_with(&self, reply: impl FnOnce(&Received) -> Answer + Send + 'static) -> &Self {
        lock(&self.state.queue).push_back(Box::new(reply));
        self
    }

    /// The requests so far, in the order of arrival.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        lock(&self.state.received).clone()
    }

    /// How many answers weren't asked for yet.
    #[must_use]
    pub fn left(&self) -> usize {
        lock(&self.state.queue).len()
    }
}

impl Drop for ReplyQueue {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    let mut count = 0;
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        let number = count;
        connections.spawn(async move { serve(stream, &state, number).await });
        count += 1;
    }
}

async fn serve(mut stream: TcpStream, state: &State, number: usize) -> io::Result<()> {
    let mut buffer = BytesMut::new();
    while let Some(request) = read_request(&mut stream, &mut buffer, number).await? {
        lock(&state.received).push(request.clone());
        let reply = lock(&state.queue).pop_front();
        let answer = reply.map_or_else(|| Answer::new(418).body("nothing queued"), |reply| reply(&request));
        if !answer.send(&mut stream, request.method == Method::HEAD).await? {
            break;
        }
    }
    Ok(())
}

/// The next request, or nothing when the client has closed the connection.
async fn read_request(
    stream: &mut TcpStream,
    buffer: &mut BytesMut,
    connection: usize,
) -> io::Result<Option<Received>> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = buffer.split_to(end + 4);
    let mut request = parse_head(&head).ok_or(io::ErrorKind::InvalidData)?;
    request.connection = connection;
    let length: usize = request.header(CONTENT_LENGTH.as_str()).parse().unwrap_or_default();
    while buffer.len() < length {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    request.body = buffer.split_to(length).freeze();
    Ok(Some(request))
}

fn parse_head(head: &[u8]) -> Option<Received> {
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let first = std::str::from_utf8(lines.next()?).ok()?;
    let mut words = first.split(' ');
    let method = words.next()?.parse().ok()?;
    let target = words.next()?.to_owned();
    let mut headers = HeaderMap::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (line.get(..colon)?, line.get(colon + 1..)?);
        let value = HeaderValue::from_bytes(value.trim_ascii()).ok()?;
        headers.append(HeaderName::from_bytes(name).ok()?, value);
    }
    Some(Received { method, target, headers, body: Bytes::new(), connection: 0 })
}
