//! The answer as a table for people.

use comfy_table::{Table, presets};

use crate::analysis::figure::Figure;
use crate::analysis::request::Analysis;
use crate::terminal::number;
use crate::terminal::output::{errln, outln};

/// Prints the figures of a trace; `column` is the name of its levels.
pub(super) fn print(file: &str, column: &str, smoothing: Option<String>, analysis: &Analysis) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["of", "figure", "value", "unit", "at nm", "remark"]);
    for figure in &analysis.figures {
        table.add_row([
            figure.of.clone().unwrap_or_default(),
            figure.name.clone(),
            value(figure),
            if figure.unit == "1" { String::new() } else { figure.unit.clone() },
            figure.nm.map(|nm| format!("{nm:.4}")).unwrap_or_default(),
            remark(figure),
        ]);
    }
    outln!("{table}");
    let settings = &analysis.settings;
    let mut used = vec![
        format!("{} to {} nm, {} samples", settings.from_nm, settings.to_nm, settings.samples),
        format!("prominence {} dB", settings.prominence_db),
        format!("distance {} nm", settings.distance_nm),
    ];
    used.extend(settings.lines.map(|kind| format!("resonances are {}s", kind.word())));
    used.extend(settings.floor_db.map(|level| format!("floor {level} dB")));
    used.extend(smoothing);
    outln!("{file} (`{column}`): {}", used.join("; "));
    for warning in &analysis.warnings {
        errln!("warning: {warning}");
    }
}

/// The value with its bound and its error.
pub(in crate::app) fn value(figure: &Figure) -> String {
    let sign = figure.bound.map(|bound| format!("{} ", bound.sign())).unwrap_or_default();
    match (figure.value, figure.error) {
        (Some(value), Some(error)) => format!("{sign}{} ± {}", number(value), number(error)),
        (Some(value), None) => format!("{sign}{}", number(value)),
        (None, _) => match figure.bound_value {
            Some(bound) => format!("not measured, {sign}{}", number(bound)),
            None => "not measured".to_owned(),
        },
    }
}

fn remark(figure: &Figure) -> String {
    figure.not_measured.iter().chain(&figure.notes).map(String::as_str).collect::<Vec<_>>().join("; ")
}
