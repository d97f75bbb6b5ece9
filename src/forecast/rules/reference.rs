//! Checks of references and of the transmission functions that use them.

use super::{RuleContext, Said};
use crate::forecast::bench::Light;
use crate::measurement::{Detector, Grid, TraceKind};
use crate::operation::{IfStale, Memory, UnattendedReference};
use crate::shown;
use crate::source::Diagnostic;
use crate::step::OnError;

/// Powers that differ by less than this are equal, dB.
const SAME_POWER_DB: f64 = 0.05;

/// Checks that a reference has a `connect` text.
pub(super) fn created(context: &RuleContext) -> Said {
    let Some(reference) = context.step.operation.traits().reference() else { return Said::new() };
    let mut said = Said::new();
    let detectors = shown::listed(&reference.detectors, ", ");
    let refuses = reference.if_stale == Some(IfStale::Refuse);
    if reference.connect.is_none() && !refuses {
        let message = format!("the reference of {detectors} has no `connect`");
        let hint =
            "add `connect: \"patch cord from OUT to IN…\"`: the operator is asked for this before the scan";
        said.push(("connect".into(), Diagnostic::warning(message).hint(hint)));
    }
    let recreate = reference.unattended == Some(UnattendedReference::Recreate) && !refuses;
    if context.circumstances.simulated {
        return said;
    }
    if recreate {
        let message = format!("the reference of {detectors} may be taken while no person is present");
        let hint = "with the device in the path every transmission would be 0 dB; `max_age_min` accepts an earlier reference";
        said.push(("unattended".into(), Diagnostic::warning(message).hint(hint)));
    } else if context.circumstances.attended == Some(false) {
        let message =
            format!("no person is present: the run fails here if a new reference of {detectors} is needed");
        let hint = "`max_age_min` accepts an earlier reference";
        said.push(("unattended".into(), Diagnostic::warning(message).hint(hint)));
    }
    said
}

/// Checks that fetched traces belong to the intended scan, and that their reference fits.
pub(super) fn fetched(context: &RuleContext) -> Said {
    let bench = context.before;
    match context.step.operation.traits().memory {
        // The device must be in the path again before the measurement.
        Memory::ReplacesLive if bench.patched && !context.circumstances.simulated => {
            let message = "no prompt asks for the device between the reference and this sweep";
            let hint = "add a `prompt`: with the patch cord in the path every transmission is 0 dB";
            vec![("device".into(), Diagnostic::warning(message).hint(hint))]
        }
        // A fetch in `finally` may come after a sweep that did not take place.
        Memory::Reads(fetch) if !context.finally => {
            let live = fetch.traces.iter().any(|kind| kind.is_of_last_sweep());
            let mut said = if live { of_which_sweep(context) } else { Said::new() };
            if fetch.traces.contains(&TraceKind::Tf) {
                said.extend(fetch.detectors.iter().flat_map(|detector| transmission(context, *detector)));
            }
            said
        }
        Memory::ReplacesLive
        | Memory::Reads(_)
        | Memory::Keeps
        | Memory::ReplacesReference(_)
        | Memory::Unknown => Said::new(),
    }
}

fn of_which_sweep(context: &RuleContext) -> Said {
    let (message, hint) = match context.before.swept {
        None => (
            "a trace is fetched before any sweep",
            "the memory contains the trace of an earlier user; put `sweep` before this step",
        ),
        Some(swept) if swept != context.before.grid() => (
            "the scan settings have changed since the last sweep, but the trace is from that sweep",
            "put `sweep` before this step, or change the scan after it",
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
            format!("the reference of {detector} is taken after the sweep that needs it"),
            "put `sweep` after `create_reference`",
        );
    }
    let Some(message) = uncovered(detector, &reference.scan, &swept) else {
        return other_light(detector, &reference.light, &bench.swept_by);
    };
    let hint = "take the reference with the widest range that the recipe scans";
    // If the recipe has set both ranges, the instrument certainly refuses.
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

/// Whether a reference covers a range in nm. One step of the reference may be missing at each end.
pub(crate) fn covers(reference: &Grid, (start_nm, stop_nm): (f64, f64)) -> bool {
    let step_nm = reference.step_pm * 1e-3;
    start_nm >= reference.start_nm - step_nm && stop_nm <= reference.stop_nm() + step_nm
}

/// The message if a reference does not cover the range of a sweep.
#[must_use]
pub(crate) fn uncovered(detector: Detector, reference: &Grid, swept: &Grid) -> Option<String> {
    (!covers(reference, (swept.start_nm, swept.stop_nm()))).then(|| {
        format!(
            "the reference of {detector} covers {} to {} nm, but the sweep covers {} to {} nm",
            reference.start_nm,
            reference.stop_nm(),
            swept.start_nm,
            swept.stop_nm(),
        )
    })
}

/// A transmission is the light of the sweep divided by the light of the reference. Both must come from the same laser
/// at the same power.
fn other_light(detector: Detector, reference: &Light, sweep: &Light) -> Said {
    let warn = |tls: u8, what: &str, then: String, now: String| {
        let message =
            format!("the reference of {detector} was taken {what} {then}, but the sweep runs {what} {now}");
        let hint = format!(
            "a transmission compares both: set TLS {tls} before the reference, and take the reference again after a change"
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
