//! Runs the engine over a namespace that nobody stores: `synthetic copy|fill|pass flat|deep|skewed|hostile OBJECTS STATE`.
//!
//! `copy` copies all of it, `fill` records all of it in a ledger in the folder STATE, `pass` goes over what `copy` or `fill` has
//! recorded and finds nothing to do. Prints one line of JSON: what was done, and the ledger's bytes.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the bench")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use acceptance::synthetic::{Destination, Dialect, Namespace, Shape, fill_ledger, job};
use cabotage_engine::{Ending, Stop};

const USAGE: &str = "synthetic copy|fill|pass flat|deep|skewed|hostile OBJECTS STATE";
const SEED: u64 = 1;

struct Arguments {
    verb: String,
    namespace: Namespace,
    dialect: Dialect,
    state: PathBuf,
}

fn arguments() -> Result<Arguments, String> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [verb, shape, objects, state] = given.as_slice() else { return Err(USAGE.into()) };
    let shape: Shape = shape.parse()?;
    let objects = objects.parse().map_err(|error| format!("{objects}: {error}"))?;
    let dialect = if shape == Shape::Hostile { Dialect::Azure } else { Dialect::S3 };
    let namespace = Namespace::new(shape, objects, SEED);
    Ok(Arguments { verb: verb.clone(), namespace, dialect, state: state.into() })
}

async fn run(arguments: Arguments) -> Result<(), String> {
    let Arguments { verb, namespace, dialect, state } = arguments;
    let destination =
        if verb == "copy" { Destination::empty(namespace) } else { Destination::full(namespace) };
    let job = job(namespace, dialect, &destination, &state);
    match verb.as_str() {
        "fill" => fill_ledger(namespace, &job).await.map_err(|error| error.to_string())?,
        "copy" | "pass" => {
            let run = cabotage_engine::run(job, Stop::default(), Arc::default(), Arc::new(()));
            let report = Box::pin(run).await.map_err(|error| error.to_string())?;
            let done = if verb == "copy" { report.objects.verified } else { report.objects.skipped };
            if done != namespace.objects() || report.ending != Ending::Complete {
                return Err(report.to_string());
            }
        }
        _ => return Err(USAGE.into()),
    }
    let ledger = ledger_bytes(&state).map_err(|error| error.to_string())?;
    println!("{}", serde_json::json!({"objects": namespace.objects(), "ledger_bytes": ledger}));
    Ok(())
}

/// Of all ledgers in the folder.
fn ledger_bytes(state: &Path) -> std::io::Result<u64> {
    std::fs::read_dir(state)?.map(|entry| Ok(entry?.metadata()?.len())).sum()
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match arguments() {
        Ok(arguments) => Box::pin(run(arguments)).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
