//! The page of a batch: a summary of its items, with links to the pages of their runs.

use maud::{Markup, html};

use super::batch_items;
use super::links::Links;
use super::{ROWS, framed, heads, results, section};
use crate::report::batch::{BatchItem, BatchReport, ItemRun};
use crate::report::format::{clip, clock, consequence, count, lasers, moment};
use crate::report::picture::Picture;
use crate::report::value::TraceLine;
use crate::units::duration;

/// The page. `draw` returns the picture of a trace of a run; it is called for the traces that the report lists.
#[must_use]
pub fn batch_page(
    report: &BatchReport,
    links: Links,
    draw: &dyn Fn(&ItemRun, &TraceLine) -> Picture,
) -> String {
    let title = format!("{}: {} of {} done", report.batch, report.counts.done, report.counts.items);
    let main = html! {
        (head(report))
        (attention(report))
        (figures(report))
        (facts(report))
        (batch_items::missing(report, links))
        (faults(report, links))
        (batch_items::list(report, links, draw))
    };
    let footer = html! {
        "Batch " (report.batch) ", written by ctp10 " (env!("CARGO_PKG_VERSION"))
        " from the catalogue and the runs’ summaries. The same for programs: "
        code { "batch-" (report.batch) ".json" } ". To write it again: "
        code { "ctp10 runs report --batch " (report.batch) } "."
    };
    framed(&title, &main, &footer)
}

fn head(report: &BatchReport) -> Markup {
    let (simulated, runs) = (report.simulated(), report.runs().count());
    html! {
        header {
            @if simulated > 0 {
                p.simulated {
                    b { "SIMULATED INSTRUMENT" }
                    @if simulated < runs { " in " (simulated) " of " (count(runs as u64, "run")) }
                    ": no light, no device; "
                    @if simulated < runs { "their values are computed." }
                    @else { "all values below are computed." }
                }
            }
            h1 { (report.batch) }
            p.lead { span class=(format!("state {}", report.state)) { (report.state) } " " (verdict(report)) }
            @if let Some(worst) = report.verdict() {
                p.lead.verdict { (results::tag(worst)) " " (results::counted(report.verdicts(), "item")) }
            }
            @if let Some(reason) = &report.reason { p.reason { "Ended: " (clip(reason)) "." } }
        }
    }
}

fn verdict(report: &BatchReport) -> String {
    let counts = report.counts;
    let items = count(counts.items as u64, "item");
    match report.state {
        "done" if counts.items == 1 => "The one item is done.".to_owned(),
        "done" => format!("All {items} are done."),
        "running" => format!("{} of {items} are done; the batch is active.", counts.done),
        _ => format!("{} of {items} are done.", counts.done),
    }
}

/// What a person must do now.
fn attention(report: &BatchReport) -> Markup {
    let last = || report.items.iter().filter_map(|item| Some((item, item.last()?)));
    let lit: Vec<(&BatchItem, &ItemRun)> = last().filter(|(_, run)| !run.lasers_unknown.is_empty()).collect();
    let open: Vec<(&BatchItem, &ItemRun)> =
        last().filter(|(_, run)| !run.instruments_unknown.is_empty()).collect();
    html! {
        @if !lit.is_empty() || !open.is_empty() || report.go_on.is_some() {
            div.attention {
                @for (item, run) in lit.iter().take(ROWS) {
                    p {
                        b { "Lasers. " } "After item " (item.number) ", " (lasers(&run.lasers_unknown))
                        " may be on. Check the instrument, or use " code { "ctp10 off" } "."
                    }
                }
                @for (item, run) in open.iter().take(ROWS) {
                    p {
                        b { "Instruments. " } "After item " (item.number) ", these did not confirm that they are safe: "
                        (run.instruments_unknown.join(", ")) ". Check them, or use " code { "ctp10 off" } "."
                    }
                }
                @if let Some(command) = &report.go_on {
                    p { b { "To continue with the items that are not done:" } }
                    pre { code { (command) } }
                }
            }
        }
    }
}

fn figures(report: &BatchReport) -> Markup {
    let counts = report.counts;
    let figure = |number: usize, name: &str, note: Option<String>, bad: bool| {
        html! {
            div class=(if bad && number > 0 { "figure bad" } else { "figure" }) {
                dt { (name) }
                dd { (number) @if let Some(note) = note { small { (note) } } }
            }
        }
    };
    let within = report
        .items
        .iter()
        .filter(|item| item.retries == 0 && item.runs.iter().any(|run| run.counts.repeats > 0));
    let within = match within.count() {
        0 => None,
        others => Some(format!("{others} with retries within")),
    };
    let running = (counts.running > 0).then(|| format!("{} active", counts.running));
    html! {
        dl.figures {
            (figure(counts.done, "Done", Some(format!(" of {}", counts.items)), false))
            (figure(counts.failed, "Failed", None, true))
            (figure(counts.retried, "Repeated", within, false))
            (figure(counts.held, "Held", None, true))
            (figure(counts.skipped, "Skipped", None, true))
            (figure(counts.queued, "Not reached", running, false))
        }
    }
}

fn facts(report: &BatchReport) -> Markup {
    let begun = report.runs().map(|(_, run)| run.started).min();
    let ended = report
        .runs()
        .map(|(_, run)| run.started + chrono::TimeDelta::milliseconds(millis(run.seconds)))
        .max();
    let taken: f64 = report.runs().map(|(_, run)| run.seconds).sum();
    let last = || report.items.iter().filter_map(BatchItem::last);
    let (foreseen, took) = last()
        .filter_map(|run| Some((run.estimated_s?, run.seconds)))
        .fold((0.0, 0.0), |(foreseen, took), run| (foreseen + run.0, took + run.1));
    html! {
        dl.facts {
            div { dt { "Batch file" } dd { @match &report.file { Some(file) => { (file) } None => { "none" } } } }
            div { dt { "First run started" } dd {
                @match begun { Some(time) => { (moment(time)) } None => { "none has started" } }
            } }
            div { dt { "Last run ended" } dd { @match ended { Some(time) => { (moment(time)) } None => { "-" } } } }
            div { dt { "Measuring time" } dd {
                (duration(taken))
                @if foreseen > 0.0 {
                    small { ", of which " (duration(took)) " against a forecast of " (duration(foreseen)) }
                }
            } }
            div { dt { "Folder" } dd { code { (report.out) } } }
            div { dt { "Written" } dd { (moment(report.written)) } }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "clamped")]
fn millis(seconds: f64) -> i64 {
    (seconds.clamp(0.0, 1e10) * 1000.0) as i64
}

/// All faults of the runs, with their consequences.
fn faults(report: &BatchReport, links: Links) -> Markup {
    let all: u64 = report.runs().map(|(_, run)| run.faults.len() as u64 + run.more_faults).sum();
    if all == 0 {
        return html! {};
    }
    let lines = report.runs().flat_map(|(item, run)| run.faults.iter().map(move |fault| (item, run, fault)));
    let lines: Vec<_> = lines.take(ROWS).collect();
    section(
        "Faults",
        &html! {
            div.wide { table.stack {
                (heads(&["Time", "Item", "What happened", "Consequence"]))
                tbody { @for (item, run, fault) in &lines {
                    tr {
                        td data-label="Time" {
                            time datetime=(fault.time.to_rfc3339()) title=(moment(fault.time)) { (clock(fault.time)) }
                        }
                        td data-label="Item" {
                            (item.number) br; small { a href=(links.run(run)) { (run.run) } }
                        }
                        td data-label="What happened" {
                            (fault.message) br;
                            small { code { (fault.step) } @if fault.attempt > 1 { ", attempt " (fault.attempt) } }
                        }
                        td data-label="Consequence" { (consequence(fault)) }
                    }
                } }
            } }
            @let more = all.saturating_sub(lines.len() as u64);
            @if more > 0 { p.more { "and " (more) " more faults: see the reports of the runs." } }
        },
    )
}
