//! Which traces a picture shows, and their names in the legend.

use std::path::{Path, PathBuf};

use super::power::{self, Power};
use super::usage;
use crate::app::runs::{failed, find as find_run};
use crate::error::Failure;
use crate::measurement::TraceSummary;
use crate::store::{FoundRun, locate_trace, runs};

/// Most traces in one picture.
const MOST: usize = 500;

/// A trace in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// The file.
    pub(super) path: PathBuf,
    /// The name in the legend.
    pub(super) label: String,
}

/// What a picture shows.
#[derive(Debug)]
pub(super) enum Shown {
    Traces(Vec<Source>),
    /// The recorded power of one run without traces.
    Power(Power),
}

/// The traces that are named, or the recorded power of a run without traces, and a title.
pub(super) fn find(what: &[String], out: &Path) -> Result<(Shown, String), Failure> {
    let (mut sources, mut title) = (Vec::new(), String::new());
    for name in what {
        let path = Path::new(name);
        if path.is_file() {
            let label = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            title.clone_from(&label);
            sources.push(Source { path: path.to_owned(), label });
            continue;
        }
        if path.extension().is_some_and(|suffix| suffix == "parquet" || suffix == "csv") {
            return Err(usage(format!("there is no file `{name}`")));
        }
        let run = find_run(out, name)?;
        title = format!("{}, run {}", run.manifest.name, run.manifest.run);
        sources.extend(of_run(&run, what.len() > 1)?);
    }
    let title = if what.len() == 1 { title } else { String::new() };
    if let (true, [only]) = (sources.is_empty(), what)
        && let Some(power) = power::of_run(&find_run(out, only)?.folder)?
    {
        return Ok((Shown::Power(power), title));
    }
    Ok((Shown::Traces(bounded(sources)?), title))
}

/// The traces of several runs.
pub(super) fn of_runs(runs: &[&FoundRun]) -> Result<Vec<Source>, Failure> {
    let sources = runs.iter().map(|run| of_run(run, true)).collect::<Result<Vec<_>, _>>()?;
    bounded(sources.concat())
}

/// As many traces as a picture can show.
fn bounded(sources: Vec<Source>) -> Result<Vec<Source>, Failure> {
    match sources.len() {
        0 => Err(usage("the run has no traces and no recorded power".to_owned())),
        1..=MOST => Ok(sources),
        more => Err(usage(format!(
            "{more} traces are too many for a picture, which holds {MOST}: name single files"
        ))),
    }
}

/// The traces of a run.
fn of_run(run: &FoundRun, is_one_of_several: bool) -> Result<Vec<Source>, Failure> {
    let traces: Vec<TraceSummary> =
        runs::traces(&run.folder).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
    let mut labels: Vec<String> = traces.iter().map(TraceSummary::shown_name).collect();
    let again: Vec<bool> =
        labels.iter().map(|label| labels.iter().filter(|other| *other == label).count() > 1).collect();
    for ((label, again), trace) in labels.iter_mut().zip(again).zip(&traces) {
        if again {
            *label = format!("{} {label}", trace.trace_index);
        }
        if is_one_of_several {
            *label = format!("{}: {label}", run.manifest.run);
        }
    }
    let located = traces.iter().zip(labels).map(|(trace, label)| {
        let path = locate_trace(&run.folder, trace)?.path().to_owned();
        Ok(Source { path, label })
    });
    located.collect::<Result<_, _>>().map_err(failed)
}
