//! Assumed figures of merit: values within their limits, so that a forecast sees the recipe of a good device.

use crate::analysis::Figure;
use crate::analysis::registry;
use crate::analysis::verdict::{Limit, Verdict, judge};
use crate::measurement::{Detector, TraceKind};
use crate::operation::AnalyzeFields;
use crate::step::{AnalysisOutcome, TraceAnalysis};

/// The assumed result of an analysis of traces whose middle is at `middle_nm`.
pub(super) fn analysis(fields: &AnalyzeFields, middle_nm: f64) -> AnalysisOutcome {
    let numbers = if fields.traces.is_empty() { &[0] } else { fields.traces.as_slice() };
    let detector = fields.detectors.first().copied().unwrap_or(Detector { module: 1, channel: 1 });
    let limits = fields.all_limits();
    let mut outcome = AnalysisOutcome::new();
    for trace_index in numbers {
        let figures: Vec<Figure> = fields
            .names()
            .into_iter()
            .map(|name| {
                let value = assumed(&name, limits.get(&name), middle_nm);
                match registry::find(&name) {
                    Some((definition, level_db)) => Figure::measured_at(definition, level_db, value),
                    None => {
                        Figure { value: Some(value), not_measured: None, ..Figure::without_value(&name, "") }
                    }
                }
            })
            .collect();
        let judged = judge(&limits, &figures).unwrap_or_default();
        outcome.traces.push(TraceAnalysis {
            trace_index: *trace_index,
            attempt: 1,
            detector,
            detector_name: detector.to_string(),
            trace: TraceKind::Tf,
            name: String::new(),
            reference: None,
            figures,
            judged,
            settings: None,
            averaged: Vec::new(),
            minus: None,
            smooth_samples: None,
            warnings: Vec::new(),
        });
    }
    // The plan is the one of a good device, also where a value cannot be assumed.
    AnalysisOutcome { verdict: fields.has_limits().then_some(Verdict::Pass), ..outcome.complete() }
}

fn assumed(name: &str, limit: Option<&Limit>, middle_nm: f64) -> f64 {
    let guard = limit.and_then(|limit| limit.guard).unwrap_or(0.0);
    match limit.map(|limit| (limit.min, limit.max)) {
        Some((Some(min), Some(max))) => 0.5 * (min + max),
        Some((Some(min), None)) => min + guard,
        Some((None, Some(max))) => max - guard,
        Some((None, None)) | None => usual(name, middle_nm),
    }
}

/// A value of the usual size.
fn usual(name: &str, middle_nm: f64) -> f64 {
    let is_place = matches!(name, "dip_nm" | "peak_nm" | "resonance_nm") || name.ends_with("db_center_nm");
    match name {
        _ if is_place => middle_nm,
        _ if name.starts_with("q_") => 1e4,
        "dip_db" | "floor_db" | "mean_db" => -20.0,
        "peak_db" => -3.0,
        "unusable_samples" | "saturated_samples" => 0.0,
        "group_index" => 4.0,
        _ if name.ends_with("_ghz") => 100.0,
        _ => 1.0,
    }
}
