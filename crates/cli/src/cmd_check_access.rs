//! `cabotage check-access`.

use cabotage::{Location, Opened, Role, refuse_overlap};
use cabotage_core::{
    Access, Attributes, Detail, Error, ErrorKind, Key, ListItem, ListScope, ObjectInfo, ObjectLock, Payload,
    ReadOptions, ReadRange, Result, Support, Tags, Versioning, WriteMode, WriteOptions, display_key,
};
use cabotage_engine::remove_wholly;
use clap::Args;
use futures::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;

use crate::exit_code::Exit;
use crate::limit_args::LimitArgs;
use crate::made_folders::MadeFolders;
use crate::options::{Common, SseCKeys};
use crate::output::{Failure, Output};
use crate::run_job::open_both;
use crate::signals::Signals;

/// Beyond so many seconds servers refuse requests.
const SKEW_MAX: u64 = 900;
/// So many listed items are looked at for an object to read.
const LOOK_AT: usize = 1000;

#[derive(Args, Debug)]
pub(crate) struct CheckAccessArgs {
    /// Where the objects are; only read
    source: String,
    /// Where they go; one object of a random name is written, read and deleted
    destination: String,
    #[command(flatten)]
    keys: SseCKeys,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// What came of one check.
#[derive(Debug, Serialize)]
struct Check {
    side: &'static str,
    what: &'static str,
    state: State,
    /// The right's name with the provider, where the check is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    right: Option<&'static str>,
    /// Escaped.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    /// The right is missing.
    Missing,
    /// It failed otherwise.
    Failed,
    /// A fact to know; nothing that a run needs.
    Note,
}

pub(crate) async fn run(args: &CheckAccessArgs, common: &Common) -> Result<Exit, Failure> {
    let (source, destination) = (Location::parse(&args.source)?, Location::parse(&args.destination)?);
    let stores = common.stores()?;
    let made = MadeFolders::before_opening(&destination);
    let mut signals = Signals::new()?;
    let (ends, limits) = ((&source, &destination), LimitArgs::default());
    let opening = open_both(ends, &args.keys, &limits, Role::Destination, &stores, common);
    let opened = signals.or_interrupted(opening).await;
    let checked = match opened.and_then(|ends| refuse_overlap(&ends.0, &ends.1).map(|()| ends)) {
        Ok(ends) => Ok(try_both(&ends, &mut signals).await),
        Err(error) => Err(error),
    };
    made.remove();
    let (all, ended) = checked?;
    print(&all, args.json)?;
    ended?;
    let complete = all.iter().all(|check| matches!(check.state, State::Ok | State::Note));
    Ok(if complete { Exit::Success } else { Exit::Incomplete })
}

/// What was found out, and whether a signal cut it short. Then what was written is taken away again.
async fn try_both(
    (source, destination): &(Opened, Opened),
    signals: &mut Signals,
) -> (Vec<Check>, Result<()>) {
    let (mut reading, mut writing) = (Checks::of("source", source), Checks::of("destination", destination));
    let all = async {
        reading.reading().await;
        writing.writing().await;
    };
    let finished = tokio::select! {
        () = all => true,
        () = signals.next() => false,
    };
    let ended = if finished {
        Ok(())
    } else {
        let taken_back = tokio::select! {
            taken_back = writing.take_back() => taken_back,
            () = signals.next() => false,
        };
        Err(writing.interrupted(taken_back))
    };
    (reading.done.into_iter().chain(writing.done).collect(), ended)
}

fn print(checks: &[Check], as_json: bool) -> Result<(), Failure> {
    let mut output = Output::new();
    for check in checks {
        if as_json {
            output.json(check)?;
            continue;
        }
        let state = match check.state {
            State::Ok => "ok",
            State::Missing => "MISSING",
            State::Failed => "FAILED",
            State::Note => "note",
        };
        let about: Vec<&str> = check.right.into_iter().chain(check.detail.as_deref()).collect();
        let line = format!("{:<11}  {:<14}  {state:<7}  {}", check.side, check.what, about.join(": "));
        output.line(line.trim_end())?;
    }
    output.finish()
}

/// The checks of one side.
struct Checks<'a> {
    side: &'static str,
    opened: &'a Opened,
    done: Vec<Check>,
    /// Nothing more can be found out.
    lost: bool,
    /// The object that is, or may be, at the destination for the time of a check.
    probe: Option<Key>,
}

impl<'a> Checks<'a> {
    fn of(side: &'static str, opened: &'a Opened) -> Self {
        Self { side, opened, done: Vec::new(), lost: false, probe: None }
    }

    /// Removes what a check that was cut short may have written; whether nothing is left.
    async fn take_back(&self) -> bool {
        let Some(key) = &self.probe else { return true };
        let removed = remove_wholly(self.opened.store.as_ref(), Some(self.opened.probe.as_ref()), key).await;
        match removed {
            Ok(kept) => kept.is_none(),
            Err(error) => error.kind() == ErrorKind::NotFound,
        }
    }

    fn interrupted(&self, taken_back: bool) -> Error {
        match &self.probe {
            Some(key) if !taken_back => Error::new(
                ErrorKind::Cancelled,
                format!(
                    "interrupted; the object {} may be left at the destination",
                    display_key(key.as_str())
                ),
            )
            .help("delete it by hand"),
            _ => Error::new(ErrorKind::Cancelled, "interrupted; nothing is left at the destination"),
        }
    }

    async fn reading(&mut self) {
        let listed = self.list().await;
        match listed {
            Some(Some(object)) => {
                self.read(&object.key, object.size).await;
                self.read_tags(&object.key).await;
            }
            Some(None) => self.note("read", "no object is listed, so reading can't be tried"),
            None => {}
        }
        self.facts().await;
    }

    async fn writing(&mut self) {
        self.list().await;
        if self.lost {
            return;
        }
        let body = || Payload::from_bytes("cabotage");
        let written = match self.probe_key() {
            Ok(key) => {
                let create = WriteOptions { mode: WriteMode::Create, ..WriteOptions::default() };
                self.opened.store.write(&key, body(), create).await.map(|_| key)
            }
            Err(error) => Err(error),
        };
        if let Some(key) = self.right("write", Access::Write, written) {
            self.read(&key, 8).await;
            self.customer_key(&key).await;
            self.write_tags(&key, body()).await;
            self.remove(&key).await;
            self.wrong_digest().await;
        }
        self.facts().await;
    }

    async fn remove(&mut self, key: &Key) {
        let removed = remove_wholly(self.opened.store.as_ref(), Some(self.opened.probe.as_ref()), key).await;
        let shown = display_key(key.as_str());
        self.probe = None;
        match self.right("delete", Access::Delete, removed) {
            None => self.note("left behind", format!("the probe object {shown} stays")),
            Some(Some(why)) => {
                let why = why.message();
                self.note("left behind", format!("{shown} is hidden and stays as an old version: {why}"));
            }
            Some(None) => {}
        }
    }

    fn probe_key(&mut self) -> Result<Key> {
        let key = Key::new(format!("{}.cabotage-probe-{:032x}", self.opened.prefix, rand::random::<u128>()))?;
        self.probe = Some(key.clone());
        Ok(key)
    }

    /// `None`: failed; `Some(None)`: no object among the first that are listed.
    async fn list(&mut self) -> Option<Option<ObjectInfo>> {
        let items = self.opened.store.list(ListScope::prefix(self.opened.prefix.as_str()));
        let first = items.take(LOOK_AT).try_filter_map(|item| async move {
            Ok(match item {
                ListItem::Object(info) => Some(info),
                _ => None,
            })
        });
        let found = Box::pin(first).try_next().await;
        self.right("list", Access::List, found)
    }

    async fn read(&mut self, key: &Key, size: u64) {
        let range = (size > 0).then_some(ReadRange::Bounded { start: 0, end: 1 });
        let result = async {
            let body = self.opened.store.read(key, ReadOptions { range, ..ReadOptions::default() }).await?;
            body.stream.try_for_each(|_| async { Ok(()) }).await
        }
        .await;
        match &result {
            Err(error) if error.kind() == ErrorKind::Archived => {
                self.note("read", "the first object is archived, so reading can't be tried");
            }
            _ => {
                self.right("read", Access::Read, result);
            }
        }
    }

    async fn read_tags(&mut self, key: &Key) {
        if self.opened.store.capabilities().tags.max == 0 {
            return;
        }
        let told = self.opened.store.head(key, Detail::WithTags).await.and_then(|info| {
            let denied = || {
                Error::new(
                    ErrorKind::PermissionDenied,
                    "tags are not told; without them, objects are refused as tags-unreadable",
                )
            };
            info.attributes.and_then(|attributes| attributes.tags).map(drop).ok_or_else(denied)
        });
        self.right("read tags", Access::ReadTags, told);
    }

    async fn write_tags(&mut self, key: &Key, body: Payload) {
        if self.opened.store.capabilities().tags.max == 0 {
            return self.note("write tags", "the store has no tags");
        }
        let tags: Tags = [("cabotage".to_owned(), "probe".to_owned())].into();
        let attributes = Attributes { tags: Some(tags), ..Attributes::default() };
        let options = WriteOptions { attributes, ..WriteOptions::default() };
        let written = self.opened.store.write(key, body, options).await;
        if self.right("write tags", Access::WriteTags, written).is_some() {
            self.read_tags(key).await;
        }
    }

    async fn wrong_digest(&mut self) {
        let probed = match self.probe_key() {
            Ok(key) => self.opened.probe.wrong_digest(&key).await,
            Err(error) => Err(error),
        };
        self.probe = None;
        match probed {
            Ok(Support::Enforced) => {
                self.push("digests", State::Ok, None, Some("a body with a wrong digest is refused".into()));
            }
            Ok(_) => {
                self.note("digests", "a body with a wrong digest is not refused: use --verify read-back");
            }
            Err(error) => self.push("digests", State::Failed, None, Some(error.to_string())),
        }
    }

    async fn customer_key(&mut self, key: &Key) {
        let Some(id) = &self.opened.store.capabilities().customer_key else { return };
        let (state, detail) = match self.opened.probe.customer_key(key).await {
            Ok(Support::Enforced) => (State::Ok, format!("read with key {id} alone; use --verify read-back")),
            Ok(_) => (State::Failed, format!("what is written with key {id} is given away without it")),
            Err(error) => (State::Failed, error.to_string()),
        };
        self.push("SSE-C", state, None, Some(detail));
    }

    async fn object_lock(&mut self) {
        match self.opened.probe.object_lock().await {
            Ok(ObjectLock::On { default_retention: Some(retention) }) => self.note(
                "object lock",
                format!("each new object is locked ({retention}): nothing written can be removed before"),
            ),
            Ok(ObjectLock::On { default_retention: None }) => {
                self.note("object lock", "on, without a default retention");
            }
            Ok(ObjectLock::Off | ObjectLock::Unknown) => {}
            Err(error) => self.note("object lock", format!("not known: {error}")),
        }
    }

    async fn facts(&mut self) {
        if self.lost {
            return;
        }
        self.object_lock().await;
        match self.opened.probe.versioning().await {
            Ok(Versioning::On) => self.note(
                "versioning",
                "on: older versions are not moved, and what is overwritten or deleted is kept",
            ),
            Ok(Versioning::Off) => self.note("versioning", "off"),
            Ok(Versioning::Unknown) => self.note("versioning", "not known"),
            Err(error) => self.note("versioning", format!("not known: {error}")),
        }
        match self.opened.probe.clock_skew().await {
            Ok(None) => {}
            Ok(Some(skew)) if skew.unsigned_abs() > SKEW_MAX => {
                let detail = format!(
                    "the server's clock is {skew} s ahead of this machine's: set this machine's clock"
                );
                self.push("clock", State::Failed, None, Some(detail));
            }
            Ok(Some(skew)) => self.push("clock", State::Ok, None, Some(format!("{skew} s apart"))),
            Err(error) => self.push("clock", State::Failed, None, Some(error.to_string())),
        }
    }

    /// Notes whether what needs the right went well, and hands on its result.
    fn right<T>(&mut self, what: &'static str, access: Access, result: Result<T>) -> Option<T> {
        let right = Some(self.opened.probe.right(access));
        match result {
            Ok(value) => {
                self.push(what, State::Ok, right, None);
                Some(value)
            }
            Err(error) => {
                let denied = matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::AccountDenied);
                let state = if denied { State::Missing } else { State::Failed };
                self.lost |= matches!(
                    error.kind(),
                    ErrorKind::BucketNotFound | ErrorKind::Unauthenticated | ErrorKind::Unreachable
                );
                self.push(what, state, right, Some(without_advice(&error, denied)));
                None
            }
        }
    }

    fn note(&mut self, what: &'static str, detail: impl Into<String>) {
        self.push(what, State::Note, None, Some(detail.into()));
    }

    fn push(
        &mut self,
        what: &'static str,
        state: State,
        right: Option<&'static str>,
        detail: Option<String>,
    ) {
        self.done.push(Check { side: self.side, what, state, right, detail });
    }
}

/// A refusal's text. Its advice is the right that stands before it.
fn without_advice(error: &Error, denied: bool) -> String {
    let text = error.to_string();
    let advice = error.advice().filter(|_| denied).map(|advice| format!("; {advice}"));
    advice.and_then(|advice| text.strip_suffix(&advice)).unwrap_or(&text).to_owned()
}
