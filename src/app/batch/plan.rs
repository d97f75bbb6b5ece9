//! `ctp10 batch plan`

use std::path::{Path, PathBuf};

use chrono::{DateTime, Local, Utc};
use indicatif::HumanBytes;
use serde_json::json;

use super::load::Batch;
use crate::batch::{Expectation, Forecast, expect, reserve, window};
use crate::catalogue::{ItemRow, ItemState};
use crate::cli::InstrumentArgs;
use crate::config::Config;
use crate::error::{ExitCode, Failure, chain};
use crate::shown::counted;
use crate::source::Severity;
use crate::store::free_bytes;
use crate::terminal;
use crate::terminal::duration;
use crate::terminal::output::outln;

pub(super) async fn plan(
    file: &Path,
    instrument: &InstrumentArgs,
    out: Option<PathBuf>,
    as_json: bool,
    config: &Config,
) -> Result<(), Failure> {
    let batch = Batch::load(file, instrument, config).await?;
    let (errors, _) = batch.tell(Severity::Error, false, as_json);
    if errors > 0 {
        return Err(Failure::told(ExitCode::Usage));
    }
    let out = batch.out(out, config);
    let items = items(&batch, &out)?;
    let times = window(&Local::now(), None, batch.not_before, batch.deadline);
    let forecast = expect(&items, times, Utc::now());
    let room = free_bytes(&out);
    let fits = room.map(|room| reserve(forecast.bytes) <= room);
    let late = forecast.not_reached();
    if as_json {
        return super::super::print_json(&json!({
            "batch": batch.name,
            "items": forecast.items.iter().map(|expected| row(&batch, &items, expected)).collect::<Vec<_>>(),
            "total": { "items": forecast.items.len(), "estimated_s": forecast.seconds, "bytes": forecast.bytes },
            "not_before": times.not_before, "deadline": times.deadline, "ends": forecast.ends,
            "not_reached": late, "free_bytes": room, "fits_disk": fits,
        }));
    }
    print(&batch, &items, &forecast);
    match (room, fits) {
        (Some(room), Some(true)) => {
            outln!("{} are free in `{}`: this is enough", HumanBytes(room), out.display());
        }
        (Some(room), _) => outln!(
            "{} are free in `{}`: this is NOT enough, {} are needed",
            HumanBytes(room),
            out.display(),
            HumanBytes(reserve(forecast.bytes))
        ),
        (None, _) => outln!("the free disk space in `{}` is unknown", out.display()),
    }
    match times.deadline {
        Some(deadline) if late.is_empty() => {
            outln!("all items can finish before the deadline {}", local(deadline));
        }
        _ if !late.is_empty() => outln!("{}", not_reached(&late, times.deadline)),
        _ => {}
    }
    Ok(())
}

/// The remaining items if the catalogue contains the batch, otherwise all items.
fn items(batch: &Batch, out: &Path) -> Result<Vec<ItemRow>, Failure> {
    let known = crate::batch::known_items(&batch.name, out);
    let known = known.map_err(|error| Failure::new(ExitCode::Failed, chain(&error)))?;
    let origin = window(&Local::now(), None, batch.not_before, batch.deadline).not_before;
    let item = |(index, (task, checked)): (usize, (&crate::batch::Task, &crate::batch::Checked))| {
        let number = batch.number(index);
        let before = ItemRow::index_in(&known, number).map(|index| &known[index]);
        let times = window(&Local::now(), origin, task.not_before, task.deadline);
        ItemRow {
            number,
            place: before.map_or(i64::from(number), |item| item.place),
            priority: i64::from(task.priority),
            state: before.map_or(ItemState::Queued, |item| item.state),
            reason: None,
            attempts: 0,
            retries: 0,
            not_before: times.not_before,
            deadline: times.deadline,
            estimated_s: Some(checked.seconds),
            bytes: Some(checked.bytes),
            payload: json!(task),
            recovered: false,
            runs: Vec::new(),
            unfinished: None,
        }
    };
    Ok(batch.tasks.iter().zip(&batch.checked).enumerate().map(item).collect())
}

fn row(batch: &Batch, items: &[ItemRow], expected: &Expectation) -> serde_json::Value {
    let index = ItemRow::index_in(items, expected.number);
    let item = index.map(|index| &items[index]);
    json!({
        "number": expected.number,
        "item": item.map(|item| &item.payload),
        "begins": expected.begins,
        "ends": expected.ends,
        "estimated_s": item.and_then(|item| item.estimated_s),
        "bytes": item.and_then(|item| item.bytes),
        "uncertain": index.is_some_and(|index| batch.checked[index].uncertain),
        "reached": expected.begins.is_some() && !expected.cut,
    })
}

fn print(batch: &Batch, items: &[ItemRow], forecast: &Forecast) {
    let mut table = terminal::table_with(&["recipe"], ["item", "begins", "takes", "bytes", "recipe"]);
    let mut uncertain = false;
    for expected in &forecast.items {
        let Some(index) = ItemRow::index_in(items, expected.number) else { continue };
        let (task, checked) = (&batch.tasks[index], &batch.checked[index]);
        uncertain |= checked.uncertain;
        let begins = match (expected.begins, expected.cut) {
            (None, _) => "not reached".to_owned(),
            (Some(begins), false) => local(begins),
            (Some(begins), true) => format!("{} (cut)", local(begins)),
        };
        let mark = if checked.uncertain { "~" } else { "" };
        table.add_row([
            expected.number.to_string(),
            begins,
            format!("{mark}{}", duration(checked.seconds)),
            HumanBytes(checked.bytes).to_string(),
            task.describe(),
        ]);
    }
    if !forecast.items.is_empty() {
        outln!("{table}");
    }
    let over = items.len() - forecast.items.len();
    if over > 0 {
        outln!("not listed, because ended or waiting for a person: {}", counted(over, "item"));
    }
    outln!(
        "{}, about {}, about {}{}",
        counted(forecast.items.len(), "item"),
        duration(forecast.seconds),
        HumanBytes(forecast.bytes),
        forecast.ends.map(|ends| format!(", until {}", local(ends))).unwrap_or_default(),
    );
    if uncertain {
        outln!("~ depends on measured values, a person or a time of day, and may differ in the run");
    }
}

/// Warns about the items for which the deadline leaves no time.
pub(super) fn not_reached(late: &[u32], deadline: Option<DateTime<Utc>>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    let mut sorted = late.to_vec();
    sorted.sort_unstable();
    for number in sorted {
        match ranges.last_mut() {
            Some((_, end)) if *end + 1 == number => *end = number,
            _ => ranges.push((number, number)),
        }
    }
    let ranges: Vec<String> = ranges
        .into_iter()
        .map(|(from, to)| if from == to { from.to_string() } else { format!("{from} to {to}") })
        .collect();
    let deadline = deadline.map(|deadline| format!(" {}", local(deadline))).unwrap_or_default();
    format!(
        "the deadline{deadline} leaves no time for {}: {}",
        counted(late.len(), "item"),
        ranges.join(", ")
    )
}

fn local(time: DateTime<Utc>) -> String {
    time.with_timezone(&Local).format("%Y-%m-%d %H:%M").to_string()
}
