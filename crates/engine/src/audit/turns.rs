//! Whose turn it is: which slice of the names a sample reads.

use cabotage_core::Result;
use serde::{Deserialize, Serialize};

use super::options::{AttributeCheck, AuditOptions, DestinationContent, SourceContent};
use super::report::SampleTurn;
use crate::{Ledger, RunKind, RunRecord};

/// How a run went about it, as the ledger keeps it. Nothing secret.
#[derive(Serialize)]
struct Settings<'a> {
    source_content: SourceContent,
    destination_content: DestinationContent,
    attributes: AttributeCheck,
    #[serde(flatten)]
    sampled: Option<Sampled<'a>>,
}

/// Which sample was taken of which objects: runs that agree in all of it, but for the number, take turns.
#[derive(PartialEq, Serialize, Deserialize)]
struct Sampled<'a> {
    slices: u32,
    #[serde(borrow)]
    include: Vec<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    exclude: Vec<std::borrow::Cow<'a, str>>,
}

fn sampled(options: &AuditOptions) -> Option<Sampled<'_>> {
    let DestinationContent::Sample(slices) = options.destination_content else { return None };
    let (include, exclude) = options.selection.patterns();
    let own = |patterns: &'_ [String]| patterns.iter().map(|text| text.clone().into()).collect();
    Some(Sampled { slices: slices.count(), include: own(include), exclude: own(exclude) })
}

/// The settings as JSON.
pub(super) fn settings(options: &AuditOptions) -> String {
    let settings = Settings {
        source_content: options.source_content,
        destination_content: options.destination_content,
        attributes: options.attributes,
        sampled: sampled(options),
    };
    serde_json::to_string(&settings).unwrap_or_default()
}

/// The turn of the next sample; none where nothing is sampled. A run that didn't come to its end leaves its turn to the
/// next.
///
/// # Errors
/// Those of the ledger.
pub(super) async fn next(ledger: &Ledger, options: &AuditOptions) -> Result<Option<SampleTurn>> {
    let Some(sampled) = sampled(options) else { return Ok(None) };
    let before = ledger.runs().await?.iter().filter(|run| is_turn(run, &sampled)).count();
    let slice = u32::try_from(before % sampled.slices as usize).unwrap_or_default();
    Ok(Some(SampleTurn { number: slice + 1, of: sampled.slices }))
}

fn is_turn(run: &RunRecord, sampled: &Sampled<'_>) -> bool {
    let ended = matches!(run.outcome.as_deref(), Some("complete" | "incomplete" | "mismatch"));
    let same = || serde_json::from_str::<Sampled<'_>>(&run.settings).is_ok_and(|then| then == *sampled);
    run.kind == RunKind::Verify && ended && same()
}
