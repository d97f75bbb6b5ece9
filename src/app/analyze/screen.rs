//! The answer as a table for people.

use crate::analysis::figure::Figure;
use crate::analysis::request::Analysis;
use crate::analysis::shown::{bound, value_without_unit};
use crate::shown::{number, unit_word};
use crate::terminal;
use crate::terminal::output::{errln, outln};

/// Prints the figures of a trace; `column` is the name of its levels.
pub(super) fn print(file: &str, column: &str, smoothing: Option<String>, analysis: &Analysis) {
    let mut table =
        terminal::table_with(&["remark", "figure"], ["of", "figure", "value", "unit", "at nm", "remark"]);
    for figure in &analysis.figures {
        table.add_row([
            figure.of.clone().unwrap_or_default(),
            figure.name.clone(),
            value(figure),
            unit_word(&figure.unit).to_owned(),
            figure.nm.map(|nm| number(nm, None, "nm")).unwrap_or_default(),
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
    used.extend(settings.floor_db.map(|level| format!("floor {level} {}", settings.unit)));
    used.extend(smoothing);
    outln!("{file} (`{column}`): {}", used.join("; "));
    for warning in &analysis.warnings {
        errln!("warning: {warning}");
    }
}

/// The value with its bound and its error.
fn value(figure: &Figure) -> String {
    value_without_unit(figure).unwrap_or_else(|| match bound(figure) {
        Some(bound) => format!("not measured, {bound}"),
        None => "not measured".to_owned(),
    })
}

fn remark(figure: &Figure) -> String {
    figure.not_measured.iter().chain(&figure.notes).map(String::as_str).collect::<Vec<_>>().join("; ")
}
