//! Jobs in TOML files.

use std::collections::BTreeMap;
use std::path::Path;

use cabotage_core::compute::{JobName, JobSpec, Mount, Resources};
use cabotage_core::{Error, Result};
use serde::Deserialize;
use toml::Table;

use crate::settings::{invalid, typed};
use crate::{ByteSize, TimeSpan, fields};

/// What a file says of a job.
#[derive(Deserialize)]
struct JobFile {
    name: String,
    command: Vec<String>,
    image: Option<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    tasks: Option<u32>,
    parallelism: Option<u32>,
    retries_per_task: Option<u32>,
    timeout: Option<TimeSpan>,
    resources: Option<Table>,
    #[serde(default)]
    mounts: Vec<Table>,
}

#[derive(Deserialize)]
struct ResourcesTable {
    /// Processors: 0.5, 2.
    cpu: Option<toml::Value>,
    memory: Option<ByteSize>,
}

#[derive(Deserialize)]
struct MountTable {
    source: String,
    target: String,
    #[serde(default)]
    read_only: bool,
}

/// Reads a job's file.
///
/// ```toml
/// name = "index"
/// command = ["./index", "--all"]   # no shell reads it: a pipeline is ["sh", "-c", "a | b"]
/// tasks = 16                       # told apart by CABOTAGE_TASK_INDEX; 1 when left out
/// parallelism = 4                  # how many at once; 1 when left out
/// retries_per_task = 2             # 0 when left out
/// timeout = "30m"                  # of one attempt; none when left out
/// resources = { memory = "2GiB", cpu = 1.5 }
/// env = { LANG = "C.UTF-8" }
/// ```
///
/// # Errors
/// `InvalidConfig` naming the file and what is wrong in it; the nearest valid name for a key that is unknown.
pub fn job_from_file(path: &Path) -> Result<JobSpec> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| invalid(format!("the job's file can't be read: {error}")).about(&shown))?;
    parse(&text).map_err(|error: Error| error.about(&shown))
}

fn parse(text: &str) -> Result<JobSpec> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        // Its own text spells out the line, which may hold a secret.
        let line = error
            .span()
            .map_or(1, |span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
        invalid(format!("line {line} is no TOML: {}", error.message()))
    })?;
    fields::check(&table, "a job", &[fields::of::<JobFile>()])?;
    let file: JobFile = typed(table, "the job")?;
    let resources = match file.resources {
        Some(table) => {
            fields::check(&table, "resources", &[fields::of::<ResourcesTable>()])?;
            let limits: ResourcesTable = typed(table, "resources")?;
            let cpu_millis = limits.cpu.as_ref().map(millis).transpose()?;
            Resources { cpu_millis, memory: limits.memory.map(|memory| memory.0) }
        }
        None => Resources::default(),
    };
    let spec = JobSpec {
        image: file.image,
        env: file.env,
        resources,
        mounts: file.mounts.into_iter().map(mount).collect::<Result<_>>()?,
        tasks: file.tasks.unwrap_or(1),
        parallelism: file.parallelism.unwrap_or(1),
        retries_per_task: file.retries_per_task.unwrap_or(0),
        timeout: file.timeout.map(|timeout| timeout.0),
        ..JobSpec::new(JobName::new(file.name)?, file.command)
    };
    spec.check()?;
    Ok(spec)
}

/// Processors as thousandths.
fn millis(cpu: &toml::Value) -> Result<u32> {
    let wrong = || invalid("resources.cpu is a number of processors, such as 0.5 or 2");
    let count = cpu.as_float().or_else(|| cpu.as_integer().map(|count| count as f64)).ok_or_else(wrong)?;
    let millis = (count * 1000.0).round();
    if !(1.0..=1e9).contains(&millis) {
        return Err(wrong());
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is between 1 and a milliard"
    )]
    Ok(millis as u32)
}

fn mount(table: Table) -> Result<Mount> {
    fields::check(&table, "mounts", &[fields::of::<MountTable>()])?;
    let MountTable { source, target, read_only } = typed(table, "mounts")?;
    Ok(Mount { source, target, read_only })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_whole_job() {
        let spec = parse(
            "name = 'index'\ncommand = ['./index', '']\ntasks = 3\nparallelism = 2\nretries_per_task = 1\ntimeout = '2m'\n\
             resources = { memory = '64MiB', cpu = 1.5 }\nenv = { A = 'b' }\n[[mounts]]\nsource = 'v'\ntarget = '/v'\n",
        )
        .unwrap();
        assert_eq!(
            (spec.name.as_str(), spec.tasks, spec.parallelism, spec.retries_per_task),
            ("index", 3, 2, 1)
        );
        assert_eq!(spec.timeout, Some(Duration::from_secs(120)));
        assert_eq!(spec.resources, Resources { cpu_millis: Some(1500), memory: Some(64 << 20) });
        assert_eq!(spec.command, ["./index", ""]);
        assert_eq!(spec.mounts.len(), 1);
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, part) in [
            ("name = 'a'", "command"),
            ("name = 'a'\ncommand = ['b']\nparalelism = 2", "did you mean 'parallelism'?"),
            ("name = 'A'\ncommand = ['b']", "no name for a job"),
            ("name = 'a'\ncommand = 'b'", "command"),
            ("name = 'a'\ncommand = []", "empty"),
            ("name = 'a'\ncommand = ['b']\ntasks = 0", "0 tasks"),
            ("name = 'a'\ncommand = ['b']\ntasks = -1", "tasks"),
            ("name = 'a'\ncommand = ['b']\ntimeout = 5", "timeout"),
            ("name = 'a'\ncommand = ['b']\nresources = { ram = '1GiB' }", "resources has no key 'ram'"),
            ("name = 'a'\ncommand = ['b']\nresources = { cpu = 'two' }", "resources.cpu"),
            ("name = 'a'\ncommand = ['b']\nresources = { cpu = -1 }", "resources.cpu"),
            ("name = 'a'\ncommand = ['b']\nresources = { memory = '1 parsec' }", "memory"),
            ("name = 'a'\n= 'hush'", "line 2"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(
                error.contains(part) && !error.contains("hush") && !error.contains('\n'),
                "{text}: {error}"
            );
        }
    }
}
