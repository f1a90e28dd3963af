//! The real binary, run as a user runs it.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread::JoinHandle;

/// The path of `cabotage`: `CABOTAGE_BIN`, else built once beside this test's own executable.
///
/// # Panics
/// When it can't be built.
#[must_use]
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("CABOTAGE_BIN") {
        Some(path) => path.into(),
        None => build(),
    })
}

/// Builds with the profile of this executable: `target/<profile>/deps/<test>`.
fn build() -> PathBuf {
    let test = std::env::current_exe().expect("this executable has a path");
    let folder = test.parent().and_then(Path::parent).expect("it lies in target/<profile>/deps").to_owned();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package", "cabotage-cli"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    if folder.file_name() == Some(OsStr::new("release")) {
        cargo.arg("--release");
    }
    let built = cargo.status().expect("cargo runs");
    assert!(built.success(), "cabotage-cli can't be built");
    folder.join("cabotage")
}

/// A command line of the binary with an environment of its own: nothing of the caller's cloud variables, home or
/// configuration reaches it.
#[derive(Debug)]
pub struct Cabotage {
    command: Command,
    secrets: Vec<String>,
}

impl Cabotage {
    /// `cabotage SUBCOMMAND`, with home and state under that folder.
    #[must_use]
    pub fn new(home: &Path, subcommand: &str) -> Self {
        let mut command = Command::new(binary());
        command.env_clear().env("HOME", home).env("XDG_STATE_HOME", home.join("state"));
        command.env("XDG_CONFIG_HOME", home.join("config")).env("PATH", "/usr/bin:/bin");
        command.arg(subcommand).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command, secrets: Vec::new() }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    /// Variables. Values of those that hold keys must not appear in any output.
    #[must_use]
    pub fn variables(mut self, variables: Vec<(String, String)>) -> Self {
        for (name, value) in variables {
            if name.contains("SECRET") {
                self.secrets.push(value.clone());
            } else if name.contains("CONNECTION_STRING") {
                let key = value.split(';').find_map(|pair| pair.strip_prefix("AccountKey="));
                self.secrets.extend(key.map(str::to_owned));
            }
            self.command.env(name, value);
        }
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When it can't be started, when it panics, or when a secret or a raw control character shows in its output.
    #[must_use]
    pub fn run(mut self) -> Run {
        let output = self.command.output().expect("the binary starts");
        Run::new(&self.command, output, &self.secrets)
    }

    /// Starts it; the caller ends it and waits for it.
    ///
    /// # Panics
    /// When it can't be started.
    #[must_use]
    pub fn spawn(mut self) -> Running {
        let child = self.command.spawn().expect("the binary starts");
        Running { child, command: self.command, secrets: self.secrets, heard: None }
    }
}

/// A run that goes on.
#[derive(Debug)]
pub struct Running {
    child: Child,
    command: Command,
    secrets: Vec<String>,
    /// What reads its standard error, once somebody wanted to know of a line.
    heard: Option<JoinHandle<Vec<u8>>>,
}

impl Running {
    /// Waits for a line on its standard error that holds the text. Can be asked once.
    ///
    /// # Panics
    /// When it ends without one.
    #[must_use]
    pub fn line_with(&mut self, text: &str) -> String {
        let mut stderr = BufReader::new(self.child.stderr.take().expect("a line is waited for once"));
        let mut all = Vec::new();
        let line = loop {
            let mut line = String::new();
            let read = stderr.read_line(&mut line).expect("the output is UTF-8");
            assert!(read > 0, "no line with {text:?}: {}", String::from_utf8_lossy(&all));
            all.extend_from_slice(line.as_bytes());
            if line.contains(text) {
                break line.trim_end().to_owned();
            }
        };
        self.heard = Some(std::thread::spawn(move || {
            stderr.read_to_end(&mut all).expect("the output can be read");
            all
        }));
        line
    }

    /// Sends that signal by name (`INT`, `KILL`).
    ///
    /// # Panics
    /// When `kill` can't be run.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status();
        sent.expect("kill runs");
    }

    /// Whether it has ended by itself.
    ///
    /// # Panics
    /// When the system doesn't tell.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("the system tells").is_some()
    }

    /// The most memory that it has held so far, in bytes; 0 when it has ended or the system doesn't tell.
    #[must_use]
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kib.unwrap_or(0) * 1024
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// As [`Cabotage::run`].
    #[must_use]
    pub fn wait(self) -> Run {
        let mut output = self.child.wait_with_output().expect("the run ends");
        if let Some(heard) = self.heard {
            output.stderr = heard.join().expect("the output was read");
        }
        Run::new(&self.command, output, &self.secrets)
    }
}

/// A run that has ended.
#[derive(Debug)]
pub struct Run {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    line: String,
}

impl Run {
    fn new(command: &Command, output: Output, secrets: &[String]) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        let line = format!("{:?}", command.get_args().collect::<Vec<_>>());
        let run = Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            line,
        };
        let all = format!("{}{}", run.stdout, run.stderr);
        assert!(!all.contains("panicked at"), "a panic: {run}");
        let raw = all.chars().find(|c| (c.is_control() && !"\n\t".contains(*c)) || *c == '\u{202e}');
        assert!(raw.is_none(), "{raw:?} is printed: {}", all.escape_debug());
        for secret in secrets {
            assert!(!all.contains(secret.as_str()), "a secret shows in the output of {}", run.line);
        }
        run
    }

    /// The run, if it ended with that code.
    ///
    /// # Panics
    /// When it ended with another.
    #[must_use]
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Both outputs.
    #[must_use]
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Fails unless one of the outputs holds the text.
    ///
    /// # Panics
    /// When neither does.
    #[track_caller]
    pub fn says(&self, text: &str) {
        assert!(self.all().contains(text), "wanted {text:?} in: {self}");
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "cabotage {} ended with {:?}", self.line, self.code)?;
        write!(f, "stdout: {}\nstderr: {}", self.stdout, self.stderr)
    }
}
