//! Tells systemd how the run is: `sd_notify(3)`, `Type=notify`.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cabotage_engine::{Snapshot, Stop};

use crate::Watched;

/// How often the status is told where the watchdog doesn't ask for more.
const EVERY: Duration = Duration::from_secs(10);
/// It is never told more often, however impatient the watchdog is.
const AT_MOST: Duration = Duration::from_millis(10);

/// The way to the service manager; clones are the same one. Failures to tell are no failures of the run.
#[derive(Clone, Debug)]
pub struct Notifier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    socket: UnixDatagram,
    manager: SocketAddr,
    /// After how long without a beat the manager takes the process for dead.
    watchdog: Option<Duration>,
    stopping: AtomicBool,
}

impl Notifier {
    /// To the manager that started this process; none where none wants to be told.
    #[must_use]
    pub fn of_process() -> Option<Self> {
        Self::of(|name| std::env::var_os(name), std::process::id())
    }

    /// To the one that those variables name.
    fn of(variable: impl Fn(&str) -> Option<OsString>, process: u32) -> Option<Self> {
        let place = variable("NOTIFY_SOCKET")?;
        let opened = address(place.as_bytes()).and_then(|manager| {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            Ok((socket, manager))
        });
        let (socket, manager) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                tracing::warn!(%error, "NOTIFY_SOCKET can't be used: the service manager is not told of this run");
                return None;
            }
        };
        let text = |name: &str| variable(name)?.into_string().ok();
        // Another process may be the one that is watched.
        let meant = text("WATCHDOG_PID").is_none_or(|id| id == process.to_string());
        let micros =
            text("WATCHDOG_USEC").and_then(|micros| micros.parse().ok()).filter(|micros| *micros > 0);
        let watchdog = micros.filter(|_| meant).map(Duration::from_micros);
        Some(Self(Arc::new(Inner { socket, manager, watchdog, stopping: AtomicBool::new(false) })))
    }

    /// Tells that the run has begun, then again and again how it is; never ends. Once, that the process is about to end: when
    /// the run is asked to stop, at the latest when this future is dropped.
    ///
    /// The watchdog gets its beat at half of its time, and only while the run goes on or rightly waits.
    pub async fn follow(&self, watched: &Watched, stop: &Stop) {
        let _last = LastWord(self);
        self.tell("READY=1");
        let stopping = async {
            stop.drain.cancelled().await;
            self.stopping();
        };
        tokio::join!(self.repeat(watched), stopping);
    }

    async fn repeat(&self, watched: &Watched) {
        let watchdog = self.0.watchdog;
        let every = watchdog.map_or(EVERY, |watchdog| EVERY.min(watchdog / 2).max(AT_MOST));
        let mut beats = Beats::default();
        loop {
            self.tell(&format!("STATUS={}", status(&watched.progress.snapshot())));
            if watchdog.is_some() && beats.is_due(watched.steps(), watched.waits()) {
                self.tell("WATCHDOG=1");
            }
            let due = Instant::now() + every;
            tokio::time::sleep_until(due.into()).await;
        }
    }

    fn stopping(&self) {
        if !self.0.stopping.swap(true, Ordering::Relaxed) {
            self.tell("STOPPING=1");
        }
    }

    fn tell(&self, text: &str) {
        if let Err(error) = self.0.socket.send_to_addr(text.as_bytes(), &self.0.manager) {
            tracing::debug!(%error, "the service manager could not be told");
        }
    }
}

/// Tells of the end when it is dropped.
struct LastWord<'a>(&'a Notifier);

impl Drop for LastWord<'_> {
    fn drop(&mut self) {
        self.0.stopping();
    }
}

/// Whether there is life since the last look.
#[derive(Debug, Default)]
struct Beats(Option<u64>);

impl Beats {
    fn is_due(&mut self, steps: u64, waits: bool) -> bool {
        self.0.replace(steps) != Some(steps) || waits
    }
}

/// A path, or after `@` a name in Linux' abstract namespace.
fn address(place: &[u8]) -> io::Result<SocketAddr> {
    let unknown = || io::Error::new(io::ErrorKind::InvalidInput, "neither a path nor an abstract name");
    match place.split_first() {
        Some((b'/', _)) => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(place)),
        #[cfg(target_os = "linux")]
        Some((b'@', name)) => {
            use std::os::linux::net::SocketAddrExt as _;
            SocketAddr::from_abstract_name(name)
        }
        _ => Err(unknown()),
    }
}

/// `1200 of 5000 objects done, 2 in trouble; waiting for the source`.
fn status(now: &Snapshot) -> String {
    let still = if now.listing_done { "" } else { "+" };
    let mut text = format!("{} of {}{still} objects done", now.done, now.listed);
    if now.trouble > 0 {
        text += &format!(", {} in trouble", now.trouble);
    }
    for (down, end) in [(now.source_down, "source"), (now.destination_down, "destination")] {
        if down {
            text += &format!("; waiting for the {end}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn of(variables: &[(&str, &str)]) -> Option<Notifier> {
        let variables: HashMap<_, _> = variables.iter().copied().collect();
        Notifier::of(|name| variables.get(name).map(OsString::from), 7)
    }

    fn heard(manager: &UnixDatagram) -> String {
        let mut buffer = [0; 512];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn nobody_is_told_where_nobody_wants_to_know() {
        assert!(of(&[]).is_none());
        for place in ["", "relative", "vsock:2:1234"] {
            assert!(of(&[("NOTIFY_SOCKET", place)]).is_none(), "{place:?}");
        }
    }

    #[test]
    fn the_end_is_told_once_by_path_and_by_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("@cabotage-test-{}", std::process::id());
        let by_path = UnixDatagram::bind(&path).unwrap();
        let by_name = UnixDatagram::bind_addr(&address(name.as_bytes()).unwrap()).unwrap();
        for (manager, place) in [(by_path, path.to_str().unwrap()), (by_name, &name)] {
            let notifier = of(&[("NOTIFY_SOCKET", place)]).unwrap();
            notifier.stopping();
            notifier.clone().stopping();
            notifier.tell("after");
            assert_eq!([heard(&manager), heard(&manager)], ["STOPPING=1", "after"]);
        }
        of(&[("NOTIFY_SOCKET", "/nowhere/at/all")]).unwrap().stopping();
    }

    #[test]
    fn which_watchdog() {
        for (variables, seconds) in [
            (vec![], None),
            (vec![("WATCHDOG_USEC", "30000000")], Some(30)),
            (vec![("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "7")], Some(30)),
            (vec![("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "8")], None),
            (vec![("WATCHDOG_USEC", "0")], None),
            (vec![("WATCHDOG_USEC", "soon")], None),
        ] {
            let all = [&variables[..], &[("NOTIFY_SOCKET", "/x")]].concat();
            assert_eq!(of(&all).unwrap().0.watchdog, seconds.map(Duration::from_secs), "{variables:?}");
        }
    }

    #[test]
    fn no_beat_while_nothing_goes_on_and_nothing_is_waited_for() {
        let mut beats = Beats::default();
        let seen = [(0, false), (0, false), (1, false), (1, true), (1, false), (2, false)];
        assert_eq!(
            seen.map(|(steps, waits)| beats.is_due(steps, waits)),
            [true, false, true, true, false, true]
        );
    }

    #[test]
    fn what_is_told() {
        let now = Snapshot { listed: 5, done: 3, ..Snapshot::default() };
        assert_eq!(status(&now), "3 of 5+ objects done");
        let now = Snapshot { listing_done: true, trouble: 1, source_down: true, ..now };
        assert_eq!(status(&now), "3 of 5 objects done, 1 in trouble; waiting for the source");
    }
}
