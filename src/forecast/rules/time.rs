//! Checks of times that contradict each other.

use super::{RuleContext, Said};
use crate::forecast::bench::BenchState;
use crate::source::Diagnostic;

/// Checks that a step can finish within its `timeout_s`.
pub(super) fn limits(context: &RuleContext) -> Said {
    let Some(limit) = context.step.options.timeout_s.map(|limit| limit.get()) else { return Said::new() };
    // The duration of a wait is exact. That of a scan is as exact as the speed that the recipe sets.
    let traits = context.step.operation.traits();
    let (least, certain) = match traits.least_s() {
        Some(seconds) => (seconds, true),
        None if traits.is_scan() && speeds_are_known(context.after) => (context.after.sweeping_s(), false),
        None => return Said::new(),
    };
    if least <= limit {
        return Said::new();
    }
    let message = format!("`{}` needs {least} s, but its limit is {limit} s", context.step.operation.name());
    let diagnostic = if certain { Diagnostic::error(message) } else { Diagnostic::warning(message) };
    vec![("timeout".into(), diagnostic.hint("use a longer `timeout_s`"))]
}

fn speeds_are_known(bench: &BenchState) -> bool {
    let mut shares = bench.shares().peekable();
    bench.range().is_some()
        && shares.peek().is_some()
        && shares.all(|(_, source, _)| source.speed_nm_s.is_some())
}
