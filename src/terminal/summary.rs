//! A summary at the end of a run: the key figures, and the run folder. The results of each sweep were shown before.

use std::fmt::Write as _;

use super::{duration, lines};
use crate::analysis::verdict::FigureYield;
use crate::run::state::status::RunStatus;
use crate::run::state::verdicts::Verdicts;
use crate::shown::counted;

/// How many devices passed the limits of each figure; nothing for a single device.
fn yields(verdicts: &Verdicts) -> Vec<String> {
    if verdicts.of_devices().all() < 2 {
        return Vec::new();
    }
    let yields = verdicts.yields();
    let width = yields.iter().map(|of_figure| of_figure.figure.len()).max().unwrap_or_default();
    let line = |FigureYield { figure, counts }: &FigureYield| {
        let marginal =
            if counts.marginal > 0 { format!(", {} marginal", counts.marginal) } else { String::new() };
        format!("{figure:width$}  {} of {} passed{marginal}", counts.pass, counts.all())
    };
    yields.iter().map(line).collect()
}

/// How much was measured. A run of power alone has no traces.
fn measured(status: &RunStatus) -> String {
    let traces = Some(counted(status.traces, "trace")).filter(|_| status.traces > 0 || status.readings == 0);
    let readings = Some(counted(status.readings, "power reading")).filter(|_| status.readings > 0);
    traces.into_iter().chain(readings).collect::<Vec<_>>().join(", ")
}

/// The summary of a finished run for stdout. Its last line is the path of the run folder.
#[must_use]
pub fn summary(status: &RunStatus) -> String {
    let mut text = String::new();
    let state = status.state.map(|state| lines::finish(state, status.reason.as_deref())).unwrap_or_default();
    let simulated = status.instrument.as_ref().is_some_and(|instrument| instrument.simulated);
    let _ =
        writeln!(text, "{} {state}{}", status.name, if simulated { "  (SIMULATED instrument)" } else { "" });
    if status.failed_steps > 0 || status.retries > 0 {
        let _ = writeln!(
            text,
            "  {:<21} {} failed, {} repeated",
            "faults",
            counted(status.failed_steps, "step"),
            counted(status.retries, "attempt")
        );
    }
    let took = status.finished.and_then(|finished| status.elapsed_s(finished));
    let took = took.map(|took| format!(", in {}", duration(took))).unwrap_or_default();
    let _ = writeln!(text, "  {:<21} {}{took}", "measured", measured(status));
    if let Some(verdict) = status.verdicts.worst() {
        let _ = writeln!(text, "  {:<21} {verdict} ({})", "verdict", status.verdicts.summary());
    }
    for (index, told) in yields(&status.verdicts).iter().enumerate() {
        let _ = writeln!(text, "  {:<21} {told}", if index == 0 { "yield" } else { "" });
    }
    for (name, told) in status.highlights() {
        let _ = writeln!(text, "  {name:<21} {told}");
    }
    text.push_str(&status.folder);
    text
}
