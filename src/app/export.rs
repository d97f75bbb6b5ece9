//! `ctp10 export`: traces in formats of other programs, with units and provenance.

mod power;
mod write;

use std::path::{Path, PathBuf};

use super::analyze::columns::is_parquet;
use super::runs::{failed, find};
use crate::cli::{ExportArgs, ExportFormat};
use crate::config::Config;
use crate::error::{ExitCode, Failure};
use crate::measurement::TraceSummary;
use crate::store::{
    FoundRun, Provenance, StoreError, TraceFile, open_trace, open_trace_file, provenance, runs,
};
use crate::terminal::output::outln;

/// A trace to write.
struct Exported {
    /// The name of its file without the suffix.
    stem: String,
    file: TraceFile,
    about: Provenance,
}

pub(super) fn export(args: &ExportArgs, config: &Config) -> Result<(), Failure> {
    let path = Path::new(&args.what);
    if path.is_file() {
        return one(path, args);
    }
    // A path that does not exist is named as such, and not as a run.
    if path.extension().is_some_and(|suffix| suffix == "parquet") {
        return Err(usage(format!("there is no file `{}`", path.display())));
    }
    let run = find(&super::run_folders(args.out.clone(), config), &args.what)?;
    whole_run(&run, args)
}

fn usage(message: String) -> Failure {
    Failure::new(ExitCode::Usage, message)
}

impl ExportFormat {
    fn suffix(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Npy => "npy",
            Self::Npz => "npz",
            Self::Arrow => "arrow",
            Self::Mat => "mat",
        }
    }
}

/// The name of a file or folder without its last suffix.
fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn one(path: &Path, args: &ExportArgs) -> Result<(), Failure> {
    if !is_parquet(path).map_err(usage)? {
        let message = format!(
            "`{}` is no Parquet file: `export` writes traces of runs in other formats",
            path.display()
        );
        return Err(usage(message).hint("`ctp10 analyze` and `ctp10 plot` read CSV files of other programs"));
    }
    let (file, about) = open_trace_file(path).map_err(failed)?;
    let trace = Exported { stem: stem(path), file, about };
    let name = format!("{}.{}", trace.stem, args.to.suffix());
    let target = match &args.output {
        Some(output) if output.is_dir() => output.join(name),
        Some(output) => output.clone(),
        None => PathBuf::from(name),
    };
    let targets = write::targets(&target, args.to);
    check_targets(&targets, args)?;
    write::trace(&trace, args.to, &target, args.force).map_err(failed)?;
    for target in targets {
        outln!("{}", target.display());
    }
    Ok(())
}

fn whole_run(run: &FoundRun, args: &ExportArgs) -> Result<(), Failure> {
    let folder = run.folder.as_path();
    let traces: Vec<_> = runs::traces(folder).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
    let name = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if traces.is_empty() {
        return power_of_run(run, &name, args);
    }
    let suffix = args.to.suffix();
    let open = |trace: &TraceSummary| -> Result<Exported, StoreError> {
        let file = open_trace(folder, trace)?;
        let about = provenance(file.path())?;
        Ok(Exported { stem: stem(Path::new(&trace.file)), file, about })
    };
    let in_one_file = |write: fn(write::Traces<'_>, &Path, bool) -> Result<(), StoreError>| {
        let target = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.{suffix}")));
        check_targets(std::slice::from_ref(&target), args)?;
        write(&mut traces.iter().map(open), &target, args.force).map_err(failed)?;
        Ok(target)
    };
    let written = match args.to {
        ExportFormat::Npz => in_one_file(write::npz_of_run)?,
        ExportFormat::Mat => in_one_file(write::mat_of_run)?,
        ExportFormat::Csv | ExportFormat::Npy | ExportFormat::Arrow => {
            let into = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{name}_{suffix}")));
            if !into.is_dir() {
                super::target::check(&into, true)?;
            }
            into_folder(&traces, &open, &into, args)?;
            into
        }
    };
    outln!("{}", written.display());
    Ok(())
}

/// Writes the recorded power of a run without traces.
fn power_of_run(run: &FoundRun, name: &str, args: &ExportArgs) -> Result<(), Failure> {
    let folder = run.folder.as_path();
    let segments: Vec<_> = runs::power(folder).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
    if segments.is_empty() {
        return Err(usage(format!("the run in `{}` has no traces and no recorded power", folder.display())));
    }
    match args.to {
        ExportFormat::Csv => {}
        ExportFormat::Npy | ExportFormat::Npz | ExportFormat::Arrow | ExportFormat::Mat => {
            let message = "the run has no traces, and recorded power is exported as `csv` only";
            let hint = format!(
                "the power files are in `{}`: `pandas.read_parquet` reads the folder",
                folder.join("power").display()
            );
            return Err(usage(message.to_owned()).hint(hint));
        }
    }
    let target = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{name}_power.csv")));
    check_targets(std::slice::from_ref(&target), args)?;
    let comments = [
        run.manifest.instrument.simulated.then(|| write::SIMULATED.to_owned()),
        Some(format!(
            "recorded power of run {}, recipe {}; time is UTC",
            run.manifest.run, run.manifest.name
        )),
    ];
    let comments: Vec<String> = comments.into_iter().flatten().collect();
    power::csv(folder, &segments, &comments, &target, args.force).map_err(failed)?;
    outln!("{}", target.display());
    Ok(())
}

/// Writes a file for each trace.
fn into_folder(
    traces: &[TraceSummary],
    open: &dyn Fn(&TraceSummary) -> Result<Exported, StoreError>,
    into: &Path,
    args: &ExportArgs,
) -> Result<(), Failure> {
    let suffix = args.to.suffix();
    let target_of = |trace: &TraceSummary| into.join(format!("{}.{suffix}", stem(Path::new(&trace.file))));
    let all = traces.iter().flat_map(|trace| write::targets(&target_of(trace), args.to));
    check_targets(&all.collect::<Vec<_>>(), args)?;
    let no_folder =
        |error| Failure::new(ExitCode::Failed, format!("cannot create `{}`: {error}", into.display()));
    std::fs::create_dir_all(into).map_err(no_folder)?;
    for trace in traces {
        let exported = open(trace).map_err(failed)?;
        write::trace(&exported, args.to, &target_of(trace), args.force).map_err(failed)?;
    }
    Ok(())
}

/// Checks all names before the first file is written.
fn check_targets(targets: &[PathBuf], args: &ExportArgs) -> Result<(), Failure> {
    targets.iter().try_for_each(|target| super::target::check(target, args.force))
}
