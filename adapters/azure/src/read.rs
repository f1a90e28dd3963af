//! Get Blob and Get Blob Properties.

use std::ops::Range;

use cabotage_core::{
    Detail, Error, ErrorKind, Key, ObjectBody, ObjectInfo, Operation, ReadOptions, ReadRange, Result, Tags,
    Timestamp,
};
use cabotage_http::{Call, Reply};
use http::header::{CONTENT_RANGE, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE, RANGE};
use http::{Method, StatusCode};

use crate::info::{self, Md5Of};
use crate::sign;
use crate::store::Inner;
use crate::wire::text;

impl Inner {
    pub(crate) async fn head(&self, key: &Key, detail: Detail, options: &ReadOptions) -> Result<ObjectInfo> {
        self.check_name(key)?;
        let call = self.wire.blob_call(Operation::Head, Method::HEAD, key);
        let reply = self.wire.send(conditions(call, options)?).await?;
        let size =
            reply.content_length().ok_or_else(|| protocol("the reply doesn't tell the blob's length"))?;
        let mut info = info::from_headers(key, &reply.headers, size, Md5Of::Blob);
        info::spell(&mut info, &reply).await?;
        let tags = match (info::tag_count(&reply.headers), detail) {
            (Some(0), _) => Some(Tags::new()),
            _ if self.tags.none() => Some(Tags::new()),
            (_, Detail::Basic) => None,
            (None, Detail::WithTags) if self.tags.known() => Some(Tags::new()),
            (_, Detail::WithTags) => self.read_tags(key, options.version.as_deref()).await?,
        };
        if let Some(attributes) = &mut info.attributes {
            attributes.tags = tags;
        }
        Ok(info)
    }

    pub(crate) async fn read(&self, key: &Key, mut options: ReadOptions) -> Result<ObjectBody> {
        self.check_name(key)?;
        if let Some(suffix @ ReadRange::Suffix(_)) = options.range {
            // The service has no ranges from the end; Azurite answers one with the whole blob and 206.
            let info = self.head(key, Detail::Basic, &options).await?;
            let range = suffix.within(info.size)?;
            options.range = Some(ReadRange::Bounded { start: range.start, end: range.end });
            options.if_match = options.if_match.or(info.etag);
        }
        let mut call = self.wire.blob_call(Operation::Read, Method::GET, key);
        let range = options.range;
        if let Some(range) = range {
            call = call.text_header(RANGE.as_str(), &range_text(range)?)?;
        }
        let reply = self.wire.send(conditions(call, &options)?).await?;
        let (mut info, range) = match range {
            Some(asked) => ranged(key, &reply, asked)?,
            None => whole(key, &reply)?,
        };
        if options.version.is_some() && info.version != options.version {
            // Azurite 3.37 takes no notice of the parameter.
            let message = "a version was asked for, and the server gave what it has: it keeps no versions";
            return Err(Error::new(ErrorKind::Unsupported, message).on(key));
        }
        info::spell(&mut info, &reply).await?;
        Ok(ObjectBody { info, range, stream: reply.stream() })
    }
}

fn conditions(mut call: Call, options: &ReadOptions) -> Result<Call> {
    if let Some(version) = &options.version {
        call = call.query("versionid", version);
    }
    for (name, etag) in [(IF_MATCH, &options.if_match), (IF_NONE_MATCH, &options.if_none_match)] {
        if let Some(etag) = etag {
            call = call.text_header(name.as_str(), &etag.quoted())?;
        }
    }
    let dates: [(_, Option<Timestamp>); 2] =
        [(IF_MODIFIED_SINCE, options.if_modified_since), (IF_UNMODIFIED_SINCE, options.if_unmodified_since)];
    for (name, date) in dates {
        if let Some(date) = date {
            call = call.header(name, sign::http_date(date)?);
        }
    }
    Ok(call)
}

/// # Errors
/// `PreconditionFailed` for a range that is empty whatever the blob's size.
fn range_text(range: ReadRange) -> Result<String> {
    match range {
        ReadRange::Bounded { start, end } => {
            range.within(u64::MAX)?;
            Ok(format!("bytes={start}-{}", end - 1))
        }
        ReadRange::From(start) => Ok(format!("bytes={start}-")),
        ReadRange::Suffix(last) => Ok(format!("bytes=-{last}")),
    }
}

fn whole(key: &Key, reply: &Reply) -> Result<(ObjectInfo, Range<u64>)> {
    let size = reply.content_length().ok_or_else(|| protocol("the reply doesn't tell the blob's length"))?;
    Ok((info::from_headers(key, &reply.headers, size, Md5Of::Blob), 0..size))
}

/// Compares what came with what was asked for. Azurite answers a range past the end with 206, no bytes and an end before
/// its start.
fn ranged(key: &Key, reply: &Reply, asked: ReadRange) -> Result<(ObjectInfo, Range<u64>)> {
    let told = text(&reply.headers, &CONTENT_RANGE).unwrap_or_default();
    let wrong =
        || protocol(&format!("the reply's Content-Range is '{told}', which is not what was asked for"));
    let (place, size) =
        told.strip_prefix("bytes ").and_then(|rest| rest.split_once('/')).ok_or_else(wrong)?;
    let size: u64 = size.parse().map_err(|_| wrong())?;
    let range = asked.within(size)?;
    let expected = format!("{}-{}", range.start, range.end - 1);
    let length = reply.content_length().unwrap_or(range.end - range.start);
    if place != expected || length != range.end - range.start || reply.status != StatusCode::PARTIAL_CONTENT {
        return Err(wrong());
    }
    Ok((info::from_headers(key, &reply.headers, size, Md5Of::Range), range))
}

fn protocol(message: &str) -> Error {
    Error::new(ErrorKind::Protocol, message)
}
