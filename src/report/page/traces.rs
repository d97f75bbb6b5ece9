//! The traces: a bounded number of pictures, and the key figures.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::{heads, left_out, link, section};
use crate::analysis::marks::marks as marks_of;
use crate::measurement::{Extreme, TraceKind};
use crate::report::format::{bytes, count};
use crate::report::picture::{Picture, svg};
use crate::report::value::{Report, TraceLine};
use crate::run::state::results::FigureLine;

/// Number of first traces with a picture.
const PICTURES: usize = 200;
/// Number of pictures of later traces with faults or with values that are not finite.
const PICTURES_OF_FAULTY: usize = 100;
/// Highest number of rows in the table.
const ROWS: usize = 1_000;

pub(super) fn section_of(report: &Report, draw: &dyn Fn(&TraceLine) -> Picture) -> Markup {
    let all = report.counts.traces;
    if all == 0 {
        return section("Traces", &html! { p.quiet { "No trace was stored." } });
    }
    let mut faulty = PICTURES_OF_FAULTY;
    let mut has_picture = |index: usize, line: &TraceLine| {
        let extra = index >= PICTURES && is_faulty(line) && faulty > 0;
        faulty -= usize::from(extra);
        index < PICTURES || extra
    };
    // Traces with faults are always listed.
    let late = report.traces.iter().skip(ROWS).filter(|line| is_faulty(line)).take(PICTURES_OF_FAULTY);
    let lines: Vec<&TraceLine> = report.traces.iter().take(ROWS).chain(late).collect();
    let mut of_trace: BTreeMap<u64, Vec<&FigureLine>> = BTreeMap::new();
    for line in &report.figures {
        if let Some(trace) = line.trace_index {
            of_trace.entry(trace).or_default().push(line);
        }
    }
    section(
        "Traces",
        &html! {
            (best(report))
            div.wide { table.stack.traces {
                (heads(&["#No.", "Picture", "Trace", "Figures"]))
                tbody { @for (index, line) in lines.iter().enumerate() {
                    tr {
                        td.number data-label="No." { (line.trace.trace_index) }
                        @if has_picture(index, line) {
                            @let marks = of_trace.get(&line.trace.trace_index).map_or(&[][..], Vec::as_slice);
                            @let marks = marks_of(marks.iter().map(|line| line.judgement()));
                            td.picture { (svg(&draw(line), line.trace.grid, &line.trace.unit, &marks)) }
                        } @else {
                            td.picture { span.quiet { "-" } }
                        }
                        (described(line))
                        (figures(line))
                    }
                } }
            } }
            @if all > PICTURES as u64 {
                p.more { "Pictures of the first " (PICTURES) " traces, and of later ones that had faults." }
            }
            @let lists = html! { code { "ctp10 runs show " (report.run) } " lists them." };
            (left_out(lines.len(), all, "traces", &lists))
        },
    )
}

fn is_faulty(line: &TraceLine) -> bool {
    line.repeated || line.trace.nulls > 0
}

fn described(line: &TraceLine) -> Markup {
    let trace = &line.trace;
    html! {
        td data-label="Trace" {
            b { (trace.shown_detector()) " " (kind(trace.trace)) } @if !trace.name.is_empty() { " · " (trace.name) }
            @if !line.turns.is_empty() { br; (line.turns) }
            br; small {
                (link(&trace.file)) br;
                (count(trace.grid.points, "point")) ", " (trace.grid.step_pm) " pm, " (bytes(trace.bytes))
            }
        }
    }
}

fn figures(line: &TraceLine) -> Markup {
    let trace = &line.trace;
    let level = |name: &str, extreme: Option<Extreme>| {
        html! { @if let Some(extreme) = extreme {
            (name) " " b { (extreme.level(&trace.unit)) }
            small { " " (extreme.place()) } br;
        } }
    };
    html! {
        td data-label="Figures" {
            @if trace.trace == TraceKind::Tf {
                (level("lowest loss", line.insertion_loss))
                (level("deepest dip", line.dip))
            } @else {
                (level("highest", trace.max))
                (level("lowest", trace.min))
            }
            @if trace.max.is_none() { span.bad { "no finite value" } br; }
            @if trace.nulls > 0 { span.bad { (count(trace.nulls, "value")) " not finite" } br; }
            @if line.repeated { span.bad { "after several attempts" } }
        }
    }
}

fn kind(kind: TraceKind) -> String {
    match kind {
        TraceKind::Tf => "transmission".to_owned(),
        TraceKind::QuickReference => "quick reference".to_owned(),
        TraceKind::Other(code) => format!("type {code}"),
        other => other.to_string(),
    }
}

/// The best and the deepest value over all listed traces.
fn best(report: &Report) -> Markup {
    let losses = report.traces.iter().filter_map(|line| Some((line.insertion_loss?, line)));
    let dips = report.traces.iter().filter_map(|line| Some((line.dip?, line)));
    let lowest = losses.min_by(|a, b| a.0.value.total_cmp(&b.0.value));
    let deepest = dips.min_by(|a, b| a.0.value.total_cmp(&b.0.value));
    let told = |name: &str, found: Option<(Extreme, &TraceLine)>| {
        html! { @if let Some((extreme, line)) = found {
            div { dt { (name) } dd {
                b { (extreme.level("dB")) } " " (extreme.place())
                small { " on " (line.trace.shown_detector()) ", trace " (line.trace.trace_index) }
            } }
        } }
    };
    html! {
        @if lowest.is_some() && report.counts.traces > 1 {
            dl.facts { (told("Lowest insertion loss", lowest)) (told("Deepest dip", deepest)) }
        }
    }
}
