//! Counts what came out, writes the manifest, tells of findings.

use std::collections::BTreeMap;
use std::sync::Arc;

use cabotage_core::{Error, LossName, Result, display_key};

use super::manifest;
use super::proof::{AttributeProof, Examined, Finding, FindingKind, Mark, Proof};
use super::report::{AuditCounts, ClassCount};
use super::swaps::Swaps;
use crate::whole_file::WholeFile;
use crate::{Compared, Event, FailureGroup, Observer, Progress};

/// Examples kept of each kind of finding.
const EXAMPLES: usize = 3;

/// All that is counted.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub counts: AuditCounts,
    pub bytes_listed: u64,
    pub proofs: BTreeMap<Proof, ClassCount>,
    pub attribute_proofs: BTreeMap<AttributeProof, ClassCount>,
    pub findings: BTreeMap<FindingKind, FailureGroup>,
    pub swapped: FailureGroup,
    pub losses: BTreeMap<LossName, u64>,
    pub excluded: u64,
    pub gone: u64,
    /// What stopped it, if something did.
    pub stopped: Option<Error>,
    /// Whether both listings were read to their ends.
    pub complete: bool,
}

impl Totals {
    /// Whether source and destination differ.
    pub(super) fn differs(&self, allow_extra: bool) -> bool {
        self.findings.keys().any(|kind| kind.is_difference() && !(allow_extra && *kind == FindingKind::Extra))
    }

    /// The first reason stays.
    pub(super) fn stop(&mut self, error: Error) {
        self.stopped.get_or_insert(error);
    }
}

/// Takes what came out, name by name.
pub(super) struct Tally {
    pub totals: Totals,
    manifest: Option<WholeFile>,
    swaps: Swaps,
    progress: Arc<Progress>,
    observer: Arc<dyn Observer>,
}

impl Tally {
    pub(super) fn new(
        manifest: Option<WholeFile>,
        progress: Arc<Progress>,
        observer: Arc<dyn Observer>,
    ) -> Self {
        Self { totals: Totals::default(), manifest, swaps: Swaps::default(), progress, observer }
    }

    /// Counts it.
    ///
    /// # Errors
    /// `NoSpace` when the manifest can't be written.
    pub(super) fn take(&mut self, examined: &Examined) -> Result<()> {
        let differs = examined.findings.iter().any(|finding| finding.kind.is_difference());
        let result = match (differs, examined.findings.is_empty()) {
            (true, _) => Compared::Different,
            (false, true) => Compared::Proven,
            (false, false) => Compared::NotProven,
        };
        self.count(examined, result);
        for finding in &examined.findings {
            self.tell(examined, finding);
        }
        self.pair(examined);
        match &mut self.manifest {
            Some(file) => manifest::add(file, examined, result.as_str()),
            None => Ok(()),
        }
    }

    fn count(&mut self, examined: &Examined, result: Compared) {
        let totals = &mut self.totals;
        let counts = &mut totals.counts;
        if !examined.at_source {
            *(if examined.ours { &mut counts.extra_ours } else { &mut counts.extra_foreign }) += 1;
            return;
        }
        counts.listed += 1;
        totals.bytes_listed += examined.size;
        *match result {
            Compared::Different => &mut counts.different,
            Compared::Proven => &mut counts.proven,
            Compared::NotProven => &mut counts.not_proven,
        } += 1;
        let add = |count: &mut ClassCount| {
            count.objects += 1;
            count.bytes += examined.size;
        };
        if let Some(proof) = examined.proof {
            add(totals.proofs.entry(proof).or_default());
        }
        if let Some(proof) = examined.attributes {
            add(totals.attribute_proofs.entry(proof).or_default());
        }
        for name in &examined.losses {
            *totals.losses.entry(*name).or_default() += 1;
        }
        self.progress.compared(result, examined.size);
    }

    fn tell(&mut self, examined: &Examined, finding: &Finding) {
        let name = display_key(&examined.name);
        let group = self.totals.findings.entry(finding.kind).or_default();
        group.count += 1;
        if group.examples.len() < EXAMPLES {
            group.examples.push(format!("{name}: {}", finding.text));
        }
        let text = finding.text.clone();
        self.observer.event(&Event::Finding { name, kind: finding.kind, text });
    }

    fn pair(&mut self, examined: &Examined) {
        let Some(marks) = &examined.marks else { return };
        let Some(partner) = self.swaps.take(&examined.name, marks) else { return };
        let (first, second) = (partner.as_ref().min(&examined.name), partner.as_ref().max(&examined.name));
        let what = match marks.found {
            Mark::Sha256(_) => "content",
            Mark::ETag(_) => "ETag, and so perhaps each other's content",
        };
        let text = format!("{} and {} have each other's {what}", display_key(first), display_key(second));
        let swapped = &mut self.totals.swapped;
        swapped.count += 1;
        if swapped.examples.len() < EXAMPLES {
            swapped.examples.push(text.clone());
        }
        self.observer.event(&Event::Warning(text));
    }

    /// Gives the manifest its name, and what was counted.
    pub(super) fn finish(mut self) -> Totals {
        if let Some(Err(error)) = self.manifest.take().map(WholeFile::finish) {
            self.totals.stop(error);
        }
        self.totals
    }
}
