//! `ctp10 runs`

pub(super) mod list;

use std::path::Path;

use chrono::Local;
use indicatif::HumanBytes;
use serde_json::json;

use super::near::Near;
use crate::catalogue::{self, Catalogue};
use crate::cli::{RunsArgs, RunsCommand, RunsOutputArgs};
use crate::config::Config;
use crate::error::{ExitCode, Failure, chain};
use crate::measurement::PowerLevels;
use crate::run::events::Record;
use crate::shown::{self, counted};
use crate::store::{FoundRun, StoreError, runs, skip_damaged, watchdog_records};
use crate::terminal::duration;
use crate::terminal::output::{errln, outln};

pub(super) fn runs(args: RunsArgs, config: &Config, near: &Near) -> Result<(), Failure> {
    let out = |output: &RunsOutputArgs| super::run_folders(output.out.clone(), config);
    match args.what {
        None => list::list(&args.list, &out(&args.list.output), near),
        Some(RunsCommand::List(args)) => list::list(&args, &out(&args.output), near),
        Some(RunsCommand::Show { run, output }) => show(&run, &out(&output), output.json, near),
        Some(RunsCommand::Report { batch: Some(name), output, .. }) => {
            super::batch::report::report(&name, &out(&output), output.json)
        }
        Some(RunsCommand::Report { run, output, .. }) => {
            report(&run.unwrap_or_default(), &out(&output), output.json)
        }
        Some(RunsCommand::Reindex(output)) => reindex(&out(&output), output.json),
        Some(RunsCommand::Verify { run, output }) => verify(&run, &out(&output), output.json, near),
    }
}

/// The failure of a command that reads run folders. A run that does not exist is wrong use.
pub(super) fn failed(error: StoreError) -> Failure {
    let code = if error.is_about_a_name() { ExitCode::Usage } else { ExitCode::Failed };
    Failure::new(code, chain(&error))
}

/// The run that a person means. The name of a batch gets the commands for batches.
pub(super) fn find(out: &Path, name: &str) -> Result<FoundRun, Failure> {
    runs::find(out, name).map_err(|error| {
        let failure = failed(error);
        if !is_batch(out, name) {
            return failure;
        }
        failure.hint(format!(
            "`{name}` is a batch: `ctp10 runs --batch {name}` lists its runs, and `ctp10 runs report --batch {name}` \
             writes its page"
        ))
    })
}

/// Whether the catalogue knows a batch of this name. A folder without a catalogue gets none.
fn is_batch(out: &Path, name: &str) -> bool {
    out.join(catalogue::FILE).is_file()
        && Catalogue::open(out).and_then(|catalogue| catalogue.batch(name)).is_ok_and(|batch| batch.is_some())
}

fn show(id: &str, out: &Path, as_json: bool, near: &Near) -> Result<(), Failure> {
    let run = find(out, id)?;
    let traces = runs::traces(&run.folder).map_err(failed)?;
    let guards = watchdog_records(&run.folder);
    if as_json {
        let mut unreadable_lines = 0_u64;
        let counted = traces.inspect(|trace| {
            unreadable_lines += u64::from(matches!(trace, Err(StoreError::Line { .. })));
        });
        let traces = skip_damaged(counted).collect::<Result<Vec<_>, _>>().map_err(failed)?;
        return super::print_json(&json!({
            "folder": near.origin(&run.folder).display().to_string(), "manifest": run.manifest, "guard": guards, "traces": traces,
            "power": levels(&run.folder)?,
            "unreadable_lines": unreadable_lines,
        }));
    }
    let manifest = &run.manifest;
    let kind = if manifest.instrument.simulated { "  (SIMULATED instrument)" } else { "" };
    outln!("{}  {}  {}{kind}", manifest.run, manifest.name, manifest.status);
    if let Some(reason) = &manifest.reason {
        outln!("  reason      {reason}");
    }
    for record in guards {
        outln!("  guard       {}", record.summary());
    }
    outln!("  recipe      {}  sha256 {}", manifest.recipe.path, manifest.recipe.sha256);
    outln!("  instrument  {} at {}", manifest.instrument.identity, manifest.instrument.address);
    let by_clock = || Some((manifest.finished? - manifest.started).as_seconds_f64().max(0.0));
    let took = manifest.elapsed_s.or_else(by_clock);
    outln!(
        "  started     {}{}",
        manifest.started.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S %:z"),
        took.map(|s| format!(", took {}", duration(s))).unwrap_or_default()
    );
    if let Some(verdict) = manifest.verdict {
        let counts = manifest.verdicts.map(|verdicts| format!(" ({verdicts})")).unwrap_or_default();
        outln!("  verdict     {verdict}{counts}");
    }
    match manifest.taken_up {
        0 => {}
        1 => outln!("  resumed     once after an interruption"),
        times => outln!("  resumed     {times} times after interruptions"),
    }
    for (name, value) in manifest.parameters.iter().chain(&manifest.metadata) {
        outln!("  {name} = {value}");
    }
    for warning in &manifest.warnings {
        outln!("  warning     {warning}");
    }
    for trace in traces {
        let trace = match trace {
            Ok(trace) => trace,
            Err(damaged @ StoreError::Line { .. }) => {
                errln!("{damaged}");
                continue;
            }
            Err(error) => return Err(failed(error)),
        };
        let level = |extreme: Option<crate::measurement::Extreme>| {
            extreme.map_or_else(
                || "-".to_owned(),
                |found| format!("{} {}", found.level(&trace.unit), found.place()),
            )
        };
        outln!("  {}  {}  {}", trace.file, counted(trace.grid.points, "point"), HumanBytes(trace.bytes));
        outln!("      {}", shown::one_line(&trace.shown_name()));
        outln!("      min {}   max {}", level(trace.min), level(trace.max));
    }
    for levels in levels(&run.folder)? {
        outln!("  power       {}  {}", levels.shown_detector(), levels.shown().join("  "));
    }
    outln!("{}", near.origin(&run.folder).display());
    Ok(())
}

/// The recorded power of a run, for each detector.
fn levels(folder: &Path) -> Result<Vec<PowerLevels>, Failure> {
    let mut levels = Vec::new();
    for segment in skip_damaged(runs::power(folder).map_err(failed)?) {
        for one in segment.map_err(failed)?.levels {
            PowerLevels::add(&mut levels, &one);
        }
    }
    Ok(levels)
}

fn report(id: &str, out: &Path, as_json: bool) -> Result<(), Failure> {
    let run = find(out, id)?;
    let (report, page) = crate::report::write(&run).map_err(failed)?;
    if as_json {
        return super::print_json(&report);
    }
    outln!("{}", page.display());
    Ok(())
}

fn reindex(out: &Path, as_json: bool) -> Result<(), Failure> {
    let (found, unreadable) = runs::list(out).map_err(failed)?;
    let made = Catalogue::open(out).and_then(|catalogue| catalogue.reindex(&found));
    let made = made.map_err(|error| {
        Failure::new(ExitCode::Failed, chain(&error)).hint(format!(
            "if `{}` is damaged, move it away: this command creates a new one",
            catalogue::FILE
        ))
    })?;
    for damaged in &unreadable {
        errln!("{}: {}", damaged.folder.display(), damaged.reason);
    }
    if as_json {
        return super::print_json(
            &json!({ "runs": made.runs, "items": made.items, "unreadable": unreadable }),
        );
    }
    outln!(
        "{}, and {} of batches, found only in their runs",
        counted(made.runs, "run"),
        counted(made.items, "item")
    );
    Ok(())
}

fn verify(id: &str, out: &Path, as_json: bool, near: &Near) -> Result<(), Failure> {
    let run = find(out, id)?;
    let verified = runs::verify::<Record>(&run.folder).map_err(failed)?;
    if as_json {
        super::print_json(
            &json!({ "folder": near.origin(&run.folder).display().to_string(), "status": run.manifest.status, "verified": verified }),
        )?;
    } else {
        for finding in &verified.findings {
            outln!("{finding}");
        }
        outln!(
            "{}: {}, {} intact, {}",
            run.manifest.run,
            run.manifest.status,
            counted(verified.whole, "file"),
            counted(verified.findings.len(), "finding")
        );
    }
    if verified.findings.is_empty() { Ok(()) } else { Err(Failure::told(ExitCode::Failed)) }
}
