//! One attempt of a task: started, listened to, ended.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use cabotage_core::compute::{JobSpec, TASK_COUNT, TASK_INDEX, TaskEnd};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::folder::JobFolder;
use crate::log;
use crate::processes::{Family, MARK};
use crate::supervisor::Own;

/// What a task sees of the submitter's surroundings.
const KEPT: [&str; 6] = ["PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR"];
/// How long a task that is out of time may take to end.
const GRACE: Duration = Duration::from_secs(5);
/// How long what a task started may take to end after it: the last of a pipeline ends a little later.
const SETTLE: Duration = Duration::from_millis(500);

/// An attempt to make.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub folder: JobFolder,
    pub spec: JobSpec,
    pub id: String,
    pub index: u32,
    pub number: u32,
    /// The grace, once the job is to end.
    pub cancel: watch::Receiver<Option<Duration>>,
    pub own: Own,
}

/// How it came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Ended(TaskEnd),
    /// Ended because the job was cancelled.
    Cancelled,
}

impl Attempt {
    /// Runs it to its end: nothing of it runs then any more.
    pub(crate) async fn run(mut self) -> Ending {
        let mut child = match self.start().await {
            Ok(child) => child,
            Err(error) => return Ending::Ended(TaskEnd::NotStarted(self.reason(&error))),
        };
        let pid = child.id();
        self.own.add(pid);
        let family = Family { mark: self.mark(), group: pid };
        let logs = self.listen(&mut child).await;
        let ending = self.watch_over(&mut child, &family).await;
        self.own.remove(pid);
        hear_out(logs).await;
        ending
    }

    /// Ends with a dot, so that none is the beginning of another.
    fn mark(&self) -> String {
        format!("{}.{}.{}.", self.id, self.index, self.number)
    }

    async fn start(&self) -> io::Result<Child> {
        let (folder, index) = (self.folder.clone(), self.index);
        let work =
            tokio::task::spawn_blocking(move || folder.work(index)).await.map_err(io::Error::other)??;
        let mut command = self.command();
        command.env_clear().envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.envs(&self.spec.env);
        command.env(TASK_INDEX, self.index.to_string()).env(TASK_COUNT, self.spec.tasks.to_string());
        command.env(MARK, self.mark());
        command.current_dir(work).process_group(0).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    }

    /// The command; where memory is limited, a shell sets the limit and becomes the command.
    fn command(&self) -> Command {
        let words = &self.spec.command;
        let Some(memory) = self.spec.resources.memory else {
            let mut command = Command::new(words.first().map_or("", String::as_str));
            command.args(words.iter().skip(1));
            return command;
        };
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", r#"ulimit -v "$0" && exec "$@""#])
            .arg(memory.div_ceil(1024).to_string())
            .args(words);
        command
    }

    fn reason(&self, error: &io::Error) -> String {
        match error.kind() {
            io::ErrorKind::NotFound => format!("no program '{}' is found", self.spec.command[0]),
            _ => format!("'{}' can't be run: {error}", self.spec.command[0]),
        }
    }

    async fn listen(&self, child: &mut Child) -> JoinSet<io::Result<()>> {
        let mut logs = JoinSet::new();
        let path = self.folder.log(self.index);
        if let (Some(output), Ok(file)) = (child.stdout.take(), log::open(&path).await) {
            logs.spawn(log::keep(output, file, self.number));
        }
        if let (Some(output), Ok(file)) = (child.stderr.take(), log::open(&path).await) {
            logs.spawn(log::keep(output, file, self.number));
        }
        logs
    }

    async fn watch_over(&mut self, child: &mut Child, family: &Family) -> Ending {
        let timeout = self.spec.timeout;
        let out_of_time = async {
            match timeout {
                Some(timeout) => tokio::time::sleep(timeout).await,
                None => std::future::pending().await,
            }
        };
        let cancelled = async {
            let grace =
                self.cancel.wait_for(Option::is_some).await.map(|grace| grace.unwrap_or_default()).ok();
            match grace {
                Some(grace) => grace,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = child.wait() => Ending::Ended(after(ended, family).await),
            () = out_of_time => {
                end(child, family, GRACE).await;
                Ending::Ended(TaskEnd::TimedOut)
            }
            grace = cancelled => {
                end(child, family, grace).await;
                Ending::Cancelled
            }
        }
    }
}

/// Ends what the task left, and tells how it ended itself.
async fn after(ended: io::Result<ExitStatus>, family: &Family) -> TaskEnd {
    let left = if family.gone_within(SETTLE).await { 0 } else { family.members().len() };
    if left > 0 {
        family.end(GRACE).await;
    }
    let Ok(status) = ended else { return TaskEnd::Lost };
    match (status.code(), status.signal()) {
        (Some(0), _) if left > 0 => TaskEnd::LeftBehind(u32::try_from(left).unwrap_or(u32::MAX)),
        (Some(code), _) => TaskEnd::Exited(code),
        (None, Some(signal)) => TaskEnd::Killed(signal),
        (None, None) => TaskEnd::Lost,
    }
}

/// Ends the task with all that it started. Its own process has to be waited for meanwhile, else it is never gone.
async fn end(child: &mut Child, family: &Family, grace: Duration) {
    let (_, _) = tokio::join!(child.wait(), family.end(grace));
}

/// What was printed before the end is still in the pipes. Nothing is left that could print more; should something hold a
/// pipe all the same, it is not waited for.
async fn hear_out(mut logs: JoinSet<io::Result<()>>) {
    let heard = async { while logs.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(GRACE, heard).await;
}
