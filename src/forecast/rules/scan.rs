//! Checks of the range of a scan and of its sources.

use std::collections::BTreeMap;

use super::{RuleContext, Said};
use crate::forecast::bench::{BenchState, Source};
use crate::operation::{LaserDemand, Lasers};
use crate::source::Diagnostic;

/// Wavelengths that differ by less than this are equal, nm: half the finest step.
const SAME_NM: f64 = 1e-5;
/// The shortest scan, nm. An instrument moves one end if the other comes closer than this.
const SHORTEST_NM: f64 = 1.0;

/// The reason why an instrument does not accept this range for a scan.
#[must_use]
pub(crate) fn no_range(start: f64, stop: f64) -> Option<(String, &'static str)> {
    if start >= stop {
        let message = format!("the scan starts at {start} nm and stops at {stop} nm");
        return Some((message, "`start_nm` must be below `stop_nm`"));
    }
    let span = ((stop - start) / SAME_NM).round() * SAME_NM;
    (span < SHORTEST_NM - SAME_NM).then(|| {
        let span = format!("{span:.5}");
        let span = span.trim_end_matches('0').trim_end_matches('.');
        let message =
            format!("the scan covers {span} nm, but the shortest scan of the instrument is {SHORTEST_NM} nm");
        (message, "scan a wider range, and use only a part of it")
    })
}

/// Checks that the start of a scan is below its stop. Ends within one step were compared when it was read; these may
/// come from two steps.
pub(super) fn range(context: &RuleContext) -> Said {
    let traits = context.step.operation.traits();
    let sets_start = traits.scan.is_some_and(|fields| fields.start_nm.is_some());
    let range = match (traits.scan, traits.is_scan()) {
        // Ends that one step has set were checked there.
        (_, true) if sets_start || !context.after.range_is_of_one_step => context.after.range(),
        (Some(fields), false) => {
            fields.start_nm.zip(fields.stop_nm).map(|(start, stop)| (start.get(), stop.get()))
        }
        (_, true) | (None, false) => None,
    };
    let wrong = range.and_then(|(start, stop)| no_range(start, stop));
    wrong.map(|(message, hint)| ("range".into(), Diagnostic::error(message).hint(hint))).into_iter().collect()
}

/// Checks that a laser covers each wavelength of a scan.
pub(super) fn sources(context: &RuleContext) -> Said {
    match context.step.operation.traits().lasers {
        Lasers::Source { tls, laser, demand } => {
            if laser != Some(0) || demand == LaserDemand::default() {
                return Said::new();
            }
            let message = format!("TLS {tls} has settings but no laser");
            let hint = "`laser: 0` removes the TLS from the scan";
            vec![("laser".into(), Diagnostic::warning(message).hint(hint))]
        }
        Lasers::OfScan => scanned(context.after),
        Lasers::None | Lasers::Static { .. } | Lasers::Any => Said::new(),
    }
}

fn scanned(bench: &BenchState) -> Said {
    let mut said = shared_lasers(bench);
    let used = || bench.sources.iter().filter(|(_, source)| source.laser != Some(0));
    if bench.sources.len() == 4 && used().next().is_none() {
        said.push(("sources".into(), Diagnostic::error("no TLS has a laser: the scan would sweep nothing")));
        return said;
    }
    let Some((start, stop)) = bench.range().filter(|(start, stop)| start < stop) else { return said };
    let mut idle = false;
    for (tls, source) in used() {
        let below = source.stop_nm.is_some_and(|nm| nm <= start);
        let above = source.start_nm.is_some_and(|nm| nm >= stop);
        if below || above {
            idle = true;
            let message = format!("the range of TLS {tls} lies outside the scan of {start} to {stop} nm");
            let hint = "compare its `start_nm` and `stop_nm` with those of the scan";
            said.push((format!("tls {tls}"), Diagnostic::warning(message).hint(hint)));
        }
    }
    if let Some((from, to)) = uncovered(used().map(|(_, source)| source), (start, stop)).filter(|_| !idle) {
        let message = of_gap((from, to));
        let hint = "an instrument may refuse this scan, or sweep only the range of its TLSs; compare the ranges of TLS and scan";
        said.push(("sources".into(), Diagnostic::warning(message).hint(hint)));
    }
    said
}

/// The hint about a gap.
#[must_use]
pub(crate) fn of_gap((from, to): (f64, f64)) -> String {
    format!("no TLS of this recipe sweeps {from} to {to} nm of the scan")
}

/// The first gap between the sources; none if the range of a source is unknown.
pub(crate) fn uncovered<'a>(
    sources: impl Iterator<Item = &'a Source>,
    (start, stop): (f64, f64),
) -> Option<(f64, f64)> {
    let mut ranges: Vec<(f64, f64)> =
        sources.map(|source| source.start_nm.zip(source.stop_nm)).collect::<Option<_>>()?;
    if ranges.is_empty() {
        return None;
    }
    ranges.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut reached = start;
    for (from, to) in ranges {
        if from > reached + SAME_NM {
            return Some((reached, from.min(stop)));
        }
        reached = reached.max(to);
        if reached >= stop - SAME_NM {
            return None;
        }
    }
    Some((reached, stop))
}

/// Checks that no laser is used as two sources of one scan.
fn shared_lasers(bench: &BenchState) -> Said {
    let mut serving: BTreeMap<u8, u8> = BTreeMap::new();
    let mut said = Said::new();
    for (tls, source) in &bench.sources {
        let Some(laser) = source.laser.filter(|laser| *laser > 0) else { continue };
        if let Some(other) = serving.insert(laser, *tls) {
            let message = format!("laser {laser} is used as TLS {other} and as TLS {tls}");
            let hint = "`laser: 0` removes a TLS from the scan";
            said.push(("shared".into(), Diagnostic::error(message).hint(hint)));
        }
    }
    said
}
