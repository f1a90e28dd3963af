//! Watching a job and reading logs, by looking at its folder now and then.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use cabotage_core::compute::{JobName, JobStatus, LogLine, LogOptions};
use cabotage_core::{Error, ErrorKind, Operation, Result};
use futures::stream::{self, BoxStream, StreamExt as _};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use crate::compute::ProcessCompute;
use crate::error::of_io;
use crate::log;

/// How often it is looked for news.
const LOOK: Duration = Duration::from_millis(100);

/// How the job is, and each change until its end.
pub(crate) fn watch(compute: ProcessCompute, name: JobName) -> BoxStream<'static, Result<JobStatus>> {
    stream::unfold(Some((compute, name, None::<JobStatus>)), |state| async move {
        let (compute, name, last) = state?;
        loop {
            match compute.look(&name).await {
                Ok(status) if last.as_ref() == Some(&status) => tokio::time::sleep(LOOK).await,
                Ok(status) => {
                    let next = (!status.phase().is_final()).then(|| (compute, name, Some(status.clone())));
                    return Some((Ok(status), next));
                }
                Err(error) => return Some((Err(error), None)),
            }
        }
    })
    .boxed()
}

/// A log that is being read.
struct Reading {
    compute: ProcessCompute,
    name: JobName,
    task: u32,
    options: LogOptions,
    path: PathBuf,
    file: Option<File>,
    /// What was read of a line that isn't whole yet.
    rest: Vec<u8>,
    ready: VecDeque<LogLine>,
    over: bool,
}

pub(crate) fn logs(
    compute: ProcessCompute,
    name: JobName,
    task: u32,
    options: LogOptions,
) -> BoxStream<'static, Result<LogLine>> {
    let opened = async move {
        let folder = compute.folder(&name).await?;
        let status = compute.look(&name).await?;
        if task as usize >= status.tasks.len() {
            let text = format!("there is no task {task}; there are {}", status.tasks.len());
            return Err(Error::new(ErrorKind::NotFound, text).during(Operation::Job).about(name.as_str()));
        }
        let (file, rest, ready) = (None, Vec::new(), VecDeque::new());
        let path = folder.log(task);
        Ok(Reading { compute, name, task, options, path, file, rest, ready, over: false })
    };
    stream::once(opened)
        .flat_map(|opened| match opened {
            Ok(reading) => stream::unfold(Some(reading), |reading| async {
                let mut reading = reading?;
                match reading.next().await {
                    Ok(Some(line)) => Some((Ok(line), Some(reading))),
                    Ok(None) => None,
                    Err(error) => Some((Err(error), None)),
                }
            })
            .boxed(),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        })
        .boxed()
}

impl Reading {
    async fn next(&mut self) -> Result<Option<LogLine>> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Ok(Some(line));
            }
            if self.over {
                return Ok(None);
            }
            // Asked before reading: what is printed between would be missed otherwise.
            let ended = !self.options.follow || self.has_ended().await?;
            if !self.read().await.map_err(|error| of_io("a log can't be read", error))? {
                self.over = ended;
                if !ended {
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }

    async fn has_ended(&self) -> Result<bool> {
        let status = self.compute.look(&self.name).await?;
        Ok(status.tasks.get(self.task as usize).is_none_or(|task| task.phase.is_final()))
    }

    /// Reads what there is; whether there was anything.
    async fn read(&mut self) -> std::io::Result<bool> {
        if self.file.is_none() {
            self.file = match File::open(&self.path).await {
                Ok(file) => Some(file),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(error),
            };
        }
        let Some(file) = &mut self.file else { return Ok(false) };
        let mut buffer = vec![0; 64 << 10];
        let count = file.read(&mut buffer).await?;
        self.rest.extend_from_slice(&buffer[..count]);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = log::parse(&line[..end]);
            self.ready.extend(line.filter(|line| self.options.since.is_none_or(|since| line.at >= since)));
        }
        Ok(count > 0)
    }
}
