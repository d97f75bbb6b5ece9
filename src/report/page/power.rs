//! The levels of recorded power, for each detector.

use maud::{Markup, html};

use super::{heads, section};
use crate::measurement::PowerLevels;
use crate::report::format::clip;
use crate::report::value::Report;
use crate::shown::quantity;

pub(super) fn section_of(report: &Report) -> Markup {
    let levels = &report.power.levels;
    if levels.is_empty() {
        return html! {};
    }
    section(
        "Recorded power",
        &html! {
            div.wide { table.stack {
                (heads(&["Detector", "#Last", "#Lowest", "#Highest", "#Readings"]))
                tbody { @for levels in levels { (row(levels)) } }
            } }
            @if report.counts.traces == 0 {
                p.more { "The readings over time: " code { "ctp10 plot " (report.run) " -o power.png" } "." }
            }
        },
    )
}

fn row(levels: &PowerLevels) -> Markup {
    let level = |value: Option<f64>| {
        value.map_or_else(|| "-".to_owned(), |value| quantity(value, None, levels.unit.symbol()))
    };
    html! {
        tr {
            td data-label="Detector" {
                (clip(&levels.shown_detector()))
                @if levels.detector_name.is_some() { " " small { (levels.detector) } }
            }
            td.number data-label="Last" { (level(levels.last)) }
            td.number data-label="Lowest" { (level(levels.min)) }
            td.number data-label="Highest" { (level(levels.max)) }
            td.number data-label="Readings" { (levels.readings) }
        }
    }
}
