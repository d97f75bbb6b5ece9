//! Verdicts and figures: the verdict of the run, the yield of each figure, and a table of the figures by device.

use maud::{Markup, html};

use super::{heads, left_out, section};
use crate::analysis::verdict::{FigureYield, Verdict, VerdictCounts};
use crate::report::format::{clip, count};
use crate::report::value::Report;
use crate::run::state::results::FigureLine;
use crate::shown::number;
use crate::store::{RESULTS_FILE, VerdictSummary};

/// Highest number of rows in the table of figures.
const ROWS: usize = 600;
/// Highest number of later rows, of figures that did not pass.
const LATE_ROWS: usize = 400;

/// The verdict as a tag.
pub(super) fn tag(verdict: Verdict) -> Markup {
    let class = match verdict {
        Verdict::Pass => "state pass",
        Verdict::Marginal => "state marginal",
        Verdict::NotMeasured => "state not-measured",
        Verdict::Fail => "state fail",
    };
    html! { span class=(class) { (verdict) } }
}

/// The verdict of a run with the counts behind it; nothing for a run without limits.
pub(super) fn verdict(worst: Option<Verdict>, counts: Option<VerdictSummary>) -> Markup {
    html! {
        @if let Some(worst) = worst {
            p.lead.verdict { (tag(worst)) " " @if let Some(counts) = counts { (told(counts)) } }
        }
    }
}

/// The counts in words: `7 of 10 devices pass, 2 fail, 1 not measured.`
pub(super) fn told(counts: VerdictSummary) -> String {
    if counts.devices.all() > 0 {
        counted(counts.devices, "device")
    } else {
        counted(counts.analyses, "analysis")
    }
}

/// The counts of so many things of this kind in words.
pub(super) fn counted(counts: VerdictCounts, noun: &str) -> String {
    let VerdictCounts { pass, marginal, not_measured, fail } = counts;
    let of = match (noun, counts.all()) {
        ("analysis", all) if all != 1 => format!("{all} analyses"),
        (noun, all) => count(all, noun),
    };
    let others = [(marginal, "marginal"), (fail, "fail"), (not_measured, "not measured")];
    let others =
        others.iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!(", {number} {word}"));
    format!("{pass} of {of} pass{}.", others.collect::<String>())
}

/// The yield of each figure.
pub(super) fn yields(report: &Report) -> Markup {
    if report.yields.is_empty() || report.verdicts.is_none_or(|counts| counts.analyses.all() < 2) {
        return html! {};
    }
    let number =
        |number: u64| html! { td.number { @if number > 0 { (number) } @else { span.quiet { "0" } } } };
    section(
        "Yield",
        &html! {
            div.wide { table {
                (heads(&["Figure", "#Yield", "#Pass", "#Marginal", "#Fail", "#Not measured"]))
                tbody { @for FigureYield { figure, counts } in &report.yields {
                    tr {
                        td { code { (figure) } }
                        td.number { (percent(counts.pass, counts.all())) }
                        (number(counts.pass)) (number(counts.marginal)) (number(counts.fail))
                        (number(counts.not_measured))
                    }
                } }
            } }
        },
    )
}

#[expect(clippy::cast_precision_loss, reason = "far fewer devices than a double can count")]
fn percent(part: u64, all: u64) -> String {
    if all == 0 { "-".to_owned() } else { format!("{:.0} %", 100.0 * part as f64 / all as f64) }
}

/// The figures by device.
pub(super) fn figures(report: &Report) -> Markup {
    let all = report.figures.len() as u64 + report.more.figures;
    if all == 0 {
        return html! {};
    }
    let late = report.figures.iter().skip(ROWS).filter(|line| is_late(line)).take(LATE_ROWS);
    let lines: Vec<&FigureLine> = report.figures.iter().take(ROWS).chain(late).collect();
    let lists = html! { "all of them are in " (super::link(RESULTS_FILE)) "." };
    section(
        "Figures",
        &html! {
            div.wide { table.stack.results {
                (heads(&["Figure", "#Value", "#At", "Limits", "Verdict", "#Window"]))
                tbody { @for (index, line) in lines.iter().enumerate() {
                    @if is_other_trace(line, index.checked_sub(1).map(|before| lines[before])) { (device(line)) }
                    (row(line))
                } }
            } }
            (left_out(lines.len(), all, "figures", &lists))
        },
    )
}

/// Figures that did not pass are listed however long the table is.
pub(in crate::report) fn is_late(line: &FigureLine) -> bool {
    line.verdict.is_some_and(|verdict| verdict > Verdict::Marginal)
}

/// The device is named once for all its figures.
fn is_other_trace(line: &FigureLine, before: Option<&FigureLine>) -> bool {
    before.is_none_or(|before| (before.step, before.trace_index) != (line.step, line.trace_index))
}

fn device(line: &FigureLine) -> Markup {
    html! {
        tr.device { td colspan="6" {
            @if !line.turns.is_empty() { b { (clip(&line.turns)) } " " }
            small {
                @match (&line.detector_name, line.trace_index) {
                    (Some(detector), Some(trace)) => {
                        (detector) @if let Some(kind) = line.trace { " " (kind) } ", trace " (trace)
                    }
                    _ => { "all traces" }
                }
                @if let Some(id) = &line.analysis { " · " (clip(id)) }
            }
            @for warning in &line.warnings { br; small.bad { "Warning: " (clip(warning)) } }
        } }
    }
}

fn row(line: &FigureLine) -> Markup {
    let figure = &line.figure;
    html! {
        tr {
            td data-label="Figure" {
                code { (figure.name) } @if let Some(of) = &figure.of { small { " " (clip(of)) } }
            }
            td.number data-label="Value" {
                @if line.text.is_empty() { span.quiet { "-" } } @else { (line.text) }
            }
            td.number data-label="At" { @if let Some(nm) = figure.nm { small { (number(nm, None, "nm")) " nm" } } }
            td.limits data-label="Limits" {
                (line.limits)
                @if let Some(guard) = line.limit.and_then(|limit| limit.guard) { small { " guard " (guard) } }
            }
            td data-label="Verdict" {
                @if let Some(verdict) = line.verdict { (tag(verdict)) }
                @if let Some(why) = why(line) { " " small { (clip(why)) } }
                @for note in &figure.notes { " " small { (clip(note)) } }
            }
            td.number data-label="Window" {
                @if let Some(window) = figure.window {
                    small { (number(window.from_nm, None, "nm")) " to " (number(window.to_nm, None, "nm")) " nm" }
                }
            }
        }
    }
}

/// Why a figure has no value. The limits and the value already tell why it fails.
fn why(line: &FigureLine) -> Option<&str> {
    let reason = match line.verdict {
        Some(Verdict::NotMeasured) => line.reason.as_deref(),
        Some(Verdict::Pass | Verdict::Marginal | Verdict::Fail) | None => None,
    };
    reason.or(line.figure.not_measured.as_deref())
}
