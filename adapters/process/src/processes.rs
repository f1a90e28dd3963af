//! Finding and ending what a job has started, from `/proc`.

use std::collections::HashSet;
use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tokio::time::{Instant, sleep};

/// The variable that marks what belongs to an attempt: `JOB-ID.TASK.ATTEMPT`.
pub(crate) const MARK: &str = "CABOTAGE_TASK_ID";

/// How often it is looked whether something has ended.
const LOOK: Duration = Duration::from_millis(20);
/// How long what was killed may take to be gone.
const KILLED: Duration = Duration::from_secs(20);

/// A process.
#[derive(Clone, Copy, Debug)]
struct Process {
    pid: i32,
    parent: i32,
    group: i32,
    /// Ended, and not waited for yet.
    dead: bool,
}

/// Which processes are meant.
#[derive(Clone, Debug)]
pub(crate) struct Family {
    /// They carry a mark that begins so.
    pub mark: String,
    /// Or are of that process group.
    pub group: Option<u32>,
}

impl Family {
    /// Those that live, with all that descends from them; parents before their children.
    pub(crate) fn members(&self) -> Vec<i32> {
        let living: Vec<Process> = table().into_iter().filter(|process| !process.dead).collect();
        let group = self.group.and_then(|group| i32::try_from(group).ok());
        let belongs = |process: &Process| Some(process.group) == group || self.marks(process.pid);
        let mut found: HashSet<i32> =
            living.iter().filter(|process| belongs(process)).map(|process| process.pid).collect();
        let mut before = 0;
        while found.len() > before {
            before = found.len();
            let children: Vec<i32> =
                living.iter().filter(|p| found.contains(&p.parent)).map(|p| p.pid).collect();
            found.extend(children);
        }
        parents_first(living.into_iter().filter(|process| found.contains(&process.pid)).collect())
    }

    fn marks(&self, pid: i32) -> bool {
        let Ok(variables) = fs::read(format!("/proc/{pid}/environ")) else { return false };
        let wanted = format!("{MARK}={}", self.mark);
        variables.split(|byte| *byte == 0).any(|variable| variable.starts_with(wanted.as_bytes()))
    }

    /// Waits until none lives, no longer than that.
    pub(crate) async fn gone_within(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        loop {
            if self.members().is_empty() {
                return true;
            }
            if Instant::now() >= end {
                return false;
            }
            sleep(LOOK).await;
        }
    }

    /// Asks all to end, and makes them when the grace is over. Whether none is left.
    pub(crate) async fn end(&self, grace: Duration) -> bool {
        self.signal(Signal::TERM);
        if self.gone_within(grace).await {
            return true;
        }
        let end = Instant::now() + KILLED;
        while Instant::now() < end {
            self.signal(Signal::KILL);
            if self.gone_within(LOOK).await {
                return true;
            }
        }
        false
    }

    fn signal(&self, signal: Signal) {
        for pid in self.members().into_iter().filter_map(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }
}

/// A shell that sees its child end before it is told to end itself goes on with its next command.
fn parents_first(mut family: Vec<Process>) -> Vec<i32> {
    let mut ordered = Vec::with_capacity(family.len());
    while !family.is_empty() {
        let all: HashSet<i32> = family.iter().map(|process| process.pid).collect();
        let (first, later): (Vec<Process>, Vec<Process>) =
            family.into_iter().partition(|process| !all.contains(&process.parent));
        if first.is_empty() {
            ordered.extend(later.iter().map(|process| process.pid));
            break;
        }
        ordered.extend(first.iter().map(|process| process.pid));
        family = later;
    }
    ordered
}

/// Children of this process that it didn't start: what tasks left, after their own parents ended.
pub(crate) fn adopted(own: &HashSet<u32>) -> Vec<i32> {
    let me = i32::try_from(std::process::id()).unwrap_or(-1);
    let mut living = Vec::new();
    for child in table().into_iter().filter(|process| process.parent == me) {
        if u32::try_from(child.pid).is_ok_and(|pid| own.contains(&pid)) {
            continue;
        }
        match Pid::from_raw(child.pid) {
            Some(pid) if child.dead => drop(waitpid(Some(pid), WaitOptions::NOHANG)),
            _ => living.push(child.pid),
        }
    }
    living
}

/// Ends the children that this process didn't start. Whether none is left.
pub(crate) async fn end_adopted(own: &HashSet<u32>) -> bool {
    let end = Instant::now() + KILLED;
    while Instant::now() < end {
        let living = adopted(own);
        if living.is_empty() {
            return true;
        }
        for pid in living.into_iter().filter_map(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
        sleep(LOOK).await;
    }
    false
}

fn table() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| process(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)).collect()
}

/// `PID (NAME) STATE PARENT GROUP …`; the name may hold anything.
fn process(pid: i32, stat: &str) -> Option<Process> {
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
    let dead = matches!(fields.next()?, "Z" | "X" | "x");
    Some(Process { pid, parent: fields.next()?.parse().ok()?, group: fields.next()?.parse().ok()?, dead })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order() {
        let process = |pid, parent| Process { pid, parent, group: 1, dead: false };
        assert_eq!(
            parents_first(vec![process(2, 9), process(9, 5), process(5, 1), process(6, 1)]),
            [5, 6, 9, 2]
        );
        assert_eq!(parents_first(vec![process(1, 2), process(2, 1)]).len(), 2);
    }

    #[test]
    fn a_line_of_stat() {
        let read = process(7, "7 (a) Z ) b) S 1 5 5 0 -1").unwrap();
        assert_eq!((read.pid, read.parent, read.group, read.dead), (7, 1, 5, false));
        assert!(process(7, "7 (a) Z 1 5 5").unwrap().dead);
        assert!(process(7, "7 (a").is_none());
        assert!(table().iter().any(|process| process.pid == i32::try_from(std::process::id()).unwrap()));
    }
}
