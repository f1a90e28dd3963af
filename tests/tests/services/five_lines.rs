//! The five lines of the documentation: the same everywhere, and they work at every kind of location.

use std::process::Command;

const PROGRAM: &str = include_str!("../../outside/src/main.rs");
const BEGIN: &str = "// The five lines of README.md and docs/services.md.";
const END: &str = "// Up to here.";

#[test]
fn the_documents_show_the_lines_that_run() {
    let (_, rest) = PROGRAM.split_once(BEGIN).unwrap();
    let (block, _) = rest.split_once(END).unwrap();
    let lines: Vec<&str> = block.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 5, "{lines:?}");
    let shown = format!("```rust\n{}\n```\n", lines.join("\n"));
    for (name, document) in [
        ("README.md", include_str!("../../../README.md")),
        ("docs/services.md", include_str!("../../../docs/services.md")),
    ] {
        assert!(document.contains(&shown), "{name} doesn't show the lines of tests/outside:\n{shown}");
    }
}

/// Runs the program of the crate outside of the workspace, with no more of the environment than it is given.
fn stores_and_reads(location: &str, variables: Vec<(String, String)>) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_outside"));
    let output = program.arg(location).env_clear().envs(variables).output().unwrap();
    assert!(output.status.success(), "{location}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn in_memory_and_in_a_folder() {
    stores_and_reads("memory://m", Vec::new());
    let folder = tempfile::tempdir().unwrap();
    stores_and_reads(folder.path().join("new").to_str().unwrap(), Vec::new());
    let stored = std::fs::read(folder.path().join("new/reports/2026.csv")).unwrap();
    assert_eq!(stored, b"a,b\n1,2\n");
}

#[test]
fn in_an_azure_container() {
    let Some(server) = acceptance::azurite() else {
        return acceptance::announce_missing("azurite", "the five lines on Azure");
    };
    let container = server.container("five");
    stores_and_reads(&format!("az://{container}/prefix"), server.variables());
    assert_eq!(server.raw.get(&container, "prefix/reports/2026.csv").unwrap(), b"a,b\n1,2\n");
}

#[test]
fn in_an_s3_bucket() {
    let Some(server) = acceptance::rgw() else {
        return acceptance::announce_missing("rgw", "the five lines on S3");
    };
    let bucket = server.bucket("five");
    stores_and_reads(&format!("s3://{bucket}/prefix"), server.variables());
    assert_eq!(server.raw.get(&bucket, "prefix/reports/2026.csv").unwrap(), b"a,b\n1,2\n");
}
