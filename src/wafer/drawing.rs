//! The picture of a map.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use maud::{Markup, html};

use super::scale::{STEPS, of_state, of_step, step};
use super::{Axes, Die, DieState, Shade, WaferMap};
use crate::analysis::Bound;
use crate::shown::{counted, quantity};

/// Width and height of the area for the dies.
const AREA: f64 = 300.0;
/// Space to the left and below, for the axes.
const MARGIN: f64 = 46.0;
/// Space above the dies, for the title.
const TOP: f64 = 26.0;
/// Width of the legend.
const LEGEND: f64 = 132.0;
/// Share of the pitch that a die fills.
const FILLED: f64 = 0.9;
/// A pitch is at least this share of the extent, so that dies at irregular positions can be seen.
const LEAST_PITCH: f64 = 1.0 / 200.0;
/// Maps with more dies have no text for each of them.
const MOST_TITLES: usize = 2_000;

/// The colours of dies: a state, or a step of the scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fill {
    State(DieState),
    /// Of a value, or of a value that is only a bound.
    Step(usize, Option<Bound>),
}

/// The map as a file of its own.
#[must_use]
pub fn standalone(map: &WaferMap, shade: Shade<'_>) -> String {
    svg(map, shade).into_string().replacen("<svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"", 1)
}

/// The map as SVG within a page. The page may replace the colours of text (`.wafer text`), of outlines (`.outline`)
/// and of marks (`.mark`, `.mark.hollow`).
#[must_use]
pub fn svg(map: &WaferMap, shade: Shade<'_>) -> Markup {
    let plan = Plan::of(map);
    let range = range(map, shade);
    let mut filled: BTreeMap<Fill, Vec<&Die>> = BTreeMap::new();
    for die in &map.dies {
        filled.entry(fill(die, shade, range)).or_default().push(die);
    }
    let has_titles = map.dies.len() <= MOST_TITLES;
    let shown = shown(map, shade);
    let label = format!("{}: {shown}, {}", map.title(), counted(map.dies.len(), "die"));
    let (right, height) = (plan.right(), plan.height());
    let width = right + LEGEND;
    html! {
        svg.wafer viewBox=(format!("0 0 {width:.0} {height:.0}")) width=(format!("{width:.0}"))
            height=(format!("{height:.0}")) font-family="sans-serif" font-size="11" role="img" aria-label=(label) {
            text x=(format!("{MARGIN:.1}")) y="14" { (shown) }
            (axes(map, &plan))
            @for (fill, dies) in &filled {
                g fill=(colour(*fill)) class=(cell_class(*fill)) stroke="#5c6670" stroke-width="0.5" {
                    @if has_titles {
                        @for die in dies { path d=(plan.cell(die)) { title { (title(die)) } } }
                    } @else {
                        path d=(dies.iter().map(|die| plan.cell(die)).collect::<String>()) {}
                    }
                }
                @let marks: String = dies.iter().filter_map(|die| plan.mark(die, *fill)).collect();
                @if !marks.is_empty() { path class=(mark_class(*fill)) d=(marks) fill="none" stroke="#1b2127" {} }
            }
            @match shade {
                Shade::Verdict => { (legend_of_states(&filled, right)) }
                Shade::Figure(figure) => { (legend_of_values(map, figure, range, right)) }
            }
        }
    }
}

/// What the colours show, with its unit.
fn shown(map: &WaferMap, shade: Shade<'_>) -> String {
    match shade {
        Shade::Verdict => "verdict".to_owned(),
        Shade::Figure(figure) => match unit(map, figure) {
            // The unit of a plain number.
            "" | "1" => figure.to_owned(),
            unit => format!("{figure} in {unit}"),
        },
    }
}

fn unit<'a>(map: &'a WaferMap, figure: &str) -> &'a str {
    map.dies.iter().find_map(|die| die.figures.get(figure)).map_or("", |figure| &figure.unit)
}

fn colour(fill: Fill) -> String {
    match fill {
        Fill::State(state) => of_state(state).to_owned(),
        Fill::Step(step, _) => of_step(step),
    }
}

fn is_hollow(fill: Fill) -> bool {
    matches!(fill, Fill::State(DieState::NotMeasured | DieState::Withdrawn))
}

/// A mark is dark on the colours of dies, and has the colour of text on a die without colour.
fn mark_class(fill: Fill) -> &'static str {
    if is_hollow(fill) { "mark hollow" } else { "mark" }
}

fn cell_class(fill: Fill) -> &'static str {
    if is_hollow(fill) { "outline" } else { "die" }
}

fn fill(die: &Die, shade: Shade<'_>, range: Option<(f64, f64)>) -> Fill {
    match (shade, range) {
        (Shade::Verdict, _) => Fill::State(die.state),
        (Shade::Figure(figure), range) => {
            let value = die.figures.get(figure).and_then(|figure| Some((figure.value?, figure.bound)));
            let without = if die.state == DieState::Withdrawn { die.state } else { DieState::NotMeasured };
            match value.zip(range) {
                Some(((value, bound), (low, high))) => Fill::Step(step(value, low, high), bound),
                None => Fill::State(without),
            }
        }
    }
}

/// The lowest and the highest value of a figure.
fn range(map: &WaferMap, shade: Shade<'_>) -> Option<(f64, f64)> {
    let Shade::Figure(figure) = shade else { return None };
    let values = || map.dies.iter().filter_map(|die| die.figures.get(figure)?.value);
    values().reduce(f64::min).zip(values().reduce(f64::max))
}

fn title(die: &Die) -> String {
    let mut text = format!("{}: {}", die.name, die.state.word());
    for (name, figure) in &die.figures {
        let verdict = figure.verdict.map(|verdict| format!(" ({verdict})")).unwrap_or_default();
        let _ = write!(text, "\n{name}: {}{verdict}", figure.text);
    }
    text
}

/// Where the dies are in the picture.
struct Plan {
    axes: Axes,
    low: (f64, f64),
    high: (f64, f64),
    /// Picture units per position.
    scale: f64,
    cell: (f64, f64),
}

impl Plan {
    fn of(map: &WaferMap) -> Self {
        let (xs, ys) = (sorted(map.dies.iter().map(|die| die.x)), sorted(map.dies.iter().map(|die| die.y)));
        let ends = |all: &[f64]| (all.first().copied().unwrap_or(0.0), all.last().copied().unwrap_or(0.0));
        let ((x_low, x_high), (y_low, y_high)) = (ends(&xs), ends(&ys));
        // Dies in one line have the pitch of the other axis.
        let (pitch_x, pitch_y) = match (pitch(&xs), pitch(&ys)) {
            (Some(x), Some(y)) => (x, y),
            (Some(one), None) | (None, Some(one)) => (one, one),
            (None, None) => (1.0, 1.0),
        };
        let extent = (x_high - x_low + pitch_x).max(y_high - y_low + pitch_y);
        let scale = AREA / extent;
        let cell = |pitch: f64| (pitch * scale).max(AREA * LEAST_PITCH) * FILLED;
        Self {
            axes: map.axes,
            low: (x_low - pitch_x / 2.0, y_low - pitch_y / 2.0),
            high: (x_high + pitch_x / 2.0, y_high + pitch_y / 2.0),
            scale,
            cell: (cell(pitch_x), cell(pitch_y)),
        }
    }

    fn right(&self) -> f64 {
        MARGIN + (self.high.0 - self.low.0) * self.scale
    }

    fn bottom(&self) -> f64 {
        TOP + (self.high.1 - self.low.1) * self.scale
    }

    /// The height of the picture: at least that of the legend.
    fn height(&self) -> f64 {
        (self.bottom() + MARGIN).max(TOP + 190.0)
    }

    fn centre(&self, die: &Die) -> (f64, f64) {
        let x = MARGIN + (die.x - self.low.0) * self.scale;
        let y = match self.axes {
            Axes::Micrometres => TOP + (self.high.1 - die.y) * self.scale,
            Axes::RowsAndColumns => TOP + (die.y - self.low.1) * self.scale,
        };
        (x, y)
    }

    /// The outline of a die, as a path.
    fn cell(&self, die: &Die) -> String {
        let ((x, y), (width, height)) = (self.centre(die), self.cell);
        let (left, top) = (x - width / 2.0, y - height / 2.0);
        format!("M{left:.1} {top:.1}h{width:.1}v{height:.1}h-{width:.1}z")
    }

    /// The mark of a state or of a bound, so that colour is not the only difference.
    fn mark(&self, die: &Die, fill: Fill) -> Option<String> {
        let ((x, y), half) = (self.centre(die), self.cell.0.min(self.cell.1) * 0.28);
        match fill {
            Fill::State(state) => mark(state, x, y, half),
            Fill::Step(_, bound) => bound.map(|bound| mark_of_bound(bound, x, y, half)),
        }
    }
}

/// The mark of a state about a point, as a path.
fn mark(state: DieState, x: f64, y: f64, half: f64) -> Option<String> {
    let (left, right, top, bottom) = (x - half, x + half, y - half, y + half);
    match state {
        DieState::Pass | DieState::WithoutLimits => None,
        DieState::Marginal => Some(format!("M{left:.1} {y:.1}H{right:.1}")),
        DieState::Fail => Some(format!(
            "M{left:.1} {top:.1}L{right:.1} {bottom:.1}M{left:.1} {bottom:.1}L{right:.1} {top:.1}"
        )),
        DieState::NotMeasured => Some(format!("M{left:.1} {bottom:.1}L{right:.1} {top:.1}")),
        DieState::Withdrawn => Some(format!("M{left:.1} {y:.1}H{right:.1}M{x:.1} {top:.1}V{bottom:.1}")),
    }
}

/// The sign of a bound about a point, as a path: `>` for at least, `<` for at most.
fn mark_of_bound(bound: Bound, x: f64, y: f64, half: f64) -> String {
    let (open, tip) = match bound {
        Bound::AtLeast => (x - half, x + half),
        Bound::AtMost => (x + half, x - half),
    };
    let (top, bottom) = (y - half, y + half);
    format!("M{open:.1} {top:.1}L{tip:.1} {y:.1}L{open:.1} {bottom:.1}")
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut all: Vec<f64> = values.collect();
    all.sort_by(f64::total_cmp);
    all.dedup();
    all
}

/// The smallest distance of two positions, but at least a share of the extent. `None` for a single position.
fn pitch(positions: &[f64]) -> Option<f64> {
    let extent = positions.last()? - positions.first()?;
    let least = positions.windows(2).map(|pair| pair[1] - pair[0]).reduce(f64::min)?;
    Some(least.max(extent * LEAST_PITCH))
}

/// The positions at the edges, with their names.
fn axes(map: &WaferMap, plan: &Plan) -> Markup {
    let (right, bottom) = (plan.right(), plan.bottom());
    let positions = |of: fn(&Die) -> f64| sorted(map.dies.iter().map(of));
    let (xs, ys) = (positions(|die| die.x), positions(|die| die.y));
    let ends = |all: &[f64]| (all.first().copied().unwrap_or(0.0), all.last().copied().unwrap_or(0.0));
    let ((x_low, x_high), (y_low, y_high)) = (ends(&xs), ends(&ys));
    let (x_name, y_name, top, low) = match map.axes {
        Axes::Micrometres => ("x_um", "y_um", y_high, y_low),
        Axes::RowsAndColumns => ("col", "row", y_low, y_high),
    };
    let middle = format!("{:.1}", f64::midpoint(MARGIN, right));
    let half = format!("{:.1}", f64::midpoint(TOP, bottom));
    html! {
        text x=(format!("{:.1}", MARGIN + 2.0)) y=(format!("{:.1}", bottom + 14.0)) { (x_low) }
        text x=(middle) y=(format!("{:.1}", bottom + 28.0)) text-anchor="middle" { (x_name) }
        @if x_high > x_low {
            text x=(format!("{:.1}", right - 2.0)) y=(format!("{:.1}", bottom + 14.0)) text-anchor="end" { (x_high) }
        }
        text x=(format!("{:.1}", MARGIN - 4.0)) y=(format!("{:.1}", TOP + 10.0)) text-anchor="end" { (top) }
        text x="12" y=(half) text-anchor="middle" transform=(format!("rotate(-90 12 {half})")) { (y_name) }
        @if y_high > y_low {
            text x=(format!("{:.1}", MARGIN - 4.0)) y=(format!("{bottom:.1}")) text-anchor="end" { (low) }
        }
    }
}

fn legend_of_states(filled: &BTreeMap<Fill, Vec<&Die>>, right: f64) -> Markup {
    let count = |state: DieState| filled.get(&Fill::State(state)).map_or(0, Vec::len);
    let states: Vec<DieState> = DieState::ALL.into_iter().filter(|state| count(*state) > 0).collect();
    let x = right + 16.0;
    html! {
        @for (row, state) in (0_u16..).zip(states) {
            @let y = TOP + 4.0 + 20.0 * f64::from(row);
            g fill=(of_state(state)) class=(cell_class(Fill::State(state))) stroke="#5c6670" stroke-width="0.5" {
                rect x=(format!("{x:.1}")) y=(format!("{y:.1}")) width="12" height="12" {}
            }
            @if let Some(mark) = mark(state, x + 6.0, y + 6.0, 3.5) {
                path class=(mark_class(Fill::State(state))) d=(mark) fill="none" stroke="#1b2127" {}
            }
            text x=(format!("{:.1}", x + 18.0)) y=(format!("{:.1}", y + 10.0)) { (state.word()) ": " (count(state)) }
        }
    }
}

fn legend_of_values(map: &WaferMap, figure: &str, range: Option<(f64, f64)>, right: f64) -> Markup {
    let unit = unit(map, figure);
    let (x, height) = (right + 16.0, 120.0);
    let each = height / f64::from(u16::try_from(STEPS).unwrap_or(u16::MAX));
    let missing =
        map.dies.iter().filter(|die| die.figures.get(figure).is_none_or(|f| f.value.is_none())).count();
    let text = |value: f64| quantity(value, None, unit);
    let with = |bound: Bound| {
        let is_it = |die: &&Die| die.figures.get(figure).is_some_and(|figure| figure.bound == Some(bound));
        (bound, map.dies.iter().filter(is_it).count())
    };
    let bounds = [Bound::AtLeast, Bound::AtMost].map(with).into_iter().filter(|(_, count)| *count > 0);
    html! {
        @if let Some((low, high)) = range {
            @let steps = if high > low { 0..STEPS } else { STEPS / 2..STEPS / 2 + 1 };
            @for (row, step) in (0_u16..).zip(steps.rev()) {
                rect x=(format!("{x:.1}")) y=(format!("{:.2}", TOP + each * f64::from(row))) width="14"
                    height=(format!("{:.2}", each + 0.2)) fill=(of_step(step)) {}
            }
            text x=(format!("{:.1}", x + 20.0)) y=(format!("{:.1}", TOP + 10.0)) { (text(high)) }
            @if high > low {
                text x=(format!("{:.1}", x + 20.0)) y=(format!("{:.1}", TOP + height)) { (text(low)) }
            }
        }
        @for (row, (bound, count)) in (1_u16..).zip(bounds) {
            @let y = TOP + height + 12.0 + 20.0 * f64::from(row);
            path.mark.hollow d=(mark_of_bound(bound, x + 6.0, y + 6.0, 3.5)) fill="none" stroke="#1b2127" {}
            text x=(format!("{:.1}", x + 18.0)) y=(format!("{:.1}", y + 10.0)) { "bound " (bound.sign()) ": " (count) }
        }
        @if missing > 0 {
            @let y = TOP + height + 12.0;
            g.outline fill="none" stroke="#5c6670" { rect x=(format!("{x:.1}")) y=(format!("{y:.1}")) width="12" height="12" {} }
            @if let Some(mark) = mark(DieState::NotMeasured, x + 6.0, y + 6.0, 3.5) { path.mark.hollow d=(mark) fill="none" stroke="#1b2127" {} }
            text x=(format!("{:.1}", x + 18.0)) y=(format!("{:.1}", y + 10.0)) { "no value: " (missing) }
        }
    }
}
