//! Whether the wavelengths of an analysis are within its traces.

use std::collections::BTreeMap;

use super::Said;
use crate::measurement::Grid;
use crate::operation::AnalyzeFields;
use crate::shown::{number, quantity};
use crate::source::Diagnostic;
use crate::step::Step;

/// Rounding errors of wavelengths, nm.
const SAME_NM: f64 = 1e-6;

/// Checks an analysis. `grids` are the axes of the traces whose scan the recipe states.
pub(in crate::forecast) fn wavelengths(step: &Step, grids: &BTreeMap<u64, Grid>) -> Said {
    let Some(analysis) = step.operation.traits().analysis else { return Said::new() };
    let grids = analysis.traces.iter().filter_map(|number| grids.get(number));
    grids.flat_map(|grid| beside(analysis, grid)).collect()
}

fn beside(analysis: &AnalyzeFields, grid: &Grid) -> Said {
    let (start, stop) = (grid.start_nm, grid.stop_nm());
    let reach = format!("the trace reaches from {start} to {stop} nm");
    let mut said = Said::new();
    if let Some([from, to]) = analysis.band_nm {
        let is_within = from >= start - SAME_NM && to <= stop + SAME_NM;
        if from > stop || to < start {
            let message = format!("the band {from} to {to} nm is outside the trace");
            said.push(("band".into(), Diagnostic::error(message).hint(reach.clone())));
        } else if !is_within {
            let message = format!("the band {from} to {to} nm is partly outside the trace");
            said.push(("band".into(), Diagnostic::warning(message).hint(reach.clone())));
        }
    }
    let is_outside = |nm: f64| nm < start - SAME_NM || nm > stop + SAME_NM;
    if let Some(nm) = analysis.wavelengths_nm().iter().find(|nm| is_outside(**nm)) {
        let message = format!("at_nm {nm} nm is outside the trace: the insertion loss there is not measured");
        said.push(("at_nm".into(), Diagnostic::warning(message).hint(reach.clone())));
    }
    let channels = match analysis.task(analysis.traces.len()) {
        Ok(task) => task.channels,
        Err(message) => {
            said.push(("channels".into(), Diagnostic::error(message)));
            return said;
        }
    };
    let outside = |from_nm: f64, to_nm: f64| is_outside(from_nm) || is_outside(to_nm);
    if let Some(channel) = channels.iter().find(|channel| outside(channel.from_nm, channel.to_nm)) {
        let message = format!(
            "the window of channel {}, {} to {}, is not within the trace: its figures are not measured",
            channel.name,
            number(channel.from_nm, None, "nm"),
            quantity(channel.to_nm, None, "nm")
        );
        said.push(("channels".into(), Diagnostic::warning(message).hint(reach)));
    }
    said
}
