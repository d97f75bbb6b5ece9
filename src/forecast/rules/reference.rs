//! References, and the transmission functions that stand on them.

use super::{RuleContext, Said};
use crate::forecast::bench::Light;
use crate::measurement::{Detector, Grid, TraceKind};
use crate::operation::{Operation, UnattendedReference};
use crate::source::Diagnostic;
use crate::step::OnError;

/// Powers nearer to each other than this are the same, dB.
const SAME_POWER_DB: f64 = 0.05;

/// A reference that is taken: does it say of what?
pub(super) fn created(context: &RuleContext) -> Said {
    let Operation::CreateReference(reference) = &context.step.operation else { return Said::new() };
    let mut said = Said::new();
    if reference.connect.is_none() {
        let message = format!("the reference of {} does not say what to connect", reference.detector);
        let hint = "add `connect: \"patch cord from OUT to IN…\"`: it is asked before the scan";
        said.push(("connect".into(), Diagnostic::warning(message).hint(hint)));
    }
    let recreate = reference.unattended == Some(UnattendedReference::Recreate);
    if context.circumstances.simulated {
        return said;
    }
    if recreate {
        let message = format!("the reference of {} may be taken with nobody there", reference.detector);
        let hint = "with the device in the path every transmission would read 0 dB; `max_age_min` accepts a reference taken before";
        said.push(("unattended".into(), Diagnostic::warning(message).hint(hint)));
    } else if context.circumstances.attended == Some(false) {
        let message =
            format!("nobody is there: the run ends here if {} needs a new reference", reference.detector);
        let hint = "`max_age_min` accepts a reference taken before";
        said.push(("unattended".into(), Diagnostic::warning(message).hint(hint)));
    }
    said
}

/// Traces that are fetched: are they of the scan that is meant, and relative to a reference that holds for it?
pub(super) fn fetched(context: &RuleContext) -> Said {
    let bench = context.before;
    match &context.step.operation {
        // The device has to come back into the path before it is measured.
        Operation::Sweep(_) if bench.patched && !context.circumstances.simulated => {
            let message = "nobody is asked to connect the device between the reference and this sweep";
            let hint = "add a `prompt`: with the patch cord in the path every transmission reads 0 dB";
            vec![("device".into(), Diagnostic::warning(message).hint(hint))]
        }
        // What a `finally` saves may well be of a sweep that never was.
        Operation::FetchTrace(fetch) if !context.finally => {
            let live = fetch.traces.iter().any(|kind| matches!(kind, TraceKind::Tf | TraceKind::Raw));
            let mut said = if live { of_which_sweep(context) } else { Said::new() };
            if fetch.traces.contains(&TraceKind::Tf) {
                said.extend(fetch.detectors.iter().flat_map(|detector| transmission(context, *detector)));
            }
            said
        }
        _ => Said::new(),
    }
}

fn of_which_sweep(context: &RuleContext) -> Said {
    let (message, hint) = match context.before.swept {
        None => (
            "a trace is fetched before any sweep",
            "it is whatever the last user left in memory; put `sweep` in front",
        ),
        Some(swept) if swept != context.before.grid() => (
            "the scan was set anew after the last sweep, and the trace is still that sweep's",
            "put `sweep` in front, or set the scan after the fetch",
        ),
        Some(_) => return Said::new(),
    };
    vec![("sweep".into(), Diagnostic::warning(message).hint(hint))]
}

fn transmission(context: &RuleContext, detector: Detector) -> Said {
    let bench = context.before;
    let warn = |message: String, hint: &str| {
        vec![(format!("reference of {detector}"), Diagnostic::warning(message).hint(hint))]
    };
    let Some(reference) = bench.references.get(&detector) else {
        return warn(
            format!("the transmission function of {detector} is fetched without a reference in this recipe"),
            "add `create_reference` with `max_age_min` to accept a recent one, or fetch `raw`",
        );
    };
    let Some(swept) = bench.swept else { return Said::new() };
    if reference.sweeps == bench.sweeps {
        return warn(
            format!("the reference of {detector} was taken after the sweep that it is to be a reference for"),
            "put `sweep` after `create_reference`",
        );
    }
    let Some(message) = uncovered(detector, &reference.scan, &swept) else {
        return other_light(detector, &reference.light, &bench.swept_by);
    };
    let hint = "take the reference with the widest range that the recipe scans";
    // Where the recipe has set both ranges the instrument is certain to refuse.
    let is_certain = reference.light.range.is_some()
        && bench.swept_by.range.is_some()
        && context.step.options.on_error == OnError::Stop;
    let finding = if is_certain { Diagnostic::error(message) } else { Diagnostic::warning(message) };
    vec![(format!("reference of {detector}"), finding.hint(hint))]
}

/// There is no reference.
#[must_use]
pub(crate) fn absent(detector: Detector) -> String {
    format!("`{detector}` has no valid reference on this instrument")
}

/// Why a reference does not hold for a sweep: it covers another range.
#[must_use]
pub(crate) fn uncovered(detector: Detector, reference: &Grid, swept: &Grid) -> Option<String> {
    let step_nm = reference.step_pm * 1e-3;
    let covered =
        swept.start_nm >= reference.start_nm - step_nm && swept.stop_nm() <= reference.stop_nm() + step_nm;
    (!covered).then(|| {
        format!(
            "the reference of {detector} covers {} to {} nm and the sweep {} to {} nm",
            reference.start_nm,
            reference.stop_nm(),
            swept.start_nm,
            swept.stop_nm(),
        )
    })
}

/// A transmission is the light of the sweep over that of the reference: both have to come from the same laser at the same
/// power.
fn other_light(detector: Detector, reference: &Light, sweep: &Light) -> Said {
    let warn = |tls: u8, what: &str, then: String, now: String| {
        let message =
            format!("the reference of {detector} was taken {what} {then} and the sweep {what} {now}");
        let hint = format!(
            "a transmission compares the two: set TLS {tls} before the reference, and take it again after a change"
        );
        (format!("light of {detector}"), Diagnostic::warning(message).hint(hint))
    };
    for (tls, now) in &sweep.sources {
        let Some(then) = reference.sources.get(tls) else { continue };
        if let Some((then, now)) = then.laser.zip(now.laser).filter(|(then, now)| then != now) {
            return vec![warn(*tls, "with", format!("laser {then}"), format!("laser {now}"))];
        }
        if let Some((then, now)) = then.power_dbm.zip(now.power_dbm)
            && (then - now).abs() > SAME_POWER_DB
        {
            return vec![warn(*tls, "at", format!("{then} dBm"), format!("{now} dBm"))];
        }
    }
    Said::new()
}
