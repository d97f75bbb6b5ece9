//! The report as one HTML page without scripts and external resources. It suits light and dark mode, screens, phones
//! and paper. The template escapes every text from a recipe, an instrument or a person.

mod about;
mod batch;
mod batch_items;
mod golden;
mod links;
mod outcome;
mod power;
pub(super) mod results;
mod steps;
mod traces;
mod wafers;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

pub use batch::batch_page;
pub use links::Links;

use super::format::{self, moment, verdict};
use super::picture::Picture;
use super::value::{Report, TraceLine};
use crate::shown;
use crate::store::{RunState, SUMMARY_FILE};
use crate::units::duration;

/// The style sheet, the only text that is not escaped.
const STYLE: &str = include_str!("page/style.css");
/// The policy forbids the page to load or execute anything, whatever it contains.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
/// Highest number of rows per table. The complete data are in the journal.
const ROWS: usize = 200;

/// The page. `draw` returns the picture of a trace; it is called a few hundred times at most.
#[must_use]
pub fn page(report: &Report, draw: &dyn Fn(&TraceLine) -> Picture) -> String {
    let title = format!("{}: {} ({})", report.name, report.state, report.run);
    let main = html! {
        (head(report))
        (outcome::attention(report))
        (figures(report))
        (about::facts(report))
        (wafers::section_of(report))
        (results::yields(report))
        (golden::section_of(report))
        (results::figures(report))
        (outcome::faults(report))
        (outcome::missing(report))
        @if report.counts.traces == 0 && !report.power.levels.is_empty() {
            (power::section_of(report))
        } @else {
            (traces::section_of(report, draw))
            (power::section_of(report))
        }
        (outcome::notes(report))
        (steps::times(report))
        (steps::places(report))
        (about::details(report))
    };
    let footer = html! {
        "Run " (report.run) ", written by ctp10 " (report.about.report_by)
        " from the run’s manifest, journal and traces. The same for programs: " (link(SUMMARY_FILE))
        ". To write it again: " code { "ctp10 runs report " (report.run) } "."
    };
    framed(&title, &main, &footer)
}

/// The frame of every page.
fn framed(title: &str, main: &Markup, footer: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main { (main) }
                footer { (footer) }
            }
        }
    };
    shown::visible(&page.into_string()).into_owned()
}

fn head(report: &Report) -> Markup {
    html! {
        header {
            @if report.simulated {
                p.simulated {
                    b { "SIMULATED INSTRUMENT" } ": no light, no device; all values below are computed."
                }
            }
            h1 { (report.name) }
            p.lead {
                span class=(format!("state {}", report.state)) { (report.state) } " " (verdict(report))
            }
            (results::verdict(report.verdict, report.verdicts))
            @if let Some(reason) = report.reason.as_ref().filter(|_| report.state != RunState::Done) {
                p.reason { (reason) }
            }
        }
    }
}

/// The numbers of the run.
fn figures(report: &Report) -> Markup {
    let counts = report.counts;
    let figure = |number: u64, name: &str, note: Option<String>, bad: bool| {
        html! {
            div class=(if bad && number > 0 { "figure bad" } else { "figure" }) {
                dt { (name) }
                dd { (number) @if let Some(note) = note { small { (note) } } }
            }
        }
    };
    let of = counts.traces_foreseen.filter(|foreseen| *foreseen != counts.traces);
    html! {
        dl.figures {
            (figure(counts.done, "Steps done", None, false))
            (figure(counts.failed, "Failed", None, true))
            (figure(counts.retried, "Done after a retry", None, false))
            (figure(counts.skipped + counts.cut_short, "Not done", (counts.cut_short > 0).then(|| {
                format!(" {} interrupted", counts.cut_short)
            }), report.state != RunState::Done))
            (figure(counts.traces, "Traces", of.map(|of| format!(" of {of}")), false))
            div.figure {
                dt { "Time" }
                dd { (duration(report.seconds)) @if let Some(foreseen) = report.estimated_s {
                    small { " of " (duration(foreseen)) " foreseen" }
                } }
            }
        }
    }
}

fn section(title: &str, body: &Markup) -> Markup {
    html! { section { h2 { (title) } (body) } }
}

/// The head of a table. A name that begins with `#` belongs to a column of numbers.
fn heads(names: &[&str]) -> Markup {
    html! { thead { tr { @for name in names {
        @match name.strip_prefix('#') { Some(name) => { th.number { (name) } } None => { th { (name) } } }
    } } } }
}

/// A pointer to the journal lines of one event.
fn in_journal(event: &str) -> Markup {
    html! { "the lines with " code { (event) } " in " (link("journal.jsonl")) "." }
}

/// How many rows a table leaves out, and where they are listed.
fn left_out(listed: usize, all: u64, what: &str, lists: &Markup) -> Markup {
    let more = all.saturating_sub(listed as u64);
    html! {
        @if more > 0 { p.more { "and " (more) " more " (what) ": " (lists) } }
    }
}

/// A link to a file of the run folder, relative to it.
fn link(file: &str) -> Markup {
    html! { a href=(format!("./{}", encoded(file))) { (file) } }
}

/// A relative path, encoded for a URL.
fn encoded(path: &str) -> PercentEncode<'_> {
    const RESERVED: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(path, RESERVED)
}

fn when(report: &Report, time: chrono::DateTime<chrono::Utc>, elapsed_s: Option<f64>) -> Markup {
    html! {
        time datetime=(time.to_rfc3339()) title=(moment(time)) {
            (format::clock(time)) " " small { (format::after(report, time, elapsed_s)) }
        }
    }
}
