//! Light where it is needed.

use super::{Said, Sight};
use crate::operation::{Operation, Wait};
use crate::source::Diagnostic;

/// Without light a detector reads its own noise, which never holds still. A single reading in the dark may be meant.
pub(super) fn dark(sight: &Sight) -> Said {
    let Operation::Wait(Wait::Stable(stable)) = &sight.step.operation else { return Said::new() };
    if !sight.before.dark {
        return Said::new();
    }
    let message = format!("the power on {} is waited for with no laser on", stable.detector);
    let hint = "lasers are dark after a scan; `configure_laser: { laser: 1, output: true }` gives light";
    vec![("dark".into(), Diagnostic::warning(message).hint(hint))]
}
