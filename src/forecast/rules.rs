//! What is wrong, or probably wrong, with a step where it stands: two things that cannot both hold, and slips that
//! cost a night.

use std::sync::Arc;

use super::bench::Bench;
use crate::measurement::{Detector, TraceKind};
use crate::operation::{CreateReference, Effect, FetchTrace, Operation, UnattendedReference};
use crate::source::{Diagnostic, SourceFile};
use crate::step::{Fault, Place, Step};

/// A finding and where it belongs.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) place: Option<Place>,
    pub(super) diagnostic: Diagnostic,
}

impl Finding {
    pub(super) fn new(place: &Place, diagnostic: Diagnostic) -> Self {
        Self { place: Some(Place { loops: Vec::new(), ..place.clone() }), diagnostic }
    }

    /// The fault that ended a walk. It says its own place when the recipe is to blame.
    pub(super) fn from_fault(fault: Fault, last: Option<&Place>) -> Self {
        let mut diagnostic = Diagnostic::error(fault.message);
        diagnostic.hint = fault.hint;
        let place = match fault.at {
            Some((file, position)) => Some(Place { file, position: Some(position), ..Place::default() }),
            None => last.cloned(),
        };
        Self { place, diagnostic }
    }

    /// The finding with its excerpt, when its source is among these.
    pub(super) fn located(self, sources: &[Arc<SourceFile>]) -> Diagnostic {
        let Some(place) = self.place else { return self.diagnostic };
        let source = sources.iter().find(|source| source.name == place.file);
        match (source, place.position) {
            (Some(source), Some(position)) => self.diagnostic.at(source, position),
            _ => self.diagnostic,
        }
    }
}

/// The rules, and what they have found.
#[derive(Debug)]
pub(super) struct Rules {
    simulated: bool,
    findings: Vec<Finding>,
}

impl Rules {
    pub(super) fn new(simulated: bool) -> Self {
        Self { simulated, findings: Vec::new() }
    }

    pub(super) fn finish(self) -> Vec<Finding> {
        self.findings
    }

    /// Looks at a step before it is performed.
    pub(super) fn before(&mut self, step: &Step, bench: &Bench, finally: bool) {
        if step.options.retry.is_some_and(|retry| retry.times > 0) && step.operation.effect() == Effect::Ask {
            let warning = Diagnostic::warning(format!("`{}` is never repeated by itself", step.operation.name()))
                .hint("what moves or asks is not retried; say `effect: configure` or `effect: measure` if repeating it is harmless");
            self.add(step, warning);
        }
        match &step.operation {
            Operation::CreateReference(reference) => self.reference(step, reference),
            Operation::FetchTrace(fetch) if !finally => self.fetch(step, fetch, bench),
            _ => {}
        }
    }

    /// Looks at what a step has left.
    pub(super) fn after(&mut self, step: &Step, bench: &Bench) {
        let scans = matches!(step.operation, Operation::Sweep(_) | Operation::CreateReference(_));
        let sets_range = matches!(&step.operation,
            Operation::ConfigureScan(scan) if scan.start_nm.is_some() && scan.stop_nm.is_some());
        if (scans || sets_range) && bench.start_nm >= bench.stop_nm {
            let message =
                format!("the scan starts at {} nm and stops at {} nm", bench.start_nm, bench.stop_nm);
            self.add(step, Diagnostic::error(message).hint("start_nm must be below stop_nm"));
        }
        if let Operation::ConfigureTls(tls) = &step.operation
            && let (Some(start), Some(stop)) = (tls.start_nm, tls.stop_nm)
            && start >= stop
        {
            let message = format!("TLS {} starts at {start} and stops at {stop}", tls.tls);
            self.add(step, Diagnostic::error(message).hint("start_nm must be below stop_nm"));
        }
        if scans && bench.start_nm < bench.stop_nm {
            self.sources(step, bench);
        }
    }

    fn add(&mut self, step: &Step, diagnostic: Diagnostic) {
        self.findings.push(Finding::new(&step.place, diagnostic));
    }

    fn reference(&mut self, step: &Step, reference: &CreateReference) {
        if reference.connect.is_none() {
            let message = format!("the reference of {} does not say what to connect", reference.detector);
            let hint = "add `connect: \"patch cord from OUT to IN…\"`: it is asked before the scan";
            self.add(step, Diagnostic::warning(message).hint(hint));
        }
        if reference.unattended == Some(UnattendedReference::Recreate) && !self.simulated {
            let message = format!("the reference of {} may be taken with nobody there", reference.detector);
            let hint = "with the device in the path every transmission would read 0 dB; `max_age_min` accepts a reference taken before";
            self.add(step, Diagnostic::warning(message).hint(hint));
        }
    }

    fn fetch(&mut self, step: &Step, fetch: &FetchTrace, bench: &Bench) {
        let live = fetch.traces.iter().any(|kind| matches!(kind, TraceKind::Tf | TraceKind::Raw));
        if live && bench.sweeps == 0 {
            let warning = Diagnostic::warning("a trace is fetched before any sweep")
                .hint("it is whatever the last user left in memory; put `sweep` in front");
            self.add(step, warning);
        }
        if fetch.traces.contains(&TraceKind::Tf) {
            for detector in &fetch.detectors {
                self.transmission(step, *detector, bench);
            }
        }
    }

    fn transmission(&mut self, step: &Step, detector: Detector, bench: &Bench) {
        let Some(reference) = bench.references.get(&detector) else {
            let message = format!(
                "the transmission function of {detector} is fetched without a reference in this recipe"
            );
            let hint = "add `create_reference` with `max_age_min` to accept a recent one, or fetch `raw`";
            return self.add(step, Diagnostic::warning(message).hint(hint));
        };
        let scan = bench.grid();
        if scan.start_nm < reference.start_nm
            || scan.stop_nm() > reference.stop_nm() + reference.step_pm * 1e-3
        {
            let message = format!(
                "the reference of {detector} covers {} to {} nm and the scan {} to {} nm",
                reference.start_nm,
                reference.stop_nm(),
                scan.start_nm,
                scan.stop_nm(),
            );
            let hint = "take the reference with the widest range that the recipe scans";
            self.add(step, Diagnostic::warning(message).hint(hint));
        }
    }

    /// A scan needs a laser that reaches into its range. What the recipe leaves to the instrument is not judged.
    fn sources(&mut self, step: &Step, bench: &Bench) {
        let sources = || bench.sources.iter();
        if sources().count() == 4 && sources().all(|(_, source)| source.laser == Some(0)) {
            self.add(step, Diagnostic::error("no TLS has a laser: nothing would be swept"));
        }
        for (tls, source) in sources().filter(|(_, source)| source.laser != Some(0)) {
            let below = source.stop_nm.is_some_and(|stop| stop <= bench.start_nm);
            let above = source.start_nm.is_some_and(|start| start >= bench.stop_nm);
            if below || above {
                let range = format!("{} to {} nm", bench.start_nm, bench.stop_nm);
                let message =
                    format!("TLS {tls} was set for this recipe and does not reach into the scan of {range}");
                self.add(
                    step,
                    Diagnostic::warning(message)
                        .hint("compare its start_nm and stop_nm with those of the scan"),
                );
            }
        }
    }
}
