//! `ctp10 figures --control-chart`: the figures of golden devices over days.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use super::devices::{Labels, Row, device_columns, naming, short};
use super::layout::{Column, tables};
use crate::analysis::Figure;
use crate::analysis::control::{ControlChart, FEWEST, individuals};
use crate::error::{ExitCode, Failure};
use crate::operation::Constant;
use crate::step::{GOLDEN_COLUMN, is_golden};
use crate::terminal::output::outln;
use crate::terminal::simulated_mark;

/// One figure of one golden device, in the order of its measurement.
#[derive(Serialize)]
struct Series {
    columns: BTreeMap<String, Constant>,
    label: String,
    figure: String,
    unit: String,
    values: Vec<f64>,
    /// The number of measurements that gave only a bound, which are not among the values.
    bounds: usize,
    /// The run of each value.
    runs: Vec<String>,
    started: Vec<chrono::DateTime<chrono::Utc>>,
    /// `None` for fewer than three values.
    chart: Option<ControlChart>,
    #[serde(skip)]
    last: Figure,
}

/// Prints the charts of the golden devices among these rows, the oldest of which is first.
pub(super) fn print(rows: &[Row<'_>], as_json: bool) -> Result<(), Failure> {
    let golden: Vec<&Row<'_>> = rows.iter().filter(|row| is_golden(&json!(row.device.columns))).collect();
    if golden.is_empty() {
        let message = "none of the devices is a golden device";
        return Err(Failure::new(ExitCode::Usage, message)
            .hint(format!("a golden device has `true` in the column `{GOLDEN_COLUMN}` of its table")));
    }
    let series = series(&golden);
    if as_json {
        return crate::app::print_json(&json!({ "charts": series }));
    }
    let simulated = simulated_mark(golden.iter().any(|row| row.run.instrument.simulated));
    outln!("golden devices: {} measurements{simulated}", golden.len());
    let shown: Vec<(&Series, &ControlChart)> =
        series.iter().filter_map(|series| Some((series, series.chart.as_ref()?))).collect();
    let columns = naming(series.iter().map(|series| &series.columns));
    let mut first = device_columns(&columns, shown.iter().map(|(series, _)| &series.columns));
    first.push(Column::new("figure", shown.iter().map(|(series, _)| series.label.clone())));
    let of = |pick: fn(&ControlChart) -> f64| {
        let cells = shown.iter().map(move |(series, chart)| {
            // As many digits as the repeatability makes sense of.
            let error = Some(chart.repeatability).filter(|error| *error > 0.0);
            short(&Figure { value: Some(pick(chart)), error, bound: None, ..series.last.clone() })
        });
        cells.collect::<Vec<_>>()
    };
    let others = [
        Column::new("n", shown.iter().map(|(series, _)| series.values.len().to_string())),
        Column::new("mean", of(|chart| chart.mean)),
        Column::new("lower", of(|chart| chart.lower)),
        Column::new("upper", of(|chart| chart.upper)),
        Column::new("guard", of(|chart| chart.guard)),
        Column::new("outside", shown.iter().map(|(series, chart)| outside(series, chart))),
    ];
    if !shown.is_empty() {
        for table in tables(&first, &others) {
            outln!("{table}");
        }
        outln!(
            "lower, upper: mean ± 3 standard deviations; guard: 3 standard deviations, for `guard` of a limit"
        );
    }
    let bounds: usize = series.iter().map(|series| series.bounds).sum();
    if bounds > 0 {
        outln!("{bounds} values are only bounds, and are left out");
    }
    let few = series.len() - shown.len();
    if few > 0 {
        outln!("{few} figures have fewer than {FEWEST} values, which are too few for a chart");
    }
    Ok(())
}

fn series(golden: &[&Row<'_>]) -> Vec<Series> {
    let labels = Labels::of(golden.iter().flat_map(|row| row.device.values.keys()));
    let mut known: BTreeMap<(String, String), Series> = BTreeMap::new();
    for row in golden {
        for (label, value) in &row.device.values {
            if !value.figure.is_measured() {
                continue;
            }
            let label = labels.show(label);
            let device = format!("{:?}", row.device.columns);
            let series = known.entry((device, label.clone())).or_insert_with(|| Series {
                columns: row.device.columns.clone(),
                label,
                figure: value.figure.name.clone(),
                unit: value.figure.unit.clone(),
                values: Vec::new(),
                bounds: 0,
                runs: Vec::new(),
                started: Vec::new(),
                chart: None,
                last: value.figure.clone(),
            });
            let Some(number) = value.figure.exact() else {
                series.bounds += 1;
                continue;
            };
            series.values.push(number);
            series.runs.push(row.run.run.clone());
            series.started.push(row.run.started);
        }
    }
    let mut all: Vec<Series> = known.into_values().collect();
    for series in &mut all {
        series.chart = individuals(&series.values);
    }
    all
}

/// How many values are outside the limits, and in which run the last one is.
fn outside(series: &Series, chart: &ControlChart) -> String {
    match chart.outside.last().and_then(|at| series.runs.get(*at)) {
        Some(run) => format!("{} (last: {run})", chart.outside.len()),
        None => "0".to_owned(),
    }
}
