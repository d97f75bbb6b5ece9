//! Faults, missing steps and how to finish them, and notes for the operator.

use maud::{Markup, html};

use super::{ROWS, heads, in_journal, left_out, link, section, when};
use crate::report::format::{consequence, count, lasers_end, place, why};
use crate::report::value::{LasersEnd, Report};
use crate::store::{RunState, SUMMARY_FILE};
use crate::units::duration;

/// What a person must do now; empty if there is nothing to do.
pub(super) fn attention(report: &Report) -> Markup {
    let lasers =
        matches!(report.lasers, LasersEnd::Unknown | LasersEnd::NoEnd) && report.state != RunState::Running;
    html! {
        @if lasers || !report.instruments_unknown.is_empty() || report.unreadable_lines > 0 || report.finish_command.is_some() {
            div.attention {
                @if lasers { p { b { "Lasers. " } (lasers_end(report)) } }
                @if !report.instruments_unknown.is_empty() {
                    p {
                        b { "Instruments. " }
                        "These did not confirm that they are safe: " (report.instruments_unknown.join(", "))
                        ". Check them, or use ctp10 off."
                    }
                }
                @if report.unreadable_lines > 0 {
                    p {
                        b { "Journal. " } (count(report.unreadable_lines, "line"))
                        " could not be read: their content is not in this report."
                    }
                }
                @if let Some(command) = &report.finish_command {
                    p { b { "To complete this run:" } }
                    pre { code { (command) } }
                }
            }
        }
    }
}

pub(super) fn faults(report: &Report) -> Markup {
    let all = report.faults.len() as u64 + report.more.faults;
    if all == 0 {
        return html! {};
    }
    // The last fault is always listed, because people look for it first.
    let listed = report.faults.len().min(ROWS);
    let (first, last) = report.faults.split_at(if report.faults.len() > ROWS { ROWS - 1 } else { listed });
    let lines = first.iter().chain(last.last());
    section(
        "Faults",
        &html! {
            div.wide { table.stack {
                (heads(&["Time", "Step", "What happened", "Consequence"]))
                tbody { @for fault in lines {
                    tr {
                        td data-label="Time" { (when(report, fault.time, fault.elapsed_s)) }
                        td data-label="Step" {
                            code { (fault.step) } br;
                            small {
                                (place(report, &fault.place)) " · step " (fault.number)
                                @if fault.attempt > 1 { ", attempt " (fault.attempt) }
                            }
                        }
                        td data-label="What happened" {
                            (fault.message)
                            @if let Some(hint) = &fault.hint { br; small { (hint) } }
                        }
                        td data-label="Consequence" { (consequence(fault)) }
                    }
                } }
            } }
            (left_out(listed, all, "faults", &in_journal("step_failed")))
        },
    )
}

pub(super) fn missing(report: &Report) -> Markup {
    if report.missing.is_empty() {
        return html! {};
    }
    let traces: u64 = report.missing.iter().map(|missing| missing.traces).sum();
    let title = if report.state == RunState::Running { "Not started yet" } else { "What is missing" };
    section(
        title,
        &html! {
            p {
                @match (traces, report.counts.traces_foreseen) {
                    (0, _) => { "No trace of the forecast is missing. " }
                    (_, Some(all)) => { b { (count(traces, "trace")) } " of " (all) " are missing. " }
                    (_, None) => { b { (count(traces, "trace")) } " or more are missing. " }
                }
                "Steps that are not done:"
            }
            div.wide { table.stack {
                (heads(&["Step", "#Done", "#Traces missing", "Why"]))
                tbody { @for missing in report.missing.iter().take(ROWS) {
                    tr {
                        td data-label="Step" {
                            code { (missing.step) } br;
                            small {
                                (if missing.place.is_empty() { &missing.path } else { place(report, &missing.place) })
                            }
                        }
                        td.number data-label="Done" { (missing.done) " of " (missing.of) }
                        td.number data-label="Traces missing" {
                            @if missing.traces > 0 { (missing.traces) } @else { "-" }
                        }
                        td data-label="Why" { (why(missing.why, report.state)) }
                    }
                } }
            } }
            (left_out(ROWS.min(report.missing.len()), report.missing.len() as u64, "steps", &html! {
                "see " (link(SUMMARY_FILE)) "."
            }))
        },
    )
}

/// Notes about lasers, link, holds, questions and warnings.
pub(super) fn notes(report: &Report) -> Markup {
    html! {
        (section("Lasers, connection, power", &html! {
            dl.facts {
                div { dt { "Lasers at the end" } dd { (lasers_end(report)) } }
                div { dt { "Connection to the instrument" } dd { (link_words(report)) } }
                @if report.holds.times > 0 {
                    div { dt { "Held" } dd {
                        (count(report.holds.times, "time")) ", " (duration(report.holds.seconds)) " in all"
                    } }
                }
                div { dt { "Recorded power" } dd {
                    @let power = &report.power;
                    @if power.readings > 0 {
                        (count(power.readings, "reading")) " in " (count(power.files, "file")) " of "
                        code { "power/" } "."
                    } @else if power.by_recipe > 0 {
                        "No file; " (count(power.by_recipe, "reading"))
                        " of the recipe are in the journal."
                    } @else { "None." }
                } }
            }
            @if !report.link_losses.is_empty() {
                div.wide { table.stack {
                    (heads(&["Connection lost", "#Unreachable for", "Reason"]))
                    tbody { @for loss in report.link_losses.iter().take(ROWS) {
                        tr {
                            td data-label="Connection lost" { (when(report, loss.time, loss.elapsed_s)) }
                            td.number data-label="Unreachable for" {
                                @match loss.seconds {
                                    Some(seconds) => { (duration(seconds)) }
                                    None => { "not restored" }
                                }
                            }
                            td data-label="Reason" { (loss.reason) }
                        }
                    } }
                } }
            }
        }))
        (prompts(report))
        (warnings(report))
    }
}

fn link_words(report: &Report) -> String {
    let losses = report.link_losses.len() as u64 + report.more.link_losses;
    if losses == 0 {
        return "Never lost.".to_owned();
    }
    let away: f64 = report.link_losses.iter().filter_map(|loss| loss.seconds).sum();
    format!("Lost {}, unreachable for {} in total.", count(losses, "time"), duration(away))
}

fn prompts(report: &Report) -> Markup {
    if report.prompts.is_empty() {
        return html! {};
    }
    let all = report.prompts.len() as u64 + report.more.prompts;
    section(
        "Questions and answers",
        &html! {
            div.wide { table.stack {
                (heads(&["Time", "Question", "Answer", "By"]))
                tbody { @for prompt in report.prompts.iter().take(ROWS) {
                    tr {
                        td data-label="Time" { (when(report, prompt.time, prompt.elapsed_s)) }
                        td data-label="Question" { (prompt.message) }
                        td data-label="Answer" {
                            @match &prompt.answer {
                                Some(answer) if answer.is_empty() => { "(go on)" }
                                Some(answer) => { (answer) }
                                None => { "none" }
                            }
                        }
                        td data-label="By" {
                            @match (&prompt.answer, prompt.by_operator) {
                                (None, _) => { "nobody" }
                                (_, true) => {
                                    "operator"
                                    @if let Some(seconds) = prompt.seconds { ", after " (duration(seconds)) }
                                }
                                (_, false) => { "unattended: no person was present" }
                            }
                        }
                    }
                } }
            } }
            (left_out(ROWS.min(report.prompts.len()), all, "questions", &in_journal("answered")))
        },
    )
}

fn warnings(report: &Report) -> Markup {
    if report.warnings.is_empty() {
        return html! {};
    }
    let all = report.warnings.len() as u64 + report.more.warnings;
    section(
        "Warnings",
        &html! {
            ul.warnings { @for warning in report.warnings.iter().take(ROWS) {
                li { (when(report, warning.time, warning.elapsed_s)) " " (warning.message) }
            } }
            (left_out(ROWS.min(report.warnings.len()), all, "warnings", &in_journal("warning")))
        },
    )
}
