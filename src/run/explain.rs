//! Explains a refusal of the instrument with the sentences that `ctp10 check` uses.

use crate::forecast::bench::Source;
use crate::forecast::rules::{reference, scan};
use crate::instrument::ScanSettings;
use crate::instrument::scpi::Query;
use crate::measurement::{Detector, TraceKind};
use crate::operation::FetchTrace;
use crate::run::bench::Bench;
use crate::step::{Fault, FaultKind};

/// Refuses a range that the instrument would refuse, or would change.
pub(in crate::run) fn check_range(start_nm: f64, stop_nm: f64) -> Result<(), Fault> {
    match scan::no_range(start_nm, stop_nm) {
        Some((message, hint)) => Err(Fault::new(FaultKind::Refused, message).hint(hint)),
        None => Ok(()),
    }
}

/// Explains why the instrument has refused a scan.
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

/// Replaces the message of an instrument's fault by an explanation. The original message becomes the hint.
fn said(fault: Fault, sentence: Option<String>) -> Fault {
    match sentence.filter(|_| fault.kind == FaultKind::Instrument) {
        Some(message) => {
            Fault { hint: Some(format!("message of the instrument: {}", fault.message)), message, ..fault }
        }
        None => fault,
    }
}

impl Bench {
    /// Names the laser in the hint of a refused value. The laser sets most limits, and its model tells them.
    pub(in crate::run) async fn name_laser(&self, laser: u8, fault: Fault) -> Fault {
        let Some(hint) = fault.hint.clone().filter(|_| laser > 0) else { return fault };
        match self.ctp10().probe(&Query::laser_identity(laser)).await {
            Ok(Some(identity)) => fault.hint(format!("{hint}: laser {laser} is `{identity}`")),
            Ok(None) | Err(_) => fault,
        }
    }

    /// The same for a TLS. `laser` is the laser that was asked for; without it, the instrument says which one the TLS has.
    pub(in crate::run) async fn name_laser_of_tls(&self, tls: u8, laser: Option<u8>, fault: Fault) -> Fault {
        // A fault of the link has no hint, and another query would only delay it.
        if fault.hint.is_none() {
            return fault;
        }
        let laser = match laser {
            Some(laser) => Ok(laser),
            None => self.ctp10().ask(&Query::tls_laser(tls)).await,
        };
        match laser {
            Ok(laser) => self.name_laser(laser, fault).await,
            Err(_) => fault,
        }
    }

    /// Explains why the instrument has refused to send traces.
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

    /// Why a detector has no transmission function; `None` if the instrument does not reply.
    async fn why_no_transmission(&self, detector: Detector) -> Option<String> {
        let reference = self.ctp10().reference(detector).await.ok()?;
        if !reference.is_some_and(|reference| reference.valid) {
            return Some(reference::absent(detector));
        }
        let reference = self.ctp10().trace_grid((detector, TraceKind::Reference)).await.ok()?;
        let swept = self.ctp10().trace_grid((detector, TraceKind::Raw)).await.ok()?;
        reference::uncovered(detector, &reference, &swept)
    }
}
