//! What the program says, against a file.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::{Ran, TestEnv};

/// What came out, piece by piece.
pub struct Golden {
    file: &'static str,
    pub text: String,
}

impl Golden {
    pub fn new(file: &'static str) -> Self {
        Self { file, text: String::new() }
    }

    /// A command, its exit code and what it said on standard error.
    pub fn add(&mut self, env: &TestEnv, args: &[&str], ran: &Ran) {
        assert!(!ran.stderr.contains("HUSH") && !ran.stdout.contains("HUSH"), "{ran:?}");
        let args: Vec<String> = args.iter().map(|arg| arg.escape_debug().to_string()).collect();
        let shown = neutral(env, &format!("$ cabotage {}\n{}", args.join(" "), ran.stderr));
        write!(self.text, "{shown}exit {}\n\n", ran.code).unwrap();
    }

    pub fn run(&mut self, env: &TestEnv, args: &[&str]) {
        let ran = env.run(args);
        self.add(env, args, &ran);
    }

    /// A command, what it said on both streams, and its exit code.
    pub fn add_all(&mut self, env: &TestEnv, args: &[&str], ran: &Ran) {
        let report: String = ran.stdout.lines().map(|line| format!("{}\n", timeless(line))).collect();
        self.add(
            env,
            args,
            &Ran { stderr: format!("{}{report}", ran.stderr), stdout: String::new(), code: ran.code },
        );
    }

    pub fn section(&mut self, title: &str) {
        write!(self.text, "== {title}\n\n").unwrap();
    }

    pub fn check(self) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(self.file);
        if std::env::var_os("CABOTAGE_UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &self.text).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        for (found, wanted) in self.text.split("\n\n").zip(expected.split("\n\n")) {
            assert_eq!(found, wanted, "{} differs; CABOTAGE_UPDATE_GOLDEN=1 writes it anew", path.display());
        }
        assert_eq!(self.text, expected, "{} differs", path.display());
    }
}

/// Without what changes from run to run: the temporary folder, ports, numbers of processes, names of ledgers, host and time.
fn neutral(env: &TestEnv, text: &str) -> String {
    let mut text = text.replace(&env.path("").to_string_lossy().trim_end_matches('/').to_owned(), "HOME");
    for (before, name) in [("127.0.0.1:", "PORT"), ("process ", "PID")] {
        let pieces: Vec<String> = text.split(before).map(str::to_owned).collect();
        let (first, rest) = pieces.split_first().unwrap();
        text = rest.iter().fold(first.clone(), |all, piece| {
            let digits = piece.chars().take_while(char::is_ascii_digit).count();
            let name = if digits > 0 { name } else { "" };
            format!("{all}{before}{name}{}", &piece[digits..])
        });
    }
    for (before, after, name) in [
        ("state/cabotage/", '.', "LEDGER"),
        ("process PID on ", ';', "HOST, started TIME"),
        (".cabotage-probe-", ':', "RANDOM"),
        ("(ETag ", ')', "ONE, recorded OTHER"),
    ] {
        text = cut(&text, before, after, name);
    }
    text
}

/// A line of a report without times and speeds.
fn timeless(line: &str) -> &str {
    match line {
        line if line.ends_with(" UTC") => "  TIME to TIME UTC",
        line if line.starts_with("Copied ") => line.split(", ").next().unwrap_or(line),
        line => line,
    }
}

/// Replaces what stands between the two by a name, wherever it stands.
fn cut(text: &str, before: &str, after: char, name: &str) -> String {
    let mut pieces = text.split(before);
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |all, piece| {
        let rest = piece.find(after).map_or("", |at| &piece[at..]);
        format!("{all}{before}{name}{rest}")
    })
}
