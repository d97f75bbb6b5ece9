//! Wafer maps: by verdict, and by the figures with limits.

use maud::{Markup, html};

use super::section;
use crate::report::value::Report;
use crate::wafer::{DieState, Shade, WaferMap, main_figures, svg};

/// Highest number of dies in all pictures of a page: some two megabytes.
const MOST_DRAWN: usize = 60_000;
/// Highest number of figures with a map of each wafer.
const MOST_FIGURES: usize = 6;

/// The maps of the wafers; nothing for a run without positions.
pub(super) fn section_of(report: &Report) -> Markup {
    if report.wafers.is_empty() {
        return html! {};
    }
    let shown = main_figures(&report.wafers);
    let mut room = MOST_DRAWN;
    section(
        if report.wafers.len() == 1 { "Wafer map" } else { "Wafer maps" },
        &html! {
            @for map in &report.wafers { (of_wafer(map, &shown, &mut room)) }
        },
    )
}

fn of_wafer(map: &WaferMap, figures: &[String], room: &mut usize) -> Markup {
    let judged = map.dies.iter().any(|die| die.state != DieState::WithoutLimits);
    let mut shades: Vec<Shade<'_>> = Vec::new();
    shades.extend(judged.then_some(Shade::Verdict));
    shades.extend(figures.iter().take(MOST_FIGURES).map(|figure| Shade::Figure(figure)));
    let listed = shades.len();
    shades.retain(|_| {
        let fits = *room >= map.dies.len();
        *room -= if fits { map.dies.len() } else { 0 };
        fits
    });
    html! {
        h3 { (map.title()) " " small { (map.dies.len()) " dies" } }
        div.maps { @for shade in &shades { figure { (svg(map, *shade)) } } }
        @if shades.len() < listed {
            p.more { "Further maps of this wafer are left out, because the page has many dies." }
        }
    }
}
