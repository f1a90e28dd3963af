//! What a job is.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::JobName;
use crate::{Error, ErrorKind, Result};

/// The variable that tells a task its number, from 0.
pub const TASK_INDEX: &str = "CABOTAGE_TASK_INDEX";
/// The variable that tells a task how many there are.
pub const TASK_COUNT: &str = "CABOTAGE_TASK_COUNT";
/// The most tasks that a job may have: what a Kubernetes Indexed Job allows.
pub const MAX_TASKS: u32 = 100_000;

/// One command, run as a number of tasks that are told apart by [`TASK_INDEX`] alone.
///
/// A task gets what it needs from here: of its surroundings it must expect nothing but `PATH` and a working directory of its
/// own, empty at the first attempt and kept for the next ones on the same machine.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobSpec {
    /// Its name; no two jobs of one compute have the same.
    pub name: JobName,
    /// The program and its arguments, as they are: no shell reads them.
    pub command: Vec<String>,
    /// The container image that holds the program, where tasks run in containers.
    #[serde(default)]
    pub image: Option<String>,
    /// Variables of the tasks. May hold secrets: `Debug` shows their names alone.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// What each task gets.
    #[serde(default)]
    pub resources: Resources,
    /// What each task sees of the machine's or the cluster's files.
    #[serde(default)]
    pub mounts: Vec<Mount>,
    /// How many tasks there are, 1 to [`MAX_TASKS`].
    #[serde(default = "one")]
    pub tasks: u32,
    /// How many run at once; at least 1.
    #[serde(default = "one")]
    pub parallelism: u32,
    /// How often a task that failed is tried again.
    #[serde(default)]
    pub retries_per_task: u32,
    /// How long one attempt of a task may take; it is ended and has failed then.
    #[serde(default)]
    pub timeout: Option<Duration>,
}

fn one() -> u32 {
    1
}

/// What a task gets, at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// Thousandths of a processor.
    #[serde(default)]
    pub cpu_millis: Option<u32>,
    /// Bytes of memory.
    #[serde(default)]
    pub memory: Option<u64>,
}

/// A folder that a task sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mount {
    /// What: a volume's or claim's name, or a path of the machine.
    pub source: String,
    /// Where the task sees it: an absolute path.
    pub target: String,
    /// Whether the task can't write to it.
    #[serde(default)]
    pub read_only: bool,
}

impl JobSpec {
    /// A job of one task, without limits.
    #[must_use]
    pub fn new(name: JobName, command: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            name,
            command: command.into_iter().map(Into::into).collect(),
            image: None,
            env: BTreeMap::new(),
            resources: Resources::default(),
            mounts: Vec::new(),
            tasks: 1,
            parallelism: 1,
            retries_per_task: 0,
            timeout: None,
        }
    }

    /// Whether it can be run anywhere at all. Every `Compute` asks this first.
    ///
    /// # Errors
    /// `InvalidConfig` saying what is wrong.
    pub fn check(&self) -> Result<()> {
        let wrong = |text: String| Err(Error::new(ErrorKind::InvalidConfig, text).about(self.name.as_str()));
        if self.command.first().is_none_or(String::is_empty) {
            return wrong("the command is empty".into());
        }
        if self.command.iter().chain(self.env.values()).any(|text| text.contains('\0')) {
            return wrong(
                "the command or a variable holds a NUL character, which no program can be given".into(),
            );
        }
        if let Some(name) = self.env.keys().find(|name| !is_variable(name)) {
            return wrong(format!(
                "'{name}' can't be the name of a variable: letters, digits and _, no digit first"
            ));
        }
        if let Some(name) = self.env.keys().find(|name| name.starts_with("CABOTAGE_TASK_")) {
            return wrong(format!("the variable {name} is set for each task, and can't be given"));
        }
        if !(1..=MAX_TASKS).contains(&self.tasks) {
            return wrong(format!("{} tasks: 1 to {MAX_TASKS} are possible", self.tasks));
        }
        if self.parallelism == 0 {
            return wrong("a parallelism of 0 runs nothing: give at least 1".into());
        }
        if self.timeout.is_some_and(|timeout| timeout.is_zero()) {
            return wrong("a timeout of 0 ends every task: give a longer one, or none".into());
        }
        if self.resources.cpu_millis == Some(0) || self.resources.memory == Some(0) {
            return wrong(
                "a task without any processor or memory can't run: give more than 0, or no limit".into(),
            );
        }
        if let Some(mount) =
            self.mounts.iter().find(|mount| mount.source.is_empty() || !mount.target.starts_with('/'))
        {
            return wrong(format!("a mount needs a source and an absolute target: '{}'", mount.target));
        }
        Ok(())
    }
}

fn is_variable(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit())
}

impl fmt::Debug for JobSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobSpec")
            .field("name", &self.name.as_str())
            .field("command", &self.command)
            .field("image", &self.image)
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .field("resources", &self.resources)
            .field("mounts", &self.mounts)
            .field("tasks", &self.tasks)
            .field("parallelism", &self.parallelism)
            .field("retries_per_task", &self.retries_per_task)
            .field("timeout", &self.timeout)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> JobSpec {
        JobSpec::new(JobName::new("job").unwrap(), ["true"])
    }

    #[test]
    fn what_can_run_nowhere_is_refused_with_its_reason() {
        assert!(spec().check().is_ok());
        let env =
            |name: &str, value: &str| JobSpec { env: [(name.to_owned(), value.to_owned())].into(), ..spec() };
        let mount = Mount { source: "a".into(), target: "b".into(), read_only: true };
        for (wrong, part) in [
            (JobSpec { command: vec![], ..spec() }, "empty"),
            (JobSpec { command: vec![String::new()], ..spec() }, "empty"),
            (JobSpec { command: vec!["a".into(), "b\0".into()], ..spec() }, "NUL"),
            (env("A", "\0"), "NUL"),
            (env("", "x"), "variable"),
            (env("1A", "x"), "variable"),
            (env("A=B", "x"), "variable"),
            (env(TASK_INDEX, "x"), "is set for each task"),
            (JobSpec { tasks: 0, ..spec() }, "0 tasks"),
            (JobSpec { tasks: MAX_TASKS + 1, ..spec() }, "100001 tasks"),
            (JobSpec { parallelism: 0, ..spec() }, "parallelism"),
            (JobSpec { timeout: Some(Duration::ZERO), ..spec() }, "timeout"),
            (JobSpec { resources: Resources { memory: Some(0), cpu_millis: None }, ..spec() }, "memory"),
            (JobSpec { mounts: vec![mount], ..spec() }, "mount"),
        ] {
            let error = wrong.check().unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        }
        assert!(env("A_1", "any\ntext é").check().is_ok());
    }

    #[test]
    fn values_of_variables_are_not_shown() {
        let secret = JobSpec { env: [("TOKEN".to_owned(), "hush".to_owned())].into(), ..spec() };
        let shown = format!("{secret:?}");
        assert!(shown.contains("TOKEN") && !shown.contains("hush"), "{shown}");
    }

    #[test]
    fn json_comes_back_and_refuses_what_it_does_not_know() {
        let full = JobSpec { timeout: Some(Duration::from_millis(1500)), tasks: 3, ..spec() };
        let text = serde_json::to_string(&full).unwrap();
        assert_eq!(serde_json::from_str::<JobSpec>(&text).unwrap(), full);
        assert!(serde_json::from_str::<JobSpec>(r#"{"name":"a","command":["b"],"colour":"red"}"#).is_err());
        assert!(serde_json::from_str::<JobSpec>(r#"{"name":"A","command":["b"]}"#).is_err());
    }
}
