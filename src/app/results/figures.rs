//! `ctp10 figures`: one row per device.

use std::collections::{BTreeMap, BTreeSet};

use comfy_table::Table;
use serde_json::{Value as Json, json};

use super::chosen::chosen;
use super::devices::{
    Device, Features, Label, Labels, Row, Value, cell, device_columns, devices, short, telling,
};
use super::layout::{Column, lines, tables};
use super::{columns_text, control};
use crate::analysis::verdict::Verdict;
use crate::cli::FiguresArgs;
use crate::config::Config;
use crate::decode;
use crate::error::{ExitCode, Failure};
use crate::store::Manifest;
use crate::store::runs::FoundRun;
use crate::terminal::output::{errln, outln};
use crate::terminal::simulated_mark;

pub(in crate::app) fn figures(args: &FiguresArgs, config: &Config) -> Result<(), Failure> {
    let out = crate::app::run_folders(args.runs.out.clone(), config);
    let runs = chosen(&args.runs, &out)?;
    let features = if args.all { Features::All } else { Features::Strongest };
    let mut rows = Vec::new();
    let mut without: Vec<&str> = Vec::new();
    for run in &runs {
        let devices = devices(run, features)?;
        if devices.is_empty() {
            without.push(&run.manifest.run);
        }
        rows.extend(devices.into_iter().map(|device| Row { run: &run.manifest, device }));
    }
    if rows.is_empty() {
        return Err(no_figures(&runs));
    }
    keep_only(&args.figures, &mut rows.iter_mut().map(|row| &mut row.device).collect::<Vec<_>>())?;
    if !args.figures.is_empty() {
        rows.retain(|row| !row.device.values.is_empty());
    }
    if args.control_chart {
        return control::print(&rows, args.json);
    }
    let labels: BTreeSet<Label> = rows.iter().flat_map(|row| row.device.values.keys().cloned()).collect();
    let shown = Labels::of(&labels);
    if args.json {
        return crate::app::print_json(
            &json!({ "rows": rows.iter().map(|row| as_json(row, &shown)).collect::<Vec<_>>() }),
        );
    }
    if args.csv {
        print_csv(&rows, &labels, &shown);
    } else {
        print(&rows, &labels, &shown);
    }
    if !without.is_empty() {
        errln!("without figures: {}", without.join(", "));
    }
    Ok(())
}

/// The error about runs whose recipes compute no figures.
pub(super) fn no_figures(runs: &[FoundRun]) -> Failure {
    let message = match runs {
        [run] => format!("run {} ({}) has no figures", run.manifest.run, run.manifest.name),
        runs => format!("none of the {} runs has figures", runs.len()),
    };
    Failure::new(ExitCode::Usage, format!("{message}: no step `analyze` has ended"))
        .hint("`ctp10 analyze RUN --figures …` computes figures of stored traces")
}

/// Leaves out figures that are not asked for. The name of a figure that no run has is refused.
pub(super) fn keep_only(wanted: &[String], devices: &mut [&mut Device]) -> Result<(), Failure> {
    if wanted.is_empty() {
        return Ok(());
    }
    let labels = devices.iter().flat_map(|device| device.values.keys());
    let known: BTreeSet<&str> = labels.map(|label| label.figure.as_str()).collect();
    if let Some(unknown) = wanted.iter().find(|name| !known.contains(name.as_str())) {
        return Err(Failure::new(ExitCode::Usage, format!("the runs have no figure `{unknown}`"))
            .hint(decode::suggestion(unknown, known.iter().copied())));
    }
    for device in devices {
        device.values.retain(|label, _| wanted.contains(&label.figure));
    }
    Ok(())
}

/// The names of all columns of devices.
fn column_names(rows: &[Row<'_>]) -> Vec<String> {
    let names: BTreeSet<&String> = rows.iter().flat_map(|row| row.device.columns.keys()).collect();
    names.into_iter().cloned().collect()
}

fn print(rows: &[Row<'_>], labels: &BTreeSet<Label>, shown: &Labels) {
    let runs: BTreeMap<&str, &Manifest> = rows.iter().map(|row| (row.run.run.as_str(), row.run)).collect();
    let simulated = simulated_mark(rows.iter().any(|row| row.run.instrument.simulated));
    if let Some((_, run)) = runs.first_key_value().filter(|_| runs.len() == 1) {
        outln!("{} ({}), {}{simulated}", run.run, run.name, run.started.format("%Y-%m-%d %H:%M:%SZ"));
    } else {
        outln!("{} runs{simulated}", runs.len());
    }
    // What is the same for all devices is told once.
    let telling = telling(rows.iter().map(|row| &row.device.columns));
    let mut common = rows[0].device.columns.clone();
    common.retain(|name, _| !telling.contains(name));
    if !common.is_empty() {
        outln!("all devices: {}", columns_text(&common));
    }
    let (measured, missing): (Vec<&Label>, Vec<&Label>) = labels.iter().partition(|label| {
        rows.iter().any(|row| row.device.values.get(label).is_some_and(|value| value.figure.is_measured()))
    });
    let upright = upright(rows, &measured, shown, &telling, runs.len() > 1);
    let turned = turned(rows, &measured, shown, &telling, runs.len() > 1);
    // A table with a row per device is turned only if it does not fit the width.
    let tables = if upright.len() > 1 && lines(&turned) < lines(&upright) { turned } else { upright };
    for table in tables {
        outln!("{table}");
    }
    if !missing.is_empty() {
        let names: Vec<String> = missing.into_iter().map(|label| shown.show(label)).collect();
        outln!("not measured: {}", names.join(", "));
    }
}

/// A row per device.
fn upright(
    rows: &[Row<'_>],
    labels: &[&Label],
    shown: &Labels,
    telling: &[String],
    several: bool,
) -> Vec<Table> {
    let mut first = Vec::new();
    if several {
        first.push(Column::new("run", rows.iter().map(|row| row.run.run.clone())));
    }
    first.extend(device_columns(telling, rows.iter().map(|row| &row.device.columns)));
    if rows.iter().any(|row| row.device.verdict.is_some()) {
        first.push(Column::new("verdict", rows.iter().map(verdict)));
    }
    let others: Vec<Column> = labels
        .iter()
        .map(|label| {
            let cells = rows.iter().map(|row| row.device.values.get(label).map(marked).unwrap_or_default());
            Column::new(shown.show(label), cells)
        })
        .collect();
    tables(&first, &others)
}

/// A column per device, for few devices with many figures.
fn turned(
    rows: &[Row<'_>],
    labels: &[&Label],
    shown: &Labels,
    telling: &[String],
    several: bool,
) -> Vec<Table> {
    let has_verdicts = rows.iter().any(|row| row.device.verdict.is_some());
    let mut titles: Vec<String> = telling.to_vec();
    titles.splice(0..0, several.then(|| "run".to_owned()));
    titles.extend(has_verdicts.then(|| "verdict".to_owned()));
    let first = [Column::new(titles.join("\n"), labels.iter().map(|label| shown.show(label)))];
    let others: Vec<Column> = rows
        .iter()
        .map(|row| {
            let mut title: Vec<String> = telling.iter().map(|name| cell(&row.device.columns, name)).collect();
            title.splice(0..0, several.then(|| row.run.run.clone()));
            title.extend(has_verdicts.then(|| verdict(row)));
            let cells =
                labels.iter().map(|label| row.device.values.get(*label).map(marked).unwrap_or_default());
            Column::new(title.join("\n"), cells)
        })
        .collect();
    tables(&first, &others)
}

fn verdict(row: &Row<'_>) -> String {
    row.device.verdict.map(|verdict| verdict.to_string()).unwrap_or_default()
}

/// A value, marked if it is the reason of a verdict. If another dip or peak is the reason, its value follows with the mark.
fn marked(value: &Value) -> String {
    let mark = match value.verdict {
        Some(Verdict::Fail) => " !",
        Some(Verdict::Marginal) => " ~",
        Some(Verdict::Pass | Verdict::NotMeasured) | None => "",
    };
    match &value.decided_by {
        Some(other) if !mark.is_empty() => {
            let of = other.of.as_deref().unwrap_or_default();
            format!("{}, {of} {}{mark}", short(&value.figure), short(other))
        }
        Some(_) | None => format!("{}{mark}", short(&value.figure)),
    }
}

fn as_json(row: &Row<'_>, shown: &Labels) -> Json {
    let figures: Vec<Json> = row
        .device
        .values
        .iter()
        .map(|(label, value)| {
            let mut figure = json!(value.figure);
            if let Some(fields) = figure.as_object_mut() {
                fields.insert("label".to_owned(), json!(shown.show(label)));
                fields.insert("analysis".to_owned(), json!(label.analysis));
                fields.insert("detector".to_owned(), json!(label.detector));
                fields.insert("trace_index".to_owned(), json!(value.trace_index));
                fields.insert("verdict".to_owned(), json!(value.verdict));
                fields.insert("decided_by".to_owned(), json!(value.decided_by));
                // The definition is in the documentation, and each row would repeat it.
                fields.remove("definition");
            }
            figure
        })
        .collect();
    json!({
        "run": row.run.run, "name": row.run.name, "started": row.run.started,
        "simulated": row.run.instrument.simulated, "columns": row.device.columns, "verdict": row.device.verdict,
        "figures": figures,
    })
}

fn print_csv(rows: &[Row<'_>], labels: &BTreeSet<Label>, shown: &Labels) {
    let own = ["run", "name", "started", "simulated", "verdict"];
    let columns = column_names(rows);
    // A column of the recipe may have the name of one of these.
    let renamed = columns.iter().map(|name| match own.contains(&name.as_str()) {
        true => format!("recipe_{name}"),
        false => name.clone(),
    });
    let header = own.iter().map(|name| (*name).to_owned()).chain(renamed);
    let header = header.chain(labels.iter().map(|label| shown.show(label))).chain(["bounds".to_owned()]);
    outln!("{}", line(header));
    for row in rows {
        let verdict = row.device.verdict.map(|verdict| verdict.to_string()).unwrap_or_default();
        let own = [
            row.run.run.clone(),
            row.run.name.clone(),
            row.run.started.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            row.run.instrument.simulated.to_string(),
            verdict,
        ];
        let values = labels.iter().map(|label| {
            let value = row.device.values.get(label).and_then(|value| value.figure.value);
            value.map(|value| value.to_string()).unwrap_or_default()
        });
        let bounds = row.device.values.iter().filter_map(|(label, value)| {
            let bound = value.figure.bound.filter(|_| value.figure.value.is_some())?;
            Some(format!("{} {}", shown.show(label), bound.sign()))
        });
        let bounds = bounds.collect::<Vec<_>>().join("; ");
        let cells = own.into_iter().chain(columns.iter().map(|name| cell(&row.device.columns, name)));
        outln!("{}", line(cells.chain(values).chain([bounds])));
    }
}

/// A line of CSV as RFC 4180 defines it.
fn line(cells: impl Iterator<Item = String>) -> String {
    let quoted = cells.map(|cell| match cell.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell,
    });
    quoted.collect::<Vec<_>>().join(",")
}
