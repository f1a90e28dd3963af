//! Small objects whose listing doesn't tell their attributes: the reply that brings the content tells them too, and saves
//! a head.

use std::sync::atomic::Ordering;

use cabotage_core::{Error, ErrorKind, ObjectBody, ReadOptions, Result};

use super::{Keys, Preparation, Task, changed, prepare, prepare_as, tells_all};
use crate::context::Context;
use crate::plan::{Plan, plan};

/// Makes an object ready, and opens its content where that tells its attributes.
///
/// # Errors
/// Those of [`prepare`] and of a read; `SourceChanged`.
pub(crate) async fn open(context: &Context, task: &Task) -> Result<(Preparation, Option<ObjectBody>)> {
    if !is_worth_it(context, task)? {
        return Ok((prepare(context, task).await?, None));
    }
    let keys = Keys::of(context, task)?;
    let options = ReadOptions::pinned(None, task.listed.etag.clone());
    let read = context.source.store.read(&keys.source, options).await;
    let body = read.map_err(|error| changed(error, &keys.source))?;
    if body.info.size != task.listed.size {
        return Err(other_size(task, &body).on(&keys.source));
    }
    if !tells_all(context, &body.info) {
        context.reads_tell.store(false, Ordering::Relaxed);
        return Ok((prepare(context, task).await?, None));
    }
    let info = body.info.clone();
    Ok((prepare_as(context, task, keys, info).await?, Some(body)))
}

/// Whether the listing leaves something open that a read may tell, and the object goes in one request.
fn is_worth_it(context: &Context, task: &Task) -> Result<bool> {
    if tells_all(context, &task.listed) || !context.reads_tell.load(Ordering::Relaxed) {
        return Ok(false);
    }
    let plan = plan(task.listed.size, context.destination.store.capabilities(), &context.options)?;
    Ok(matches!(plan, Plan::Single))
}

/// Under the listed ETag the size is the listed one: something on the way cut the reply short, or the source is in another
/// state.
fn other_size(task: &Task, body: &ObjectBody) -> Error {
    if task.listed.etag.is_some() {
        let text = format!("{} bytes were announced, {} were listed", body.info.size, task.listed.size);
        return Error::new(ErrorKind::Truncated, text);
    }
    Error::new(ErrorKind::SourceChanged, "the object changed since it was listed")
}
