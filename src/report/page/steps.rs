//! The time per kind of step, and the results for each place of the recipe.

use maud::{Markup, html};

use super::{ROWS, heads, left_out, link, section};
use crate::report::format;
use crate::report::value::{PlaceLine, Report};
use crate::store::{RunState, SUMMARY_FILE};
use crate::units::duration;

/// Estimated and actual times.
pub(super) fn times(report: &Report) -> Markup {
    if report.kinds.is_empty() {
        return html! {};
    }
    let foreseen: f64 = report.kinds.iter().map(|kind| kind.estimated_s).sum();
    let taken: f64 = report.kinds.iter().map(|kind| kind.seconds).sum();
    let row = |name: Markup, steps: Option<u64>, foreseen: Option<f64>, taken: f64| {
        html! {
            td { (name) }
            td.number { @if let Some(steps) = steps { (steps) } }
            td.number { @if let Some(foreseen) = foreseen { (duration(foreseen)) } }
            td.number { (duration(taken)) }
            td.number { @if let Some(foreseen) = foreseen { (difference(taken - foreseen)) } }
        }
    };
    let steps = report.kinds.iter().map(|kind| kind.steps).sum();
    section(
        "Forecast and actual time",
        &html! {
            div.wide { table.times {
                (heads(&["Kind of step", "#Steps", "#Forecast", "#Actual", "#Difference"]))
                tbody {
                    @for kind in &report.kinds {
                        @let name = html! { code { (kind.kind) } };
                        tr { (row(name, Some(kind.steps), Some(kind.estimated_s), kind.seconds)) }
                    }
                    tr { (row(html! { "between steps" }, None, None, (report.seconds - taken).max(0.0))) }
                }
                tfoot { tr { (row(html! { "total" }, Some(steps), Some(foreseen), report.seconds)) } }
            } }
            p.more {
                "The forecast covers the steps that were started; failed attempts count as actual time."
                @match report.estimated_s {
                    Some(foreseen) => { " Forecast for the whole run: " (duration(foreseen)) "." }
                    None => { " There is no forecast for the whole run." }
                }
            }
        },
    )
}

fn difference(seconds: f64) -> String {
    let sign = if seconds < 0.0 { '-' } else { '+' };
    if seconds.abs() < 0.05 { "0.0 s".to_owned() } else { format!("{sign}{}", duration(seconds.abs())) }
}

/// The results for each place.
pub(super) fn places(report: &Report) -> Markup {
    if report.places.is_empty() {
        return html! {};
    }
    section(
        "Steps",
        &html! {
            div.wide { table.stack {
                (heads(&["Step", "Result", "#Times", "#Took"]))
                tbody { @for place in report.places.iter().take(ROWS) {
                    tr {
                        td data-label="Step" {
                            @if place.finally { small.tag { "finally" } " " }
                            code { (place.step) } br;
                            small { @if place.place.is_empty() { (place.path) } @else { (format::place(report, &place.place)) } }
                        }
                        td data-label="Result" { (fate(place, report.state)) }
                        td.number data-label="Times" {
                            (place.begun) @if place.foreseen > 1 || place.begun == 0 { " of " (place.foreseen) }
                        }
                        td.number data-label="Took" {
                            @if place.seconds > 0.0 { (duration(place.seconds)) } @else { "-" }
                        }
                    }
                } }
            } }
            (left_out(ROWS.min(report.places.len()), report.places.len() as u64, "steps", &html! {
                "see " (link(SUMMARY_FILE)) "."
            }))
        },
    )
}

fn fate(place: &PlaceLine, state: RunState) -> Markup {
    let not_begun = place.foreseen.saturating_sub(place.begun);
    let running = state == RunState::Running;
    let left = match state {
        RunState::Done => "not needed",
        RunState::Running => "not started yet",
        _ => "not reached",
    };
    let lone = place.begun <= 1 && place.foreseen <= 1;
    let part = |number: u64, word: &str| if lone { word.to_owned() } else { format!("{number} {word}") };
    let parts = [
        (place.done, "done", "good"),
        (place.failed, "failed", "bad"),
        (place.cut_short, if running { "active" } else { "interrupted" }, "bad"),
        (not_begun, left, "quiet"),
    ];
    html! {
        @for (at, (number, word, class)) in parts.iter().filter(|part| part.0 > 0).enumerate() {
            @if at > 0 { ", " }
            span class=(class) { (part(*number, word)) }
        }
        @if place.retried > 0 {
            br; small { @if lone { "after a retry" } @else { (place.retried) " of them after a retry" } }
        }
    }
}
