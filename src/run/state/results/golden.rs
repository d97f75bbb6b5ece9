//! The figures of golden devices: measured again and again, they show how well the bench repeats.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AnalysisRecord, columns_as_row};
use crate::analysis::control::{ControlChart, individuals};
use crate::measurement::Detector;
use crate::step::is_golden;

/// Highest number of figures of golden devices.
const MOST_FIGURES: usize = 100;
/// Highest number of measurements of one figure.
const MOST_VALUES: usize = 10_000;

/// A figure of a golden device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GoldenFigure {
    /// The device.
    pub device: String,
    /// The detector.
    pub detector: Detector,
    /// The name of the detector in the recipe, or `module/channel`.
    #[serde(default)]
    pub detector_name: String,
    /// The figure.
    pub figure: String,
    /// The unit.
    pub unit: String,
    /// Whether the figure has limits.
    pub has_limits: bool,
    /// The values in the order of their measurement, without those that are only a bound.
    pub values: Vec<f64>,
    /// The number of measurements that gave only a bound.
    #[serde(default)]
    pub bounds: u64,
    /// The numbers of the analyses.
    pub steps: Vec<u64>,
    /// The control chart; null for fewer than three values.
    pub chart: Option<ControlChart>,
}

/// The figures of golden devices, those with limits first.
pub(super) fn figures<'a>(records: impl Iterator<Item = &'a AnalysisRecord>) -> Vec<GoldenFigure> {
    let mut known: BTreeMap<(String, Detector, String), GoldenFigure> = BTreeMap::new();
    for record in records.filter(|record| is_golden(&columns_as_row(&record.columns))) {
        let device = super::devices::name_of(&record.columns).unwrap_or_else(|| record.turns.clone());
        for trace in &record.outcome.traces {
            let mut names: Vec<&String> = trace.figures.iter().map(|figure| &figure.name).collect();
            names.sort();
            names.dedup();
            for name in names {
                let Some(figure) = trace.representative(name) else { continue };
                if !figure.is_measured() {
                    continue;
                }
                let key = (device.clone(), trace.detector, name.clone());
                if known.len() >= MOST_FIGURES && !known.contains_key(&key) {
                    continue;
                }
                let series = known.entry(key).or_insert_with(|| GoldenFigure {
                    device: device.clone(),
                    detector: trace.detector,
                    detector_name: trace.shown_detector(),
                    figure: name.clone(),
                    unit: figure.unit.clone(),
                    has_limits: false,
                    values: Vec::new(),
                    bounds: 0,
                    steps: Vec::new(),
                    chart: None,
                });
                series.has_limits |= trace.judged.iter().any(|judged| judged.figure == *name);
                match figure.exact() {
                    Some(value) if series.values.len() < MOST_VALUES => {
                        series.values.push(value);
                        series.steps.push(record.step);
                    }
                    Some(_) => {}
                    None => series.bounds += 1,
                }
            }
        }
    }
    let mut figures: Vec<GoldenFigure> = known.into_values().collect();
    for figure in &mut figures {
        figure.chart = individuals(&figure.values);
    }
    figures.sort_by_key(|figure| !figure.has_limits);
    figures
}
