//! Runs in an object store, for the commands that read runs: they are downloaded into a temporary folder first, and the
//! command then reads that folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::analyze::is_wanted;
use super::runs::list::{filter, not_selected};
use super::store::not_used;
use crate::catalogue::{self, Filter};
use crate::cli::{
    AnalyzeArgs, CompareArgs, ExportArgs, FiguresArgs, FilterArgs, JudgeArgs, PlotArgs, RunsArgs,
    RunsCommand, RunsListArgs, RunsOutputArgs,
};
use crate::config::Config;
use crate::error::{ExitCode, Failure};
use crate::measurement::TraceSummary;
use crate::remote::{
    Meant, Needed, Objects, RUNS, StoreAddress, fetch_list, fetch_object, fetch_run, find, folder,
};

/// What was downloaded for a command, which is deleted when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Near(Option<Downloaded>);

#[derive(Debug)]
struct Downloaded {
    place: TempDir,
    /// The address of the folder with the runs in the store, if all are from one store.
    above: Option<String>,
}

impl Near {
    /// The path or address that a person knows for a path that a command has read.
    pub(super) fn origin(&self, path: &Path) -> PathBuf {
        let origin = |downloaded: &Downloaded| {
            let inner = path.strip_prefix(downloaded.place.path()).ok()?;
            let above = downloaded.above.as_ref()?;
            Some(if inner.as_os_str().is_empty() { above.into() } else { Path::new(above).join(inner) })
        };
        self.0.as_ref().and_then(origin).unwrap_or_else(|| path.to_owned())
    }
}

/// Names of runs or files in a command line, and the folder in which they are looked up.
struct Named<'a> {
    names: Vec<&'a mut String>,
    out: &'a mut Option<PathBuf>,
    needed: Needed<'a>,
}

/// Replaces addresses in a command line by the paths of what was downloaded.
pub(super) trait BringNear {
    /// Downloads what the command line names in a store.
    async fn bring_near(&mut self, config: &Config) -> Result<Near, Failure>;
}

fn disk(error: &std::io::Error) -> Failure {
    Failure::new(ExitCode::Failed, format!("cannot create a temporary folder: {error}"))
}

fn open(address: &StoreAddress, config: &Config) -> Result<Objects, Failure> {
    let settings = config.store.at(address.clone());
    Objects::open(&settings.address, settings.endpoint.as_deref()).map_err(not_used)
}

/// The store that `--out` names.
fn store_of(out: Option<&PathBuf>) -> Result<Option<StoreAddress>, Failure> {
    let Some(text) = out.and_then(|out| out.to_str()).filter(|text| StoreAddress::is_meant(text)) else {
        return Ok(None);
    };
    let address = text.parse().map_err(|why: String| Failure::new(ExitCode::Usage, why))?;
    Ok(Some(address))
}

/// The address of the folder with the runs of a store.
fn runs_of(store: &StoreAddress) -> String {
    format!("{store}/{RUNS}")
}

/// Downloads the runs and files that are named. A name without an address is looked up in the store of `--out`.
async fn named(named: Named<'_>, config: &Config) -> Result<Near, Failure> {
    let Named { names, out, needed } = named;
    let store = store_of(out.as_ref())?;
    if store.is_none() && !names.iter().any(|name| StoreAddress::is_meant(name)) {
        return Ok(Near::default());
    }
    let place = tempfile::tempdir().map_err(|error| disk(&error))?;
    let mut above = BTreeSet::new();
    for name in names {
        let meant = match (StoreAddress::is_meant(name), &store) {
            (true, _) => Meant::read(name).map_err(not_used)?,
            (false, Some(store)) if !Path::new(name.as_str()).exists() => {
                Meant::Run(store.clone(), name.clone())
            }
            (false, _) => continue,
        };
        *name = path_text(&fetch(&meant, place.path(), needed, config).await?)?;
        above.insert(match meant {
            Meant::Object(above, _) => above.to_string(),
            Meant::Run(store, _) => runs_of(&store),
        });
    }
    if store.is_some() {
        *out = Some(place.path().to_owned());
    }
    let above = above.pop_first().filter(|_| above.is_empty());
    Ok(Near(Some(Downloaded { place, above })))
}

async fn fetch(meant: &Meant, into: &Path, needed: Needed<'_>, config: &Config) -> Result<PathBuf, Failure> {
    match meant {
        Meant::Object(above, name) => fetch_object(&open(above, config)?, name, into).await.map_err(not_used),
        Meant::Run(store, given) => {
            let objects = open(store, config)?;
            let name = find(&objects, given).await.map_err(not_used)?;
            let there = into.join(folder(&name));
            if there.exists() {
                return Ok(there);
            }
            fetch_run(&objects, &name, into, needed).await.map_err(not_used)
        }
    }
}

fn path_text(path: &Path) -> Result<String, Failure> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Failure::new(ExitCode::Failed, format!("the temporary folder `{}` has no UTF-8 name", path.display()))
    })
}

/// Downloads the runs of the store of `--out` that fulfil a filter.
async fn filtered(
    args: &FilterArgs,
    out: &mut Option<PathBuf>,
    needed: Option<Needed<'_>>,
    config: &Config,
) -> Result<Near, Failure> {
    let Some(store) = store_of(out.as_ref())? else { return Ok(Near::default()) };
    let wanted: Filter = filter(args)?;
    let objects = open(&store, config)?;
    let place = tempfile::tempdir().map_err(|error| disk(&error))?;
    // Conditions and words also concern the columns of traces, which the journal knows.
    let known = match wanted.condition.is_some() || !wanted.words.is_empty() {
        true => Needed::Journal,
        false => Needed::Manifest,
    };
    let times = (wanted.since, wanted.until);
    fetch_list(&objects, place.path(), times, known).await.map_err(not_used)?;
    let Some(needed) = needed else {
        *out = Some(place.path().to_owned());
        return Ok(Near(Some(Downloaded { place, above: Some(runs_of(&store)) })));
    };
    let selected = catalogue::select(place.path(), &wanted, None, usize::MAX).map_err(not_selected)?;
    let whole = tempfile::tempdir().map_err(|error| disk(&error))?;
    for run in selected.runs {
        let folder = run.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        fetch(&Meant::Run(store.clone(), folder), whole.path(), needed, config).await?;
    }
    *out = Some(whole.path().to_owned());
    Ok(Near(Some(Downloaded { place: whole, above: Some(runs_of(&store)) })))
}

impl BringNear for RunsArgs {
    async fn bring_near(&mut self, config: &Config) -> Result<Near, Failure> {
        match &mut self.what {
            None => self.list.bring_near(config).await,
            Some(RunsCommand::List(list)) => list.bring_near(config).await,
            Some(RunsCommand::Show { run, output }) => one(run, output, Needed::Records, config).await,
            Some(RunsCommand::Verify { run, output }) => one(run, output, Needed::All, config).await,
            Some(RunsCommand::Report { run: Some(run), output, .. }) => report(run, output, config).await,
            Some(RunsCommand::Report { run: None, .. } | RunsCommand::Reindex(_)) => Ok(Near::default()),
        }
    }
}

async fn one(
    run: &mut String,
    output: &mut RunsOutputArgs,
    needed: Needed<'_>,
    config: &Config,
) -> Result<Near, Failure> {
    named(Named { names: vec![run], out: &mut output.out, needed }, config).await
}

/// Downloads a run for its report. The report is for people, so the run goes into the current folder and stays there.
async fn report(run: &mut String, output: &mut RunsOutputArgs, config: &Config) -> Result<Near, Failure> {
    let store = store_of(output.out.as_ref())?;
    let meant = match (StoreAddress::is_meant(run), store) {
        (true, _) => Meant::read(run).map_err(not_used)?,
        (false, Some(store)) => Meant::Run(store, run.clone()),
        (false, None) => return Ok(Near::default()),
    };
    if let Meant::Object(..) = meant {
        return Err(Failure::new(ExitCode::Usage, format!("`{run}` is not a run")));
    }
    *run = path_text(&fetch(&meant, Path::new("."), Needed::All, config).await?)?;
    output.out = None;
    Ok(Near::default())
}

impl BringNear for RunsListArgs {
    async fn bring_near(&mut self, config: &Config) -> Result<Near, Failure> {
        filtered(&self.filter, &mut self.output.out, None, config).await
    }
}

impl BringNear for AnalyzeArgs {
    async fn bring_near(&mut self, config: &Config) -> Result<Near, Failure> {
        let Some(text) = self.file.to_str() else { return Ok(Near::default()) };
        let mut name = text.to_owned();
        let mut out = self.out.take();
        let is_wanted = |trace: &TraceSummary| is_wanted(self, trace);
        let needed = Needed::Chosen(&is_wanted);
        let near = named(Named { names: vec![&mut name], out: &mut out, needed }, config).await?;
        (self.file, self.out) = (name.into(), out);
        Ok(near)
    }
}

impl BringNear for ExportArgs {
    async fn bring_near(&mut self, config: &Config) -> Result<Near, Failure> {
        let names = vec![&mut self.what];
        named(Named { names, out: &mut self.out, needed: Needed::Traces }, config).await
    }
}

impl BringNear for PlotArgs {
    async fn bring_near(&mut self, config: &Config) -> Result<Near, Failure> {
        let names = self.what.iter_mut().collect();
        named(Named { names, out: &mut self.out, needed: Needed::Traces }, config).await
    }
}

impl BringNear for CompareArgs {
    async fn bring_near(&mut self, config: &Config) -> Result<Near, Failure> {
        let needed = if self.plot.is_some() { Needed::Traces } else { Needed::Records };
        let names = vec![&mut self.before, &mut self.after];
        named(Named { names, out: &mut self.out, needed }, config).await
    }
}

impl BringNear for FiguresArgs {
    async fn bring_near(&mut self, config: &Config) -> Result<Near, Failure> {
        let runs = &mut self.runs;
        if runs.runs.is_empty() {
            return filtered(&runs.filter, &mut runs.out, Some(Needed::Records), config).await;
        }
        let names = runs.runs.iter_mut().collect();
        named(Named { names, out: &mut runs.out, needed: Needed::Records }, config).await
    }
}

impl BringNear for JudgeArgs {
    async fn bring_near(&mut self, config: &Config) -> Result<Near, Failure> {
        let runs = &mut self.runs;
        if runs.runs.is_empty() {
            return filtered(&runs.filter, &mut runs.out, Some(Needed::Traces), config).await;
        }
        let names = runs.runs.iter_mut().collect();
        named(Named { names, out: &mut runs.out, needed: Needed::Traces }, config).await
    }
}
