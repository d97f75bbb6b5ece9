//! The runner performs the operations of a recipe on the instrument, writes the run folder, and emits
//! [`events::RunEvent`]s. It decides nothing about presentation and never uses the socket itself.
//!
//! A recipe runs on a thread of its own and sends its steps to the engine, an async task. Only the engine changes the
//! instrument. [`state`] folds the events into the state of the run, and [`resume`] continues an interrupted run.

mod awake;
mod bench;
mod context;
pub mod control;
mod disk;
mod engine;
pub mod events;
mod explain;
mod host;
pub mod prepare;
mod request;
pub mod resume;
pub mod state;
pub mod watchdog;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::forecast::bench::BenchState;
use crate::http::Client;
use crate::step::{Fault, FaultKind};
use crate::store::{HostRecord, InstrumentRecord, Manifest, RecipeRecord, RunFolder, RunState};
use crate::threads;
use bench::Bench;
use control::ControlReceiver;
use disk::Disk;
use engine::columns::Columns;
use engine::power::SharedPowerLog;
use engine::{Engine, Output};
use events::RunEvent;
use events::log::RunLog;
pub use events::log::Watcher;
use host::RemoteHost;
pub use request::{RunRequest, Site, Times, Uses};
use resume::replay::ReplayHost;
use resume::transcript::Transcript;
use state::history::History;
use watchdog::Watchdog;

/// Runs a recipe to its end: its steps, its `finally`, turning off the lasers, and the files. The `watchers` receive
/// every event.
///
/// # Errors
/// If the run folder cannot be written. Every other fault ends in a run with the state `failed`.
pub async fn run(
    mut request: RunRequest,
    site: Site,
    control: ControlReceiver,
    watchers: Vec<Watcher>,
) -> Result<RunState, Fault> {
    let Site { instrument, monitor, record, detectors, mut folder, allow_http, times } = site;
    let recipe = Arc::clone(&request.recipe);
    let resumed = request.resumed.take();
    let mended = match &resumed {
        Some(resumed) => resumed.mend(&mut folder)?,
        None => Vec::new(),
    };
    let folder = Arc::new(folder);
    let mut manifest = match &resumed {
        Some(resumed) => resumed.manifest(),
        None => manifest(&request, &folder, &record)?,
    };
    manifest.limits =
        Some(instrument.limits()).filter(|limits| !limits.is_empty()).map(|limits| json!(limits));
    folder.write_manifest(&manifest)?;
    let earlier = resumed.as_ref().map(|resumed| &resumed.transcript);
    let history = earlier.map(|earlier| earlier.history.clone()).unwrap_or_default();
    let before_s = earlier.map_or(0.0, |earlier| earlier.elapsed_s);
    let log = RunLog::new(folder.journal()?, history, watchers, before_s);
    let (operations, estimated_s) = request.expected().unzip();
    let started = RunEvent::Started {
        run: folder.id().to_owned(),
        name: manifest.name.clone(),
        folder: folder.path().display().to_string(),
        instrument: record.clone(),
        operations,
        estimated_s,
        outline: state::outline::outline(&request.walked.steps),
    };
    match resumed.as_ref().filter(|resumed| resumed.transcript.history.started) {
        Some(resumed) => resumed.begin(&folder, &log)?,
        None => log.emit_durable(started).await?,
    }
    for message in mended {
        log.emit(RunEvent::Warning { message })?;
    }
    let columns = Columns::new(request.own_columns(), manifest.columns.clone());
    columns.begin(earlier.unwrap_or(&Transcript::default()), &log)?;
    let watchdog = Watchdog::of(times.guard_after, &instrument, &record.identity, &folder, &log).await?;
    let power_log = SharedPowerLog::new(folder.power_log(record.simulated), log.clone());
    let mut recorders = JoinSet::new();
    if let Some(what) = &recipe.header().record_power {
        for module in what.detectors.iter().map(|detector| detector.module).collect::<BTreeSet<_>>() {
            recorders.spawn(engine::power::record(monitor.clone(), module, what.clone(), power_log.clone()));
        }
    }
    let link = tokio::spawn(events::log::emit_link_events(instrument.clone(), log.clone()));
    // Dropping the set ends its tasks.
    let mut awake = JoinSet::new();
    awake.spawn(awake::stay_awake(record.simulated));
    awake.spawn(awake::tell_of_sleep(log.clone()));
    let uses = Uses { detectors, lasers: request.static_lasers() };
    // The walked steps of a long recipe use memory that the run does not need.
    drop(request);
    let stop = control.stop_receiver();
    let heartbeat = watchdog.as_ref().map(Watchdog::heartbeat).unwrap_or_default();
    let mut engine = Engine {
        bench: Bench::new(instrument, record.simulated, heartbeat, log.clone(), uses),
        log: log.clone(),
        output: Output {
            folder: Arc::clone(&folder),
            disk: Disk::new(Arc::clone(&folder)),
            power: power_log.clone(),
            columns,
            metadata: run_metadata(&manifest),
        },
        recipe: Arc::clone(&recipe),
        http: Client::new(allow_http),
        control,
        times,
        expected: BenchState::default(),
        earlier: Transcript::default(),
        unproved: Default::default(),
        shortage: Default::default(),
        number: 0,
        finally_until: None,
    };
    let entered = match resumed {
        Some(resumed) => engine.resume(resumed).await,
        None => Ok(()),
    };

    // The channel holds one request, because the recipe waits for each reply.
    let (requests, served) = tokio::sync::mpsc::channel(1);
    let keep_lasers = recipe.header().leave_lasers_on;
    let path = folder.path().to_owned();
    let performed = match entered {
        Ok(()) => {
            let asked = std::mem::take(&mut engine.earlier.asked);
            let span = tracing::info_span!("run", id = folder.id());
            let span_of_recipe = span.clone();
            let author = threads::begin("recipe", move || {
                let engine = Arc::new(RemoteHost::new(requests, stop));
                let host = Arc::new(ReplayHost::new(asked, path, engine));
                span_of_recipe.in_scope(|| recipe.perform(host))
            });
            engine.serve(served).instrument(span).await;
            let ended =
                author.await.unwrap_or_else(|panic| Err(Fault::new(FaultKind::Recipe, panic.to_string())));
            ended.and(engine.unproved.fault_at_end.take().map_or(Ok(()), Err))
        }
        Err(fault) => Err(fault),
    };

    recorders.shutdown().await;
    engine.bench.heartbeat.look().await;
    let (mut state, mut reason) = verdict(performed, &engine);
    // Once fenced, only the watchdog may use the instrument.
    let fenced = engine.bench.heartbeat.is_fenced();
    let keep_lasers = fenced || state == RunState::Done && keep_lasers;
    let lasers_unknown = if keep_lasers { Vec::new() } else { engine.bench.lasers_off().await };
    if let Some(watchdog) = watchdog.filter(|_| !fenced) {
        watchdog.dismiss().await;
    }
    link.abort();
    awake.shutdown().await;
    // The end of the run is recorded even if the disk is full, so the reserve is released here.
    folder.release_reserve();
    if let Err(fault) = power_log.close().await {
        (state, reason) = (RunState::Failed, Some(reason.unwrap_or_else(|| fault.to_string())));
    }
    manifest.status = state;
    manifest.reason.clone_from(&reason);
    let elapsed_s = log.elapsed_s();
    manifest.elapsed_s = Some(elapsed_s);
    // If the clock was set back, the run must not end before it began.
    manifest.finished = Some(Utc::now().max(manifest.started + seconds(elapsed_s)));
    let history = log.history(History::clone);
    let (failed_steps, traces) = (history.passed_over.len() as u64, history.traces);
    manifest.used_scpi = history.touched.used_scpi;
    manifest.traces = Some(traces);
    manifest.failed_steps = Some(failed_steps);
    manifest.lasers_unknown = lasers_unknown;
    manifest.warnings = log.journal_problems();
    for message in &manifest.warnings {
        log.emit(RunEvent::Warning { message: message.clone() })?;
    }
    // The journal ends before the manifest, so that the manifest never states an end that the journal does not have.
    log.emit_durable(RunEvent::Finished { state, reason, failed_steps, traces }).await?;
    folder.write_manifest(&manifest)?;
    Ok(state)
}

fn verdict(performed: Result<(), Fault>, engine: &Engine) -> (RunState, Option<String>) {
    if let Some(reason) = engine.bench.heartbeat.fence() {
        return (RunState::Failed, Some(reason));
    }
    match performed {
        Err(fault) if fault.kind == FaultKind::Stopped => (RunState::Aborted, Some(fault.to_string())),
        Err(fault) => (RunState::Failed, Some(fault.to_string())),
        Ok(()) => match engine.log.history(|history| history.passed_over.len()) {
            0 => (RunState::Done, None),
            1 => (RunState::Failed, Some("1 step failed and was ignored".to_owned())),
            failed => (RunState::Failed, Some(format!("{failed} steps failed and were ignored"))),
        },
    }
}

fn manifest(
    request: &RunRequest,
    folder: &RunFolder,
    instrument: &InstrumentRecord,
) -> Result<Manifest, Fault> {
    let recipe = &request.recipe;
    let (mut files, mut source_sha256) = (Vec::new(), BTreeMap::new());
    for (index, source) in recipe.sources().iter().enumerate() {
        // An included file is named relative to the recipe's folder, the recipe itself by its path.
        let path = Path::new(&source.name);
        let name = if index == 0 { path.file_name().map(Path::new).unwrap_or(path) } else { path };
        let (file, sha256) = folder.copy_source(name, &source.text)?;
        source_sha256.insert(file.clone(), sha256);
        files.push(file);
    }
    let header = recipe.header();
    let mut metadata = header.metadata.clone();
    metadata.extend(request.metadata.clone());
    Ok(Manifest {
        schema_version: 1,
        run: folder.id().to_owned(),
        name: header.name.clone(),
        status: RunState::Running,
        reason: None,
        started: Utc::now(),
        finished: None,
        elapsed_s: None,
        recipe: RecipeRecord { path: request.path.clone(), sha256: recipe.sha256(), files, source_sha256 },
        parameters: recipe.parameters().clone(),
        metadata,
        columns: request.columns.clone(),
        instrument: instrument.clone(),
        simulator: request.simulator.clone(),
        suspend_when: recipe.given_suspension().cloned(),
        limits: None,
        host: HostRecord {
            host: gethostname::gethostname().to_string_lossy().into_owned(),
            os: std::env::consts::OS.to_owned(),
            pid: std::process::id(),
            ctp10: env!("CARGO_PKG_VERSION").to_owned(),
        },
        taken_up: 0,
        used_scpi: false,
        traces: None,
        failed_steps: None,
        lasers_unknown: Vec::new(),
        warnings: Vec::new(),
        more: serde_json::Map::new(),
    })
}

/// The metadata of the run, for every trace file.
fn run_metadata(manifest: &Manifest) -> BTreeMap<String, Value> {
    let values = [
        ("recipe_name", json!(manifest.name)),
        ("recipe_sha256", json!(manifest.recipe.sha256)),
        ("parameters", json!(manifest.parameters)),
        ("metadata", json!(manifest.metadata)),
        ("instrument", json!(manifest.instrument.identity)),
        ("instrument_address", json!(manifest.instrument.address)),
        ("lasers", json!(manifest.instrument.lasers)),
        ("simulated", json!(manifest.instrument.simulated)),
        ("run_started", json!(manifest.started.to_rfc3339())),
    ];
    values.map(|(name, value)| (name.to_owned(), value)).into()
}

/// Seconds as a duration.
fn seconds(seconds: f64) -> chrono::TimeDelta {
    chrono::Duration::from_std(Duration::try_from_secs_f64(seconds).unwrap_or_default()).unwrap_or_default()
}
