//! The runner: performs the operations of a recipe on the instrument, keeps the run folder, and says what
//! happens as [`events::RunEvent`]s. It decides nothing about presentation and never touches the socket itself.
//!
//! A recipe runs on a thread of its own and hands its steps to the engine, an async task; the engine is the only
//! one that changes the instrument.

mod awake;
pub mod control;
mod engine;
pub mod events;
pub mod guard;
mod host;
mod lasers;
pub mod prepare;
mod request;
pub mod resume;
pub mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::Utc;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::forecast::bench::BenchState;
use crate::http::Client;
use crate::step::{Fault, FaultKind};
use crate::store::{Durability, HostRecord, InstrumentRecord, Manifest, RecipeRecord, RunFolder, RunState};
use crate::threads;
use control::Reins;
use engine::Engine;
use engine::columns::Columns;
use engine::power::SharedPowerLog;
use engine::proof::Unproved;
use engine::room::Shortage;
use engine::session::Session;
use events::RunEvent;
use events::log::Events;
pub use events::log::Watcher;
use guard::Guard;
use host::RemoteHost;
pub use request::{RunRequest, Site, Times, Uses};
use resume::replay::ReplayHost;
use resume::transcript::Transcript;

/// Runs a recipe to its end: its steps, its `finally`, the lasers, the files. What happens goes to `watchers`.
///
/// # Errors
/// When the run folder cannot be written; everything else is a run that failed, and ends in its state.
pub async fn run(
    mut request: RunRequest,
    site: Site,
    reins: Reins,
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
    let events = Arc::new(Events::new(
        folder.journal()?,
        watchers,
        resumed.as_ref().map_or(0.0, |resumed| resumed.past.elapsed_s),
    ));
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
    match resumed.as_ref().filter(|resumed| resumed.past.started) {
        Some(resumed) => resumed.begin(&folder, &events)?,
        None => events.tell(started, Durability::Now)?,
    }
    for message in mended {
        events.say(RunEvent::Warning { message })?;
    }
    let past = resumed.as_ref().map(|resumed| &resumed.past);
    let mut columns = Columns::new(request.own_columns(), manifest.columns.clone());
    columns.begin(past, &events)?;
    let guard = Guard::of(times.guard_after, &instrument, &record.identity, &folder, &events).await?;
    let power_log = SharedPowerLog::new(folder.power_log(record.simulated), Arc::clone(&events));
    let mut recorders = JoinSet::new();
    if let Some(what) = &recipe.header().record_power {
        for module in what.detectors.iter().map(|detector| detector.module).collect::<BTreeSet<_>>() {
            recorders.spawn(engine::power::record(monitor.clone(), module, what.clone(), power_log.clone()));
        }
    }
    let link = tokio::spawn(events::log::tell_link_events(instrument.clone(), Arc::clone(&events)));
    // Aborted when it is dropped.
    let mut awake = JoinSet::new();
    awake.spawn(awake::stay_awake(record.simulated));
    awake.spawn(awake::tell_of_sleep(Arc::clone(&events)));
    let uses = Uses { detectors, lasers: request.static_lasers() };
    // The walked steps of a long recipe take memory, which a run of days does not need.
    drop(request);
    let stop = reins.stop_receiver();
    let mut engine = Engine {
        simulated: record.simulated,
        recipe: Arc::clone(&recipe),
        columns,
        run_metadata: run_metadata(&manifest),
        instrument: instrument.clone(),
        http: Client::new(allow_http),
        folder: Arc::clone(&folder),
        events: Arc::clone(&events),
        power_log: power_log.clone(),
        reins,
        pulse: guard.as_ref().map(Guard::pulse).unwrap_or_default(),
        session: Session::default(),
        dark_after: times.dark_after,
        answer_wait: times.answer_wait,
        uses,
        bench: BenchState::default(),
        detectors: BTreeMap::new(),
        number: 0,
        attempt: 1,
        tries: 1,
        past: Transcript::default(),
        waits_until: None,
        link: instrument.link_events(),
        place: crate::step::Place::default(),
        failed_steps: 0,
        shortage: Shortage::new(times.disk_full_wait),
        unproved: Unproved::default(),
        unproved_at_end: None,
        finally_until: None,
    };

    let entered = match resumed {
        Some(mut resumed) => {
            let repairs = std::mem::take(&mut resumed.repairs);
            match resumed.enter(&mut engine) {
                Ok(asked) => engine.mend(&repairs).await.map(|()| Some(asked)),
                Err(fault) => Err(fault),
            }
        }
        None => Ok(None),
    };

    // One request at a time: the recipe waits for each answer.
    let (requests, served) = tokio::sync::mpsc::channel(1);
    let keep_lasers = recipe.header().leave_lasers_on;
    let path = folder.path().to_owned();
    let performed = match entered {
        Ok(asked) => {
            let asked = asked.unwrap_or_default();
            let author = threads::begin("recipe", move || {
                recipe.perform(&ReplayHost::new(asked, path, &RemoteHost::new(requests, stop)))
            });
            engine.serve(served).await;
            let ended =
                author.await.unwrap_or_else(|panic| Err(Fault::new(FaultKind::Recipe, panic.to_string())));
            ended.and(engine.unproved_at_end.take().map_or(Ok(()), Err))
        }
        Err(fault) => Err(fault),
    };

    recorders.shutdown().await;
    let (mut state, mut reason) = verdict(performed, &engine);
    // Behind the fence the instrument is the guard's.
    let fenced = engine.pulse.is_fenced();
    let keep_lasers = fenced || state == RunState::Done && keep_lasers;
    let lasers_unknown = if keep_lasers { Vec::new() } else { engine.lasers_off().await };
    if let Some(guard) = guard.filter(|_| !fenced) {
        guard.dismiss().await;
    }
    link.abort();
    awake.shutdown().await;
    // What follows is the end of the run, which is told even when the disk is full.
    folder.release_reserve();
    if let Err(fault) = power_log.close() {
        (state, reason) = (RunState::Failed, Some(reason.unwrap_or_else(|| fault.to_string())));
    }
    manifest.status = state;
    manifest.reason.clone_from(&reason);
    let elapsed_s = events.elapsed_s();
    manifest.elapsed_s = Some(elapsed_s);
    // A clock that was set back meanwhile does not let it end before it began.
    manifest.finished = Some(Utc::now().max(manifest.started + seconds(elapsed_s)));
    manifest.used_scpi = engine.session.used_scpi;
    manifest.traces = Some(engine.session.trace_index);
    manifest.failed_steps = Some(engine.failed_steps);
    manifest.lasers_unknown = lasers_unknown;
    let (failed_steps, traces) = (engine.failed_steps, engine.session.trace_index);
    manifest.warnings = events.journal_trouble();
    for message in &manifest.warnings {
        events.say(RunEvent::Warning { message: message.clone() })?;
    }
    // The journal ends first, so that the manifest never claims an end that the journal does not know.
    events.tell(RunEvent::Finished { state, reason, failed_steps, traces }, Durability::Now)?;
    folder.write_manifest(&manifest)?;
    Ok(state)
}

fn verdict(performed: Result<(), Fault>, engine: &Engine) -> (RunState, Option<String>) {
    if let Some(reason) = engine.pulse.fence() {
        return (RunState::Failed, Some(reason));
    }
    match performed {
        Err(fault) if fault.kind == FaultKind::Stopped => (RunState::Aborted, Some(fault.to_string())),
        Err(fault) => (RunState::Failed, Some(fault.to_string())),
        Ok(()) if engine.failed_steps > 0 => {
            let (steps, were) = if engine.failed_steps == 1 { ("step", "was") } else { ("steps", "were") };
            (RunState::Failed, Some(format!("{} {steps} failed and {were} passed over", engine.failed_steps)))
        }
        Ok(()) => (RunState::Done, None),
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
        // What the recipe includes is named relative to the recipe's folder; the recipe itself by its path.
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

/// What every trace file says of the run it comes from.
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

/// Seconds as a span.
fn seconds(seconds: f64) -> chrono::TimeDelta {
    chrono::Duration::from_std(Duration::try_from_secs_f64(seconds).unwrap_or_default()).unwrap_or_default()
}

/// Seconds since 1970-01-01 UTC.
fn unix_time_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
