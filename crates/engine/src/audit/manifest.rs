//! One JSON line per object that was compared.

use std::path::Path;

use cabotage_core::Result;
use serde::Serialize;

use super::proof::{AttributeProof, Examined, Finding, Proof};
use crate::whole_file::WholeFile;
use crate::{ToldSha256, json_line};

/// A line. Names are whole, as JSON spells them.
#[derive(Serialize)]
struct Line<'a> {
    key: &'a str,
    size: u64,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<Proof>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<AttributeProof>,
    #[serde(flatten)]
    sha256: ToldSha256,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    findings: &'a [Finding],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    losses: &'a [cabotage_core::LossName],
}

/// Creates the manifest, which gets its name when it is whole.
///
/// # Errors
/// `InvalidConfig` when it can't be created.
pub(super) fn create(path: &Path) -> Result<WholeFile> {
    WholeFile::create("the manifest", path)
}

/// Adds an object.
///
/// # Errors
/// `NoSpace` when it can't be written.
pub(super) fn add(file: &mut WholeFile, examined: &Examined, result: &'static str) -> Result<()> {
    let line = Line {
        key: &examined.name,
        size: examined.size,
        result,
        proof: examined.proof,
        attributes: examined.attributes,
        sha256: ToldSha256::of(examined.sha256),
        findings: &examined.findings,
        losses: &examined.losses,
    };
    file.write(json_line(&line)?.as_bytes())
}
