//! The runner performs the operations of a recipe on the instrument, writes the run folder, and emits
//! [`events::RunEvent`]s. It decides nothing about presentation and never uses the socket itself.
//!
//! A recipe runs on a thread of its own and sends its steps to the engine, an async task. Only the engine changes the
//! instrument. [`state`] folds the events into the state of the run, and [`resume`] continues an interrupted run.

mod awake;
mod bench;
mod companions;
mod context;
pub mod control;
mod disk;
mod engine;
pub mod events;
mod explain;
mod host;
mod manifest;
pub mod prepare;
mod request;
pub mod results;
pub mod resume;
pub mod state;
pub mod watchdog;

use std::sync::Arc;

use serde_json::{Value, json};
use tracing::Instrument;

use crate::forecast::bench::BenchState;
use crate::http::Client;
use crate::operation::Surroundings;
use crate::recipe::Recipe;
use crate::step::{Fault, FaultKind};
use crate::store::{InstrumentRecord, Manifest, NamedRecord, ResultsRecord, RunFolder, RunState};
use crate::threads;
use bench::Bench;
use companions::Companions;
use control::{ControlReceiver, StopReceiver};
use disk::Disk;
use engine::columns::Columns;
use engine::power::SharedPowerLog;
use engine::{Engine, Output};
use events::RunEvent;
use events::log::RunLog;
pub use events::log::Watcher;
use host::RemoteHost;
use manifest::End;
/// Figures of the stored traces of a run, for a step of a recipe and for limits that come later.
pub mod analysis {
    pub use super::engine::analyze::{analyze, judge_again};
}

pub use request::{RunRequest, Site, Times, Uses, other_than_named};
use resume::replay::ReplayHost;
use resume::start::Resumption;
use resume::transcript::Transcript;
use state::history::History;
use watchdog::{Guarded, Watchdog};

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
    let Site {
        instrument,
        monitor,
        record,
        live,
        named,
        kept,
        is_embedded,
        detectors,
        folder,
        allow_http,
        times,
    } = site;
    let is_item = request.is_item;
    let recipe = Arc::clone(&request.recipe);
    let resumption = request.resumed.take();
    let uses = Uses { detectors, lasers: request.static_lasers() };
    let limits = instrument.limits();
    let limits = Some(limits).filter(|limits| !limits.is_empty()).map(|limits| json!(limits));
    let known = (record.clone(), named);
    let begun = threads::begin("begin", move || -> Result<_, Fault> {
        let begun = begin(&request, resumption.as_ref(), folder, known, limits, watchers)?;
        // The walked steps of a long recipe use memory that the run does not need.
        drop(request);
        Ok((begun, resumption))
    });
    let (Begun { folder, mut manifest, log, columns }, resumption) = begun.await??;
    let guarded = Guarded { instrument: &instrument, identity: &record.identity, is_embedded, live: &live };
    let watchdog = Watchdog::of(times.guard_after, guarded, &folder, &log).await?;
    let names = Surroundings::new(&recipe.header().detectors).detectors;
    let power = SharedPowerLog::new(folder.power_log(record.simulated, names), log.clone());
    let mut companions = Companions::start(&recipe, &instrument, &monitor, &power, &log, record.simulated);
    let stop = control.stop_receiver();
    let heartbeat = watchdog.as_ref().map(Watchdog::heartbeat).unwrap_or_default();
    let mut engine = Engine {
        bench: Bench::new(instrument, record.simulated, heartbeat, log.clone(), uses, live),
        log: log.clone(),
        output: Output {
            folder: Arc::clone(&folder),
            indexes: Arc::default(),
            disk: Disk::new(Arc::clone(&folder)),
            power: power.clone(),
            columns,
            metadata: manifest::run_metadata(&manifest),
        },
        recipe: Arc::clone(&recipe),
        http: Client::new(allow_http),
        control,
        times,
        expected: BenchState::default(),
        earlier: Transcript::default(),
        unproved: Default::default(),
        shortage: Default::default(),
        writers: Default::default(),
        number: 0,
        coupling_is_doubtful: false,
        alignments: Vec::new(),
        finally_until: None,
    };
    engine.bench.claim_kept(kept);
    let span = tracing::info_span!("run", id = folder.id());
    let performed = perform(&mut engine, &recipe, resumption, stop).instrument(span).await;

    companions.stop_recording().await;
    engine.bench.heartbeat.look().await;
    let (mut state, mut reason) = verdict(performed, &engine);
    // Once fenced, only the watchdog may use the instrument.
    let fenced = engine.bench.heartbeat.is_fenced();
    let keep_lasers = fenced || state == RunState::Done && recipe.header().leave_lasers_on;
    let keeps = is_item && state == RunState::Done;
    let (lasers_unknown, mut instruments_unknown) = match fenced {
        true => (Vec::new(), Vec::new()),
        false => engine.bench.end(keep_lasers, keeps).await,
    };
    if keeps && !instruments_unknown.is_empty() {
        // The item does not end well, so no instrument is kept as it is for the next one.
        instruments_unknown = engine.bench.end(true, false).await.1;
    }
    if state == RunState::Done && !instruments_unknown.is_empty() {
        (state, reason) = (RunState::Failed, Some(not_confirmed_safe(&instruments_unknown, reason)));
    }
    if let Some(watchdog) = watchdog.filter(|_| !fenced) {
        watchdog.dismiss().await;
    }
    companions.stop().await;
    // The end of the run is recorded even if the disk is full, so the reserve is released here.
    folder.release_reserve();
    if let Err(fault) = power.close().await {
        (state, reason) = (RunState::Failed, Some(reason.unwrap_or_else(|| fault.to_string())));
    }
    let mut warnings = log.journal_problems();
    let has_analyses = log.history(|history| history.verdicts.has_analyses());
    let results = if has_analyses { write_results(&folder, &manifest).await } else { Ok(None) };
    if let Err(fault) = &results {
        warnings.push(format!("the table of figures was not written: {fault}"));
    }
    for message in &warnings {
        log.emit(RunEvent::Warning { message: message.clone() })?;
    }
    let history = log.history(History::clone);
    let end = End {
        state,
        reason: reason.clone(),
        elapsed_s: log.elapsed_s(),
        lasers_unknown,
        instruments_unknown,
        warnings,
        results: results.unwrap_or_default(),
    };
    manifest::finish(&mut manifest, end, &history);
    let (failed_steps, traces) = (history.passed_over.len() as u64, history.traces);
    let verdict = history.verdicts.worst();
    // The journal ends before the manifest, so that the manifest never states an end that the journal does not have.
    log.emit_durable(RunEvent::Finished { state, reason, failed_steps, traces, verdict }).await?;
    threads::begin("manifest", move || folder.write_manifest(&manifest)).await??;
    Ok(state)
}

/// What the reason of a run says if named instruments did not confirm its safe end.
pub const NOT_CONFIRMED_SAFE: &str = "could not confirm that these instruments are safe";

/// The reason of a run whose steps have succeeded, but not its safe end. A laser that does not reply is no such reason,
/// because the lasers of some units never reply.
fn not_confirmed_safe(instruments: &[String], reason: Option<String>) -> String {
    let before = reason.map(|reason| format!("{reason}; ")).unwrap_or_default();
    format!("{before}{NOT_CONFIRMED_SAFE}: {}", instruments.join(", "))
}

/// Writes the table of figures from the journal, on a thread of its own.
async fn write_results(folder: &Arc<RunFolder>, manifest: &Manifest) -> Result<Option<ResultsRecord>, Fault> {
    let (folder, given) = (Arc::clone(folder), manifest.columns.clone());
    let simulated = manifest.instrument.simulated;
    let written = threads::begin("results", move || results::write(&folder, &given, simulated)).await?;
    Ok(written?)
}

/// A run whose beginning is recorded.
struct Begun {
    folder: Arc<RunFolder>,
    manifest: Manifest,
    log: RunLog,
    columns: Columns,
}

/// Writes the manifest and the first events of a run. Blocks.
fn begin(
    request: &RunRequest,
    resumption: Option<&Resumption>,
    mut folder: RunFolder,
    (instrument, named): (InstrumentRecord, Vec<NamedRecord>),
    limits: Option<Value>,
    watchers: Vec<Watcher>,
) -> Result<Begun, Fault> {
    let repaired = resumption.map(|resumption| resumption.repair_folder(&mut folder)).transpose()?;
    let mut manifest = match resumption {
        Some(resumption) => resumption.manifest(),
        None => manifest::manifest(request, &folder, &instrument)?,
    };
    manifest.limits = limits;
    manifest.instruments = named;
    folder.write_manifest(&manifest)?;
    let new = Transcript::default();
    let earlier = resumption.map_or(&new, |resumption| &resumption.transcript);
    let log = RunLog::new(folder.journal()?, earlier.history.clone(), watchers, earlier.elapsed_s);
    match resumption.filter(|_| earlier.history.started) {
        Some(resumption) => resumption.begin(&folder, &log)?,
        None => {
            let (operations, estimated_s) = request.expected().unzip();
            log.emit_durable_blocking(RunEvent::Started {
                run: folder.id().to_owned(),
                name: manifest.name.clone(),
                folder: folder.path().display().to_string(),
                instrument: instrument.clone(),
                instruments: manifest.instruments.clone(),
                operations,
                estimated_s,
                outline: state::outline::outline(&request.walked.steps, request.recipe.detectors()),
                detectors: request.recipe.detectors().clone(),
            })?;
        }
    }
    for message in repaired.unwrap_or_default() {
        log.emit(RunEvent::Warning { message })?;
    }
    let columns = Columns::new(request.own_columns(), manifest.columns.clone());
    columns.begin(earlier, &log)?;
    Ok(Begun { folder: Arc::new(folder), manifest, log, columns })
}

/// Performs the recipe, from its beginning or from where the interrupted run ended.
async fn perform(
    engine: &mut Engine,
    recipe: &Arc<Recipe>,
    resumption: Option<Resumption>,
    stop: StopReceiver,
) -> Result<(), Fault> {
    if let Some(resumption) = resumption {
        engine.resume(resumption).await?;
    }
    // The channel holds one request, because the recipe waits for each reply.
    let (requests, served) = tokio::sync::mpsc::channel(1);
    let (recipe, path) = (Arc::clone(recipe), engine.output.folder.path().to_owned());
    let asked = std::mem::take(&mut engine.earlier.asked);
    let span = tracing::Span::current();
    let author = threads::begin("recipe", move || {
        let engine = Arc::new(RemoteHost::new(requests, stop));
        let host = Arc::new(ReplayHost::new(asked, path, engine));
        span.in_scope(|| recipe.perform(host))
    });
    engine.serve(served).await;
    let ended = author.await.unwrap_or_else(|panic| Err(Fault::new(FaultKind::Recipe, panic.to_string())));
    ended.and(engine.unproved.fault_at_end.take().map_or(Ok(()), Err))
}

fn verdict(performed: Result<(), Fault>, engine: &Engine) -> (RunState, Option<String>) {
    if let Some(reason) = engine.bench.heartbeat.fence() {
        return (RunState::Failed, Some(reason));
    }
    match performed {
        Err(fault) if fault.kind == FaultKind::Stopped => (RunState::Aborted, Some(fault.to_string())),
        Err(fault) if fault.kind != FaultKind::Verdict => (RunState::Failed, Some(fault.to_string())),
        ended => match engine.log.history(|history| history.passed_over.len()) {
            // A verdict that ends the recipe early is no failure of the run.
            0 => (RunState::Done, ended.err().map(|fault| fault.to_string())),
            1 => (RunState::Failed, Some("1 step failed and was ignored".to_owned())),
            failed => (RunState::Failed, Some(format!("{failed} steps failed and were ignored"))),
        },
    }
}
