//! The lines of results, within 80 columns: of a stored trace its loss and its deepest dip, of an analysis the verdict and
//! the figures that matter.

use super::colours::Colours;
use crate::analysis::Figure;
use crate::analysis::shown::{bound, limits, short_name, value};
use crate::analysis::verdict::{Judged, Verdict, worst};
use crate::measurement::{Extreme, PowerLevels, TraceKind, TraceSummary};
use crate::run::events::RunEvent;
use crate::run::state::status::RunStatus;
use crate::shown::{self, number};
use crate::step::{AnalysisOutcome, Outcome, Step};

/// Width of the terminal that the lines suit.
const WIDTH: usize = 80;
/// Space before the first line of a result.
const INDENT: usize = 6;
/// Space before its other lines.
const INNER: usize = 8;
/// The second line of an item is indented so much further.
const MORE: usize = 2;
/// Width of the longest verdict.
const VERDICT_WIDTH: usize = "not measured".len();
/// Highest number of figures with limits in the lines of a trace.
const MOST_JUDGED: usize = 8;
/// Highest number of figures in the lines of a trace without limits.
const MOST_PLAIN: usize = 4;
/// Longest reason, characters.
const LONGEST_REASON: usize = 160;

/// The lines of a stored trace or of an analysis; `None` for other events. `status` is the state after the event.
pub(super) fn of_event(event: &RunEvent, status: &RunStatus, colours: Colours) -> Option<String> {
    let lines = match event {
        RunEvent::TraceStored { trace } => of_trace(trace, colours),
        RunEvent::StepFinished { number, outcome: Outcome::Analysis(analysis), .. } => {
            let step = status.last.as_ref().filter(|last| last.number == *number).map(|last| &*last.step);
            lines(step, analysis, colours)
        }
        RunEvent::StepFinished { number, outcome: Outcome::Power(readings), .. } => {
            let step = status.last.as_ref().filter(|last| last.number == *number).map(|last| &*last.step);
            of_power(&turns(step), &PowerLevels::of(readings, &status.around.detectors), colours)
        }
        // The readings of the recipe have lines of their own already.
        RunEvent::PowerStored { segment } if segment.recorded.is_some_and(|recorded| recorded > 0) => {
            of_power("", &segment.levels, colours)
        }
        _ => return None,
    };
    Some(lines).filter(|lines| !lines.is_empty())
}

/// The turns of the loops around a step: `device=7 · power -5 dBm`.
fn turns(step: Option<&Step>) -> String {
    step.map(|step| step.place.shown_turns().join(" \u{b7} ")).unwrap_or_default()
}

/// The lines of power readings, one for each detector. Everything in them is escaped.
fn of_power(turns: &str, levels: &[PowerLevels], colours: Colours) -> String {
    let line = |levels: &PowerLevels| {
        result(&[turns, &levels.shown_detector()], (None, "power"), levels.shown(), colours)
    };
    levels.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The line of a stored trace. Everything in it is escaped.
fn of_trace(trace: &TraceSummary, colours: Colours) -> String {
    let number = format!("trace {}", trace.trace_index);
    result(&[&trace.shown_name()], (None, &number), levels(trace), colours)
}

/// Loss and dip of a transmission, loss at the peak of a drop port, the extremes of any other trace.
fn levels(trace: &TraceSummary) -> Vec<String> {
    let (Some(min), Some(max)) = (trace.min, trace.max) else { return vec!["no values".to_owned()] };
    let unit = &trace.unit;
    let at = |word: &str, extreme: Extreme| format!("{word} {} {}", extreme.level(unit), extreme.place());
    match (trace.trace, trace.has_dips()) {
        (TraceKind::Tf, true) => vec![format!("loss {}", max.as_loss().level(unit)), at("dip", min)],
        (TraceKind::Tf, false) => vec![at("loss", max.as_loss())],
        (_, _) => vec![format!("{} to {}", number(min.value, None, unit), max.level(unit))],
    }
}

/// The lines of an analysis. Everything in them is escaped.
fn lines(step: Option<&Step>, analysis: &AnalysisOutcome, colours: Colours) -> String {
    let turns = turns(step);
    let turns = turns.as_str();
    let mut lines = Vec::new();
    for trace in &analysis.traces {
        let kind = trace.trace.to_string();
        let detector = trace.shown_detector();
        let name = [turns, detector.as_str(), kind.as_str(), trace.name.as_str()];
        let items = items(&trace.figures, &trace.judged);
        lines.push(judged(&name, worst(trace.judged.iter().map(|judged| judged.verdict)), items, colours));
        for warning in &trace.warnings {
            lines.push(format!("{:INNER$}warning: {}", "", shown::one_line(warning)));
        }
    }
    if !analysis.figures.is_empty() || !analysis.judged.is_empty() {
        let items = items(&analysis.figures, &analysis.judged);
        let verdict = worst(analysis.judged.iter().map(|judged| judged.verdict));
        lines.push(judged(&[turns, "all traces"], verdict, items, colours));
    }
    lines.join("\n")
}

/// The verdict, the name of what was measured, and the items.
fn judged(name: &[&str], verdict: Option<Verdict>, items: Vec<String>, colours: Colours) -> String {
    let word = verdict.map(|verdict| verdict.to_string()).unwrap_or_default();
    result(name, (verdict, &word), items, colours)
}

/// A word in the colour of a verdict, the name of what was measured, and the items, broken into lines.
fn result(
    name: &[&str],
    (verdict, word): (Option<Verdict>, &str),
    items: Vec<String>,
    colours: Colours,
) -> String {
    let name: Vec<&str> = name.iter().copied().filter(|part| !part.is_empty()).collect();
    let name = shown::one_line(&name.join(" ")).into_owned();
    let mut text = format!("{:INDENT$}{}", "", colours.verdict(verdict, &format!("{word:VERDICT_WIDTH$}")));
    let mut used = INDENT + VERDICT_WIDTH;
    for item in std::iter::once(name).chain(items) {
        let item = shown::one_line(&item).into_owned();
        let width = item.chars().count();
        if used + 2 + width <= WIDTH {
            text += &format!("  {item}");
            used += 2 + width;
        } else {
            (text, used) = on_new_lines(text, &item);
        }
    }
    text
}

/// An item that does not fit into the line, broken between its words. Returns the width of the last line too.
fn on_new_lines(mut text: String, item: &str) -> (String, usize) {
    let mut used = 0;
    for (nth, line) in shown::wrapped(item, WIDTH - INNER - MORE).iter().enumerate() {
        let indent = if nth == 0 { INNER } else { INNER + MORE };
        text += &format!("\n{:indent$}{line}", "");
        used = indent + line.chars().count();
    }
    (text, used)
}

/// The figures with limits, else the first ones.
fn items(figures: &[Figure], judged: &[Judged]) -> Vec<String> {
    let mut names: Vec<&str> = Vec::new();
    let all = judged.iter().map(|judged| &judged.figure).chain(figures.iter().map(|figure| &figure.name));
    for name in all {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let (mut limited, plain): (Vec<&str>, Vec<&str>) =
        names.into_iter().partition(|name| judged.iter().any(|judged| judged.figure == *name));
    // The worst verdicts come first.
    let verdict =
        |name: &str| judged.iter().filter(|judged| judged.figure == name).map(|judged| judged.verdict).max();
    limited.sort_by_key(|name| std::cmp::Reverse(verdict(name)));
    let mut items: Vec<String> =
        limited.iter().take(MOST_JUDGED).filter_map(|name| worst_of(name, figures, judged)).collect();
    let plain = plain.iter().take(MOST_PLAIN.saturating_sub(items.len()));
    items.extend(plain.filter_map(|name| {
        let mut of_name = figures.iter().filter(|figure| figure.name == *name);
        of_name.next().map(|first| item(first, 1 + of_name.count()))
    }));
    if limited.len() > MOST_JUDGED {
        items.push(format!("and {} more with limits", limited.len() - MOST_JUDGED));
    }
    items
}

/// The worst verdict on the figures of one name, with its limits where it is no `pass`.
fn worst_of(name: &str, figures: &[Figure], judged: &[Judged]) -> Option<String> {
    let of_name = || judged.iter().filter(|judged| judged.figure == name);
    // The first one of the worst.
    let shown = of_name().reduce(|worst, next| if next.verdict > worst.verdict { next } else { worst })?;
    let figure = figures.iter().find(|figure| shown.is_of(figure));
    let text = match figure {
        Some(figure) => item(figure, of_name().count()),
        None => match (shown.value, &shown.reason) {
            (Some(value), _) => format!("{name} {}", number(value, None, "")),
            (None, Some(reason)) => not_measured(name, reason),
            (None, None) => format!("{name} not measured"),
        },
    };
    let limits = limits(&shown.limit);
    Some(match (shown.verdict, shown.limit.guard) {
        (Verdict::Pass, _) => text,
        (Verdict::Marginal, Some(guard)) => format!("{text} ({limits}, guard {guard})"),
        (Verdict::Marginal | Verdict::NotMeasured | Verdict::Fail, _) => format!("{text} ({limits})"),
    })
}

/// A figure of one or of several features of the trace.
fn item(figure: &Figure, features: usize) -> String {
    let of = figure.of.as_ref().map(|of| format!("{of} ")).filter(|_| features > 1).unwrap_or_default();
    match value(figure) {
        Some(value) => format!("{of}{} {value}", short_name(&figure.name, &figure.unit)),
        None => {
            let bound = bound(figure).map(|bound| format!("{bound}; ")).unwrap_or_default();
            let reason = figure.not_measured.as_deref().unwrap_or("no value");
            not_measured(&format!("{of}{}", figure.name), &format!("{bound}{reason}"))
        }
    }
}

fn not_measured(name: &str, reason: &str) -> String {
    let reason: String = match reason.char_indices().nth(LONGEST_REASON) {
        Some((end, _)) => format!("{} …", &reason[..end]),
        None => reason.to_owned(),
    };
    format!("{name} not measured: {reason}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn figure(name: &str, value: Value, unit: &str) -> Value {
        json!({ "figure": name, "value": value, "unit": unit })
    }

    fn shown(figures: Value, judged: Value) -> String {
        let trace = json!({ "trace_index": 3, "detector": "4/1", "trace": "tf", "figures": figures, "judged": judged });
        let outcome = json!({ "verdict": null, "definitions": 1, "traces": [trace] });
        let outcome: AnalysisOutcome = serde_json::from_value(outcome).unwrap();
        lines(None, &outcome, Colours::NONE)
    }

    fn trace(kind: &str, unit: &str, [min, max, mean]: [f64; 3]) -> TraceSummary {
        let extreme = |value: f64, nm: f64| json!({ "value": value, "nm": nm });
        let summary = json!({
            "trace_index": 3, "sweep_index": 1, "attempt": 1, "detector": "4/1", "detector_name": "through",
            "trace": kind, "unit": unit, "name": "", "file": "traces/0003.parquet", "bytes": 1, "sha256": "",
            "start_nm": 1520.0, "step_pm": 1.0, "points": 1000, "nulls": 0,
            "min": extreme(min, 1531.11), "max": extreme(max, 1540.0), "mean": mean,
        });
        serde_json::from_value(summary).unwrap()
    }

    #[test]
    fn a_trace_is_one_line_with_loss_and_dip_and_the_name_of_its_detector() {
        let line = |trace: &TraceSummary| of_trace(trace, Colours::NONE);
        assert_eq!(
            line(&trace("tf", "dB", [-27.92, -3.48, -4.0])),
            "      trace 3       through  loss 3.48 dB  dip -27.92 dB at 1531.1100 nm"
        );
        let drop_port = line(&trace("tf", "dB", [-60.0, -4.02, -50.0]));
        assert_eq!(drop_port, "      trace 3       through  loss 4.02 dB at 1540.0000 nm");
        let raw = line(&trace("raw", "dBm", [-35.79, -11.39, -12.0]));
        assert_eq!(raw, "      trace 3       through raw  -35.79 to -11.39 dBm");
        let mut foreign = trace("tf", "dB", [-27.92, -3.48, -4.0]);
        foreign.name = "a\u{1b}[2J".to_owned();
        foreign.min = None;
        assert!(line(&foreign).ends_with("no values") && !line(&foreign).contains('\u{1b}'));
    }

    #[test]
    fn figures_with_limits_come_first_with_their_digits_and_the_limit_that_they_miss() {
        let figures = json!([
            figure("peak_nm", json!(1_550.123_456), "nm"),
            figure("insertion_loss_max_db", json!(2.318_765), "dB"),
            figure("bandwidth_3db_nm", json!(12.412_34), "nm"),
        ]);
        let judged = json!([
            { "figure": "bandwidth_3db_nm", "value": 12.41, "limit": { "min": 12.0 }, "verdict": "pass" },
            { "figure": "insertion_loss_max_db", "value": 2.3, "limit": { "max": 1.5 }, "verdict": "fail" },
        ]);
        let text = shown(figures, judged);
        assert!(text.contains("fail          4/1 tf  insertion_loss_max 2.32 dB (max 1.5)"), "{text}");
        assert!(text.find("insertion_loss_max") < text.find("bandwidth_3db 12.41 nm"), "{text}");
        assert!(text.find("insertion_loss_max") < text.find("peak 1550.1235 nm"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    }

    #[test]
    fn a_figure_without_a_value_says_why() {
        let missing = json!({ "figure": "q_loaded", "value": null, "unit": "1", "not_measured": "4 samples per FWHM",
            "bound": "≥", "bound_value": 20_000.0 });
        let judged = json!([{ "figure": "q_loaded", "value": null, "limit": { "min": 9000.0 }, "verdict": "not measured" }]);
        let text = shown(json!([missing]), judged);
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("q_loaded not measured: ≥ 20000; 4 samples per FWHM (min 9000)"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    }

    #[test]
    fn the_worst_of_several_features_stands_for_all_and_foreign_text_is_escaped() {
        let dip = |number: u32, value: f64| json!({ "figure": "q_loaded", "value": value, "unit": "1", "of": format!("dip {number}\u{1b}") });
        let judge = |number: u32, verdict: &str| {
            json!({ "figure": "q_loaded", "of": format!("dip {number}\u{1b}"), "value": 1.0,
            "limit": { "min": 9000.0 }, "verdict": verdict })
        };
        let text =
            shown(json!([dip(1, 9500.0), dip(2, 8000.0)]), json!([judge(1, "pass"), judge(2, "fail")]));
        assert!(
            text.contains("dip 2") && text.contains("q_loaded 8000 (min 9000)") && !text.contains('\u{1b}'),
            "{text}"
        );
    }
}
