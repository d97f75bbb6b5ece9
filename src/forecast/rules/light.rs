//! Checks that there is light for a power reading, and that the detector is calibrated for it.

use super::{RuleContext, Said};
use crate::measurement::Detector;
use crate::operation::Exchange;
use crate::source::Diagnostic;

/// Without light a detector reads its own noise, which is never stable and says nothing about a laser. A single
/// reading in the dark may be intended, but not in `suspend_when`.
pub(super) fn dark(context: &RuleContext) -> Said {
    let traits = context.step.operation.traits();
    let does = match traits.exchange {
        Exchange::WatchesPower => "waited for",
        Exchange::JudgesPower => "judged",
        Exchange::Readings(_) if context.step.place.is_in_suspension() => "judged",
        Exchange::Readings(_)
        | Exchange::Nothing
        | Exchange::Commands
        | Exchange::Values
        | Exchange::Traces => return Said::new(),
    };
    let Some(detector) = traits.detectors.first().filter(|_| context.before.dark) else { return Said::new() };
    let message = format!("the power on {detector} is {does}, but no laser is on");
    let hint = "lasers are off after a scan; `configure_laser: { laser: 1, output: true }` turns one on";
    vec![("dark".into(), Diagnostic::warning(message).hint(hint))]
}

/// A detector of photocurrent has no power reading: the instrument would refuse each query.
pub(super) fn photocurrent(context: &RuleContext) -> Said {
    let traits = context.step.operation.traits();
    let reads = match traits.exchange {
        Exchange::WatchesPower | Exchange::JudgesPower | Exchange::Readings(_) => true,
        Exchange::Nothing | Exchange::Commands | Exchange::Values | Exchange::Traces => false,
    };
    let refuse = |detector: &Detector| {
        let message = format!("{detector} measures photocurrent, so the instrument cannot read its power");
        let hint = "photocurrent is measured by a sweep: fetch its `raw` trace";
        (format!("photocurrent of {detector}"), Diagnostic::error(message).hint(hint))
    };
    let of_current = |detector: &&Detector| reads && context.before.photocurrent.contains(detector);
    traits.detectors.iter().filter(of_current).map(refuse).collect()
}

/// Largest distance between light and calibration wavelength, nm. Beyond it the responsivity of the detector differs.
pub(crate) const CALIBRATED_WITHIN_NM: f64 = 20.0;

/// The message about a power reading whose light has another wavelength than the calibration of the detector.
#[must_use]
pub(crate) fn miscalibrated(
    detector: Detector,
    calibrated_nm: f64,
    (laser, nm): (u8, f64),
) -> Option<String> {
    ((calibrated_nm - nm).abs() > CALIBRATED_WITHIN_NM).then(|| {
        format!("{detector} is calibrated for {calibrated_nm} nm, but the light of laser {laser} has {nm} nm")
    })
}

/// A power with the calibration of another wavelength is wrong, but looks plausible.
pub(super) fn calibrated(context: &RuleContext) -> Said {
    let traits = context.step.operation.traits();
    if !traits.relies_on_settings() {
        return Said::new();
    }
    let bench = context.before;
    // Light of unknown wavelength may be correct.
    let lit: Option<Vec<(u8, f64)>> =
        bench.lasers_on.iter().map(|laser| Some((*laser, *bench.static_nm.get(laser)?))).collect();
    let Some(lit) = lit else { return Said::new() };
    let judge = |detector: &Detector| {
        let calibrated_nm = *bench.calibrated_nm.get(detector)?;
        let nearest =
            lit.iter().min_by(|a, b| (a.1 - calibrated_nm).abs().total_cmp(&(b.1 - calibrated_nm).abs()))?;
        let message = miscalibrated(*detector, calibrated_nm, *nearest)?;
        let hint = "use `configure_detector` with the `wavelength_nm` of the light";
        Some((format!("calibration of {detector}"), Diagnostic::warning(message).hint(hint)))
    };
    traits.detectors.iter().filter_map(judge).collect()
}
