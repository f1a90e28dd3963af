//! Sending.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use cabotage_core::{Error, ErrorKind, Operation, RequestMeter, Result, Timestamp, Traffic};
use http::header::{CONTENT_LENGTH, DATE, HeaderValue, PROXY_AUTHORIZATION, USER_AGENT};
use http::{Method, Request, Response, StatusCode, Uri, request};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tracing::Instrument as _;

use crate::body::{OutBody, Watch};
use crate::connect::{Connector, Proxy, Since};
use crate::date::header_date;
use crate::flow::{Flow, Need, Turn};
use crate::renew::Credentials;
use crate::reply::About;
use crate::retry::{Again, Budget, Failure, wait};
use crate::sending::Sending;
use crate::{
    Call, CallBody, Endpoint, HttpConfig, Renewal, Repeat, Reply, Service, fault, pace, spans, spelling,
};

/// How much of a failed reply's body is read.
const ERROR_BODY: usize = 64 * 1024;

/// How long a connection may lie idle.
const IDLE_CONNECTION: Duration = Duration::from_secs(50);

/// How long a connection is used, so that a name is resolved again in a run of weeks.
const CONNECTION_AGE: Duration = Duration::from_secs(600);

/// How many headers a reply may have: hyper's 100 are too few for an object with many metadata pairs (8 KiB of them on
/// Azure, 2 KB on S3).
pub(crate) const REPLY_HEADERS: usize = 2_048;

/// What a connection reads at once at most, and how much of a request waits to be sent. A piece of a body keeps the whole buffer that
/// it was read into, so larger ones hold memory that nothing is in. Heads of replies have to fit.
const CONNECTION_BUFFER: usize = 128 * 1024;

const NO_SKEW: i64 = i64::MIN;

/// A difference of clocks, in seconds, that explains why a request was refused: servers allow fifteen minutes.
const CLOCK_SUSPECT: u64 = 14 * 60;

/// A client of one endpoint; cheap to clone, clones share connections, retry budget and clock skew.
#[derive(Clone)]
pub struct HttpClient(Arc<Inner>);

struct Inner {
    endpoint: Endpoint,
    config: HttpConfig,
    client: Client<Connector, OutBody>,
    user_agent: HeaderValue,
    /// The login of a proxy that sees the requests themselves.
    proxy_auth: Option<HeaderValue>,
    budget: Budget,
    flow: Flow,
    meter: Arc<RequestMeter>,
    credentials: Credentials,
    skew: AtomicI64,
    longest_use: Duration,
}

impl HttpClient {
    /// A client of that endpoint. Connects to nothing yet; reads the system's certificates and the CA file.
    ///
    /// # Errors
    /// `InvalidConfig` for plaintext off this machine that isn't allowed, and for a proxy, CA file or user agent
    /// that can't be used.
    pub fn new(endpoint: Endpoint, config: &HttpConfig) -> Result<Self> {
        Self::with_longest_use(endpoint, config, CONNECTION_AGE)
    }

    fn with_longest_use(endpoint: Endpoint, config: &HttpConfig, longest_use: Duration) -> Result<Self> {
        let secure = endpoint.scheme() == "https";
        if !secure && !endpoint.is_loopback() && !config.allow_plaintext {
            let message = format!("{endpoint} would send credentials and data in plaintext");
            return Err(Error::new(ErrorKind::InvalidConfig, message)
                .during(Operation::Open)
                .help("use https://, or allow it with --allow-plaintext or allow_plaintext = true"));
        }
        let user_agent = HeaderValue::from_str(&config.user_agent).map_err(|error| {
            Error::new(ErrorKind::InvalidConfig, "the user agent can't be sent over HTTP").caused_by(error)
        })?;
        let proxy = config.proxy.as_deref().map(Proxy::parse).transpose()?;
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_CONNECTION)
            .http1_max_headers(REPLY_HEADERS)
            .http1_preserve_header_case(true)
            .http1_max_buf_size(CONNECTION_BUFFER)
            .build(Connector::new(config)?);
        Ok(Self(Arc::new(Inner {
            endpoint,
            config: config.clone(),
            client,
            user_agent,
            proxy_auth: proxy.filter(|_| !secure).and_then(|proxy| proxy.auth().cloned()),
            budget: Budget::new(),
            flow: Flow::default(),
            meter: Arc::default(),
            credentials: Credentials::default(),
            skew: AtomicI64::new(NO_SKEW),
            longest_use,
        })))
    }

    /// Where its requests go.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// How many seconds the server's clock is ahead of this machine's, from the last `Date` header; `None` before the
    /// first.
    #[must_use]
    pub fn skew(&self) -> Option<i64> {
        Some(self.0.skew.load(Ordering::Relaxed)).filter(|skew| *skew != NO_SKEW)
    }

    /// The requests so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.0.flow.traffic()
    }

    /// What became of them, each sending by itself.
    #[must_use]
    pub fn meter(&self) -> Arc<RequestMeter> {
        Arc::clone(&self.0.meter)
    }

    /// Sends a request until a reply comes that the call expects, or it can't be tried again. Every attempt is signed
    /// anew and carries the same bytes.
    ///
    /// Dropping the future breaks the request off: a body that isn't out yet stays incomplete.
    ///
    /// Tried again, as far as [`RetryPolicy`](crate::RetryPolicy) and the client's budget go: what
    /// [`disposition`](cabotage_core::disposition) calls `Retry`, before the body of the reply; an endpoint that can't
    /// be reached, or doesn't answer in time, at most 3 times; refused credentials once, after [`Service::refresh`]; a 403 of
    /// a server whose clock turns out to be far from what the signature assumed, once;
    /// a mismatched digest never: the same bytes would go out. [`Repeat`] says which calls are sent again after less.
    ///
    /// A server that asks to slow down (429, 503) gets fewer requests at once: half of them at first, then one more a round.
    /// Who is to wait does so here, and a `Retry-After` is waited out before the request may be sent again. A reply counts
    /// until its body is read to its end or it is dropped; who holds some can always send one more request.
    ///
    /// Each attempt waits for [`HttpConfig::throttle`], and so does each piece of a body on its way out or in. No timeout
    /// counts meanwhile.
    ///
    /// # Errors
    /// Those of [`Service::sign`], [`Service::error`] and the body's source; `CredentialsExpired` for credentials that
    /// worked before, are refused now, and may be replaced where they come from; `Unreachable`, `Interrupted`, `Timeout`
    /// and `Protocol` of the exchange itself. After more than one attempt the fact `attempts` says how many.
    pub async fn send(&self, service: &dyn Service, call: Call) -> Result<Reply> {
        let (mut renewal, mut redated) = (None, false);
        let mut attempt = 1;
        loop {
            let mut turn = self.0.flow.turn(need_of(&call)).await;
            let credentials = self.0.credentials.generation();
            let span = spans::of_attempt(&call, &self.0.endpoint, attempt);
            let sent = self.attempt(service, &call, attempt, &mut turn).instrument(span.clone()).await;
            let failure = match sent {
                Ok(reply) => {
                    self.0.budget.earn();
                    self.0.credentials.taken();
                    return Ok(reply.in_turn(turn.reading()));
                }
                Err(failure) => failure,
            };
            spans::failed(&span, &failure);
            drop(span);
            if failure.again == Again::Redated && !redated {
                redated = true;
                drop(turn);
            } else if failure.again == Again::Refresh {
                drop(turn);
                self.renew(service, failure.error, credentials, &mut renewal)
                    .await
                    .map_err(|error| give_up(error, &call, attempt))?;
            } else {
                self.pause(failure, turn, &call, attempt).await?;
            }
            attempt += 1;
        }
    }

    /// Gets new credentials after a refusal, once for a request; the refusal where they don't help.
    async fn renew(
        &self,
        service: &dyn Service,
        refusal: Error,
        refused: u64,
        before: &mut Option<Renewal>,
    ) -> Result<()> {
        let credentials = &self.0.credentials;
        if let Some(renewal) = *before {
            return Err(credentials.refusal(refusal, renewal));
        }
        let renewal = credentials.renew(service, (&refusal, refused), || self.0.flow.renewed()).await;
        *before = Some(renewal);
        if renewal == Renewal::Renewed { Ok(()) } else { Err(credentials.refusal(refusal, renewal)) }
    }

    /// Waits for the next attempt, or gives up.
    async fn pause(&self, failure: Failure, turn: Turn, call: &Call, attempt: u32) -> Result<()> {
        let resting = turn.resting();
        let again = call.repeat == Repeat::Always || failure.is_not_taken();
        let Some(pause) = wait(&self.0.config.retry, &failure, attempt).filter(|_| again) else {
            return Err(give_up(failure.error, call, attempt));
        };
        // Requests to a server that asks to slow down are fewer already.
        if resting.is_none() && !self.0.budget.take() {
            let error =
                failure.error.with("retries", "none left for now: too many requests to this endpoint fail");
            return Err(give_up(error, call, attempt));
        }
        tracing::debug!(operation = ?call.operation, attempt, ?pause, error = %failure.error, "tried again");
        tokio::time::sleep(pause).await;
        Ok(())
    }

    async fn attempt(
        &self,
        service: &dyn Service,
        call: &Call,
        number: u32,
        turn: &mut Turn,
    ) -> Result<Reply, Failure> {
        // Before the signature, which tells the time.
        pace::request(&self.0.config.throttle, &call.method).await;
        let mut parts = self.parts(call).map_err(Failure::fatal)?;
        let target = parts.uri.clone();
        let assumed = self.skew();
        if !call.spellings.is_empty() {
            let note = spelling::note(&call.spellings).await.map_err(Failure::fatal)?;
            parts.extensions.extend(note);
        }
        service.sign(&mut parts).await.map_err(Failure::fatal)?;
        check_target(&target, &parts.uri).map_err(Failure::fatal)?;
        if let Some(auth) = &self.0.proxy_auth {
            parts.headers.insert(PROXY_AUTHORIZATION, auth.clone());
        }
        let (body, watch) =
            OutBody::open(&call.body, self.0.config.throttle.clone()).await.map_err(Failure::fatal)?;
        let patience = call.patience.unwrap_or(self.0.config.request_timeout);
        self.0.flow.sent(number);
        let sending = Sending::new(&self.0.meter, call.operation);
        let response = self.exchange(Request::from_parts(parts, body), &watch, patience).await;
        sending.ended(response.as_ref().ok().map(Response::status));
        let response = response?;
        turn.answered(response.status());
        spans::replied(response.status());
        self.learn_skew(&response);
        let (head, body) = response.into_parts();
        let about = About {
            operation: call.operation,
            method: call.method.clone(),
            idle: self.0.config.idle_timeout,
            throttle: self.0.config.throttle.clone(),
        };
        let reply = Reply {
            status: head.status,
            headers: head.headers,
            attempts: number,
            extensions: head.extensions,
            body,
            about,
            turn: None,
        };
        tracing::debug!(operation = ?call.operation, method = %call.method, status = reply.status.as_u16(), number);
        if call.expect.accepts(reply.status) {
            return Ok(reply);
        }
        if reply.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            return Err(Failure::fatal(proxy_login()));
        }
        let (status, headers) = (reply.status, reply.headers.clone());
        let (body, broken) = reply.beginning(ERROR_BODY).await;
        let mut failure = Failure::reply(service.error(status, &headers, &body), &headers);
        if status == StatusCode::FORBIDDEN && self.was_misdated(assumed) {
            failure.again = Again::Redated;
        }
        Err(match broken {
            Some(broken) if failure.again == Again::Never => Failure::cut_short(broken, status),
            _ => failure,
        })
    }

    fn parts(&self, call: &Call) -> Result<request::Parts> {
        let endpoint = &self.0.endpoint;
        let query = if call.query.is_empty() { "" } else { "?" };
        let target = format!("{}{}{query}{}", endpoint.base_path(), call.path, call.query);
        let internal = |what: String| Error::new(ErrorKind::Internal, what).during(call.operation);
        // `Uri` would cut off at a number sign without a word.
        if !call.path.starts_with('/') || call.path.contains('?') || target.contains('#') {
            return Err(internal("a request's path or query isn't encoded".to_owned()));
        }
        let uri = Uri::builder()
            .scheme(endpoint.scheme())
            .authority(endpoint.authority())
            .path_and_query(target)
            .build()
            .map_err(|error| internal(format!("a request's path or query is no URI: {error}")))?;
        let mut request = Request::new(());
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = call.headers.clone();
        let headers = request.headers_mut();
        headers.entry(USER_AGENT).or_insert_with(|| self.0.user_agent.clone());
        if call.body.len() > 0 || call.method == Method::PUT || call.method == Method::POST {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(call.body.len()));
        }
        Ok(request.into_parts().0)
    }

    async fn exchange(
        &self,
        mut request: Request<OutBody>,
        watch: &Watch,
        patience: Duration,
    ) -> Result<Response<Incoming>, Failure> {
        let config = &self.0.config;
        let mut connection = capture_connection(&mut request);
        // Connecting has its own timeout; the others count once a connection stands.
        let expired = async {
            drop(connection.wait_for_connection_metadata().await);
            watch.touch();
            watch.expired(config.idle_timeout, patience).await;
        };
        let result = tokio::select! {
            result = self.0.client.request(request) => result,
            () = expired => return Err(self.too_late(watch, patience)),
        };
        let response = result.map_err(|error| match watch.take_error() {
            Some(error) => Failure::fatal(error),
            None => {
                let (error, again) = fault::transport(error, self.0.endpoint.authority());
                Failure { error, again, wait: None }
            }
        })?;
        let old = |since: &Since| since.0.elapsed() >= self.0.longest_use;
        if response.extensions().get::<Since>().is_some_and(old)
            && let Some(connected) = connection.connection_metadata().as_ref()
        {
            connected.poison();
        }
        Ok(response)
    }

    fn too_late(&self, watch: &Watch, patience: Duration) -> Failure {
        let (idle, host) = (self.0.config.idle_timeout, self.0.endpoint.authority());
        let message = if watch.is_done() {
            format!("{host}: no reply within {patience:?}")
        } else {
            format!("{host}: no byte of the request could be sent for {idle:?}")
        };
        Failure { error: Error::new(ErrorKind::Timeout, message), again: Again::Few, wait: None }
    }

    fn learn_skew(&self, response: &Response<Incoming>) {
        if let Some(date) = header_date(response.headers(), DATE) {
            let skew = date.as_second() - Timestamp::now().as_second();
            self.0.skew.store(skew, Ordering::Relaxed);
        }
    }

    /// Whether the server's clock is far from what it was assumed to be when a request was signed. By now it is known.
    fn was_misdated(&self, assumed: Option<i64>) -> bool {
        let learnt = self.skew().unwrap_or_default();
        learnt.abs_diff(assumed.unwrap_or_default()) > CLOCK_SUSPECT
    }
}

fn need_of(call: &Call) -> Need {
    match call.body {
        CallBody::Empty | CallBody::Chunks(_) => Need::Server,
        CallBody::Replay { .. } => Need::Others,
    }
}

fn give_up(error: Error, call: &Call, attempts: u32) -> Error {
    let error = error.during(call.operation);
    if attempts > 1 { error.with("attempts", attempts.to_string()) } else { error }
}

fn proxy_login() -> Error {
    Error::new(ErrorKind::Unreachable, "the proxy wants a login (407)")
        .help("give user name and password in the proxy's URL: http://user:password@host:port")
}

/// Signing may add a query, and nothing else to where a request goes.
fn check_target(before: &Uri, after: &Uri) -> Result<()> {
    let same = before.scheme() == after.scheme()
        && before.authority() == after.authority()
        && before.path() == after.path();
    if same {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Internal, "signing changed where the request goes; it wasn't sent"))
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient")
            .field("endpoint", &self.0.endpoint)
            .field("config", &self.0.config)
            .field("skew", &self.skew())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "client_flow_tests.rs"]
mod flow_tests;

#[cfg(test)]
#[path = "client_renew_tests.rs"]
mod renew_tests;
