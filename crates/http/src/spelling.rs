//! The letter case of header names on the wire.
//!
//! HTTP compares header names without their case, and [`HeaderMap`] holds them in lower case; but Azure keeps the names of
//! metadata as they were sent. hyper sends and tells names in their own case for proxies
//! ([`preserve_header_case`](hyper::client::conn::http1::Builder::preserve_header_case)): it notes them in the extensions of
//! each message that it reads, and follows such a note in each message that it writes. The note's type is private, so it is
//! made and read by hyper itself: a connection in memory reads a message with those names, or writes one.

use std::collections::BTreeMap;

use bytes::Bytes;
use cabotage_core::{Error, ErrorKind, Result};
use http::{Extensions, HeaderMap, Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

/// Room in memory for one message: more than a message's head can have here.
const ROOM: usize = 256 << 10;

/// The note that makes hyper write those names as they are spelled here.
///
/// # Errors
/// `Internal` when hyper doesn't read what was made for it.
pub(crate) async fn note(names: &[String]) -> Result<Extensions> {
    let mut message = String::from("HTTP/1.1 204 No Content\r\n");
    for name in names {
        message.push_str(name);
        message.push_str(": x\r\n");
    }
    message.push_str("\r\n");
    let (_, response) = exchange(Request::new(Empty::new()), message.as_bytes()).await?;
    Ok(response.into_parts().0.extensions)
}

/// The names of those headers as they were spelled, by their lower-case form. `extensions` are those of the message that
/// hyper has read; names of which they know nothing are in lower case.
///
/// # Errors
/// `Internal` when hyper doesn't write what was made for it.
pub(crate) async fn spelled(headers: HeaderMap, extensions: Extensions) -> Result<BTreeMap<String, String>> {
    let mut request = Request::new(Empty::new());
    *request.headers_mut() = headers;
    *request.extensions_mut() = extensions;
    let (head, _) = exchange(request, b"HTTP/1.1 204 No Content\r\n\r\n").await?;
    let head = String::from_utf8_lossy(&head);
    let names = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    Ok(names.map(|(name, _)| (name.to_ascii_lowercase(), name.to_owned())).collect())
}

/// Sends the request over a connection in memory, and answers it; gives the head as it was written, and the response.
async fn exchange(request: Request<Empty<Bytes>>, answer: &[u8]) -> Result<(Vec<u8>, Response<Incoming>)> {
    let broken = |error: hyper::Error| {
        Error::new(ErrorKind::Internal, "the case of header names can't be told").caused_by(error)
    };
    let (ours, theirs) = tokio::io::duplex(ROOM);
    let (mut sender, connection) = http1::Builder::new()
        .preserve_header_case(true)
        .max_headers(crate::client::REPLY_HEADERS)
        .handshake(TokioIo::new(ours))
        .await
        .map_err(broken)?;
    // The connection ends when the answering end is dropped; what kept it from its work shows in the response.
    let (response, head, _) = tokio::join!(sender.send_request(request), serve(theirs, answer), connection);
    Ok((head, response.map_err(broken)?))
}

/// Reads a head, then writes the answer. What goes wrong shows at the other end.
async fn serve(mut stream: DuplexStream, answer: &[u8]) -> Vec<u8> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if !matches!(stream.read_buf(&mut head).await, Ok(read) if read > 0) {
            return head;
        }
    }
    let _ = stream.write_all(answer).await;
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_noted_is_told() {
        let names = ["X-Ms-Meta-Owner_Id", "x-ms-meta-UPPER", "x-ms-meta-lower"].map(String::from);
        let note = note(&names).await.unwrap();
        let mut headers = HeaderMap::new();
        for name in names.iter().map(String::as_str).chain(["content-type"]) {
            headers.insert(
                http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
                http::HeaderValue::from_static("a: b"),
            );
        }
        let told = spelled(headers, note).await.unwrap();
        for name in names {
            assert_eq!(told[&name.to_ascii_lowercase()], name);
        }
        assert_eq!(told["content-type"], "content-type");
        assert_eq!(spelled(HeaderMap::new(), Extensions::new()).await.unwrap().len(), 0);
    }

    #[tokio::test]
    async fn as_many_names_as_a_blob_can_have() {
        let names: Vec<_> = (0..1_500).map(|n| format!("x-ms-meta-N{n}")).collect();
        let note = note(&names).await.unwrap();
        let headers = names.iter().map(|name| {
            (http::HeaderName::from_bytes(name.as_bytes()).unwrap(), http::HeaderValue::from_static("1"))
        });
        assert_eq!(spelled(headers.collect(), note).await.unwrap().len(), 1_500);
    }
}
