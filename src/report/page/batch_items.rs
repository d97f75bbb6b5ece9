//! The items of a batch: what is missing, and the list of all items.

use maud::{Markup, html};

use super::links::Links;
use super::{ROWS, heads, results, section};
use crate::report::batch::{BatchItem, BatchReport, ItemRun, PICTURES, PICTURES_OF_ITEM};
use crate::report::format::{clip, count};
use crate::report::picture::{Picture, svg};
use crate::report::value::TraceLine;
use crate::store::RunState;
use crate::units::duration;

/// Highest number of values shown per item.
const VALUES: usize = 20;

/// The missing steps and traces, and the command that finishes each run.
pub(super) fn missing(report: &BatchReport, links: Links) -> Markup {
    let begun: Vec<(&BatchItem, &ItemRun)> = report
        .items
        .iter()
        .filter(|item| item.state != "done" && item.state != "running")
        .filter_map(|item| Some((item, item.last()?)))
        .collect();
    let unbegun: Vec<String> = report
        .items
        .iter()
        .filter(|item| item.state != "done" && item.runs.is_empty())
        .take(ROWS)
        .map(|item| item.number.to_string())
        .collect();
    if begun.is_empty() && unbegun.is_empty() {
        return html! {};
    }
    section(
        "What is missing",
        &html! {
            @if !unbegun.is_empty() {
                p { "No measurement of item" @if unbegun.len() != 1 { "s" } " " (unbegun.join(", ")) "." }
            }
            @if !begun.is_empty() {
                p {
                    "When the batch continues, it resumes runs that were interrupted or stopped, and repeats items that have failed. "
                    "The command in the last column completes only that run."
                }
                div.wide { table.stack {
                    (heads(&["#Item", "Run", "Missing parts", "To complete the run"]))
                    tbody { @for (item, run) in begun.iter().take(ROWS) {
                        tr {
                            td.number data-label="Item" { (item.number) }
                            td data-label="Run" { a href=(links.run(run)) { (run.run) } }
                            td data-label="Missing parts" { (missing_of(run)) }
                            td data-label="To complete the run" {
                                @match &run.finish_command { Some(command) => { code { (command) } } None => { "-" } }
                            }
                        }
                    } }
                } }
                @if begun.len() > ROWS { p.more { "and " (begun.len() - ROWS) " more: see the items below." } }
            }
        },
    )
}

fn missing_of(run: &ItemRun) -> String {
    match (run.missing, run.counts.traces_foreseen) {
        ((0, _), _) => "nothing from the forecast".to_owned(),
        ((steps, 0), _) => count(steps, "step"),
        ((steps, traces), Some(all)) => {
            format!("{} of {all}, {}", count(traces, "trace"), count(steps, "step"))
        }
        ((steps, traces), None) => format!("{} or more, {}", count(traces, "trace"), count(steps, "step")),
    }
}

/// The list of all items.
pub(super) fn list(
    report: &BatchReport,
    links: Links,
    draw: &dyn Fn(&ItemRun, &TraceLine) -> Picture,
) -> Markup {
    let pictures: usize = report.runs().map(|(_, run)| run.traces.len()).sum();
    section(
        "Items",
        &html! {
            div.wide { table.stack.traces.items {
                (heads(&["#No.", "Item", "Result", "#Took", "First traces"]))
                tbody { @for item in &report.items { tr {
                    td.number data-label="No." { (item.number) }
                    td data-label="Item" {
                        b { (item.recipe) }
                        @for (name, value) in item.values.iter().take(VALUES) { br; (clip(name)) " = " (clip(value)) }
                        @if item.values.len() > VALUES { br; small { "and " (item.values.len() - VALUES) " more" } }
                    }
                    td data-label="Result" { (fate(item, links)) }
                    td.number data-label="Took" { (took(item)) }
                    td.picture {
                        @if let Some(run) = item.last() {
                            @for line in &run.traces {
                                (svg(&draw(run, line), line.trace.grid, &line.trace.unit, &[]))
                                small {
                                    (line.trace.shown_detector()) " " (line.trace.trace.to_string())
                                    @if !line.turns.is_empty() { ", " (line.turns) }
                                }
                            }
                            @let more = run.counts.traces.saturating_sub(run.traces.len() as u64);
                            @if more > 0 && !run.traces.is_empty() { small { " and " (count(more, "trace")) " more" } }
                            @else if more > 0 { span.quiet { (count(more, "trace")) } }
                            @else if run.traces.is_empty() { span.quiet { "no trace" } }
                        }
                    }
                } } }
            } }
            @if pictures >= PICTURES {
                p.more { "Pictures of at most " (PICTURES) " traces, " (PICTURES_OF_ITEM) " per item; items that are not simply done come first." }
            }
            @let more = report.counts.items.saturating_sub(report.items.len());
            @if more > 0 {
                p.more { "and " (more) " more items: " code { "batch-" (report.batch) ".json" } " lists them all." }
            }
        },
    )
}

fn fate(item: &BatchItem, links: Links) -> Markup {
    let word = if item.state == "queued" { "not reached" } else { item.state };
    html! {
        span class=(format!("state {}", item.state)) { (word) }
        @if let Some(verdict) = item.last().and_then(|run| run.verdict) { (results::tag(verdict)) }
        @if item.attempts > 1 { small { " " (count(item.attempts.into(), "attempt")) } }
        @if let Some(reason) = &item.reason { br; (clip(reason)) }
        @for run in item.runs.iter().rev() {
            br; small {
                a href=(links.run(run)) { "report of " (run.run) }
                @if let Some(counts) = run.verdicts { ": " (results::told(counts)) }
                @if run.simulated { " " b.simulated-tag { "SIMULATED" } }
                @if run.state != RunState::Done || item.state != "done" { ", " (run.state) }
                @if run.counts.repeats > 0 { ", " (count(run.counts.repeats, "repeat")) }
                @if run.state == RunState::Done && run.counts.failed > 0 { ", " (count(run.counts.failed, "step")) " failed" }
            }
        }
        @for (folder, reason) in &item.unreadable { br; small.bad { (folder) " cannot be read: " (clip(reason)) } }
    }
}

fn took(item: &BatchItem) -> Markup {
    let foreseen = item.last().and_then(|run| run.estimated_s).or(item.estimated_s);
    html! {
        @match item.last() { Some(run) => { (duration(run.seconds)) } None => { "-" } }
        @if let Some(foreseen) = foreseen { br; small { "of " (duration(foreseen)) } }
    }
}
