//! A service that stores uploads and serves them, ranges too, from any store:
//! `cargo run -p cabotage --example serve -- s3://bucket/prefix 127.0.0.1:8080`.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{self, HeaderMap, HeaderName};
use axum::http::{Response, StatusCode};
use axum::routing::get;
use cabotage::{
    Detail, ETag, Error, ErrorKind, Key, ObjectInfo, ReadOptions, ReadRange, Storage, WriteMode,
    WriteOptions, WriterOptions,
};
use futures::TryStreamExt as _;
use tokio::io::AsyncWriteExt as _;

type Reply = Result<Response<Body>, Response<Body>>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let location = arguments.next().unwrap_or_else(|| "memory://uploads".to_owned());
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let store = cabotage::open(&location).await?;
    axum::serve(tokio::net::TcpListener::bind(address).await?, router(store)).await?;
    Ok(())
}

/// `PUT` and `GET` (and so `HEAD`) of `/any/key`.
pub fn router(store: Arc<dyn Storage>) -> Router {
    Router::new().route("/{*key}", get(download).put(upload)).with_state(store)
}

/// Streams the body into the store. `If-None-Match: *` creates only; `If-Match` replaces that state only. A client that
/// goes away half-way leaves nothing.
async fn upload(
    State(store): State<Arc<dyn Storage>>,
    Path(key): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let mode = match (text(&headers, header::IF_MATCH), text(&headers, header::IF_NONE_MATCH)) {
        (Some(etag), _) => WriteMode::IfMatch(ETag::new(etag)),
        (None, Some("*")) => WriteMode::Create,
        (None, _) => WriteMode::Replace,
    };
    let mut write = WriteOptions { mode, ..WriteOptions::default() };
    write.attributes.headers.content_type = text(&headers, header::CONTENT_TYPE).map(str::to_owned);
    let options = WriterOptions { write, ..WriterOptions::default() };
    let mut writer = cabotage::writer(store, Key::new(key).map_err(|error| refusal(&error))?, options);
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.try_next().await.map_err(|_| plain(StatusCode::BAD_REQUEST))? {
        writer.write_all(&chunk).await.map_err(|error| io_refusal(&error))?;
    }
    writer.shutdown().await.map_err(|error| io_refusal(&error))?;
    let mut reply = plain(StatusCode::CREATED);
    let etag = writer.written().and_then(|written| written.etag.as_ref());
    set(&mut reply, header::ETAG, etag.map(ETag::quoted));
    Ok(reply)
}

/// The object, or the one range asked for, read in the state that its head told. A list of ranges and one that is not
/// understood are answered with the whole, as RFC 9110 §14.2 allows.
async fn download(
    State(store): State<Arc<dyn Storage>>,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Reply {
    let key = Key::new(key).map_err(|error| refusal(&error))?;
    let info = store.head(&key, Detail::Basic).await.map_err(|error| refusal(&error))?;
    let etag = info.etag.as_ref().map(ETag::quoted);
    if let Some(known) = text(&headers, header::IF_NONE_MATCH)
        && known.split(',').any(|known| known.trim() == "*" || Some(known.trim()) == etag.as_deref())
    {
        let mut reply = plain(StatusCode::NOT_MODIFIED);
        set(&mut reply, header::ETAG, etag);
        return Ok(reply);
    }
    // A client that goes on with another state of the object gets the whole.
    let same = text(&headers, header::IF_RANGE).is_none_or(|known| Some(known) == etag.as_deref());
    let range = text(&headers, header::RANGE).and_then(range_of).filter(|_| same);
    if range.is_some_and(|range| range.within(info.size).is_err()) {
        let mut reply = plain(StatusCode::RANGE_NOT_SATISFIABLE);
        set(&mut reply, header::CONTENT_RANGE, Some(format!("bytes */{}", info.size)));
        return Ok(reply);
    }
    let body = store.read(&key, ReadOptions::pinned(range, info.etag.clone())).await;
    let body = body.map_err(|error| refusal(&error))?;
    let mut reply = Response::new(Body::from_stream(body.stream));
    describe(&mut reply, &info);
    set(&mut reply, header::CONTENT_LENGTH, Some((body.range.end - body.range.start).to_string()));
    if range.is_some() {
        *reply.status_mut() = StatusCode::PARTIAL_CONTENT;
        let told = format!("bytes {}-{}/{}", body.range.start, body.range.end - 1, info.size);
        set(&mut reply, header::CONTENT_RANGE, Some(told));
    }
    Ok(reply)
}

fn describe(reply: &mut Response<Body>, info: &ObjectInfo) {
    set(reply, header::ETAG, info.etag.as_ref().map(ETag::quoted));
    set(reply, header::ACCEPT_RANGES, Some("bytes".to_owned()));
    set(
        reply,
        header::CONTENT_TYPE,
        info.attributes.as_ref().and_then(|told| told.headers.content_type.clone()),
    );
}

/// `bytes=0-9`, `bytes=5-` or `bytes=-3`.
fn range_of(text: &str) -> Option<ReadRange> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    match (first.trim(), last.trim()) {
        ("", last) => Some(ReadRange::Suffix(last.parse().ok()?)),
        (first, "") => Some(ReadRange::From(first.parse().ok()?)),
        (first, last) => {
            let (start, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            (start <= last).then_some(ReadRange::Bounded { start, end: last.saturating_add(1) })
        }
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn set(reply: &mut Response<Body>, name: HeaderName, value: Option<String>) {
    if let Some(value) = value.and_then(|value| value.try_into().ok()) {
        reply.headers_mut().insert(name, value);
    }
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut reply = Response::new(Body::empty());
    *reply.status_mut() = status;
    reply
}

fn refusal(error: &Error) -> Response<Body> {
    plain(match error.kind() {
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        ErrorKind::KeyRejected => StatusCode::BAD_REQUEST,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::BAD_GATEWAY,
    })
}

/// What a writer failed with.
fn io_refusal(error: &std::io::Error) -> Response<Body> {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    inner.map_or_else(|| plain(StatusCode::INTERNAL_SERVER_ERROR), refusal)
}
