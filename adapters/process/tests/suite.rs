//! The compute conformance suite on child processes. The program is its own supervisor.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "the harness is a test"
)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use cabotage_conformance::{Bench, Outcome, compute_suite};
use cabotage_core::compute::Compute;
use cabotage_process::{ProcessCompute, ProcessConfig};
use libtest_mimic::{Arguments, Failed, Trial};

const SUPERVISE: &str = "--supervise";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    if words.next().as_deref() == Some(SUPERVISE) {
        let path = PathBuf::from(words.next().expect("a path"));
        return match cabotage_process::supervise(&path) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = Arc::new(tokio::runtime::Runtime::new().expect("a runtime"));
    let trials = compute_suite().into_iter().map(|trial| {
        let (runtime, folder) = (Arc::clone(&runtime), folder.path().to_owned());
        Trial::test(trial.full_name(), move || {
            let opens = Arc::new(move || open(&folder));
            match runtime.block_on(trial.run(Bench::new(opens, None))) {
                Ok(Outcome::Passed) => Ok(()),
                Ok(Outcome::Skipped(reason)) => Err(Failed::from(format!("skipped: {reason}"))),
                Err(failure) => Err(Failed::from(failure.to_string())),
            }
        })
    });
    let mut trials: Vec<Trial> = trials.collect();
    trials.extend(more::trials(&runtime, folder.path()));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn open(folder: &Path) -> Arc<dyn Compute> {
    Arc::new(ProcessCompute::open(ProcessConfig {
        folder: folder.join("state"),
        supervisor: vec![std::env::current_exe().expect("this program").into(), SUPERVISE.into()],
    }))
}

#[path = "more/mod.rs"]
mod more;
