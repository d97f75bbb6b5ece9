//! The answer as a table for people.

use comfy_table::{Table, presets};

use super::Answer;
use crate::analysis::figure::Figure;
use crate::terminal::output::{errln, outln};

pub(super) fn print(answer: &Answer<'_>) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["of", "figure", "value", "unit", "at nm", "remark"]);
    for figure in &answer.analysis.figures {
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
    let settings = &answer.analysis.settings;
    let mut used = vec![
        format!("{} to {} nm, {} samples", settings.from_nm, settings.to_nm, settings.samples),
        format!("prominence {} dB", settings.prominence_db),
        format!("distance {} nm", settings.distance_nm),
    ];
    used.extend(settings.lines.map(|kind| format!("resonances are {}s", kind.word())));
    used.extend(settings.floor_db.map(|level| format!("floor {level} dB")));
    used.extend(answer.smoothing.clone());
    outln!("{} (`{}`): {}", answer.file, answer.column, used.join("; "));
    for warning in &answer.analysis.warnings {
        errln!("warning: {warning}");
    }
}

/// The value with its bound and its error.
fn value(figure: &Figure) -> String {
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

/// Four decimals from 1000 (0.1 pm of a wavelength in nm), five below, and none from 100000. Below 0.01: four digits.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        1e5.. => format!("{value:.0}"),
        1e3.. => format!("{value:.4}").trim_end_matches('0').trim_end_matches('.').to_owned(),
        1e-2.. => format!("{value:.5}").trim_end_matches('0').trim_end_matches('.').to_owned(),
        _ => format!("{value:.3e}"),
    }
}

fn remark(figure: &Figure) -> String {
    figure.not_measured.iter().chain(&figure.notes).map(String::as_str).collect::<Vec<_>>().join("; ")
}
