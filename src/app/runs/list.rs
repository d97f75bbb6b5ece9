//! `ctp10 runs`: the list.

use std::path::Path;

use chrono::{Local, Utc};
use clap::ValueEnum;
use comfy_table::Table;
use serde_json::json;

use super::failed;
use crate::app::near::Near;
use crate::catalogue::{self, Filter, GivenFilter, SelectError, Selected, WrongField, WrongFilter};
use crate::cli::{FilterArgs, RunsListArgs};
use crate::decode;
use crate::error::{ExitCode, Failure, chain};
use crate::shown;
use crate::store::count_traces;
use crate::store::runs::FoundRun;
use crate::terminal;
use crate::terminal::output::{errln, outln};

/// Bytes of journals that are read at most to count the traces of runs without an end: some 30,000 sweeps with a trace.
const MOST_OF_JOURNALS: u64 = 64 << 20;

pub(super) fn list(args: &RunsListArgs, out: &Path, near: &Near) -> Result<(), Failure> {
    let filter = filter(&args.filter)?;
    let limit = if args.limit == 0 { usize::MAX } else { args.limit };
    let mut selected = catalogue::select(out, &filter, None, limit).map_err(not_selected)?;
    for run in &mut selected.runs {
        run.folder = near.origin(&run.folder);
    }
    let Selected { runs, next, unreadable } = &selected;
    if args.output.json {
        return crate::app::print_json(&json!({ "runs": runs, "next": next, "unreadable": unreadable }));
    }
    outln!("{}", table(runs));
    if let Some(instrument) = common_instrument(runs) {
        outln!("instrument of all runs: {instrument}");
    }
    for damaged in unreadable {
        errln!("{}: {}", damaged.folder.display(), damaged.reason);
    }
    if runs.is_empty() {
        errln!("{}", nothing(&filter, out, &near.origin(out)));
    } else if next.is_some() {
        errln!("the newest {}; `--limit 0` lists all", shown::counted(runs.len(), "run"));
    }
    Ok(())
}

/// Which runs the options mean.
pub(in crate::app) fn filter(args: &FilterArgs) -> Result<Filter, Failure> {
    let given = GivenFilter {
        condition: args.condition.clone(),
        name: args.name.clone(),
        batch: args.batch.clone(),
        status: list_of(&args.status),
        verdict: list_of(&args.verdict),
        since: args.since.clone(),
        until: args.until.clone(),
        text: args.text.clone(),
    };
    given.read("--where", Utc::now()).map_err(|WrongFilter { field, why }| match why {
        WrongField::Condition(wrong) => Failure::recipe(vec![*wrong]),
        WrongField::Value(why) => Failure::new(ExitCode::Usage, format!("`--{field}`: {why}")),
    })
}

/// The names of some values of an option, separated by commas.
fn list_of(values: &[impl ValueEnum]) -> Option<String> {
    let names = values.iter().filter_map(ValueEnum::to_possible_value);
    let names: Vec<String> = names.map(|value| value.get_name().to_owned()).collect();
    Some(names.join(",")).filter(|list| !list.is_empty())
}

pub(in crate::app) fn not_selected(error: SelectError) -> Failure {
    match error {
        SelectError::Condition(wrong) => Failure::recipe(vec![*wrong]),
        SelectError::Store(error) => failed(error),
        SelectError::Catalogue(_) | SelectError::Sql(_) => Failure::new(ExitCode::Failed, chain(&error)),
    }
}

fn instrument(run: &FoundRun) -> String {
    match run.manifest.instrument.simulated {
        true => "simulated".to_owned(),
        false => run.manifest.instrument.address.clone(),
    }
}

/// The instrument of all these runs; `None` if there are several.
fn common_instrument(runs: &[FoundRun]) -> Option<String> {
    let first = instrument(runs.first()?);
    runs.iter().all(|run| instrument(run) == first).then_some(first)
}

fn table(runs: &[FoundRun]) -> Table {
    let has_verdicts = runs.iter().any(|run| run.manifest.verdict.is_some());
    let mut header = vec!["run", "started", "status", "traces", "recipe"];
    if has_verdicts {
        header.insert(3, "verdict");
    }
    let several = common_instrument(runs).is_none();
    if several {
        header.push("instrument");
    }
    let mut journals = MOST_OF_JOURNALS;
    let mut table = terminal::table_with(&["recipe", "instrument"], header);
    for run in runs {
        let manifest = &run.manifest;
        let mut row = vec![
            manifest.run.clone(),
            manifest.started.with_timezone(&Local).format("%Y-%m-%d %H:%M").to_string(),
            manifest.status.to_string(),
            // Only the end of a run writes the number.
            manifest
                .traces
                .or_else(|| count_traces(&run.folder, &mut journals))
                .map_or_else(|| "?".to_owned(), |traces| traces.to_string()),
            manifest.name.clone(),
        ];
        if several {
            row.push(instrument(run));
        }
        if has_verdicts {
            row.insert(3, manifest.verdict.map_or_else(|| "-".to_owned(), |verdict| verdict.to_string()));
        }
        table.add_row(row);
    }
    table
}

/// Why the list is empty. `shown` is the folder as a person knows it.
pub(in crate::app) fn nothing(filter: &Filter, out: &Path, shown: &Path) -> String {
    let place = shown.display();
    if *filter == Filter::default() {
        return format!("there are no runs below `{place}`");
    }
    let known = filter.name.as_ref().map(|name| (name, crate::store::runs::recipes(out).unwrap_or_default()));
    match known.as_ref().and_then(|(name, known)| decode::nearest(name, known.iter().map(String::as_str))) {
        Some(near) if filter.name.as_deref() != Some(near) => {
            format!("no run below `{place}` matches; did you mean `--name {near}`?")
        }
        _ => format!("no run below `{place}` matches"),
    }
}
