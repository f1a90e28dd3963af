//! Connections: TCP, the proxy's tunnel, TLS.

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use cabotage_core::{Error, ErrorKind, Operation, Result, Secret};
use http::{HeaderValue, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tower_service::Service;

use crate::{HttpConfig, redact_url};

type Fault = Box<dyn std::error::Error + Send + Sync>;
type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send>>;

/// Opens connections for the pool, within the connect timeout.
#[derive(Clone)]
pub(crate) struct Connector {
    route: Route,
    tls: Arc<Tls>,
    timeout: Duration,
}

/// What TLS is set up with: at the first connection that wants it, since reading the system's certificates takes some
/// milliseconds and many clients never do.
struct Tls {
    /// The certificates of `ca_file`.
    given: RootCertStore,
    config: OnceLock<Arc<ClientConfig>>,
}

impl Connector {
    /// # Errors
    /// `InvalidConfig` for a proxy or CA file that can't be used, or a system without trusted certificates.
    pub(crate) fn new(config: &HttpConfig) -> Result<Self> {
        let proxy = config.proxy.as_deref().map(Proxy::parse).transpose()?;
        let given = given_roots(config.ca_file.as_deref())?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        tcp.set_connect_timeout(Some(config.connect_timeout));
        let tls = Arc::new(Tls { given, config: OnceLock::new() });
        Ok(Self { route: Route { tcp, proxy }, tls, timeout: config.connect_timeout })
    }
}

impl Connector {
    fn open(&mut self, to: Uri) -> Connecting<MaybeHttpsStream<RouteStream>> {
        if to.scheme_str() != Some("https") {
            let connecting = self.route.call(to);
            return Box::pin(async move { Ok(MaybeHttpsStream::Http(connecting.await?)) });
        }
        match self.tls.config() {
            Ok(config) => HttpsConnector::from((self.route.clone(), config)).call(to),
            Err(error) => Box::pin(std::future::ready(Err(error.into()))),
        }
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<RouteStream>;
    type Error = Fault;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.route.poll_ready(cx)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let timeout = self.timeout;
        let connecting = self.open(to);
        Box::pin(async move {
            match tokio::time::timeout(timeout, connecting).await {
                Ok(connected) => connected,
                Err(_) => Err(ConnectFault::TimedOut(timeout).into()),
            }
        })
    }
}

/// What kept a connection from standing, where the libraries' errors don't say it.
#[derive(Debug)]
pub(crate) enum ConnectFault {
    /// The connect timeout passed.
    TimedOut(Duration),
    /// The proxy didn't open the tunnel.
    Proxy(String),
}

impl fmt::Display for ConnectFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut(after) => write!(f, "no connection within {after:?}"),
            Self::Proxy(why) => write!(f, "the proxy opens no tunnel: {why}"),
        }
    }
}

impl std::error::Error for ConnectFault {}

/// The way to the server: direct or through the proxy.
#[derive(Clone)]
pub(crate) struct Route {
    tcp: HttpConnector,
    proxy: Option<Proxy>,
}

impl Service<Uri> for Route {
    type Response = RouteStream;
    type Error = Fault;
    type Future = Connecting<RouteStream>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let Some(proxy) = &self.proxy else {
            let connecting = self.tcp.call(to);
            return Box::pin(async move { Ok(RouteStream::new(connecting.await?, false)) });
        };
        if to.scheme_str() != Some("https") {
            let connecting = self.tcp.call(proxy.uri.clone());
            return Box::pin(async move { Ok(RouteStream::new(connecting.await?, true)) });
        }
        let mut tunnel = Tunnel::new(proxy.uri.clone(), self.tcp.clone());
        if let Some(auth) = proxy.auth.clone() {
            tunnel = tunnel.with_auth(auth);
        }
        let connecting = tunnel.call(to);
        Box::pin(async move {
            match connecting.await {
                Ok(stream) => Ok(RouteStream::new(stream, false)),
                Err(error) if std::error::Error::source(&error).is_some() => Err(error.into()),
                Err(error) => Err(ConnectFault::Proxy(error.to_string()).into()),
            }
        })
    }
}

/// An HTTP proxy.
#[derive(Clone)]
pub(crate) struct Proxy {
    uri: Uri,
    auth: Option<HeaderValue>,
}

impl Proxy {
    /// Reads `http://[user:password@]host[:port]`; user and password may be percent-encoded.
    ///
    /// # Errors
    /// `InvalidConfig`, without the user name or password.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::new(ErrorKind::InvalidConfig, format!("the proxy {} {why}", redact_url(text)))
                .during(Operation::Open)
                .help("write it as http://host:port or http://user:password@host:port")
        };
        let rest = match text.trim().split_once("://") {
            None => text.trim(),
            Some(("http", rest)) => rest,
            Some(_) => return Err(wrong("is no http:// proxy")),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority),
        };
        let uri: Uri = format!("http://{place}/").parse().map_err(|_| wrong("is no valid URL"))?;
        if place.contains(['/', '?', '#']) || uri.host().is_none_or(str::is_empty) {
            return Err(wrong("has no host or a path"));
        }
        let auth = login
            .map(|login| basic(&Secret::new(login)))
            .transpose()
            .map_err(|()| wrong("has a bad login"))?;
        Ok(Self { uri, auth })
    }

    /// What a request that goes through the proxy without a tunnel must carry.
    pub(crate) fn auth(&self) -> Option<&HeaderValue> {
        self.auth.as_ref()
    }
}

fn basic(login: &Secret) -> Result<HeaderValue, ()> {
    let (user, password) = login.reveal().split_once(':').unwrap_or((login.reveal(), ""));
    let mut plain = decode(user)?;
    plain.push(b':');
    plain.extend(decode(password)?);
    let text = base64::engine::general_purpose::STANDARD.encode(plain);
    let mut value = HeaderValue::from_str(&format!("Basic {text}")).map_err(|_| ())?;
    value.set_sensitive(true);
    Ok(value)
}

fn decode(text: &str) -> Result<Vec<u8>, ()> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16)).ok_or(());
        let value = digit()? * 16 + digit()?;
        out.push(u8::try_from(value).map_err(|_| ())?);
    }
    Ok(out)
}

/// A connection, and whether requests on it must be in absolute form (RFC 9112, 3.2.2: to a proxy).
pub(crate) struct RouteStream {
    stream: TokioIo<TcpStream>,
    absolute: bool,
    since: Since,
}

/// When a connection was opened.
#[derive(Clone, Copy)]
pub(crate) struct Since(pub(crate) Instant);

impl RouteStream {
    fn new(stream: TokioIo<TcpStream>, absolute: bool) -> Self {
        Self { stream, absolute, since: Since(Instant::now()) }
    }
}

impl Connection for RouteStream {
    fn connected(&self) -> Connected {
        Connected::new().proxy(self.absolute).extra(self.since)
    }
}

impl Read for RouteStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl Write for RouteStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
}

impl Tls {
    fn config(&self) -> Result<Arc<ClientConfig>> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(tls_config(self.given.clone())?);
        Ok(Arc::clone(self.config.get_or_init(|| config)))
    }
}

/// The certificates of the file.
fn given_roots(ca_file: Option<&Path>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca_file {
        add_file(&mut roots, path)?;
    }
    Ok(roots)
}

/// TLS 1.2 and 1.3 by rustls with ring; the system's certificates and those given.
fn tls_config(mut roots: RootCertStore) -> Result<ClientConfig> {
    let native = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(native.certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| Error::new(ErrorKind::Internal, "TLS can't be set up").caused_by(error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<()> {
    let wrong = |why: String| {
        Error::new(ErrorKind::InvalidConfig, format!("the certificates of ca_file can't be used: {why}"))
            .during(Operation::Open)
            .about(path.display().to_string())
            .help("give a PEM file of CA certificates")
    };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
    let mut count = 0_usize;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
        count += 1;
    }
    if count == 0 {
        return Err(wrong("it holds none".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
#[path = "connect_tests.rs"]
mod tests;
