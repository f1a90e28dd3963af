//! The example service, over real HTTP.
#![cfg(feature = "memory")]
#![allow(clippy::unwrap_used, dead_code, reason = "a test; the example's own main is not called")]

#[path = "../examples/serve.rs"]
mod serve;

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

async fn started() -> SocketAddr {
    let store = cabotage::open("memory://uploads/here").await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, serve::router(store)).await });
    address
}

/// Status, headers in lower case, body.
async fn ask(address: SocketAddr, method: &str, headers: &str, body: &str) -> (u16, String, String) {
    let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} /a/b%20c HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    connection.read_to_string(&mut reply).await.unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), head.to_ascii_lowercase(), body.to_owned())
}

fn etag_of(head: &str) -> String {
    head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned()
}

#[tokio::test]
async fn uploads_are_stored_and_served() {
    let address = started().await;
    assert_eq!(ask(address, "GET", "", "").await.0, 404);
    let (status, head, _) =
        ask(address, "PUT", "If-None-Match: *\r\nContent-Type: text/x\r\n", "0123456789").await;
    assert_eq!(status, 201);
    let etag = etag_of(&head);
    assert_eq!(ask(address, "PUT", "If-None-Match: *\r\n", "other").await.0, 412);
    assert_eq!(ask(address, "PUT", "If-Match: \"other\"\r\n", "other").await.0, 412);
    let (status, head, body) = ask(address, "GET", "", "").await;
    assert_eq!((status, body.as_str(), etag_of(&head)), (200, "0123456789", etag.clone()));
    assert!(head.contains("content-type: text/x") && head.contains("accept-ranges: bytes"), "{head}");
    let (status, head, body) = ask(address, "HEAD", "", "").await;
    assert!(status == 200 && head.contains("content-length: 10") && body.is_empty(), "{head}");
    assert_eq!(ask(address, "PUT", &format!("If-Match: {etag}\r\n"), "new").await.0, 201);
    assert_eq!(ask(address, "GET", "", "").await.2, "new");
}

#[tokio::test]
async fn ranges_and_conditions() {
    let address = started().await;
    let etag = etag_of(&ask(address, "PUT", "", "0123456789").await.1);
    for (headers, status, told, body) in [
        ("Range: bytes=2-4\r\n", 206, "content-range: bytes 2-4/10", "234"),
        ("Range: bytes=7-\r\n", 206, "content-range: bytes 7-9/10", "789"),
        ("Range: bytes=7-99\r\n", 206, "content-range: bytes 7-9/10", "789"),
        ("Range: bytes=-3\r\n", 206, "content-range: bytes 7-9/10", "789"),
        ("Range: bytes=10-\r\n", 416, "content-range: bytes */10", ""),
        ("Range: bytes=-0\r\n", 416, "content-range: bytes */10", ""),
        ("Range: bytes=4-2\r\n", 200, "content-length: 10", "0123456789"),
        ("Range: bytes=0-1,3-4\r\n", 200, "content-length: 10", "0123456789"),
        ("Range: lines=0-1\r\n", 200, "content-length: 10", "0123456789"),
        ("Range: bytes=2-4\r\nIf-Range: \"other\"\r\n", 200, "content-length: 10", "0123456789"),
        (&format!("Range: bytes=2-4\r\nIf-Range: {etag}\r\n"), 206, "content-length: 3", "234"),
        (&format!("If-None-Match: {etag}\r\n"), 304, &etag, ""),
        ("If-None-Match: \"other\"\r\n", 200, "content-length: 10", "0123456789"),
    ] {
        let reply = ask(address, "GET", headers, "").await;
        assert_eq!((reply.0, reply.2.as_str()), (status, body), "{headers}");
        assert!(reply.1.contains(told), "{headers}: {}", reply.1);
    }
}
