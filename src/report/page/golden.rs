//! Control charts of golden devices.

use maud::{Markup, html};

use super::section;
use crate::analysis::control::ControlChart;
use crate::report::format::{clip, count};
use crate::report::value::Report;
use crate::run::state::results::GoldenFigure;
use crate::shown::quantity;

/// Highest number of charts.
const MOST: usize = 24;
/// Highest number of points in a chart: the last ones.
const MOST_POINTS: usize = 500;
const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 90.0;
const LEFT: f64 = 8.0;
const TOP: f64 = 8.0;

/// The charts of figures that were measured often enough, those with limits first.
pub(super) fn section_of(report: &Report) -> Markup {
    let charted: Vec<(&GoldenFigure, &ControlChart)> =
        report.golden.iter().filter_map(|figure| Some((figure, figure.chart.as_ref()?))).collect();
    if charted.is_empty() {
        return html! {};
    }
    // Where some figures have limits, the others are only in the summary.
    let has_limits = charted.iter().any(|(figure, _)| figure.has_limits);
    let charted: Vec<_> =
        charted.into_iter().filter(|(figure, _)| figure.has_limits || !has_limits).collect();
    section(
        "Golden devices",
        &html! {
            p.quiet {
                "Control charts of individual values: the dashed lines are mean ± 2.66 · mean moving range "
                "(NIST/SEMATECH e-Handbook, 6.3.2.2). The proposed guard is three times the repeatability."
            }
            div.maps { @for (figure, chart) in charted.iter().take(MOST) { (of_figure(figure, chart)) } }
            @if charted.len() > MOST {
                p.more { "and " (charted.len() - MOST) " more figures: see " (super::link("summary.json")) "." }
            }
        },
    )
}

fn of_figure(figure: &GoldenFigure, chart: &ControlChart) -> Markup {
    let text = |value: f64| {
        let digits = (chart.repeatability > 0.0).then_some(chart.repeatability);
        quantity(value, digits, &figure.unit)
    };
    html! {
        figure.control {
            figcaption {
                b { (clip(&figure.device)) } " " (clip(&figure.detector_name)) " " code { (figure.figure) } br;
                small {
                    "mean " (text(chart.mean)) ", repeatability " (text(chart.repeatability)) ", proposed guard "
                    (text(chart.guard)) ", " (count(figure.values.len() as u64, "measurement"))
                    @if figure.bounds > 0 { ", " (figure.bounds) " with only a bound left out" }
                    @if !chart.outside.is_empty() { ", " span.bad { (chart.outside.len()) " outside the limits" } }
                }
            }
            (svg(figure, chart))
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most 500 points")]
fn svg(figure: &GoldenFigure, chart: &ControlChart) -> Markup {
    let first = figure.values.len().saturating_sub(MOST_POINTS);
    let values = &figure.values[first..];
    let low = values.iter().copied().fold(chart.lower, f64::min);
    let high = values.iter().copied().fold(chart.upper, f64::max);
    let span = if high - low > 1e-9 * high.abs() { high - low } else { 1.0 };
    let y = |value: f64| TOP + HEIGHT * (high + 0.05 * span - value) / (1.1 * span);
    let x = |at: usize| LEFT + WIDTH * at as f64 / (values.len().max(2) - 1) as f64;
    let line: String =
        values.iter().enumerate().map(|(at, value)| format!("{:.1},{:.1} ", x(at), y(*value))).collect();
    let label = format!("{} of {} in the order of measurement", figure.figure, figure.device);
    let level = |value: f64, class: &str| {
        let height = format!("{:.1}", y(value));
        html! { line class=(class) x1=(LEFT) x2=(LEFT + WIDTH) y1=(height) y2=(height) {} }
    };
    html! {
        svg viewBox="0 0 316 106" width="316" height="106" role="img" aria-label=(label) {
            rect.frame x=(LEFT) y=(TOP) width=(WIDTH) height=(HEIGHT) {}
            (level(chart.mean, "centre")) (level(chart.lower, "limit")) (level(chart.upper, "limit"))
            polyline.series points=(line.trim_end()) {}
            @for (at, value) in values.iter().enumerate() {
                @let is_outside = chart.outside.contains(&(first + at));
                circle class=(if is_outside { "outside" } else { "inside" }) cx=(format!("{:.1}", x(at)))
                    cy=(format!("{:.1}", y(*value))) r=(if is_outside { "3.5" } else { "2" }) {
                    title { "step " (figure.steps[first + at]) ": " (quantity(*value, None, &figure.unit)) }
                }
            }
        }
    }
}
