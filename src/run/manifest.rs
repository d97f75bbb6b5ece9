//! The manifest of a run: what is known at its beginning, and at its end.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use chrono::Utc;
use serde_json::{Value, json};

use super::request::RunRequest;
use super::state::history::History;
use crate::measurement::ReferenceRecord;
use crate::step::Fault;
use crate::store::{
    HostRecord, InstrumentRecord, Manifest, RecipeRecord, ResultsRecord, RunFolder, RunState,
};

/// The manifest of a new run. Copies the recipe into the run folder.
pub(super) fn manifest(
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
        verdict: None,
        verdicts: None,
        results: None,
        lasers_unknown: Vec::new(),
        instruments: Vec::new(),
        instruments_unknown: Vec::new(),
        warnings: Vec::new(),
        references: Vec::new(),
        fleet: request.fleet.clone(),
        more: serde_json::Map::new(),
    })
}

/// The metadata of the run, for every trace file.
pub(super) fn run_metadata(manifest: &Manifest) -> BTreeMap<String, Value> {
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

/// How a run has ended.
pub(super) struct End {
    pub(super) state: RunState,
    pub(super) reason: Option<String>,
    /// How long the run has lasted, s, all its processes together.
    pub(super) elapsed_s: f64,
    /// Lasers that could not be confirmed off.
    pub(super) lasers_unknown: Vec<u8>,
    /// Named instruments that could not be confirmed safe.
    pub(super) instruments_unknown: Vec<String>,
    pub(super) warnings: Vec<String>,
    /// The file with the figures, if there are any.
    pub(super) results: Option<ResultsRecord>,
}

/// Adds the end of the run to its manifest.
pub(super) fn finish(manifest: &mut Manifest, end: End, history: &History) {
    manifest.status = end.state;
    manifest.reason = end.reason;
    manifest.elapsed_s = Some(end.elapsed_s);
    // If the clock was set back, the run must not end before it began.
    manifest.finished = Some(Utc::now().max(manifest.started + seconds(end.elapsed_s)));
    manifest.used_scpi = history.touched.used_scpi;
    manifest.traces = Some(history.traces);
    manifest.failed_steps = Some(history.passed_over.len() as u64);
    manifest.verdict = history.verdicts.worst();
    manifest.verdicts = manifest.verdict.is_some().then(|| history.verdicts.summary());
    manifest.results = end.results;
    manifest.lasers_unknown = end.lasers_unknown;
    manifest.instruments_unknown = end.instruments_unknown;
    manifest.warnings = end.warnings;
    manifest.references = history.references.values().cloned().map(ReferenceRecord::named).collect();
}

/// Seconds as a duration.
fn seconds(seconds: f64) -> chrono::TimeDelta {
    chrono::Duration::from_std(Duration::try_from_secs_f64(seconds).unwrap_or_default()).unwrap_or_default()
}
