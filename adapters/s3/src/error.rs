//! What a failed reply means: one table.

use cabotage_core::{Error, ErrorKind, Operation, Result, Timestamp};
use http::header::{CONTENT_TYPE, DATE};
use http::{HeaderMap, StatusCode};

use crate::xml;

/// Code in the reply's body → kind. What isn't here is decided by the status.
const CODES: &[(&str, ErrorKind)] = &[
    ("AccessDenied", ErrorKind::PermissionDenied),
    ("AccessForbidden", ErrorKind::PermissionDenied),
    ("AccountProblem", ErrorKind::AccountDenied),
    ("AllAccessDisabled", ErrorKind::AccountDenied),
    ("AuthorizationHeaderMalformed", ErrorKind::InvalidConfig),
    ("AuthorizationQueryParametersError", ErrorKind::InvalidConfig),
    ("BadDigest", ErrorKind::DigestMismatch),
    ("BucketAlreadyExists", ErrorKind::InvalidConfig),
    ("BucketAlreadyOwnedByYou", ErrorKind::InvalidConfig),
    ("ConditionalRequestConflict", ErrorKind::Throttled),
    ("ContentSHA256Mismatch", ErrorKind::DigestMismatch),
    ("EntityTooLarge", ErrorKind::TooLarge),
    ("EntityTooSmall", ErrorKind::Unsupported),
    ("ExpiredToken", ErrorKind::CredentialsExpired),
    ("InternalError", ErrorKind::Unavailable),
    ("InvalidAccessKeyId", ErrorKind::Unauthenticated),
    ("InvalidBucketName", ErrorKind::InvalidConfig),
    ("InvalidDigest", ErrorKind::DigestMismatch),
    ("InvalidObjectName", ErrorKind::KeyRejected),
    ("InvalidObjectState", ErrorKind::Archived),
    ("InvalidPart", ErrorKind::PreconditionFailed),
    ("InvalidPartOrder", ErrorKind::Internal),
    ("InvalidRange", ErrorKind::PreconditionFailed),
    ("InvalidSecurity", ErrorKind::Unauthenticated),
    ("InvalidStorageClass", ErrorKind::Unsupported),
    ("InvalidTag", ErrorKind::Unsupported),
    ("InvalidToken", ErrorKind::Unauthenticated),
    ("InvalidURI", ErrorKind::KeyRejected),
    ("KeyTooLong", ErrorKind::KeyRejected),
    ("KeyTooLongError", ErrorKind::KeyRejected),
    ("MetadataTooLarge", ErrorKind::Unsupported),
    ("MethodNotAllowed", ErrorKind::Unsupported),
    ("NoSuchBucket", ErrorKind::BucketNotFound),
    ("NoSuchKey", ErrorKind::NotFound),
    ("NoSuchTagSet", ErrorKind::NotFound),
    ("NoSuchUpload", ErrorKind::NotFound),
    ("NoSuchVersion", ErrorKind::NotFound),
    ("NotImplemented", ErrorKind::Unsupported),
    ("OperationAborted", ErrorKind::Throttled),
    ("PermanentRedirect", ErrorKind::InvalidConfig),
    ("PreconditionFailed", ErrorKind::PreconditionFailed),
    ("QuotaExceeded", ErrorKind::NoSpace),
    ("RequestTimeTooSkewed", ErrorKind::CredentialsExpired),
    ("RequestTimeout", ErrorKind::Timeout),
    ("ServiceUnavailable", ErrorKind::Unavailable),
    ("SignatureDoesNotMatch", ErrorKind::Unauthenticated),
    ("SlowDown", ErrorKind::Throttled),
    ("TemporaryRedirect", ErrorKind::InvalidConfig),
    ("TokenRefreshRequired", ErrorKind::CredentialsExpired),
    ("TooManyRequests", ErrorKind::Throttled),
    ("XAmzContentSHA256Mismatch", ErrorKind::DigestMismatch),
];

/// Status → kind, for replies without a code that is known.
fn by_status(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        300..=303 | 305..=399 => ErrorKind::InvalidConfig,
        304 | 412 | 416 => ErrorKind::PreconditionFailed,
        401 => ErrorKind::Unauthenticated,
        403 => ErrorKind::PermissionDenied,
        404 | 410 => ErrorKind::NotFound,
        405 | 411 | 501 => ErrorKind::Unsupported,
        408 => ErrorKind::Timeout,
        409 | 429 => ErrorKind::Throttled,
        413 => ErrorKind::TooLarge,
        414 => ErrorKind::KeyRejected,
        507 => ErrorKind::NoSpace,
        500..=599 => ErrorKind::Unavailable,
        400..=499 => ErrorKind::Unsupported,
        _ => ErrorKind::Protocol,
    }
}

/// What stands in the body of a failed reply, as far as it can be read.
#[derive(Debug, Default)]
struct Body {
    code: Option<String>,
    message: Option<String>,
    request_id: Option<String>,
    region: Option<String>,
    endpoint: Option<String>,
}

impl Body {
    fn of(root: &xml::Element<'_>) -> Self {
        let text = |name: &str| root.get(name).filter(|text| !text.is_empty()).map(str::to_owned);
        Self {
            code: text("Code"),
            message: text("Message"),
            request_id: text("RequestId"),
            region: text("Region"),
            endpoint: text("Endpoint"),
        }
    }
}

/// The error that a failed reply means.
pub(crate) fn of_reply(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    let parsed = xml::parse(body);
    if parsed.is_err() && should_tell_more(status, headers, body) {
        let message = format!("the server answered {status}, and its XML can't be read");
        return Error::new(ErrorKind::Protocol, message).with("status", status.as_str());
    }
    let mut body = parsed.map_or_else(|_| Body::default(), |root| Body::of(&root));
    let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    body.region = body.region.or_else(|| header("x-amz-bucket-region"));
    body.request_id = body.request_id.or_else(|| header("x-amz-request-id"));
    let error = build(Some(status), &body);
    match skew(headers) {
        Some(skew) if body.code.as_deref() == Some("RequestTimeTooSkewed") => {
            error.help(format!("the server's clock is {skew} s ahead of this machine's: set the clock (NTP)"))
        }
        _ => error,
    }
}

/// Whether the body is XML that tells the reason, so that it has arrived damaged where it can't be read. These statuses alone tell too little: a 400 may be a digest
/// that doesn't match, a 403 a clock that is wrong. What a proxy answers as a page of its own is told by its status.
fn should_tell_more(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let tells_too_little = matches!(status, StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN);
    tells_too_little && content_type.contains("xml") && !body.is_empty()
}

/// The error in a body that came with status 200 (CompleteMultipartUpload, CopyObject, DeleteObjects).
pub(crate) fn of_element(root: &xml::Element<'_>) -> Error {
    build(None, &Body::of(root))
}

/// Whether a body was refused because no MD5 came with it: a bucket with an Object Lock wants one (AWS: `InvalidRequest`
/// with "Content-MD5 OR x-amz-checksum- HTTP header is required").
pub(crate) fn demands_md5(error: &Error) -> bool {
    match error.fact("code") {
        Some("MissingContentMD5") => true,
        Some("InvalidRequest") => error.message().contains("Content-MD5"),
        _ => false,
    }
}

/// A reply's root element, unless it is an error.
///
/// # Errors
/// The error that the body holds; `Protocol` for another root than `expected`.
pub(crate) fn root_of<'d>(bytes: &'d [u8], expected: &str) -> Result<xml::Element<'d>> {
    let root = xml::parse(bytes)?;
    if root.name == "Error" {
        return Err(of_element(&root));
    }
    if root.name != expected {
        let message = format!("the server answered <{}> instead of <{expected}>", root.name);
        return Err(Error::new(ErrorKind::Protocol, message)
            .help("check the endpoint: a proxy or another service may answer there"));
    }
    Ok(root)
}

fn build(status: Option<StatusCode>, body: &Body) -> Error {
    let code = body.code.as_deref().unwrap_or_default();
    let known = CODES.iter().find(|(name, _)| *name == code).map(|(_, kind)| *kind);
    let kind = known.unwrap_or_else(|| status.map_or(ErrorKind::Protocol, by_status));
    let mut error = Error::new(kind, message(kind, status, body));
    if let Some(status) = status {
        error = error.with("status", status.as_str());
    }
    for (name, value) in [("code", &body.code), ("request-id", &body.request_id), ("region", &body.region)] {
        if let Some(value) = value {
            error = error.with(name, value);
        }
    }
    match advice(kind, code, body) {
        Some(advice) => error.help(advice),
        None => error,
    }
}

/// A refusal, with the right to ask for.
pub(crate) fn with_right(error: Error, bucket: &str) -> Error {
    let denied = error.kind() == ErrorKind::PermissionDenied && error.advice().is_none();
    let Some(right) = error.operation().filter(|_| denied).and_then(right) else { return error };
    let resource =
        if right == LIST { format!("the bucket {bucket}") } else { format!("the objects of {bucket}") };
    error.help(format!(
        "ask for {right} on {resource} for this access key (its policy, or that of the bucket); `cabotage check-access` names every \
         missing right"
    ))
}

const LIST: &str = "s3:ListBucket";

/// The actions that AWS checks for what was being done ("Actions, resources, and condition keys for Amazon S3").
fn right(operation: Operation) -> Option<&'static str> {
    Some(match operation {
        Operation::List => LIST,
        Operation::Head | Operation::Read => "s3:GetObject",
        Operation::ReadTags => "s3:GetObjectTagging",
        Operation::Write | Operation::WritePart | Operation::Complete => {
            "s3:PutObject (with tags also s3:PutObjectTagging)"
        }
        Operation::Upload => "s3:PutObject and s3:ListBucketMultipartUploads",
        Operation::Abort => "s3:AbortMultipartUpload",
        Operation::SetAttributes | Operation::Copy => {
            "s3:GetObject and s3:PutObject (with tags also s3:PutObjectTagging)"
        }
        Operation::Delete => "s3:DeleteObject",
        _ => return None,
    })
}

fn message(kind: ErrorKind, status: Option<StatusCode>, body: &Body) -> String {
    if let Some(message) = &body.message {
        return message.clone();
    }
    let plain = match kind {
        ErrorKind::NotFound => "there is no such object",
        ErrorKind::BucketNotFound => "there is no such bucket",
        ErrorKind::PreconditionFailed => "the condition was not met",
        ErrorKind::PermissionDenied => "the server denies this",
        ErrorKind::Throttled => "the server asks to slow down",
        ErrorKind::DigestMismatch => "the server received other bytes than were sent",
        ErrorKind::Archived => "the object is archived",
        _ => "",
    };
    match (plain, &body.code, status) {
        ("", Some(code), _) => format!("the server answered {code}"),
        ("", None, Some(status)) => format!("the server answered {status}"),
        ("", None, None) => "the server answered with an error that it doesn't name".to_owned(),
        (plain, ..) => plain.to_owned(),
    }
}

fn advice(kind: ErrorKind, code: &str, body: &Body) -> Option<String> {
    let region = body.region.as_deref();
    let text = match (code, kind) {
        ("RequestTimeTooSkewed", _) => "set this machine's clock (NTP)".to_owned(),
        (_, ErrorKind::CredentialsExpired) => {
            "get new credentials (for temporary ones a new AWS_SESSION_TOKEN too), then run the same command again".to_owned()
        }
        ("SignatureDoesNotMatch", _) => "check the secret key, and the region that is signed".to_owned(),
        ("QuotaExceeded", _) => "raise the quota or free space".to_owned(),
        (_, ErrorKind::InvalidConfig) => match (region, body.endpoint.as_deref()) {
            (Some(region), _) => format!("the bucket is in region {region}: configure it"),
            (None, Some(endpoint)) => format!("the bucket is reached at {endpoint}: configure it"),
            (None, None) => {
                "check endpoint, region and addressing style; redirects aren't followed".to_owned()
            }
        },
        (_, ErrorKind::Unauthenticated) => "check the access key".to_owned(),
        (_, ErrorKind::BucketNotFound) => "check the bucket's name, the endpoint and the region".to_owned(),
        (_, ErrorKind::Archived) => "restore it first".to_owned(),
        _ => return None,
    };
    Some(text)
}

/// By how many seconds the server's clock is ahead, from a reply's Date.
pub(crate) fn skew(headers: &HeaderMap) -> Option<i64> {
    let text = headers.get(DATE)?.to_str().ok()?;
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(date.as_second() - Timestamp::now().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, code: &str) -> Error {
        let body =
            format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><RequestId>r1</RequestId></Error>");
        let body = if code.is_empty() { "" } else { &body };
        of_reply(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn table() {
        use ErrorKind as K;
        for (status, code, kind) in [
            (404, "NoSuchKey", K::NotFound),
            (404, "NoSuchBucket", K::BucketNotFound),
            (404, "", K::NotFound),
            (403, "AccessDenied", K::PermissionDenied),
            (403, "InvalidAccessKeyId", K::Unauthenticated),
            (403, "SignatureDoesNotMatch", K::Unauthenticated),
            (403, "RequestTimeTooSkewed", K::CredentialsExpired),
            (403, "InvalidObjectState", K::Archived),
            (403, "", K::PermissionDenied),
            (400, "ExpiredToken", K::CredentialsExpired),
            (400, "XAmzContentSHA256Mismatch", K::DigestMismatch),
            (400, "BadDigest", K::DigestMismatch),
            (400, "EntityTooLarge", K::TooLarge),
            (400, "KeyTooLongError", K::KeyRejected),
            (400, "SomethingNew", K::Unsupported),
            (503, "SlowDown", K::Throttled),
            (429, "", K::Throttled),
            (503, "", K::Unavailable),
            (500, "InternalError", K::Unavailable),
            (409, "OperationAborted", K::Throttled),
            (409, "ConditionalRequestConflict", K::Throttled),
            (412, "PreconditionFailed", K::PreconditionFailed),
            (412, "", K::PreconditionFailed),
            (304, "", K::PreconditionFailed),
            (416, "InvalidRange", K::PreconditionFailed),
            (301, "PermanentRedirect", K::InvalidConfig),
            (307, "", K::InvalidConfig),
            (501, "NotImplemented", K::Unsupported),
            (403, "QuotaExceeded", K::NoSpace),
        ] {
            assert_eq!(of(status, code).kind(), kind, "{status} {code}");
        }
        assert_eq!(of(404, "NoSuchKey").fact("code"), Some("NoSuchKey"));
        assert_eq!(of(404, "NoSuchKey").fact("request-id"), Some("r1"));
    }

    #[test]
    fn codes_are_unique() {
        for (i, (name, _)) in CODES.iter().enumerate() {
            assert!(CODES[i + 1..].iter().all(|(other, _)| other > name), "{name} is out of order or double");
        }
    }

    #[test]
    fn a_redirect_names_the_region() {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-bucket-region", "eu-west-3".parse().unwrap());
        let error = of_reply(StatusCode::MOVED_PERMANENTLY, &headers, b"");
        assert!(error.to_string().contains("eu-west-3"), "{error}");
    }

    #[test]
    fn an_error_with_status_200_is_seen() {
        let error = root_of(b"<Error><Code>InternalError</Code></Error>", "CopyObjectResult").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let error = root_of(b"<Other/>", "CopyObjectResult").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert_eq!(root_of(b"<A><B/></A>", "A").unwrap().children.len(), 1);
    }

    #[test]
    fn a_refusal_names_the_right() {
        for (operation, right) in [
            (Operation::List, "ask for s3:ListBucket on the bucket b for"),
            (Operation::Read, "ask for s3:GetObject on the objects of b for"),
            (Operation::Write, "s3:PutObject"),
            (Operation::Delete, "s3:DeleteObject"),
        ] {
            let error = with_right(of(403, "AccessDenied").during(operation), "b");
            assert!(error.to_string().contains(right), "{error}");
        }
        let other = with_right(of(403, "SignatureDoesNotMatch").during(Operation::List), "b");
        assert!(!other.to_string().contains("ListBucket"), "{other}");
    }

    #[test]
    fn damaged_xml_is_no_refusal() {
        let xml = HeaderMap::from_iter([(CONTENT_TYPE, "application/xml".parse().unwrap())]);
        let html = HeaderMap::from_iter([(CONTENT_TYPE, "text/html".parse().unwrap())]);
        for (status, headers, body, kind) in [
            (400, &xml, "<Error><Code>XAmzCo", ErrorKind::Protocol),
            (403, &xml, "\u{1}", ErrorKind::Protocol),
            (403, &xml, "", ErrorKind::PermissionDenied),
            (403, &html, "<html><br></html>", ErrorKind::PermissionDenied),
            (404, &xml, "<Error", ErrorKind::NotFound),
            (400, &xml, "<Error><Code>BadDigest</Code></Error>", ErrorKind::DigestMismatch),
        ] {
            let error = of_reply(StatusCode::from_u16(status).unwrap(), headers, body.as_bytes());
            assert_eq!(error.kind(), kind, "{status} {body}: {error}");
        }
    }

    #[test]
    fn expired_credentials_are_to_be_renewed() {
        let error = of(400, "ExpiredToken");
        assert!(error.to_string().contains("AWS_SESSION_TOKEN"), "{error}");
    }

    #[test]
    fn the_clock_is_named() {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        let body = b"<Error><Code>RequestTimeTooSkewed</Code></Error>";
        let error = of_reply(StatusCode::FORBIDDEN, &headers, body);
        assert!(error.to_string().contains("clock"), "{error}");
    }
}
