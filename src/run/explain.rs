//! What a refusal of the instrument means, in the words of `ctp10 check`.

use crate::forecast::bench::Source;
use crate::forecast::rules::{reference, scan};
use crate::instrument::ScanSettings;
use crate::measurement::{Detector, TraceKind};
use crate::operation::FetchTrace;
use crate::run::bench::Bench;
use crate::step::{Fault, FaultKind};

/// Refuses a range that the instrument would not take, or would take as another one.
pub(in crate::run) fn check_range(start_nm: f64, stop_nm: f64) -> Result<(), Fault> {
    match scan::no_range(start_nm, stop_nm) {
        Some((message, hint)) => Err(Fault::new(FaultKind::Refused, message).hint(hint)),
        None => Ok(()),
    }
}

/// The instrument has refused to scan.
pub(in crate::run) fn refused_scan(fault: Fault, settings: &ScanSettings) -> Fault {
    let sources: Vec<Source> = settings
        .tls
        .iter()
        .filter(|tls| tls.laser > 0)
        .map(|tls| Source {
            laser: Some(tls.laser),
            start_nm: Some(tls.start_nm),
            stop_nm: Some(tls.stop_nm),
            ..Source::default()
        })
        .collect();
    let gap = scan::uncovered(sources.iter(), (settings.start_nm, settings.stop_nm));
    said(fault, gap.map(scan::of_gap))
}

/// The same fault in the words of `check`, where it is the instrument's; its own words stay.
fn said(fault: Fault, sentence: Option<String>) -> Fault {
    match sentence.filter(|_| fault.kind == FaultKind::Instrument) {
        Some(message) => {
            Fault { hint: Some(format!("message of the instrument: {}", fault.message)), message, ..fault }
        }
        None => fault,
    }
}

impl Bench {
    /// The instrument has refused to send traces.
    pub(in crate::run) async fn explain_refused_fetch(&self, fields: &FetchTrace, fault: Fault) -> Fault {
        if fault.kind != FaultKind::Instrument || !fields.traces.contains(&TraceKind::Tf) {
            return fault;
        }
        for detector in &fields.detectors {
            if let Some(sentence) = self.why_no_transmission(*detector).await {
                return said(fault, Some(sentence));
            }
        }
        fault
    }

    /// Why there is no transmission function of a detector; nothing where the instrument does not tell.
    async fn why_no_transmission(&self, detector: Detector) -> Option<String> {
        let reference = self.ctp10().reference(detector).await.ok()?;
        if !reference.is_some_and(|reference| reference.valid) {
            return Some(reference::absent(detector));
        }
        let reference = self.ctp10().trace_grid(detector, TraceKind::Reference).await.ok()?;
        let swept = self.ctp10().trace_grid(detector, TraceKind::Raw).await.ok()?;
        reference::uncovered(detector, &reference, &swept)
    }
}
