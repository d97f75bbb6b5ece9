//! Light where it is needed.

use super::{Said, Sight};
use crate::operation::{Operation, Wait};
use crate::source::Diagnostic;

/// Without light a detector reads its own noise, which never holds still and is no measure of a laser. A single reading in
/// the dark may be meant, but not where it judges the light.
pub(super) fn dark(sight: &Sight) -> Said {
    let (detector, does) = match &sight.step.operation {
        Operation::Wait(Wait::Stable(stable)) => (stable.detector, "waited for"),
        Operation::ReadPower(read) if sight.step.place.is_beside() && !read.detectors.is_empty() => {
            (read.detectors[0], "judged")
        }
        _ => return Said::new(),
    };
    if !sight.before.dark {
        return Said::new();
    }
    let message = format!("the power on {detector} is {does} with no laser on");
    let hint = "lasers are dark after a scan; `configure_laser: { laser: 1, output: true }` gives light";
    vec![("dark".into(), Diagnostic::warning(message).hint(hint))]
}
