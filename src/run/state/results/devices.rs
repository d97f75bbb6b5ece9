//! The dies of a run: their positions from the columns of tables, their verdicts and figures from the analyses.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::analysis::shown::{bound, value};
use crate::analysis::verdict::{Judged, Verdict};
use crate::operation::plain;
use crate::step::{AnalysisOutcome, TraceAnalysis};
use crate::wafer::{Axes, Die, DieFigure, DieState, MOST_DIES, WaferMap};

/// Highest number of figures of a die.
const MOST_FIGURES: usize = 20;

/// The dies that the run has come to.
#[derive(Debug, Clone, Default)]
pub(super) struct Devices {
    seen: BTreeMap<Position, Seen>,
}

/// A position on a wafer. The coordinates are kept as the bits of numbers, so that they can be a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    wafer: Option<String>,
    axes: Axes,
    x: u64,
    y: u64,
}

#[derive(Debug, Clone)]
struct Seen {
    name: String,
    is_withdrawn: bool,
}

impl Position {
    /// The position in the columns; `None` if they state none.
    fn of(columns: &BTreeMap<String, Value>) -> Option<Self> {
        let number = |name: &str| columns.get(name)?.as_f64();
        let pair = |x: &str, y: &str, axes: Axes| Some((number(x)?, number(y)?, axes));
        let (x, y, axes) = pair("x_um", "y_um", Axes::Micrometres)
            .or_else(|| pair("col", "row", Axes::RowsAndColumns))
            .filter(|(x, y, _)| x.is_finite() && y.is_finite())?;
        // Positive and negative zero are one position.
        let bits = |value: f64| (value + 0.0).to_bits();
        Some(Self { wafer: columns.get("wafer").map(plain), axes, x: bits(x), y: bits(y) })
    }

    fn coordinates(&self) -> (f64, f64) {
        (f64::from_bits(self.x), f64::from_bits(self.y))
    }
}

/// The name of the device in the columns.
pub(super) fn name_of(columns: &BTreeMap<String, Value>) -> Option<String> {
    ["die", "device", "name", "id"].iter().find_map(|column| columns.get(*column)).map(plain)
}

fn name(columns: &BTreeMap<String, Value>, position: &Position) -> String {
    let (x, y) = position.coordinates();
    name_of(columns).unwrap_or_else(|| match position.axes {
        Axes::Micrometres => format!("x {x} µm, y {y} µm"),
        Axes::RowsAndColumns => format!("row {y}, column {x}"),
    })
}

impl Devices {
    /// A step has begun at these columns.
    pub(super) fn seen(&mut self, columns: &BTreeMap<String, Value>) {
        let Some(position) = Position::of(columns) else { return };
        if self.seen.len() >= MOST_DIES && !self.seen.contains_key(&position) {
            return;
        }
        let name = name(columns, &position);
        self.seen.entry(position).or_insert(Seen { name, is_withdrawn: false });
    }

    /// A trace of an analysis of this die was withdrawn.
    pub(super) fn withdrawn(&mut self, columns: &BTreeMap<String, Value>) {
        if let Some(seen) = Position::of(columns).and_then(|position| self.seen.get_mut(&position)) {
            seen.is_withdrawn = true;
        }
    }

    /// The maps, one for each wafer. `records` are the analyses that hold.
    pub(super) fn maps<'a>(
        &self,
        records: impl Iterator<Item = (&'a BTreeMap<String, Value>, &'a AnalysisOutcome)>,
    ) -> Vec<WaferMap> {
        let mut dies: BTreeMap<Position, Die> = BTreeMap::new();
        for (position, seen) in &self.seen {
            let state = if seen.is_withdrawn { DieState::Withdrawn } else { DieState::NotMeasured };
            dies.insert(position.clone(), die(position, seen.name.clone(), state));
        }
        let mut verdicts: BTreeMap<Position, Option<Verdict>> = BTreeMap::new();
        for (columns, outcome) in records {
            let Some(position) = Position::of(columns) else { continue };
            if dies.len() >= MOST_DIES && !dies.contains_key(&position) {
                continue;
            }
            // The worst verdict of all analyses of the die; any verdict is worse than none.
            let verdict = verdicts.entry(position.clone()).or_default();
            *verdict = (*verdict).max(outcome.verdict);
            let state = verdict.map_or(DieState::WithoutLimits, DieState::from);
            let name = name(columns, &position);
            let known = dies.entry(position.clone()).or_insert_with(|| die(&position, name, state));
            known.state = state;
            for trace in &outcome.traces {
                add_figures(known, trace);
            }
        }
        let mut maps: BTreeMap<(Option<String>, Axes), Vec<Die>> = BTreeMap::new();
        for (position, die) in dies {
            maps.entry((position.wafer, position.axes)).or_default().push(die);
        }
        maps.into_iter().map(|((wafer, axes), dies)| WaferMap { wafer, axes, dies }).collect()
    }
}

fn die(position: &Position, name: String, state: DieState) -> Die {
    let (x, y) = position.coordinates();
    Die { name, x, y, state, figures: BTreeMap::new() }
}

/// Adds the figures of a trace. Where a die has several figures of a name, the one with the worst verdict stands for them,
/// else the first one.
fn add_figures(die: &mut Die, trace: &TraceAnalysis) {
    let mut names: Vec<&String> = trace.judged.iter().map(|judged| &judged.figure).collect();
    names.extend(trace.figures.iter().map(|figure| &figure.name));
    let mut done = BTreeSet::new();
    for name in names.into_iter().filter(|name| done.insert(*name)) {
        let Some(next) = figure(name, trace) else { continue };
        let has_room = die.figures.len() < MOST_FIGURES;
        match die.figures.get_mut(name) {
            Some(known) if next.verdict > known.verdict => *known = next,
            Some(_) => {}
            None if has_room => {
                die.figures.insert(name.clone(), next);
            }
            None => {}
        }
    }
}

fn figure(name: &str, trace: &TraceAnalysis) -> Option<DieFigure> {
    let of_name = trace.judged.iter().filter(|judged| judged.figure == name);
    let worse = |worst: &'_ Judged, next: &'_ Judged| next.verdict > worst.verdict;
    let worst = of_name.reduce(|worst, next| if worse(worst, next) { next } else { worst });
    let figure = match worst.filter(|worst| worst.verdict > Verdict::Marginal) {
        Some(worst) => trace.figures.iter().find(|figure| worst.is_of(figure)),
        None => trace.representative(name),
    }?;
    let missing = || {
        let reason = figure.not_measured.as_deref().unwrap_or("no value");
        let bound = bound(figure).map(|bound| format!("{bound}; ")).unwrap_or_default();
        format!("not measured: {bound}{reason}")
    };
    Some(DieFigure {
        value: figure.value,
        bound: figure.bound.filter(|_| figure.is_bound()),
        text: value(figure).unwrap_or_else(missing),
        unit: figure.unit.clone(),
        verdict: worst.map(|worst| worst.verdict),
    })
}
