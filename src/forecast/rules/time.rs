//! Times that do not fit into each other.

use super::{RuleContext, Said};
use crate::forecast::bench::BenchState;
use crate::operation::{Operation, Wait};
use crate::source::Diagnostic;

/// A step that cannot be over within its `timeout_s`.
pub(super) fn limits(context: &RuleContext) -> Said {
    let Some(limit) = context.step.options.timeout_s.map(|limit| limit.get()) else { return Said::new() };
    // Waits last what they say. How long a scan takes is as good as what the recipe says of its speed.
    let (least, certain) = match &context.step.operation {
        Operation::Wait(Wait::Seconds(time)) => (time.get(), true),
        Operation::Wait(Wait::Stable(stable)) => (stable.for_s.get(), true),
        Operation::ReadPower(read) => {
            (read.interval_s.get() * f64::from(read.samples.saturating_sub(1)), true)
        }
        Operation::Sweep(_) | Operation::CreateReference(_) if speeds_are_known(context.after) => {
            (context.after.sweeping_s(), false)
        }
        _ => return Said::new(),
    };
    if least <= limit {
        return Said::new();
    }
    let message = format!("`{}` takes {least} s and may take {limit} s", context.step.operation.name());
    let diagnostic = if certain { Diagnostic::error(message) } else { Diagnostic::warning(message) };
    vec![("timeout".into(), diagnostic.hint("give it a longer timeout_s"))]
}

fn speeds_are_known(bench: &BenchState) -> bool {
    let mut shares = bench.shares().peekable();
    bench.range().is_some()
        && shares.peek().is_some()
        && shares.all(|(_, source, _)| source.speed_nm_s.is_some())
}
