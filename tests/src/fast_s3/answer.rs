//! Answers and refusals.

use bytes::Bytes;
use hyper::Response;
use hyper::header::CONTENT_TYPE;

use super::body::Chunks;
use super::query::Target;

/// An answer.
pub(super) type Answer = Response<Chunks>;

/// A request that can't be done, as S3 says it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal {
    status: u16,
    code: &'static str,
}

impl Refusal {
    pub fn new(status: u16, code: &'static str) -> Self {
        Self { status, code }
    }

    pub fn answer(self, head: bool) -> Answer {
        if head {
            return empty(self.status);
        }
        let code = self.code;
        xml(self.status, &format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>"))
    }
}

pub(super) fn empty(status: u16) -> Answer {
    with_status(Response::new(Chunks::default()), status)
}

pub(super) fn text(status: u16, kind: &'static str, text: String) -> Answer {
    let mut answer = Response::new(Chunks::of(Bytes::from(text)));
    answer.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    with_status(answer, status)
}

pub(super) fn xml(status: u16, inner: &str) -> Answer {
    text(status, "application/xml", format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{inner}"))
}

fn with_status(mut answer: Answer, status: u16) -> Answer {
    *answer.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    answer
}

/// A bucket without versions, locks or a region.
pub(super) fn configuration(target: &Target) -> Result<Answer, Refusal> {
    let inner = if target.has("location") {
        "<LocationConstraint/>"
    } else if target.has("versioning") {
        "<VersioningConfiguration/>"
    } else if target.has("versions") {
        "<ListVersionsResult><IsTruncated>false</IsTruncated></ListVersionsResult>"
    } else {
        return Err(Refusal::new(404, "ObjectLockConfigurationNotFoundError"));
    };
    Ok(xml(200, inner))
}

/// Text as it stands in XML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The text of the first element of that name; enough for what clients send.
pub(super) fn inner<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let start = xml.find(&format!("<{name}>"))? + name.len() + 2;
    let len = xml[start..].find(&format!("</{name}>"))?;
    Some(&xml[start..start + len])
}

/// The texts of all elements of that name.
pub(super) fn each<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(&open).skip(1).filter_map(|rest| rest.split(&close).next()).collect()
}

/// XML's five entities, resolved.
pub(super) fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#34;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}
