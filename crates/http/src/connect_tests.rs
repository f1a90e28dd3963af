use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Mutex;

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::test_support::{TestService, get, quick};
use crate::testing::{Answer, ReplyQueue};
use crate::{Endpoint, HttpClient};

/// A TLS server on 127.0.0.1 that answers 200 to everything, and its authority's certificate as PEM.
fn tls_server(name: &str, versions: &[&'static rustls::SupportedProtocolVersion]) -> (SocketAddr, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut tls = StreamOwned::new(connection, stream.unwrap());
            let mut head = [0; 4096];
            if tls.read(&mut head).is_ok_and(|read| read > 0) {
                let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
                let _ = tls.write_all(reply).and_then(|()| tls.flush());
                tls.conn.send_close_notify();
                let _ = tls.flush();
            }
        }
    });
    (address, authority.pem())
}

const BOTH: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

fn with_ca(pem: &str) -> (tempfile::TempDir, HttpConfig) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, pem).unwrap();
    let config = HttpConfig { ca_file: Some(path), ..quick() };
    (folder, config)
}

async fn ask(url: &str, config: &HttpConfig) -> Result<bytes::Bytes> {
    let client = HttpClient::new(Endpoint::parse(url).unwrap(), config)?;
    client.send(&TestService::default(), get("/b/k")).await?.bytes(100).await
}

#[tokio::test]
async fn a_private_authority_needs_ca_file() {
    for versions in [BOTH, &[&rustls::version::TLS12]] {
        let (address, pem) = tls_server("127.0.0.1", versions);
        let url = format!("https://{address}");
        let (_folder, config) = with_ca(&pem);
        assert_eq!(ask(&url, &config).await.unwrap(), "ok");
        let error = ask(&url, &quick()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable);
        assert!(error.message().contains("certificate is not trusted"), "{error}");
        assert!(error.advice().unwrap().contains("ca_file"), "{error}");
        assert_eq!(error.fact("attempts"), None, "not tried again");
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let (address, pem) = tls_server("other.example.com", BOTH);
    let (_folder, config) = with_ca(&pem);
    let error = ask(&format!("https://{address}"), &config).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.message().contains("not trusted") && error.message().contains("name"), "{error}");
}

#[tokio::test]
async fn a_server_without_tls() {
    for (answer, text) in [("", "TLS"), ("HTTP/1.1 400 Bad Request\r\n\r\n", "http:// rather than https://")]
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        let error = ask(&url, &quick()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable);
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[tokio::test]
async fn a_handshake_that_hangs_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let config = HttpConfig { connect_timeout: Duration::from_millis(200), ..quick() };
    let error = ask(&url, &config).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.message().contains("no connection within 200ms"), "{error}");
}

#[tokio::test]
async fn a_name_that_does_not_resolve() {
    let error = ask("https://cabotage-test.invalid", &quick()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.message().contains("name can't be resolved"), "{error}");
}

#[test]
fn ca_files_that_cannot_be_used() {
    for pem in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let (_folder, config) = with_ca(pem);
        let error = Connector::new(&config).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().contains("ca_file"), "{error}");
    }
    let config = HttpConfig { ca_file: Some("/no/such/file".into()), ..quick() };
    assert!(Connector::new(&config).is_err());
}

/// A proxy that opens tunnels when the login is right, and what it was asked.
async fn proxy(login: Option<&'static str>) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap();
                seen.lock().unwrap().push(head.clone());
                if login.is_some_and(|login| !head.contains(login)) {
                    let _ = stream.write_all(b"HTTP/1.1 407 Login\r\ncontent-length: 0\r\n\r\n").await;
                    return;
                }
                let to = head.split(' ').nth(1).unwrap();
                let mut server = tokio::net::TcpStream::connect(to).await.unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
            });
        }
    });
    (address, asked)
}

#[tokio::test]
async fn https_goes_through_a_tunnel() {
    let (address, pem) = tls_server("127.0.0.1", BOTH);
    let (_folder, config) = with_ca(&pem);
    // base64 of "me:p@ss"
    let (proxy, asked) = proxy(Some("Basic bWU6cEBzcw==")).await;
    let url = format!("https://{address}");
    let through =
        |login: &str| HttpConfig { proxy: Some(format!("http://{login}{proxy}")), ..config.clone() };
    assert_eq!(ask(&url, &through("me:p%40ss@")).await.unwrap(), "ok");
    let seen = asked.lock().unwrap()[0].clone();
    assert!(seen.starts_with(&format!("CONNECT {address} HTTP/1.1\r\n")), "{seen}");
    assert!(
        !seen.to_lowercase().contains("\r\nauthorization"),
        "no credential of the store reaches the proxy"
    );
    let error = ask(&url, &through("me:wrong@")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.message().contains("proxy") && !format!("{error:?}").contains("wrong"), "{error:?}");
}

#[tokio::test]
async fn http_goes_through_in_absolute_form() {
    let queue = ReplyQueue::start().await.unwrap();
    queue.push(Answer::new(200).body("ok"));
    let proxy = queue.url().replace("http://", "http://me:pass@");
    let config = HttpConfig { proxy: Some(proxy), allow_plaintext: true, ..quick() };
    let endpoint = Endpoint::parse("http://store.invalid:81/base").unwrap();
    let client = HttpClient::new(endpoint, &config).unwrap();
    client.send(&TestService::default(), get("/b/../a//k").query("x", "1")).await.unwrap();
    let received = &queue.received()[0];
    assert_eq!(received.target, "http://store.invalid:81/base/b/../a//k?x=1");
    assert_eq!(received.header("host"), "store.invalid:81");
    assert_eq!(received.header("proxy-authorization"), "Basic bWU6cGFzcw==");
}

#[tokio::test]
async fn a_proxy_that_is_down() {
    let config = HttpConfig { proxy: Some("127.0.0.1:1".to_owned()), ..quick() };
    let error = ask("https://store.invalid", &config).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.message().contains("connection refused"), "{error}");
}

#[test]
fn proxies_that_cannot_be_used() {
    for text in ["", "http://", "socks5://h:1", "https://h:1", "http://h:1/path", "http://u:hunter2%zz@h:1"] {
        let error = Proxy::parse(text).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{text}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    for text in ["proxy:3128", "http://proxy", "http://proxy:3128/", "http://[::1]:3128"] {
        assert!(Proxy::parse(text).is_ok(), "{text}");
    }
}
