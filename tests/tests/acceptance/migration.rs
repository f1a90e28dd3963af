//! One migration after the other, with a state folder of its own, and what its report and manifest say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use acceptance::{Azurite, Cabotage, Run, Running, S3Server};
use serde_json::Value;
use tempfile::TempDir;

/// A user's home, where ledgers, reports and folders of a case lie.
pub(crate) struct Home {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), variables: Vec::new() }
    }

    /// With access to both servers.
    pub(crate) fn with_servers(azurite: &Azurite, s3: &S3Server) -> Self {
        let mut variables = azurite.variables();
        variables.extend(s3.variables());
        Self { folder: TempDir::new().unwrap(), variables }
    }

    /// With access to an S3 server.
    pub(crate) fn with_s3(s3: &S3Server) -> Self {
        Self { folder: TempDir::new().unwrap(), variables: s3.variables() }
    }

    /// With access to Azurite.
    pub(crate) fn with_azurite(azurite: &Azurite) -> Self {
        Self { folder: TempDir::new().unwrap(), variables: azurite.variables() }
    }

    /// One variable in place of another of that name.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(other, _)| other != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn command(&self, subcommand: &str) -> Cabotage {
        Cabotage::new(self.folder.path(), subcommand).variables(self.variables.clone())
    }

    fn job_command(&self, verb: &str, source: &str, destination: &str, flags: &[&str]) -> Cabotage {
        let (report, manifest) = (self.path("report.json"), self.path("manifest.ndjson"));
        for old in [&report, &manifest] {
            let _ = std::fs::remove_file(old);
        }
        let command = self.command(verb).arg(source).arg(destination);
        command.arg("--report").arg(report).arg("--manifest").arg(manifest).args(flags)
    }

    /// Runs a migration to its end.
    pub(crate) fn migrate(&self, source: &str, destination: &str, flags: &[&str]) -> Migration {
        self.verb("migrate", source, destination, flags)
    }

    /// Runs another verb that takes a job.
    pub(crate) fn verb(&self, verb: &str, source: &str, destination: &str, flags: &[&str]) -> Migration {
        let run = self.job_command(verb, source, destination, flags).run();
        self.finished(run)
    }

    /// Starts a migration.
    pub(crate) fn start(&self, source: &str, destination: &str, flags: &[&str]) -> Running {
        self.start_verb("migrate", source, destination, flags)
    }

    /// Starts another verb that takes a job.
    pub(crate) fn start_verb(&self, verb: &str, source: &str, destination: &str, flags: &[&str]) -> Running {
        self.job_command(verb, source, destination, flags).spawn()
    }

    /// What a finished run left.
    pub(crate) fn finished(&self, run: Run) -> Migration {
        let report = std::fs::read_to_string(self.path("report.json"));
        let report = report.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
        let manifest = std::fs::read_to_string(self.path("manifest.ndjson")).unwrap_or_default();
        let lines = manifest.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Migration { run, report, lines }
    }
}

/// A migration that has ended.
pub(crate) struct Migration {
    pub(crate) run: Run,
    pub(crate) report: Value,
    pub(crate) lines: Vec<Value>,
}

impl Migration {
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.run.code, Some(code), "{}\nreport: {:#}", self.run, self.report);
        if !self.report.is_null() {
            self.sums();
        }
        self
    }

    /// Every listed object is in exactly one class.
    #[track_caller]
    fn sums(&self) {
        let objects = self.report["objects"].as_object().expect("the report counts objects");
        let sum: u64 =
            objects.iter().filter(|(name, _)| *name != "listed").filter_map(|(_, n)| n.as_u64()).sum();
        assert_eq!(Some(sum), objects["listed"].as_u64(), "the classes don't sum up: {:#}", self.report);
    }

    /// How many objects ended in that class (`listed`, `verified`, …).
    #[track_caller]
    pub(crate) fn count(&self, class: &str) -> u64 {
        self.report["objects"][class]
            .as_u64()
            .unwrap_or_else(|| panic!("no class {class}: {:#}", self.report))
    }

    /// Objects copied in this run.
    #[track_caller]
    pub(crate) fn copied(&self) -> u64 {
        self.report["objects_copied"].as_u64().expect("the report counts copies")
    }

    /// The manifest's digests by name.
    pub(crate) fn digests(&self) -> BTreeMap<String, String> {
        let text = |line: &Value, name: &str| line[name].as_str().map(str::to_owned);
        self.lines.iter().filter_map(|line| Some((text(line, "key")?, text(line, "sha256")?))).collect()
    }

    /// The manifest's line of that key.
    #[track_caller]
    pub(crate) fn line(&self, key: &str) -> &Value {
        let found = self.lines.iter().find(|line| line["key"] == key);
        found.unwrap_or_else(|| panic!("no line of {key} in the manifest: {}", self.run))
    }
}

/// The small real dataset of this repository.
pub(crate) fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample")
}
