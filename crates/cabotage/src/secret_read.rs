//! Secrets are read where an adapter needs them.

use std::process::{Command, Stdio};

use cabotage_core::{Error, ErrorKind, Result, Secret};

use crate::{Environment, SecretSource};

impl SecretSource {
    /// Whether it may give another secret later: the process's environment doesn't change.
    pub(crate) fn may_change(&self) -> bool {
        match self {
            Self::Env(_) => false,
            Self::File(_) | Self::Process(_) => true,
        }
    }

    /// Reads the secret.
    ///
    /// # Errors
    /// `InvalidConfig` naming the variable, file or program; never what it holds.
    pub(crate) fn read(&self, what: &str, environment: &Environment) -> Result<Secret> {
        let missing = |why: String| Error::new(ErrorKind::InvalidConfig, format!("{what}: {why}"));
        let text = match self {
            Self::Env(name) => environment
                .get(name)
                .ok_or_else(|| missing(format!("the environment variable {name} is not set")).help("set it"))?
                .to_owned(),
            Self::File(path) => std::fs::read_to_string(path)
                .map_err(|error| missing(format!("the file {} can't be read: {error}", path.display())))?,
            Self::Process(words) => output_of(words).map_err(missing)?,
        };
        match text.trim() {
            "" => Err(missing(format!("{self} is empty"))),
            text => Ok(Secret::new(text)),
        }
    }
}

fn output_of(words: &[String]) -> std::result::Result<String, String> {
    let (program, arguments) = words.split_first().ok_or("no program is named")?;
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("the program {program} can't be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("the program {program} failed: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("what {program} printed is no text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading() {
        let environment: Environment = [("A", " HUSH\n")].into_iter().collect();
        let read = |source: &SecretSource| source.read("stores.t", &environment);
        assert_eq!(read(&SecretSource::Env("A".into())).unwrap().reveal(), "HUSH");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("k");
        std::fs::write(&file, "HUSH\n").unwrap();
        assert_eq!(read(&SecretSource::File(file)).unwrap().reveal(), "HUSH");
        let echo = SecretSource::Process(vec!["echo".into(), "HUSH".into()]);
        assert_eq!(read(&echo).unwrap().reveal(), "HUSH");
        let unset = read(&SecretSource::Env("B".into())).unwrap_err();
        assert!(unset.to_string().contains("variable B is not set"), "{unset}");
        assert_eq!(
            read(&SecretSource::Process(vec!["false".into()])).unwrap_err().kind(),
            ErrorKind::InvalidConfig
        );
    }
}
